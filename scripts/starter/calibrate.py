"""How near must a crop be to a reference? Fits the identity limit of the run's judge to the starter's panels.

    python -m scripts.starter.calibrate [--seed 39] [--write]

A cast of twenty is rehearsed and drawn in four panels each; every crop that detector and segmenter make of
somebody is compared with their own reference and with everybody else's. Two normal curves say at which cosine
it is even odds (the limit) and how fast that turns (the spread). `--write` puts both into the manifest.
Prompts come from a range of the benchmark that is kept for this.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.files import BlobId
from model.render.weights import STARTER
from model.run.measure import measure_all
from model.studio import Studio
from model.terminal import Terminal
from scripts.bench.drawer import FIRST_DRAW, Drawer, request_for
from scripts.bench.held_out import MEMBERS, NEAR, cast_panels

Cosines = NDArray[np.float64]


def cosines(drawer: Drawer, seed: int) -> tuple[Cosines, Cosines]:
    """Cosines of crops with the references of whom they show, and with those of others."""
    _, panels = cast_panels(MEMBERS, seed)
    pictures = drawer.draw(panels, FIRST_DRAW)
    requests = [
        request_for(
            panel, drawer.references, FIRST_DRAW,
            weights=drawer.models.checkpoint.fingerprint, sampling=drawer.sampling, seed=0,
        )
        for panel in panels
    ]  # fmt: skip
    measured = measure_all(requests, pictures, drawer.models, drawer.library)
    crops: list[Image.Image] = []
    shown: list[str] = []
    for request, one in zip(requests, measured, strict=True):
        for region, sighting in zip(request.regions, one.sightings, strict=True):
            if sighting.crop:
                crops.append(Image.open(io.BytesIO(drawer.library.load(sighting.crop))))
                shown.append(region.reference)
    known = sorted(set(shown))
    references = np.stack([drawer.models.reference_embedding(BlobId(picture)) for picture in known])
    found = (drawer.models.encoder.encode_images(crops) @ references.T).astype(np.float64)
    own = np.zeros(found.shape, dtype=bool)
    own[np.arange(len(shown)), [known.index(picture) for picture in shown]] = True
    return found[own], found[~own]


def even_odds(same: Cosines, other: Cosines) -> tuple[float, float]:
    """The cosine at which a crop is as likely somebody's as nobody's, both kinds being as common, and the
    cosine between doubt and certainty (1 / slope of the log odds), for two normal curves of one width (Fisher
    1936)."""
    variance = (same.var() + other.var()) / 2
    apart = same.mean() - other.mean()
    return float((same.mean() + other.mean()) / 2), float(variance / apart)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fit the identity limit of the starter's judge.")
    parser.add_argument("--seed", type=int, default=NEAR - 1, help="range of prompts; not a benchmark's")
    parser.add_argument("--model", type=Path, default=STARTER, help="folder of the checkpoint")
    parser.add_argument("--library", type=Path, default=Path("outputs/bench_library"))
    parser.add_argument("--write", action="store_true", help="put it into the manifest")
    flags = parser.parse_args()
    said = {"model": flags.model, "max_retries": 0, "candidates": 1, "library": flags.library}
    with (
        Terminal() as terminal,
        Studio.open(events=terminal, **said) as studio,
        studio.running() as context,
    ):
        same, other = cosines(Drawer(context), flags.seed)
    limit, spread = even_odds(same, other)
    refused, taken = float((same < limit).mean()), float((other >= limit).mean())
    print(f"{len(same)} crops; own reference {same.mean():.3f}, others' {other.mean():.3f}")
    print(
        f"limit {limit:.3f}, spread {spread:.3f}: "
        f"{refused:.1%} of the right ones refused, {taken:.1%} of others taken"
    )
    if flags.write:
        path = flags.model / "manifest.json"
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifest["judging"] = {
            **manifest.get("judging", {}),
            "identity": round(limit, 3),
            "spread": round(spread, 3),
        }
        path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

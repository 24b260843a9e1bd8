"""What the vibe memory does for a reader of real panels: a hidden taste labels twenty, the rest is filtered.

    python -m scripts.bench.vibe_panels [--panels 200] [--labels 20] [--library DIR]

The starter draws panels of one character whose prompts ask for ink or colour, long hair or other, a smile or
another face, each by the toss of a coin; everything else is at random. A reader likes what is drawn in ink,
with long hair and smiling; what is really in a panel is read by the judge (`scripts/starter/judge`), which
knows nothing of prompts. The reader labels twenty panels, ten of either kind (likes: at most half of those
there are); the memory scores the others, with the encoder and the threshold that a run has by default.

Printed, as means over many choices of the twenty ± their standard deviation: the share of panels that match
the taste, of all and of those that are accepted; AUC; and what a run makes of it, where a refused panel is
drawn again at most three times and the best try is kept: the share that matches and the pictures drawn a
panel. Then the same with `--vibe_settings quality`, for labels as they come instead of ten and ten, and for
tastes of a single one of the three, which say what the encoder sees. Last line: JSON.

Panels stay in the library, so that the same weights draw only once.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.config import Settings
from model.memory.vibe.opinions import gather, unit
from model.memory.vibe.scorer import Scorer
from model.memory.vibe.settings import PRESETS, VibeSettings
from model.render.request import PanelRequest, Region, Sampling
from model.render.weights import Checkpoint
from model.run.context import Context
from model.run.draw import draw_all
from model.run.requests import sampling_of
from model.story.layout import default_boxes
from model.story.plan import panel_seed
from model.story.prompts import region_prompt, write_panel
from model.story.schema import Character, Presence, StoryPanel
from model.studio import Studio
from model.terminal import Terminal
from model.variants import QUALITIES
from scripts.bench.command import run, seed_flag
from scripts.bench.held_out import describe, style_of
from scripts.bench.vibe import auc, kept
from scripts.starter.judge.judge import Judge
from scripts.starter.judge.labels import Reading
from scripts.starter.world import Identity
from scripts.starter.world.backgrounds import BACKGROUNDS
from scripts.starter.world.identity import EXPRESSIONS, POSES, STYLES

SIDE = 256
WISHES = ("ink", "long hair", "smiling")
SHOTS = ("wide", "medium", "close-up")
TASTES = {"all three": (0, 1, 2), "ink": (0,), "long hair": (1,), "smiling": (2,)}
# How the reader labels, and the settings of the run; the last two are for comparison.
WAYS = (("even", True, "default"), ("even", True, "quality"), ("as they come", False, "default"))
GAIN = 1.5  # the share of matching panels is to rise by half


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """What came of one taste and one way to label: means over choices of the labelled panels."""

    base: float
    accepted_match: float
    accepted_match_sd: float
    accepted: float
    auc: float
    kept_match: float
    generations: float

    @property
    def gain(self) -> float:
        return self.accepted_match / self.base if self.base else 0.0


def asked(number: int, seed: int, checkpoint: Checkpoint, sampling: Sampling) -> PanelRequest:
    """The request of one panel, in a story's words."""
    rng = random.Random(f"{seed}/{number}")
    ink, long, smiling = (rng.random() < 0.5 for _ in WISHES)
    who = Identity.random(rng)
    style = "long hair" if long else rng.choice([one for one in STYLES if one != "long hair"])
    face = "smiling" if smiling else rng.choice([one for one in EXPRESSIONS if one != "smiling"])
    look = describe(Identity(**{**_fields(who), "style": style}), rng)
    shot = rng.choice(SHOTS)
    there = Presence(id="c", expression=face, action=rng.choice(POSES))
    panel = StoryPanel.model_validate(
        {"scene": rng.choice(list(BACKGROUNDS)), "shot": shot, "characters": [there.model_dump()]}
    )
    (box,) = default_boxes(1, shot, 1.0)
    return PanelRequest(
        weights=checkpoint.fingerprint,
        width=SIDE,
        height=SIDE,
        prompt=write_panel(panel, style_of(ink)).prompt,
        negative="",
        regions=(Region(box=box, prompt=region_prompt(Character(description=look), there)),),
        seed=panel_seed(seed, f"v{number}", 0),
        sampling=sampling,
    )


def _fields(who: Identity) -> dict[str, str]:
    return {name: getattr(who, name) for name in Identity.__dataclass_fields__}


def seen(reading: Reading) -> tuple[bool, bool, bool]:
    """Which of the three wishes a panel meets; of several people the surest counts."""
    who = max(reading.characters, key=lambda one: one.score, default=None)
    return (
        reading.ink,
        who is not None and who.style == "long hair",
        who is not None and who.expression == "smiling",
    )


def labelled(
    liked: NDArray[np.bool_], count: int, rng: np.random.Generator, *, even: bool
) -> NDArray[np.intp]:
    """Which panels the reader labels: as many likes as dislikes, or as they come."""
    if not even:
        return rng.choice(len(liked), size=count, replace=False)
    likes = min(count // 2, int(liked.sum()) // 2)  # the other half is to be found
    sides = ((np.flatnonzero(liked), likes), (np.flatnonzero(~liked), count - likes))
    return np.concatenate([rng.choice(side, size=size, replace=False) for side, size in sides])


def measure(
    vectors: NDArray[np.float32],
    liked: NDArray[np.bool_],
    settings: VibeSettings,
    labels: int,
    *,
    even: bool,
    trials: int,
    seed: int,
) -> Taste:
    """One taste: label, fit, score the rest; `trials` times."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, ...]] = []
    while len(rows) < trials:
        chosen = labelled(liked, labels, rng, even=even)
        signs = np.where(liked[chosen], 1.0, -1.0)
        opinions = gather(vectors[chosen].astype(np.float16), list(signs), ["general"] * labels)
        scorer = Scorer(opinions, unit(vectors).mean(0))
        rest = rng.permutation(np.setdiff1d(np.arange(len(liked)), chosen))
        good, scores = liked[rest], scorer.score(vectors[rest])
        accepted = scores >= settings.threshold
        tries = 1 + settings.max_retries
        slots = len(rest) // tries
        which, drawn = kept(scores[: slots * tries].reshape(slots, tries), settings)
        matched = good[: slots * tries].reshape(slots, tries)[np.arange(slots), which]
        share = float(good[accepted].mean()) if accepted.any() else 0.0
        ordered = auc(scores, good) if 0 < good.sum() < len(good) else 0.5
        rows.append((good.mean(), share, accepted.mean(), ordered, matched.mean(), drawn.mean()))
    table = np.array(rows)
    base, share, accepted_share, ordered, match, drawn_mean = (round(float(x), 4) for x in table.mean(0))
    return Taste(
        base=base,
        accepted_match=share,
        accepted_match_sd=round(float(table[:, 1].std(ddof=1)), 4),
        accepted=accepted_share,
        auc=ordered,
        kept_match=match,
        generations=drawn_mean,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Measure what a taste of twenty labels does for real panels."
    )
    parser.add_argument("--panels", type=int, default=200)
    parser.add_argument("--labels", type=int, default=20)
    parser.add_argument("--trials", type=int, default=40, help="choices of the labelled panels")
    seed_flag(parser, 4)
    parser.add_argument("--quality", choices=QUALITIES, default="fast")
    parser.add_argument(
        "--library", type=Path, metavar="DIR", help="keep the panels there (default: nowhere)"
    )
    parser.add_argument(
        "--sheet", type=Path, metavar="PNG", help="what is accepted and what is not, to look at"
    )
    flags = parser.parse_args()
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        Terminal() as terminal,
        Studio.open(
            events=terminal,
            quality=flags.quality,
            detector="none",
            segmenter="none",
            library=flags.library or Path(folder),
        ) as studio,
        studio.running() as context,
    ):
        requests = asked_for(range(flags.panels), flags.seed, context.models.checkpoint, context.settings)
        pictures, vectors = draw(requests, context)
    wanted = np.array([wished(request) for request in requests])
    readings = Judge.open().read(pictures)
    wishes = np.array([seen(reading) for reading in readings])
    rates = ", ".join(
        f"{name} {rate:.0%} (asked: {share:.0%})"
        for name, rate, share in zip(WISHES, wishes.mean(0), wanted.mean(0), strict=True)
    )
    print(f"{len(pictures)} panels, {time.perf_counter() - started:.0f} s; the judge reads: {rates}")
    print("taste       labels        settings  match: all  accepted       gain  yes   auc    kept  pictures")
    found: dict[str, dict[str, float]] = {}
    for name, parts in TASTES.items():
        liked = np.asarray(wishes[:, parts].all(axis=1), bool)
        for how, even, chosen in WAYS:
            if liked.sum() < 4 or (~liked).sum() < flags.labels:
                print(f"{name}: only {int(liked.sum())} panels match; nothing can be said")
                continue
            rule = PRESETS.get(chosen, VibeSettings())
            row = measure(vectors, liked, rule, flags.labels, even=even, trials=flags.trials, seed=flags.seed)
            found[f"{name}, {how}, {chosen}"] = {**asdict(row), "gain": round(row.gain, 3)}
            print(
                f"{name:10}  {how:12}  {chosen:8}  {row.base:.3f}  "
                f"{row.accepted_match:.3f} ± {row.accepted_match_sd:.3f}  {row.gain:.2f}  "
                f"{row.accepted:.2f}  {row.auc:.3f}  {row.kept_match:.3f}  {row.generations:.2f}"
            )
    if flags.sheet:
        _sheet(flags, pictures, vectors, np.asarray(wishes.all(axis=1), bool))
    print(json.dumps({"panels": len(pictures), "expected_gain": GAIN, "tastes": found}))
    return 0


def asked_for(
    numbers: Iterable[int], seed: int, checkpoint: Checkpoint, settings: Settings
) -> list[PanelRequest]:
    """The requests of the panels of these numbers."""
    return [asked(number, seed, checkpoint, sampling_of(settings)) for number in numbers]


def wished(request: PanelRequest) -> tuple[bool, bool, bool]:
    """Which of the three wishes a panel's prompts ask for."""
    (region,) = request.regions
    return "ink" in request.prompt, "long" in region.prompt.split(",")[0], "smiling" in region.prompt


def draw(
    requests: Sequence[PanelRequest],
    context: Context,
) -> tuple[list[Image.Image], NDArray[np.float32]]:
    """The pictures of requests, and their embeddings as a run has them."""
    drawn = draw_all(requests, context, stage="panels", names={})
    outcomes = [drawn[request.key] for request in requests]
    pictures = [Image.open(io.BytesIO(context.library.load(one.blob))).convert("RGB") for one in outcomes]
    return pictures, np.stack([one.embedding for one in outcomes if one.embedding is not None])


def _sheet(
    flags: argparse.Namespace,
    pictures: Sequence[Image.Image],
    vectors: NDArray[np.float32],
    liked: NDArray[np.bool_],
) -> None:
    """The ten labelled likes, then the panels that score highest and lowest, ten each."""
    rng = np.random.default_rng(flags.seed)
    chosen = labelled(liked, flags.labels, rng, even=True)
    signs = np.where(liked[chosen], 1.0, -1.0)
    opinions = gather(vectors[chosen].astype(np.float16), list(signs), ["general"] * flags.labels)
    rest = np.setdiff1d(np.arange(len(liked)), chosen)
    order = rest[np.argsort(-Scorer(opinions, unit(vectors).mean(0)).score(vectors[rest]))]
    rows = (chosen[signs > 0][:10], order[:10], order[-10:])
    paper = Image.new("RGB", (1280, 128 * len(rows)), "white")
    for y, row in enumerate(rows):
        for x, index in enumerate(row):
            paper.paste(pictures[index].resize((128, 128), Image.Resampling.LANCZOS), (128 * x, 128 * y))
    paper.save(flags.sheet)


if __name__ == "__main__":
    sys.exit(run(main))

"""Panels that levels of GGUF are measured on, and what drawing a story feeds a transformer's layers.

In: a checkpoint that can draw, a story. Out: pictures, always of the same seeds; or a file of importance.
References are left out: they would take a rehearsal for every level.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from model.errors import ConfigError

STEPS = 8


class Drawer:
    """The same panels with whatever transformer.

    Args:
        source: a checkpoint that can draw.
        panels: the first so many of the story.
        story: None = First Light.
    Raises:
        ConfigError: the source is no Flux checkpoint.
    """

    def __init__(self, source: Path, device: str, panels: int, story: Path | None = None) -> None:
        from model.config import FIRST_STORY
        from model.render.devices import compute_dtype, pick_device
        from model.render.flux.renderer import FluxRenderer
        from model.run.plan import read_plan
        from model.run.settle import checkpoint_of, settle

        settings = settle(model=str(source), quality="fast", device=device)
        self.checkpoint = checkpoint_of(settings)
        if self.checkpoint.variant.family != "flux":
            raise ConfigError(f"{source}: of Stable Diffusion no GGUF is made here; name a Flux checkpoint")
        self.name = self.checkpoint.name
        part = self.checkpoint.part("transformer")
        # (A folder holds what its own config describes, a GGUF in it too.)
        self.transformer = part if part.is_file() else _weights_in(part)
        kind = pick_device(device)
        self.dtype = compute_dtype(kind, self.checkpoint.variant)
        self.renderer = FluxRenderer(
            self.checkpoint, load_reference=_no_reference, device=kind, dtype=self.dtype
        )
        plan = read_plan(story or FIRST_STORY, seed=settings.seed, shapes=self.checkpoint.shapes)
        self.requests = [
            _request(panel, self.checkpoint, settings.guidance) for panel in list(plan.panels)[:panels]
        ]

    def draw(self, file: Path | None) -> list[Image.Image]:
        """Every panel by itself; None = with the source's own numbers."""
        from model.render.flux.parts import read_transformer
        from model.run.fit import with_gguf

        if file is not None:
            checkpoint = with_gguf(self.checkpoint, file)
            transformer = read_transformer(checkpoint, dtype=self.dtype).to(self.renderer.device).eval()
            self.renderer.parts = replace(self.renderer.parts, transformer=transformer)
        return [self.renderer.draw([request])[0] for request in self.requests]

    def compared(self, wanted: Sequence[Image.Image], found: Sequence[Image.Image]) -> dict[str, float]:
        """Means over the panels."""
        from model.vision.likeness import psnr, ssim

        pairs = list(zip(wanted, found, strict=True))
        both = self._encoder.encode_images([*wanted, *found])
        cosines = (both[: len(wanted)] * both[len(wanted) :]).sum(1)
        return {
            "psnr": round(sum(psnr(*pair) for pair in pairs) / len(pairs), 2),
            "ssim": round(sum(ssim(*pair) for pair in pairs) / len(pairs), 4),
            "distance": round(max(0.0, 1 - float(cosines.mean())), 5),
        }

    @functools.cached_property
    def _encoder(self) -> Any:
        from model.render.weights import STARTER
        from model.vision.clip import ImageEncoder

        own = self.checkpoint.folder / "clip"
        folder = own if own.is_dir() else STARTER / "clip"
        return ImageEncoder(folder, tokenizer=folder.parent / "tokenizer")


def _weights_in(folder: Path) -> Path:
    files = sorted(folder.glob("*.gguf"))
    return folder if any(folder.glob("*.safetensors")) or not files else files[0]


def _no_reference(sha256: str) -> bytes:
    raise ConfigError(f"{sha256}: panels that levels are measured on have no references")


def _request(panel: Any, checkpoint: Any, guidance: float) -> Any:
    """A panel as planned, without its characters' pictures: they would take a rehearsal a level."""
    from model.render.request import PanelRequest, Region, Sampling

    return PanelRequest(
        weights=checkpoint.fingerprint,
        width=panel.width,
        height=panel.height,
        prompt=panel.prompt,
        negative=panel.negative,
        regions=tuple(Region(box=figure.box, prompt=figure.prompt) for figure in panel.figures),
        seed=panel.seed,
        sampling=Sampling(steps=STEPS, guidance=guidance),
    )


def importance_for(
    source: Path, story: Path, folder: Path, *, panels: int, device: str, say: Callable[[str], None]
) -> Path:
    """How much each column matters where this story's panels are drawn, or what was gathered of them before.

    Args:
        folder: where the file goes; its name says of which story and weights it is.
    Raises:
        ConfigError: the source is no Flux checkpoint that draws.
        StoryError: the story is wrong.
    """
    from quantization.imatrix import gather, write_importance

    drawer = Drawer(source, device, panels, story)
    job = hashlib.sha256(story.read_bytes())
    job.update(f"{drawer.checkpoint.fingerprint} {len(drawer.requests)}".encode())
    file = folder / f"{story.stem}-{job.hexdigest()[:8]}.imatrix.safetensors"
    if file.is_file():
        say(f"{file}: gathered before")
        return file
    with gather(drawer.renderer.parts.transformer) as found:
        drawer.draw(None)
    write_importance(file, found)
    say(f"{file}: what {len(drawer.requests)} panels of {story.name} fed {len(found)} layers")
    return file

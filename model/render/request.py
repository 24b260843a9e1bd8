"""What is asked of the renderer: one panel as a value, and the key that names its pixels.

A panel is a pure function of its request: whatever decides the pixels stands here, and
its sha256 is the panel's key. Pure; knows nothing of torch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from model.files import NO_BLOB, BlobId
from model.geometry import Box

# Raise this when a change of the code changes the pixels of an unchanged request.
RENDERING = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One character's place.

    Attributes:
        box: where it stands, fractions of the panel; a later region lies over an earlier one.
        prompt: what it looks like and does; empty = no prompt of its own.
        reference: the reference picture, or empty.
    """

    box: Box
    prompt: str
    reference: BlobId = NO_BLOB


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the sampler runs, and how much references weigh.

    Attributes:
        steps: denoising steps.
        guidance: classifier-free guidance scale; 1 = off (one pass a step instead of two).
        scheduler: flow_match, euler, ddim, dpm or restart.
        refine_steps: how many of the last steps follow the global prompt alone.
        max_sequence_length: tokens kept of the global prompt.
        reference_scale: how strongly references act: 1 = as trained, 0 = not at all, bit for bit.
        masked: obey the block mask; off, every region's tokens speak to the whole picture (for measurements).
    """

    steps: int
    guidance: float
    scheduler: str = "flow_match"
    refine_steps: int = 0
    max_sequence_length: int = 512
    masked: bool = True
    reference_scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A panel whose palette this one leans towards, outside its characters' boxes.

    Attributes:
        picture: the other panel's.
        weight: 0 = not at all, 1 = as far as it goes.
    """

    picture: BlobId
    weight: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrawn:
    """A picture that a drawing starts from, in place of noise alone.

    Attributes:
        picture: of the request's size.
        strength: how much noise is added to it: 0 would leave it as it is, 1 is as good as none of it.
        mask: a grey picture of the same size: white is drawn again, black stays to the bit, grey is the soft
            edge between; empty = the whole picture is drawn again.
    """

    picture: BlobId
    strength: float
    mask: BlobId = NO_BLOB


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """Small heads are drawn once more at the model's own size, after the panel.

    Attributes:
        strength: how much noise is added to them.
        prompt: the global prompt for one head with its surroundings.
        finder: id of the networks that find the heads and say which drawing of one is better.
    """

    strength: float
    prompt: str
    finder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Part of a finished picture is drawn again; the rest stays to the bit.

    Attributes:
        picture: that is repaired.
        mask: a grey picture of the panel's size: white is drawn again, grey is the soft edge.
        strength: how much noise is added to that part.
        prompt: the global prompt for the part with its surroundings.
        region: the character in it, with its box in the panel; None: nobody.
    """

    picture: BlobId
    mask: BlobId
    strength: float
    prompt: str
    region: Region | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelRequest:
    """Everything that decides the pixels of one panel.

    Attributes:
        weights: the checkpoint's fingerprint.
        width, height: pixels to draw.
        prompt, negative: the global prompt and what to stay away from.
        background: what is to be seen where no region is, where it can be told; empty = the prompt.
        regions: the characters, back to front.
        seed: of the initial noise.
        style: a weak style reference, or none.
        redrawn: the picture that it starts from, or none.
        detail: how small heads are drawn once more; renderers know nothing of it.
        repair: the part of a picture that is drawn again; renderers know nothing of it.
    """

    weights: str
    width: int
    height: int
    prompt: str
    negative: str
    regions: tuple[Region, ...]
    seed: int
    sampling: Sampling
    style: Style | None = None
    background: str = ""
    redrawn: Redrawn | None = None
    detail: Detail | None = None
    repair: Repair | None = None

    @property
    def key(self) -> str:
        """Hex sha256 of the request in canonical JSON."""
        return hashlib.sha256(canonical(self).encode()).hexdigest()

    @property
    def looks(self) -> frozenset[str]:
        """Everybody in the panel, by reference; by words where there is none."""
        return frozenset(region.reference or region.prompt for region in self.regions)


def canonical(request: PanelRequest) -> str:
    """The request as JSON with sorted keys, stable over runs and machines."""
    facts = {"rendering": RENDERING, **asdict(request)}
    # Keys of panels without these are older than they are.
    for name in ("style", "background", "redrawn", "detail", "repair"):
        if not facts[name]:
            del facts[name]
    if request.sampling.reference_scale == 1.0:
        del facts["sampling"]["reference_scale"]
    return json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

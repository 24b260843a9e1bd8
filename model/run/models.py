"""The networks of a run: loaded when first needed, then kept for every story and panel that follows."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.config import Settings
from model.errors import IntegrityError, WeightsMissing
from model.events import Events
from model.files import BlobId, sha256_of
from model.memory.characters.database import Characters
from model.memory.store.library import Library
from model.pictures import stored_picture
from model.render.digests import digests
from model.render.places import find_part
from model.render.request import PanelRequest
from model.render.weights import STARTER, Checkpoint, open_checkpoint
from model.run.fit import machine_of, plan_line, plans_of
from model.run.settle import checkpoint_of
from model.variants import MEASURING_PARTS

if TYPE_CHECKING:
    import torch

    from model.render.offload import Draws, PlannedRenderer
    from model.render.upscale import Upscaler
    from model.vision.clip import ImageEncoder
    from model.vision.detect import Detector
    from model.vision.heads import Heads
    from model.vision.segment import Segmenter
    from quantization.plans import MemoryPlan

_BORROWED_CLIP = (
    "{} brings no CLIP: pictures are compared by the starter's, which knows drawn figures only; "
    "a better one: python run.py download clip"
)
_NO_DETECTOR = (
    "{} brings no detector: its panels are not checked for characters; "
    "one that does: python run.py download grounding-dino sam"
)
_CLIP_WEIGHTS = ("model.safetensors", "open_clip_model.safetensors")


class Models:
    """What `settings` names, on the device it names. Making one loads nothing.

    Args:
        events: where loading is reported to.
    """

    def __init__(self, settings: Settings, library: Library, events: Events) -> None:
        self.events = events
        self._settings, self._library = settings, library
        self._embeddings: dict[str, NDArray[np.float32]] = {}
        self._prefetched: list[PanelRequest] = []

    @functools.cached_property
    def checkpoint(self) -> Checkpoint:
        """What is drawn with. Weights that came without a manifest are read once, for their fingerprint."""
        return checkpoint_of(self._settings, say=lambda line: self.events.note(line))

    @functools.cached_property
    def renderer(self) -> PlannedRenderer:
        """The renderer of the checkpoint's family, kept to a memory plan; loading it takes seconds."""
        with self.events.stage("load"):
            from model.render.devices import compute_dtype
            from model.render.offload import PlannedRenderer

            machine = machine_of(self._settings.device)
            dtype = compute_dtype(machine.kind, self.checkpoint.variant)
            plans = plans_of(self._settings, self.checkpoint, machine)
            self.events.note(plan_line(plans[0], machine, self.checkpoint.name))
            planned = PlannedRenderer(
                plans,
                lambda plan: _renderer(
                    self.checkpoint,
                    load_reference=self._library.load,
                    device=machine.kind,
                    dtype=dtype,
                    plan=plan,
                ),
                lambda line: self.events.note(line),
            )
            planned.prefetch(self._prefetched)
            planned.load()
            return planned

    def prefetch(self, requests: Iterable[PanelRequest]) -> None:
        """These panels will be drawn: their prompts are encoded in one go, later; loads nothing."""
        asked = list(requests)
        heads = [replace(one, prompt=one.detail.prompt, background="") for one in asked if one.detail]
        requests = [*asked, *heads]
        if "renderer" in self.__dict__:
            self.renderer.prefetch(requests)
        else:
            self._prefetched += requests

    @property
    def memory(self) -> dict[str, Any]:
        """By which memory plan was drawn, and which were given up; empty when nothing was drawn."""
        return self.renderer.record if "renderer" in self.__dict__ else {}

    @functools.cached_property
    def encoder(self) -> ImageEncoder:
        """The checkpoint's CLIP; see `_clip` for those that bring none."""
        with self.events.stage("load"):
            from model.vision.clip import ImageEncoder

            folder = self._clip
            if folder.parent == STARTER and self.checkpoint.folder != STARTER:
                self.events.note(_BORROWED_CLIP.format(self.checkpoint.name))
            brings_words = folder.parent if (folder.parent / "tokenizer").is_dir() else folder
            return ImageEncoder(folder, tokenizer=brings_words / "tokenizer")

    @property
    def space(self) -> str:
        """The id of `encoder`'s space, from the manifest: loads nothing."""
        files = self._clip_files
        named = [files.get(f"clip/{name}", "")[:16] for name in _CLIP_WEIGHTS]
        return next(filter(None, named), "") or self.encoder.space

    @functools.cached_property
    def _clip(self) -> Path:
        """The image encoder: the checkpoint's own, else one from the hub's cache, else the starter's."""
        own = self.checkpoint.folder / "clip"
        if own.is_dir():
            return own
        return find_part(MEASURING_PARTS["clip"]) or STARTER / "clip"

    @functools.cached_property
    def _clip_files(self) -> Mapping[str, str]:
        """The sha256 of the image encoder's files, from manifests where there are some."""
        for folder, files in (
            (self.checkpoint.folder, self.checkpoint.files),
            (STARTER, open_checkpoint().files),
        ):
            known = {name: sha256 for name, sha256 in files.items() if name.startswith("clip/")}
            if known and self._clip == folder / "clip":
                return known
        return digests({f"clip/{path.name}": path for path in _files_of(self._clip)})

    @functools.cached_property
    def detector(self) -> Detector | None:
        """What finds characters; None when the settings say none, or the checkpoint brings none."""
        source = self._weights_of("detector")
        if source is None:
            if self._settings.detector == "auto" and not self.checkpoint.manifest:
                self.events.note(_NO_DETECTOR.format(self.checkpoint.name))
            return None
        with self.events.stage("load"):
            from model.vision.detect import open_detector

            return open_detector(source)

    @functools.cached_property
    def segmenter(self) -> Segmenter | None:
        """What cuts characters out; None as for the detector."""
        source = self._weights_of("segmenter")
        if source is None:
            return None
        with self.events.stage("load"):
            from model.vision.segment import open_segmenter

            return open_segmenter(source, run_scripts=self._settings.allow_torchscript)

    @property
    def finds_heads(self) -> bool:
        """Whether `heads` is anything; loads nothing."""
        return (self.checkpoint.folder / "face").is_dir() or self._weights_of("detector") is not None

    @functools.cached_property
    def heads(self) -> Heads | None:
        """What finds heads: the checkpoint's own networks, which score them too, else its detector; None when
        there is no detector. `--face_scorer` scores in their place."""
        from model.vision.heads import DetectedHeads, ScoredHeads, open_scorer

        found: Heads | None = None
        if (self.checkpoint.folder / "face").is_dir():
            with self.events.stage("load"):
                from model.vision.faces import FaceJudge

                found = FaceJudge(self.checkpoint.folder / "face")
        elif self.detector is not None:
            found = DetectedHeads(self.detector)
        scorer = self._settings.face_scorer
        return ScoredHeads(found, open_scorer(scorer), scorer) if found is not None and scorer else found

    @functools.cached_property
    def measurer_id(self) -> str:
        """An id of detector, segmenter, encoder and face judge together, by their files; loads none of
        them."""
        own = list(self._clip_files.items())
        for kind in ("detector", "segmenter"):
            source = self._weights_of(kind)
            if source is None:
                own.append((kind, "none"))
            elif source == self.checkpoint.folder / kind and self.checkpoint.manifest:
                files = self.checkpoint.files.items()
                own += [(name, sha256) for name, sha256 in files if name.startswith(f"{kind}/")]
            else:
                own += [(kind, sha256_of(path)) for path in _files_of(source)]
        own += [(name, one) for name, one in self.checkpoint.files.items() if name.startswith("face/")]
        if self._settings.face_scorer:
            own.append(("face_scorer", self._settings.face_scorer))
        return hashlib.sha256(repr(own).encode()).hexdigest()[:16]

    @functools.cached_property
    def upscaler(self) -> Upscaler:
        """What enlarges accepted panels; not to be asked for when the settings say none."""
        with self.events.stage("load"):
            from model.render.devices import pick_device
            from model.render.upscale import open_upscaler

            return open_upscaler(self._upscaler_file, device=pick_device(self._settings.device))

    @functools.cached_property
    def upscaler_sha256(self) -> str:
        """Of the upscaler's weights, which are not loaded; empty: no upscaler is to be used."""
        if self._settings.upscaler == "none":
            return ""
        if not self._upscaler_file.is_file():
            raise WeightsMissing(
                f"{self._upscaler_file}: no such file; restore it, or give --upscaler another one or none"
            )
        found = sha256_of(self._upscaler_file)
        if self._settings.upscaler == "starter":
            expected = open_checkpoint(STARTER).files.get("upscaler/model.safetensors", "")
            if found != expected:
                raise IntegrityError(
                    f"{self._upscaler_file}: sha256 {found[:12]}…, expected {expected[:12]}…; "
                    "restore the file and run again, or give --upscaler another one or none"
                )
        return found

    @property
    def _upscaler_file(self) -> Path:
        asked = self._settings.upscaler
        return STARTER / "upscaler" / "model.safetensors" if asked == "starter" else Path(asked)

    def _weights_of(self, kind: str) -> Path | None:
        """Where the detector or segmenter of the settings is; None: there is to be none."""
        asked: str = getattr(self._settings, kind)
        if asked == "none":
            return None
        if asked != "auto":
            return Path(asked)
        own = self.checkpoint.folder / kind
        if own.is_dir():
            return own
        if self.checkpoint.manifest:
            return None
        return find_part(MEASURING_PARTS[kind])

    def reference_embedding(self, picture: BlobId) -> NDArray[np.float32]:
        """(d,) unit vector of a reference picture in the library, by sha256; encoded once."""
        if picture not in self._embeddings:
            opened = stored_picture(self._library.load(picture))
            self._embeddings[picture] = self.encoder.encode_images([opened])[0]
        return self._embeddings[picture]

    def further_pictures(self, picture: BlobId) -> tuple[BlobId, ...]:
        """The further pictures of a reference: they say who it is, and are not drawn with."""
        return Characters(self._library).further_pictures(picture)


def _renderer(
    checkpoint: Checkpoint,
    *,
    load_reference: Callable[[BlobId], bytes],
    device: str,
    dtype: torch.dtype,
    plan: MemoryPlan,
) -> Draws:
    if checkpoint.variant.family == "flux":
        from model.render.flux.renderer import FluxRenderer

        return FluxRenderer(checkpoint, load_reference=load_reference, device=device, dtype=dtype, plan=plan)
    from model.render.sd.renderer import SDRenderer

    return SDRenderer(checkpoint, load_reference=load_reference, device=device, dtype=dtype, plan=plan)


def _files_of(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    return sorted(path for path in source.rglob("*") if path.is_file())

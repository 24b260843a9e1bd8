"""The models of a run: loaded when first needed, then kept for every story and panel that follows."""

from __future__ import annotations

import functools
import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.config import PRESETS, Settings
from model.errors import IntegrityError, WeightsMissing
from model.execution.progress import Reporter
from model.files import sha256_of
from model.memory.characters import Characters
from model.memory.library import Library
from model.render.weights import STARTER, Checkpoint, open_checkpoint

if TYPE_CHECKING:
    from model.render.flux import FluxRenderer
    from model.render.upscale import Upscaler
    from model.vision.clip import ImageEncoder
    from model.vision.detect import Detector
    from model.vision.segment import Segmenter

# As the encoder looks for them.
_CLIP_WEIGHTS = ("model.safetensors", "open_clip_model.safetensors")


def checkpoint_of(settings: Settings) -> Checkpoint:
    """The checkpoint that `settings.model` names; reads its manifest only.

    Raises:
        WeightsMissing, IntegrityError: see `open_checkpoint`.
    """
    return open_checkpoint() if settings.model in PRESETS else open_checkpoint(Path(settings.model))


class Resident:
    """What `settings` names, on the device it names. Making one loads nothing."""

    def __init__(self, settings: Settings, library: Library, reporter: Reporter) -> None:
        self.checkpoint: Checkpoint = checkpoint_of(settings)
        self._settings, self._library, self._reporter = settings, library, reporter
        self._embeddings: dict[str, NDArray[np.float32]] = {}

    @functools.cached_property
    def renderer(self) -> FluxRenderer:
        """The renderer; loading it takes seconds."""
        with self._reporter.timed("load"):
            from model.render.devices import pick_device
            from model.render.flux import FluxRenderer

            device = pick_device(self._settings.device)
            self._reporter.say(f"{self.checkpoint.name} on {device}: loading")
            return FluxRenderer(self.checkpoint, load_reference=self._library.load, device=device)

    @functools.cached_property
    def encoder(self) -> ImageEncoder:
        """The checkpoint's CLIP."""
        with self._reporter.timed("load"):
            from model.vision.clip import ImageEncoder

            return ImageEncoder(
                self.checkpoint.folder / "clip", tokenizer=self.checkpoint.folder / "tokenizer"
            )

    @property
    def space(self) -> str:
        """The id of `encoder`'s space, from the manifest: loads nothing."""
        named = [self.checkpoint.files.get(f"clip/{name}", "")[:16] for name in _CLIP_WEIGHTS]
        return next(filter(None, named), "") or self.encoder.space

    @functools.cached_property
    def detector(self) -> Detector | None:
        """What finds characters; None when the settings say none, or the checkpoint brings none."""
        source = self._eye("detector")
        if source is None:
            return None
        with self._reporter.timed("load"):
            from model.vision.detect import open_detector

            return open_detector(source)

    @functools.cached_property
    def segmenter(self) -> Segmenter | None:
        """What cuts characters out; None as for the detector."""
        source = self._eye("segmenter")
        if source is None:
            return None
        with self._reporter.timed("load"):
            from model.vision.segment import open_segmenter

            return open_segmenter(source)

    @functools.cached_property
    def eyes(self) -> str:
        """A name for detector, segmenter and encoder together, by their files; loads none of them."""
        own = [(name, sha256) for name, sha256 in self.checkpoint.files.items() if name.startswith("clip/")]
        for kind in ("detector", "segmenter"):
            source = self._eye(kind)
            if source is None:
                own.append((kind, "none"))
            elif source == self.checkpoint.folder / kind:
                files = self.checkpoint.files.items()
                own += [(name, sha256) for name, sha256 in files if name.startswith(f"{kind}/")]
            else:
                own += [(kind, sha256_of(path)) for path in _files_of(source)]
        return hashlib.sha256(repr(own).encode()).hexdigest()[:16]

    @functools.cached_property
    def upscaler(self) -> Upscaler:
        """What enlarges accepted panels; not to be asked for when the settings say none."""
        with self._reporter.timed("load"):
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

    def _eye(self, kind: str) -> Path | None:
        """Where the detector or segmenter of the settings is; None: there is to be none."""
        asked: str = getattr(self._settings, kind)
        if asked == "none":
            return None
        if asked != "auto":
            return Path(asked)
        own = self.checkpoint.folder / kind
        return own if own.is_dir() else None

    def reference_embedding(self, picture: str) -> NDArray[np.float32]:
        """(d,) unit vector of a reference picture in the library, by sha256; encoded once."""
        if picture not in self._embeddings:
            with Image.open(io.BytesIO(self._library.load(picture))) as opened:
                self._embeddings[picture] = self.encoder.encode_images([opened])[0]
        return self._embeddings[picture]

    def beside(self, picture: str) -> tuple[str, ...]:
        """The further pictures of a reference, by sha256: they say who it is, and are not drawn with."""
        return Characters(self._library).beside(picture)


def _files_of(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    return sorted(path for path in source.rglob("*") if path.is_file())

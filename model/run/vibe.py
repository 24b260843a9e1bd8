"""The vibe memory with its image encoder: memory/ and vision/ joined, for runs, the command line and Python.

    from model.vibes import get_vibe_memory
    vibe = get_vibe_memory()
    vibe.add_like("good.png", category="portraits", weight=1.5)
    vibe.score("new.png")

In: the environment. VIBE_MEMORY_PATH names the file (default: outputs/vibe_memory.json). CLIP_MODEL_NAME
names the encoder: a folder, or a model below models/ (`ViT-B/32` lies in models/ViT-B-32). Without it that
is ViT-B/32 where it is on this machine, else the starter's own. Out: one `VibeMemory` a file, which loads its
encoder when the first picture is looked at.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import AutoStudioError, WeightsMissing
from model.memory.vibe.entries import GENERAL
from model.memory.vibe.exchange import profile_path
from model.memory.vibe.memory import VibeMemory as _VibeMemory
from model.memory.vibe.settings import VibeSettings
from model.pictures import stored_picture
from model.render.weights import STARTER, open_checkpoint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model.memory.vibe.encoding import Encoder
    from model.run.models import Models

_log = logging.getLogger(__name__)

DEFAULT_PATH = Path("outputs/vibe_memory.json")
DEFAULT_CLIP = "ViT-B/32"
MODELS = Path("models")


class VibeMemory(_VibeMemory):
    """The vibe memory of a file, with the encoder that the environment names.

    Args:
        memory_path: default: what VIBE_MEMORY_PATH says.
        encoder: another encoder than the environment's, or a call that loads it.
    """

    encoder_is_the_runs = False

    def __init__(
        self,
        memory_path: str | Path | None = None,
        encoder: Encoder | Callable[[], Encoder] | None = None,
        *,
        settings: VibeSettings | None = None,
        keep_pictures: bool = True,
    ) -> None:
        super().__init__(
            vibe_path() if memory_path is None else memory_path,
            default_encoder if encoder is None else encoder,
            settings=settings,
            encoder_name=encoder_name() if encoder is None else "",
            keep_pictures=keep_pictures,
        )

    @property
    def sees_panels(self) -> bool:
        """Whether panels can be scored; where they cannot, every panel is neutral, which is said once."""
        return self.encoder_is_the_runs or self.eye.available()

    def place_of(self, embedding: NDArray[np.float32], load: Callable[[], bytes]) -> NDArray[np.float32]:
        """A picture's vector in this memory's space, when it has one in the run's.

        Args:
            embedding: (d,) in the space of the run's encoder.
            load: the picture itself, looked at only if the environment names another encoder.
        """
        if self.encoder_is_the_runs:
            return embedding
        return self.embed(stored_picture(load()))


def vibe_of_run(models: Models) -> VibeMemory:
    """The environment's vibe memory, which shares the run's own encoder if it is the same.

    Raises:
        IntegrityError, StorageError: its file cannot be read; said now rather than after an hour of drawing.
    """
    shared = encoder_name() == "starter" and models.checkpoint.folder == STARTER
    memory = VibeMemory(encoder=(lambda: models.encoder) if shared else None)
    memory.encoder_is_the_runs = shared
    _ = memory.memories
    return memory


def vibe_path(profile: str | None = None) -> Path:
    """The file that VIBE_MEMORY_PATH names, or a profile's, in vibe_profiles/ beside it.

    Raises:
        ConfigError: the profile's name is none.
    """
    default = Path(os.environ.get("VIBE_MEMORY_PATH", "").strip() or DEFAULT_PATH)
    return default if profile is None else profile_path(default, profile)


def get_vibe_memory(profile: str | None = None) -> VibeMemory:
    """The vibe memory of the environment's file, or of a profile; the same object for the same file."""
    return _opened(vibe_path(profile), encoder_name())


def is_vibe_memory_enabled(run: object) -> bool:
    """Whether a run filters by the vibe: its `vibe_memory_enabled`, or that it has a `vibe_threshold`."""
    enabled = getattr(run, "vibe_memory_enabled", None)
    return getattr(run, "vibe_threshold", None) is not None if enabled is None else bool(enabled)


def add_like_from_image_path(path: str | Path, category: str = GENERAL, weight: float = 1.0) -> bool:
    """Remember that the picture at this path is liked; False, with a line in the log, if it cannot be."""
    return _added(path, category, weight, liked=True)


def add_dislike_from_image_path(path: str | Path, category: str = GENERAL, weight: float = 1.0) -> bool:
    """The same for a disliked one."""
    return _added(path, category, weight, liked=False)


def get_memory_stats() -> dict[str, int | bool]:
    """How many likes and dislikes there are, and whether pictures can be looked at."""
    memory = get_vibe_memory()
    statistics = memory.get_statistics()
    return {
        "liked": statistics["liked"],
        "disliked": statistics["disliked"],
        "available": memory.eye.available(),
    }


def clear_memory() -> int:
    """Forget everything; returns how many memories."""
    return get_vibe_memory().clear()


def encoder_name() -> str:
    """What CLIP_MODEL_NAME says, or what stands in for it."""
    name = os.environ.get("CLIP_MODEL_NAME", "").strip()
    return name or (DEFAULT_CLIP if _folder_of(DEFAULT_CLIP).is_dir() else "starter")


def default_encoder() -> Encoder:
    """The encoder that CLIP_MODEL_NAME names, loaded once.

    Raises:
        WeightsMissing: it is not on this machine.
        IntegrityError: it is not what it should be.
    """
    return _loaded(encoder_name())


def starter_encoder() -> Encoder:
    """The starter's own, loaded once.

    Raises:
        WeightsMissing, IntegrityError: it is not there, or not what it should be.
    """
    return _loaded("starter")


@functools.cache
def _loaded(name: str) -> Encoder:
    from model.vision.clip import ImageEncoder

    if name == "starter":
        folder = open_checkpoint().folder
        return ImageEncoder(folder / "clip", tokenizer=folder / "tokenizer")
    folder = Path(name) if Path(name).is_dir() else _folder_of(name)
    if not folder.is_dir():
        raise WeightsMissing(
            f"CLIP_MODEL_NAME: no encoder '{name}' on this machine; expected open_clip files at {folder}; "
            "put them there, name another folder, or unset it to use the starter's"
        )
    return ImageEncoder(folder)


@functools.cache
def _opened(path: Path, encoder: str) -> VibeMemory:
    return VibeMemory(path)


def _folder_of(name: str) -> Path:
    return MODELS / name.replace("/", "-")


def _added(path: str | Path, category: str, weight: float, *, liked: bool) -> bool:
    memory = get_vibe_memory()
    add = memory.add_like if liked else memory.add_dislike
    try:
        add(path, category, weight)
    except AutoStudioError as error:
        _log.warning("not remembered: %s", error)
        return False
    return True

"""Where weights lie on this machine: folders in diffusers' layout, single files, the cache of the hub.

In: a place that somebody named, or a part of the variants' table. Out: paths that exist. Nothing is fetched
and no tensor is read; the cache's layout is that of huggingface_hub, whose variables (HF_HUB_CACHE, HF_HOME)
it obeys. Knows nothing of what the files are for.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model.errors import IntegrityError, WeightsMissing
from model.variants import Part

# What a folder's weights may be called, the likelier name first; `.fp16` files are halves of the same.
_STEMS = ("diffusion_pytorch_model", "model")
_KINDS = ("", ".fp16", ".bf16")
# Beside weights these decide what is drawn: configs, vocabularies, merges.
_WORDS = (".json", ".txt", ".model")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def hub_cache() -> Path:
    """The folder in which huggingface_hub keeps what it fetched."""
    if said := os.environ.get("HF_HUB_CACHE", "").strip():
        return Path(said).expanduser()
    caches = Path(os.environ.get("XDG_CACHE_HOME", "").strip() or "~/.cache")
    home = os.environ.get("HF_HOME", "").strip() or caches / "huggingface"
    return Path(home).expanduser() / "hub"


def is_hub_name(place: str) -> bool:
    """Whether `place` has the form ORG/NAME and is no path that exists."""
    return _HUB_NAME.fullmatch(place) is not None and not Path(place).exists()


def snapshot(repository: str) -> Path | None:
    """The newest state of a repository in the cache; None when there is none."""
    folder = hub_cache() / f"models--{repository.replace('/', '--')}"
    try:
        named = folder / "snapshots" / (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        named = None
    if named is not None and named.is_dir():
        return named
    others = sorted(folder.glob("snapshots/*"), key=lambda path: path.stat().st_mtime)
    return others[-1] if others else None


def find_part(part: Part, beside: Path | None = None) -> Path | None:
    """Where a part is: in a folder that somebody named, else in the cache; None: nowhere."""
    own = find_beside(part, beside) if beside is not None else None
    found = snapshot(part.repository) if own is None else None
    return find_beside(part, found) if found is not None else own


def find_beside(part: Part, folder: Path) -> Path | None:
    """The part in one folder: where its makers have it, or where a person would put its file."""
    path = Path(part.path)
    loose = (Path(part.name) / path.name, Path(path.name)) if path.suffix else ()
    for place in (path, *loose, Path(part.file)):
        if (place.name or place == path) and (folder / place).exists():
            return folder / place
    return None


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files that hold the weights of one component, shards in order; empty when it has none.

    Raises:
        WeightsMissing: a shard that the index names is not there, or the weights are pickles.
        IntegrityError: the index is not one.
    """
    for stem in _STEMS:
        for kind in _KINDS:
            for index in (f"{stem}.safetensors.index{kind}.json", f"{stem}{kind}.safetensors.index.json"):
                if (folder / index).is_file():
                    return _shards(folder / index)
            if (whole := folder / f"{stem}{kind}.safetensors").is_file():
                return (whole,)
    if gguf := sorted(folder.glob("*.gguf")):
        return (gguf[0],)
    if pickles := sorted([*folder.glob("*.bin"), *folder.glob("*.ckpt"), *folder.glob("*.pt")]):
        raise WeightsMissing(
            f"{pickles[0]}: a pickle can run any code, so it is not read; fetch the safetensors version"
        )
    return ()


def stored_as(files: tuple[Path, ...]) -> dict[str, Any]:
    """How diffusers and transformers are to be told which of a folder's files were found."""
    name = files[0].name if files else ""
    half = re.search(r"\.(fp16|bf16)[.-]", name)
    return {"variant": half[1] if half else None, "use_safetensors": True}


def _shards(index: Path) -> tuple[Path, ...]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"{index}: not an index of shards ({error!r}); fetch it again") from error
    for name in names:
        if not (index.parent / name).is_file():
            raise WeightsMissing(
                f"{index.parent / name}: missing, {index.name} names {len(names)} shards; fetch the rest"
            )
    return tuple(index.parent / name for name in names)


def drawing_files(name: str, path: Path) -> Iterator[tuple[str, Path]]:
    """What of one part decides what is drawn: labels that are the same in every folder, and the files."""
    if path.is_file():
        yield f"{name}/{path.name}", path
        return
    words = [one for one in path.iterdir() if one.suffix in _WORDS and ".index." not in one.name]
    for one in sorted([*words, *weight_files(path)]):
        yield f"{name}/{one.name}", one

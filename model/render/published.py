"""Checkpoints as others publish them: without our manifest, described by their own config files.

In: a folder in diffusers' layout, a single safetensors or GGUF file, a name of the hub, or a row of the
table alone. Out: a `Checkpoint` whose parts are paths on this machine. Headers and configs are read, tensors
never; nothing is fetched. Knows nothing of torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from model.errors import ConfigError, IntegrityError, WeightsMissing
from model.render.digests import digests
from model.render.headers import tensor_names
from model.render.places import (
    drawing_files,
    find_beside,
    find_part,
    hub_cache,
    is_hub_name,
    snapshot,
    weight_files,
)
from model.render.weights import Checkpoint, fingerprint_of
from model.variants import VARIANTS, Part, Variant

# Width to height of the panels that a checkpoint without a list of its own is asked for.
_ASPECTS = ((1, 1), (9, 7), (7, 9), (5, 3), (3, 5), (2, 1), (1, 2))
# What a single file of Stable Diffusion holds; the rest is vocabularies and settings.
_IN_SINGLE_FILE = ("unet", "vae", "text_encoder", "text_encoder_2")
_WHOLE = "single_file"
_WITHOUT_WEIGHTS = ("tokenizer", "tokenizer_2", "scheduler", "feature_extractor")


def place_of(model: str) -> Path:
    """The folder or file that `--model` names, when it is no name of the table.

    Raises:
        WeightsMissing: it is a name of the hub that was not downloaded.
        ConfigError: it is nothing.
    """
    path = Path(model).expanduser()
    if path.exists():
        return path
    if not is_hub_name(model):
        raise ConfigError(f"--model: '{model}' is no known model, and there is no such file or folder")
    found = snapshot(model)
    if found is None:
        row = next((row.name for row in VARIANTS.values() if row.repository == model), "")
        advice = f"python run.py download {row}" if row else f"hf download {model}"
        raise WeightsMissing(f"--model: {model} is not in {hub_cache()}; fetch it: {advice}")
    return found


def recognise(place: Path, model_variant: str = "") -> str:
    """The row of the table that a folder or file is.

    Args:
        model_variant: dev, schnell, kontext or plus, where the files cannot say, or another than they say.
    Raises:
        ConfigError: it is no model that is known here, or not of that variant.
        IntegrityError: a config or header is damaged.
    """
    row = _row_of_folder(place) if place.is_dir() else _row_of_file(place)
    if row is None:
        raise ConfigError(
            f"--model: {place} is none of the kinds that are known here (Flux, Stable Diffusion 1.5, SDXL); "
            "name a folder in diffusers' layout, or a safetensors or GGUF file of one of these"
        )
    if not model_variant:
        return row
    family = VARIANTS[row].family
    rows = [name for name, one in VARIANTS.items() if one.family == family and name != "starter"]
    for name in rows:
        if name in (model_variant, f"{family}-{model_variant}", f"{family}{model_variant}"):
            return name
    known = ", ".join(name.removeprefix(family).lstrip("-") or family for name in rows)
    raise ConfigError(f"--model_variant: {place} can be {known}, not '{model_variant}'")


def open_published(
    row: Variant,
    place: Path | None = None,
    *,
    instead: Mapping[str, Path] | None = None,
    without: Collection[str] = (),
    hashed: bool = True,
    say: Callable[[str], None] | None = None,
) -> Checkpoint:
    """A checkpoint as it lies on this machine.

    Args:
        place: a folder or file that holds it, or some of it; what is not there is taken from the hub's cache.
        instead: files or folders that take the place of parts, by their names, such as a GGUF transformer.
        without: parts whose weights may be missing, because others will take their place.
        hashed: its files are read for the fingerprint; not needed to plan.
        say: told before gigabytes are read.
    Raises:
        WeightsMissing: a part is not on this machine; the message names the command that fetches it.
        IntegrityError: a config is damaged, or a file is not what its name in the cache says.
    """
    single = place if place is not None and place.is_file() else None
    beside = place.parent if single is not None and place is not None else place
    found = {part.name: find_part(part, beside) for part in row.parts}
    replaced = dict(instead or {})
    if single is not None:
        replaced.setdefault("transformer" if row.family == "flux" else _WHOLE, single)
    config = (found.get("transformer") or Path()) / "config.json"
    if "transformer" in replaced and config.is_file():
        replaced["transformer_config"] = config
    inside = (*without, *(_IN_SINGLE_FILE if _WHOLE in replaced else ()))
    for part in row.parts:
        path = replaced.get(part.name, found[part.name])
        try:
            missing = part.name not in inside and (path is None or _hollow(part, path))
        except WeightsMissing as error:
            raise WeightsMissing(f"{error}: python run.py download {row.name}") from error
        if missing:
            raise _missing(part, row, place)
    parts = {name: path for name, path in {**found, **replaced}.items() if path is not None}
    files = {label: path for name, path in parts.items() for label, path in drawing_files(name, path)}
    known = digests(files, say=say) if hashed else {}
    return replace(
        outline(row, parts),
        name=row.name if place is None else str(place),
        folder=beside or parts[row.parts[0].name].parent,
        fingerprint=fingerprint_of(known) if known else "",
        files=known,
    )


def outline(row: Variant, parts: Mapping[str, Path] | None = None) -> Checkpoint:
    """What can be drawn with a row of the table: enough to plan, nothing to draw with.

    Args:
        parts: where its components are; what their configs say goes before what the table says.
    """
    here = parts or {}
    side, factor = _size(here, row)
    return Checkpoint(
        name=row.name,
        folder=Path(),
        fingerprint="",
        files={},
        shapes=tuple(dict.fromkeys(_shape(side, aspect, row.multiple) for aspect in _ASPECTS)),
        cell=factor * 2 if row.family == "flux" else factor,
        reference=_reference(here, row, side),
        global_tokens=row.global_tokens,
        region_tokens=row.region_tokens,
        words=None,
        variant=row,
        parts=here,
        manifest=False,
    )


def is_here(row: Variant) -> bool:
    """Whether every part of a row is in the hub's cache, whole."""
    try:
        found = [(part, find_part(part)) for part in row.parts]
        return all(path is not None and not _hollow(part, path) for part, path in found)
    except (WeightsMissing, IntegrityError):
        return False


def _hollow(part: Part, path: Path) -> bool:
    """Whether a folder lacks the weights that it is there for."""
    return path.is_dir() and part.name not in _WITHOUT_WEIGHTS and not weight_files(path)


def _missing(part: Part, row: Variant, place: Path | None) -> WeightsMissing:
    where = f"neither in {place} nor in {hub_cache()}" if place is not None else f"not in {hub_cache()}"
    return WeightsMissing(
        f"{row.name}: {part.name} ({part.repository}: {part.path}) is {where}; "
        f"fetch it: python run.py download {row.name}"
        + (", or name a quantized one with --gguf" if part.name == "transformer" else "")
    )


def _shape(side: int, aspect: tuple[int, int], multiple: int) -> tuple[int, int]:
    """A panel of about side² pixels, its sides multiples."""
    ratio = (aspect[0] / aspect[1]) ** 0.5
    width, height = (max(1, round(length / multiple)) * multiple for length in (side * ratio, side / ratio))
    return width, height


def _size(parts: Mapping[str, Path], row: Variant) -> tuple[int, int]:
    """Pixels of the square it was trained on, and of a latent's side."""
    vae = _config(parts.get("vae"))
    factor = 2 ** (len(vae.get("block_out_channels", (0,) * 4)) - 1)
    flux = row.family == "flux"
    trained = (vae if flux else _config(parts.get("unet"))).get("sample_size")
    if not isinstance(trained, int):
        return row.side, factor
    return (trained if flux else trained * factor), factor


def _reference(parts: Mapping[str, Path], row: Variant, side: int) -> int:
    """Pixels of the square that a reference is resized to: what its encoder takes, or a half of the panel."""
    config = _config(parts.get("image_encoder"))
    size = config.get("image_size", config.get("vision_config", {}).get("image_size"))
    return size if isinstance(size, int) else min(row.reference_side, max(row.multiple, side // 2))


def _config(folder: Path | None) -> dict[str, Any]:
    path = folder / "config.json" if folder is not None and folder.is_dir() else None
    return _json(path) if path is not None and path.is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path}: not JSON ({error}); fetch it again") from error
    if not isinstance(found, dict):
        raise IntegrityError(f"{path}: a JSON object expected; fetch it again")
    return found


def _row_of_folder(folder: Path) -> str | None:
    """By the pipeline's class, and by what the transformer or UNet says of itself."""
    index = folder / "model_index.json"
    pipeline = str(_json(index).get("_class_name", "")) if index.is_file() else ""
    if "Kontext" in pipeline:
        return "flux-kontext"
    transformer, unet = folder / "transformer", folder / "unet"
    if pipeline.startswith("Flux") or (not pipeline and transformer.is_dir()):
        return "flux-dev" if _config(transformer).get("guidance_embeds") else "flux-schnell"
    if not unet.is_dir():
        return None
    wide = "XL" in pipeline or (folder / "text_encoder_2").is_dir()
    return _plain_or_plus("sdxl" if wide else "sd15", folder)


def _plain_or_plus(row: str, folder: Path) -> str:
    """The kind of IP-Adapter that lies in the folder; the plain one where both or none do."""
    plain, plus = (
        any(find_beside(part, folder) for part in VARIANTS[name].parts if part.name == "ip_adapter")
        for name in (row, f"{row}plus")
    )
    return f"{row}plus" if plus and not plain else row


def _row_of_file(file: Path) -> str | None:
    names = tensor_names(file)
    if any("double_blocks." in name or ".context_embedder." in f".{name}" for name in names):
        if "kontext" in file.name.lower():
            return "flux-kontext"
        return "flux-dev" if any("guidance_" in name for name in names) else "flux-schnell"
    if any(name.startswith("conditioner.embedders.1.") for name in names):
        return "sdxl"
    if any(name.startswith("cond_stage_model.transformer.") for name in names):
        return "sd15"
    return None

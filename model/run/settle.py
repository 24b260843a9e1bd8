"""From flags to settings, and from settings to a checkpoint: the one way for every caller.

In: flags by their names, as typed or as Python keywords. Out: `Settings`, and the `Checkpoint` they stand
for. Manifests, configs and headers are read, weights are not. Loading them is left to `models.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from model.config import Settings
from model.flags import FLAGS, checked, resolve
from model.render.published import is_here, open_published, outline, place_of, recognise
from model.render.weights import Checkpoint, open_checkpoint, with_adapters
from model.run.fit import find_gguf, with_gguf
from model.variants import VARIANTS, Variant, variant_named


def settle(*, say: Callable[[str], None] = lambda line: None, **flags: Any) -> Settings:
    """Check flags and find what they mean on this machine.

    Args:
        say: gets the table of `--gguf`, and why a level was taken.
        flags: by the names of `model.flags.FLAGS`; None counts as not said. Without `model` that is Flux dev
            where it was downloaded, else the starter.
    Raises:
        ConfigError: a flag is unknown, out of range, or names nothing that exists.
        WeightsMissing: `model` is a name of the hub that was not downloaded.
        IntegrityError: a config or header is damaged.
    """
    said = checked(flags)
    row, model = _row_of(said.get("model"), said.get("model_variant", ""))
    settings = resolve(row, model, said)
    if asked := said.get("gguf"):
        # Where a level was fetched, the whole weights were not.
        bare = (
            checkpoint_of(settings)
            if row.name == "starter"
            else _published(settings, without=("transformer",), hashed=False)
        )
        file = find_gguf(asked, bare, batch=settings.batch, device=settings.device, say=say)
        settings = replace(settings, gguf=file)
    return settings


def flags_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that come to settings as `run.json` keeps them: what draws a finished book on.

    Args:
        config: field of `Settings` → value, as JSON. The book's folder is left to the caller.
    """
    said: dict[str, Any] = {}
    for flag in FLAGS:
        value = config.get(flag.field or flag.name)
        if value not in (None, "", []) and flag.name != "out":
            said[flag.name] = value
    if adapters := config.get("adapters"):
        said["lora"] = [f"{one['path']}:{one['weight']}" for one in adapters]
    if gguf := config.get("gguf"):
        said["gguf"] = gguf["path"]
    row = VARIANTS.get(str(config.get("variant")))
    if row is not None and row.model == config.get("model"):
        said["model_variant"] = row.model_variant
    said["detail"] = str(config.get("detail") or "off")
    return {name: value for name, value in said.items() if value != ""}


def _row_of(model: str | None, model_variant: str) -> tuple[Variant, str]:
    """The row of the table that `--model` is, and the model's name or place."""
    if model is None:
        model = "flux" if model_variant or is_here(VARIANTS["flux-dev"]) else "starter"
    row = variant_named(model, model_variant)
    if row is None:
        place = place_of(model)
        ours = place.is_dir() and (place / "manifest.json").is_file()
        row = VARIANTS["starter" if ours else recognise(place, model_variant)]
    return row, model


def checkpoint_of(
    settings: Settings, *, hashed: bool = True, say: Callable[[str], None] | None = None
) -> Checkpoint:
    """The checkpoint that `settings.model` names; reads manifests, configs and headers only.

    Args:
        hashed: weights that came without a manifest are read for their fingerprint, once; see `digests`.
        say: called before gigabytes are read.
    Raises:
        WeightsMissing, IntegrityError: see `open_checkpoint` and `open_published`.
    """
    file = settings.gguf.path if settings.gguf is not None else None
    if settings.variant == "starter":
        place = _place_of(settings)
        found = open_checkpoint() if place is None else open_checkpoint(place)
        if file is not None:
            found = with_gguf(found, file)
    else:
        instead = {"transformer": file} if file is not None else {}
        found = _published(settings, instead=instead, hashed=hashed, say=say)
    return with_adapters(found, settings.adapters)


def outline_of(settings: Settings) -> Checkpoint:
    """What `checkpoint_of` gives, as far as plans need it; where weights are not here, the table's row."""
    if settings.variant != "starter" and variant_named(settings.model) is not None:
        row = VARIANTS[settings.variant]
        return outline(row) if not is_here(row) else checkpoint_of(settings, hashed=False)
    return checkpoint_of(settings, hashed=False)


def _place_of(settings: Settings) -> Path | None:
    """The folder or file that the settings name; None: a name of the table."""
    return None if variant_named(settings.model) is not None else place_of(settings.model)


def _published(settings: Settings, **how: Any) -> Checkpoint:
    """A checkpoint without our manifest, under the name that was typed."""
    place = _place_of(settings)
    found = open_published(VARIANTS[settings.variant], place, **how)
    return found if place is None else replace(found, name=settings.model)

"""Which checkpoint the settings name: manifests, configs and headers are read, weights are not.

In: what was typed. Out: `Settings`, and the `Checkpoint` they stand for. Loading it is `resident.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from model.config import Settings, resolve, variant_named
from model.render.published import is_here, open_published, outline, place_of, recognise
from model.render.variants import VARIANTS
from model.render.weights import Checkpoint, open_checkpoint, with_adapters
from model.run.fit import settled, with_gguf


def settle(*, model: str | None = None, model_variant: str = "", **said: Any) -> Settings:
    """`resolve`, for whatever `--model` may be: a name, a folder, a file, a name of the hub, or nothing.

    Args:
        model: None = Flux dev where it was downloaded, else the starter.
    Raises:
        ConfigError, WeightsMissing, IntegrityError: see `resolve`, `place_of` and `recognise`.
    """
    if model is None:
        model = "flux" if model_variant or is_here(VARIANTS["flux-dev"]) else "starter"
    if variant_named(model, model_variant) is not None:
        return resolve(model=model, model_variant=model_variant, **said)
    place = place_of(model)
    ours = place.is_dir() and (place / "manifest.json").is_file()
    row = "starter" if ours else recognise(place, model_variant)
    return resolve(model=model, variant=row, **said)


def checkpoint_of(
    settings: Settings, *, hashed: bool = True, say: Callable[[str], None] | None = None
) -> Checkpoint:
    """The checkpoint that `settings.model` names; reads manifests, configs and headers only.

    Args:
        hashed: weights that came without a manifest are read for their fingerprint, once; see `digests`.
        say: told before gigabytes are read.
    Raises:
        WeightsMissing, IntegrityError: see `open_checkpoint` and `open_published`.
    """
    if settings.variant == "starter":
        place = _place_of(settings)
        found = open_checkpoint() if place is None else open_checkpoint(place)
        if settings.gguf:
            found = with_gguf(found, Path(settings.gguf))
    else:
        instead = {"transformer": Path(settings.gguf)} if settings.gguf else {}
        found = _published(settings, instead=instead, hashed=hashed, say=say)
    return with_adapters(found, settings.adapters)


def _place_of(settings: Settings) -> Path | None:
    """The folder or file that the settings name; None: a name of the table."""
    return None if variant_named(settings.model) is not None else place_of(settings.model)


def _published(settings: Settings, **how: Any) -> Checkpoint:
    """A checkpoint without our manifest, under the name that was typed."""
    place = _place_of(settings)
    found = open_published(VARIANTS[settings.variant], place, **how)
    return found if place is None else replace(found, name=settings.model)


def fit(settings: Settings, say: Callable[[str], None]) -> Settings:
    """The settings with `--gguf` resolved to a file, or to nothing; says what this machine could take."""
    if not settings.gguf:
        return settings
    if settings.variant == "starter":
        return settled(settings, checkpoint_of(replace(settings, gguf="")), say)
    # Where a level was fetched, the whole weights were not.
    return settled(settings, _published(settings, without=("transformer",), hashed=False), say)


def outline_of(settings: Settings) -> Checkpoint:
    """What `checkpoint_of` gives, as far as plans need it; where weights are not here, the table's row."""
    if settings.variant != "starter" and variant_named(settings.model) is not None:
        row = VARIANTS[settings.variant]
        return outline(row) if not is_here(row) else checkpoint_of(settings, hashed=False)
    return checkpoint_of(settings, hashed=False)

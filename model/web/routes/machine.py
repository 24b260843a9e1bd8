"""The machine: models here and to be had, what is installed and what fits; the settings that there are."""

from __future__ import annotations

from fastapi import APIRouter

from model.config import DEFAULTS
from model.flags import FLAGS
from model.variants import VARIANTS
from model.web import schemas as s
from model.web.routes.answers import REFUSALS
from model.web.state import Here

router = APIRouter(prefix="/api", tags=["machine"], responses=REFUSALS)
_OWN = ("out", "library")


@router.get("/machine")
def machine(house: Here) -> s.MachineView:
    """What this machine has."""
    return s.MachineView(models=models(), findings=[], flags=flags())


@router.get("/machine/doctor")
def doctor(house: Here) -> list[s.Finding]:
    """What the doctor finds; looks at everything, which takes some seconds."""
    from model.commands.doctor import examine

    return [
        s.Finding(name=one.area, state=one.state, text=one.text, mend=one.mend)
        for one in examine(house.workspace.library)
    ]


def models() -> list[s.ModelView]:
    """Every model of the table."""
    from download.cache import default_cache
    from download.catalog import named
    from download.verify import standing_of

    cache = default_cache()
    found: list[s.ModelView] = []
    for row in VARIANTS.values():
        standings = [standing_of(part, cache) for part in named(row.name).at(None)] if row.parts else []
        found.append(
            s.ModelView(
                name=row.name,
                model=row.model,
                model_variant=row.model_variant,
                family=row.family,
                here=all(one.here for one in standings),
                licence=", ".join(dict.fromkeys(one.source.licence for one in standings)),
                bytes=sum(one.bytes for one in standings),
            )
        )
    return found


def flags() -> list[s.FlagView]:
    """What can be set for a book."""
    return [
        s.FlagView(
            name=flag.name,
            kind={str: "text", int: "whole", float: "number", bool: "flag", tuple: "list"}.get(
                flag.kind, "text"
            ),
            help=flag.described,
            choices=list(flag.choices),
            low=flag.low,
            high=flag.high,
            default=DEFAULTS.get(flag.field or flag.name) if flag.kind in (str, int, float, bool) else None,
        )
        for flag in FLAGS
        if flag.name not in _OWN
    ]

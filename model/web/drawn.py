"""What is drawn of a book, and what its story asks for now: by the keys of its panels' requests.

In: a plan, the record of the book's last run, the library. Out: for every panel its tries, the one that is
shown, and whether that is what the story asks for; and what drawing the book would cost. No network is loaded
and nothing is drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.config import Settings
from model.errors import ConfigError
from model.files import NO_BLOB, BlobId
from model.geometry import Box
from model.memory.characters.database import Characters
from model.memory.chronicle.chronicle import Chronicle
from model.memory.desk.judgements import judgements
from model.memory.panels.shown import shown_of
from model.memory.panels.tries import Tries
from model.memory.store.library import Library
from model.render.request import Detail, PanelRequest
from model.render.weights import Checkpoint
from model.run.cast import look_of
from model.run.hold import request_from
from model.run.recall import remember
from model.run.record import RunPanel, RunRecord, read_record
from model.run.repair import repaired_request
from model.run.requests import job_for, request_for, sampling_of
from model.story.plan import CastMember, Panel, Plan

_MOST_TRIES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One drawing of a panel that is in the library. `found`: character → where it was seen."""

    key: str
    seed: int
    picture: BlobId
    accepted: bool | None = None
    reasons: tuple[str, ...] = ()
    scores: Mapping[str, float]
    found: Mapping[str, Box]
    repaired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelDrawn:
    """A panel's tries, the one that is shown, and why that is not what is asked for; empty: it is.

    Attributes:
        first: key of the request at the first try, which decisions go by; empty: not known yet.
    """

    panel: Panel
    first: str
    tries: tuple[Try, ...]
    shown: Try | None
    chosen: str
    stale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookDrawn:
    """A book's panels by id, the references of its cast, and what is to be drawn."""

    plan: Plan
    panels: Mapping[str, PanelDrawn]
    pictures: Mapping[str, BlobId]
    missing_panels: tuple[str, ...]
    missing_cast: tuple[str, ...]
    seconds: float | None
    record: RunRecord | None


def drawn_of(
    plan: Plan,
    folder: Path,
    settings: Settings,
    checkpoint: Checkpoint,
    library: Library,
    detail: Detail | None = None,
) -> BookDrawn:
    """Look a book up.

    Args:
        plan: as the story is now; folder: of the book that was drawn.
        detail: how small heads are drawn once more; see `detail_of`.
    """
    record = record_of(folder)
    told = remember(plan, Chronicle(library, None), checkpoint).plan
    pictures = {member.key: reference_of(member, told, checkpoint, library) for member in told.cast}
    missing_cast = tuple(key for key, picture in pictures.items() if not picture)
    sampling = sampling_of(settings)
    firsts = {
        panel.id: request_for(panel, told.style, pictures, sampling, checkpoint, detail)
        for panel in told.panels
        if not any(figure.character in missing_cast for figure in panel.figures)
    }
    ledger = _Ledger(told, record, library, settings)
    panels = {panel.id: ledger.panel(panel, firsts.get(panel.id)) for panel in told.panels}
    missing = tuple(name for name, one in panels.items() if one.stale and not one.panel.locked)
    each = [one.seconds for one in record.panels if one.seconds] if record else []
    seconds = None
    if each:
        seconds = sum(each) / len(each) * (len(missing) + settings.candidates * len(missing_cast))
    return BookDrawn(
        plan=told,
        panels=panels,
        pictures=pictures,
        missing_panels=missing,
        missing_cast=missing_cast,
        seconds=seconds,
        record=record,
    )


def record_of(folder: Path) -> RunRecord | None:
    """The record of a book's last run; None where there is none, or none that can be read."""
    if not (folder / "run.json").is_file():
        return None
    try:
        return read_record(folder)
    except ConfigError:
        return None


def reference_of(member: CastMember, plan: Plan, checkpoint: Checkpoint, library: Library) -> BlobId:
    """The picture that a look is drawn with now; empty: it has to be rehearsed."""
    character = Characters(library).find(look_of(member, plan, checkpoint))
    if member.references and not (character and character.approved):
        try:
            return BlobId(hashlib.sha256(member.references[0].read_bytes()).hexdigest())
        except OSError:
            return NO_BLOB
    return character.pictures[0] if character and character.pictures else NO_BLOB


class _Ledger:
    """What a library and a record know of a book's tries."""

    def __init__(self, plan: Plan, record: RunRecord | None, library: Library, settings: Settings) -> None:
        self._plan, self._library, self._settings = plan, library, settings
        self._shown = shown_of(library, plan.key)
        self._decisions = Tries(library)
        self._recorded: dict[str, tuple[RunPanel, Try]] = {}
        self._by_identity: dict[str, RunPanel] = {}
        for panel in record.panels if record else ():
            self._by_identity[panel.identity or panel.id] = panel
            for one in panel.candidates:
                if one.picture:
                    found = {who: Box(*at.box) for who, at in one.sightings.items() if at.box}
                    self._recorded[one.key] = (
                        panel,
                        Try(
                            key=one.key,
                            seed=one.seed,
                            picture=one.picture,
                            accepted=one.accepted,
                            reasons=one.reasons,
                            scores=one.scores,
                            found=found,
                        ),
                    )

    def panel(self, panel: Panel, first: PanelRequest | None) -> PanelDrawn:
        if panel.locked and (facts := self._shown.get(panel.identity)):
            first = request_from(facts["first"])
            tries = self._tries(panel, first, held=True)
            return self._drawn(panel, first, tries, "")
        before = self._by_identity.get(panel.identity)
        if first is not None:
            tries = self._tries(panel, first)
            if tries:
                return self._drawn(panel, first, tries, "")
        stale = "not drawn yet" if before is None else self._difference(panel, before)
        old = [one for run, one in self._recorded.values() if run is before]
        shown = next((one for one in old if before and one.key == before.key), None)
        return PanelDrawn(
            panel=panel,
            first=first.key if first else "",
            tries=tuple(old),
            shown=shown,
            chosen="",
            stale=stale if shown else "not drawn yet",
        )

    def _drawn(self, panel: Panel, first: PanelRequest, tries: list[Try], stale: str) -> PanelDrawn:
        chosen = self._decisions.of(self._plan.key, panel.identity, first.key).chosen
        shown = next((one for one in tries if one.key == chosen), None)
        if shown is None:
            shown = max(
                tries,
                key=lambda one: (one.accepted is not None, bool(one.accepted), one.scores.get("total", 0.0)),
                default=None,
            )
        return PanelDrawn(
            panel=panel, first=first.key, tries=tuple(tries), shown=shown, chosen=chosen, stale=stale
        )

    def _tries(self, panel: Panel, first: PanelRequest, *, held: bool = False) -> list[Try]:
        """Every try of these requests that is in the library, in the order in which they were made."""
        job = job_for(panel, first, self._settings.seed)
        decided = self._decisions.of(self._plan.key, panel.identity, first.key)
        attempts = range(self._settings.max_retries + 1 if job.retried and not held else 1)
        requests = [job.request_for(attempt) for attempt in attempts]
        requests += [replace(first, seed=seed) for seed in decided.seeds]
        requests += [repaired_request(first, facts) for facts in decided.repairs]
        keys = {request.key: request.seed for request in requests[:_MOST_TRIES]}
        repairs = {request.key for request in requests if request.repair is not None}
        marks = ", ".join("?" * len(keys))
        rows = self._library.rows(f"SELECT key, blob, params FROM panels WHERE key IN ({marks})", tuple(keys))
        kept = {row["key"]: row for row in rows}
        fresh = judgements(self._library, [key for key in kept if key not in self._recorded])
        found: list[Try] = []
        for key, seed in keys.items():
            if key in kept:
                known = self._recorded.get(key)
                said: dict[str, Any] = fresh.get(key, {})
                found.append(
                    replace(known[1], repaired=key in repairs)
                    if known
                    else Try(
                        key=key,
                        seed=seed,
                        picture=BlobId(kept[key]["blob"]),
                        accepted=said.get("accepted"),
                        reasons=tuple(said.get("reasons", ())),
                        scores=said.get("scores", {}),
                        found={},
                        repaired=key in repairs,
                    )
                )
        return found

    def _difference(self, panel: Panel, before: RunPanel) -> str:
        """Why a picture is not what is asked for, in words."""
        asked = before.request
        changed: list[str] = []
        if (asked.get("width"), asked.get("height")) != (panel.width, panel.height):
            changed.append("its frame has another shape")
        if asked.get("prompt") != panel.prompt or asked.get("negative", "") != panel.negative:
            changed.append("its words changed")
        figures = tuple(before.boxes)
        if figures != tuple(figure.character for figure in panel.figures):
            changed.append("other figures are in it")
        elif any(before.boxes[one.character] != one.box.as_tuple() for one in panel.figures):
            changed.append("a box moved")
        regions = asked.get("regions", ())
        if any(
            region.get("prompt") != one.prompt for region, one in zip(regions, panel.figures, strict=False)
        ):
            changed.append("what a figure does or looks like changed")
        return "; ".join(changed) or "its cast or its settings changed"

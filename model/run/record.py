"""`run.json`: how a book was made, as one versioned type that is written, read back and checked.

A run writes it; `export`, `redraw`, `choose` and the doctor read it. Version 1 is what 0.1.0 wrote, without a
version number; both are read. What is not known is kept out, what is damaged is refused with its place; what
only describes the run may be absent.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.errors import ConfigError
from model.files import NO_BLOB, BlobId, write_bytes
from model.story.plan import Panel, Plan

NAME = "run.json"
VERSION = 2

Fraction = Annotated[float, Field(allow_inf_nan=False)]
Corners = tuple[Fraction, Fraction, Fraction, Fraction]
Side = Annotated[int, Field(ge=1, le=1 << 16)]
_UNWRITABLE = re.compile("[\ud800-\udfff]|\\\\u0000")
_DRAWN = ("size", "prompt", "negative", "figures", "words", "seed")  # what decides a panel's picture


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RunConfig(_Part):
    """The settings of the run; all of them are written, these are read."""

    model_config = ConfigDict(frozen=True, extra="allow")

    seed: int = Field(ge=0)
    dpi: int = Field(default=150, ge=1, le=10_000)


class RunCast(_Part):
    """The reference of one look: see `Reference` of `rehearse.py`."""

    picture: BlobId
    source: str
    candidates: tuple[BlobId, ...] = ()
    similarities: tuple[Fraction, ...] = ()
    chosen: int = 0
    drawn: int = 0
    character: int = 0
    note: str = ""


class RunSighting(_Part):
    """Where a character was found: see `Sighting` of `model/vision/judge.py`."""

    box: Corners | None = None
    overlap: Fraction = 0.0
    identity: Fraction | None = None
    face: Fraction | None = None
    crop: BlobId = NO_BLOB


class RunTry(_Part):
    """One drawing of a panel and what the judge said of it."""

    key: str = ""
    seed: int = 0
    picture: BlobId = NO_BLOB
    accepted: bool = False
    reasons: tuple[str, ...] = ()
    scores: dict[str, Fraction] = Field(default_factory=dict[str, Fraction])
    found: int | None = None
    sightings: dict[str, RunSighting] = Field(default_factory=dict[str, RunSighting])


class RunPanel(RunTry):
    """A panel of the book: the try that it shows, and all of them."""

    id: str
    identity: str = ""
    page: int = 0
    attempts: int = 1
    chosen: bool = False
    cached: bool = False
    seconds: Fraction = 0.0
    failure: str = ""
    candidates: tuple[RunTry, ...] = ()
    request: dict[str, Any] = Field(default_factory=dict[str, Any])
    boxes: dict[str, Corners] = Field(default_factory=dict[str, Corners])


class RunPlanned(_Part):
    """What the story alone asked of a panel's picture, before anything was remembered."""

    size: tuple[Side, Side]
    prompt: str
    negative: str
    figures: tuple[tuple[str, Corners, str], ...]
    words: tuple[str, ...]
    seed: int


class RunForms(_Part):
    """The forms of the book in its folder: what each was made from, and which are of an earlier version.

    Attributes:
        stamps: form → digest of what it was written from.
        stale: forms whose stamp is not that of the newest version.
    """

    stamps: dict[str, str] = Field(default_factory=dict[str, str])
    stale: tuple[str, ...] = ()


class RunRecord(_Part):
    """A whole `run.json`.

    Attributes:
        story: path of the story, relative to the book's folder, so that both may move together.
        shapes: (width, height) that the model draws.
        planned: panel id → what the story alone asked of its picture.
    """

    version: int = 1
    autostudio: str = ""
    title: str = ""
    config: RunConfig
    weights: dict[str, Any] = Field(default_factory=dict[str, Any])
    cast: dict[str, RunCast] = Field(default_factory=dict[str, RunCast])
    panels: tuple[RunPanel, ...]
    seconds: dict[str, Fraction] = Field(default_factory=dict[str, Fraction])
    notes: tuple[str, ...] = ()
    story: str
    shapes: tuple[tuple[Side, Side], ...] = Field(min_length=1)
    planned: dict[str, RunPlanned]
    cost: dict[str, Any] = Field(default_factory=dict[str, Any])
    guidance: dict[str, Any] = Field(default_factory=dict[str, Any])
    injections: tuple[dict[str, Any], ...] = ()
    diversity: dict[str, Any] = Field(default_factory=dict[str, Any])
    memory: dict[str, Any] = Field(default_factory=dict[str, Any])
    forms: RunForms = RunForms()

    def panel(self, panel_id: str) -> RunPanel | None:
        """The panel of this id, if the run drew it."""
        return next((panel for panel in self.panels if panel.id == panel_id), None)

    def differences(self, plan: Plan) -> dict[str, tuple[str, ...]]:
        """Panel id → what of it the plan asks for otherwise than when it was drawn; of a new panel all of it.

        Lettering is left out on purpose: words may change without a panel being drawn again.
        """
        found: dict[str, tuple[str, ...]] = {}
        for panel in plan.panels:
            before, now = self.planned.get(panel.id), planned_of(panel)
            differing = tuple(
                name for name in _DRAWN if before is None or getattr(before, name) != getattr(now, name)
            )
            if differing:
                found[panel.id] = differing
        return found


def planned_of(panel: Panel) -> RunPlanned:
    """What decides a planned panel's picture."""
    return RunPlanned(
        size=(panel.width, panel.height),
        prompt=panel.prompt,
        negative=panel.negative,
        figures=tuple((figure.character, figure.box.as_tuple(), figure.prompt) for figure in panel.figures),
        words=panel.words,
        seed=panel.seed,
    )


def read_record(folder: Path) -> RunRecord:
    """The record of a finished book.

    Args:
        folder: the book's, or the path of its run.json.
    Raises:
        ConfigError: there is none, it is damaged, or a newer program wrote it.
    """
    path = folder / NAME if folder.is_dir() else folder
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if _UNWRITABLE.search(json.dumps(facts, ensure_ascii=False)):
            raise ValueError("it holds characters that no text has")
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); name the folder of a finished book") from error
    version = facts.get("version", 1) if isinstance(facts, dict) else None
    if not isinstance(version, int):
        raise ConfigError(f"{path}: not the record of a run; name the folder of a finished book")
    if version > VERSION:
        raise ConfigError(
            f"{path}: version {version} was written by a newer AutoStudio, this one reads up to {VERSION}; "
            "update the program"
        )
    try:
        return RunRecord.model_validate(facts)
    except (ValidationError, RecursionError) as error:
        if not isinstance(error, ValidationError):
            raise ConfigError(f"{path}: nested too deeply to be the record of a run") from error
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise ConfigError(
            f"{path}: {place}: {first['msg']}; run the story once more, which draws nothing anew"
        ) from error


def write_record(folder: Path, record: RunRecord, *, changed: bool) -> None:
    """Write run.json. When no panel was drawn and the file already describes these panels, it stays as it is:
    it says how the pictures were made, not when they were last looked at."""
    if not changed and _same_panels(folder, record):
        return
    save_record(folder, record)


def save_record(folder: Path, record: RunRecord) -> None:
    """Write run.json, unless it says the same already."""
    text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False)
    write_bytes(folder / NAME, (text + "\n").encode(), keep_same=True)


def _same_panels(folder: Path, record: RunRecord) -> bool:
    try:
        before = read_record(folder)
    except ConfigError:
        return False
    same = ("version", "notes", "title", "weights", "story", "shapes", "planned")

    def shown(of: RunRecord) -> list[tuple[str, str, bool, int]]:
        return [(panel.id, panel.key, panel.chosen, panel.attempts) for panel in of.panels]

    return shown(before) == shown(record) and all(
        getattr(before, name) == getattr(record, name) for name in same
    )


def relative_story(story: Path, folder: Path) -> str:
    """Where the story lies as seen from the book's folder."""
    try:
        return Path(os.path.relpath(story.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive of Windows
        return story.resolve().as_posix()


def story_of(record: RunRecord, folder: Path) -> Path:
    """Where the story lies, given the folder of its run.json."""
    return Path(os.path.normpath(folder / record.story))


def found_boxes(sightings: Mapping[str, RunSighting]) -> dict[str, Corners]:
    """Character → where it was found, for those who were."""
    return {name: sighting.box for name, sighting in sightings.items() if sighting.box is not None}

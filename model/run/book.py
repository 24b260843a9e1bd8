"""A drawn book as a value: what a run drew, and where the book is.

`Studio.draw` makes one, `redraw` and `choose` make a changed one of it. Nothing here is read from disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model.run.accept import Outcome, PanelJob
from model.run.guide import Guidance
from model.run.inject import Injection
from model.run.leave import Remembered
from model.run.rehearse import Reference
from model.story.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run did.

    Attributes:
        out: the book's folder.
        drawn: pictures drawn by this run, rehearsals and refused tries included.
        cached: panels whose picture was there already.
        refused: panels of which no try was accepted; the best one is in the book.
        failed: panels without a picture, and characters without a reference.
    """

    title: str
    out: Path
    pages: int
    panels: int
    drawn: int
    cached: int
    refused: int
    failed: int
    seconds: float

    @property
    def exit_code(self) -> int:
        return 1 if self.failed else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A book that was drawn and bound.

    Attributes:
        planned: the plan that it was drawn from.
        remembered: the same plan as the chronicle changed it.
        out: its folder.
        cast: key of a member of the cast → its reference.
        jobs: panel id → what was to be drawn.
        panels: panel id → every try of it, and the one that the book shows.
        guidance, injections: which panels took on colours of which pictures.
        notes: what a reader of the run should know, a line each.
        report: how much was drawn, found, refused.
    """

    planned: Plan
    remembered: Remembered
    out: Path
    cast: Mapping[str, Reference]
    jobs: Mapping[str, PanelJob]
    panels: Mapping[str, Outcome]
    guidance: Guidance
    injections: tuple[Injection, ...]
    notes: tuple[str, ...] = ()
    report: Report

    @property
    def plan(self) -> Plan:
        """The plan with what is remembered in its prompts."""
        return self.remembered.plan

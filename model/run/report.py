"""What a run tells: its size before it draws, what it did afterwards, and what could not be followed.

In: a plan and its outcomes. Out: `Report`, and notes in words. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model.config import Settings
from model.render.variants import TRUE_GUIDANCE
from model.render.weights import Checkpoint
from model.run.accept import Outcome
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


def unknown(plan: Plan, checkpoint: Checkpoint) -> tuple[str, ...]:
    """One note on the words this checkpoint does not know."""
    prompts = [panel.prompt for panel in plan.panels]
    prompts += [figure.prompt for panel in plan.panels for figure in panel.figures]
    words = sorted({word for prompt in prompts for word in checkpoint.unknown_words(prompt)})
    return (
        (f"{checkpoint.name} does not know these words and leaves them out: {', '.join(words)}",)
        if words
        else ()
    )


def unread(plan: Plan, checkpoint: Checkpoint) -> tuple[str, ...]:
    """One note when negative prompts cannot be followed."""
    told = [panel.id for panel in plan.panels if panel.negative]
    if checkpoint.variant.guidance == TRUE_GUIDANCE or not told:
        return ()
    return (f"{checkpoint.name} reads no negative prompts; those of {', '.join(told)} are left out",)


def told(settings: Settings) -> str:
    """What the quality stands for in this run."""
    refined = f", the last {settings.refine_steps} by the whole prompt" if settings.refine_steps else ""
    scale = f", guidance {settings.guidance:g}" if settings.guidance != 1 else ", no guidance"
    return f"{settings.variant}, {settings.quality}: {settings.steps} steps{refined}{scale}"


def counted(plan: Plan) -> str:
    counts = {"page": len(plan.pages), "panel": sum(1 for _ in plan.panels), "character": len(plan.cast)}
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())


def report_of(
    plan: Plan, out: Path, cast: Mapping[str, Reference], panels: Mapping[str, Outcome], seconds: float
) -> Report:
    pictures = {c.drawn.key: c.drawn for outcome in panels.values() for c in outcome.candidates}
    best = [outcome.best for outcome in panels.values()]
    return Report(
        title=plan.title,
        out=out,
        pages=len(plan.pages),
        panels=sum(1 for _ in plan.panels),
        drawn=sum(reference.drawn for reference in cast.values())
        + sum(1 for drawn in pictures.values() if drawn.blob and not drawn.cached),
        cached=sum(1 for one in best if one.drawn.cached),
        refused=sum(1 for one in best if one.verdict is not None and not one.verdict.accepted),
        failed=sum(1 for one in best if one.drawn.failure)
        + sum(1 for reference in cast.values() if not reference.picture),
        seconds=round(seconds, 2),
    )

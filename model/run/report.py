"""What a run says in words and numbers: its size before it draws, what it did afterwards, and what of the
story could not be followed.

In: a plan and its outcomes. Out: lines, and a `Report`. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from model.config import Settings
from model.render.weights import Checkpoint
from model.run.accept import Outcome
from model.run.book import Book, Report
from model.run.rehearse import Reference
from model.story.plan import Plan
from model.variants import TRUE_GUIDANCE


def unknown_words_note(plan: Plan, checkpoint: Checkpoint) -> tuple[str, ...]:
    """One note on the words this checkpoint does not know."""
    prompts = [panel.prompt for panel in plan.panels]
    prompts += [figure.prompt for panel in plan.panels for figure in panel.figures]
    words = sorted({word for prompt in prompts for word in checkpoint.unknown_words(prompt)})
    return (
        (f"{checkpoint.name} does not know these words and leaves them out: {', '.join(words)}",)
        if words
        else ()
    )


def unread_negatives_note(plan: Plan, checkpoint: Checkpoint) -> tuple[str, ...]:
    """One note when negative prompts cannot be followed."""
    panels = [panel.id for panel in plan.panels if panel.negative]
    if checkpoint.variant.guidance == TRUE_GUIDANCE or not panels:
        return ()
    return (f"{checkpoint.name} reads no negative prompts; those of {', '.join(panels)} are left out",)


def settings_line(settings: Settings) -> str:
    """What the quality stands for in this run."""
    refined = f", the last {settings.refine_steps} by the whole prompt" if settings.refine_steps else ""
    scale = f", guidance {settings.guidance:g}" if settings.guidance != 1 else ", no guidance"
    return f"{settings.variant}, {settings.quality}: {settings.steps} steps{refined}{scale}"


def size_line(plan: Plan) -> str:
    """How many pages, panels and characters there are."""
    counts = {"page": len(plan.pages), "panel": sum(1 for _ in plan.panels), "character": len(plan.cast)}
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())


def report_of(
    plan: Plan,
    out: Path,
    cast: Mapping[str, Reference],
    panels: Mapping[str, Outcome],
    seconds: float,
    before: Book | None = None,
) -> Report:
    """The numbers of a run.

    Args:
        before: the book that this run changed; what that one had was not drawn by this run.
    """
    had = {c.drawn.key for one in before.panels.values() for c in one.candidates} if before else set()
    rehearsed = 0 if before else sum(reference.drawn for reference in cast.values())
    pictures = {
        c.drawn.key: c.drawn
        for outcome in panels.values()
        for c in outcome.candidates
        if c.drawn.key not in had
    }
    best = [outcome.best for outcome in panels.values()]
    return Report(
        title=plan.title,
        out=out,
        pages=len(plan.pages),
        panels=sum(1 for _ in plan.panels),
        drawn=rehearsed + sum(1 for drawn in pictures.values() if drawn.blob and not drawn.cached),
        cached=sum(1 for one in best if one.drawn.cached or one.drawn.key in had),
        refused=sum(1 for one in best if one.verdict is not None and not one.verdict.accepted),
        failed=sum(1 for one in best if one.drawn.failure)
        + sum(1 for reference in cast.values() if not reference.picture),
        seconds=round(seconds, 2),
    )

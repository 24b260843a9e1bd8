"""Draw every panel, look at it, and draw again what is not what was asked for.

Rounds, not loops: the panels that failed a round are drawn together in the next, with their next seeds. All
candidates stay in the library with what was measured; the best one of each panel is used. A panel whose
seed the story fixed is drawn once: its reader asked for that picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.config import Settings
from model.memory.store.library import Library
from model.render.request import PanelRequest, Style
from model.run.draw import Drawn, draw_all
from model.run.models import Resident
from model.run.progress import Reporter
from model.run.vibe import VibeMemory
from model.vision.judge import Limits, Verdict, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One panel to be drawn.

    Attributes:
        names: of the characters, in the order of the request's regions.
        tries: attempt → the request with that attempt's seed. Attempt 0 is the first.
        retried: whether other seeds may be tried.
    """

    names: tuple[str, ...]
    tries: Callable[[int], PanelRequest]
    retried: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One drawing of a panel. `verdict`: None when it failed."""

    request: PanelRequest
    drawn: Drawn
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A panel's candidates in the order they were tried, and the one that is used."""

    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        """An accepted candidate before others, then the largest total, then the first."""
        return max(self.candidates, key=_rank)


def lean(asked: Asked, picture: str, weight: float) -> Asked:
    """The same panel, every try of it leaning towards a picture of the library; see `Style`."""

    def tries(attempt: int) -> PanelRequest:
        return replace(asked.tries(attempt), style=Style(picture=picture, weight=weight))

    return replace(asked, tries=tries)


def _rank(candidate: Candidate) -> tuple[bool, bool, float]:
    verdict = candidate.verdict
    return verdict is not None, verdict is not None and verdict.accepted, verdict.total if verdict else 0.0


def draw_accepted(
    asked: Mapping[str, Asked],
    *,
    settings: Settings,
    models: Resident,
    library: Library,
    reporter: Reporter,
    vibe: VibeMemory | None = None,
) -> Mapping[str, Outcome]:
    """Every panel's candidates, by panel id.

    Args:
        vibe: what the reader likes; None, or one that remembers nothing: no panel is judged by it.
    Raises:
        AutoStudioError: see `draw_all`.
    """
    checkpoint = models.checkpoint
    limits = Limits(identity=checkpoint.identity, spread=checkpoint.spread, vibe=settings.vibe_threshold)
    tried: dict[str, list[Candidate]] = {panel: [] for panel in asked}
    waiting: Sequence[str] = list(asked)
    for attempt in range(settings.max_retries + 1):
        if not waiting:
            break
        requests = {panel: asked[panel].tries(attempt) for panel in waiting}
        drawn = draw_all(
            list(requests.values()),
            name="again" if attempt else "panels",
            settings=settings,
            models=models,
            library=library,
            reporter=reporter,
        )
        with reporter.timed("judge"):
            liked = _vibes(vibe, drawn, library, settings.vibe_category)
        for panel, request in requests.items():
            outcome = drawn[request.key]
            verdict = None
            if outcome.measured is not None:
                verdict = judge(outcome.measured, asked[panel].names, limits, liked.get(request.key))
            tried[panel].append(Candidate(request=request, drawn=outcome, verdict=verdict))
        waiting = [panel for panel in waiting if asked[panel].retried and _refused(tried[panel][-1])]
    return {panel: Outcome(candidates=tuple(candidates)) for panel, candidates in tried.items()}


def cost(panels: Mapping[str, Outcome]) -> dict[str, float]:
    """What the judge's strictness cost: pictures beyond one a panel, for how many panels, and the seconds
    that drawing them took, now or when they were drawn."""
    further = [outcome.candidates[1:] for outcome in panels.values() if len(outcome.candidates) > 1]
    seconds = sum(candidate.drawn.seconds for candidates in further for candidate in candidates)
    return {"panels": len(further), "pictures": sum(map(len, further)), "seconds": round(seconds, 3)}


def cost_line(panels: Mapping[str, Outcome]) -> str:
    """The same in one line; empty when no panel was drawn twice."""
    spent = cost(panels)
    if not spent["panels"]:
        return ""
    return (
        f"tries: {spent['pictures']} further pictures for {spent['panels']} of {len(panels)} panels, "
        f"{spent['seconds']:.1f} s of drawing"
    )


def _refused(candidate: Candidate) -> bool:
    """Whether another seed may help: a drawing that failed with an error would fail again."""
    return candidate.verdict is not None and not candidate.verdict.accepted


def _vibes(
    vibe: VibeMemory | None, drawn: Mapping[str, Drawn], library: Library, category: str | None
) -> dict[str, float]:
    """Key → how much the picture would be liked; nothing where nothing is remembered.

    New pictures move the mean panel, from which tastes are told, before any of them is scored.
    """
    if vibe is None or not vibe.memories or not vibe.sees_panels:
        return {}
    places = {
        key: vibe.place_of(one.embedding, lambda blob=one.blob: library.load(blob))
        for key, one in drawn.items()
        if one.embedding is not None
    }
    if not places:
        return {}
    new = [key for key in places if not drawn[key].cached]
    if new:
        vibe.record(np.stack([places[key] for key in new]), [])
    scores = vibe.score_many(np.stack(list(places.values())), category)
    found = {key: round(float(score), 4) for key, score in zip(places, scores, strict=True)}
    if new:
        nothing = np.zeros((0, len(places[new[0]])), np.float32)
        vibe.record(nothing, [found[key] for key in new], applied=len(new))
    return found


def by_verdict(panels: Mapping[str, Outcome]) -> tuple[set[str], set[str]]:
    """Panels whose picture was accepted, and those that are in the book although it was not."""
    shown = {panel for panel, outcome in panels.items() if outcome.best.drawn.blob}
    accepted = {panel for panel in shown if (verdict := panels[panel].best.verdict) and verdict.accepted}
    return accepted, shown - accepted


def refusals(panels: Mapping[str, Outcome]) -> tuple[str, ...]:
    """One note for each panel that is not what was asked for."""
    notes: list[str] = []
    for panel, outcome in panels.items():
        verdict = outcome.best.verdict
        if verdict is not None and not verdict.accepted:
            tries = len(outcome.candidates)
            kept = "kept its only try" if tries == 1 else f"kept the best of {tries} tries"
            notes.append(f"{panel}: {kept}: {'; '.join(verdict.reasons)}")
    return tuple(notes)

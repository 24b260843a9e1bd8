"""Draw every panel, look at it, and draw again what is not what was asked for.

Rounds, not loops: the panels that failed a round are drawn together in the next, with their next seeds. All
candidates stay in the library with what was measured; the best one of each panel is used. A panel whose
seed the story fixed is drawn once: its reader asked for that picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from model.config import Settings
from model.drawing import Drawn, draw_all
from model.execution.progress import Reporter
from model.memory.library import Library
from model.render.request import PanelRequest
from model.resident import Resident
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
) -> Mapping[str, Outcome]:
    """Every panel's candidates, by panel id.

    Raises:
        AutoStudioError: see `draw_all`.
    """
    limits = Limits(identity=models.checkpoint.identity, spread=models.checkpoint.spread)
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
        for panel, request in requests.items():
            outcome = drawn[request.key]
            names = asked[panel].names
            verdict = judge(outcome.measured, names, limits) if outcome.measured else None
            tried[panel].append(Candidate(request=request, drawn=outcome, verdict=verdict))
        waiting = [panel for panel in waiting if asked[panel].retried and _refused(tried[panel][-1])]
    return {panel: Outcome(candidates=tuple(candidates)) for panel, candidates in tried.items()}


def _refused(candidate: Candidate) -> bool:
    """Whether another seed may help: a drawing that failed with an error would fail again."""
    return candidate.verdict is not None and not candidate.verdict.accepted

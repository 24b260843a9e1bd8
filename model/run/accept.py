"""Draw every panel, judge it, and draw again what is not what was asked for.

Rounds, not loops: the panels that failed a round are drawn together in the next, with their next seeds. All
candidates stay in the library with what was measured; the best one of each panel is used. A panel whose
seed the story fixed is drawn once: its reader asked for that picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.events import Cost, PanelJudged
from model.files import BlobId
from model.memory.store.library import Library
from model.render.request import PanelRequest, Style
from model.run.context import Context
from model.run.draw import Drawn, draw_all
from model.run.vibe import VibeMemory
from model.vision.judge import Limits, Verdict, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelJob:
    """One panel to be drawn.

    Attributes:
        names: of the characters, in the order of the request's regions.
        request_for: attempt → the request with that attempt's seed. Attempt 0 is the first.
        retried: whether other seeds may be tried.
        identity: what the panel's decisions go by; see `Panel`.
        held: it keeps the picture it has, which nothing changes; `stale`: the story asks for another.
    """

    names: tuple[str, ...]
    request_for: Callable[[int], PanelRequest]
    retried: bool = True
    identity: str = ""
    held: bool = False
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One drawing of a panel. `verdict`: None when it failed."""

    request: PanelRequest
    drawn: Drawn
    verdict: Verdict | None

    @property
    def accepted(self) -> bool:
        return self.verdict is not None and self.verdict.accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A panel's candidates in the order they were tried, and the one that is used.

    Attributes:
        chosen: the candidate that a person chose, by its key; empty: nobody did.
    """

    candidates: tuple[Candidate, ...]
    chosen: str = ""

    @property
    def best(self) -> Candidate:
        """What a person chose; else an accepted candidate before others, the largest total, the first."""
        for candidate in self.candidates:
            if self.chosen and candidate.request.key == self.chosen:
                return candidate
        return max(self.candidates, key=_rank)


def with_style(job: PanelJob, picture: BlobId, weight: float) -> PanelJob:
    """The same panel, every try of it taking on the palette of a picture of the library; see `Style`. A held
    one stays as it is."""
    if job.held:
        return job

    def request_for(attempt: int) -> PanelRequest:
        return replace(job.request_for(attempt), style=Style(picture=picture, weight=weight))

    return replace(job, request_for=request_for)


def _rank(candidate: Candidate) -> tuple[bool, bool, float]:
    verdict = candidate.verdict
    return verdict is not None, candidate.accepted, verdict.total if verdict else 0.0


def draw_accepted(
    jobs: Mapping[str, PanelJob], context: Context, vibe: VibeMemory | None = None
) -> Mapping[str, Outcome]:
    """Every panel's candidates, by panel id.

    Args:
        vibe: what the reader likes; None, or one that remembers nothing: no panel is judged by it.
    Raises:
        AutoStudioError: see `draw_all`.
    """
    tried: dict[str, list[Candidate]] = {panel: [] for panel in jobs}
    waiting: Sequence[str] = list(jobs)
    for attempt in range(context.settings.max_retries + 1):
        if not waiting:
            break
        requests = {panel: jobs[panel].request_for(attempt) for panel in waiting}
        stage = "again" if attempt else "panels"
        for panel, candidate in draw_round(requests, jobs, context, vibe, stage=stage).items():
            tried[panel].append(candidate)
            _tell(panel, attempt, candidate, context)
        waiting = [panel for panel in waiting if jobs[panel].retried and _refused(tried[panel][-1])]
    return {panel: Outcome(candidates=tuple(candidates)) for panel, candidates in tried.items()}


def draw_round(
    requests: Mapping[str, PanelRequest],
    jobs: Mapping[str, PanelJob],
    context: Context,
    vibe: VibeMemory | None,
    *,
    stage: str,
) -> dict[str, Candidate]:
    """One try of each panel, drawn and judged, by panel id."""
    checkpoint = context.models.checkpoint
    limits = Limits(
        identity=checkpoint.identity,
        spread=checkpoint.spread,
        vibe=context.settings.vibe_threshold,
        # A quick drawing smears most heads, and another one would no less.
        face=checkpoint.face if context.settings.detail else None,
    )
    names = {request.key: panel for panel, request in requests.items()}
    drawn = draw_all(list(requests.values()), context, stage=stage, names=names)
    with context.events.stage("judge"):
        scores = _vibe_scores(vibe, drawn, context.library, context.settings.vibe_category)
    candidates: dict[str, Candidate] = {}
    for panel, request in requests.items():
        outcome = drawn[request.key]
        verdict = None
        if outcome.measured is not None:
            verdict = judge(outcome.measured, jobs[panel].names, limits, scores.get(request.key))
        candidates[panel] = Candidate(request=request, drawn=outcome, verdict=verdict)
    return candidates


def _tell(panel: str, attempt: int, candidate: Candidate, context: Context) -> None:
    verdict = candidate.verdict
    if verdict is not None:
        context.events.emit(
            PanelJudged(
                panel=panel,
                attempt=attempt,
                key=candidate.request.key,
                blob=candidate.drawn.blob,
                accepted=verdict.accepted,
                reasons=verdict.reasons,
                scores=verdict.scores,
            )
        )


def cost_of(panels: Mapping[str, Outcome]) -> Cost:
    """What the judge's strictness cost."""
    further = [outcome.candidates[1:] for outcome in panels.values() if len(outcome.candidates) > 1]
    seconds = sum(candidate.drawn.seconds for candidates in further for candidate in candidates)
    return Cost(panels=len(further), pictures=sum(map(len, further)), seconds=round(seconds, 3))


def _refused(candidate: Candidate) -> bool:
    """Whether another seed may help: a drawing that failed with an error would fail again."""
    return candidate.verdict is not None and not candidate.verdict.accepted


def _vibe_scores(
    vibe: VibeMemory | None, drawn: Mapping[str, Drawn], library: Library, category: str | None
) -> dict[str, float]:
    """Key → how much the picture would be liked; nothing where nothing is remembered.

    New pictures move the mean panel, which tastes are measured from, before any of them is scored.
    """
    if vibe is None or not vibe.memories or not vibe.sees_panels:
        return {}
    vectors = {
        key: vibe.place_of(one.embedding, lambda blob=one.blob: library.load(blob))
        for key, one in drawn.items()
        if one.embedding is not None
    }
    if not vectors:
        return {}
    new = [key for key in vectors if not drawn[key].cached]
    if new:
        vibe.record(np.stack([vectors[key] for key in new]), [])
    scores = vibe.score_many(np.stack(list(vectors.values())), category)
    found = {key: round(float(score), 4) for key, score in zip(vectors, scores, strict=True)}
    if new:
        nothing = np.zeros((0, len(vectors[new[0]])), np.float32)
        vibe.record(nothing, [found[key] for key in new], applied=len(new))
    return found


def by_verdict(panels: Mapping[str, Outcome]) -> tuple[set[str], set[str]]:
    """Panels whose picture was accepted or chosen, and those that are in the book although it was not."""
    shown = {panel for panel, outcome in panels.items() if outcome.best.drawn.blob}
    accepted = {panel for panel in shown if panels[panel].best.accepted or panels[panel].chosen}
    return accepted, shown - accepted


def refusals(panels: Mapping[str, Outcome]) -> tuple[str, ...]:
    """One note for each panel that is not what was asked for."""
    notes: list[str] = []
    for panel, outcome in panels.items():
        verdict = outcome.best.verdict
        if verdict is not None and not verdict.accepted and not outcome.chosen:
            tries = len(outcome.candidates)
            kept = "kept its only try" if tries == 1 else f"kept the best of {tries} tries"
            notes.append(f"{panel}: {kept}: {'; '.join(verdict.reasons)}")
    return tuple(notes)

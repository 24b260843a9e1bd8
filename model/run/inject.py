"""Every Nth panel of a long book takes on colours of a drawn one: of a similar panel for coherence, of a
diverse one against collapse (`--inject_every`).

In: jobs, and how to draw some of them. Out: what was drawn, and one decision for each Nth panel, for
`run.json`. The others are drawn first, all in one go; then the Nth ones, each with the palette of a panel of
the cache as its donor. The donor is found by embeddings: nearest to, or farthest from, the mean of the panels
just before. It is never one of those just before, never one that shows a character who is not in the panel,
and never a refused one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.files import NO_BLOB, BlobId
from model.memory.panels.cache import Embedding, PanelCache
from model.memory.panels.matcher import TOP_K, AestheticMatcher, Match, rank
from model.memory.store.library import Library
from model.run.accept import Outcome, PanelJob, with_style
from model.run.context import Context

# Panels just before the one that takes colours on: they say what is usual now, and are no donors.
RECENT = 5
# Least cosine with the mean of the recent panels that counts as similar. Calibrated on the starter
# (scripts/bench/LOG.md): the nearest of twenty unrelated panels has 0.6, two of them 0.2 on average.
SIMILAR = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Donor:
    """A panel that another may take colours from. `looks`: of everybody in it, see `PanelRequest`."""

    picture: BlobId
    embedding: Embedding
    looks: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """What was decided for one panel.

    Attributes:
        kind: similar or diverse.
        picture: of the donor; empty: none fitted.
        similarity: cosine of the donor with the mean of the recent panels.
        pool: how many donors there were to choose from.
        why: in plain words.
    """

    panel: str
    kind: str
    picture: BlobId = NO_BLOB
    similarity: float | None = None
    pool: int = 0
    why: str


def draw_injected(
    jobs: Mapping[str, PanelJob],
    context: Context,
    draw: Callable[[Mapping[str, PanelJob]], Mapping[str, Outcome]],
    *,
    book: str,
) -> tuple[Mapping[str, Outcome], tuple[Injection, ...]]:
    """Every panel's candidates, by panel id in the order of `jobs`; and the donor of each Nth panel.

    Args:
        draw: draws some of the jobs.
        book: whose panels of an earlier run are no donors; see `bind_book`.
    Raises:
        AutoStudioError: see `draw_accepted`.
    """
    settings, space = context.settings, context.models.space
    every = settings.inject_every
    turns = [panel for number, panel in enumerate(jobs, 1) if number % every == 0]
    # Their donors are not known yet; their prompts are.
    context.models.prefetch(jobs[panel].request_for(0) for panel in turns)
    done = dict(draw({panel: job for panel, job in jobs.items() if panel not in turns}))
    others = _of_other_books(context.library, book, space)
    order = list(jobs)
    decisions: list[Injection] = []
    injected: dict[str, PanelJob] = {}
    for panel in turns:
        before = order[: order.index(panel)]
        own = [_donor(done[one], space) for one in before if one in done]
        request = jobs[panel].request_for(0)
        decision = decide(panel, settings.inject, own, others, looks=request.looks, seed=request.seed)
        decisions.append(decision)
        changed = decision.picture and settings.inject_weight
        injected[panel] = (
            with_style(jobs[panel], decision.picture, settings.inject_weight) if changed else jobs[panel]
        )
        context.events.note(f"{panel}: {decision.why}")
    done |= draw(injected)
    return {panel: done[panel] for panel in jobs}, tuple(decisions)


def decide(
    panel: str,
    kind: str,
    before: Sequence[Donor | None],
    others: Iterable[Donor],
    *,
    looks: frozenset[str],
    seed: int,
) -> Injection:
    """The donor of a panel. Pure; the same for the same seed.

    Args:
        kind: similar or diverse.
        before: the panels drawn before it in this run, in order; None for one that was refused.
        others: panels of other books.
        looks: of everybody who is asked for in it.
    """
    recent = [donor for donor in before[-RECENT:] if donor is not None]
    taken = {donor.picture for donor in recent}
    fitting = {
        donor.picture: donor
        for donor in (*before[:-RECENT], *others)
        if donor is not None and donor.picture not in taken and donor.looks <= looks
    }
    if not recent:
        return Injection(panel=panel, kind=kind, why="no colours injected: no panel was accepted just before")
    space = recent[-1].embedding.space
    usual = np.mean([donor.embedding.vector.astype(np.float32) for donor in recent], axis=0)
    target = Embedding(space=space, vector=usual.astype("<f2"))
    candidates = [(picture, donor.embedding) for picture, donor in sorted(fitting.items())]
    if kind == "similar":
        near = AestheticMatcher.find_similar(target, candidates, SIMILAR)
    else:  # turned round, the farthest is the nearest
        far = rank(target, candidates)[::-1][:TOP_K]
        near = tuple(replace(match, similarity=-match.similarity) for match in far)
    chosen: Match | None = AestheticMatcher.weighted_random_selection(near, np.random.default_rng(seed))
    if chosen is None:
        why = f"no colours injected: none of {len(fitting)} panels that fit its characters is {kind}"
        return Injection(panel=panel, kind=kind, pool=len(fitting), why=why)
    similarity = chosen.similarity if kind == "similar" else -chosen.similarity
    return Injection(
        panel=panel,
        kind=kind,
        picture=BlobId(chosen.cache_id),
        similarity=round(similarity, 4),
        pool=len(fitting),
        why=f"takes on colours of {chosen.cache_id[:12]}, {kind} ({similarity:.2f}) to the panels before it",
    )


def _donor(outcome: Outcome, space: str) -> Donor | None:
    best = outcome.best
    if best.verdict is None or not best.verdict.accepted or best.drawn.embedding is None:
        return None
    embedding = Embedding(space=space, vector=best.drawn.embedding.astype("<f2"))
    return Donor(picture=best.drawn.blob, embedding=embedding, looks=best.request.looks)


def _of_other_books(library: Library, book: str, space: str) -> list[Donor]:
    """What other books show, of drawn panels whose looks are known; in the order of their pictures."""
    rows = library.rows(
        "SELECT DISTINCT key FROM panels JOIN book_pictures USING (blob)"
        " WHERE space = ? AND blob NOT IN (SELECT blob FROM book_pictures WHERE book = ?) ORDER BY blob, key",
        (space, book),
    )
    kept = {row["key"] for row in rows}
    donors: list[Donor] = []
    for record in PanelCache(library).get_all() if kept else ():
        looks = record.params.get("looks")
        if record.key in kept and record.embedding is not None and isinstance(looks, list):
            donors.append(
                Donor(picture=record.blob, embedding=record.embedding, looks=frozenset(map(str, looks)))
            )
    return sorted(donors, key=lambda donor: donor.picture)

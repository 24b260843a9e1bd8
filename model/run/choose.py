"""A person's decisions about panels, applied to what was drawn: further tries, repairs, and the try shown.

In: what the judge came to. Out: the same with the tries that a person asked for, drawn and judged where they
are not there yet, and with the person's choices. Decisions are kept in the library by story and panel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from model.memory.panels.tries import Tries
from model.render.request import PanelRequest
from model.run.accept import Outcome, PanelJob, draw_round
from model.run.context import Context
from model.run.repair import repaired_request
from model.run.vibe import VibeMemory


def with_decisions(
    panels: Mapping[str, Outcome],
    jobs: Mapping[str, PanelJob],
    context: Context,
    vibe: VibeMemory | None,
    *,
    story: str,
) -> Mapping[str, Outcome]:
    """Every panel's tries and choice, with what was decided about it.

    Args:
        story: whose panels they are.
    Raises:
        AutoStudioError: see `draw_all`.
    """
    tries = Tries(context.library)
    decided = {panel: tries.of(story, job.identity, job.request_for(0).key) for panel, job in jobs.items()}
    done = dict(panels)
    most = max((len(one.seeds) for one in decided.values()), default=0)
    for number in range(most):
        seeds = {panel: one.seeds[number] for panel, one in decided.items() if number < len(one.seeds)}
        done |= further_tries(done, seeds, jobs, context, vibe)
    for number in range(max((len(one.repairs) for one in decided.values()), default=0)):
        facts = {panel: one.repairs[number] for panel, one in decided.items() if number < len(one.repairs)}
        done |= repaired_tries(done, facts, jobs, context, vibe)
    return {panel: replace(outcome, chosen=decided[panel].chosen) for panel, outcome in done.items()}


def further_tries(
    panels: Mapping[str, Outcome],
    seeds: Mapping[str, int],
    jobs: Mapping[str, PanelJob],
    context: Context,
    vibe: VibeMemory | None,
) -> dict[str, Outcome]:
    """The named panels, each with one more try; a seed that was tried already adds none.

    Args:
        seeds: panel id → seed of the further try.
    """
    requests = {panel: replace(jobs[panel].request_for(0), seed=seed) for panel, seed in seeds.items()}
    return _with_tries(panels, requests, jobs, context, vibe)


def repaired_tries(
    panels: Mapping[str, Outcome],
    facts: Mapping[str, str],
    jobs: Mapping[str, PanelJob],
    context: Context,
    vibe: VibeMemory | None,
) -> dict[str, Outcome]:
    """The named panels, each with one repaired try; the same repair twice adds none.

    Args:
        facts: panel id → its repair, see `repair.to_facts`.
    """
    requests = {panel: repaired_request(jobs[panel].request_for(0), one) for panel, one in facts.items()}
    return _with_tries(panels, requests, jobs, context, vibe)


def _with_tries(
    panels: Mapping[str, Outcome],
    requests: Mapping[str, PanelRequest],
    jobs: Mapping[str, PanelJob],
    context: Context,
    vibe: VibeMemory | None,
) -> dict[str, Outcome]:
    """The panels of the requests, each with its request as one more try, unless it was tried already."""
    new = {
        panel: request
        for panel, request in requests.items()
        if request.key not in {one.request.key for one in panels[panel].candidates}
    }
    drawn = draw_round(new, jobs, context, vibe, stage="again") if new else {}
    return {
        panel: replace(panels[panel], candidates=(*panels[panel].candidates, candidate))
        for panel, candidate in drawn.items()
    }

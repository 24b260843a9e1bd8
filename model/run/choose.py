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
    done, chosen = dict(panels), {}
    further: dict[str, list[PanelRequest]] = {}
    for panel, job in jobs.items():
        first = job.request_for(0)
        decided = tries.of(story, job.identity, first.key)
        chosen[panel] = decided.chosen
        further[panel] = [replace(first, seed=seed) for seed in decided.seeds]
        further[panel] += [repaired_request(first, facts) for facts in decided.repairs]
    # In rounds, so that tries of many panels are drawn together.
    for number in range(max(map(len, further.values()), default=0)):
        requests = {panel: some[number] for panel, some in further.items() if number < len(some)}
        done |= with_tries(done, requests, jobs, context, vibe)
    return {panel: replace(outcome, chosen=chosen[panel]) for panel, outcome in done.items()}


def with_tries(
    panels: Mapping[str, Outcome],
    requests: Mapping[str, PanelRequest],
    jobs: Mapping[str, PanelJob],
    context: Context,
    vibe: VibeMemory | None,
) -> dict[str, Outcome]:
    """The panels of the requests, each with its request as one more try, drawn and judged; those that were
    tried already are left out.

    Args:
        requests: panel id → what to try.
    """
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

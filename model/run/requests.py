"""From planned panels to requests: what a plan, a cast and settings ask the renderer for.

Pure: nothing is drawn or loaded. A request names everything that decides the pixels; its key is the panel's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from model.config import Settings
from model.files import NO_BLOB, BlobId
from model.memory.panels.cache import PanelCache
from model.memory.store.library import Library
from model.render.request import Detail, PanelRequest, Region, Sampling
from model.render.weights import Checkpoint
from model.run.accept import PanelJob
from model.run.models import Models
from model.story.plan import Panel, Plan, panel_seed
from model.story.prompts import head_prompt


def sampling_of(settings: Settings) -> Sampling:
    """How the settings say to sample."""
    return Sampling(
        steps=settings.steps,
        guidance=settings.guidance,
        scheduler=settings.scheduler,
        refine_steps=settings.refine_steps,
        max_sequence_length=settings.max_sequence_length,
        reference_scale=settings.reference_scale,
    )


def background_prompt(checkpoint: Checkpoint, style: str, scene: str) -> str:
    """What a request says of the cells that no character owns: the place without its people; empty for
    families that take no such prompt."""
    takes = checkpoint.variant.background_prompt and scene
    return ", ".join(filter(None, (style, scene))) if takes else ""


def detail_of(settings: Settings, models: Models) -> Detail | None:
    """How small heads are drawn once more, without the prompt, which is each panel's own; None: they are
    not."""
    if not settings.detail or not models.finds_heads:
        return None
    return Detail(strength=settings.detail, prompt="", finder=models.measurer_id)


def request_for(
    panel: Panel,
    style: str,
    pictures: Mapping[str, BlobId],
    sampling: Sampling,
    checkpoint: Checkpoint,
    detail: Detail | None = None,
) -> PanelRequest:
    """Everything that decides the pixels of one planned panel at its first try.

    Args:
        pictures: key of a member of the cast → its reference; empty: it has none.
        detail: see `detail_of`.
    """
    return PanelRequest(
        weights=checkpoint.fingerprint,
        width=panel.width,
        height=panel.height,
        prompt=panel.prompt,
        negative=panel.negative,
        regions=tuple(
            Region(box=figure.box, prompt=figure.prompt, reference=pictures[figure.character])
            for figure in panel.figures
        ),
        seed=panel.seed,
        sampling=sampling,
        background=background_prompt(checkpoint, style, panel.scene) if panel.figures else "",
        detail=with_prompt(detail, style, panel.scene) if panel.figures else None,
    )


def with_prompt(detail: Detail | None, style: str, scene: str) -> Detail | None:
    """How the heads of one panel are drawn once more."""
    return detail and replace(detail, prompt=head_prompt(style, scene))


def missing_panels(
    plan: Plan,
    known: Mapping[str, BlobId],
    sampling: Sampling,
    checkpoint: Checkpoint,
    library: Library,
    detail: Detail | None = None,
    *,
    held: Collection[str] = (),
) -> list[PanelRequest]:
    """Panels that are not drawn yet, before the whole cast has references: those of `known`, or none.

    Args:
        held: ids of panels that have their pictures.
    """
    pictures = {member.key: NO_BLOB for member in plan.cast} | dict(known)
    cache = PanelCache(library)
    missing: list[PanelRequest] = []
    for panel in plan.panels:
        if panel.id in held:
            continue
        request = request_for(panel, plan.style, pictures, sampling, checkpoint, detail)
        complete = all(figure.character in known for figure in panel.figures)
        if not complete or cache.get(request.key) is None:
            missing.append(request)
    return missing


def job_for(panel: Panel, first: PanelRequest, run_seed: int) -> PanelJob:
    """The panel with its further seeds; a seed that the story fixed is the only one.

    Args:
        first: its request at the first try.
    """

    def request_of(attempt: int) -> PanelRequest:
        return replace(first, seed=panel_seed(run_seed, panel.identity, attempt)) if attempt else first

    names = tuple(figure.name for figure in panel.figures)
    return PanelJob(
        names=names, request_for=request_of, retried=not panel.pinned_seed, identity=panel.identity
    )

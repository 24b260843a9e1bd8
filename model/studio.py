"""The run, in reading order. Each line of `make_book` is one stage of the design and leads to one room."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from model.config import Settings
from model.files import storage_errors
from model.memory.chronicle.chronicle import Chronicle
from model.memory.chronicle.sentences import find_sentence_model
from model.memory.panels.cache import PanelCache
from model.memory.store.library import Library
from model.page.export.book import lettering_notes
from model.page.export.compose import draw_layout
from model.render.png import encode
from model.render.request import PanelRequest, Region, Sampling
from model.render.weights import Checkpoint
from model.run.accept import Asked, by_verdict, cost, cost_line, refusals
from model.run.bind import bind, lettered, put, record, write_record
from model.run.enlarge import enlarge_all
from model.run.guide import guide
from model.run.inject import draw_injected
from model.run.keep import book_of, diversity, keep_book, make_room
from model.run.leave import keep
from model.run.models import Resident
from model.run.origin import origin
from model.run.plan import plan_for
from model.run.progress import Reporter
from model.run.recall import remember
from model.run.rehearse import Reference, behind, rehearse
from model.run.report import Report, counted, report_of, told, unknown, unread
from model.run.settle import outline_of
from model.run.sightings import keep_sightings
from model.run.vibe import vibe_of_run
from model.story.plan import Panel, Plan, panel_seed


def make_book(
    path: Path, settings: Settings, library: Library, models: Resident, reporter: Reporter
) -> Report:
    """Draw the story at `path`, or what is missing of it.

    Raises:
        AutoStudioError: see model/errors.py; what was drawn before stays.
    """
    started = time.perf_counter()
    with reporter.timed("plan"):
        chronicle = Chronicle(library, find_sentence_model())
        planned = plan_for(path, settings, models.checkpoint)
        remembered = remember(planned, chronicle, models.checkpoint)
        plan = remembered.plan
        out = _open_out(settings, plan)
        vibe = vibe_of_run(models)
    reporter.say(f"{plan.title}: {counted(plan)}; {told(settings)}")
    sampling = sampling_of(settings)
    cast = rehearse(
        plan,
        sampling,
        settings=settings,
        models=models,
        library=library,
        reporter=reporter,
        panels=lambda known: missing_panels(plan, known, sampling, models.checkpoint, library),
    )
    asked = {
        panel.id: _asked(panel, plan.style, cast, sampling, models.checkpoint, settings.seed)
        for panel in plan.panels
    }
    asked, guidance = guide(asked, settings=settings, vibe=vibe, library=library)
    if guidance.why:
        reporter.say(guidance.why)
    panels, injected = draw_injected(
        asked,
        book=book_of(out),
        settings=settings,
        models=models,
        library=library,
        reporter=reporter,
        vibe=vibe,
    )
    if spent := cost_line(panels):
        reporter.say(spent)
    accepted, refused = by_verdict(panels)
    reporter.say(keep(remembered, chronicle, accepted=accepted, refused=refused))
    with reporter.timed("characters"):
        known = {key: (reference.character, reference.picture) for key, reference in cast.items()}
        pictures = {panel: outcome.best.drawn for panel, outcome in panels.items()}
        seen = keep_sightings(plan, known, pictures, accepted=accepted, models=models, library=library)
    if seen:
        reporter.say(seen)
    drawn = [outcome.best.drawn.blob for outcome in panels.values() if outcome.best.drawn.blob]
    large = enlarge_all(drawn, settings=settings, models=models, library=library, reporter=reporter)
    monotony, monotonous = diversity(panels, models.checkpoint.alike)
    with reporter.timed("pages"):
        notes = (
            *plan.notes,
            *remembered.notes,
            *(reference.note for reference in cast.values() if reference.note),
            *unknown(plan, models.checkpoint),
            *unread(plan, models.checkpoint),
            *refusals(panels),
            *monotonous,
            *bind(plan, panels, large, out, library, settings.dpi),
        )
    report = report_of(plan, out, cast, panels, time.perf_counter() - started)
    facts = record(
        plan, settings, models.checkpoint, models.upscaler_sha256, cast, panels, reporter.seconds, notes
    )
    facts |= origin(path, out, planned, models.checkpoint.shapes)
    facts |= {
        "cost": cost(panels),
        "guidance": asdict(guidance),
        "injections": [asdict(one) for one in injected],
        "diversity": monotony,
        "memory": models.memory,
    }
    write_record(out / "run.json", facts, changed=report.drawn > 0)
    keep_book(out, cast, panels, large, library)
    evicted = make_room(settings, library, vibe)
    for note in notes:
        reporter.say(f"note: {note}")
    if evicted.keys or evicted.over:
        reporter.say(str(evicted))
    return report


def make_cast(
    path: Path, settings: Settings, library: Library, models: Resident, reporter: Reporter
) -> Report:
    """Rehearse the cast of the story and stop; the references are in `cast/` of its folder."""
    started = time.perf_counter()
    plan = plan_for(path, settings, models.checkpoint)
    out = _open_out(settings, plan)
    cast = rehearse(
        plan, sampling_of(settings), settings=settings, models=models, library=library, reporter=reporter
    )
    for key, reference in cast.items():
        if reference.note:
            reporter.say(f"note: {reference.note}")
        if reference.picture:
            put(out / "cast" / f"{key.replace('/', '_')}.png", library.load(reference.picture))
    return report_of(plan, out, cast, {}, time.perf_counter() - started)


def make_layout(path: Path, settings: Settings, reporter: Reporter) -> Report:
    """Draw frames, boxes and balloons only; loads no model."""
    started = time.perf_counter()
    plan = plan_for(path, settings, outline_of(settings))
    out = _open_out(settings, plan)
    book = lettered(plan, {}, {})
    with reporter.bar("layout", len(book.pages)) as bar:
        for done, page in enumerate(book.pages, 1):
            put(out / "layout" / f"page_{page.number:03d}.png", encode(draw_layout(book, page, settings.dpi)))
            bar.to(done)
    return report_of(plan, out, {}, {}, time.perf_counter() - started)


def check_story(path: Path, settings: Settings, checkpoint: Checkpoint) -> None:
    """Plan and letter the story, so that what cannot be read or set is refused before anything is drawn.

    Raises:
        StoryError: the story is wrong, or a text has no room in its panel.
    """
    lettering_notes(lettered(plan_for(path, settings, checkpoint), {}, {}))


def request_for(
    panel: Panel, style: str, cast: Mapping[str, Reference], sampling: Sampling, checkpoint: Checkpoint
) -> PanelRequest:
    """Everything that decides the pixels of one planned panel at its first try."""
    return PanelRequest(
        weights=checkpoint.fingerprint,
        width=panel.width,
        height=panel.height,
        prompt=panel.prompt,
        negative=panel.negative,
        regions=tuple(
            Region(box=figure.box, prompt=figure.prompt, reference=cast[figure.character].picture)
            for figure in panel.figures
        ),
        seed=panel.seed,
        sampling=sampling,
        background=behind(checkpoint, style, panel.scene) if panel.figures else "",
    )


def missing_panels(
    plan: Plan, known: Mapping[str, Reference], sampling: Sampling, checkpoint: Checkpoint, library: Library
) -> list[PanelRequest]:
    """Panels that are not drawn yet, before the whole cast has references: those of `known`, or nobody's."""
    cast = {member.key: Reference(picture="", source="rehearsal") for member in plan.cast} | dict(known)
    cache = PanelCache(library)
    missing: list[PanelRequest] = []
    for panel in plan.panels:
        request = request_for(panel, plan.style, cast, sampling, checkpoint)
        told = all(figure.character in known for figure in panel.figures)
        if not told or cache.get(request.key) is None:
            missing.append(request)
    return missing


def _asked(
    panel: Panel,
    style: str,
    cast: Mapping[str, Reference],
    sampling: Sampling,
    checkpoint: Checkpoint,
    run_seed: int,
) -> Asked:
    """The panel with its further seeds; a seed that the story fixed stays alone."""
    first = request_for(panel, style, cast, sampling, checkpoint)

    def tries(attempt: int) -> PanelRequest:
        return replace(first, seed=panel_seed(run_seed, panel.id, attempt)) if attempt else first

    names = tuple(figure.name for figure in panel.figures)
    return Asked(names=names, tries=tries, retried=not panel.pinned_seed)


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


def _open_out(settings: Settings, plan: Plan) -> Path:
    """The book's folder, made now: better to learn that it cannot be written before an hour of drawing."""
    out = settings.out or Path("outputs") / plan.slug
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink()
    return out

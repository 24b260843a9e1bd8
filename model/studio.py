"""The run, in reading order. Each line of `make_book` is one stage of the design and leads to one room."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from model.acceptance import Asked, Outcome, cost, cost_line
from model.binding import bind, lettered, put, record, write_record
from model.config import Settings
from model.enlarging import enlarge_all
from model.execution.progress import Reporter
from model.files import storage_errors
from model.guiding import guide
from model.injection import draw_injected
from model.keeping import book_of, diversity, keep_book, make_room
from model.leaving import keep
from model.memory.chronicle import Chronicle
from model.memory.library import Library
from model.memory.sentences import find_sentence_model
from model.origin import origin
from model.page.compose import draw_layout
from model.page.export import lettering_notes
from model.page.templates import arrange_page
from model.page.tiers import View
from model.rehearsal import Reference, behind, rehearse
from model.remembering import remember
from model.render.png import encode
from model.render.request import PanelRequest, Region, Sampling
from model.render.variants import TRUE_GUIDANCE
from model.render.weights import Checkpoint
from model.resident import Resident, outline_of
from model.sighting import keep_sightings
from model.story.plan import Panel, Plan, own_frames, panel_seed, plan_story
from model.story.schema import StoryPage, load_story
from model.vibes import vibe_of_run


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
    reporter.say(f"{plan.title}: {_counted(plan)}; {_told(settings)}")
    sampling = sampling_of(settings)
    cast = rehearse(plan, sampling, settings=settings, models=models, library=library, reporter=reporter)
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
    accepted, refused = _by_verdict(panels)
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
            *_unknown(plan, models.checkpoint),
            *_unread(plan, models.checkpoint),
            *_refusals(panels),
            *monotonous,
            *bind(plan, panels, large, out, library, settings.dpi),
        )
    report = _report(plan, out, cast, panels, time.perf_counter() - started)
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
    return _report(plan, out, cast, {}, time.perf_counter() - started)


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
    return _report(plan, out, {}, {}, time.perf_counter() - started)


def check_story(path: Path, settings: Settings, checkpoint: Checkpoint) -> None:
    """Plan and letter the story, so that what cannot be read or set is refused before anything is drawn.

    Raises:
        StoryError: the story is wrong, or a text has no room in its panel.
    """
    lettering_notes(lettered(plan_for(path, settings, checkpoint), {}, {}))


def plan_for(path: Path, settings: Settings, checkpoint: Checkpoint) -> Plan:
    """Read, check and plan the story for the shapes this checkpoint draws."""
    return plan_in_shapes(path, settings.seed, checkpoint.shapes)


def plan_in_shapes(path: Path, seed: int, shapes: Sequence[tuple[int, int]]) -> Plan:
    """Read, check and plan the story for panels of these sizes in pixels."""
    story = load_story(path)

    def aspects(template: str, page: StoryPage) -> tuple[float, ...]:
        views = tuple(View(shot=panel.shot, emphasis=panel.emphasis) for panel in page.panels)
        return arrange_page(template, views, story.page.size, own=own_frames(page)).aspects()

    return plan_story(story, seed=seed, aspects=aspects, shapes=shapes)


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


def _unknown(plan: Plan, checkpoint: Checkpoint) -> tuple[str, ...]:
    """One note on the words this checkpoint does not know."""
    prompts = [panel.prompt for panel in plan.panels]
    prompts += [figure.prompt for panel in plan.panels for figure in panel.figures]
    words = sorted({word for prompt in prompts for word in checkpoint.unknown_words(prompt)})
    return (
        (f"{checkpoint.name} does not know these words and leaves them out: {', '.join(words)}",)
        if words
        else ()
    )


def _unread(plan: Plan, checkpoint: Checkpoint) -> tuple[str, ...]:
    """One note when negative prompts cannot be followed."""
    told = [panel.id for panel in plan.panels if panel.negative]
    if checkpoint.variant.guidance == TRUE_GUIDANCE or not told:
        return ()
    return (f"{checkpoint.name} reads no negative prompts; those of {', '.join(told)} are left out",)


def _told(settings: Settings) -> str:
    """What the quality stands for in this run."""
    refined = f", the last {settings.refine_steps} by the whole prompt" if settings.refine_steps else ""
    scale = f", guidance {settings.guidance:g}" if settings.guidance != 1 else ", no guidance"
    return f"{settings.variant}, {settings.quality}: {settings.steps} steps{refined}{scale}"


def _counted(plan: Plan) -> str:
    counts = {"page": len(plan.pages), "panel": sum(1 for _ in plan.panels), "character": len(plan.cast)}
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())


def _by_verdict(panels: Mapping[str, Outcome]) -> tuple[set[str], set[str]]:
    """Panels whose picture was accepted, and those that are in the book although it was not."""
    shown = {panel for panel, outcome in panels.items() if outcome.best.drawn.blob}
    accepted = {panel for panel in shown if (verdict := panels[panel].best.verdict) and verdict.accepted}
    return accepted, shown - accepted


def _refusals(panels: Mapping[str, Outcome]) -> tuple[str, ...]:
    """One note for each panel that is not what was asked for."""
    notes: list[str] = []
    for panel, outcome in panels.items():
        verdict = outcome.best.verdict
        if verdict is not None and not verdict.accepted:
            tries = len(outcome.candidates)
            kept = "kept its only try" if tries == 1 else f"kept the best of {tries} tries"
            notes.append(f"{panel}: {kept}: {'; '.join(verdict.reasons)}")
    return tuple(notes)


def _report(
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

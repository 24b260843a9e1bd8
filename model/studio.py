"""The door: a story is planned, drawn, corrected and exported here, whoever asks. Read `Studio.draw` first.

    with Studio.open(quality="fast") as studio:
        plan = studio.plan("story.json")
        book = studio.draw(plan, events=print)
        book = studio.redraw(book, "p001_02", seed=7)
        studio.export(book, "epub")

In: flags by their names, stories as paths, dicts or `Story`s. Out: plans, books, files. Each line of `draw`
is one stage of the design and leads to one module of `model/run/`.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.config import Settings
from model.errors import ConfigError
from model.events import Events, Listener
from model.files import BlobId, storage_errors, write_bytes
from model.flags import checked
from model.memory.chronicle.chronicle import Chronicle
from model.memory.chronicle.sentences import find_sentence_model
from model.memory.panels.tries import Tries
from model.memory.store.library import Library
from model.page.export.book import emphasis_notes
from model.page.export.compose import draw_layout
from model.page.export.sheet import lay_out
from model.render.png import encode
from model.run.accept import Candidate, Outcome, PanelJob, draw_accepted
from model.run.bind import lettered
from model.run.book import Book, Report
from model.run.choose import with_decisions, with_tries
from model.run.click import clicked
from model.run.context import Context
from model.run.finish import finish
from model.run.folder import folder_of, with_key
from model.run.guide import guide
from model.run.hold import as_drawn, asked_for, hold
from model.run.inject import draw_injected
from model.run.keep import book_of
from model.run.models import Models
from model.run.plan import StorySource, check_lettering, read_plan
from model.run.recall import remember
from model.run.rehearse import Reference, rehearse
from model.run.repair import STRENGTH, box_mask, painted_mask, repair_of, repaired_request, to_facts
from model.run.report import report_of, settings_line, size_line
from model.run.reprint import Reprint, reprint
from model.run.requests import detail_of, job_for, missing_panels, request_for, sampling_of
from model.run.settle import checkpoint_of, outline_of, settle
from model.run.vibe import vibe_of_run
from model.story.plan import MOST_SEED, Plan, seed_note

if TYPE_CHECKING:
    from PIL import Image

    from model.render.request import PanelRequest
    from model.render.weights import Checkpoint


class Studio:
    """Draws with one set of settings; what is loaded stays for every story that follows.

    Use `Studio.open`. Making one loads nothing and writes nothing.

    Attributes:
        settings: what the flags came to.
        events: where runs report to, when a call names no listener of its own.
    """

    def __init__(self, settings: Settings, events: Events) -> None:
        self.settings, self.events = settings, events

    @classmethod
    def open(cls, *, events: Listener | None = None, **flags: Any) -> Studio:
        """Check flags and settle what they mean on this machine.

        Args:
            events: gets everything that happens, as values of `model.events`.
            flags: those of `run.py`, by their names without dashes.
        Raises:
            ConfigError, WeightsMissing, IntegrityError: see `settle`.
        """
        reporter = Events(listener=events)
        return cls(settle(say=reporter.note, **flags), reporter)

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the library, if it was opened."""
        if "library" in self.__dict__:
            self.library.close()

    @functools.cached_property
    def library(self) -> Library:
        """What is kept between runs; made on disk when it is first needed."""
        return Library.open(self.settings.library)

    @functools.cached_property
    def models(self) -> Models:
        """The networks, each loaded when it is first needed."""
        return Models(self.settings, self.library, self.events)

    @functools.cached_property
    def checkpoint(self) -> Checkpoint:
        """What can be drawn, from manifests, configs and headers; no weights are read.

        Raises:
            WeightsMissing, IntegrityError: see `checkpoint_of`.
        """
        return checkpoint_of(self.settings, hashed=False)

    def plan(self, story: StorySource, *, drawn: bool = True) -> Plan:
        """Read, check, plan and letter a story, so that a bad one is refused before anything is made.

        Args:
            drawn: it is to be drawn, so the weights must be here; else a layout is all that is wanted.
        Raises:
            StoryError: the story is wrong, names a file that cannot be used, or has a text without room.
            WeightsMissing: there is nothing to draw it with.
        """
        checkpoint = self.checkpoint if drawn else outline_of(self.settings)
        plan = read_plan(story, seed=self.settings.seed, shapes=checkpoint.shapes)
        check_lettering(plan)
        return plan

    def draw(
        self,
        plan: Plan,
        *,
        out: str | Path | None = None,
        events: Listener | None = None,
        preview_every: int = 0,
        panels: Collection[str] | None = None,
    ) -> Book:
        """Draw a book, or what is missing of it.

        Args:
            out: the book's folder; None = what the settings say, or one named after the story.
            preview_every: steps between two `Preview` events; 0 = none.
            panels: ids of those that may be drawn; others keep what they show, or have no picture yet. None =
                all.
        Raises:
            Stopped: `stop` was called; what was finished is kept.
            AutoStudioError: see model/errors.py; what was drawn before stays.
        """
        started = time.perf_counter()
        with self.running(events, preview_every) as context:
            settings, models, library = context.settings, context.models, context.library
            with context.events.stage("plan"):
                chronicle = Chronicle(library, find_sentence_model())
                plan = with_key(plan, library)
                remembered, locked = hold(remember(plan, chronicle, models.checkpoint), library, drawn=panels)
                folder = self._open_out(plan, out)
                vibe = vibe_of_run(models)
            planned, plan = as_drawn(plan, remembered.plan, locked), remembered.plan
            context.events.note(f"{plan.title}: {size_line(plan)}; {settings_line(settings)}")
            sampling, detail = sampling_of(settings), detail_of(settings, models)
            cast = rehearse(
                plan,
                sampling,
                context,
                detail=detail,
                panels=lambda known: missing_panels(
                    plan, _pictures(known), sampling, models.checkpoint, library, detail, held=locked
                ),
            )
            jobs: Mapping[str, PanelJob] = {
                panel.id: locked.get(panel.id)
                or job_for(
                    panel,
                    request_for(panel, plan.style, _pictures(cast), sampling, models.checkpoint, detail),
                    settings.seed,
                )
                for panel in plan.panels
            }
            jobs, guidance = guide(jobs, context, vibe)
            if guidance.why:
                context.events.note(guidance.why)

            def draw_some(some: Mapping[str, PanelJob]) -> Mapping[str, Outcome]:
                return draw_accepted(some, context, vibe)

            wanted, left_out = asked_for(jobs, panels)
            outcomes, injections = (
                draw_injected(wanted, context, draw_some, book=book_of(folder))
                if settings.inject_every
                else (draw_some(wanted), ())
            )
            outcomes = with_decisions(outcomes, wanted, context, vibe, story=plan.key)
            every = {**outcomes, **left_out}
            outcomes = {panel.id: every[panel.id] for panel in plan.panels}
            book = Book(
                planned=planned,
                remembered=remembered,
                out=folder,
                cast=cast,
                jobs=jobs,
                panels=outcomes,
                guidance=guidance,
                injections=injections,
                report=report_of(plan, folder, cast, outcomes, 0.0),
            )
            return finish(book, context, vibe, started)

    def redraw(
        self, book: Book, panel: str, *, seed: int | None = None, events: Listener | None = None
    ) -> Book:
        """Draw one panel once more; every try is kept, the new one is shown unless it failed.

        Args:
            panel: its id, such as "p001_02".
            seed: of the new try; None = one that was not tried yet.
        Raises:
            ConfigError: the book has no such panel, or `seed` is out of range.
            AutoStudioError: see `draw`.
        """
        started = time.perf_counter()
        job = _job(book, panel)
        checked({"seed": seed})
        with self.running(events) as context:
            vibe = vibe_of_run(context.models)
            if seed is not None and seed > MOST_SEED:
                context.events.note(f"note: {panel}: {seed_note(seed)}")
            tried = [candidate.request.seed for candidate in book.panels[panel].candidates]
            if seed is None:
                attempts = (job.request_for(number).seed for number in range(1, len(tried) + 2))
                seed = next((one for one in attempts if one not in tried), max(tried) + 1)
            first = job.request_for(0)
            request = replace(first, seed=seed)
            wanted = request.key
            panels = {**book.panels, **with_tries(book.panels, {panel: request}, book.jobs, context, vibe)}
            new = next(one for one in panels[panel].candidates if one.request.key == wanted)
            if new.drawn.blob:
                tries = Tries(context.library)
                tries.add(book.plan.key, job.identity, first.key, seed)
                tries.choose(book.plan.key, job.identity, first.key, wanted)
                panels[panel] = replace(panels[panel], chosen=wanted)
            return finish(replace(book, panels=panels), context, vibe, started, before=book)

    def repair(
        self,
        book: Book,
        panel: str,
        *,
        box: Sequence[float] | None = None,
        mask: Image.Image | bytes | str | Path | None = None,
        at: Sequence[float] | None = None,
        words: str = "",
        strength: float = STRENGTH,
        seed: int | None = None,
        attempt: int | None = None,
        events: Listener | None = None,
    ) -> Book:
        """Draw part of a panel again; the rest stays to the bit. The result is a try of its own, and is
        shown.

        Args:
            panel: its id, such as "p001_02".
            box: x, y, width, height of the part: pixels of the panel's picture, or fractions of it.
            mask: a picture that is white, or opaque, where it is to be drawn again; in place of `box`.
            at: x, y of a point, as `box`: what lies there, a head or a figure, is drawn again.
            words: what the part should be, such as "smiling"; empty: what the story says.
            strength: how much may change, 0.1 to 1.
            seed: None = another one for every repair.
            attempt: which try is repaired, as in `choose`; None = the one that the book shows.
        Raises:
            ConfigError: the book has no such panel or try, or a value is out of range.
            AutoStudioError: see `draw`.
        """
        started = time.perf_counter()
        job = _job(book, panel)
        checked({"seed": seed})
        if not 0.1 <= strength <= 1:
            raise ConfigError(f"strength: found {strength}; use 0.1 to 1")
        if sum(one is not None for one in (box, mask, at)) != 1:
            raise ConfigError("repair: say where, by box, by mask or by at")
        outcome = book.panels[panel]
        source = outcome.best if attempt is None else _shown(book, panel, attempt)
        if not source.drawn.blob:
            raise ConfigError(f"{panel}: has no picture to repair; draw it first")
        planned = next(one for one in book.plan.panels if one.id == panel)
        with self.running(events) as context:
            vibe = vibe_of_run(context.models)
            tries, first = Tries(context.library), job.request_for(0)
            size = (source.request.width, source.request.height)
            if at is not None:
                area = clicked(at, source.drawn, context)
            else:
                area = box_mask(box, size) if box is not None else painted_mask(mask or b"", size)
            asked = repair_of(
                book.plan,
                planned,
                source.request,
                source.drawn.blob,
                area,
                words=words.strip(),
                strength=strength,
                context=context,
            )
            if seed is None:
                before = tries.of(book.plan.key, job.identity, first.key).repairs
                seed = (first.seed + 1 + len(before)) % 2**53
            facts = to_facts(asked, seed)
            request = repaired_request(first, facts)
            wanted = request.key
            panels = {**book.panels, **with_tries(book.panels, {panel: request}, book.jobs, context, vibe)}
            new = next(one for one in panels[panel].candidates if one.request.key == wanted)
            if new.drawn.blob:
                tries.add_repair(book.plan.key, job.identity, first.key, facts)
                tries.choose(book.plan.key, job.identity, first.key, wanted)
                panels[panel] = replace(panels[panel], chosen=wanted)
            return finish(replace(book, panels=panels), context, vibe, started, before=book)

    def choose(self, book: Book, panel: str, *, attempt: int, events: Listener | None = None) -> Book:
        """Show an earlier try of a panel; its page is set again, nothing is drawn.

        Args:
            attempt: 0 is the first try, in the order of `book.panels[panel].candidates`.
        Raises:
            ConfigError: the book has no such panel, or the panel no such try.
            AutoStudioError: see `draw`.
        """
        started = time.perf_counter()
        job = _job(book, panel)
        chosen = _shown(book, panel, attempt).request.key
        with self.running(events) as context:
            Tries(context.library).choose(book.plan.key, job.identity, job.request_for(0).key, chosen)
            panels = {**book.panels, panel: replace(book.panels[panel], chosen=chosen)}
            vibe = vibe_of_run(context.models)
            return finish(replace(book, panels=panels), context, vibe, started, before=book)

    def rehearse(
        self, plan: Plan, *, out: str | Path | None = None, events: Listener | None = None
    ) -> Report:
        """Rehearse the cast and stop; the references are in `cast/` of the book's folder."""
        started = time.perf_counter()
        with self.running(events) as context:
            plan = with_key(plan, context.library)
            folder = self._open_out(plan, out)
            sampling = sampling_of(context.settings)
            detail = detail_of(context.settings, context.models)
            cast = rehearse(plan, sampling, context, detail=detail)
            for key, reference in cast.items():
                if reference.note:
                    context.events.note(f"note: {reference.note}")
                if reference.picture:
                    path = folder / "cast" / f"{key.replace('/', '_')}.png"
                    write_bytes(path, context.library.load(reference.picture), keep_same=True)
            return report_of(plan, folder, cast, {}, time.perf_counter() - started)

    def layout(self, plan: Plan, *, out: str | Path | None = None, events: Listener | None = None) -> Report:
        """Draw frames, boxes and balloons only; loads no model and needs no library."""
        started = time.perf_counter()
        reporter = Events(listener=events or self.events.listener)
        folder = self._open_out(plan, out)
        book = lettered(plan, {}, {})
        notes = [*plan.notes, *emphasis_notes(book)]
        with reporter.counted("layout", len(book.pages)) as counter:
            for done, page in enumerate(book.pages, 1):
                sheet = lay_out(book, page, pictures=False)
                picture = encode(draw_layout(book, page, self.settings.dpi, sheet=sheet))
                notes += sheet.notes
                path = folder / "layout" / f"page_{page.number:03d}.png"
                write_bytes(path, picture, keep_same=True)
                counter.to(done)
        for note in notes:
            reporter.note(f"note: {note}")
        return report_of(plan, folder, {}, {}, time.perf_counter() - started)

    def export(self, book: Book | str | Path, *formats: str, **options: Any) -> Reprint:
        """Set a finished book in other forms, as its story is lettered now.

        Args:
            book: what `draw` returned, or the folder of a book.
            formats: png, pdf, cbz, html, epub, webtoon, layers; none = what a run writes.
            options: dpi, empty_balloons, out, story; see `reprint`.
        Raises:
            ConfigError, StoryError, IntegrityError, StorageError: see `reprint`.
        """
        folder = book.out if isinstance(book, Book) else Path(book)
        return reprint(folder, **({"formats": formats} if formats else {}), **options)

    def generate(self, requests: Sequence[PanelRequest]) -> tuple[Image.Image, ...]:
        """Draw panels of one size and one sampling, without a library's memory of them."""
        return self.models.renderer.draw(requests)

    def stop(self) -> None:
        """Ask the run that is under way to stop before its next step; may be called from any thread."""
        self.events.stop()

    @contextmanager
    def running(self, listener: Listener | None = None, preview_every: int = 0) -> Iterator[Context]:
        """What the functions of `model/run/` work with, for one run.

        Args:
            listener: gets the run's events; None = where the studio's own go.
        """
        before, every = self.events.listener, self.events.preview_every
        self.events.resume()
        self.events.seconds.clear()
        self.events.listener, self.events.preview_every = listener or before, preview_every or every
        try:
            yield Context(
                settings=self.settings, models=self.models, library=self.library, events=self.events
            )
        finally:
            self.events.listener, self.events.preview_every = before, every

    def _open_out(self, plan: Plan, out: str | Path | None) -> Path:
        """The book's folder, made now: better to learn that it cannot be written before an hour of
        drawing."""
        folder = Path(out) if out is not None else self.settings.out or folder_of(plan)
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        return folder


def _pictures(cast: Mapping[str, Reference]) -> dict[str, BlobId]:
    return {key: reference.picture for key, reference in cast.items()}


def _job(book: Book, panel: str) -> PanelJob:
    if panel not in book.jobs:
        raise ConfigError(f"{panel}: the book has no such panel; it has {', '.join(book.jobs)}")
    return book.jobs[panel]


def _shown(book: Book, panel: str, attempt: int) -> Candidate:
    """A try of a panel that has a picture."""
    candidates = book.panels[panel].candidates
    if not 0 <= attempt < len(candidates) or not candidates[attempt].drawn.blob:
        raise ConfigError(
            f"{panel}: has no try {attempt} with a picture; it has {len(candidates)} tries, from 0 on"
        )
    return candidates[attempt]

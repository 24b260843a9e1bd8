"""After the panels are drawn: keep what they leave, enlarge them, set the pages, write down how it was made.

In: a drawn book. Out: the same book with notes and a report, and its files on disk.
"""

from __future__ import annotations

import time
from dataclasses import replace

from model.files import write_bytes
from model.memory.chronicle.chronicle import Chronicle
from model.memory.chronicle.sentences import find_sentence_model
from model.run.accept import by_verdict, cost_of, refusals
from model.run.bind import bind
from model.run.book import Book
from model.run.context import Context
from model.run.describe import describe
from model.run.enlarge import enlarge_all
from model.run.forms import keep_forms
from model.run.hold import keep_shown
from model.run.keep import diversity, keep_book, make_room
from model.run.leave import keep
from model.run.record import write_record
from model.run.report import report_of, unknown_words_note, unread_negatives_note
from model.run.sightings import keep_sightings
from model.run.vibe import VibeMemory


def finish(
    book: Book, context: Context, vibe: VibeMemory, started: float, before: Book | None = None
) -> Book:
    """Bind a drawn book.

    Args:
        started: of the run, by `time.perf_counter`.
        before: the book that this run changed; None: it was drawn from its plan.
    Raises:
        AutoStudioError: the disk refuses, or a text has no room; everything that was drawn is kept.
    """
    settings, models, library, events = context.settings, context.models, context.library, context.events
    plan, panels = book.plan, book.panels
    cost = cost_of(panels)
    events.emit(cost)
    accepted, refused = by_verdict(panels)
    chronicle = Chronicle(library, find_sentence_model())
    events.note(keep(book.remembered, chronicle, accepted=accepted, refused=refused))
    with events.stage("characters"):
        known = {key: (reference.character, reference.picture) for key, reference in book.cast.items()}
        drawn = {panel: outcome.best.drawn for panel, outcome in panels.items()}
        if seen := keep_sightings(plan, known, drawn, accepted=accepted, models=models, library=library):
            events.note(seen)
    large = enlarge_all((one.blob for one in drawn.values() if one.blob), context)
    monotony, monotonous = diversity(panels, models.checkpoint.alike)
    with events.stage("pages"):
        lettering, forms = bind(plan, panels, large, book.out, library, settings.dpi)
        notes = (
            *plan.notes,
            *book.remembered.notes,
            *(reference.note for reference in book.cast.values() if reference.note),
            *unknown_words_note(plan, models.checkpoint),
            *unread_negatives_note(plan, models.checkpoint),
            *refusals(panels),
            *monotonous,
            *lettering,
        )
    seconds = time.perf_counter() - started
    report = report_of(plan, book.out, book.cast, panels, seconds, before)
    book = replace(book, notes=notes, report=report)
    story = plan.source or book.out / "story.json"
    if plan.source is None:
        write_bytes(story, plan.written.encode(), keep_same=True)
    record = describe(book, story, context, cost=cost, diversity=monotony, forms=forms)
    write_record(book.out, record, changed=report.drawn > 0)
    keep_forms(book.out, forms)
    keep_book(book.out, book.cast, panels, large, library)
    keep_shown(book, library)
    evicted = make_room(settings, library, vibe)
    for note in notes:
        events.note(f"note: {note}")
    if evicted.keys or evicted.over:
        events.note(str(evicted))
    return book

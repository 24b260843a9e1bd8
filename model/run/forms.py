"""Which forms of a book are of an earlier version of it, as `run.json` and its reader should know.

In: the run's record and what was written beside it. Out: a stamp for each form in the folder, and the names
of those that are stale. A form that was never recorded, as in 0.1, counts as stale.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from model.errors import ConfigError
from model.files import storage_errors
from model.page.export.book import forms_in
from model.run.record import NAME, RunForms, RunRecord, read_record, save_record


def forms_after(folder: Path, formats: Sequence[str], stamp: str) -> RunForms:
    """How the forms of a book stand after some were written.

    Args:
        folder: of the book; its run.json need not be there yet.
        formats: what was written.
        stamp: of what it was written from.
    """
    record = _record(folder)
    before = record.forms.stamps if record is not None else {}
    # A reader shows the pages beside it, so that these are written with it.
    written = {*formats, "png"} if "html" in formats else set(formats)
    stamps = {name: stamp if name in written else before.get(name, "") for name in forms_in(folder)}
    return RunForms(stamps=stamps, stale=tuple(name for name, found in stamps.items() if found != stamp))


def stale_notes(forms: RunForms, folder: Path) -> tuple[str, ...]:
    """A note when some forms are stale."""
    if not forms.stale:
        return ()
    again = " ".join(f"--format {name}" for name in forms.stale)
    are = "is" if len(forms.stale) == 1 else "are"
    return (
        f"{folder}: {', '.join(forms.stale)} {are} of an earlier version of the book; "
        f"'run.py export' with {again}, or with --format all, sets everything anew",
    )


def keep_forms(folder: Path, forms: RunForms) -> None:
    """Write them into run.json, which otherwise stays as it is; without a record nothing is written.

    Raises:
        StorageError: the disk refuses.
    """
    record = _record(folder)
    if record is not None and record.forms != forms:
        path = folder / NAME
        before = path.stat()
        save_record(folder, record.model_copy(update={"forms": forms}))
        # It is as old as what it says of the pictures: an EPUB gives this as its date.
        with storage_errors(path):
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _record(folder: Path) -> RunRecord | None:
    try:
        return read_record(folder)
    except ConfigError:
        return None

"""Forms: which forms of a book are of an earlier version of it, told in `run.json` and to the reader.

In: the run's record, what was written beside it. Out: the stamps of the folder's forms, the names of those
that are stale. A form that nobody recorded, as in 0.1, counts as stale: nobody can tell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from model.files import storage_errors, write_bytes
from model.page.export.book import forms_in

_FORMS, _STALE = "forms", "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """The forms in a run's folder: the stamp of what each was made of, and which are not of the newest."""

    stamps: dict[str, str] = field(default_factory=dict)
    stale: tuple[str, ...] = ()

    def notes(self, out: Path) -> tuple[str, ...]:
        """What to tell of stale forms."""
        if not self.stale:
            return ()
        again = " ".join(f"--format {name}" for name in self.stale)
        are = "is" if len(self.stale) == 1 else "are"
        return (
            f"{out}: {', '.join(self.stale)} {are} of an earlier version of the book; "
            f"'run.py export' with {again}, or with --format all, sets everything anew",
        )


def forms_after(record: Path, formats: Sequence[str], stamp: str) -> Forms:
    """How the forms of a run stand after some were written.

    Args:
        record: its run.json, beside them; it need not be there yet.
        formats: what was written.
        stamp: of what it was written from.
    """
    before = _stamps(_read(record))
    # A reader shows the pages beside it, so that these are written with it.
    written = {*formats, "png"} if "html" in formats else set(formats)
    stamps = {name: stamp if name in written else before.get(name, "") for name in forms_in(record.parent)}
    stale = tuple(name for name, its in stamps.items() if its != stamp)
    return Forms(stamps=stamps, stale=stale)


def keep_forms(record: Path, forms: Forms) -> None:
    """Tell them in run.json, which otherwise stays as it is; where there is none, nothing is told.

    Raises:
        StorageError: the disk refuses.
    """
    facts = _read(record)
    if facts is None:
        return
    told = {"stamps": forms.stamps, _STALE: list(forms.stale)}
    if facts.get(_FORMS) != told:
        facts[_FORMS] = told
        written = record.stat()
        write_bytes(record, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())
        # It is as old as what it says of the pictures: an EPUB gives this as its date.
        with storage_errors(record):
            os.utime(record, ns=(written.st_atime_ns, written.st_mtime_ns))


def _read(record: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return cast("dict[str, Any]", facts) if isinstance(facts, dict) else None


def _stamps(facts: dict[str, Any] | None) -> dict[str, str]:
    told: Any = (facts or {}).get(_FORMS)
    stamps: Any = told.get("stamps") if isinstance(told, dict) else None
    return {str(name): str(stamp) for name, stamp in stamps.items()} if isinstance(stamps, dict) else {}

"""Forms: which forms of a book are of an earlier version of it, told in `run.json` and to the reader.

In: the run's record, the folder that was written to, what was written. Out: the stamps of its forms, the
names of those that are stale. A form that nobody recorded, as in 0.1, counts as stale: nobody can tell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from model.files import write_bytes
from model.page.export.book import forms_in

_FORMS, _STALE = "forms", "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """The forms in one folder: the stamp of what each was made of, and which are not of the newest."""

    folder: str
    stamps: dict[str, str]
    stale: tuple[str, ...]

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


def forms_after(record: Path, out: Path, formats: Sequence[str], stamp: str) -> Forms:
    """How the forms in `out` stand after some were written there.

    Args:
        record: the run's run.json; it need not be there yet.
        formats: what was written.
        stamp: of what it was written from.
    """
    folder = os.path.relpath(out.resolve(), record.parent.resolve()).replace(os.sep, "/")
    before = _stamps(_read(record), folder)
    # A reader shows the pages beside it, so that these are written with it.
    written = {*formats, "png"} if "html" in formats else set(formats)
    stamps = {name: stamp if name in written else before.get(name, "") for name in forms_in(out)}
    stale = tuple(name for name, its in stamps.items() if its != stamp)
    return Forms(folder=folder, stamps=stamps, stale=stale)


def keep_forms(record: Path, forms: Forms) -> None:
    """Tell them in run.json, which otherwise stays as it is; where there is none, nothing is told.

    Raises:
        StorageError: the disk refuses.
    """
    facts = _read(record)
    if facts is None:
        return
    told = facts.get(_FORMS)
    known: dict[str, Any] = dict(cast("dict[str, Any]", told)) if isinstance(told, dict) else {}
    known[forms.folder] = {"stamps": forms.stamps, _STALE: list(forms.stale)}
    if known != told:
        facts[_FORMS] = known
        write_bytes(record, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())


def told_forms(record: Path) -> dict[str, Any]:
    """What run.json tells of forms, to be carried over into a new one."""
    facts = _read(record)
    return {_FORMS: facts[_FORMS]} if facts is not None and isinstance(facts.get(_FORMS), dict) else {}


def _read(record: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return cast("dict[str, Any]", facts) if isinstance(facts, dict) else None


def _stamps(facts: dict[str, Any] | None, folder: str) -> dict[str, str]:
    told: Any = (facts or {}).get(_FORMS)
    for key in (folder, "stamps"):
        told = told.get(key) if isinstance(told, dict) else None
    return {str(name): str(stamp) for name, stamp in told.items()} if isinstance(told, dict) else {}

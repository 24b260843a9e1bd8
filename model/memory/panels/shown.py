"""What a panel showed last, whatever was asked of it since; a locked panel keeps it.

In: a story, a panel's identity, facts as JSON. Out: the same. Knows nothing of requests and pictures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from model.memory.store.library import Library


def shown_of(library: Library, story: str) -> dict[str, Any]:
    """Identity of a panel → what it showed last."""
    rows = library.rows("SELECT panel, facts FROM shown WHERE story = ?", (story,))
    return {row["panel"]: json.loads(row["facts"]) for row in rows}


def show(library: Library, story: str, panels: Mapping[str, Mapping[str, Any]]) -> None:
    """Remember what panels show now.

    Raises:
        StorageError: the disk refuses.
    """
    rows = [(story, panel, json.dumps(facts, sort_keys=True)) for panel, facts in panels.items()]
    known = shown_of(library, story)
    if all(known.get(panel) == json.loads(facts) for _, panel, facts in rows):
        return
    with library.writing() as connection:
        connection.executemany("INSERT OR REPLACE INTO shown (story, panel, facts) VALUES (?, ?, ?)", rows)

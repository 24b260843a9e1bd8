"""What the judge said of each try, by the key of its request, for whoever looks at tries before a run ends.

In: a key and facts as JSON. Out: the same. Knows nothing of judging.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from model.memory.store.library import Library


def keep_judgement(library: Library, key: str, facts: Mapping[str, Any]) -> None:
    """Keep the newest word on a try."""
    with library.writing() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO judged (key, facts) VALUES (?, ?)", (key, json.dumps(dict(facts)))
        )


def judgements(library: Library, keys: Collection[str]) -> dict[str, dict[str, Any]]:
    """Key → what was said, for those of which anything was."""
    found: dict[str, dict[str, Any]] = {}
    asked = list(keys)
    for start in range(0, len(asked), 500):
        part = asked[start : start + 500]
        marks = ", ".join("?" * len(part))
        rows = library.rows(f"SELECT key, facts FROM judged WHERE key IN ({marks})", tuple(part))
        found |= {row["key"]: json.loads(row["facts"]) for row in rows}
    return found

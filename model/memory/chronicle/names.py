"""Names of characters: each name, id and alias maps to one folded name.

In: the casts of stories. Out: the name under which the chronicle keeps what somebody knows. Names are folded
(NFKC, case), so "anon" is "Anon". Knows nothing of memories but the table of who knows them.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterable, Mapping

from model.memory.store.library import Library
from model.memory.store.words import fold

_log = logging.getLogger(__name__)


def known_names(library: Library) -> Mapping[str, str]:
    """Every folded alias that was learnt → the folded name it leads to; names lead to themselves."""
    return {row["alias"]: row["name"] for row in library.rows("SELECT alias, name FROM names")}


def resolved(names: Iterable[str], known: Mapping[str, str]) -> tuple[str, ...]:
    """Each name once, folded, aliases followed; a name that nobody learnt is itself."""
    folded = (fold(name) for name in names)
    return tuple(dict.fromkeys(known.get(name, name) for name in folded if name))


def learn(connection: sqlite3.Connection, cast: Mapping[str, Collection[str]]) -> None:
    """Learn the names of a cast, and make one person of what was known under an alias.

    A name beats an alias, and the first owner keeps an alias: who knows what is never mixed up for it.

    Args:
        connection: inside a transaction.
        cast: name → aliases.
    """
    names = {fold(name) for name in cast}
    for name in sorted(names):
        owner = _owner(connection, name)
        if owner is None:
            _lead(connection, name, name)
        elif owner != name and owner in names:  # an earlier story's alias is somebody else's name here
            connection.execute("UPDATE names SET name = ? WHERE alias = ?", (name, name))
    for name, aliases in sorted(cast.items()):
        person = _owner(connection, fold(name)) or fold(name)
        for alias in sorted({fold(alias) for alias in aliases} - names - {""}):
            owner = _owner(connection, alias)
            if owner is None:
                _lead(connection, alias, person)
            elif owner != person:
                _log.warning(
                    "chronicle: %r stays a name of %r and does not become one of %r", alias, owner, person
                )


def _owner(connection: sqlite3.Connection, alias: str) -> str | None:
    row = connection.execute("SELECT name FROM names WHERE alias = ?", (alias,)).fetchone()
    return None if row is None else row["name"]


def _lead(connection: sqlite3.Connection, alias: str, name: str) -> None:
    connection.execute("INSERT INTO names (alias, name) VALUES (?, ?)", (alias, name))
    if alias != name:
        connection.execute("UPDATE OR IGNORE knowers SET name = ? WHERE name = ?", (name, alias))
        connection.execute("DELETE FROM knowers WHERE name = ?", (alias,))

"""Which pictures each book uses, so that eviction keeps finished books complete.

In: a book, named by its folder, and the blobs that its latest run used. Out: the same. Knows nothing of
pages, of files outside the library, or of how a book was drawn.
"""

from __future__ import annotations

from collections.abc import Iterable

from model.memory.store.library import Library


def bind_book(library: Library, book: str, blobs: Iterable[str]) -> None:
    """Say which pictures a book shows from now on, instead of those of its run before.

    Args:
        blobs: sha256s; an empty one is left out.
    Raises:
        StorageError: the disk refuses; the book keeps what it had.
    """
    shown = {blob for blob in blobs if blob}
    if shown == set(pictures_of(library, book)):
        return
    with library.writing() as connection:
        connection.execute("DELETE FROM book_pictures WHERE book = ?", (book,))
        connection.executemany(
            "INSERT INTO book_pictures (book, blob) VALUES (?, ?)", [(book, blob) for blob in sorted(shown)]
        )


def pictures_of(library: Library, book: str) -> tuple[str, ...]:
    """What the book shows, by sha256; empty when it is not known."""
    rows = library.rows("SELECT blob FROM book_pictures WHERE book = ? ORDER BY blob", (book,))
    return tuple(row["blob"] for row in rows)


def books(library: Library) -> dict[str, int]:
    """How many pictures each known book shows."""
    rows = library.rows("SELECT book, count(*) AS n FROM book_pictures GROUP BY book ORDER BY book")
    return {row["book"]: row["n"] for row in rows}


def forget_book(library: Library, book: str) -> int:
    """Let eviction have a book's pictures; returns how many they were."""
    with library.writing() as connection:
        return connection.execute("DELETE FROM book_pictures WHERE book = ?", (book,)).rowcount

"""What a character recalls: its passages are found, ranked, and cut to the room there is.

In: a question, who asks it and from which place of the book. Out: recollections, best first. The scope is
part of the query to the database: a passage that the asker does not know is never read.
Knows nothing of prompts; `model.memory.chronicle.ranking` weighs the candidates.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.memory.chronicle.memories import Kind, Place, Recollection, TextEncoder
from model.memory.chronicle.ranking import Candidate, rank
from model.memory.store.library import Library
from model.memory.store.words import count_tokens, cut, telling

_log = logging.getLogger(__name__)

# A word where the passage was said counts less than the same word in what was said.
_IN_WORDS, _IN_CONTEXT = 1.0, 0.4

_SCOPE = """
    FROM passages p JOIN memories m ON m.id = p.memory LEFT JOIN stories s ON s.slug = m.story
    WHERE (?1 IS NULL OR EXISTS (SELECT 1 FROM knowers k WHERE k.name = ?1 AND k.passage = p.id))
      AND (m.next_session = 0 OR m.id <= ?2)
      AND (?3 IS NULL OR (coalesce(s.chapter, 0), m.page, m.panel) < (?3, ?4, ?5))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question to the chronicle; names are resolved.

    Attributes:
        newest: number of the newest memory when the session began.
        kinds: of passages to look through; empty = all.
    """

    query: str
    who: str | None
    present: tuple[str, ...]
    before: Place | None
    newest: int
    kinds: frozenset[Kind]


def recall(
    library: Library, encoder: TextEncoder, asked: Asked, *, k: int, tokens: int
) -> tuple[Recollection, ...]:
    """See `Chronicle.recall`."""
    read = _candidates(library, asked)
    rows = {row["id"]: row for row in read if not asked.kinds or row["kind"] in asked.kinds}
    if not rows or not telling(asked.query) or k < 1:
        return ()
    vectors = _vectors(library, encoder, list(rows.values()))
    cosines = vectors @ encoder.encode_texts([asked.query])[0]
    candidates = [_candidate(row, asked) for row in rows.values()]
    similarity = dict(zip(rows, cosines.tolist(), strict=True))
    recalled: list[Recollection] = []
    room = tokens
    for candidate, score in rank(candidates, _found(library, asked), cosines):
        if len(recalled) == k:
            break
        row = rows[candidate.passage]
        text = cut(row["text"], room)
        if not text:
            _log.info("chronicle: %s does not fit into %d tokens and is not recalled", row["key"], room)
            continue
        room -= count_tokens(text)
        recalled.append(
            Recollection(
                memory=row["memory"],
                key=row["key"],
                kind=row["kind"],
                speaker=row["speaker"],
                text=text,
                story=row["story"],
                place=candidate.place,
                created=row["created"],
                score=round(score, 6),
                cosine=round(similarity[candidate.passage], 4),
                shared=_shared(asked.query, f"{row['speaker']} {row['context']} {row['text']}"),
            )
        )
    return tuple(recalled)


def _candidates(library: Library, asked: Asked) -> list[sqlite3.Row]:
    chapter, page, panel = asked.before or (None, None, None)
    sql = (
        "SELECT p.id, p.memory, p.kind, p.speaker, p.text, p.context, m.key, m.story, m.page, m.panel,"
        " m.importance, m.created, coalesce(s.chapter, 0) AS chapter,"
        " (SELECT json_group_array(name) FROM knowers k WHERE k.passage = p.id) AS knowers"
        f"{_SCOPE} ORDER BY p.id"
    )
    return library.rows(sql, (asked.who, asked.newest, chapter, page, panel))


def _candidate(row: sqlite3.Row, asked: Asked) -> Candidate:
    knowers: list[str] = json.loads(row["knowers"])
    return Candidate(
        passage=row["id"],
        memory=row["memory"],
        kind=row["kind"],
        place=(row["chapter"], row["page"], row["panel"]),
        importance=row["importance"],
        presence=sum(name in knowers for name in asked.present) / max(len(asked.present), 1),
    )


def _found(library: Library, asked: Asked) -> list[int]:
    """Passages that share a word with the question, best first, of everybody: the caller knows the scope."""
    query = " OR ".join('"' + token.replace('"', '""') + '"' for token in telling(asked.query))
    rows = library.rows(
        "SELECT rowid FROM passage_words WHERE passage_words MATCH ?"
        f" ORDER BY bm25(passage_words, {_IN_WORDS}, {_IN_CONTEXT}), rowid",
        (query,),
    )
    return [row["rowid"] for row in rows]


def _vectors(library: Library, encoder: TextEncoder, rows: list[sqlite3.Row]) -> NDArray[np.float32]:
    """(N, d) of the passages, in their order; those that have none in this space yet are encoded and kept."""
    space = encoder.space
    kept = {
        row["passage"]: np.frombuffer(row["vector"], "<f2").astype(np.float32)
        for row in library.rows("SELECT passage, vector FROM passage_vectors WHERE space = ?", (space,))
    }
    missing = [row for row in rows if row["id"] not in kept]
    if missing:
        made = encoder.encode_texts([_meaning(row) for row in missing]).astype("<f2")
        kept |= {row["id"]: vector.astype(np.float32) for row, vector in zip(missing, made, strict=True)}
        with library.writing() as connection:
            # A memory may have been replaced meanwhile; its passages are gone then.
            connection.executemany(
                "INSERT OR IGNORE INTO passage_vectors (passage, space, vector)"
                " SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM passages WHERE id = ?1)",
                [(row["id"], space, vector.tobytes()) for row, vector in zip(missing, made, strict=True)],
            )
    return np.stack([kept[row["id"]] for row in rows])


def _meaning(row: sqlite3.Row) -> str:
    """What is encoded of a passage: with its speaker, as a sentence model reads it best."""
    return f"{row['speaker']}: {row['text']}" if row["speaker"] else row["text"]


def _shared(query: str, text: str) -> tuple[str, ...]:
    words = set(telling(text))
    return tuple(word for word in telling(query) if word in words)

"""Likes, dislikes and scores on the page, by the vectors that the library has of drawn panels.

In: pictures of the library by name. Out: the vibe memory's word on them. A picture's vector was made when it
was drawn, so no network is loaded here; where panels and vibe memory are of different encoders there is no
score, and liking is refused with what to do.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import ConfigError
from model.files import BlobId
from model.memory.store.library import Library
from model.memory.vibe.entries import Contents, Copy, Memory
from model.memory.vibe.exchange import export_file, import_file, profiles
from model.memory.vibe.store import read_text
from model.pictures import stored_picture
from model.run.vibe import encoder_name, get_vibe_memory, vibe_path
from model.web import schemas as s
from model.web.state import House, Sight

_EDGES = [round(-1 + step / 10, 1) for step in range(21)]


def vibe_view(category: str | None = None) -> s.VibeView:
    """What is liked and disliked, newest first."""
    vibe = get_vibe_memory()
    statistics = vibe.get_statistics()
    entries = [
        s.VibeEntry(
            id=f"{index}",
            liked=memory.liked,
            category=memory.category,
            weight=round(memory.weight, 4),
            time=memory.timestamp or 0.0,
            picture=memory.fact("blob"),
            source=Path(memory.fact("source")).name,
        )
        for index, memory in enumerate(vibe.memories)
        if category in (None, memory.category)
    ]
    return s.VibeView(
        path=str(vibe_path()),
        profiles=list(profiles(vibe_path())),
        likes=statistics["liked"],
        dislikes=statistics["disliked"],
        categories={name: sum(counts.values()) for name, counts in statistics["categories"].items()},
        entries=sorted(entries, key=lambda entry: -entry.time)[:500],
        note="" if encoder_name() == "starter" else f"pictures are seen by {encoder_name()}",
    )


def give_opinion(house: House, said: s.Opinion) -> None:
    """Like or dislike a picture of the library, or take back what was said of it.

    Raises:
        KeyError: the library has no such panel. ConfigError: it has no vector of it.
    """
    vibe = get_vibe_memory()
    if said.liked is not None:
        vector, space = _vector(house.library, BlobId(said.picture))
        if encoder_name() != "starter":
            raise ConfigError(
                f"vibe: the memory is of {encoder_name()}, panels are seen by the starter's encoder; like "
                "the panel's file with run.py vibe like, or unset CLIP_MODEL_NAME"
            )
        path = house.library.blob_path(BlobId(said.picture))
        memory = Memory(
            liked=said.liked,
            vector=vector,
            category=said.category,
            space=space,
            copies=(
                Copy(timestamp=round(time.time(), 3), facts={"source": str(path), "blob": said.picture}),
            ),
        )
        _forget(said.picture)
        vibe.remember([(memory, stored_picture(house.library.load(BlobId(said.picture))))])
    else:
        _forget(said.picture)
    house.hub.send("vibe", {})


def opinions() -> dict[str, bool]:
    """Picture → whether it is liked, of those that somebody has said something about."""
    return {memory.fact("blob"): memory.liked for memory in get_vibe_memory().memories if memory.fact("blob")}


def scores_view(house: House, book: str, category: str | None = None) -> s.ScoresView:
    """How the panels of a book score now, and which of them the threshold would send back."""
    sight = house.sight(book)
    settings = house.studio(book).settings
    shown = {name: one.shown.picture for name, one in sight.drawn.panels.items() if one.shown is not None}
    scores = score_all(house.library, list(shown.values()), category or settings.vibe_category)
    found = [
        s.PanelScore(panel=panel, score=round(scores[picture], 4), picture=picture)
        for panel, picture in shown.items()
        if picture in scores
    ]
    counts, _ = np.histogram([one.score for one in found], bins=np.array(_EDGES))
    return s.ScoresView(
        scores=found,
        threshold=settings.vibe_threshold,
        max_retries=settings.max_retries,
        counts=[int(count) for count in counts],
        edges=_EDGES,
        known=bool(get_vibe_memory().memories),
    )


def score_all(library: Library, pictures: Collection[BlobId], category: str | None) -> dict[BlobId, float]:
    """Picture → its score, for those that can be scored."""
    vibe = get_vibe_memory()
    if not vibe.memories or encoder_name() != "starter":
        return {}
    vectors: dict[BlobId, NDArray[np.float16]] = {}
    for picture in pictures:
        try:
            vectors[picture] = _vector(library, picture)[0]
        except (KeyError, ConfigError):
            continue
    if not vectors:
        return {}
    stacked = np.stack(list(vectors.values())).astype(np.float32)
    return dict(zip(vectors, map(float, vibe.score_many(stacked, category)), strict=True))


def explained(house: House, picture: BlobId, category: str | None) -> s.Explained:
    """Why a picture scores as it does, in words."""
    vibe = get_vibe_memory()
    if not vibe.memories or encoder_name() != "starter":
        return s.Explained(score=None, words=["nothing is liked or disliked yet, so every panel is neutral"])
    vector = _vector(house.library, picture)[0].astype(np.float32)
    found = vibe.explain(vector, category)
    influences = [
        s.Influence(
            picture=one.memory.fact("blob"),
            liked=one.memory.liked,
            weight=round(one.contribution, 4),
            words=f"{one.contribution:+.2f}: {'like' if one.similarity > 0 else 'unlike'} a picture that you "
            f"{'like' if one.memory.liked else 'dislike'} ({one.memory.category}, similarity "
            f"{one.similarity:+.2f})",
        )
        for one in found.influences
    ]
    return s.Explained(
        score=round(found.score, 4), words=[one.words for one in influences], influences=influences
    )


def exported() -> bytes:
    """The vibe memory as a file of format 2, as other programs read it."""
    with tempfile.TemporaryDirectory(prefix="autostudio-vibe-") as folder:
        path = Path(folder) / "vibe_memory.json"
        export_file(get_vibe_memory(), path)
        return path.read_bytes()


def imported(data: bytes) -> s.Imported:
    """Take over what a file has and this memory has not.

    Raises:
        IntegrityError: it is no vibe memory.
    """
    with tempfile.TemporaryDirectory(prefix="autostudio-vibe-") as folder:
        path = Path(folder) / "import.json"
        path.write_bytes(data)
        read_text(path)
        report = import_file(get_vibe_memory(), path)
    return s.Imported(added=report.added, known=report.known, notes=list(report.complaints)[:20])


def liked_tries(sight: Sight, panel: str) -> dict[str, bool]:
    """Key of a try → whether it is liked."""
    said = opinions()
    return {one.key: said[one.picture] for one in sight.drawn.panels[panel].tries if one.picture in said}


def _forget(picture: str) -> None:
    def change(contents: Contents) -> Contents:
        left = tuple(memory for memory in contents.memories if memory.fact("blob") != picture)
        return contents if len(left) == len(contents.memories) else replace(contents, memories=left)

    get_vibe_memory().change(change)


def _vector(library: Library, picture: BlobId) -> tuple[NDArray[np.float16], str]:
    rows = library.rows(
        "SELECT embedding, space FROM panels WHERE blob = ? AND embedding IS NOT NULL", (picture,)
    )
    if not rows:
        if not library.blob_path(picture).is_file():
            raise KeyError(f"picture {picture[:12]}")
        raise ConfigError(f"picture {picture[:12]}: was never judged; like one that was drawn as a panel")
    return np.frombuffer(rows[0]["embedding"], "<f2"), rows[0]["space"]

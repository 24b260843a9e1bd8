"""The tries of a panel: all of them, which one is shown, what a person thinks of them; and the vibe
memory."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from model.errors import ConfigError
from model.files import BlobId
from model.memory.panels.tries import Tries
from model.web import liking
from model.web import schemas as s
from model.web.edits import PanelId
from model.web.routes.answers import REFUSALS, body_of
from model.web.state import Here, House

router = APIRouter(prefix="/api", tags=["tries"], responses=REFUSALS)
Category = Annotated[str | None, Query(max_length=64)]


@router.get("/books/{book}/panels/{panel}/tries")
def tries(house: Here, book: s.BookName, panel: PanelId) -> s.TriesView:
    """Every try of a panel that is kept, with scores and reasons."""
    return _tries(house, book, panel)


@router.post("/books/{book}/panels/{panel}/choose")
def choose(house: Here, book: s.BookName, panel: PanelId, wanted: s.Choice) -> s.TriesView:
    """Show a try from now on; an empty key lets the judge choose again. Nothing is drawn."""
    sight = house.sight(book)
    if panel not in sight.drawn.panels:
        raise KeyError(panel)
    drawn = sight.drawn.panels[panel]
    if not drawn.first or (wanted.key and wanted.key not in {one.key for one in drawn.tries}):
        raise ConfigError(f"{panel}: has no try {wanted.key[:12]}; load its tries again")
    Tries(house.library).choose(sight.plan.key, drawn.panel.identity, drawn.first, wanted.key)
    house.moved(book)
    house.hub.send("chosen", {"book": book, "panel": panel, "key": wanted.key})
    return _tries(house, book, panel)


@router.get("/vibe")
def vibe(category: Category = None) -> s.VibeView:
    """What is liked and disliked."""
    return liking.vibe_view(category)


@router.post("/vibe/opinion")
def opinion(house: Here, said: s.Opinion) -> s.VibeView:
    """Like or dislike a picture, or take that back."""
    liking.give_opinion(house, said)
    return liking.vibe_view()


@router.get("/books/{book}/scores")
def scores(house: Here, book: s.BookName, category: Category = None) -> s.ScoresView:
    """How the book's panels score."""
    return liking.scores_view(house, book, category)


@router.get("/vibe/explain/{picture}")
def explain(
    house: Here, picture: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")], category: Category = None
) -> s.Explained:
    """Why a picture scores as it does."""
    return liking.explained(house, BlobId(picture), category)


@router.get("/vibe/export", response_class=Response)
def export() -> Response:
    """The vibe memory as a file."""
    return Response(
        liking.exported(),
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="vibe_memory.json"'},
    )


@router.post("/vibe/import")
async def take(house: Here, request: Request) -> s.Imported:
    """Take over the opinions of a file; the body is the file."""
    found = liking.imported(await body_of(request))
    house.hub.send("vibe", {})
    return found


def _tries(house: House, book: str, panel: str) -> s.TriesView:
    sight = house.sight(book)
    if panel not in sight.drawn.panels:
        raise KeyError(panel)
    drawn = sight.drawn.panels[panel]
    liked = liking.liked_tries(sight, panel)
    scores = liking.score_all(house.library, [one.picture for one in drawn.tries], None)
    return s.TriesView(
        panel=panel,
        tries=[
            s.TryView(
                key=one.key,
                attempt=number,
                picture=one.picture,
                seed=one.seed,
                accepted=one.accepted,
                reasons=list(one.reasons),
                scores={**one.scores, **({"vibe": scores[one.picture]} if one.picture in scores else {})},
                shown=one is drawn.shown,
                kind="repair" if one.repaired else "try",
                liked=liked.get(one.key),
            )
            for number, one in enumerate(drawn.tries)
        ],
        chosen=drawn.chosen,
        locked=drawn.panel.locked,
    )

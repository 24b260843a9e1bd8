"""A page set for the screen: the same sheet that is printed, as numbers and paths.

In: a page of a plan, what is drawn of it, the library. Out: a `PageView`. Kept warm: of a page that is set
again while a line is typed only that line's panel is lettered anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from model.errors import IntegrityError, StoryError
from model.geometry import Box
from model.memory.store.library import Library
from model.page.export.sheet import Sheet, SheetPanel, lay_out
from model.page.export.vectors import Vectors, vectors_of
from model.page.type.faces import Faces, house_faces
from model.page.values import Book as PageBook
from model.run.bind import lettered
from model.story.plan import Figure, Page, Panel, Plan
from model.story.schema import Story
from model.web import schemas as s
from model.web.drawn import PanelDrawn, Try


def page_view(
    plan: Plan, page: Page, story: Story, drawn: Mapping[str, PanelDrawn], library: Library
) -> s.PageView:
    """One page as it will be printed. A page that cannot be set says why, and comes without words."""
    shown = {name: one.shown for name, one in drawn.items() if one.shown is not None}
    pictures = {
        panel.id: library.blob_path(shown[panel.id].picture)
        for panel in page.panels
        if panel.id in shown and library.blob_path(shown[panel.id].picture).is_file()
    }
    places = {panel.id: _places(panel, shown.get(panel.id)) for panel in page.panels}
    book = lettered(replace(plan, pages=(page,)), pictures, places)
    sheet, error = _laid_out(book)
    faces = house_faces(book.font)
    told = story.pages[page.number - 1].panels
    return s.PageView(
        number=page.number,
        width=sheet.width,
        height=sheet.height,
        template=page.template,
        panels=[
            _panel_view(
                one, panel, told[index].characters, len(told[index].dialogue), drawn.get(panel.id), faces
            )
            for index, (one, panel) in enumerate(zip(sheet.panels, page.panels, strict=True))
        ],
        notes=list(sheet.notes),
        error=error,
    )


def _laid_out(book: PageBook) -> tuple[Sheet, str]:
    page = book.pages[0]
    try:
        return lay_out(book, page), ""
    except StoryError as error:
        bare = replace(page, panels=tuple(replace(one, caption="", lines=()) for one in page.panels))
        return lay_out(book, bare), str(error)
    except IntegrityError as error:
        bare = replace(page, panels=tuple(replace(one, picture=None) for one in page.panels))
        return lay_out(book, bare), str(error)


def _places(panel: Panel, shown: Try | None) -> tuple[Box, ...]:
    """Where figures are in the picture that is shown, or are asked for."""
    found = shown.found if shown else {}
    return tuple(found.get(figure.character, figure.box) for figure in panel.figures)


def _panel_view(
    sheet: SheetPanel,
    panel: Panel,
    told: tuple[object, ...],
    lines: int,
    drawn: PanelDrawn | None,
    faces: Faces,
) -> s.PanelView:
    shown = drawn.shown if drawn else None
    frame, window = sheet.frame, sheet.window
    return s.PanelView(
        id=panel.id,
        frame=s.FrameView(
            x=frame.x,
            y=frame.y,
            width=frame.width,
            height=frame.height,
            corners=tuple((point.x, point.y) for point in sheet.corners),  # pyright: ignore[reportArgumentType]
            inset=sheet.inset,
        ),
        window=window.as_tuple(),
        picture=shown.picture if shown and sheet.art.picture else "",
        width=panel.width,
        height=panel.height,
        balloons=[_balloon_view(one, lines) for one in vectors_of(sheet.balloons, faces)],
        figures=_figure_views(panel, told, shown),
        stale=drawn.stale if drawn else "",
        locked=panel.locked,
        accepted=shown.accepted if shown else None,
        tries=len(drawn.tries) if drawn else 0,
    )


def _figure_views(panel: Panel, told: tuple[object, ...], shown: Try | None) -> list[s.FigureView]:
    """The panel's figures, each with its place in the story, which lists them in another order."""
    left = list(enumerate(told))
    views: list[s.FigureView] = []
    for figure in panel.figures:
        key, _, variant = figure.character.partition("#")[0].partition("/")
        index, who = next(
            (
                (number, one)
                for number, one in left
                if getattr(one, "id", "") == key and (getattr(one, "variant", None) or "") == variant
            ),
            (-1, None),
        )
        left = [(number, one) for number, one in left if number != index]
        views.append(_figure_view(index, figure, key, variant, getattr(who, "box", None) is not None, shown))
    return sorted(views, key=lambda view: view.figure)


def _figure_view(
    index: int, figure: Figure, key: str, variant: str, given: bool, shown: Try | None
) -> s.FigureView:
    found = shown.found.get(figure.character) if shown else None
    return s.FigureView(
        figure=max(index, 0),
        id=key,
        variant=variant,
        name=figure.name,
        box=figure.box.clipped().as_tuple(),
        given=given,
        found=found.as_tuple() if found else None,
        prompt=figure.prompt,
    )


def _balloon_view(one: Vectors, lines: int) -> s.BalloonView:
    balloon = one.balloon
    return s.BalloonView(
        line=balloon.number if balloon.number < lines else -2,
        kind=balloon.kind,
        text=balloon.text,
        x=balloon.rect.x,
        y=balloon.rect.y,
        width=balloon.rect.width,
        height=balloon.rect.height,
        shapes=list(one.shapes),
        fill=one.fill,
        stroke=one.stroke,
        stroke_width=one.stroke_width,
        dashes=list(one.dashes),
        words=one.words,
        ink=one.ink,
        rims=list(one.rims),
        size=balloon.size,
        lines=[
            s.TextView(text=row.text, x=row.x, baseline=row.baseline, vertical=row.vertical)
            for row in balloon.lines
        ],
        joined=balloon.joined,
        held=balloon.held,
    )

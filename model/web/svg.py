"""A page as one SVG, from the same numbers that the page in the browser is made of."""

from __future__ import annotations

from html import escape

from model.web.schemas import BalloonView, PageView, PanelView


def page_svg(page: PageView) -> str:
    """The page; its art is addressed by blob, and so shows only in this server's own pages."""
    size = f"{page.width:.2f} {page.height:.2f}"
    panels = "".join(_panel(panel, index) for index, panel in enumerate(page.panels))
    balloons = "".join(_balloon(one) for panel in page.panels for one in panel.balloons)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}">'
        f'<rect width="100%" height="100%" fill="#fff"/>{panels}{balloons}</svg>'
    )


def _panel(panel: PanelView, index: int) -> str:
    frame, window = panel.frame, panel.window
    points = " ".join(f"{x:.2f},{y:.2f}" for x, y in frame.corners)
    art = f'<polygon points="{points}" fill="#eee"/>'
    if panel.picture:
        width, height = frame.width / window[2], frame.height / window[3]
        art = (
            f'<clipPath id="c{index}"><polygon points="{points}"/></clipPath>'
            f'<image href="/api/blobs/{panel.picture}.png" x="{frame.x - window[0] * width:.2f}" '
            f'y="{frame.y - window[1] * height:.2f}" width="{width:.2f}" height="{height:.2f}" '
            f'preserveAspectRatio="none" clip-path="url(#c{index})"/>'
        )
    return f'{art}<polygon points="{points}" fill="none" stroke="#121214" stroke-width="1.1"/>'


def _balloon(one: BalloonView) -> str:
    dashes = f' stroke-dasharray="{" ".join(map(str, one.dashes))}"' if one.dashes else ""
    shapes = "".join(
        f'<path d="{shape}" fill="{one.fill}" stroke="{one.stroke}" '
        f'stroke-width="{one.stroke_width:.2f}"{dashes}/>'
        for shape in one.shapes
    )
    rims = "".join(
        f'<path d="{one.words}" fill="none" stroke="{colour}" stroke-width="{width:.2f}" '
        'stroke-linejoin="round"/>'
        for colour, width in one.rims
    )
    return f'<g><title>{escape(one.text)}</title>{shapes}{rims}<path d="{one.words}" fill="{one.ink}"/></g>'

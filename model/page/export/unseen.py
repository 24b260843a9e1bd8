"""Unseen: characters laid over letters, where glyphs do not tell which characters they draw.

In: runs and where their glyphs stand. Out: the letters as shapes, and over them their characters, too faint
to be seen, in the order in which they are read. A PDF gives a glyph the character that the font has it for:
joined Arabic, mirrored brackets and decomposed vowels would be found as others, or not at all.

Viewers turn what runs leftwards round themselves, word by word, and read words in the order of the file. So
words are written in the order in which they are read, and the letters of each from left to right.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

import skia

from model.page.type.faces import Run, font

FAINT = skia.Color(255, 255, 255, 1)
Spot = tuple[float, float, float]  # x and y in points, and an angle

# A word without the signs around it, which viewers leave where they stand; a sign; or white.
_WORDS = re.compile(r"\w(?:\S*\w)?|\S|\s+")


def tells(run: Run) -> bool:
    """Whether each glyph of a run is the one that its font has for the character in its place."""
    return (
        not run.leftwards
        and len(run.glyphs) == len(run.text)
        and all(
            run.face.typeface.unicharToGlyph(ord(character)) == glyph
            for character, glyph in zip(run.text, run.glyphs, strict=True)
        )
    )


def lay_over(
    canvas: skia.Canvas, run: Run, size: float, spots: Sequence[Spot], paint: skia.Paint, squeeze: float
) -> None:
    """Draw a run as shapes, and its characters over them."""
    draw_shapes(canvas, run, size, spots, paint, squeeze)
    places = _places(run, size, spots, squeeze)
    faint = skia.Paint(AntiAlias=True, Color=FAINT)
    plain = run.face.font(size)
    for word in _WORDS.finditer(run.text):
        indices = range(word.start(), word.end())
        for index in reversed(indices) if run.leftwards else indices:
            if index not in places:
                continue
            character, (x, y, angle), width = run.text[index], *places[index]
            glyph = run.face.typeface.unicharToGlyph(ord(character))
            advance = plain.getWidths([glyph])[0]
            # As wide as its place: neither a gap nor an overlap parts a word.
            share = width / advance if advance and width else 1.0
            builder = skia.TextBlobBuilder()
            form = skia.RSXform(math.cos(angle), math.sin(angle), x, y)
            made = font(run, size, share)
            if angle:
                builder.allocRunRSXform(made, [glyph], [form])
            else:
                builder.allocRunPos(made, [glyph], [skia.Point(x, y)])
            canvas.drawTextBlob(builder.make(), 0.0, 0.0, faint)


def draw_shapes(
    canvas: skia.Canvas, run: Run, size: float, spots: Sequence[Spot], paint: skia.Paint, squeeze: float
) -> None:
    """Draw letters as shapes, which no search finds; pictures, as emoji are, as they are."""
    made = font(run, size, squeeze)
    for glyph, (x, y, angle) in zip(run.glyphs, spots, strict=True):
        path = made.getPath(glyph)
        canvas.save()
        canvas.translate(x, y)
        canvas.rotate(math.degrees(angle))
        if path is not None:
            canvas.drawPath(path, paint)
        else:
            builder = skia.TextBlobBuilder()
            builder.allocRunPos(made, [glyph], [skia.Point(0.0, 0.0)])
            canvas.drawTextBlob(builder.make(), 0.0, 0.0, paint)
        canvas.restore()


def _places(run: Run, size: float, spots: Sequence[Spot], squeeze: float) -> dict[int, tuple[Spot, float]]:
    """Where each character that the font knows stands, and how wide it is there; marks on their letters."""
    first: dict[int, Spot] = {}
    for source, spot in zip(run.sources, spots, strict=True):
        if source not in first or spot[0] < first[source][0]:
            first[source] = spot
    # What one stretch of glyphs draws reaches to where the next begins, which may be left of it.
    along = sorted(first, key=lambda source: run.places[run.sources.index(source)][0])
    ends = dict(pairwise(along))
    read = sorted(first)
    found: dict[int, tuple[Spot, float]] = {}
    for source in along:
        x, y, angle = first[source]
        start = run.places[run.sources.index(source)][0]
        end = run.places[run.sources.index(ends[source])][0] if source in ends else run.width
        width = max(end - start, 0.0) * size * squeeze
        later = [other for other in read if other > source]
        characters = range(source, later[0] if later else len(run.text))
        known = [at for at in characters if run.face.typeface.unicharToGlyph(ord(run.text[at]))]
        letters = [at for at in known if not unicodedata.combining(run.text[at])]
        share = width / max(len(letters), 1)
        for at in known:
            # A mark stands where its letter ends, in the order in which they are written.
            behind = sum(letter < at for letter in letters)
            if run.leftwards:
                behind = max(len(letters) - behind - (at in letters), 0)
            step = share * behind
            place = x + step * math.cos(angle), y + step * math.sin(angle), angle
            found[at] = place, share if at in letters else 0.0
    return found

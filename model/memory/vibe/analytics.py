"""A picture of a taste: what is liked most and least, what is hard to tell apart, how far scores can be
trusted.

In: a vibe memory and its calibration. Out: a PNG. Memories whose picture was not kept show as an empty frame
with their source. Deterministic for one memory on one day.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps
from PIL.PngImagePlugin import PngInfo

from model.files import write_bytes
from model.memory.vibe.entries import Memory
from model.memory.vibe.memory import VibeMemory
from model.memory.vibe.report import Calibration
from model.memory.vibe.taste import Taste
from model.ours import MARK, set_aside
from model.pictures import picture_at

WIDTH, MARGIN, TILE, GAP = 1000, 30, 150, 8
SHOWN = 6
_INK, _PALE, _PAPER = (40, 40, 46), (150, 150, 158), (252, 252, 250)
_LIKED, _DISLIKED = (38, 128, 92), (186, 64, 58)
_STRIP = TILE + 74


def draw_analytics(vibe: VibeMemory, calibration: Calibration, out: Path) -> None:
    """Draw `vibe` and write it to `out`.

    Raises:
        StorageError: the disk refuses.
    """
    memories = vibe.memories
    size = memories[-1].vector.size if memories else 1
    taste = vibe.taste(size)
    sheet = Image.new("RGB", (WIDTH, 110 + 3 * _STRIP + 340), _PAPER)
    pen = ImageDraw.Draw(sheet)
    _header(pen, vibe)
    if len(taste.opinions):
        scores = _scores(taste)
        order = np.argsort(-scores, kind="stable")
        strips = (
            ("Liked most", _LIKED, [index for index in order if scores[index] > 0][:SHOWN]),
            ("Disliked most", _DISLIKED, [index for index in order[::-1] if scores[index] < 0][:SHOWN]),
        )
        for number, (title, colour, chosen) in enumerate(strips):
            tiles = [(_memory(taste, index), f"{scores[index]:+.2f}") for index in chosen]
            _strip(sheet, vibe, 110 + number * _STRIP, title, colour, tiles)
        pairs = _confusable(taste)
        tiles = [
            (
                _memory(taste, index),
                ("liked" if taste.opinions.signed[index] > 0 else "disliked") + f", {cosine:+.2f}",
            )
            for like, dislike, cosine in pairs
            for index in (like, dislike)
        ]
        title = "Hardest to tell apart: a like and the dislike most similar to it"
        _strip(sheet, vibe, 110 + 2 * _STRIP, title, _INK, tiles)
    top = 110 + 3 * _STRIP
    _calibration(pen, top, calibration)
    _categories(pen, top, vibe.get_statistics()["categories"])
    data = io.BytesIO()
    about = PngInfo()
    about.add_text("Software", MARK)
    sheet.save(data, "PNG", pnginfo=about)
    set_aside(out)
    write_bytes(out, data.getvalue())


def _scores(taste: Taste) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What each remembered picture itself would score, in its category."""
    opinions = taste.opinions
    scores = np.zeros(len(opinions))
    for category in set(opinions.categories):
        chosen = np.array([name == category for name in opinions.categories])
        scores[chosen] = taste.scores(opinions.vectors[chosen], category)
    return scores


def _memory(taste: Taste, index: int) -> Memory:
    return taste.memories[taste.opinions.sources[index][-1]]


def _confusable(taste: Taste) -> list[tuple[int, int, float]]:
    """At most three pairs of a like and a dislike, no picture twice, the most similar first."""
    rows = taste.opinions.vectors - taste.centre
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    likes, dislikes = np.flatnonzero(taste.opinions.signed > 0), np.flatnonzero(taste.opinions.signed < 0)
    cosines = rows[likes] @ rows[dislikes].T
    pairs: list[tuple[int, int, float]] = []
    while cosines.size and len(pairs) < SHOWN // 2 and cosines.max() > -2:
        row, column = np.unravel_index(int(cosines.argmax()), cosines.shape)
        pairs.append((int(likes[row]), int(dislikes[column]), float(cosines[row, column])))
        cosines[row], cosines[:, column] = -3, -3
    return pairs


def _header(pen: ImageDraw.ImageDraw, vibe: VibeMemory) -> None:
    facts = vibe.get_statistics()
    pen.text((MARGIN, 24), f"Vibe memory {vibe.path.name}", fill=_INK, font=_font(28))
    line = f"{facts['liked']} liked, {facts['disliked']} disliked"
    if facts["generation_count"]:
        line += f"; {facts['generation_count']} pictures scored, {facts['average_score']:+.2f} on average"
    pen.text((MARGIN, 64), line, fill=_PALE, font=_font(17))


def _strip(
    sheet: Image.Image,
    vibe: VibeMemory,
    top: int,
    title: str,
    colour: tuple[int, int, int],
    tiles: Sequence[tuple[Memory, str]],
) -> None:
    """One row of pictures with a line under each."""
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, top), title, fill=colour, font=_font(19))
    if not tiles:
        pen.text((MARGIN, top + 40), "nothing yet", fill=_PALE, font=_font(16))
    for number, (memory, line) in enumerate(tiles):
        left = MARGIN + number * (TILE + GAP)
        box = (left, top + 30, left + TILE, top + 30 + TILE)
        path = vibe.picture_of(memory)
        pen.rectangle(box, fill=(236, 236, 232))
        if path is not None:
            opened = picture_at(path).convert("RGB")
            picture = ImageOps.contain(opened, (TILE, TILE), Image.Resampling.LANCZOS)
            sheet.paste(
                picture, (left + (TILE - picture.width) // 2, top + 30 + (TILE - picture.height) // 2)
            )
        else:
            name = Path(memory.fact("source") or "an embedding").name
            pen.text(
                (left + 8, top + 30 + TILE // 2 - 8),
                _fitting(name, TILE - 16, 13),
                fill=_PALE,
                font=_font(13),
            )
        pen.rectangle(box, outline=_LIKED if memory.liked else _DISLIKED, width=3)
        text = _fitting(f"{line}  {memory.category}", TILE, 14)
        pen.text((left, top + 36 + TILE), text, fill=_INK, font=_font(14))


def _calibration(pen: ImageDraw.ImageDraw, top: int, found: Calibration) -> None:
    """Said probability against what came true; on the diagonal, scores mean what they say."""
    left, side = MARGIN + 46, 230
    pen.text((MARGIN, top), "Can its scores be trusted?", fill=_INK, font=_font(19))
    pen.rectangle((left, top + 34, left + side, top + 34 + side), outline=_PALE)
    pen.line((left, top + 34 + side, left + side, top + 34), fill=_PALE)
    for share in (0, 50, 100):
        place = share * side // 100
        pen.text((left + place - 10, top + 38 + side), f"{share}%", fill=_PALE, font=_font(13))
        pen.text((left - 40, top + 26 + side - place), f"{share}%", fill=_PALE, font=_font(13))
    pen.text((left + 40, top + 56 + side), "said to be liked, by the rest", fill=_PALE, font=_font(13))
    pen.text((left + 8, top + 38), "are liked", fill=_PALE, font=_font(13))
    for one in found.bins:
        x, y = left + one.said * side, top + 34 + side * (1 - one.liked)
        radius = 4 + 14 * (one.count / found.count) ** 0.5
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=_LIKED, width=3)
    if found.count:
        lines = (
            f"{found.count} pictures, each scored by the others",
            f"AUC {found.auc:.2f}",
            f"Brier {found.brier:.3f}",
        )
    else:
        lines = ("too few likes or dislikes to tell:", "three of each are needed")
    for number, line in enumerate(lines):
        pen.text((left + side + 14, top + 40 + 22 * number), line, fill=_INK, font=_font(15))


def _categories(pen: ImageDraw.ImageDraw, top: int, categories: dict[str, dict[str, int]]) -> None:
    """Likes and dislikes of the largest categories, as bars."""
    left, full = 620, 200
    pen.text((left, top), "Categories", fill=_INK, font=_font(19))
    largest = sorted(categories.items(), key=lambda item: (-sum(item[1].values()), item[0]))[:SHOWN]
    most = max((max(counts.values()) for _, counts in largest), default=1)
    for number, (name, counts) in enumerate(largest):
        y = top + 38 + 44 * number
        pen.text((left, y + 4), _fitting(name, 120, 15), fill=_INK, font=_font(15))
        for row, (side, colour) in enumerate((("liked", _LIKED), ("disliked", _DISLIKED))):
            length = counts[side] * full // most
            place = y + 16 * row
            pen.rectangle((left + 130, place, left + 130 + length, place + 11), fill=colour)
            pen.text((left + 136 + length, place - 3), str(counts[side]), fill=_PALE, font=_font(13))


def _fitting(text: str, width: int, size: int) -> str:
    """The text, or as much of its beginning as fits, with dots."""
    font = _font(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)

"""Balloons: whether every speaker's balloon has a tail, no tail crosses anything, and all is read in order.

    python -m scripts.bench.balloons [--panels 2000] [--seed 0]

Pages of random panels of every size and template, in both reading directions, and strips for a telephone: one
to four figures, placed by the planner or by the story, who say one to six lines of all kinds. What is judged
is what is drawn: the shape of a tail outside its balloon against the shapes of other balloons and tails and
against faces; the order of two balloons by where a reader who goes through rows would find them.

Last line: JSON. Expected: 0 tailless, 0 crossing, 0 in a wrong order.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import skia

from model.errors import StoryError
from model.geometry import Box
from model.page.anatomy import face_of
from model.page.balloons.hand import Hand
from model.page.balloons.lettering import letter_panel
from model.page.balloons.outlines import outline
from model.page.balloons.people import people_in
from model.page.balloons.placed import Balloon
from model.page.balloons.tails import tail_of
from model.page.export.sheet import WHOLE, lay_out
from model.page.layout.templates import PAGE_SIZES, WEBTOON, templates_for
from model.page.plane import Rect
from model.page.type.faces import house_faces
from model.page.values import Book, Line, PageArt, PanelArt
from model.story.layout import place_figures
from scripts.bench.command import run, seed_flag

SPEECH = (
    "the sun is not up yet and we have been waiting here since last night for a boat that never comes "
    "because somebody told Mika it would so wait with me a little longer under the old lighthouse"
)
KINDS = ("speech", "speech", "speech", "thought", "shout", "whisper")
STRIP = "strip"
_SEEN = 0.6  # points: an overlap that is smaller in one direction is a line's width


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What is wrong in one panel, each with the numbers of the balloons."""

    tailless: tuple[str, ...] = ()
    crossing: tuple[str, ...] = ()
    disorder: tuple[str, ...] = ()


def panel_of(chance: random.Random, name: str, direction: str, aspect: float) -> PanelArt:
    """One to four speakers, and what they say."""
    count = chance.randint(1, 4)
    shot = chance.choice(("wide", "medium", "medium", "close-up"))
    talking = [chance.randrange(count) for _ in range(chance.randint(1, 6))]
    given: list[Box | None] = [None] * count
    if chance.random() < 0.3:
        given = [_somewhere(chance) for _ in range(count)]
    figures = place_figures(given, shot, aspect, right_to_left=direction == "rtl", speaking=talking)
    lines = tuple(
        Line(
            text=" ".join(chance.choices(SPEECH.split(), k=chance.randint(1, 9))).capitalize() + ".",
            kind=chance.choice(KINDS),
            speaker=figures[who],
        )
        for who in talking
    )
    caption = "Later that night." if chance.random() < 0.2 else ""
    return PanelArt(id=name, lines=lines, caption=caption, figures=figures, shot=shot)


def _somewhere(chance: random.Random) -> Box:
    width, height = chance.uniform(0.2, 0.4), chance.uniform(0.45, 0.8)
    return Box(chance.uniform(0.0, 1.0 - width), 1.0 - height, width, height)


def panels(count: int, seed: int) -> Iterator[tuple[str, str, PanelArt, Rect, tuple[Balloon, ...]]]:
    """Lettered panels: page size, direction, art, frame, balloons. Panels without room are left out."""
    chance = random.Random(seed)
    made = 0
    hand = Hand(faces=house_faces())
    while made < count:
        size = chance.choice((*PAGE_SIZES, STRIP))
        direction = chance.choice(("ltr", "ltr", "rtl"))
        if size == STRIP:
            aspect = chance.choice((0.5, 0.75, 1.0, 4 / 3, 2.0))
            art = panel_of(chance, f"p{made:04}", direction, aspect)
            frame = Rect(7.0, 0.0, 276.0, 276.0 / aspect)
            try:
                found = letter_panel(art, frame, WHOLE, direction, hand).balloons
            except StoryError:
                continue
            made += 1
            yield size, direction, art, frame, found
            continue
        number = chance.randint(1, 6)
        template = "auto" if size == WEBTOON else chance.choice(templates_for(number))
        bare = PageArt(number=1, template=template, panels=(PanelArt(id="x"),) * number)
        book = Book(title="x", page_size=size, reading_direction=direction)
        frames = [panel.frame for panel in lay_out(book, bare).panels]
        arts = tuple(
            panel_of(chance, f"p{made + index:04}", direction, frame.width / frame.height)
            for index, frame in enumerate(frames)
        )
        try:
            sheet = lay_out(book, replace(bare, panels=arts))
        except StoryError:
            continue
        for panel in sheet.panels[: count - made]:
            made += 1
            yield size, direction, panel.art, panel.frame, panel.balloons


def faults_of(art: PanelArt, frame: Rect, balloons: tuple[Balloon, ...], direction: str) -> Faults:
    """What is wrong in a lettered panel."""
    people = people_in(art, frame, WHOLE)
    tailless: list[str] = []
    crossing: list[str] = []
    shapes: dict[int, skia.Path] = {}
    bodies = {index: outline(replace(one, head=None, tail=None)).body for index, one in enumerate(balloons)}
    for index, one in enumerate(balloons):
        if one.head is None:
            continue
        whole = outline(one)
        tail = skia.Path()
        for part in (whole.body, *whole.parts):
            tail = skia.Op(tail, part, skia.PathOp.kUnion_PathOp)
        shapes[index] = skia.Op(tail, bodies[index], skia.PathOp.kDifference_PathOp)
        if tail_of(one) is None or shapes[index].isEmpty():
            tailless.append(f"{index}")
    for index, shape in shapes.items():
        crossing += [
            f"{index} balloon {other}"
            for other, body in bodies.items()
            if other != index and _meet(shape, body)
        ]
        for one in people:
            face = face_of(one.head)
            if not balloons[index].rect.overlap(face) and _meet(shape, _oval(face)):
                crossing.append(f"{index} face")
    crossing += [
        f"{one} tail {other}" for one, other in combinations(shapes, 2) if _meet(shapes[one], shapes[other])
    ]
    disorder = [
        f"{one} {other}"
        for one, other in combinations(range(len(balloons)), 2)
        if balloons[one].kind != "sfx" != balloons[other].kind
        and not _before(balloons[one].rect, balloons[other].rect, direction)
    ]
    return Faults(tailless=tuple(tailless), crossing=tuple(crossing), disorder=tuple(disorder))


def _meet(one: skia.Path, other: skia.Path) -> bool:
    shared = skia.Op(one, other, skia.PathOp.kIntersect_PathOp)
    bounds = shared.getBounds() if shared is not None else skia.Rect()
    return min(bounds.width(), bounds.height()) > _SEEN


def _oval(rect: Rect) -> skia.Path:
    return skia.Path().addOval(skia.Rect.MakeXYWH(rect.x, rect.y, rect.width, rect.height))


def _before(one: Rect, other: Rect, direction: str) -> bool:
    """Whether who reads row by row finds one before the other: beside it in a row, or lower on the panel."""
    shared = min(one.bottom, other.bottom) - max(one.y, other.y)
    if shared > 0.5 * min(one.height, other.height):
        ahead = other.centre.x - one.centre.x
        return (ahead if direction == "ltr" else -ahead) > 0
    return other.centre.y > one.centre.y


def main() -> int:
    parser = argparse.ArgumentParser(description="Count tails and orders that are wrong.")
    parser.add_argument("--panels", type=int, default=2000, metavar="N")
    seed_flag(parser, 0)
    parser.add_argument("--names", action="store_true", help="name each panel in which something is wrong")
    flags = parser.parse_args()
    started = time.perf_counter()
    seen: Counter[str] = Counter()
    wrong: dict[str, Counter[str]] = {}
    slowest, before = 0.0, time.perf_counter()
    for size, direction, art, frame, balloons in panels(flags.panels, flags.seed):
        slowest, before = max(slowest, time.perf_counter() - before), time.perf_counter()
        seen[size] += 1
        found = faults_of(art, frame, balloons, direction)
        counts = wrong.setdefault(size, Counter())
        for name in ("tailless", "crossing", "disorder"):
            faults = getattr(found, name)
            counts[name] += bool(faults)
            if flags.names and faults:
                sys.stdout.write(
                    f"{art.id} {size} {direction} {len(art.figures)} {name}: {', '.join(faults)}\n"
                )
        before = time.perf_counter()
    sys.stdout.write("size     panels  tailless  crossing  disorder\n")
    for size, number in sorted(seen.items()):
        counts = wrong[size]
        sys.stdout.write(
            f"{size:8} {number:6} {counts['tailless']:9} {counts['crossing']:9} {counts['disorder']:9}\n"
        )
    total: Counter[str] = sum(wrong.values(), Counter())
    facts = {
        "panels": sum(seen.values()),
        "seed": flags.seed,
        **{name: total[name] for name in ("tailless", "crossing", "disorder")},
        "seconds": round(time.perf_counter() - started, 1),
        "slowest_page_s": round(slowest, 2),
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))

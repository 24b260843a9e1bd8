"""Twelve places for a panel to happen in, each a function that paints a stage.

In: a place's name, the panel's size in pixels, a random generator, a colour policy. Out: SVG, definitions
included. The stage's unit keeps things in proportion; places that would look empty in a wide panel repeat
their furniture. Knows nothing of characters.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from scripts.starter.world.palette import WHITE, Policy, mix
from scripts.starter.world.scenery import Stage


def draw_background(name: str, width: int, height: int, rng: random.Random, policy: Policy) -> str:
    """Paint the place `name` (a key of `BACKGROUNDS`) over the whole panel."""
    stage = Stage(width, height, rng, policy)
    BACKGROUNDS[name](stage)
    return f"<defs>{stage.gradients}</defs>{stage.svg()}"


def _plain(s: Stage) -> None:
    s.fill(s.rng.choice(["#ffffff", "#f7efe4", "#e8f1fa", "#fde8ee", "#eef6e6", "#efe8f8"]))


def _classroom(s: Stage) -> None:
    width, height, horizon, u = s.width, s.height, s.horizon, s.unit
    s.fill("#f3e7cf")
    s.ground(horizon + 30 * u, "#c99b6a")
    for k in range(5):
        board = f"M{width * k / 5:.0f} {height} L{width * 0.3 + width * 0.1 * k:.0f} {horizon + 30 * u:.0f}"
        s.path(board, "none", "#a97c4e", 1.5)
    left = width * s.rng.uniform(0.05, 0.3)
    s.rect(left, horizon - 110 * u, width * 0.6, 90 * u, "#2f6b55", "#8a5a34", 5)
    chalk = (
        f"M{left + 15} {horizon - 85 * u:.0f} l{width * 0.22:.0f} 0 "
        f"M{left + 15} {horizon - 65 * u:.0f} l{width * 0.3:.0f} 0"
    )
    s.path(chalk, "none", WHITE if s.ink else "#d8efe2", 2.4)
    s.rect(0, horizon + 26 * u, width, 6 * u, "#a9845a")
    desks = 3 * s.panoramas
    for k in range(desks):
        x, wide = width * (0.02 + 0.36 * k * 3 / desks), width * 0.24 * 3 / desks
        s.rect(x, horizon + 50 * u, wide, 10 * u, "#b97f4a", "#5b3a22", 2)
        s.rect(x + 4, horizon + 60 * u, 6 * u, 40 * u, "#6f6f78")
        s.rect(x + wide - 10, horizon + 60 * u, 6 * u, 40 * u, "#6f6f78")


def _day_street(s: Stage) -> None:
    s.sky("#8fcdf5", "#dff2fb")
    s.cloud(s.width * s.rng.uniform(0.1, 0.9), s.height * 0.12, s.unit)
    _houses(s, ("#c9b3a2", "#a9b7c9", "#d8c7a8", "#b7a3b3"), lambda: "#eaf6fd")
    _road(s, "#8f9099", "#c9c9cf", "#e8e2b0")


def _night_street(s: Stage) -> None:
    s.sky("#14183c", "#3b3f7a")
    s.ellipse(s.width * s.rng.uniform(0.6, 0.9), s.height * 0.15, 16 * s.unit, 16 * s.unit, "#fff3c4")
    s.stars(18, s.horizon * 0.7, (1.3, 1.3))
    _houses(s, ("#262a52", "#303468", "#1f2348"), lambda: "#ffe08a" if s.rng.random() < 0.6 else "#4a4f8a")
    _road(s, "#23243a", "#3a3c5c", "#7a7aa0")


def _houses(s: Stage, walls: tuple[str, ...], window: Callable[[], str]) -> None:
    foot, u = s.horizon + 20 * s.unit, s.unit
    x = -10.0
    while x < s.width:
        wide, tall = s.rng.uniform(38, 62) * u, s.rng.uniform(90, 170) * u
        wall = s.rng.choice(walls)
        s.rect(x, foot - tall, wide, tall + 20, wall, mix(wall, "#101020", 0.5), 2)
        for column in range(3):
            for row in range(int(tall / (24 * u))):
                left, top = x + wide * (0.14 + 0.28 * column), s.horizon + 30 * u - tall + row * 24 * u
                s.rect(left, top, wide * 0.17, 12 * u, window())
        x += wide + 2


def _road(s: Stage, tar: str, kerb: str, marks: str) -> None:
    s.ground(s.horizon + 20 * s.unit, tar)
    s.rect(0, s.horizon + 20 * s.unit, s.width, 12 * s.unit, kerb)
    dashes = 5 * s.panoramas
    for k in range(dashes + 1):
        s.rect(k * s.width / dashes, s.horizon + 62 * s.unit, s.width * 5 / 9 / dashes, 5 * s.unit, marks)


def _park(s: Stage) -> None:
    width, height, horizon, u, rng = s.width, s.height, s.horizon, s.unit, s.rng
    s.sky("#86c8f7", "#e3f5ff")
    s.cloud(width * rng.uniform(0.1, 0.9), height * rng.uniform(0.1, 0.25), u)
    s.cloud(width * rng.uniform(0.1, 0.9), height * rng.uniform(0.1, 0.25), u * 0.7)
    s.ellipse(width * 0.2, horizon + 30 * u, width * 0.6, 50 * u, "#a5d987")
    s.ellipse(width * 0.9, horizon + 30 * u, width * 0.6, 60 * u, "#97cf7b")
    s.ground(horizon + 25 * u, "#86c766")
    places = (0.08, 0.92) if rng.random() < 0.5 else (0.05, 0.35, 0.9)
    if s.panoramas > 1:
        places = (*places, 0.22, 0.7)
    for x in places:
        s.tree(width * x, horizon + 36 * u, u * rng.uniform(0.9, 1.25))
    path = (
        f"M{width * 0.4:.0f} {horizon + 26 * u:.0f} C{width * 0.5:.0f} {height * 0.85:.0f} "
        f"{width * 0.2:.0f} {height * 0.9:.0f} {width * 0.15:.0f} {height} L{width * 0.75:.0f} {height} "
        f"C{width * 0.6:.0f} {height * 0.9:.0f} {width * 0.6:.0f} {height * 0.85:.0f} "
        f"{width * 0.46:.0f} {horizon + 26 * u:.0f}Z"
    )
    s.path(path, "#e9d9b0")


def _beach(s: Stage) -> None:
    width, height, horizon, u, rng = s.width, s.height, s.horizon, s.unit, s.rng
    s.sky("#6fc3f5", "#d9f3ff")
    s.ellipse(width * rng.choice([0.15, 0.85]), height * 0.16, 22 * u, 22 * u, "#fff4b8")
    s.rect(0, horizon - 10 * u, width, 60 * u, "#3fa3dc")
    waves = f"M0 {horizon + 4 * u:.0f} q{width / 8:.0f} 6 {width / 4:.0f} 0" + f" t{width / 4:.0f} 0" * 3
    s.path(waves, "none", "#bfe6fa", 2.5)
    low, wide = height + s.bleed, width + 2 * s.bleed
    shore = (
        f"M{-s.bleed} {horizon + 34 * u:.0f} q{wide / 6:.0f} -12 {wide / 3:.0f} 0 t{wide / 3:.0f} 0 "
        f"t{wide / 3:.0f} 0 L{width + s.bleed} {low} L{-s.bleed} {low}Z"
    )
    s.path(shore, "#f6e2b0", WHITE, 4)
    s.cloud(width * rng.uniform(0.2, 0.8), height * 0.22, u * 0.8)
    if rng.random() < 0.6:
        _palm(s, width * rng.choice([0.08, 0.92]))


def _palm(s: Stage, x: float) -> None:
    u = s.unit
    s.path(f"M{x:.0f} {s.horizon + 50 * u:.0f} q6 -60 -4 -100", "none", "#8a6238", 9 * u)
    for angle in (-2.6, -2.0, -0.9, -0.4, 0.1, 3.0):
        across, down = math.cos(angle), math.sin(angle)
        leaf = (
            f"M{x - 4:.0f} {s.horizon - 50 * u:.0f} q{30 * u * across:.0f} {30 * u * down - 12:.0f} "
            f"{52 * u * across:.0f} {44 * u * down:.0f}"
        )
        s.path(leaf, "none", "#3f9a50", 8 * u)


def _bedroom(s: Stage) -> None:
    width, horizon, u, rng = s.width, s.horizon, s.unit, s.rng
    s.fill(rng.choice(["#f7dfe3", "#e3e8f7", "#eef3dd"]))
    s.ground(horizon + 34 * u, "#d8b48a")
    x = width * rng.uniform(0.08, 0.55)
    s.rect(x, horizon - 110 * u, 84 * u, 84 * u, "#a9dbf8", WHITE, 7)
    bars = (
        f"M{x + 42 * u:.0f} {horizon - 110 * u:.0f} v{84 * u:.0f} "
        f"M{x:.0f} {horizon - 68 * u:.0f} h{84 * u:.0f}"
    )
    s.path(bars, "none", WHITE, 4)
    curtains = (
        f"M{x - 8} {horizon - 118 * u:.0f} h{26 * u:.0f} q-4 60 -22 {100 * u:.0f}Z "
        f"M{x + 92 * u:.0f} {horizon - 118 * u:.0f} h{-26 * u:.0f} q4 60 22 {100 * u:.0f}Z"
    )
    s.path(curtains, "#f29ab0", "#b85a74", 2)
    bed, long = width * 0.62 if rng.choice([0, 1]) else -width * 0.05, width / s.panoramas
    s.rect(bed, horizon + 10 * u, long * 0.45, 60 * u, "#8fb4e8", "#44608f", 2.5, 8)
    s.rect(bed + 8, horizon, long * 0.16, 22 * u, WHITE, "#888888", 2, 8)


def _sunset(s: Stage) -> None:
    width, height, horizon, u, rng = s.width, s.height, s.horizon, s.unit, s.rng
    s.sky("#f2785c", "#ffd98a")
    s.ellipse(width * rng.uniform(0.3, 0.7), horizon, 44 * u, 44 * u, "#fff0b0")
    for _ in range(3 * s.panoramas):
        y = rng.uniform(height * 0.1, horizon * 0.8)
        x = rng.uniform(0, width)
        s.rect(x - 50 * u, y, 100 * u, 6 * u, "#ffb58f", radius=3)
    hills = (
        f"M0 {horizon:.0f} L{width * 0.2:.0f} {horizon - 40 * u:.0f} L{width * 0.4:.0f} {horizon:.0f} "
        f"L{width * 0.65:.0f} {horizon - 52 * u:.0f} L{width} {horizon:.0f} L{width} {height} L0 {height}Z"
    )
    s.path(hills, "#a8556a")
    s.ground(horizon + 8 * u, "#7a3f5c")


def _forest(s: Stage) -> None:
    width, height, horizon, u, rng = s.width, s.height, s.horizon, s.unit, s.rng
    s.sky("#bfe8c8", "#e8f7d8")
    for _ in range(7 * s.panoramas):
        x, wide = rng.uniform(0, width), rng.uniform(8, 18) * u
        s.rect(x, 0, wide, horizon + 30 * u, rng.choice(["#6d8a5a", "#7b9a68"]))
    s.ground(horizon + 18 * u, "#5f9a4c")
    places = (0.04, 0.28, 0.74, 0.97) if s.panoramas == 1 else (0.04, 0.17, 0.29, 0.46, 0.6, 0.74, 0.87, 0.97)
    for x in places:
        leaves_at = u * rng.uniform(1.2, 1.7)
        s.tree(width * x, horizon + 40 * u, leaves_at, rng.choice(["#3f8a4a", "#2f7a4a", "#58a04a"]))
    for _ in range(12 * s.panoramas):
        x, y = rng.uniform(0, width), rng.uniform(horizon + 40 * u, height)
        s.path(f"M{x:.0f} {y:.0f} l-4 -9 M{x:.0f} {y:.0f} l4 -9", "none", "#3f7a34", 2)


def _speed_lines(s: Stage) -> None:
    width, height, rng = s.width, s.height, s.rng
    s.fill(WHITE if s.ink else rng.choice(["#fff2c2", "#ffe0e0", "#e0ecff"]))
    cx, cy = width * rng.uniform(0.4, 0.6), height * rng.uniform(0.35, 0.5)
    colour = "#222222" if s.ink else rng.choice(["#f0a53a", "#e86a6a", "#5a86e0"])
    far = width + height
    for k in range(44):
        angle = k / 44 * 2 * math.pi + rng.uniform(-0.05, 0.05)
        near, spread = min(width, height) * rng.uniform(0.36, 0.52), rng.uniform(0.012, 0.035)
        tip = f"{cx + near * math.cos(angle):.1f} {cy + near * math.sin(angle):.1f}"
        rims = (angle - spread, angle + spread)
        first, second = (f"{cx + far * math.cos(a):.1f} {cy + far * math.sin(a):.1f}" for a in rims)
        s.path(f"M{tip} L{first} L{second}Z", colour)


def _snow(s: Stage) -> None:
    width, height, horizon, u, rng = s.width, s.height, s.horizon, s.unit, s.rng
    s.sky("#b9d3ea", "#eef5fb")
    low, wide = height + s.bleed, width + 2 * s.bleed
    drift = (
        f"M{-s.bleed} {horizon + 20 * u:.0f} q{wide * 0.25:.0f} -26 {wide * 0.5:.0f} 0 t{wide * 0.5:.0f} 0 "
        f"L{width + s.bleed} {low} L{-s.bleed} {low}Z"
    )
    s.path(drift, WHITE, "#a8bfd6", 2)
    for place in (0.1, 0.32, 0.85) if s.panoramas == 1 else (0.06, 0.2, 0.34, 0.66, 0.8, 0.93):
        x = width * (place + rng.uniform(-0.05, 0.05))
        for k in range(3):
            half = (16 + k * 6) * u
            tier = f"M{x:.0f} {horizon - 70 * u + k * 24 * u:.0f} l{half:.0f} {34 * u:.0f} h{-2 * half:.0f}Z"
            s.path(tier, "#5a8f86", "#2f5a58", 2)
    for _ in range(36 * s.panoramas):
        s.ellipse(rng.uniform(0, width), rng.uniform(0, height), 2.4, 2.4, WHITE)


def _starry_sky(s: Stage) -> None:
    width, height, u = s.width, s.height, s.unit
    s.sky("#0f1238", "#4a2f7a")
    s.stars(50, height, (0.8, 2.2))
    s.ellipse(width * s.rng.uniform(0.15, 0.85), height * 0.2, 26 * u, 26 * u, "#f6d98a")
    hill = (
        f"M0 {height * 0.82:.0f} q{width * 0.3:.0f} -40 {width * 0.6:.0f} -6 t{width * 0.4:.0f} -8 "
        f"L{width} {height} L0 {height}Z"
    )
    s.path(hill, "#1d1a44")


BACKGROUNDS: dict[str, Callable[[Stage], None]] = {
    "plain": _plain,
    "classroom": _classroom,
    "city street": _day_street,
    "night city": _night_street,
    "park": _park,
    "beach": _beach,
    "bedroom": _bedroom,
    "sunset": _sunset,
    "forest": _forest,
    "speed lines": _speed_lines,
    "snow": _snow,
    "starry sky": _starry_sky,
}

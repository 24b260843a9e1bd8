"""What each lever does for faces, alone and together, and from which face score a panel is worth another try.

    python -m scripts.bench.faces [--n 48] [--seed 4711] [--quality balanced] [--tries 2]

The same prompts, seeds and references (drawn in one pass): one pass (`flow_match`), with restarts, with
details of small heads, and with new tries of what the run's own judge sends back. Read by the judge that
never saw a generated picture (`scripts/starter/judge`) and by the face judge. The second table says for
several limits how many panels they would send back, and what up to `--tries` tries gain. What was drawn
stays in `--library`: a call that was stopped goes on. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from model.config import Settings
from model.files import BlobId
from model.run.accept import Candidate, Outcome
from model.run.context import Context
from model.studio import Studio
from model.terminal import Terminal
from model.variants import QUALITIES
from scripts.bench import scores
from scripts.bench.command import prompts_flag, run
from scripts.bench.drawer import Drawer, Way
from scripts.bench.heads import drawn_share
from scripts.bench.held_out import Wanted, held_out_panels
from scripts.bench.scores import Figures
from scripts.starter.judge.judge import Judge
from scripts.starter.judge.labels import Reading

ROOT = Path(__file__).resolve().parents[2]
ONE_PASS = "flow_match"
DETAILED = Way(name="restart, details", detail=True)
LEVERS = (
    Way(name="one pass", scheduler=ONE_PASS),
    Way(name="restart"),
    DETAILED,
    Way(name="restart, details, new tries", detail=True, retries=True),
)
COLUMNS = {
    "expression": "expression", "accessory": "accessory", "hair_style": "hair style", "face": "drawn heads",
    "least": "least face", "seconds": "s a panel",
}  # fmt: skip
LIMITS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One picture of a panel as both judges see it.

    Attributes:
        least: score of its worst head; None: no head was found.
        total: what the run's own judge gives it.
        right: for each character asked for, whether its expression is the one that was asked for.
    """

    least: float | None
    total: float
    right: tuple[bool, ...]


def least_face(candidate: Candidate) -> float | None:
    """The worst head's score."""
    measured = candidate.drawn.measured
    faces = [one.face for one in measured.sightings if one.face is not None] if measured else []
    return min(faces, default=None)


def lever_figures(
    drawer: Drawer, judge: Judge, panels: Sequence[Wanted], outcomes: Mapping[str, Outcome]
) -> Figures:
    """What the two judges say of the pictures that a run would show, and what they cost."""
    best = [outcomes[panel.id].best for panel in panels]
    pictures = [drawer.picture(one.drawn.blob, panel.id) for one, panel in zip(best, panels, strict=True)]
    readings = judge.read(pictures)
    found = scores.panel_figures(panels, readings)
    found |= drawn_share(drawer, panels, pictures, readings)
    found["least"] = scores.mean([face for face in map(least_face, best) if face is not None])
    spent = [one.drawn.seconds for panel in panels for one in outcomes[panel.id].candidates]
    found["seconds"] = sum(spent) / len(panels)
    found["tries"] = len(spent) / len(panels)
    return found


def tries_of(
    drawer: Drawer, judge: Judge, panels: Sequence[Wanted], way: Way, count: int
) -> list[tuple[Try, ...]]:
    """Each panel's first `count` tries, as far as the highest of the limits sends it back."""
    rows: dict[str, list[Try]] = {panel.id: [] for panel in panels}
    for number in range(count):
        some = [panel for panel in panels if number == 0 or _below(rows[panel.id][-1], max(LIMITS))]
        outcomes = drawer.outcomes(some, way, first=number) if some else {}
        best = [outcomes[panel.id].best for panel in some]
        pictures = [drawer.picture(one.drawn.blob, panel.id) for one, panel in zip(best, some, strict=True)]
        for one, panel, reading in zip(best, some, judge.read(pictures), strict=True):
            total = one.verdict.total if one.verdict else 0.0
            right = expressions(panel, reading)
            rows[panel.id].append(Try(least=least_face(one), total=total, right=right))
    return [tuple(row) for row in rows.values()]


def _below(one: Try, limit: float) -> bool:
    return one.least is not None and one.least < limit


def expressions(panel: Wanted, reading: Reading) -> tuple[bool, ...]:
    """Whether each character asked for wears the expression that was asked for."""
    return tuple(
        seen is not None and seen.expression == person.expression
        for person, seen in scores.pair_up(panel, reading)
    )


def chosen(tries: Sequence[Try], limit: float) -> tuple[int, Try]:
    """How many tries a run would have made, and which one it would show: the first that passes, else the one
    with the largest total."""
    for number, one in enumerate(tries, 1):
        if not _below(one, limit):
            return number, one
    return len(tries), max(tries, key=lambda one: one.total)


def limit_table(rows: Sequence[Sequence[Try]]) -> tuple[str, dict[str, float]]:
    """A Markdown table: for each limit, what it sends back and what the shown panels are like."""
    lines = ["| limit | sent back | tries a panel | least face | expression |", "| --- |" + " --- |" * 4]
    facts: dict[str, float] = {}
    for limit in (0.0, *LIMITS):
        picked = [chosen(row, limit) for row in rows]
        back = sum(_below(row[0], limit) for row in rows) / len(rows)
        tries = sum(number for number, _ in picked) / len(picked)
        faces = [one.least for _, one in picked if one.least is not None]
        right = [value for _, one in picked for value in one.right]
        face, smile = sum(faces) / max(len(faces), 1), sum(right) / max(len(right), 1)
        lines.append(f"| {limit:g} | {back:.2f} | {tries:.2f} | {face:.3f} | {smile:.3f} |")
        facts |= {f"back_{limit:g}": back, f"least_{limit:g}": face, f"expression_{limit:g}": smile}
    return "\n".join(lines), facts


def references(settings: Settings, context: Context, panels: Sequence[Wanted]) -> dict[str, BlobId]:
    """A picture of everybody, drawn as these settings say: the same for every lever."""
    plain = Drawer(replace(context, settings=settings))
    plain.rehearse(panels)
    return plain.references


def sheet(rows: Sequence[Sequence[Image.Image]], height: int = 200) -> Image.Image:
    """Ways side by side: one row a panel."""
    small = [
        [
            one.resize((round(one.width * height / one.height), height), Image.Resampling.LANCZOS)
            for one in row
        ]
        for row in rows
    ]
    width = max(sum(one.width + 4 for one in row) for row in small)
    made = Image.new("RGB", (width, (height + 4) * len(small)), "white")
    for index, row in enumerate(small):
        left = 0
        for one in row:
            made.paste(one, (left, index * (height + 4)))
            left += one.width + 4
    return made


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure what each lever does for faces.")
    parser.add_argument("--n", type=int, default=48, help="prompts (default 48)")
    prompts_flag(parser, 4711)
    parser.add_argument("--quality", choices=QUALITIES, default="balanced")
    parser.add_argument("--model", default="starter", help="starter, or the folder of such a checkpoint")
    parser.add_argument(
        "--tries", type=int, default=2, help="of every panel, for the table of limits; 0: none"
    )
    parser.add_argument("--levers", type=int, default=len(LEVERS), help="only the first so many")
    parser.add_argument("--batch", type=int, default=12, help="most panels drawn at one time")
    parser.add_argument("--library", type=Path, default=ROOT / "outputs" / "bench_library")
    parser.add_argument("--sheet", type=Path, help="also all pictures, one row a panel, a column a lever")
    flags = parser.parse_args(argv)
    panels, judge = held_out_panels(flags.n, flags.seed), Judge.open()
    said = {"model": flags.model, "quality": flags.quality, "candidates": 1, "library": flags.library}
    facts: dict[str, dict[str, float | None]] = {}
    columns: list[list[Image.Image]] = []
    with (
        Terminal() as terminal,
        Studio.open(events=terminal, **said) as studio,
        studio.running() as context,
    ):
        settings = replace(context.settings, batch=flags.batch)
        drawer = Drawer(replace(context, settings=settings))
        drawer.references = references(replace(settings, scheduler=ONE_PASS, detail=0.0), context, panels)
        print(f"| {flags.n} prompts, {flags.quality} | {' | '.join(COLUMNS.values())} | tries |")
        print("| --- |" + " --- |" * (len(COLUMNS) + 1))
        for way in LEVERS[: flags.levers]:
            outcomes = drawer.outcomes(panels, way)
            found = lever_figures(drawer, judge, panels, outcomes)
            columns.append([drawer.picture(outcomes[one.id].best.drawn.blob, one.id) for one in panels])
            told = " | ".join(f"{found[name] or 0:.3f}" for name in (*COLUMNS, "tries"))
            print(f"| {way.name} | {told} |", flush=True)
            facts[way.name] = {name: found[name] for name in (*COLUMNS, "tries")}
        if flags.tries:
            table, limits = limit_table(tries_of(drawer, judge, panels, DETAILED, flags.tries))
            print(f"\n{table}\n")
            facts["limits"] = dict(limits)
    if flags.sheet:
        sheet(list(zip(*columns, strict=True))).save(flags.sheet)
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))

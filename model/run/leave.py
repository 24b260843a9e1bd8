"""What panels leave to remember: what happened, what was seen and said, and the facts under `remember`.

In: a plan as it is remembered, and which of its panels were accepted. Out: memories in the chronicle, kept
once however often, and one line on what was kept, what was not and why. How memories change prompts is told
by `model/run/recall.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from model.memory.chronicle.chronicle import Chronicle
from model.memory.chronicle.memories import NewMemory, Passage, Receipt
from model.story.plan import Panel, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A plan with what is remembered in its prompts.

    Attributes:
        memories: what each panel leaves, by panel id; to be kept when the panel is accepted.
        cast: name → aliases, to be learnt.
        notes: what was changed, and why; the same in every run of the same story and library.
        nothing: panel ids that leave no memory.
    """

    plan: Plan
    memories: Mapping[str, NewMemory]
    cast: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    nothing: tuple[str, ...] = field(default=())


def keep(
    remembered: Remembered, chronicle: Chronicle, *, accepted: Collection[str], refused: Collection[str] = ()
) -> str:
    """Keep what the panels leave; on disk when this returns, and kept only once however often.

    Args:
        accepted: ids of the panels whose picture was accepted.
        refused: ids of those that are in the book although it was not. Of these only the facts are kept: they
            are the author's words, whatever the picture shows.
    Returns:
        One line on what was stored, what was not, and why.
    Raises:
        StorageError: the disk refuses.
    """
    plan = remembered.plan
    memories = [memory for panel, memory in remembered.memories.items() if panel in accepted]
    for panel, memory in remembered.memories.items():
        facts = tuple(passage for passage in memory.passages if passage.kind == "fact")
        if panel in refused and panel not in accepted and facts:
            memories.append(replace(memory, passages=facts))
    receipt = chronicle.keep_story(
        plan.key,
        plan.title,
        memories,
        panels={key_of(plan, panel) for panel in remembered.memories},
        cast=remembered.cast,
    )
    return _summary(remembered, receipt, accepted, refused)


def _summary(
    remembered: Remembered, receipt: Receipt, accepted: Collection[str], refused: Collection[str]
) -> str:
    parts = [
        f"{len(keys)} {word}"
        for keys, word in (
            (receipt.stored, "stored"),
            (receipt.replaced, "replaced"),
            (receipt.unchanged, "there already"),
            (receipt.removed, "removed with their panels"),
        )
        if keys
    ]
    doubted = [panel for panel in remembered.memories if panel in refused and panel not in accepted]
    failed = [panel for panel in remembered.memories if panel not in accepted and panel not in refused]
    for panels, why in (
        (doubted, "of refused panels only the facts"),
        (failed, "not stored, no picture"),
        (remembered.nothing, "nothing to remember"),
    ):
        if panels:
            parts.append(f"{why}: {', '.join(panels)}")
    return f"chronicle: {'; '.join(parts) or 'nothing to remember'}"


def passages_of(panel: Panel, doing: Sequence[str], people: Mapping[str, tuple[str, str]]) -> list[Passage]:
    """What happened in a panel, what was seen in it and said; a passage may have no text.

    A line is heard by all in the panel and by who says it; a thought is the thinker's alone.

    Args:
        doing: what the prompt of each figure says beside its look, ", angry, hands on hips".
        people: key of a member of the cast → its name, and the person as the chronicle knows it.
    """
    present = present_in(panel, people)
    acts = "; ".join(figure.name + act for figure, act in zip(panel.figures, doing, strict=True))
    seen = ": ".join(part for part in (panel.scene, acts) if part)
    passages = [
        Passage(kind="happened", text=panel.caption, known_by=present),
        Passage(kind="seen", text=seen, known_by=present),
    ]
    for line in panel.lines:
        speaker, *own = people.get(line.speaker or "", ("",))
        if line.kind == "narration":
            passages.append(Passage(kind="happened", text=line.text, known_by=present))
        elif line.kind == "thought" and own:
            passages.append(Passage(kind="thought", text=line.text, speaker=speaker, known_by=tuple(own)))
        elif line.kind != "sfx":
            known_by = tuple(dict.fromkeys([*present, *own]))
            passages.append(Passage(kind="said", text=line.text, speaker=speaker, known_by=known_by))
    return passages


def present_in(panel: Panel, people: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    """The persons in a panel, each once."""
    return tuple(dict.fromkeys(people[figure.character][1] for figure in panel.figures))


def key_of(plan: Plan, panel: str) -> str:
    """How the chronicle names the memory of a panel."""
    return f"{plan.key}/{panel}"

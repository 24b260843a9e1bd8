"""Plan and chronicle meet here: what is remembered changes the prompts of a plan.

In: a plan, the chronicle as the run finds it, what the checkpoint reads. Out: the plan with the prompts of
the figures as they are remembered, and the memories to keep once panels are accepted (`leaving.py`).
Two kinds:

- A fact about a look ("Mika lost her glasses") changes the description in the prompts of every later panel,
  and the changed look joins the cast, to be rehearsed; unless the story brings pictures of the character.
- Everything else comes to a character's mind when it concerns the scene, and is appended to the character's
  prompt as plain words, as far as tokens are left; only where the checkpoint knows all words there are.

Only what comes before a panel counts: earlier panels of this plan, earlier stories of the library. What a
story left when it was drawn before is not read, so that drawing it again finds the same prompts and panels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from model.memory.chronicle.chronicle import Chronicle
from model.memory.chronicle.memories import NewMemory, Passage
from model.memory.store.words import count_tokens, cut, fold, telling
from model.render.weights import Checkpoint
from model.run.leave import Remembered, key_of, passages_of, present_in
from model.story.facts import Change, read_fact, read_told
from model.story.looks import changed_look
from model.story.plan import CastMember, Figure, Panel, Plan
from model.story.recalled import as_words

K = 4
# Recalled words take at most this share of a figure's tokens: the description comes first.
SHARE = 0.4
# From this cosine on, a memory concerns a scene even without a word in common.
NEAR = 0.4
PRONOUNS = ("she", "he", "they")


def remember(plan: Plan, chronicle: Chronicle, checkpoint: Checkpoint) -> Remembered:
    """Put what is remembered into the prompts of the plan, and say what its panels will leave.

    Reads the chronicle; writes nothing but vectors of meaning. A plan without `remember`, with a chronicle
    that knows nothing of its characters, comes back as it is. Deterministic.
    """
    telling_plan = _Telling(plan, chronicle, checkpoint)
    pages = [
        replace(page, panels=tuple(telling_plan.panel(panel) for panel in page.panels)) for page in plan.pages
    ]
    return Remembered(
        plan=replace(plan, cast=(*plan.cast, *telling_plan.changed.values()), pages=tuple(pages)),
        memories=telling_plan.memories,
        cast=telling_plan.cast,
        notes=tuple(telling_plan.notes),
        nothing=tuple(panel.id for panel in plan.panels if panel.id not in telling_plan.memories),
    )


class _Telling:
    """One pass over the plan in reading order, with what is known so far."""

    def __init__(self, plan: Plan, chronicle: Chronicle, checkpoint: Checkpoint) -> None:
        self._plan, self._chronicle, self._checkpoint = plan, chronicle, checkpoint
        self.memories: dict[str, NewMemory] = {}
        self.notes: list[str] = []
        # As the planner joins it to expression and action.
        self._looks = {member.key: member.prompt.strip().rstrip(",;").rstrip() for member in plan.cast}
        self._members = {member.key: member for member in plan.cast}
        self.changed: dict[str, CastMember] = {}  # looks that nobody wrote down, by key
        self._people: dict[str, tuple[str, str]] = {}  # key → name, person
        cast: dict[str, tuple[str, ...]] = {}
        for member in plan.cast:
            name = _own_name(plan, member.name, member.prompt)
            cast[name] = member.aliases
            (person,) = chronicle.resolve([name])
            self._people[member.key] = member.name, person
        self.cast: Mapping[str, tuple[str, ...]] = cast
        self._names = self._known_names(plan.cast)
        # What an earlier story says of its "1" or "a girl" is not said of this story's.
        known = self._known_names([m for m in plan.cast if _own_name(plan, m.name, m.prompt) == m.name])
        self._chapter = chronicle.chapter(plan.key)
        self._changes: dict[str, list[Change]] = {}
        self._reasons: dict[str, list[str]] = {}
        self._facts: list[Passage] = []  # of this plan, about anything but looks
        for memory in chronicle.memories(before=(self._chapter, 0, 0)):
            names = _with_pronouns(known, chronicle.resolve(memory.present))
            for passage in memory.passages:
                if passage.kind == "fact":
                    self._learn_look(passage.text, names)

    def panel(self, panel: Panel) -> Panel:
        """The panel as it is remembered; then what it leaves is known to those that follow."""
        figures = tuple(self._figure(panel, figure) for figure in panel.figures)
        memory = self._leave(panel)
        if memory is not None:
            self.memories[panel.id] = memory
        keys = {before.character: now.character for before, now in zip(panel.figures, figures, strict=True)}
        lines = tuple(
            replace(line, speaker=keys.get(line.speaker or "", line.speaker)) for line in panel.lines
        )
        return replace(panel, figures=figures, lines=lines)

    def _known_names(self, cast: Iterable[CastMember]) -> dict[str, str]:
        """Every name and alias of a cast, lower case as the facts are searched → person."""
        names: dict[str, str] = {}
        for member in cast:
            for name in (*member.aliases, member.name):  # a name beats an alias
                names[name.lower()] = self._people[member.key][1]
        return names

    def _figure(self, panel: Panel, figure: Figure) -> Figure:
        person = self._people[figure.character][1]
        prompt, member = self._look(figure, person), figure.character
        if prompt != figure.prompt:
            member = self._as_remembered(member, prompt.removesuffix(self._doing(figure)))
            reasons = "; ".join(self._reasons[person])
            self.notes.append(f"{panel.id}: {figure.name} is drawn as remembered ({reasons}): {prompt}")
        words = self._mind(panel, figure, person, prompt)
        if words:
            self.notes.append(f"{panel.id}: {figure.name} remembers: {'; '.join(words)}")
        told = ", ".join([prompt, *(f"remembers {text}" for text in words)])
        return replace(figure, character=member, prompt=told)

    def _look(self, figure: Figure, person: str) -> str:
        """The figure's prompt with its description changed; as it is where the panel describes it anew."""
        look, doing = self._looks[figure.character], self._doing(figure)
        if not self._changes.get(person) or figure.prompt != look + doing:
            return figure.prompt
        return changed_look(look, self._changes[person]) + doing

    def _as_remembered(self, key: str, look: str) -> str:
        """The member of the cast that has this look of somebody; whose pictures the story brings stays."""
        member = self._members[key]
        if member.references:
            return key
        changed = f"{key}#{hashlib.sha256(look.encode()).hexdigest()[:8]}"
        self.changed[changed] = replace(member, key=changed, prompt=look)
        return changed

    def _doing(self, figure: Figure) -> str:
        """What the prompt says beside the character's description; "" where the panel describes it anew."""
        look = self._looks[figure.character]
        doing = figure.prompt.removeprefix(look)
        return doing if doing != figure.prompt and doing[:1] in ("", ",") else ""

    def _mind(self, panel: Panel, figure: Figure, person: str, prompt: str) -> tuple[str, ...]:
        """What comes to the figure's mind, as words, within the tokens that are left."""
        limit = self._checkpoint.region_tokens
        room = min(limit - count_tokens(prompt), int(SHARE * limit))
        # A closed vocabulary would leave words out, and draw "headphones" where they were lost.
        if self._checkpoint.words is not None or room <= 0:
            return ()
        query = " ".join([panel.scene, panel.caption, *(line.text for line in panel.lines)])
        names = set(telling(" ".join(self._names)))
        about = set(telling(query)) - names
        found = [
            fact.text
            for fact in sorted(self._facts, key=lambda fact: -len(about & set(telling(fact.text))))
            if person in fact.known_by and about & (set(telling(fact.text)) - names)
        ]
        present = [self._people[other.character][1] for other in panel.figures if other is not figure]
        recalled = self._chronicle.recall(
            query,
            who=person,
            present=present,
            before=(self._chapter, 0, 0),
            kinds=("fact", "happened", "said", "thought"),
            k=K,
            tokens=room,
        )
        found += [
            f"{memory.speaker} said {memory.text}" if memory.speaker else memory.text
            for memory in recalled
            if set(memory.shared) - names or memory.cosine >= NEAR
        ]
        words: list[str] = []
        for text in dict.fromkeys(found):
            plain = as_words(cut(text, room - count_tokens("remembers ")))
            if plain and len(words) < K:
                words.append(plain)
                room -= count_tokens(f", remembers {plain}")
        return tuple(words)

    def _leave(self, panel: Panel) -> NewMemory | None:
        """What the panel leaves to remember; facts begin to hold."""
        present = present_in(panel, self._people)
        names = _with_pronouns(self._names, present)
        context = " ".join([*(figure.name for figure in panel.figures), panel.scene])
        passages = passages_of(panel, [self._doing(figure) for figure in panel.figures], self._people)
        heard: list[str] = []
        for fact in panel.remember:
            subjects = self._learn_look(fact, names, panel.id)
            listeners = read_told(fact, names)
            heard += listeners
            known_by = tuple(dict.fromkeys([*present, *listeners, *subjects]))
            passages.append(Passage(kind="fact", text=fact, known_by=known_by))
            if not subjects:
                self._facts.append(passages[-1])
        passages = [replace(p, context=context) for p in passages if p.text.strip()]
        if not passages:
            return None
        return NewMemory(
            key=key_of(self._plan, panel.id),
            passages=tuple(passages),
            present=tuple(figure.name for figure in panel.figures),
            told=tuple(dict.fromkeys(name for name in heard if name not in present)),
            story=self._plan.key,
            page=panel.page,
            panel=panel.index,
            importance=0.8 if panel.remember else 0.5,
        )

    def _learn_look(self, fact: str, names: Mapping[str, str], panel: str = "earlier") -> tuple[str, ...]:
        """Let a fact about looks hold from now on; returns whom it is about."""
        subjects: list[str] = []
        for person, change in read_fact(fact, names):
            self._changes.setdefault(person, []).append(change)
            reasons = self._reasons.setdefault(person, [])
            reason = f"{panel}: {fact}"
            if reason not in reasons:
                reasons.append(reason)
            subjects.append(person)
        return tuple(dict.fromkeys(subjects))


def _with_pronouns(names: Mapping[str, str], present: Collection[str]) -> Mapping[str, str]:
    """The names; "she", "he" and "they" are the one person who is present, if it is one."""
    return {**names, **dict.fromkeys(PRONOUNS, *present)} if len(present) == 1 else names


def _own_name(plan: Plan, name: str, look: str) -> str:
    """The name that other stories may know too. A number, or a description that stands for a name ("a girl
    with red hair"), means somebody in this story only."""
    described = fold(look).startswith(fold(name)) and (
        name[:1].islower() or fold(name).startswith(("a ", "an "))
    )
    return f"{plan.key} {name}" if described or not any(letter.isalpha() for letter in name) else name

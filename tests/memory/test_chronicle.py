"""The chronicle: one memory a panel, recalled only by who knows it, the same way every time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.memory.chronicle.block import ago, classic_block
from model.memory.chronicle.chronicle import Chronicle
from model.memory.chronicle.memories import NewMemory, Passage, by_hand
from model.memory.chronicle.ngrams import NgramEncoder
from model.memory.chronicle.ranking import WEIGHTS, Candidate, rank
from model.memory.store.library import Library
from tests.chance import examples

NAMES = ("Mika", "Ren", "Hana")
WORDS = (
    "glasses",
    "sea",
    "scarf",
    "財布",
    "なくした",
    "灯台",
    "kite",
    "afraid",
    "lost",
    "Mika's",
    "Ren",
    "it's",
)
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
KNOWERS = st.lists(st.sampled_from(NAMES), max_size=3, unique=True)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path) as library:
        yield library


def panel(number: int, text: str, *known_by: str, slug: str = "one", kind: str = "happened") -> NewMemory:
    return NewMemory(
        key=f"{slug}/p001_{number:02}",
        passages=(Passage(kind=kind, text=text, known_by=known_by),),  # pyright: ignore[reportArgumentType]
        present=known_by,
        story=slug,
        page=1,
        panel=number,
    )


def keep(
    chronicle: Chronicle,
    *memories: NewMemory,
    slug: str = "one",
    cast: dict[str, tuple[str, ...]] | None = None,
):
    return chronicle.keep_story(
        slug, slug.title(), memories, panels={memory.key for memory in memories}, cast=cast or {}
    )


def texts(chronicle: Chronicle, query: str, **options: object) -> list[str]:
    return [found.text for found in chronicle.recall(query, **options)]  # pyright: ignore[reportArgumentType]


# --- scope


@settings(max_examples=examples(40), deadline=None)
@given(
    memories=st.lists(st.tuples(TEXTS, KNOWERS), min_size=1, max_size=6),
    query=TEXTS,
    who=st.sampled_from(NAMES),
)
def test_nobody_recalls_what_it_was_not_there_for_and_recall_is_deterministic(
    tmp_path_factory: pytest.TempPathFactory, memories: list[tuple[str, list[str]]], query: str, who: str
) -> None:
    folder = tmp_path_factory.mktemp("scope")
    with Library.open(folder) as library:
        chronicle = Chronicle(library)
        for number, (text, known_by) in enumerate(memories):
            chronicle.keep(panel(number, text, *known_by))
        found = chronicle.recall(query, who=who, k=9, tokens=9999)
        own = {number for number, (_, known_by) in enumerate(memories) if who in known_by}
        assert {memory.place[2] for memory in found} == own  # all of its own, and no other
        assert {passage.text for memory in chronicle.memories(who=who) for passage in memory.passages} == {
            memories[number][0] for number in own
        }
    with Library.open(folder) as library:
        assert Chronicle(library).recall(query, who=who, k=9, tokens=9999) == found


def test_a_passage_is_known_apart_from_its_panel(library: Library) -> None:
    chronicle = Chronicle(library)
    chronicle.keep(
        NewMemory(
            key="one/p001_01",
            passages=(
                Passage(
                    kind="said", text="The key is behind the clock.", speaker="Ren", known_by=("Ren", "Mika")
                ),
                Passage(kind="thought", text="The key is mine.", speaker="Ren", known_by=("Ren",)),
                Passage(kind="fact", text="Ren told Hana of the key.", known_by=("Ren", "Mika", "Hana")),
            ),
        )
    )
    assert texts(chronicle, "key", who="Hana") == ["Ren told Hana of the key."]
    assert "mine" not in " ".join(texts(chronicle, "the key is mine", who="Mika"))
    assert texts(chronicle, "the key is mine", who="Ren") == ["The key is mine."]
    assert texts(chronicle, "key", who="Nobody") == []


@pytest.mark.parametrize("name", ["anon", "ANON", "Ａｎｏｎ", " anon ", "Mimi", "ミミ"])
def test_names_lead_to_one_person_by_case_width_and_alias(library: Library, name: str) -> None:
    chronicle = Chronicle(library)
    keep(chronicle, panel(1, "The kite flew away.", "Anon"), cast={"Anon": ("Mimi", "ミミ")})
    assert texts(chronicle, "kite", who=name) == ["The kite flew away."]


def test_what_was_known_under_an_alias_follows_when_the_alias_is_learnt(library: Library) -> None:
    chronicle = Chronicle(library)
    chronicle.keep(by_hand("The kite flew away.", who=["Mimi"]))
    assert texts(chronicle, "kite", who="Mika") == []
    keep(chronicle, cast={"Mika": ("Mimi",)})
    assert (
        texts(chronicle, "kite", who="Mika")
        == texts(chronicle, "kite", who="mimi")
        == ["The kite flew away."]
    )


def test_a_name_of_the_cast_is_nobodys_alias(library: Library, caplog: pytest.LogCaptureFixture) -> None:
    chronicle = Chronicle(library)
    keep(chronicle, panel(1, "The kite flew away.", "Mika"), cast={"Mika": ("Ren", "Mimi"), "Ren": ()})
    assert texts(chronicle, "kite", who="Ren") == []
    with caplog.at_level(logging.WARNING):
        keep(chronicle, slug="two", cast={"Hana": ("Mimi",)})
    assert "stays a name of 'mika'" in caplog.text
    assert texts(chronicle, "kite", who="Mimi") == ["The kite flew away."]


# --- one memory a panel


def test_a_panel_kept_twice_is_one_memory_and_an_edited_one_replaces_it(library: Library) -> None:
    chronicle = Chronicle(library)
    first = panel(1, "The kite flew away.", "Mika")
    assert keep(chronicle, first).stored == (first.key,)
    (before,) = chronicle.memories()
    assert keep(chronicle, first).unchanged == (first.key,)
    assert chronicle.memories() == (before,)
    edited = panel(1, "The scarf flew away.", "Mika", "Ren")
    assert keep(chronicle, edited).replaced == (first.key,)
    (after,) = chronicle.memories()
    assert after.created == before.created
    assert texts(chronicle, "kite scarf", who="Ren") == ["The scarf flew away."]
    assert library.rows("SELECT count(*) FROM passage_words WHERE passage_words MATCH 'kite'")[0][0] == 0


def test_panels_that_the_story_no_longer_has_are_forgotten_and_what_was_added_stays(library: Library) -> None:
    chronicle = Chronicle(library)
    keep(chronicle, panel(1, "one", "Mika"), panel(2, "two", "Mika"))
    keep(chronicle, panel(1, "other", "Mika", slug="other"), slug="other")
    chronicle.keep(by_hand("added", who=["Mika"], after="one"))
    assert keep(chronicle, panel(1, "one", "Mika")).removed == ("one/p001_02",)
    assert [memory.key.split("/")[0] for memory in chronicle.memories()] == ["one", "added", "other"]


def test_a_failed_panel_keeps_what_it_left_before(library: Library) -> None:
    chronicle = Chronicle(library)
    both = (panel(1, "one", "Mika"), panel(2, "two", "Mika"))
    keep(chronicle, *both)
    receipt = chronicle.keep_story("one", "One", both[:1], panels={m.key for m in both}, cast={})
    assert receipt.removed == ()
    assert len(chronicle.memories()) == 2


def test_added_words_are_one_memory_however_often(library: Library) -> None:
    chronicle = Chronicle(library)
    assert chronicle.keep(by_hand("It rained.", who=["Mika"])).stored
    assert chronicle.keep(by_hand("It rained.", who=["Mika"])).unchanged
    assert chronicle.keep(by_hand("It rained.", who=["Ren"])).stored
    assert len(chronicle.memories()) == 2


@pytest.mark.parametrize(
    "memory", [by_hand("  "), by_hand("x", importance=1.5), by_hand("x", importance=float("nan"))]
)
def test_a_memory_without_text_or_of_no_importance_is_refused(library: Library, memory: NewMemory) -> None:
    chronicle = Chronicle(library)
    with pytest.raises(ValueError, match=r"no text|not within 0 to 1"):
        chronicle.keep(memory)
    assert chronicle.memories() == ()


def test_forgetting(library: Library) -> None:
    chronicle = Chronicle(library)
    keep(chronicle, panel(1, "one", "Mika"))
    keep(chronicle, panel(1, "two", "Mika", slug="two"), slug="two")
    first, second = chronicle.memories()
    assert chronicle.forget([first.id, 999]) == ("one/p001_01",)
    assert chronicle.forget_story("two") == (second.key,)
    for table in ("memories", "passages", "knowers", "passage_words", "passage_vectors"):
        assert library.rows(f"SELECT count(*) FROM {table}")[0][0] == 0
    assert (chronicle.chapter("one"), chronicle.chapter("two")) == (1, 2)


# --- when


def test_only_what_came_before_is_recalled(library: Library) -> None:
    chronicle = Chronicle(library)
    keep(chronicle, panel(1, "a kite", "Mika"), panel(2, "a red kite", "Mika"))
    keep(chronicle, panel(1, "another kite", "Mika", slug="two"), slug="two")
    chronicle.keep(by_hand("the first kite", who=["Mika"]))
    chronicle.keep(by_hand("a kite in between", who=["Mika"], after="one"))
    assert (chronicle.chapter("one"), chronicle.chapter("two"), chronicle.chapter("three")) == (1, 2, 3)

    def before(*place: int) -> set[str]:
        return set(texts(chronicle, "kite", who="Mika", before=place, k=9))

    assert before(1, 0, 0) == {"the first kite"}
    assert before(1, 1, 2) == {"the first kite", "a kite"}
    assert before(2, 0, 0) == {"the first kite", "a kite", "a red kite", "a kite in between"}
    assert len(before(3, 0, 0)) == 5
    assert {memory.key for memory in chronicle.memories(before=(1, 1, 2))} == {
        memory.key for memory in chronicle.recall("kite", before=(1, 1, 2), k=9)
    }


def test_next_session_waits_for_the_next_run(library: Library) -> None:
    now = Chronicle(library)
    now.keep(by_hand("a kite", who=["Mika"], next_session=True))
    now.keep(by_hand("a red kite", who=["Mika"]))
    assert texts(now, "kite", who="Mika") == ["a red kite"]
    assert [memory.next_session for memory in now.memories(before=(9, 0, 0))] == [False]
    assert set(texts(Chronicle(library), "kite", who="Mika")) == {"a red kite", "a kite"}


# --- how much, and in which order


def test_at_most_k_within_the_budget_cut_at_sentences(library: Library) -> None:
    chronicle = Chronicle(library)
    for number in range(6):
        chronicle.keep(panel(number, f"The kite flew. Number {number} is torn. It was red.", "Mika"))
    assert len(chronicle.recall("kite", who="Mika")) == 4
    few = texts(chronicle, "kite", who="Mika", tokens=6)
    assert few == ["The kite flew."]
    assert texts(chronicle, "kite", who="Mika", tokens=2) == []
    assert len(chronicle.recall("kite", who="Mika", k=2)) == 2


def test_a_text_of_another_script_and_other_forms_of_words_are_found(library: Library) -> None:
    chronicle = Chronicle(library)
    keep(
        chronicle,
        panel(1, "ハナは駅で財布をなくした。", "Hana"),
        panel(2, "Hana loses her umbrella.", "Hana"),
        panel(3, "The train was late.", "Hana"),
    )
    assert texts(chronicle, "財布はどこ？", who="hana")[0] == "ハナは駅で財布をなくした。"
    assert texts(chronicle, "lost umbrellas", who="hana")[0] == "Hana loses her umbrella."


@pytest.mark.parametrize("query", ['"', "' OR 1", "kite AND (", "NEAR(", "*", "", "？", "x" * 5000, "a\x00b"])
def test_a_question_is_words_and_no_query_language(library: Library, query: str) -> None:
    chronicle = Chronicle(library)
    chronicle.keep(panel(1, "a kite", "Mika"))
    assert len(chronicle.recall(query, who="Mika")) <= 1


def test_presence_importance_and_recency_decide_among_equals() -> None:
    def candidate(
        number: int, *, place: int = 1, importance: float = 0.5, presence: float = 0.0
    ) -> Candidate:
        return Candidate(
            passage=number, memory=number, kind="happened", place=(1, 1, place), importance=importance,
            presence=presence,
        )  # fmt: skip

    def order(*candidates: Candidate) -> list[int]:
        ranked = rank(candidates, [], np.ones(len(candidates), np.float32), WEIGHTS)
        return [found.passage for found, _ in ranked]

    assert order(candidate(1), candidate(2)) == [1, 2]
    assert order(candidate(1), candidate(2, place=2)) == [2, 1]
    assert order(candidate(1), candidate(2, importance=0.9)) == [2, 1]
    assert order(candidate(1), candidate(2, presence=1.0)) == [2, 1]


def test_vectors_of_two_encoders_stand_side_by_side(library: Library) -> None:
    class Other(NgramEncoder):
        space = "other"

    Chronicle(library).keep(panel(1, "a kite", "Mika"))
    for encoder in (NgramEncoder(), Other(), NgramEncoder()):
        assert texts(Chronicle(library, encoder), "kite", who="Mika") == ["a kite"]
    spaces = [row["space"] for row in library.rows("SELECT space FROM passage_vectors ORDER BY space")]
    assert spaces == [NgramEncoder.space, "other"]


def test_a_log_line_says_what_was_kept(library: Library, caplog: pytest.LogCaptureFixture) -> None:
    chronicle = Chronicle(library)
    with caplog.at_level(logging.INFO):
        keep(chronicle, panel(1, "one", "Mika"))
        keep(chronicle, panel(1, "one", "Mika"))
        chronicle.recall("one", tokens=0)
    assert caplog.messages == [
        "chronicle: 1 stored: one/p001_01",
        "chronicle: 1 unchanged",
        "chronicle: one/p001_01 does not fit into 0 tokens and is not recalled",
    ]


# --- the classic block


def test_the_classic_block() -> None:
    day = 86400.0
    block = classic_block(
        "Miku", [("Miku", "I left\nthe door open.", 0.0), ("", "It rained.", 3 * day - 60)], 3 * day
    )
    assert block == (
        'Miku\'s memory log:\n3 days ago, Miku said:\n"I left the door open."\n1 minute ago:\nIt rained.'
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "just now"), (59, "just now"), (60, "1 minute ago"), (7200, "2 hours ago"), (86400, "1 day ago"),
     (45 * 86400, "1 month ago"), (800 * 86400, "2 years ago")],
)  # fmt: skip
def test_ago(seconds: float, said: str) -> None:
    assert ago(seconds) == said

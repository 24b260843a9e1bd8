"""Facts and looks: what a fact says of somebody's look, and the description after it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.story.facts import Hair, With, Without, read_fact, read_told
from model.story.garments import head
from model.story.looks import changed_look
from model.story.recalled import as_words

NAMES = {"mika": "mika", "mimi": "mika", "ren": "ren", "hana": "hana", "she": "mika"}
LOOK = "girl with long silver hair, yellow hoodie, glasses"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
PARTS = st.lists(
    st.sampled_from(
        ["long silver hair", "yellow hoodie", "glasses", "a hat and a scarf", "coat with gold buttons"]
    ),
    unique=True,
).map(lambda parts: ", ".join(["girl", *parts]))


def after(fact: str, look: str = LOOK, who: str = "mika") -> str:
    return changed_look(look, [change for name, change in read_fact(fact, NAMES) if name == who])


@pytest.mark.parametrize(
    ("fact", "look"),
    [
        ("Mika lost her glasses", "girl with long silver hair, yellow hoodie"),
        ("MIKA has lost her glasses in the sea.", "girl with long silver hair, yellow hoodie"),
        ("Mimi took her glasses off", "girl with long silver hair, yellow hoodie"),
        ("She lost her spectacles when she fell", "girl with long silver hair, yellow hoodie"),
        ("Mika's glasses fell into the sea", "girl with long silver hair, yellow hoodie"),
        ("Mika is no longer wearing glasses", "girl with long silver hair, yellow hoodie"),
        ("Mika and Ren lost their glasses", "girl with long silver hair, yellow hoodie"),
        ("Mika gave Ren her glasses", "girl with long silver hair, yellow hoodie"),
        ("Mika put on a red dress", "girl with long silver hair, red dress, glasses"),
        (
            "Mika changed into a sailor uniform for school",
            "girl with long silver hair, sailor uniform, glasses",
        ),
        ("Mika put on a coat", f"{LOOK}, coat"),
        (
            "Mika now wears a red scarf and took off her glasses",
            "girl with long silver hair, yellow hoodie, red scarf",
        ),
        ("Mika put on a hat and a scarf.", f"{LOOK}, hat, scarf"),
        ("Mika cut her hair", "girl with short silver hair, yellow hoodie, glasses"),
        ("Mika cut her hair into a bob", "girl with silver bob cut, yellow hoodie, glasses"),
        ("Mika dyed her hair bright red", "girl with long bright red hair, yellow hoodie, glasses"),
        ("Mika tied her hair in a ponytail", "girl with silver ponytail, yellow hoodie, glasses"),
        ("Mika's hair turned white", "girl with long white hair, yellow hoodie, glasses"),
        ("Mika lost her glasses. Mika found her glasses.", LOOK),
        ("Mika took off her glasses, then put her glasses back on", LOOK),
    ],
)
def test_a_fact_changes_the_look(fact: str, look: str) -> None:
    assert after(fact) == look


@pytest.mark.parametrize(
    "fact",
    [
        "Mika almost lost her glasses",
        "Mika did not lose her glasses",
        "Ren thinks Mika lost her glasses",
        "If Mika lost her glasses",
        "Ren lost his glasses",
        "Mika lost Ren's glasses",
        "Mika lost her glasses case",
        "Mika lost her way",
        "Mika lost her hair",
        "Mika found a cat",
        "Mika found a hat",  # found is not worn
        "Mika bought a red dress",
        "Mika put on a brave face",
        "Mika wears her heart on her sleeve",
        "Mikaela lost her glasses",
        "Mika put on her glasses",
        "ミカは眼鏡をなくした",  # the rules are English
        "",
    ],
)
def test_these_change_nothing(fact: str) -> None:
    assert after(fact) == LOOK


@pytest.mark.parametrize(
    ("look", "fact", "then"),
    [
        ("girl with glasses and long hair", "Mika lost her glasses", "girl with long hair"),
        ("girl with glasses, long hair", "Mika lost her glasses", "girl, long hair"),
        ("girl in a hoodie with red stripes, hat", "Mika took off her hoodie", "girl, hat"),
        ("boy in a suit and tie with glasses", "Mika lost his glasses", "boy in a suit and tie"),
        ("a girl with pink twin tails, flower", "Mika cut her hair", "a girl with short pink hair, flower"),
        ("girl with red hair in a braid, hat", "Mika cut her hair", "girl with short red hair, hat"),
        ("girl", "Mika dyed her hair red", "girl, red hair"),
        ("glasses girl", "Mika lost her glasses", "glasses girl"),
        ("glasses", "Mika lost her glasses", "glasses"),  # somebody is left to draw
    ],
)
def test_descriptions_keep_their_grammar(look: str, fact: str, then: str) -> None:
    assert after(fact, look) == then


@given(PARTS, st.sampled_from(["glasses", "yellow hoodie", "hat", "scarf", "coat", "boots"]))
def test_what_went_comes_back_where_it_was(look: str, item: str) -> None:
    without = changed_look(look, [Without(item=item)])
    assert head(item) not in {head(part) for part in without.split(", ")}
    shown = item.split()[-1] in look
    assert changed_look(look, [Without(item=item), With(item=head(item), again=True)]) == look
    assert (without == look) == (not shown)


@given(TEXT, TEXT)
def test_any_text_is_read_and_an_unchanged_look_is_the_very_same(fact: str, look: str) -> None:
    changes = read_fact(fact, NAMES)
    assert changed_look(look, ()) == look
    if not changes:
        assert after(fact, look) == look
    assert isinstance(changed_look(look, [change for _, change in changes]), str)
    assert isinstance(changed_look(look, [Without(item=fact), With(item=fact), Hair(colour="red")]), str)


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        ("Ren told Hana that the key is hidden", ("hana",)),
        ("Ren told Mimi and Hana of it", ("mika", "hana")),
        ("Hana was told by Ren", ("hana",)),
        ("Ren talked to Hana", ()),
        ("renはhanaに秘密を話した", ("hana",)),
    ],
)
def test_who_was_told(fact: str, told: tuple[str, ...]) -> None:
    assert read_told(fact, NAMES) == told


# --- remembered text is data


@given(st.text())
def test_remembered_words_hold_nothing_that_a_prompt_gives_a_meaning(text: str) -> None:
    words = as_words(text)
    assert words == as_words(words)
    assert not set(words) & set(',;:.!?()[]{}<>"“”«»„|\\/*_=+^~`@#$%&\n\r\t、。「」『』（）')
    assert words == " ".join(words.split())
    for word in words.split():
        assert not word.startswith(("'", "’", "-"))
        assert not word.endswith(("'", "’", "-"))


@given(st.text(), st.text(max_size=20))
def test_remembered_words_are_one_part_of_a_prompt(text: str, look: str) -> None:
    prompt = ", ".join([look, as_words(text)])
    assert prompt.count(",") == look.count(",") + 1
    assert prompt.count('"') == look.count('"')


def test_remembered_words_stay_readable() -> None:
    assert as_words("Mika's “half-open” door, (twice)!") == "Mika's half-open door twice"
    assert as_words("'quoted' ＂full，width＂ <lora:x:1> [a|b]") == "quoted full width lora x 1 a b"
    assert as_words("財布を「駅」で") == "財布を 駅 で"

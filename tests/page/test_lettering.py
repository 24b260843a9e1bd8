"""Lettering: balloons hold their words, stay in their panels, keep apart, and point at their speakers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import StoryError
from model.geometry import Box
from model.page.anatomy import BUST, face_of, head_of, mouth_of
from model.page.balloons.bodies import SIZE, SMALLEST
from model.page.balloons.hand import Hand
from model.page.balloons.lettering import letter_panel
from model.page.balloons.outlines import outline
from model.page.balloons.placed import Balloon
from model.page.balloons.tails import tail_of
from model.page.export.sheet import WHOLE
from model.page.plane import Point, Rect
from model.page.type.faces import house_faces
from model.page.values import LINE_KINDS, Line, PanelArt
from tests.chance import examples

HAND = Hand(faces=house_faces())
FRAME = Rect(30.0, 40.0, 300.0, 220.0)
LEFT = Box(0.06, 0.3, 0.34, 0.7)
RIGHT = Box(0.6, 0.3, 0.34, 0.7)
SENTENCES = (
    "No.",
    "Run!",
    "It's late! We should have been home an hour ago.",
    "Do you hear that? Something is moving under the pier.",
    "Ich habe dir doch gesagt, dass die Straßenbahnhaltestelle geschlossen ist.",
    "Où étais-tu passé pendant tout ce temps ?",
)


def letter(
    *lines: Line, caption: str = "", direction: str = "ltr", frame: Rect = FRAME
) -> tuple[Balloon, ...]:
    art = PanelArt(id="p001_01", caption=caption, lines=lines, figures=(LEFT, RIGHT))
    return letter_panel(art, frame, WHOLE, direction, HAND).balloons


talk = st.lists(
    st.builds(
        Line,
        text=st.sampled_from(SENTENCES),
        kind=st.sampled_from([kind for kind in LINE_KINDS if kind != "sfx"]),
        speaker=st.sampled_from([LEFT, RIGHT, None]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=examples(40), deadline=None)
@given(talk, st.sampled_from(["", "Later that night."]), st.sampled_from(["ltr", "rtl"]), st.floats(180, 460))
def test_balloons_keep_to_their_panel_and_apart(
    lines: list[Line], caption: str, direction: str, width: float
) -> None:
    frame = Rect(20.0, 30.0, width, 60000 / width)
    balloons = letter(*lines, caption=caption, direction=direction, frame=frame)
    assert [balloon.text for balloon in balloons] == [
        *([caption] if caption else []),
        *(x.text for x in lines),
    ]
    for index, balloon in enumerate(balloons):
        assert frame.contains(balloon.rect)
        assert balloon.size >= SMALLEST
        for other in balloons[index + 1 :]:
            assert balloon.rect.overlap(other.rect) == 0.0


@settings(max_examples=examples(40), deadline=None)
@given(talk, st.sampled_from(["ltr", "rtl"]))
def test_letters_lie_inside_their_outline(lines: list[Line], direction: str) -> None:
    faces = house_faces()
    for balloon in letter(*lines, direction=direction):
        body = outline(balloon).body
        for line in balloon.lines:
            right = line.x + faces.width(line.text, balloon.style) * balloon.size
            for x in (line.x, (line.x + right) / 2, right):
                for y in (line.baseline - 0.7 * balloon.size, line.baseline):
                    assert body.contains(x, y)


@settings(max_examples=examples(40), deadline=None)
@given(talk)
def test_tails_lead_to_the_speaker_and_spare_the_face(lines: list[Line]) -> None:
    for balloon, line in zip(letter(*lines), lines, strict=True):
        if line.speaker is None or line.kind == "narration":
            assert balloon.head is None
            continue
        head = head_of(FRAME.placed(line.speaker), BUST)
        assert balloon.head is not None
        assert balloon.head.centre.distance(head.centre) < 1e-6
        tail, mouth = tail_of(balloon), mouth_of(head)
        if tail is None:
            # Only where the balloon stands so near that a tail would have no room before the face.
            assert balloon.rect.inset(-balloon.size).overlap(head) > 0.0
            continue
        assert tail.tip.distance(mouth) < tail.edge.distance(mouth)
        # Where the balloon itself keeps off the head, its tail does too.
        if balloon.rect.overlap(head) == 0.0 and tail.edge.distance(mouth) > 1.4 * head.height:
            assert not face_of(head).contains(Rect(tail.tip.x, tail.tip.y, 0.0, 0.0))


def test_balloons_prefer_to_leave_heads_free() -> None:
    balloons = letter(
        Line(text=SENTENCES[2], speaker=LEFT),
        Line(text=SENTENCES[3], speaker=RIGHT),
        Line(text="No.", speaker=LEFT),
    )
    for figure in (LEFT, RIGHT):
        head = head_of(FRAME.placed(figure), BUST)
        for balloon in balloons:
            assert balloon.rect.overlap(head) <= 0.15 * head.width * head.height


def first_is_read_first(one: Rect, other: Rect, direction: str) -> bool:
    if other.y >= one.centre.y:
        return True
    return other.x >= one.right if direction == "ltr" else other.right <= one.x


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("speakers", [(LEFT, RIGHT), (RIGHT, LEFT)])
def test_balloons_are_read_in_their_order(direction: str, speakers: tuple[Box, Box]) -> None:
    lines = [Line(text=SENTENCES[2 + index], speaker=speaker) for index, speaker in enumerate(speakers)]
    one, other = letter(*lines, direction=direction)
    assert first_is_read_first(one.rect, other.rect, direction)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_a_caption_opens_the_panel_in_its_corner(direction: str) -> None:
    caption, _ = letter(Line(text="No.", speaker=LEFT), caption="Mika waits.", direction=direction)
    assert caption.kind == "narration"
    assert caption.rect.y - FRAME.y < 6
    corner = caption.rect.x - FRAME.x if direction == "ltr" else FRAME.right - caption.rect.right
    assert corner < 6


def test_kinds_have_shapes_of_their_own() -> None:
    def verbs(kind: str) -> int:
        (balloon,) = letter(Line(text="It can't be!", kind=kind, speaker=LEFT))
        return outline(balloon).body.countVerbs()

    assert len({verbs(kind) for kind in ("speech", "thought", "shout", "narration")}) == 4
    (thought,) = letter(Line(text="It can't be!", kind="thought", speaker=LEFT))
    assert len(outline(thought).parts) == 3
    (sound,) = letter(Line(text="KRAKOOM", kind="sfx"))
    assert outline(sound).body.isEmpty()
    assert sound.size > 14


def test_a_speaker_nobody_sees_gets_no_tail() -> None:
    (balloon,) = letter(Line(text="Who is there?"))
    assert tail_of(balloon) is None


def test_long_text_shrinks_before_it_is_refused() -> None:
    (balloon,) = letter(Line(text=" ".join(SENTENCES[3:5]), speaker=LEFT), frame=Rect(0, 0, 130, 110))
    assert SMALLEST <= balloon.size < SIZE


def test_text_that_cannot_be_set_is_refused_by_panel_and_line() -> None:
    with pytest.raises(StoryError, match=r"panel p001_01: line 2 of 2 \(1800 words.*shorten it"):
        letter(Line(text="No."), Line(text="nothing at all " * 600))
    with pytest.raises(StoryError, match="panel p001_01: the caption"):
        letter(Line(text="No."), caption="nothing at all " * 600)


def test_missing_glyphs_are_noted_by_name() -> None:
    art = PanelArt(id="p002_03", lines=(Line(text="\U000e0fff"),))
    (note,) = letter_panel(art, FRAME, WHOLE, "ltr", HAND).notes
    assert note == "panel p002_03: no typeface here has unnamed character (U+E0FFF); set as '?'"


def test_a_bust_has_its_mouth_where_the_tail_expects_it() -> None:
    mouth = mouth_of(head_of(Rect(0, 0, 75, 100)))
    assert 35 <= mouth.y <= 50
    assert mouth == Point(37.5, mouth.y)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_a_crowded_panel_is_set_in_rows_before_it_is_refused(direction: str) -> None:
    frame = Rect(10.0, 10.0, 150.0, 140.0)
    lines = [Line(text=text, speaker=(LEFT, RIGHT)[index % 2]) for index, text in enumerate(SENTENCES * 2)]
    balloons = letter(*lines[:9], direction=direction, frame=frame)
    assert len(balloons) == 9
    for index, balloon in enumerate(balloons):
        assert frame.contains(balloon.rect)
        for other in balloons[index + 1 :]:
            assert balloon.rect.overlap(other.rect) == 0.0
            assert first_is_read_first(balloon.rect, other.rect, direction)


def test_a_sound_of_many_words_is_wrapped() -> None:
    (sound,) = letter(Line(text="tap tap tap tap tap tap tap tap tap tap tap", kind="sfx"))
    assert 1 < len(sound.lines) <= 2
    assert FRAME.contains(sound.rect)


def test_a_speaker_outside_the_crop_gets_no_tail() -> None:
    art = PanelArt(id="p001_01", lines=(Line(text="Here!", speaker=Box(0.0, 0.2, 0.1, 0.6)),))
    (balloon,) = letter_panel(art, FRAME, Box(0.25, 0.0, 0.5, 1.0), "ltr", HAND).balloons
    assert balloon.head is None

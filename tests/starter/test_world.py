"""The drawn world: seeds that keep their pictures, panels of any shape, references, ground truth.

`golden/world_square.png` holds eight scenes, 256 × 256, seeds 0 to 7, side by side, each shrunk to 64 × 64
by averaging 4 × 4 pixels. It was drawn by this code when its pictures were equal, pixel for pixel, to the
prototype's that the first starter weights were trained on (skia-python 144). Another skia may differ by
anti-aliasing, hence a PSNR and no hash.
"""

from __future__ import annotations

import dataclasses
import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from scripts.starter.draw import main as draw_main
from scripts.starter.world import Identity, Scene, State, ground_truth, mask, reference, render, to_svg
from scripts.starter.world import identity as words
from scripts.starter.world.backgrounds import BACKGROUNDS
from scripts.starter.world.palette import CLOTH, EYES, HAIR, SKIN, Ink, mix
from scripts.starter.world.placement import FRAMES
from scripts.starter.world.scene import raster
from tests.chance import examples

GOLDEN = Path(__file__).parent / "golden" / "world_square.png"
GOLDEN_SEEDS = range(8)
GOLDEN_PSNR = 35.0  # dB; another seed's picture is near 10
SHAPES = ((384, 192), (320, 192), (288, 224), (224, 288), (192, 320), (192, 384))
LEAST_HEAD = 0.2  # of the panel's height
LEAST_FACE = 0.4  # share of a head that others leave in sight

seeds = st.integers(0, 999)
shapes = st.sampled_from((*SHAPES, (256, 256)))


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A 256 × 256 picture averaged down to 64 × 64."""
    return picture.reshape(64, 4, 64, 4, 3).mean((1, 3))


def psnr(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    error = float(((first - second) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


@pytest.mark.parametrize("seed", GOLDEN_SEEDS)
def test_square_seeds_keep_their_pictures(seed: int) -> None:
    strip = np.asarray(Image.open(GOLDEN).convert("RGB"), np.float64)
    drawn = thumbnail(render(Scene.random(random.Random(seed))))
    assert psnr(drawn, strip[:, seed * 64 : seed * 64 + 64]) > GOLDEN_PSNR


def test_golden_threshold_tells_seeds_apart() -> None:
    strip = np.asarray(Image.open(GOLDEN).convert("RGB"), np.float64)
    tiles = [strip[:, seed * 64 : seed * 64 + 64] for seed in GOLDEN_SEEDS]
    nearest = max(psnr(a, b) for i, a in enumerate(tiles) for b in tiles[:i])
    assert nearest < GOLDEN_PSNR / 2


def test_the_first_person_of_seed_0() -> None:
    # Renaming or reordering attribute values would silently make other people of all seeds.
    assert Identity.random(random.Random(0)) == Identity(
        hair="purple",
        style="hair buns",
        eyes="blue",
        skin="pale",
        outfit="kimono",
        color="black",
        accent="white",
        accessory="flower",
        fringe="spiky",
    )


@given(seeds)
@settings(max_examples=examples(50), deadline=None)
def test_attributes_come_from_their_lists(seed: int) -> None:
    rng = random.Random(seed)
    person, state = Identity.random(rng), State.random(rng)
    assert person.hair in HAIR
    assert person.style in words.STYLES
    assert person.eyes in EYES
    assert person.skin in SKIN
    assert person.outfit in words.OUTFITS
    assert person.color in CLOTH
    assert person.accent in CLOTH
    assert person.accessory in words.ACCESSORIES
    assert person.fringe in words.FRINGES
    assert state.expression in words.EXPRESSIONS
    assert state.pose in words.POSES
    assert -1 <= state.turn <= 1
    assert abs(state.tilt) <= words.MAX_TILT


@given(seeds, shapes, st.integers(0, 3))
@settings(max_examples=examples(25), deadline=None)
def test_every_character_of_every_shape_can_be_seen(seed: int, shape: tuple[int, int], count: int) -> None:
    width, height = shape
    scene = Scene.random(random.Random(seed), width, height, count=count)
    picture = render(scene)
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8
    truths = ground_truth(scene)
    assert len(truths) == len(scene.figures) == count
    for truth in truths:
        assert truth.head.height > LEAST_HEAD
        assert truth.box.intersection(truth.head) == pytest.approx(truth.head.area), "the head is in the box"
        assert truth.box.clipped().as_tuple() == pytest.approx(truth.box.as_tuple())
    owners = sum((truth.mask.astype(int) for truth in truths), np.zeros((height, width), int))
    assert owners.max(initial=0) <= 1, "a pixel belongs to one character"


@pytest.mark.parametrize("shape", SHAPES)
def test_no_face_is_hidden_behind_another(shape: tuple[int, int]) -> None:
    for seed in range(6):
        scene = Scene.random(random.Random(seed), *shape, count=3, background="plain")
        for figure, truth in zip(scene.figures, ground_truth(scene), strict=True):
            (alone,) = ground_truth(dataclasses.replace(scene, figures=(figure,)))
            assert truth.head.area > LEAST_FACE * alone.head.area


@pytest.mark.parametrize("name", BACKGROUNDS)
@pytest.mark.parametrize("shape", [(384, 192), (192, 384)])
def test_backgrounds_leave_no_gaps(name: str, shape: tuple[int, int]) -> None:
    scene = Scene.random(random.Random(1), *shape, count=0, background=name)
    assert raster(to_svg(scene), *shape)[..., 3].min() == 255


def test_mask_is_the_whole_figure_and_truth_what_is_left_of_it() -> None:
    scene = Scene.random(random.Random(5), 192, 320, count=3)
    truths = ground_truth(scene)
    covered = 0
    for index, truth in enumerate(truths):
        whole = mask(scene, index)
        assert whole.shape == (320, 192)
        assert (truth.mask & ~whole).mean() < 0.002, "anti-aliased edges at most"
        covered += int((whole & ~truth.mask).sum())
    assert covered > 1000, "in a tall panel somebody stands behind somebody"
    last = mask(scene, 2) & ~truths[2].mask
    assert last.mean() < 0.002, "nothing covers the last one"


@pytest.mark.parametrize("shape", [*SHAPES, (256, 256)])
def test_the_head_of_a_whole_figure_is_its_upper_part(shape: tuple[int, int]) -> None:
    for seed in range(8):
        (truth,) = ground_truth(Scene.random(random.Random(seed), *shape, count=1, frame="full body"))
        assert 0.35 < truth.head.height / truth.box.height < 0.6
        assert truth.head.y < truth.box.y + 0.1 * truth.box.height


def test_changing_one_figure_changes_the_picture_only_there() -> None:
    scene = Scene.random(random.Random(8), 384, 192, count=2, frame="full body", ink=False)
    first, second = scene.figures
    expression = "angry" if second.state.expression != "angry" else "laughing"
    moved = dataclasses.replace(second, state=dataclasses.replace(second.state, expression=expression))
    other = dataclasses.replace(scene, figures=(first, moved))
    changed = (render(scene) != render(other)).any(axis=2)
    assert changed.any()
    left, top, right, bottom = ground_truth(scene)[1].head.pixels(384, 192)
    changed[top:bottom, left:right] = False
    assert not changed.any()


def test_ink_panels_are_grey() -> None:
    picture = render(Scene.random(random.Random(2), ink=True, background="park")).astype(int)
    assert np.ptp(picture, axis=2).max() <= 8
    tones = np.unique(picture[..., 0] // 64)
    assert {0, 3} <= set(tones.tolist())


@given(st.sampled_from(sorted(HAIR.values())), st.sampled_from(sorted(CLOTH.values())), st.floats(0, 1))
def test_mix_stays_between_its_colours(first: str, second: str, amount: float) -> None:
    blended = mix(first, second, amount)
    for at in (1, 3, 5):
        a, b, c = (int(colour[at : at + 2], 16) for colour in (first, second, blended))
        assert min(a, b) <= c <= max(a, b)


@given(st.integers(0, 255), st.integers(0, 255))
def test_ink_never_paints_darker_for_lighter(first: int, second: int) -> None:
    order = ["#ffffff", "#d4d4d4", "#9e9e9e", "#464646", "#26262a"]
    tone = Ink()
    light, dark = max(first, second), min(first, second)
    ranks = [order.index(tone.fill(f"#{grey:02x}{grey:02x}{grey:02x}")) for grey in (light, dark)]
    assert ranks == sorted(ranks)


@given(seeds, st.sampled_from(FRAMES), st.booleans())
@settings(max_examples=examples(30), deadline=None)
def test_reference_is_a_padded_crop_with_the_head_whole(seed: int, frame: str, ink: bool) -> None:
    rng = random.Random(seed)
    person = Identity.random(rng)
    picture = reference(person, rng, frame=frame, ink=ink)
    assert picture.shape == (128, 128, 3)
    assert picture.dtype == np.uint8
    paper = picture[0, 0].astype(int)
    assert paper.min() >= 215, "a light paper"
    drawn = (np.abs(picture.astype(int) - paper) > 24).any(axis=2)
    # White hair on white paper shows by its outline, so the drawing still reaches near its crop's sides.
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    assert not drawn[0].any(), "nothing is cut at the top"
    above = drawn[: rows[-1] - 8]  # a close-up is cut at the shoulders
    assert not above[:, 0].any(), "nor at the left"
    assert not above[:, -1].any(), "nor at the right"
    assert max(np.ptp(rows), np.ptp(columns)) > 0.75 * 128, "cropped close to the character"
    assert abs((rows[0] + rows[-1]) / 2 - 63.5) < 4, "centred by padding"
    assert abs((columns[0] + columns[-1]) / 2 - 63.5) < 4, "centred by padding"


def test_references_of_one_identity_differ_in_state() -> None:
    rng = random.Random(3)
    person = Identity.random(rng)
    pictures = [reference(person, rng, ink=False).tobytes() for _ in range(4)]
    assert len(set(pictures)) == 4


def test_reference_obeys_its_size() -> None:
    rng = random.Random(4)
    assert reference(Identity.random(rng), rng, 96).shape == (96, 96, 3)


def test_given_attributes_are_kept() -> None:
    rng = random.Random(9)
    cast = [Identity.random(rng), Identity.random(rng)]
    scene = Scene.random(rng, 320, 192, identities=cast, ink=True, background="beach", frame="close-up")
    assert [figure.identity for figure in scene.figures] == cast
    assert (scene.width, scene.height, scene.ink, scene.background) == (320, 192, True, "beach")
    assert scene.frame == "bust", "two do not fit into a close-up"


@pytest.mark.parametrize("count", [-1, 4])
def test_a_panel_holds_three_at_most(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} characters"):
        Scene.random(random.Random(0), count=count)


def test_truth_does_not_depend_on_how_many_are_measured_at_once() -> None:
    scene = Scene.random(random.Random(12), 384, 192, count=3, frame="full body")
    left, middle, right = scene.figures
    crowd = dataclasses.replace(scene, figures=(left, left, middle, right))
    hidden, *seen = ground_truth(crowd)
    assert hidden.mask.mean() < 0.002
    for truth, expected in zip(seen, ground_truth(scene), strict=True):
        assert (truth.mask ^ expected.mask).mean() < 0.002
        assert truth.head.iou(expected.head) > 0.9


def test_same_scene_same_pixels() -> None:
    scene = Scene.random(random.Random(11), 288, 224)
    pictures = {render(scene).tobytes() for _ in range(10)}
    assert len(pictures) == 1


def test_contact_sheet_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sheet.png"
    assert draw_main(["--count", "8", "--columns", "4", "--size", "all", "--boxes", "--out", str(out)]) == 0
    with Image.open(out) as sheet:
        assert sheet.size == (4 * (384 + 4) + 4, 2 * (384 + 4) + 4)
    assert "8 pictures" in capsys.readouterr().out


@pytest.mark.parametrize("size", ["256", "0x256", "wide", "axb"])
def test_contact_sheet_refuses_bad_sizes(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        draw_main(["--size", size, "--out", "unused.png"])
    assert stopped.value.code == 2
    assert repr(size) in capsys.readouterr().err

"""The vibe memory: what it keeps, and what it says of pictures in any form."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.errors import ConfigError, WeightsMissing
from model.memory.vibe.analytics import draw_analytics
from model.memory.vibe.entries import DAY, Copy
from model.memory.vibe.memory import VibeMemory
from model.memory.vibe.report import calibrate
from model.memory.vibe.settings import PRESETS, VibeSettings, preset
from tests.memory.eyes import WIDTH, Eyes


def vectors(seed: int, count: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(count, WIDTH)) + 0.5


@pytest.fixture
def vibe(tmp_path: Path) -> VibeMemory:
    return VibeMemory(tmp_path / "vibe.json", Eyes())


def test_a_picture_is_one_picture_in_every_form(vibe: VibeMemory, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    grey = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8))
    for picture in (grey.convert("RGB"), Image.effect_noise((30, 40), 80).convert("RGB")):
        path = tmp_path / "picture.png"
        picture.save(path)
        array = np.asarray(picture)
        tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
        forms = [
            path, str(path), picture, picture.convert("RGBA"), array, array[None],
            tensor, tensor[None], tensor.float() / 255, (tensor.float() / 255)[None],
            (tensor.float() / 255).numpy(), tensor.float() / 127.5 - 1,
        ]  # fmt: skip
        if picture == grey.convert("RGB"):
            forms += [grey, np.asarray(grey), grey.convert("LA")]
        expected = vibe.embed(path)
        for form in forms:
            assert np.abs(vibe.embed(form) - expected).max() <= 1e-4
        half = vibe.embed((tensor.float() / 255).to(torch.bfloat16))  # three digits
        assert np.abs(half - expected).max() <= 0.02


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere.png", "nowhere.png: found no such file"),
        (np.zeros((5, 6, 2), np.uint8), "1, 3 or 4 channels"),
        (np.zeros((4, 4, 3), np.int64), "int64"),
        (np.zeros((0, 4, 3), np.uint8), "shape (0, 4, 3)"),
        (np.full((3, 8, 8), np.nan), "NaN"),
        (np.full(WIDTH, np.nan), "NaN"),
        (np.zeros(WIDTH), "zero"),
        (object(), "found object"),
    ],
)
def test_what_is_no_picture_is_refused_and_nothing_is_kept(
    vibe: VibeMemory, given: object, message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        vibe.add_like(given)  # type: ignore[arg-type]
    assert message in str(refused.value)
    assert vibe.memories == ()
    assert not vibe.path.exists()


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_is_above_zero(vibe: VibeMemory, weight: float) -> None:
    with pytest.raises(ConfigError, match="weight"):
        vibe.add_like(vectors(0, 1)[0], weight=weight)


@pytest.mark.parametrize("category", ["", "  ", "x" * 65, "a\nb"])
def test_a_category_is_a_name(vibe: VibeMemory, category: str) -> None:
    with pytest.raises(ConfigError, match="category"):
        vibe.add_like(vectors(0, 1)[0], category)


def test_what_is_added_is_there_for_everybody(vibe: VibeMemory) -> None:
    other = VibeMemory(vibe.path)
    likes, dislikes = vectors(1, 6) + 1, vectors(2, 6) - 1
    for like, dislike in zip(likes, dislikes, strict=True):
        vibe.add_like(like, category="portraits", weight=1.5)
        vibe.add_dislike(dislike, category="portraits")
    assert other.score(likes[0]) == vibe.score(likes[0]) > 0.2
    assert other.score(dislikes[0], "portraits") < -0.2
    assert [memory.weight for memory in other.memories] == [1.5] * 6 + [1.0] * 6
    assert vibe.score(list(likes[0])) == vibe.score(likes[:1]) == vibe.score(likes[0])
    np.testing.assert_allclose(
        vibe.score_many(likes), [vibe.score(like) for like in likes], rtol=0, atol=1e-9
    )
    assert vibe.score_many(likes, plain=True)[0] > 0


def test_statistics(vibe: VibeMemory) -> None:
    vibe.add_like(vectors(1, 1)[0], "portraits", 2.0)
    vibe.add_dislike(vectors(2, 1)[0])
    vibe.record(vectors(3, 4), [0.1, 0.2, 0.3, 0.4], applied=2)
    vibe.record(vectors(4, 1), [1.0], applied=1)
    facts = vibe.get_statistics()
    assert (facts["liked"], facts["disliked"], facts["total"]) == (1, 1, 2)
    assert facts["weight_liked"] == 2.0
    assert facts["categories"] == {
        "general": {"liked": 0, "disliked": 1},
        "portraits": {"liked": 1, "disliked": 0},
    }
    assert facts["generation_count"] == facts["panels_seen"] == 5
    assert facts["average_score"] == pytest.approx(0.4)
    assert facts["filter_applications"] == 3
    json.dumps(facts)
    again = VibeMemory(vibe.path, Eyes()).get_statistics()
    assert again == facts


def test_the_mean_of_recorded_panels_is_the_centre(vibe: VibeMemory) -> None:
    vibe.add_like(vectors(1, 1)[0])
    drawn = vectors(5, 30)
    vibe.record(drawn[:10], [0.0] * 10)
    vibe.record(drawn[10:], [0.0] * 20)
    mean = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(vibe.taste(WIDTH).centre, mean, atol=1e-6)


def test_clearing(vibe: VibeMemory) -> None:
    for category in ("general", "portraits", "portraits"):
        vibe.add_like(vectors(len(category), 1)[0], category)
    assert vibe.clear("landscapes") == 0
    assert vibe.clear("portraits") == 2
    assert [memory.category for memory in vibe.memories] == ["general"]
    vibe.record(vectors(3, 1), [0.5])
    assert vibe.clear() == 1
    assert vibe.get_statistics()["generation_count"] == 0
    assert vibe.score(vectors(0, 1)[0]) == 0.0


def test_optimizing_loses_nothing_and_twice_is_once(vibe: VibeMemory) -> None:
    rows = vectors(1, 4)
    for number in range(3):
        vibe.add_like(rows[0], weight=1.0 + number, source=f"{number}.png")
    vibe.add_like(rows[0], "portraits")
    vibe.add_dislike(rows[0])
    vibe.add_dislike(rows[1])
    before = vibe.memories
    scores = vibe.score_many(rows)
    assert vibe.optimize() == (6, 4)
    np.testing.assert_array_equal(vibe.score_many(rows), scores)
    copies = sorted(str(copy) for memory in before for copy in memory.copies)
    assert sorted(str(copy) for memory in vibe.memories for copy in memory.copies) == copies
    text = vibe.path.read_text()
    assert vibe.optimize() == (4, 4)
    assert vibe.path.read_text() == text
    reread = VibeMemory(vibe.path)
    assert sorted(str(copy) for memory in reread.memories for copy in memory.copies) == copies


def test_old_opinions_weigh_less_but_are_stored_whole(vibe: VibeMemory) -> None:
    like, dislike = vectors(1, 1)[0], vectors(2, 1)[0]
    memory = vibe.add_like(like)
    vibe.add_dislike(dislike)
    fresh = vibe.score(like)
    year_ago = replace(memory, copies=(Copy(timestamp=round(time.time() - 365 * DAY, 3)),))
    vibe.change(lambda contents: replace(contents, memories=(year_ago, *contents.memories[1:])))
    assert year_ago.signed_weight(time.time()) == pytest.approx(0.95 ** (365 / 30), abs=0.01)
    assert 0 < vibe.score(like) < fresh
    assert vibe.memories[0].weight == 1.0
    assert Copy(weight=2.0).weight_at(time.time()) == 2.0
    assert Copy(timestamp=time.time() + DAY).weight_at(time.time()) == 1.0


def test_explanations_add_up_and_name_the_pictures(vibe: VibeMemory, tmp_path: Path) -> None:
    for name, colour in (("red", (200, 30, 30)), ("rose", (220, 60, 60)), ("blue", (30, 30, 200))):
        Image.new("RGB", (50, 40), colour).save(tmp_path / f"{name}.png")
    vibe.add_like(tmp_path / "red.png")
    vibe.add_dislike(tmp_path / "blue.png")
    found = vibe.explain(tmp_path / "rose.png")
    assert found.score > 0
    assert sum(one.contribution for one in found.influences) == pytest.approx(found.score, abs=1e-6)
    assert {Path(one.memory.fact("source")).name for one in found.influences} == {"red.png", "blue.png"}
    (nearest,) = vibe.nearest(tmp_path / "rose.png", count=1)
    assert Path(nearest.memory.fact("source")).name == "red.png"
    kept = vibe.picture_of(nearest.memory)
    assert kept is not None
    with Image.open(kept) as picture:
        assert picture.size == (50, 40)
    assert len(vibe.explain(tmp_path / "rose.png", top=1).influences) == 1


def test_pictures_are_kept_small_and_go_with_their_memories(vibe: VibeMemory) -> None:
    picture = Image.effect_noise((1200, 600), 60).convert("RGBA")
    memory = vibe.add_like(picture)
    path = vibe.picture_of(memory)
    assert path is not None
    with Image.open(path) as kept:
        assert kept.size == (512, 256)
    vibe.clear()
    assert path.exists(), "the .bak still shows it"
    vibe.add_like(vectors(0, 1)[0])
    vibe.clear()
    assert not path.exists()
    quiet = VibeMemory(vibe.path, Eyes(), keep_pictures=False)
    assert quiet.picture_of(quiet.add_like(picture)) is None


def test_favourites_are_liked_pictures_that_were_kept(vibe: VibeMemory) -> None:
    assert vibe.favourites() == ()
    for number in range(4):
        vibe.add_like(Image.new("RGB", (8, 8), (250, 20 * number, 0)), "warm")
        vibe.add_dislike(Image.new("RGB", (8, 8), (0, 20 * number, 250)))
    vibe.add_like(vectors(1, 1)[0], "warm")
    found = vibe.favourites(count=3)
    assert len(found) == 3
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    for path, score in found:
        assert score > 0
        with Image.open(path) as picture:
            red, _, blue = np.asarray(picture).reshape(-1, 3).mean(axis=0)
        assert red > 200 > 50 > blue
    assert vibe.favourites(category="cold") == ()
    assert len(vibe.favourites(category="warm", count=10)) == 4
    # What a run draws and tells the memory changes nothing, or the next run would draw other panels.
    vibe.record(vectors(9, 9), [0.0] * 9)
    assert vibe.favourites(count=3) == found


def test_without_an_encoder_pictures_are_neutral_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vibe = VibeMemory(tmp_path / "vibe.json")
    vibe.add_like(vectors(1, 1)[0])
    picture = Image.new("RGB", (8, 8))
    with caplog.at_level(logging.WARNING):
        assert vibe.score(picture) == 0.0
        assert vibe.score(picture) == 0.0
        assert vibe.explain(picture).influences == ()
        assert vibe.nearest(picture) == ()
    assert len(caplog.records) == 1
    assert "neutral" in caplog.text
    assert vibe.accepts(vibe.score(picture))
    with pytest.raises(WeightsMissing):
        vibe.add_like(picture)
    assert vibe.score(vectors(1, 1)[0]) > 0, "embeddings need no encoder"


def test_an_encoder_is_loaded_when_it_is_needed_and_once(tmp_path: Path) -> None:
    loaded: list[Eyes] = []

    def load() -> Eyes:
        loaded.append(Eyes())
        return loaded[-1]

    vibe = VibeMemory(tmp_path / "vibe.json", load)
    vibe.add_like(vectors(1, 1)[0])
    vibe.score(vectors(1, 1)[0])
    assert loaded == []
    vibe.add_like(Image.new("RGB", (8, 8), "red"))
    vibe.score(Image.new("RGB", (8, 8), "blue"))
    assert [eyes.seen for eyes in loaded] == [2]


def test_memories_of_another_encoder_are_set_aside(
    vibe: VibeMemory, caplog: pytest.LogCaptureFixture
) -> None:
    class Others(Eyes):
        space = "others"

    row = vectors(1, 1)[0]
    vibe.add_like(row)
    other = VibeMemory(vibe.path, Others())
    with caplog.at_level(logging.WARNING):
        assert other.score(row) == 0.0
        assert other.score(row) == 0.0
    assert len(caplog.records) == 1
    other.add_dislike(row)
    assert other.score(row) < 0 < vibe.score(row)
    assert len(vibe.memories) == 2


def test_settings_are_checked() -> None:
    assert (VibeSettings().threshold, VibeSettings().max_retries) == (-0.1, 3)
    assert set(PRESETS) == {"quality", "speed", "exploration"}
    assert preset("Quality").threshold > preset("exploration").threshold > preset("speed").threshold
    assert preset("quality").max_retries > preset("exploration").max_retries > preset("speed").max_retries
    for threshold in (-1.01, 1.01, float("nan")):
        with pytest.raises(ConfigError, match="threshold"):
            VibeSettings(threshold=threshold)
    for retries in (0, 11):
        with pytest.raises(ConfigError, match="retries"):
            VibeSettings(max_retries=retries)
    with pytest.raises(ConfigError, match="quality, speed, exploration"):
        preset("best")


def test_calibration_scores_each_picture_by_the_others(vibe: VibeMemory) -> None:
    assert calibrate(vibe.taste(WIDTH)).count == 0
    rows = vectors(1, 40)
    wish = np.random.default_rng(9).normal(size=WIDTH)
    for row in rows:
        (vibe.add_like if (row - 0.5) @ wish > 0 else vibe.add_dislike)(row)
    found = calibrate(vibe.taste(WIDTH))
    assert found.count == 40
    assert sum(one.count for one in found.bins) == 40
    assert found.auc > 0.65
    assert found.brier < 0.25
    assert found == calibrate(VibeMemory(vibe.path, Eyes()).taste(WIDTH))


def test_the_analytics_picture_shows_what_is_liked(vibe: VibeMemory, tmp_path: Path) -> None:
    out = tmp_path / "taste.png"
    draw_analytics(vibe, calibrate(vibe.taste(WIDTH)), out)
    with Image.open(out) as empty:
        plain = np.asarray(empty.convert("RGB"))
    for number in range(4):
        vibe.add_like(Image.new("RGB", (60, 40), (250, 10 * number, 10)))
        vibe.add_dislike(Image.new("RGB", (40, 60), (10, 10 * number, 250)))
    draw_analytics(vibe, calibrate(vibe.taste(WIDTH)), out)
    with Image.open(out) as opened:
        drawn = np.asarray(opened.convert("RGB")).astype(int)
    assert drawn.shape == plain.shape
    red = (drawn[..., 0] > 230) & (drawn[..., 2] < 40)
    blue = (drawn[..., 2] > 230) & (drawn[..., 0] < 40)
    assert red.sum() > 4 * 100 * 150 * 0.9
    assert blue.sum() > 4 * 100 * 150 * 0.9
    assert np.flatnonzero(red.any(axis=1))[0] < np.flatnonzero(blue.any(axis=1))[0]

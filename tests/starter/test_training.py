"""The trainers of VAE and CLIP, small: they learn, resume where they stopped, write what others read."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from torch import Tensor

from model.geometry import Box
from model.vision.clip import ImageEncoder, tokenize
from scripts.starter import train_clip, train_vae
from scripts.starter.course import Course
from scripts.starter.gallery import CHUNK, CROPS_PER_PANEL, Gallery, crop, draw_panel
from scripts.starter.pairs import SIDE, choose, draw_cast, draw_characters, look_caption, panel_crop
from scripts.starter.text import pair_tokenizer
from scripts.starter.vae import LATENT_CHANNELS, encode, fresh_vae, open_vae, pictures, pixels

TINY_VAE = (4, 4, 8, 8)
TINY_VISION = {
    "image_size": SIDE,
    "layers": 1,
    "width": 32,
    "head_width": 16,
    "patch_size": 32,
    "pool_type": "avg",
}


def vae_batch() -> Tensor:
    rng = np.random.default_rng(0)
    return pixels(np.stack([crop(draw_panel(seed), rng, 64) for seed in range(4)]))


def tiny_vae(*, decoder_only: bool = False) -> train_vae.Training:
    torch.manual_seed(1)
    return train_vae.Training(fresh_vae(TINY_VAE), decoder_only=decoder_only)


def vae_losses(training: train_vae.Training, batch: Tensor, steps: int, seed: int) -> list[float]:
    torch.manual_seed(seed)  # of the latents' noise
    return [training.step(batch, 5e-3)[0] for _ in range(steps)]


def test_vae_learns() -> None:
    losses = vae_losses(tiny_vae(), vae_batch(), 15, seed=0)
    assert losses[-1] < 0.8 * losses[0]


def test_vae_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    batch, first = vae_batch(), tiny_vae()
    vae_losses(first, batch, 3, seed=0)
    Course(tmp_path, 1).save(**first.state())
    state = Course(tmp_path, 1).load()
    assert state is not None
    torch.manual_seed(99)
    second = train_vae.Training(fresh_vae(TINY_VAE))
    second.restore(state)
    assert second.optimizer.steps == 3
    assert vae_losses(second, batch, 2, seed=7) == pytest.approx(
        vae_losses(first, batch, 2, seed=7), rel=1e-5
    )
    one, other = first.averaged().state_dict(), second.averaged().state_dict()
    for name, value in one.items():
        assert torch.allclose(value, other[name], atol=1e-6), name


def test_decoder_only_leaves_latents_alone() -> None:
    training, batch = tiny_vae(decoder_only=True), vae_batch()
    before, weights = encode(training.vae, batch), training.vae.decoder.conv_in.weight.clone()
    vae_losses(training, batch, 3, seed=0)
    assert torch.equal(encode(training.averaged(), batch), before)
    assert not torch.equal(training.vae.decoder.conv_in.weight, weights)
    with pytest.raises(ValueError, match="other parameters"):
        tiny_vae().restore(training.state())


def test_posterior_is_narrow_and_stays_so() -> None:
    training, batch = tiny_vae(), vae_batch()
    vae_losses(training, batch, 3, seed=0)
    moments = training.averaged().encoder(batch)
    assert moments[:, LATENT_CHANNELS:].max() == moments[:, LATENT_CHANNELS:].min() == -6.0


def test_edge_loss_sees_lines_not_tones() -> None:
    flat, line = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    line[..., 8] = 1
    assert train_vae.edge_loss(flat, flat + 0.5) == pytest.approx(0, abs=1e-6)
    assert train_vae.edge_loss(flat, line) > 0.1


def test_pixels_and_pictures_are_inverse() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, 3)
    assert np.array_equal(pictures(pixels(values)), values)


def test_vae_command_resumes_and_writes_a_folder(tmp_path: Path) -> None:
    small = ["--batch", "1", "--panels", "4", "--held_out", "2", "--workers", "0", "--out", str(tmp_path)]
    assert train_vae.main([*small, "--steps", "1"]) == 0
    assert train_vae.main([*small, "--steps", "2"]) == 0
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["steps"] for line in lines] == [1, 2]
    assert {"psnr_noisy", "per_second"} <= lines[1].keys()
    vae = open_vae(tmp_path)
    assert vae.config["scaling_factor"] != 1.0
    assert encode(vae, torch.zeros(1, 3, 192, 384)).shape == (1, LATENT_CHANNELS, 12, 24)
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.width > 384


def test_decoder_only_wants_an_encoder(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        train_vae.main(["--decoder_only"])
    assert stopped.value.code == 2
    assert "--init" in capsys.readouterr().err


def test_gallery_hangs_new_panels_as_crops_are_taken() -> None:
    gallery, rng = Gallery(4, 100, workers=0), np.random.default_rng(0)
    before = [panel.picture for panel in gallery.panels]
    assert gallery.crops(rng, 3, 128).shape == (3, 128, 128, 3)
    assert all(panel.picture is old for panel, old in zip(gallery.panels, before, strict=True))
    gallery.crops(rng, CHUNK * CROPS_PER_PANEL, 128)
    assert not any(panel.picture is old for panel, old in zip(gallery.panels, before, strict=True))
    assert gallery.next_seed == 100 + 4 + CHUNK


# --- CLIP


@pytest.fixture(scope="module")
def clip_batch() -> tuple[Tensor, Tensor, Tensor, dict[str, object]]:
    rng = random.Random(0)
    characters = draw_characters(range(8), views=1, workers=0)
    references, crops, captions = choose(characters, 8, rng)
    tokenizer = pair_tokenizer(captions)
    config = train_clip.model_config(tokenizer, TINY_VISION)
    return pixels(references), pixels(crops), tokenize(tokenizer, captions, 40), config


def clip_losses(training: train_clip.Training, batch: Sequence[Tensor], steps: int) -> list[float]:
    return [training.step(*batch, rate=3e-3) for _ in range(steps)]


def test_clip_learns_and_goes_on_from_its_checkpoint(clip_batch: tuple, tmp_path: Path) -> None:
    *batch, config = clip_batch
    torch.manual_seed(0)
    first = train_clip.Training(open_clip.CLIP(**config))
    losses = clip_losses(first, batch, 15)
    assert losses[-1] < 0.5 * losses[0]
    Course(tmp_path, 1).save(optimizer=first.optimizer.state())
    state = Course(tmp_path, 1).load()
    assert state is not None
    second = train_clip.Training(open_clip.CLIP(**config))
    second.optimizer.restore(state["optimizer"])
    assert clip_losses(second, batch, 2) == pytest.approx(clip_losses(first, batch, 2), rel=1e-5)


def test_clip_command_writes_what_the_encoder_reads(tmp_path: Path) -> None:
    tokenizer = pair_tokenizer(["red hair blue dress", "silver hair yellow hoodie"])
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    small = ["--characters", "12", "--views", "1", "--held_out", "8", "--batch", "4", "--workers", "0"]
    small += ["--tokenizer", str(tmp_path / "tokenizer"), "--out", str(tmp_path)]
    fresh_vae((4, 4, 4, 4, 4)).save_pretrained(tmp_path / "vae")
    small += ["--vae", str(tmp_path / "vae")]
    assert train_clip.main([*small, "--steps", "1"]) == 0
    assert train_clip.main([*small, "--steps", "2"]) == 0
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["steps"] for line in lines] == [1, 2]
    assert 0 <= lines[1]["auc"] <= 1
    encoder = ImageEncoder(tmp_path)
    assert encoder.encode_images([Image.new("RGB", (30, 60), "red")]).shape == (1, train_clip.WIDTH)
    assert encoder.encode_texts(["red hair"]).shape == (1, train_clip.WIDTH)


def test_chance_first_counts_every_choice_of_others() -> None:
    right_first = np.eye(5)
    assert train_clip.chance_first(right_first, 3) == 1.0
    assert train_clip.chance_first(1 - right_first, 3) == 0.0
    # One of four others is better: it is among two chosen ones in half of the choices.
    one_better = np.zeros((5, 5)) + np.eye(5) / 2
    one_better[np.arange(5), (np.arange(5) + 1) % 5] = 1
    assert train_clip.chance_first(one_better, 3) == pytest.approx(0.5)


def test_casts_are_the_same_for_a_seed_and_seen_both_ways() -> None:
    first, second = draw_cast(4, views=2), draw_cast(4, views=2)
    assert first
    for one, other in zip(first, second, strict=True):
        assert one.references.shape == one.crops.shape == (2, SIDE, SIDE, 3)
        assert np.array_equal(one.crops, other.crops)
        assert not np.array_equal(one.crops[0], one.crops[1])


def test_panel_crops_are_padded_with_white_and_whole() -> None:
    panel = Image.new("RGB", (200, 200), "black")
    for seed in range(5):
        square = np.asarray(panel_crop(panel, Box(0.4, 0.1, 0.2, 0.8), random.Random(seed)))
        assert square.shape == (SIDE, SIDE, 3)
        assert square[:, :20].min() == square[:, -20:].min() == 255
        assert square[[2, -3], SIDE // 2].max() < 60


def test_captions_say_how_a_character_looks_and_seldom_what_it_does() -> None:
    rng, attributes = random.Random(0), draw_cast(0)[0].attributes
    attributes = {**attributes, "pose": "waving", "expr": "angry"}
    captions = [look_caption(attributes, rng) for _ in range(200)]
    assert all(
        "neutral" not in caption and "calm" not in caption and "  " not in caption for caption in captions
    )
    assert 10 < sum("waving" in caption for caption in captions) < 60
    assert sum(attributes["hair"] in caption for caption in captions) > 170
    assert 20 < sum("," in caption for caption in captions) < 100


# --- the course of a run


def test_course_counts_training_only_and_remembers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("scripts.starter.course.time.monotonic", lambda: now)
    course = Course(tmp_path, 2)
    now = 20.0
    assert course.tick()
    now = 1000.0
    course.pause()
    now = 1010.0
    assert course.tick()
    now = 5000.0  # stopped for a while
    assert course.tick()
    assert course.seconds == pytest.approx(60)
    assert course.rate(1.0, 1000) == pytest.approx(1.0)
    assert not course.due("checkpoint", 0.5)
    course.save()
    resumed = Course(tmp_path, 2)
    assert resumed.load() == {}
    assert resumed.fraction == pytest.approx(0.5)
    now += 30
    assert resumed.tick()
    now += 30
    assert not resumed.tick()
    assert resumed.rate(1.0, 1000) == pytest.approx(0.02)
    now += 1
    course.tick()
    now += 30
    course.tick()
    assert course.due("checkpoint", 0.5)
    assert not course.due("checkpoint", 0.5)


def test_course_counts_steps_where_they_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("scripts.starter.course.time.monotonic", lambda: now)
    course = Course(tmp_path, minutes=1, steps=300)
    assert course.tick(0)
    now = 7200.0
    assert course.tick(299)
    assert course.tick()  # asked again within a step
    assert course.rate(1.0, 150) < 0.05
    assert not course.tick(300)
    assert course.fraction == 1
    assert Course(tmp_path, minutes=1, steps=300).rate(1.0, 150) == 1.0

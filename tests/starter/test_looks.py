"""Captions that nearly fit differ in one thing that can be seen; the encoder learns to tell them apart."""

from __future__ import annotations

import random

import numpy as np
import torch
from PIL import Image

from model.geometry import Box
from scripts.starter.looks import (
    NEGATIVES,
    SIDE,
    caption,
    choose_looks,
    differing,
    draw_look,
    draw_looks,
    grown,
    head_picture,
    look_loss,
    together,
)


def test_a_look_is_a_panel_and_its_head() -> None:
    looks = draw_looks(range(6), workers=0)
    assert looks
    for look in looks:
        assert look.whole.shape == look.head.shape == (SIDE, SIDE, 3)
        assert {"style", "expr", "acc", "pose", "ink", "frame"} <= set(look.about)
    first, again = draw_look(0), draw_look(0)
    assert first is not None
    assert again is not None
    assert (first.head == again.head).all()


def test_what_nearly_fits_differs_in_one_thing() -> None:
    rng = random.Random(0)
    for look in draw_looks(range(8), workers=0):
        for whole in (True, False):
            for _ in range(10):
                other = differing(look.about, rng, whole=whole)
                changed = [key for key in look.about if look.about[key] != other[key]]
                assert len(changed) == 1
                assert changed != ["pose"] or whole, "a head shows no pose"
                assert changed != ["hair"] or not look.about["ink"], "nor ink a colour"
                seed = rng.random()
                said = {caption(about, random.Random(seed), whole=whole) for about in (look.about, other)}
                assert len(said) == 2, "and says so"


def test_a_batch_has_the_true_caption_first() -> None:
    looks = draw_looks(range(8), workers=0)
    wholes, heads, of_panels, of_heads = choose_looks(looks, 4, random.Random(1))
    assert wholes.shape == heads.shape == (4, SIDE, SIDE, 3)
    assert len(of_panels) == len(of_heads) == 4 * (1 + NEGATIVES)


def test_the_loss_wants_the_true_caption() -> None:
    images = torch.nn.functional.normalize(torch.eye(4, 8), dim=-1)
    wrong = torch.nn.functional.normalize(torch.randn(4, NEGATIVES, 8), dim=-1)
    right = torch.cat([images[:, None], wrong], 1).flatten(0, 1)
    swapped = torch.cat([images.roll(1, 0)[:, None], wrong], 1).flatten(0, 1)
    scale = torch.tensor(20.0)
    assert look_loss(images, right, scale) < 0.5 * look_loss(images, swapped, scale)


def test_whole_and_head_together_are_a_unit_vector_between_them() -> None:
    whole, head = torch.nn.functional.normalize(torch.randn(2, 5, 16), dim=-1)
    both = together(whole, head)
    assert torch.allclose(both.norm(dim=-1), torch.ones(5), atol=1e-5)
    assert torch.allclose((both * whole).sum(-1), (both * head).sum(-1), atol=1e-5)


def test_a_head_is_shown_with_a_little_around_it() -> None:
    assert grown(Box(0.4, 0.4, 0.2, 0.2), 1.5).iou(Box(0.35, 0.35, 0.3, 0.3)) > 0.999
    assert grown(Box(0.0, 0.0, 0.5, 0.5), 2.0) == Box(0.0, 0.0, 0.75, 0.75)
    picture = head_picture(Image.new("RGB", (200, 100), "red"), Box(0.4, 0.2, 0.2, 0.4))
    assert np.asarray(picture).shape == (SIDE, SIDE, 3)

"""What the detector is taught: phrases are true of whom they say, answers go to whom they are nearest."""

from __future__ import annotations

import random
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import generalized_box_iou

from model.geometry import Box
from model.vision.asking import Found
from scripts.starter.captions import attributes
from scripts.starter.detector.anchors import NAMES, UNKNOWN, Anchors, labels
from scripts.starter.detector.batches import Batches, grid_centres
from scripts.starter.detector.losses import (
    MOST,
    PLACES,
    Truth,
    corners,
    focal_loss,
    generalised_iou,
    match,
    one_each,
    set_loss,
    several_each,
    weighted,
)
from scripts.starter.detector.measure import hits, look
from scripts.starter.detector.network import fresh_detector
from scripts.starter.detector.panels import draw, kept
from scripts.starter.detector.phrases import CLOTHES, COLOURS, VALUES, ask, seen, speak, told
from scripts.starter.detector.words import FIXED, SIZE, all_words, fresh_tokenizer, word_ids
from scripts.starter.train_detector import Training
from scripts.starter.world import Identity, State

SEED = 7_900_000_000
SEEDS = st.integers(0, 2**32)
BOXES = st.tuples(*[st.floats(0.05, 0.95)] * 2, *[st.floats(0.02, 0.9)] * 2)


def somebody(rng: random.Random) -> dict[str, Any]:
    return attributes(Identity.random(rng), State.random(rng))


def test_bert_s_own_tokens_have_bert_s_own_ids() -> None:
    ids = word_ids()
    assert list(ids.values()) == list(range(SIZE))
    assert {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}.items() <= ids.items()
    assert set(all_words()) <= ids.keys()


@given(SEEDS, st.booleans(), st.sampled_from(["full body", "bust", "close-up"]))
@settings(deadline=None)
def test_phrases_are_known_words_and_never_two_alike(seed: int, ink: bool, frame: str) -> None:
    rng = random.Random(seed)
    cast = [somebody(rng) for _ in range(rng.randint(0, 3))]
    phrases = ask(cast, rng, ink=ink, frame=frame)
    assert 1 <= len(phrases) <= 4
    assert len({phrase.words for phrase in phrases}) == len(phrases)
    tokenizer = fresh_tokenizer(200)
    for phrase in phrases:
        assert len(phrase.whom) == len(cast)
        assert FIXED["[UNK]"] not in tokenizer(phrase.words)["input_ids"]


@given(SEEDS, st.booleans(), st.sampled_from(["full body", "bust", "close-up"]))
@settings(deadline=None)
def test_what_is_true_can_be_seen_to_be(seed: int, ink: bool, frame: str) -> None:
    rng = random.Random(seed)
    who, other = somebody(rng), somebody(rng)
    visible = seen(who, ink=ink, frame=frame)
    keys = rng.sample(list(VALUES), rng.randint(1, 4))
    said = {key: who[key] for key in keys if who[key] != "none"}
    assert told(said, who, visible) is (True if not said or visible & set(said) else None)
    mixed = said | {key: other[key] for key in keys[:1] if other[key] != "none"}
    differing = {key for key in mixed if mixed[key] != who[key]}
    if differing:
        assert told(mixed, who, visible) is (False if differing & visible else None)
    assert not (ink and visible & COLOURS)
    assert not (frame == "close-up" and visible & CLOTHES)


@given(SEEDS)
def test_everything_said_is_spoken(seed: int) -> None:
    rng = random.Random(seed)
    who = somebody(rng)
    said = {key: who[key] for key in rng.sample(list(VALUES), rng.randint(1, 6)) if who[key] != "none"}
    words = speak(said, rng).replace(",", "").split()
    for value in said.values():
        assert set(value.removesuffix(" hair").split()) <= set(words)


def test_a_look_is_plain_and_without_colours_in_ink() -> None:
    who = {"hair": "red", "style": "long hair", "color": "blue", "outfit": "hoodie", "acc": "glasses"}
    assert look(who, ink=False) == "a character with long red hair blue hoodie glasses"
    assert look({**who, "acc": "none"}, ink=True) == "a character with long hair hoodie"


@given(st.lists(BOXES, min_size=1, max_size=5), st.lists(BOXES, min_size=1, max_size=5))
def test_generalised_iou_is_torchvision_s(first: list[Any], second: list[Any]) -> None:
    a, b = torch.tensor(first), torch.tensor(second)
    ours = generalised_iou(a[:, None], b[None])
    assert torch.allclose(ours, generalized_box_iou(corners(a), corners(b)), atol=1e-3)


@given(SEEDS, st.integers(MOST, 7))
@settings(deadline=None)
def test_the_match_is_the_cheapest_of_all(seed: int, queries: int) -> None:
    chance = torch.Generator().manual_seed(seed)
    cost = torch.randn(4, queries, MOST, generator=chance)
    meant = torch.rand(4, MOST, generator=chance) < 0.7
    chosen = match(cost, meant)
    for row in range(4):
        who = meant[row].nonzero().flatten().tolist()
        mine = chosen[row, who].tolist()
        assert len(set(mine)) == len(mine)
        best = min(
            sum(float(cost[row, query, one]) for query, one in zip(some, who, strict=True))
            for some in permutations(range(queries), len(who))
        )
        assert sum(float(cost[row, query, one]) for query, one in zip(mine, who, strict=True)) == (
            pytest.approx(best, abs=1e-4)
        )


def truth_of(boxes: list[list[float]], meant: list[bool], length: int = 5) -> Truth:
    tokens = torch.zeros(1, MOST, length, dtype=torch.bool)
    tokens[0, :, 1] = torch.tensor(meant)
    spoken = torch.zeros(1, length, dtype=torch.bool)
    spoken[0, 1:3] = True
    return Truth(boxes=torch.tensor([boxes]), meant=torch.tensor([meant]), tokens=tokens, spoken=spoken)


def test_places_lie_in_the_box_and_belong_to_one() -> None:
    truth = truth_of([[0.3, 0.5, 0.4, 0.8], [0.75, 0.5, 0.3, 0.6], [0.5, 0.5, 1, 1]], [True, True, False])
    centres = grid_centres(224, 224)
    assert centres.shape == (14 * 14 + 7 * 7, 2)
    logits = torch.zeros(1, len(centres), 5)
    boxes = torch.cat([centres, torch.full_like(centres, 0.4)], 1)[None]
    sample, proposal, character = several_each(logits, boxes, truth, centres)
    assert len(set(proposal.tolist())) == len(proposal)
    assert not sample.any()
    assert character.bincount().tolist() == [PLACES, PLACES]
    edges = corners(truth.boxes)[0, character]
    assert ((centres[proposal] > edges[:, :2]) & (centres[proposal] < edges[:, 2:])).all()


def test_only_spoken_tokens_are_scored() -> None:
    wanted, spoken = torch.zeros(1, 2, 4), torch.tensor([[False, True, True, False]])
    wanted[0, 0, 1] = 1
    logits = torch.tensor([[[0.0, 9, -9, 0], [0, -9, -9, 0]]])
    assert focal_loss(logits, wanted, spoken) < 1e-3
    masked = logits.clone()
    masked[..., 0], masked[..., 3] = 50.0, -torch.inf
    assert torch.equal(focal_loss(masked, wanted, spoken), focal_loss(logits, wanted, spoken))
    assert focal_loss(-logits, wanted, spoken) > 3


def test_right_answers_cost_nothing() -> None:
    truth = truth_of([[0.3, 0.5, 0.4, 0.8], [0.7, 0.5, 0.3, 0.6], [0.5] * 4], [True, True, False])
    boxes = torch.rand(1, 6, 4, generator=torch.Generator().manual_seed(0))
    logits = torch.full((1, 6, 5), -12.0)
    boxes[0, 4], boxes[0, 2] = truth.boxes[0, 0], truth.boxes[0, 1]
    logits[0, 4, 1] = logits[0, 2, 1] = 12.0

    def loss(scores: torch.Tensor, places: torch.Tensor) -> float:
        return weighted(set_loss(scores, places, truth, one_each(scores, places, truth))).item()

    assert loss(logits, boxes) < 1e-3
    assert loss(logits, boxes.flip(1)) > 1
    assert loss(-logits, boxes) > 1


@given(SEEDS, st.booleans())
def test_labels_are_what_is_known(seed: int, ink: bool) -> None:
    who = somebody(random.Random(seed))
    known = seen(who, ink=ink, frame="bust")
    for (key, values), label in zip(NAMES.items(), labels(who, known), strict=True):
        assert label == (values.index(who[key]) if key in known else UNKNOWN)


def test_anchors_bring_sights_and_words_together() -> None:
    torch.manual_seed(0)
    right = torch.randint(0, 6, (64, len(NAMES)))
    right[::3, 1] = UNKNOWN
    features = [torch.randn(64, 16, requires_grad=True) for _ in range(2)]
    anchors = Anchors(16)
    moved = torch.optim.Adam(features, 0.05)
    before = anchors.loss(features[0], right).item()
    for _ in range(150):
        torch.stack([anchors.loss(side, right) for side in features]).sum().backward()
        moved.step()
        moved.zero_grad()
        anchors.step()
    assert anchors.loss(features[0], right).item() < 0.5 * before
    sights, words = (torch.nn.functional.normalize(side.detach(), dim=1) for side in features)
    nearest = (sights @ words.T).argmax(1)
    assert (nearest == torch.arange(64)).float().mean() > 0.6
    assert torch.isfinite(anchors.loss(features[0][:0], right[:0]))


def test_a_batch_tells_the_truth_mirrored_or_not() -> None:
    panel = next(panel for panel in map(draw, range(SEED, SEED + 50)) if len(panel["boxes"]) == 2)
    batches = Batches([panel], fresh_tokenizer(200), random.Random(0), "cpu")
    lefts = [x + width / 2 for x, _, width, _ in panel["boxes"]]
    turned = 0
    for _ in range(12):
        questions = batches.draw(2)
        assert questions.truth.tokens.shape[-1] == questions.input_ids.shape[1]
        assert not (questions.truth.tokens & ~questions.truth.spoken[:, None]).any()
        assert torch.equal(questions.truth.meant, questions.truth.tokens.any(-1))
        assert questions.looks.shape == (2, MOST, len(NAMES))
        assert (questions.said[~questions.truth.spoken] == UNKNOWN).all()
        for row in range(2):
            pixels = ((questions.pixels[row].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()
            mirrored = not np.array_equal(pixels, panel["picture"])
            turned += mirrored
            found = questions.truth.boxes[row, :2, 0].tolist()
            assert found == pytest.approx([1 - x if mirrored else x for x in lefts])
    assert 0 < turned < 24


def test_what_the_network_cannot_read_is_not_asked() -> None:
    panels = [panel for panel in map(draw, range(SEED, SEED + 30)) if panel["picture"].shape[0] == 224]
    batches = Batches(panels, fresh_tokenizer(30), random.Random(0), "cpu")
    for _ in range(4):
        questions = batches.draw(4)
        assert questions.input_ids.shape[1] <= 30
        assert questions.truth.spoken.any(1).all()


def test_panels_are_drawn_once(tmp_path: Path) -> None:
    first = kept(tmp_path, range(SEED, SEED + 3), vae=None, vae_share=0.5, workers=0)
    stamp = (tmp_path / f"panels_{SEED}.pt").stat().st_mtime_ns
    again = kept(tmp_path, range(SEED, SEED + 3), vae=None, vae_share=0.5, workers=0)
    assert (tmp_path / f"panels_{SEED}.pt").stat().st_mtime_ns == stamp
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one["picture"], other["picture"])
        assert one["boxes"] == other["boxes"]
        assert min(one["picture"].shape[:2]) <= 224 <= max(one["picture"].shape[:2]) <= 352


def test_each_somebody_is_found_once() -> None:
    def found(x: float, score: float) -> Found:
        return Found(box=Box(x, 0.0, 0.4, 1.0), score=score, phrase="a character")

    boxes = [Box(0.0, 0.0, 0.4, 1.0), Box(0.5, 0.0, 0.4, 1.0)]
    assert hits([found(0.0, 0.9), found(0.02, 0.8), found(0.5, 0.7)], boxes) == [1.0, 1.0]
    assert hits([found(0.25, 0.9)], boxes) == []


def test_scores_start_low_and_steps_teach() -> None:
    torch.manual_seed(0)
    panels = [panel for panel in map(draw, range(SEED, SEED + 40)) if panel["picture"].shape[0] == 224]
    training = Training(fresh_detector())
    batches = Batches(panels[:4], fresh_tokenizer(200), random.Random(0), "cpu")
    questions = batches.draw(4)
    with torch.no_grad():
        answers, _ = training.answers(questions)
    assert answers[0].boxes.shape[1] == len(questions.centres)
    for answer in answers:
        spoken = answer.logits.transpose(1, 2)[questions.truth.spoken]
        assert spoken.sigmoid().mean() < 0.15
    parts = [training.step(questions, 1e-3) for _ in range(8)]
    totals = [sum(part.values()) for part in parts]
    assert totals[-1] < 0.8 * totals[0]
    averaged = training.averaged().state_dict()
    for name, value in training.optimizer.averaged().items():
        assert torch.equal(averaged[name], value)

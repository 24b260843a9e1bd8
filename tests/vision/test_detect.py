"""Phrases to boxes: what is asked, what is read from the answers, and what is refused. Random weights."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import BertConfig, GroundingDinoProcessor, SwinConfig

from model.errors import IntegrityError, WeightsMissing
from model.geometry import Box
from model.vision.asking import Found, plain, question, suppress
from model.vision.detect import open_detector
from model.vision.grounding import GroundingDetector, phrase_scores, phrase_tokens
from model.vision.grounding_port import PortNetwork
from scripts.starter.detector.folder import write_folder
from scripts.starter.detector.network import fresh_detector, small_config
from scripts.starter.detector.words import FIXED, SIZE, fresh_tokenizer
from tests.chance import examples

LONGEST = 40
SAME = 1e-4
WORDS = st.lists(st.sampled_from(["girl", "red", "hair", "with", "zyx", "t-shirt"]), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    swin: Any = SwinConfig
    torch.manual_seed(3)
    config = small_config(
        backbone_config=swin(
            patch_size=16, embed_dim=16, depths=[1, 1], num_heads=[1, 2], window_size=4, out_indices=[1, 2]
        ),
        text_config=BertConfig(
            vocab_size=SIZE, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
        ),
        d_model=32, encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=2,
        decoder_attention_heads=2, max_text_len=LONGEST,
    )  # fmt: skip
    detector: Any = fresh_detector(config)
    with torch.no_grad():
        for parameter in detector.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    folder = tmp_path_factory.mktemp("detector")
    write_folder(detector.half(), fresh_tokenizer(LONGEST), folder)
    return folder


@pytest.fixture(scope="module")
def detector(folder: Path) -> GroundingDetector:
    opened = open_detector(folder, threshold=0.0, overlap=1.0)
    assert isinstance(opened, GroundingDetector)
    return opened


def noise(seed: int, width: int = 224, height: int = 224) -> Image.Image:
    pixels = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(seed))
    return Image.fromarray(pixels.byte().numpy())


def assert_same(first: list[Found], second: list[Found]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.score == pytest.approx(other.score, abs=SAME)
        assert one.box.as_tuple() == pytest.approx(other.box.as_tuple(), abs=10 * SAME)


def test_answers_are_sorted_inside_and_above_the_threshold(folder: Path) -> None:
    everything = open_detector(folder, threshold=0.0, overlap=1.0).detect([noise(0)], [["girl", "hat"]])[0]
    assert {one.phrase for one in everything} == {"girl", "hat"}
    scores = [one.score for one in everything]
    assert scores == sorted(scores, reverse=True)
    assert all(one.box == one.box.clipped() and one.box.area > 0 for one in everything)
    middle = scores[len(scores) // 2]
    some = open_detector(folder, threshold=middle, overlap=1.0).detect([noise(0)], [["girl", "hat"]])[0]
    assert_same(some, [one for one in everything if one.score >= middle])
    few = open_detector(folder, threshold=middle, overlap=0.3).detect([noise(0)], [["girl", "hat"]])[0]
    assert_same(few, suppress(some, 0.3))


def test_nothing_is_a_result(folder: Path, detector: GroundingDetector) -> None:
    assert detector.detect([], []) == []
    assert detector.detect([noise(0), noise(1)], [[], []]) == [[], []]
    assert open_detector(folder, threshold=1.0).detect([noise(0)], [["girl"]]) == [[]]


def test_scores_and_boxes_are_those_of_transformers_own_reading(detector: GroundingDetector) -> None:
    network = detector.network
    assert isinstance(network, PortNetwork)
    processor: Any = GroundingDinoProcessor(network.processor, network.tokenizer)
    picture = noise(4, 300, 240)
    inputs = processor(images=picture, text=[["girl with red hair"]], return_tensors="pt")
    with torch.inference_mode():
        read: Any = processor.post_process_grounded_object_detection(
            network.model(**inputs), threshold=0.0, text_threshold=0.0
        )[0]
    ours = detector.detect([picture], [["Girl with red hair."]])[0]
    # Theirs is the best of all tokens, the full stop and the brackets round the text included.
    theirs = list(zip(read["boxes"].clamp(0, 1).tolist(), read["scores"].tolist(), strict=True))
    assert len(ours) == len(theirs)
    for one in ours:
        corners = [one.box.x, one.box.y, one.box.right, one.box.bottom]
        same = [score for box, score in theirs if box == pytest.approx(corners, abs=SAME)]
        assert same
        assert one.score <= max(same) + SAME


def test_neighbours_change_nothing(detector: GroundingDetector) -> None:
    pictures = [noise(0), noise(1, 300, 200), noise(2), noise(3, 200, 300), noise(4)]
    asked = [["girl"], ["boy", "red hair"], ["a person with a hat and a red scarf"], ["hat"], ["girl", "boy"]]
    together = detector.detect(pictures, asked)
    for picture, phrases, found in zip(pictures, asked, together, strict=True):
        assert_same(detector.detect([picture], [phrases])[0], found)


def test_what_is_transparent_is_white(detector: GroundingDetector) -> None:
    clear = Image.new("RGBA", (224, 224), (255, 0, 0, 0))
    clear.paste(noise(5, 90, 120), (40, 60))
    paper = Image.new("RGB", (224, 224), "white")
    paper.paste(clear, mask=clear.getchannel("A"))
    first, second = detector.detect([clear, paper], [["girl"]] * 2)
    assert_same(first, second)


def test_half_precision_is_read_as_single(folder: Path, detector: GroundingDetector) -> None:
    stored = load_file(folder / "model.safetensors")
    assert {value.dtype for value in stored.values() if value.is_floating_point()} == {torch.float16}
    assert isinstance(detector.network, PortNetwork)
    assert {value.dtype for value in detector.network.model.parameters()} == {torch.float32}


def test_weights_have_the_names_of_the_hub_s_files(folder: Path) -> None:
    names = set(load_file(folder / "model.safetensors"))
    swin = "model.backbone.conv_encoder.model.encoder.layers.0.blocks.0.attention.self.query.weight"
    bert = "model.text_backbone.encoder.layer.0.attention.self.query.weight"
    assert {swin, bert, "model.encoder.layers.0.fusion_layer.vision_param"} <= names


def test_nothing_is_fetched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the detector asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert open_detector(str(folder), threshold=0.0).detect([noise(0)], [["girl"]])[0]


@pytest.mark.parametrize(
    ("pictures", "phrases", "message"),
    [
        ([noise(0)], [], "1 pictures and 0 lists of phrases"),
        ([Image.new("RGB", (0, 7))], [["girl"]], "picture 0 has 0 × 7 pixels"),
        ([noise(0)], [["girl", " . ? "]], r"phrase ' \. \? ' has no words"),
        ([noise(0)], [["girl with red hair"] * 9], "9 phrases have 47 tokens, the detector reads 40"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    detector: GroundingDetector, pictures: list[Image.Image], phrases: list[list[str]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        detector.detect(pictures, phrases)


def test_what_is_missing_or_broken_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="no detector found there"):
        open_detector(tmp_path / "nowhere")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    for name in ("preprocessor_config.json", "model.safetensors", "config.json"):
        (copy / name).unlink()
        with pytest.raises(WeightsMissing, match=name.replace(".", r"\.")):
            open_detector(copy)
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    (copy / "tokenizer.json").unlink()
    with pytest.raises(WeightsMissing, match=r"tokenizer\.json or vocab\.txt"):
        open_detector(copy)
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    weights = load_file(folder / "model.safetensors")
    save_file({name: value for name, value in weights.items() if "enc_output.w" not in name},
              copy / "model.safetensors", {"format": "pt"})  # fmt: skip
    with pytest.raises(IntegrityError, match=r"1 weights missing.*model\.enc_output\.weight"):
        open_detector(copy)
    (copy / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(IntegrityError, match=r"does not hold the detector"):
        open_detector(copy)
    for text, message in (
        (json.dumps({"model_type": "sam"}), "'sam' found, 'grounding-dino' expected"),
        ("[]", "not a model's config"),
        ("{", "not a model's config"),
    ):
        (copy / "config.json").write_text(text)
        with pytest.raises(IntegrityError, match=message):
            open_detector(copy)


@given(st.lists(WORDS.map(" ".join), min_size=1, max_size=6))
@settings(max_examples=examples(50), deadline=None)
def test_tokens_belong_to_their_phrase(phrases: list[str]) -> None:
    tokenizer = fresh_tokenizer(200)
    ids = torch.tensor(tokenizer(question(phrases))["input_ids"])
    spans = phrase_tokens(ids, FIXED["."], len(phrases))
    assert int(spans.sum(0).max()) == 1
    assert not spans[:, 0].any()
    assert not spans[:, -1].any()
    for span, phrase in zip(spans, phrases, strict=True):
        alone = tokenizer(phrase, add_special_tokens=False)["input_ids"]
        assert ids[span].tolist() == alone


@given(st.text(max_size=30))
def test_a_phrase_never_splits(phrase: str) -> None:
    if phrase.replace(".", " ").replace("?", " ").split():
        assert question([phrase, phrase]).count(".") == 2
        assert plain(plain(phrase)) == plain(phrase)
    else:
        with pytest.raises(ValueError, match="no words"):
            plain(phrase)


def test_a_phrase_is_as_sure_as_its_surest_token() -> None:
    logits = torch.tensor(
        [[9.0, -1.0, 2.0, 9.0, -3.0, 9.0, -torch.inf], [9.0, 0.0, -2.0, 9.0, 1.0, 9.0, 9.0]]
    )
    spans = torch.tensor([[0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0]]).bool()
    expected = torch.tensor([[2.0, -3.0], [0.0, 1.0]]).sigmoid()
    assert torch.equal(phrase_scores(logits, spans), expected)


SIDES = st.floats(0.01, 0.6)
FOUND = st.builds(
    lambda x, y, wide, tall, score, phrase: Found(box=Box(x, y, wide, tall), score=score, phrase=phrase),
    st.floats(0, 0.4), st.floats(0, 0.4), SIDES, SIDES, st.floats(0, 1), st.sampled_from(["girl", "boy"]),
)  # fmt: skip


@given(st.lists(FOUND, max_size=12), st.floats(0, 1))
def test_of_two_boxes_of_one_thing_the_better_stays(found: list[Found], overlap: float) -> None:
    kept = suppress(found, overlap)
    assert [one.score for one in kept] == sorted((one.score for one in kept), reverse=True)
    assert all(one in found for one in kept)
    for index, one in enumerate(kept):
        for other in kept[:index]:
            assert one.phrase != other.phrase or one.box.iou(other.box) <= overlap
    for one in found:
        better = (other for other in kept if other.phrase == one.phrase and other.score >= one.score)
        assert one in kept or any(one.box.iou(other.box) > overlap for other in better)
    assert suppress(kept, overlap) == kept

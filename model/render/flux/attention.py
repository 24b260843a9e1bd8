"""Attention of long Flux sequences in pieces: tokens that may attend to the same ones together, unmasked.

In: the block mask of `sequence`. Out: `Pieces`, and the attention processor that computes them. A mask says
for every pair of tokens what is the same for thousands: in a panel with two references a quarter to a half
of all pairs may not meet, yet are multiplied, and the quickest kernels of a GPU take no mask. Rows of one
kind are gathered, with the keys that they may see, and each kind gets a dense call of its own. Padding is in
no piece. Knows nothing of prompts, boxes or models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers.transformer_flux import FluxAttnProcessor
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

# From so many tokens on; below, a mask costs less than many small calls.
LONG = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Tokens of one panel that may attend to the same tokens: indices into the joint sequence."""

    queries: Tensor
    keys: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Who attends to whom in a batch of panels.

    Attributes:
        panels: the pieces of each panel.
        total: tokens of the joint sequence.
    """

    panels: tuple[tuple[Piece, ...], ...]
    total: int


def in_pieces(mask: Tensor, device: str) -> Tensor | Pieces | None:
    """How a mask is best obeyed.

    Args:
        mask: (B, 1, S, S) bool, True = may attend; every token attends at least to itself.
    Returns:
        None where everybody attends to everybody, pieces for long sequences, else the mask on `device`.
    """
    total = mask.shape[-1]
    if total < LONG:
        return mask.to(device)
    if bool(mask.all()):
        return None
    return Pieces(panels=tuple(_pieces(one[0], device) for one in mask), total=total)


def _pieces(mask: Tensor, device: str) -> tuple[Piece, ...]:
    """Rows of one kind together."""
    rows = _kinds(mask)
    found: list[Piece] = []
    for kind in rows.unique():
        queries = (rows == kind).nonzero()[:, 0]
        keys = mask[queries[0]].nonzero()[:, 0]
        # Padding attends to itself alone, and nobody reads what becomes of it.
        if len(keys) > 1 or int(mask[:, keys[0]].sum()) > 1:
            found.append(Piece(queries=queries.to(device), keys=keys.to(device)))
    return tuple(found)


def _kinds(mask: Tensor) -> Tensor:
    """(S,) a number for each row, the same for equal rows: a sum of random marks. Integers do not round."""
    eights = torch.nn.functional.pad(mask, (0, -mask.shape[1] % 8)).view(torch.int64)
    marks = torch.randint(2**62, (eights.shape[1],), generator=torch.Generator().manual_seed(0))
    return (eights * marks).sum(1)


class PiecewiseAttention(FluxAttnProcessor):
    """diffusers' attention of Flux; where the mask is `Pieces`, piece by piece."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | Pieces | None = None,
        image_rotary_emb: Any = None,
    ) -> Any:
        """As diffusers calls it: `hidden_states` of the picture and `encoder_hidden_states` of the text; in
        single blocks the former of both."""
        if not isinstance(attention_mask, Pieces):
            stock: Any = super().__call__
            return stock(attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb)
        query, key, value = (
            project(hidden_states).unflatten(-1, (-1, attn.head_dim))
            for project in (attn.to_q, attn.to_k, attn.to_v)
        )
        query, key = attn.norm_q(query), attn.norm_k(key)
        if encoder_hidden_states is not None:
            told_query, told_key, told_value = (
                project(encoder_hidden_states).unflatten(-1, (-1, attn.head_dim))
                for project in (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj)
            )
            query = torch.cat([attn.norm_added_q(told_query), query], 1)
            key = torch.cat([attn.norm_added_k(told_key), key], 1)
            value = torch.cat([told_value, value], 1)
        turn: Any = apply_rotary_emb
        query, key = (turn(one, image_rotary_emb, sequence_dim=1) for one in (query, key))
        seen = attend(query, key, value, attention_mask).flatten(2, 3)
        if encoder_hidden_states is None:
            return seen
        told, shown = seen.split([encoder_hidden_states.shape[1], hidden_states.shape[1]], 1)
        return attn.to_out[1](attn.to_out[0](shown.contiguous())), attn.to_add_out(told.contiguous())


def attend(query: Tensor, key: Tensor, value: Tensor, pieces: Pieces) -> Tensor:
    """(B, S, heads, d) attention, zeros at tokens that are in no piece."""
    out = torch.zeros_like(query)
    for index, panel in enumerate(pieces.panels):
        for piece in panel:
            out[index, piece.queries] = scaled_dot_product_attention(
                _heads(query[index], piece.queries),
                _heads(key[index], piece.keys),
                _heads(value[index], piece.keys),
            )[0].transpose(0, 1)
    return out


def _heads(states: Tensor, tokens: Tensor) -> Tensor:
    """(S, heads, d) → (1, heads, tokens, d)."""
    return states.index_select(0, tokens).transpose(0, 1)[None]

"""Regional prompts and references in a Stable Diffusion UNet, around diffusers' own attention processors.

In every cross-attention layer the picture's cells look at several prompts, each in a softmax of its own, and
what they find is blended by where they lie:

    in a box        GLOBAL_SHARE · global prompt + (1 − GLOBAL_SHARE) · the box's prompt
    elsewhere       the same with the background's prompt; the global prompt alone where there is none

In: states of prompts, boxes as cells, references as IP-Adapter tokens. Out: the layer's output. The stock
processor computes the global prompt and the references; what the regions add is added behind it, so that a
call without regions is the stock call, bit for bit. Knows nothing of prompts' words, of pictures or of steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import Tensor, nn
from torch.nn import functional

from model.render.sequence import region_cells

# Of the global prompt inside a box or the background: style and light must reach everything. On a small model
# that was trained with shares from 0 to 0.6, 0.1 and 0.3 draw alike and 0.5 worse (scripts/bench/LOG.md).
GLOBAL_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Regional:
    """What one UNet call is told beside the global prompt. Cells are counted row by row; a mapping has one
    entry for each resolution that the UNet works at, by its number of cells.

    Attributes:
        prompts: (B, K, T, D) states of K further prompts for the last B rows of the call (the first half of a
            guided call is not told of them); None when there are none.
        valid: (B, K, T) bool, which of their tokens count, at least one in each row; None: all do.
        shares: cells → (B, K, cells, 1), how much of each prompt is in each cell; at most 1 in sum.
        places: cells → (rows of the call, n, 1, cells), 1 where a reference acts; empty = no references.
        reference_scale: how strongly references act; 1 = as trained.
    """

    prompts: Tensor | None
    valid: Tensor | None
    shares: Mapping[int, Tensor]
    places: Mapping[int, Tensor]
    reference_scale: float


class RegionalAttention(nn.Module):
    """An attention processor. Give the UNet's call `cross_attention_kwargs={"regional": Regional(…)}`.

    Args:
        stock: the processor of the same layer: AttnProcessor2_0, or IPAdapterAttnProcessor2_0 as diffusers'
            loader makes it. References reach the picture through it, with its `ip_adapter_masks`.
    """

    def __init__(self, stock: Any) -> None:
        super().__init__()
        self.stock = stock
        self.plain = AttnProcessor2_0()

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | tuple[Tensor, list[Tensor]] | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        regional: Regional | None = None,
    ) -> Tensor:
        if isinstance(encoder_hidden_states, tuple):
            text, pictures = encoder_hidden_states
        else:
            text, pictures = encoder_hidden_states, None
        if text is None or regional is None:  # self-attention, which is not regional
            return self.plain(attn, hidden_states, text, attention_mask, temb)
        cells = hidden_states.shape[1]
        if pictures is not None and regional.places:
            self.stock.scale = [regional.reference_scale]
            places = [regional.places[cells].to(hidden_states.dtype)]
            out = self.stock(
                attn, hidden_states, (text, pictures), attention_mask, temb, ip_adapter_masks=places
            )
        else:
            out = self.plain(attn, hidden_states, text, attention_mask, temb)
        if regional.prompts is None:
            return out
        told = len(regional.prompts)
        bias = None if attention_mask is None else attention_mask[-told:, None]
        moved = _regions(attn, hidden_states[-told:], text[-told:], bias, regional)
        # The layer's output is linear in what was looked at, and its bias is in it already. The projection is
        # called, not its weight used: where memory is short its weight comes and goes with the call.
        project = attn.to_out[0]
        out[-told:] += (
            project(moved) - project(torch.zeros_like(moved[:1, :1]))
        ) / attn.rescale_output_factor
        return out


def _regions(
    attn: Any, hidden: Tensor, everywhere: Tensor, bias: Tensor | None, regional: Regional
) -> Tensor:
    """(B, cells, inner) what the regions' prompts say more than the global one, by their shares."""
    assert regional.prompts is not None
    query = _heads(attn.to_q(hidden), attn.heads)
    said = _look(attn, query, everywhere, bias)
    moved = torch.zeros_like(said)
    for index, share in enumerate(regional.shares[hidden.shape[1]].to(said.dtype).unbind(1)):
        mask = None if regional.valid is None else regional.valid[:, index, None, None]
        own = _look(attn, query, regional.prompts[:, index], mask)
        moved += share * (own - said)
    return moved


def _look(attn: Any, query: Tensor, states: Tensor, mask: Tensor | None) -> Tensor:
    """(B, cells, inner) what (B, heads, cells, d) queries find in (B, T, D) states."""
    key, value = (_heads(project(states), attn.heads) for project in (attn.to_k, attn.to_v))
    found = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return found.transpose(1, 2).flatten(2)


def _heads(states: Tensor, heads: int) -> Tensor:
    """(B, T, heads · d) → (B, heads, T, d)."""
    return states.unflatten(-1, (heads, -1)).transpose(1, 2)


def install(unet: Any) -> None:
    """Put a RegionalAttention around every attention processor of a UNet2DConditionModel, IP-Adapter
    included."""
    unet.set_attn_processor({name: RegionalAttention(stock) for name, stock in unet.attn_processors.items()})


def resolutions(unet: Any, rows: int, columns: int) -> tuple[tuple[int, int], ...]:
    """(rows, columns) of every grid that a UNet works at, given its latents'; each level halves, rounding
    up."""
    grids = [(rows, columns)]
    for _ in unet.config.block_out_channels[1:]:
        grids.append(tuple(-(-side // 2) for side in grids[-1]))  # pyright: ignore[reportArgumentType]
    return tuple(grids)


def region_shares(
    boxes: Tensor, spoken: Tensor, background: Tensor, rows: int, columns: int, *, masked: bool = True
) -> Tensor:
    """How much of each prompt is in each cell.

    Args:
        boxes: (B, n, 4) float, fractions of the panel, back to front; see `region_cells`.
        spoken: (B, n) bool, which regions have a prompt.
        background: (B,) bool, which panels have a prompt for what no region owns.
        rows, columns: of the grid.
        masked: False: every region's prompt is everywhere, in equal parts (to measure what masking does).
    Returns:
        (B, 1 + n, rows · columns, 1) float: background first; what is missing to 1 is the global prompt's.
    """
    owned = region_cells(boxes, rows, columns)
    free = ~owned.any(1, keepdim=True) & background[:, None, None]
    own = owned & spoken[..., None]
    if not masked:
        own = spoken[..., None].expand_as(owned)
    cells = torch.cat([free, own], 1).float()
    total = cells.sum(1, keepdim=True).clamp_min(1)
    return (cells / total * (1 - GLOBAL_SHARE))[..., None]


def reference_places(
    boxes: Tensor, present: Tensor, rows: int, columns: int, *, masked: bool = True
) -> Tensor:
    """Where each reference acts.

    The cells stand in one row: diffusers works out a mask's height from its area with a square root that
        rounds
    down for some shapes (7 × 18 becomes 6 × 21), and for one row it is right.

    Args:
        boxes: (B, n, 4) as for `region_shares`; present: (B, n) bool, which regions have a reference.
        masked: False: every reference acts everywhere.
    Returns:
        (B, n, 1, rows · columns) float, 0 or 1.
    """
    owned = region_cells(boxes, rows, columns) if masked else torch.ones(*boxes.shape[:2], rows * columns)
    return (owned.bool() & present[..., None]).float()[:, :, None]

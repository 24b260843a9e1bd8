"""A training-time forward of `UNet2DConditionModel` told what `model/render/sd/attention.py` tells it.

The same mathematics on the same parameters, without the changes of memory layout that the stock classes make
between convolutions and attention, and with all prompts of a picture in one product instead of one call each.
In: noisy latents, times and what each panel is told. Out: the prediction. A test holds it to the renderer's
own way. Knows nothing of words, pictures or losses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a batch of B panels is told. Cells are counted row by row; a mapping has an entry a resolution.

    Attributes:
        prompts: (B, K, T, D) states: the global prompt, the background's, then one a region.
        valid: (B, K, T) bool, which of their tokens count; None: all do.
        shares: cells → (B, cells, K), how much of each is in each cell; 1 in sum.
        pictures: (B, n, Q, D) tokens of the references.
        places: cells → (B, cells, n), 1 where a reference acts.
    """

    prompts: Tensor
    valid: Tensor | None = None
    shares: Mapping[int, Tensor]
    pictures: Tensor
    places: Mapping[int, Tensor]


def predict(
    unet: UNet2DConditionModel, adapter: nn.ModuleList, latents: Tensor, times: Tensor, told: Told
) -> Tensor:
    """What the UNet predicts for (B, C, h, w) latents at (B,) timesteps, in the dtype of its weights.

    Args:
        adapter: a pair of projections (keys, values) a cross-attention layer, in the order they are called.
    """
    anything: Any = unet
    dtype = anything.conv_in.weight.dtype
    pairs = iter(adapter)
    embedded = anything.time_embedding(anything.time_proj(times).to(dtype))
    temb = F.silu(embedded)
    x = anything.conv_in(latents.to(dtype).contiguous(memory_format=torch.channels_last))
    kept = [x]
    for block in anything.down_blocks:
        for index, resnet in enumerate(block.resnets):
            x = _resnet(resnet, x, temb)
            if hasattr(block, "attentions"):
                x = _transformer(block.attentions[index], x, told, pairs)
            kept.append(x)
        for sampler in block.downsamplers or ():
            x = sampler.conv(x)
            kept.append(x)
    # The stock UNet lists its processors down, up, middle; its adapters are numbered so.
    middle = anything.mid_block
    last = list(pairs)
    count = sum(len(attention.transformer_blocks) for attention in middle.attentions)
    after, pairs = iter(last[len(last) - count :]), iter(last[: len(last) - count])
    x = _resnet(middle.resnets[0], x, temb)
    for attention, resnet in zip(middle.attentions, middle.resnets[1:], strict=True):
        x = _resnet(resnet, _transformer(attention, x, told, after), temb)
    for block in anything.up_blocks:
        for index, resnet in enumerate(block.resnets):
            x = _resnet(resnet, torch.cat([x, kept.pop()], 1), temb)
            if hasattr(block, "attentions"):
                x = _transformer(block.attentions[index], x, told, pairs)
        for sampler in block.upsamplers or ():
            x = sampler.conv(F.interpolate(x, kept[-1].shape[2:], mode="nearest"))
    return anything.conv_out(F.silu(_normed(anything.conv_norm_out, x)))


def _normed(norm: Any, x: Tensor) -> Tensor:
    return F.group_norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps)


def _resnet(block: Any, x: Tensor, temb: Tensor) -> Tensor:
    h = block.conv1(F.silu(_normed(block.norm1, x)))
    h = h + block.time_emb_proj(temb)[:, :, None, None]
    h = block.conv2(F.silu(_normed(block.norm2, h)))
    return h + (x if block.conv_shortcut is None else block.conv_shortcut(x))


def _transformer(block: Any, x: Tensor, told: Told, pairs: Any) -> Tensor:
    """One Transformer2DModel. Its 1 × 1 convolutions are products: tokens lie in memory as channels_last."""
    tokens = _normed(block.norm, x).permute(0, 2, 3, 1).flatten(1, 2)
    tokens = F.linear(tokens, block.proj_in.weight.flatten(1), block.proj_in.bias)
    for layer in block.transformer_blocks:
        tokens = tokens + _self_attention(layer.attn1, layer.norm1(tokens))
        tokens = tokens + _cross_attention(layer.attn2, layer.norm2(tokens), told, next(pairs))
        hidden, gate = layer.ff.net[0].proj(layer.norm3(tokens)).chunk(2, -1)
        tokens = tokens + layer.ff.net[2](hidden * F.gelu(gate))
    tokens = F.linear(tokens, block.proj_out.weight.flatten(1), block.proj_out.bias)
    return x + tokens.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)


def _heads(states: Tensor, heads: int) -> Tensor:
    """(…, T, heads · d) → (…, heads, T, d)."""
    return states.unflatten(-1, (heads, -1)).transpose(-3, -2)


def _self_attention(attn: Any, x: Tensor) -> Tensor:
    """Explicit attention: in training on a CPU faster than scaled_dot_product_attention."""
    query, key, value = (_heads(project(x), attn.heads) for project in (attn.to_q, attn.to_k, attn.to_v))
    weights = (query @ key.transpose(-1, -2) * attn.scale).softmax(-1)
    return attn.to_out[0]((weights @ value).transpose(1, 2).flatten(2))


def _cross_attention(attn: Any, x: Tensor, told: Told, pair: Any) -> Tensor:
    """Every prompt and every reference in a softmax of its own, blended by where it counts.

    The blend is put into the weights, so that all values are gathered in one product.
    """
    cells = x.shape[1]
    query = _heads(attn.to_q(x), attn.heads) * attn.scale
    key, value = _pool(attn.to_k(told.prompts), attn.heads), _pool(attn.to_v(told.prompts), attn.heads)
    weights = _weights(query, key, told.shares[cells], told.valid)
    if told.pictures.shape[1]:
        to_key, to_value = pair
        seen = _pool(to_key(told.pictures), attn.heads)
        looks = _weights(query, seen, told.places[cells], None)
        weights = torch.cat([weights, looks], -1)
        value = torch.cat([value, _pool(to_value(told.pictures), attn.heads)], -2)
    return attn.to_out[0]((weights @ value).transpose(1, 2).flatten(2))


def _pool(states: Tensor, heads: int) -> Tensor:
    """(B, K, T, heads · d) → (B, heads, K · T, d)."""
    return _heads(states.flatten(1, 2), heads)


def _weights(query: Tensor, key: Tensor, parts: Tensor, valid: Tensor | None) -> Tensor:
    """(B, heads, cells, K · T): softmax over each of K groups of keys, times that group's part.

    Args:
        parts: (B, cells, K); valid: (B, K, T) bool, None: all keys count.
    """
    scores = (query @ key.transpose(-1, -2)).unflatten(-1, (parts.shape[-1], -1))
    if valid is not None:
        scores = scores.masked_fill(~valid[:, None, None], -1e4)
    return (scores.softmax(-1) * parts[:, None, :, :, None].to(scores.dtype)).flatten(-2)

"""Where in a model the layers lie that LoRA files speak of, under every spelling that trainers use.

In: a model of diffusers or transformers, in memory. Out: spelling → the weights it means. A spelling is
compared with its dots written as underscores, as kohya's trainer writes all of them. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from model.render.flux.names import ENTRANCES, INSIDE_DOUBLE, INSIDE_SINGLE

# The same layer in the two spellings of Stable Diffusion's residual blocks.
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_XLABS = {
    "img_attn.qkv": "processor.qkv_lora1",
    "txt_attn.qkv": "processor.qkv_lora2",
    "img_attn.proj": "processor.proj_lora1",
    "txt_attn.proj": "processor.proj_lora2",
}
_CLIP = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out.0"}


@dataclass(frozen=True, slots=True)
class Target:
    """Layers that a file knows as one, in its order; their rows stand under each other.

    Attributes:
        swapped: the file has the two halves of the rows the other way round.
    """

    modules: tuple[nn.Module, ...]
    swapped: bool = False

    @property
    def rows(self) -> list[int]:
        """Rows of each module's weight."""
        return [len(self._weight(module)) for module in self.modules]

    def read(self) -> Tensor:
        """(rows, columns) float32; a vector's weights are (n,)."""
        parts = [self._weight(module).detach().float() for module in self.modules]
        whole = torch.cat([part.flatten(1) if part.ndim > 1 else part for part in parts])
        return torch.cat(list(whole.chunk(2))[::-1]) if self.swapped else whole

    def write(self, whole: Tensor) -> None:
        """Set the weights, in their own dtype and shape."""
        if self.swapped:
            whole = torch.cat(list(whole.chunk(2))[::-1])
        with torch.no_grad():
            for module, part in zip(self.modules, whole.split(self.rows), strict=True):
                weight = self._weight(module)
                weight.copy_(part.reshape(weight.shape))

    def add_bias(self, added: Tensor) -> None:
        """Add to the biases.

        Raises:
            ValueError: there are none, or of another number.
        """
        if self.swapped:
            added = torch.cat(list(added.chunk(2))[::-1])
        biases: list[Any] = [module.bias for module in self.modules]
        if any(bias is None for bias in biases) or sum(map(len, biases)) != added.numel():
            raise ValueError(f"a bias of {added.numel()}, where the model has none or another")
        with torch.no_grad():
            for bias, part in zip(biases, added.flatten().split([len(bias) for bias in biases]), strict=True):
                bias += part.to(bias)

    @staticmethod
    def _weight(module: nn.Module) -> Tensor:
        weight: Any = module.weight
        return weight


def targets_of(part: str, model: nn.Module) -> dict[str, Target]:
    """Spelling, flattened → what it means in this model.

    Args:
        part: transformer, unet, text_encoder or text_encoder_2.
    """
    found: dict[str, Target] = {}
    plain = {
        name: module
        for name, module in model.named_modules()
        if isinstance(getattr(module, "weight", None), Tensor)
    }
    for name, module in plain.items():
        for spelling in (name, *_others(part, name)):
            found.setdefault(flat(spelling), Target((module,)))
    if part == "transformer":
        for spelling, names, swapped in _fused(plain):
            target = Target(tuple(plain[name] for name in names), swapped)
            found.setdefault(flat(spelling), target)
    if part == "unet":
        for name, module in plain.items():
            if (spelling := _stability(name, model)) is not None:
                found.setdefault(flat(spelling), Target((module,)))
    return found


def flat(spelling: str) -> str:
    """Dots as underscores."""
    return spelling.replace(".", "_")


def _others(part: str, name: str) -> Iterator[str]:
    """Older spellings of one layer."""
    if part.startswith("text_encoder"):
        inside = name.removeprefix("text_model.")
        yield f"text_model.{inside}"
        yield inside
        stem, _, last = inside.rpartition(".")
        if last in _CLIP and stem.endswith("self_attn"):
            for before in ("", "text_model."):
                yield f"{before}{stem}.{_CLIP[last]}"
                yield f"{before}{stem}.{_CLIP[last].removesuffix('.0')}_lora"
        return
    stem, _, last = name.removesuffix(".0").rpartition(".")
    if last in ("to_q", "to_k", "to_v", "to_out") and stem:
        yield f"{stem}.{last}"
        yield f"{stem}.processor.{last}_lora"


def _fused(plain: Mapping[str, nn.Module]) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Spellings of Black Forest Labs and XLabs; the names they mean; whether halves are swapped."""
    for theirs, ours in ENTRANCES.items():
        if ours in plain:
            yield theirs, (ours,), theirs.startswith("final_layer.ada")
    for kind, folder, inside in (
        ("double_blocks", "transformer_blocks", INSIDE_DOUBLE),
        ("single_blocks", "single_transformer_blocks", INSIDE_SINGLE),
    ):
        number = 0
        while any(name.startswith(f"{folder}.{number}.") for name in plain):
            for theirs, ours in inside.items():
                names = tuple(f"{folder}.{number}.{one}" for one in ours)
                if all(name in plain for name in names):
                    yield f"{kind}.{number}.{theirs}", names, False
                    if kind == "double_blocks" and theirs in _XLABS:
                        yield f"{kind}.{number}.{_XLABS[theirs]}", names, False
                    if kind == "single_blocks" and theirs == "linear1":
                        yield f"{kind}.{number}.processor.qkv_lora", names[:3], False
                    if kind == "single_blocks" and theirs == "linear2":
                        yield f"{kind}.{number}.processor.proj_lora", names, False
            number += 1


def _stability(name: str, unet: Any) -> str | None:
    """Stability AI's spelling of a layer of the UNet, as SDXL files of kohya's trainer have it."""
    for ours, theirs in _UNET.items():
        if name == ours:
            return theirs
    words = name.split(".")
    layers = unet.config.layers_per_block
    if not isinstance(layers, int) or len(words) < 3:
        return None
    if words[0] == "mid_block":
        block = {"resnets.0": 0, "attentions.0": 1, "resnets.1": 2}.get(".".join(words[1:3]))
        return None if block is None else f"middle_block.{block}.{_inside(words[1], words[3:])}"
    if words[0] not in ("down_blocks", "up_blocks") or len(words) < 5:
        return None
    at, kind = int(words[1]) * (layers + 1), words[2]
    inside = f"{dict(resnets=0, attentions=1).get(kind)}.{_inside(kind, words[4:])}"
    if words[0] == "down_blocks":
        if kind == "downsamplers":
            return f"input_blocks.{at + layers + 1}.0.op"
        return f"input_blocks.{at + 1 + int(words[3])}.{inside}"
    if kind == "upsamplers":
        slot = 2 if hasattr(unet.up_blocks[int(words[1])], "attentions") else 1
        return f"output_blocks.{at + layers}.{slot}.conv"
    return f"output_blocks.{at + int(words[3])}.{inside}"


def _inside(kind: str, words: list[str]) -> str:
    name = ".".join(words)
    return _RESNET.get(name, name) if kind == "resnets" else name

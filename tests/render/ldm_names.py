"""Models under the names that CompVis, Stability AI and Black Forest Labs publish them by, in one file."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}


def unet_state(unet: nn.Module, *, levels: int, layers: int) -> dict[str, Tensor]:
    """A UNet with attention on each of its levels."""
    return _renamed(unet, "model.diffusion_model.", _unet_names(levels, layers))


def vae_state(vae: nn.Module, prefix: str = "first_stage_model.") -> dict[str, Tensor]:
    """A VAE of four levels; its attention is made of 1 × 1 convolutions there."""
    state = _renamed(vae, prefix, _vae_names())
    return {
        name: value[..., None, None] if ".attn_1." in name and value.dim() == 2 else value
        for name, value in state.items()
    }


def open_clip_state(encoder: nn.Module, prefix: str) -> dict[str, Tensor]:
    """A text encoder with projection as open_clip names it, its three matrices of attention in one."""
    told = {name.removeprefix("text_model."): value for name, value in encoder.state_dict().items()}
    state = {
        "token_embedding.weight": told["embeddings.token_embedding.weight"],
        "positional_embedding": told["embeddings.position_embedding.weight"],
        "ln_final.weight": told["final_layer_norm.weight"],
        "ln_final.bias": told["final_layer_norm.bias"],
        "text_projection": told["text_projection.weight"].T,
        "logit_scale": torch.tensor(4.6),
    }
    names = {
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
        "self_attn.out_proj": "attn.out_proj",
    }
    layers = len({name.split(".")[2] for name in told if name.startswith("encoder.layers.")})
    for layer in range(layers):
        ours, theirs = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            of_three = [told[f"{ours}.self_attn.{one}_proj.{kind}"] for one in "qkv"]
            state[f"{theirs}.attn.in_proj_{kind}"] = torch.cat(of_three)
            for mine, other in names.items():
                state[f"{theirs}.{other}.{kind}"] = told[f"{ours}.{mine}.{kind}"]
    return {f"{prefix}{name}": value.contiguous() for name, value in state.items()}


def _unet_names(levels: int, layers: int) -> dict[str, str]:
    """diffusers' module → CompVis'."""
    names = {
        "conv_in": "input_blocks.0.0",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }
    for level in range(levels):
        for layer in range(layers):
            block = f"input_blocks.{1 + level * (layers + 1) + layer}"
            names[f"down_blocks.{level}.resnets.{layer}"] = f"{block}.0"
            names[f"down_blocks.{level}.attentions.{layer}"] = f"{block}.1"
        names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{(level + 1) * (layers + 1)}.0.op"
        for layer in range(layers + 1):
            block = f"output_blocks.{level * (layers + 1) + layer}"
            names[f"up_blocks.{level}.resnets.{layer}"] = f"{block}.0"
            names[f"up_blocks.{level}.attentions.{layer}"] = f"{block}.1"
            names[f"up_blocks.{level}.upsamplers.0.conv"] = f"{block}.2.conv"
    return names


def _vae_names() -> dict[str, str]:
    names = {f"{side}.conv_norm_out": f"{side}.norm_out" for side in ("encoder", "decoder")}
    for side in ("encoder", "decoder"):
        names |= {f"{side}.mid_block.resnets.{n}": f"{side}.mid.block_{n + 1}" for n in range(2)}
        names[f"{side}.mid_block.attentions.0"] = f"{side}.mid.attn_1"
    for level in range(4):
        names[f"encoder.down_blocks.{level}.resnets"] = f"encoder.down.{level}.block"
        names[f"encoder.down_blocks.{level}.downsamplers.0"] = f"encoder.down.{level}.downsample"
        names[f"decoder.up_blocks.{level}.resnets"] = f"decoder.up.{3 - level}.block"
        names[f"decoder.up_blocks.{level}.upsamplers.0"] = f"decoder.up.{3 - level}.upsample"
    attention = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
    return names | {f".{ours}": f".{theirs}" for ours, theirs in attention.items()}


def _renamed(model: nn.Module, prefix: str, names: dict[str, str]) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    of_vae = any(name.startswith("encoder.conv_in") for name, _ in model.named_parameters())
    for name, value in model.state_dict().items():
        own = name
        for ours in sorted(names, key=len, reverse=True):
            if own.startswith(f"{ours}.") or (ours.startswith(".") and f"{ours}." in own):
                own = own.replace(ours, names[ours], 1)
        if ".resnets." in name and not of_vae:
            head, _, rest = own.rpartition(next(f".{one}." for one in _RESNET if f".{one}." in own))
            own = f"{head}.{_RESNET[name.split('.')[-2]]}.{rest}"
        own = own.replace("conv_shortcut", "nin_shortcut")
        state[f"{prefix}{own}"] = value.contiguous()
    return state

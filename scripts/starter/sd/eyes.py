"""The starter's CLIP as Stable Diffusion's IP-Adapter wants it: a `CLIPVisionModelWithProjection`.

IP-Adapter Plus reads the states before the last layer, one a patch, and these are the same in both classes;
the pooled vector is not (the starter's is a mean over patches), and nobody here reads it. In: the folder of
an open_clip model. Out: the same encoder in transformers' class, and, one file a shard, what it sees of a
pool's references (`train_sd` asks for what is missing):

    python -m scripts.starter.sd.eyes --pool lab/pool --out lab/sd

Knows nothing of UNets.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from model.render.sequence import unpack
from model.render.weights import STARTER
from scripts.starter.vae import decode, open_vae, place

# What one layer is called here and there.
_LAYER = {
    "ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
}  # fmt: skip
REFERENCE_GRID = 4  # packed latents of a reference, a side
AT_ONCE = 32


def image_encoder(folder: Path) -> CLIPVisionModelWithProjection:
    """The image side of the open_clip model in `folder`, in float32.

    diffusers normalises pictures with OpenAI's mean and deviation, whatever the encoder was trained with;
    that is taken into the first layer and its position embeddings, exactly.
    """
    config = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))
    vision, said = config["model_cfg"]["vision_cfg"], config["preprocess_cfg"]
    weights = {
        name.removeprefix("visual."): value.float()
        for name, value in load_file(folder / "model.safetensors").items()
        if name.startswith("visual.")
    }
    kernel, position = _normalised(weights, said["mean"], said["std"])
    state = {
        "visual_projection.weight": weights["proj"].T.contiguous(),
        "vision_model.embeddings.class_embedding": weights["class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": kernel,
        "vision_model.embeddings.position_embedding.weight": position,
    }
    for ours, theirs in (("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")):
        for kind in ("weight", "bias"):
            state[f"vision_model.{theirs}.{kind}"] = weights[f"{ours}.{kind}"]
    for layer in range(vision["layers"]):
        state |= _layer(weights, f"transformer.resblocks.{layer}.", f"vision_model.encoder.layers.{layer}.")
    model = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=vision["width"], intermediate_size=4 * vision["width"], hidden_act="gelu",
            num_hidden_layers=vision["layers"], num_attention_heads=vision["width"] // vision["head_width"],
            image_size=vision["image_size"], patch_size=vision["patch_size"],
            projection_dim=config["model_cfg"]["embed_dim"],
        )
    )  # fmt: skip
    model.load_state_dict(state)
    return model.eval()


def _normalised(weights: Mapping[str, Tensor], mean: list[float], std: list[float]) -> tuple[Tensor, Tensor]:
    """Kernel and position embeddings for pictures that are normalised as OpenAI's CLIP has them."""
    theirs, spread = torch.tensor(OPENAI_CLIP_MEAN), torch.tensor(OPENAI_CLIP_STD)
    ours, width = torch.tensor(mean), torch.tensor(std)
    kernel = weights["conv1.weight"]
    offset = (kernel * ((theirs - ours) / width)[:, None, None]).sum((1, 2, 3))
    position = weights["positional_embedding"].clone()
    position[1:] += offset
    return kernel * (spread / width)[:, None, None], position


def _layer(weights: Mapping[str, Tensor], ours: str, theirs: str) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for kind in ("weight", "bias"):
        parts = weights[f"{ours}attn.in_proj_{kind}"].chunk(3)
        for name, part in zip("qkv", parts, strict=True):
            state[f"{theirs}self_attn.{name}_proj.{kind}"] = part.contiguous()
        for here, there in _LAYER.items():
            state[f"{theirs}{there}.{kind}"] = weights[f"{ours}{here}.{kind}"]
    return state


@torch.inference_mode()
def see(encoder: Any, pictures: Tensor) -> Tensor:
    """(N, 3, side, side) in [-1, 1] → (N, tokens, D) float16, the states that IP-Adapter Plus reads."""
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
    return (
        encoder((pictures.float() / 2 + 0.5 - mean) / std, output_hidden_states=True).hidden_states[-2].half()
    )


def nothing(encoder: Any) -> Tensor:
    """(tokens, D): what the half that is told nothing is fed, a picture of zeros."""
    side = encoder.config.image_size
    with torch.inference_mode():
        return encoder(torch.zeros(1, 3, side, side), output_hidden_states=True).hidden_states[-2][0].half()


@torch.inference_mode()
def see_references(encoder: Any, vae: AutoencoderKL, packed: Tensor) -> Tensor:
    """What the encoder sees of a shard's references: (N, cells, 64) packed latents → (N, tokens, D) float16.

    They are decoded, as a run's references come out of a VAE too.
    """
    config: Any = vae.config
    seen: list[Tensor] = []
    for part in packed.split(AT_ONCE):
        latents = unpack(part.float(), REFERENCE_GRID, REFERENCE_GRID) / config.scaling_factor
        pixels = decode(vae, (latents + config.shift_factor).contiguous(memory_format=torch.channels_last))
        side = encoder.config.image_size
        if pixels.shape[-1] != side:
            pixels = F.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
        seen.append(see(encoder, pixels.clamp(-1, 1)))
    return torch.cat(seen)


def look_at(pool: Path, out: Path, starter: Path = STARTER) -> None:
    """Write what is seen of the references of every shard that has no file yet."""
    missing = [
        shard for shard in sorted(pool.glob("shard_*.pt")) if not (out / f"seen_{shard.name}").exists()
    ]
    if not missing:
        return
    out.mkdir(parents=True, exist_ok=True)
    encoder, vae = image_encoder(starter / "clip"), place(open_vae(starter / "vae"), "cpu")
    for shard in missing:
        started, path = time.monotonic(), out / f"seen_{shard.name}"
        seen = see_references(encoder, vae, torch.load(shard, weights_only=True)["references"])
        torch.save(seen, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)
        sys.stdout.write(f"{path}: {len(seen)} references in {time.monotonic() - started:.0f} s\n")
        sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="What the image encoder sees of a pool's references.")
    parser.add_argument("--pool", type=Path, default=Path("lab/pool"))
    parser.add_argument("--out", type=Path, default=Path("lab/sd"))
    flags = parser.parse_args()
    look_at(flags.pool, flags.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

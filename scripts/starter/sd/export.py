"""What was trained becomes a folder that `--model` takes: diffusers' layout, and in it an IP-Adapter's own.

In: averaged weights. Out: files, in half precision. Knows nothing of training.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch import Tensor

from scripts.starter.sd.eyes import image_encoder
from scripts.starter.sd.network import NOISE, Network
from scripts.starter.sd.words import Words

ADAPTER, ENCODER = "models/ip-adapter-plus_sd15.safetensors", "models/image_encoder"
# The parts of one block of the adapter's projection, as diffusers and as its makers call them.
_PROJECTION = {
    "ln0": "0.norm1", "ln1": "0.norm2", "attn.to_q": "0.to_q", "attn.to_out.0": "0.to_out",
    "ff.0": "1.0", "ff.1.net.0.proj": "1.1", "ff.1.net.2": "1.3",
}  # fmt: skip
_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.42.1",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "image_encoder": [None, None],
    "feature_extractor": [None, None],
    "safety_checker": [None, None],
}


def export_sd(network: Network, words: Words, starter: Path, out: Path) -> None:
    """Write the whole checkpoint.

    Args:
        network: what was trained; it is in half precision afterwards.
        starter: the folder whose VAE and image encoder it draws with.
    """
    network.half().unet.save_pretrained(out / "unet")
    (out / ADAPTER).parent.mkdir(parents=True, exist_ok=True)
    save_file(adapter_state(network), out / ADAPTER)
    image_encoder(starter / "clip").half().save_pretrained(out / ENCODER)
    _save_vae(starter / "vae", out / "vae")
    words.save(out)
    for name, facts in (
        ("scheduler/scheduler_config.json", {"_class_name": "DDIMScheduler", **NOISE}),
        ("model_index.json", _INDEX),
    ):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def adapter_state(network: Network) -> dict[str, Tensor]:
    """The IP-Adapter Plus of a network under the names its makers gave it."""
    found = {name: value.detach() for name, value in network.projection.state_dict().items()}
    state: dict[str, Tensor] = {}
    for layer in range(len(network.projection.layers)):
        start = f"layers.{layer}."
        both = [found.pop(f"{start}attn.to_{name}.weight") for name in ("k", "v")]
        state[f"image_proj.{start}0.to_kv.weight"] = torch.cat(both)
        for ours, theirs in _PROJECTION.items():
            for kind in ("weight", "bias"):
                if (value := found.pop(f"{start}{ours}.{kind}", None)) is not None:
                    state[f"image_proj.{start}{theirs}.{kind}"] = value
    state |= {f"image_proj.{name}": value for name, value in found.items()}
    for index, (key, value) in enumerate(network.adapter):  # pyright: ignore[reportGeneralTypeIssues]
        for name, layer in (("k", key), ("v", value)):
            state[f"ip_adapter.{2 * index + 1}.to_{name}_ip.weight"] = layer.weight.detach()
    return {name: value.contiguous() for name, value in state.items()}


def _save_vae(source: Path, out: Path) -> None:
    """The starter's VAE for a pipeline that knows no shift: its latents are scaled, not centred."""
    vae: Any = AutoencoderKL.from_pretrained(source, torch_dtype=torch.float16)
    vae.register_to_config(shift_factor=None)
    vae.save_pretrained(out)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

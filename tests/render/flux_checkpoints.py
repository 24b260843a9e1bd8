"""Flux checkpoints that draw in a blink: real classes, random weights, the layouts people download.

A cache of the hub with the repositories of Flux dev, schnell, Kontext and Redux, each as its makers publish
it. Nothing differs from the real ones but sizes: the VAE is 8× as theirs, the transformer has one block of
each kind.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
    T5Config,
    T5EncoderModel,
)

from quantization.rules import _bfl_names
from scripts.starter.text import pair_tokenizer, word_tokenizer, word_vocabulary

# Loud enough for prompts and references to show through 8 bit pictures of untrained weights.
GAIN = 6.0
WIDTH, POOLED, SEEN = 64, 32, 16  # of text states, pooled text, SigLIP's vectors
TOKENS = 9  # of a picture prompt: SigLIP sees 42 × 42 pixels in patches of 14
REPOSITORIES = {
    "flux-dev": "black-forest-labs/FLUX.1-dev",
    "flux-schnell": "black-forest-labs/FLUX.1-schnell",
    "flux-kontext": "black-forest-labs/FLUX.1-Kontext-dev",
}
PIPELINES = {"flux-kontext": "FluxKontextPipeline"}
WORDS = (
    "girl boy red blue silver hair long short green dress hoodie glasses standing waving comic beach sunset"
)


def write_cache(cache: Path) -> None:
    """Write all repositories into a cache of the hub. The same bytes on every call in one environment."""
    for seed, (row, repository) in enumerate(REPOSITORIES.items()):
        folder = in_cache(cache, repository)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            write_flux(folder, guidance_embeds=row != "flux-schnell", shifts=row != "flux-schnell")
        (folder / "model_index.json").write_text(
            json.dumps({"_class_name": PIPELINES.get(row, "FluxPipeline")})
        )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(9)
        write_redux(in_cache(cache, "black-forest-labs/FLUX.1-Redux-dev"))


def in_cache(cache: Path, repository: str) -> Path:
    """The folder of a repository's only snapshot, as huggingface_hub lays it out."""
    home = cache / "hub" / f"models--{repository.replace('/', '--')}"
    folder = home / "snapshots" / ("0" * 40)
    folder.mkdir(parents=True, exist_ok=True)
    (home / "refs").mkdir(exist_ok=True)
    (home / "refs" / "main").write_text("0" * 40)
    return folder


def write_flux(folder: Path, *, guidance_embeds: bool, shifts: bool) -> None:
    words, pairs = word_tokenizer(word_vocabulary(WORDS.split())), pair_tokenizer([WORDS])
    words.save_pretrained(folder / "tokenizer_2")
    pairs.save_pretrained(folder / "tokenizer")
    t5 = T5EncoderModel(
        T5Config(
            vocab_size=len(words), d_model=WIDTH, d_kv=16, d_ff=64, num_layers=1, num_heads=2,
            feed_forward_proj="gated-gelu", pad_token_id=0, eos_token_id=1,
        )
    )  # fmt: skip
    torch.nn.init.normal_(t5.shared.weight)
    t5.save_pretrained(folder / "text_encoder_2")
    marks: dict[str, Any] = {
        name: getattr(pairs, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")
    }
    clip = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(pairs), hidden_size=POOLED, intermediate_size=64, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=77,
            **marks,
        )
    )  # fmt: skip
    clip.save_pretrained(folder / "text_encoder")
    transformer = new_transformer(guidance_embeds=guidance_embeds)
    # In shards, with their index, as the large ones come.
    transformer.save_pretrained(folder / "transformer", max_shard_size="300KB")
    new_vae().save_pretrained(folder / "vae")
    FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=shifts, shift=3.0 if shifts else 1.0, base_shift=0.5, max_shift=1.15
    ).save_pretrained(folder / "scheduler")


def new_transformer(*, guidance_embeds: bool) -> FluxTransformer2DModel:
    shape: dict[str, Any] = {"axes_dims_rope": (8, 12, 12)}
    transformer = FluxTransformer2DModel(
        in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=32, num_attention_heads=2,
        joint_attention_dim=WIDTH, pooled_projection_dim=POOLED, guidance_embeds=guidance_embeds, **shape,
    )  # fmt: skip
    with torch.no_grad():
        for name, parameter in transformer.named_parameters():
            if ("norm" in name and ".linear." in name) or name.startswith("proj_out."):
                parameter.mul_(GAIN)
    return transformer


def bfl(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors as Black Forest Labs publish them, by the quantizer's table."""
    names = {name: name for name in state}
    made = {theirs: torch.cat([state[one] for one in ours]) for theirs, ours in _bfl_names(names).items()}
    for suffix in ("weight", "bias"):
        scale, shift = made[f"final_layer.adaLN_modulation.1.{suffix}"].chunk(2)
        made[f"final_layer.adaLN_modulation.1.{suffix}"] = torch.cat([shift, scale])
    return made


def new_vae() -> AutoencoderKL:
    blocks: dict[str, Any] = {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (4, 4, 8, 8),
    }
    vae = AutoencoderKL(
        **blocks,
        layers_per_block=1,
        latent_channels=16,
        norm_num_groups=4,
        sample_size=64,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    with torch.no_grad():
        vae.decoder.conv_out.weight.mul_(GAIN / 3)
    return vae


def write_redux(folder: Path) -> None:
    side = 14 * int(TOKENS**0.5)
    SiglipVisionModel(
        SiglipVisionConfig(
            hidden_size=SEEN, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            image_size=side, patch_size=14,
        )
    ).save_pretrained(folder / "image_encoder")  # fmt: skip
    SiglipImageProcessor(size={"height": side, "width": side}).save_pretrained(folder / "feature_extractor")
    embedder = ReduxImageEncoder(redux_dim=SEEN, txt_in_features=WIDTH)
    embedder.redux_down.weight.mul_(GAIN)
    embedder.save_pretrained(folder / "image_embedder")

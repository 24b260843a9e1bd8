"""Stable Diffusion checkpoints that draw in a blink: real classes, random weights, the layouts people
download.

A diffusers folder, and in it what h94/IP-Adapter publishes: `models/ip-adapter_sd15.safetensors` and its kin,
with the image encoder beside them. Nothing differs from the real ones but sizes.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.models.embeddings import IPAdapterPlusImageProjection
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import Tensor
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from model.geometry import Box
from model.render.published import open_published
from model.render.request import PanelRequest, Region, Sampling
from model.render.sd.renderer import SDRenderer
from model.variants import VARIANTS
from scripts.starter.text import pair_tokenizer

# diffusers hands tensors to numpy in the old way; nothing here can change that.
OLD_ARRAYS = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
# Loud enough for words and references to show in pictures of untrained weights.
GAIN = 3.0
WIDTH, SECOND = 32, 48  # of text states: the first encoder's, and that of SDXL's second one
SEEN = 24  # of the image encoder's vectors
# Where each row's adapter and image encoder stand in h94/IP-Adapter.
ADAPTERS = {
    "sd15": ("models/ip-adapter_sd15.safetensors", "models/image_encoder"),
    "sd15plus": ("models/ip-adapter-plus_sd15.safetensors", "models/image_encoder"),
    "sdxl": ("sdxl_models/ip-adapter_sdxl.safetensors", "sdxl_models/image_encoder"),
    "sdxlplus": ("sdxl_models/ip-adapter-plus_sdxl_vit-h.safetensors", "models/image_encoder"),
}
WORDS = (
    "girl boy red blue silver hair long short green dress hoodie glasses standing waving , comic beach sunset"
)


SIDE = 64
STEPS = 4


def picture(colour: str, size: tuple[int, int] = (30, 60)) -> bytes:
    drawn = Image.new("RGB", size, "white")
    ImageDraw.Draw(drawn).ellipse((3, 3, size[0] - 3, size[1] - 3), fill=colour)
    data = io.BytesIO()
    drawn.save(data, "PNG")
    return data.getvalue()


PICTURES = {hashlib.sha256(data).hexdigest(): data for data in (picture("red"), picture("blue", (40, 40)))}
RED, BLUE = PICTURES

LEFT = Region(box=Box(0.0, 0.0, 0.5, 1.0), prompt="girl with red hair")
RIGHT = Region(box=Box(0.5, 0.0, 0.5, 1.0), prompt="boy with blue hair, hoodie, waving")
PLAIN = PanelRequest(
    weights="0" * 64,
    width=SIDE,
    height=SIDE,
    prompt="comic, beach",
    negative="",
    regions=(),
    seed=7,
    sampling=Sampling(steps=STEPS, guidance=1.0, scheduler="euler"),
)
PAIR = replace(PLAIN, regions=(LEFT, RIGHT))
CAST = replace(PLAIN, regions=(replace(LEFT, reference=RED), replace(RIGHT, reference=BLUE)))


def sampled(request: PanelRequest, **changes: Any) -> PanelRequest:
    return replace(request, sampling=replace(request.sampling, **changes))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference of two pictures, 0 to 255."""
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())


def draw(renderer: SDRenderer, request: PanelRequest) -> Image.Image:
    return renderer.draw([request])[0]


def open_sd(factory: pytest.TempPathFactory, row: str) -> SDRenderer:
    """A renderer for a row of the variants' table, loaded once a session."""
    return _opened(sd_folder(factory, row), row)


@functools.cache
def _opened(folder: Path, row: str) -> SDRenderer:
    checkpoint = open_published(VARIANTS[row], folder)
    return SDRenderer(checkpoint, load_reference=PICTURES.__getitem__)


def stock(row: str, folder: Path) -> Any:
    """diffusers' own pipeline of the same folder: nothing of this project is in it."""
    if row.startswith("sdxl"):
        pipeline: Any = StableDiffusionXLPipeline.from_pretrained(folder, add_watermarker=False)
    else:
        pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def sd_folder(factory: pytest.TempPathFactory, row: str) -> Path:
    """The folder of a checkpoint that `row` of the variants' table can draw with; written once a session."""
    folder = factory.getbasetemp() / "sd" / row
    if not folder.exists():
        write_sd(folder, row)
    return folder


def write_sd(folder: Path, row: str) -> None:
    """Write the checkpoint. The same bytes on every call in one environment."""
    wide = row.startswith("sdxl")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        _write_text(folder, wide)
        unet = unet_of(wide=wide)
        unet.save_pretrained(folder / "unet")
        _vae().save_pretrained(folder / "vae")
        adapter, encoder = ADAPTERS[row]
        (folder / adapter).parent.mkdir()
        save_file(_adapter(unet, plus=row.endswith("plus")), folder / adapter)
        _image_encoder().save_pretrained(folder / encoder)
    (folder / "scheduler").mkdir()
    noise = _EULER if wide else _PNDM
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(noise))
    index: dict[str, Any] = {
        "_class_name": "StableDiffusionXLPipeline" if wide else "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", noise["_class_name"]],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "image_encoder": [None, None],
        "feature_extractor": [None, None],
    }
    if wide:
        index |= {
            "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
            "tokenizer_2": ["transformers", "CLIPTokenizer"],
            "force_zeros_for_empty_prompt": True,
        }
    else:
        index["safety_checker"] = [None, None]
    (folder / "model_index.json").write_text(json.dumps(index))


# As stable-diffusion-v1-5 and stable-diffusion-xl-base-1.0 publish theirs.
_NOISE = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
    "steps_offset": 1,
}
_PNDM = {
    **_NOISE,
    "_class_name": "PNDMScheduler",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "trained_betas": None,
}
_EULER = {
    **_NOISE,
    "_class_name": "EulerDiscreteScheduler",
    "clip_sample": False,
    "interpolation_type": "linear",
    "prediction_type": "epsilon",
    "sample_max_value": 1.0,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "timestep_spacing": "leading",
    "trained_betas": None,
    "use_karras_sigmas": False,
}


def unet_of(*, wide: bool) -> UNet2DConditionModel:
    """Two resolutions with attention. SDXL adds pooled text and sizes, and deeper transformers."""
    kinds: dict[str, Any] = {
        "down_block_types": ("CrossAttnDownBlock2D",) * 2,
        "up_block_types": ("CrossAttnUpBlock2D",) * 2,
        "attention_head_dim": (2, 4) if wide else 2,
    }
    if wide:
        kinds |= {
            "use_linear_projection": True,
            "transformer_layers_per_block": (1, 2),
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": SECOND + 6 * 8,
        }
    unet = UNet2DConditionModel(
        **kinds,
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=WIDTH + (SECOND if wide else 0),
    )
    for name, parameter in unet.named_parameters():
        if name.endswith(("attn2.to_v.weight", "attn2.to_out.0.weight", "conv_out.weight")):
            parameter.mul_(GAIN / 2)
    return unet


def _vae() -> AutoencoderKL:
    channels = (4, 4, 8, 8)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(channels),  # pyright: ignore[reportArgumentType]
        up_block_types=("UpDecoderBlock2D",) * len(channels),  # pyright: ignore[reportArgumentType]
        block_out_channels=channels,  # pyright: ignore[reportArgumentType]
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    )
    vae.decoder.conv_out.weight.mul_(GAIN)
    return vae


def words_of(*, wide: bool) -> tuple[Any, ...]:
    """Text encoders of two layers, one for SD 1.5, two for SDXL."""
    encoders = (_loud(CLIPTextModel(_words_config(WIDTH))),)
    return (*encoders, _loud(CLIPTextModelWithProjection(_words_config(SECOND)))) if wide else encoders


def _words_config(width: int) -> CLIPTextConfig:
    tokenizer = _tokenizer()
    return CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=width, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=77, projection_dim=width,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip


@functools.cache
def _tokenizer() -> Any:
    """CLIP's, with few words."""
    tokenizer = pair_tokenizer([WORDS])
    tokenizer.model_max_length = 77
    return tokenizer


def _write_text(folder: Path, wide: bool) -> None:
    first, *second = words_of(wide=wide)
    first.save_pretrained(folder / "text_encoder")
    _tokenizer().save_pretrained(folder / "tokenizer")
    for encoder in second:
        encoder.save_pretrained(folder / "text_encoder_2")
        _tokenizer().save_pretrained(folder / "tokenizer_2")
        settings = folder / "tokenizer_2" / "tokenizer_config.json"
        told = json.loads(settings.read_text()) | {"pad_token": "!"}  # as SDXL's second one pads
        settings.write_text(json.dumps(told))


def _loud(encoder: Any) -> Any:
    """CLIP begins with embeddings so small that all words are alike."""
    for name, parameter in encoder.named_parameters():
        if "token_embedding" in name:
            parameter.mul_(1 / parameter.std())
    return encoder


def _image_encoder() -> CLIPVisionModelWithProjection:
    config = CLIPVisionConfig(
        hidden_size=SEEN, intermediate_size=SEEN, num_hidden_layers=2, num_attention_heads=2,
        image_size=32, patch_size=8, projection_dim=SEEN,
    )  # fmt: skip
    encoder = CLIPVisionModelWithProjection(config)
    encoder.vision_model.embeddings.patch_embedding.weight.mul_(GAIN * 5)
    return encoder


def _adapter(unet: UNet2DConditionModel, *, plus: bool) -> dict[str, Tensor]:
    """An IP-Adapter under the names its makers gave it."""
    width = unet.config["cross_attention_dim"]
    state = _resampler(width) if plus else _projection(width)
    layers = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for index, name in enumerate(layers):
        layer: Any = unet.get_submodule(name.removesuffix(".processor"))
        inner = layer.to_k.out_features
        state[f"ip_adapter.{2 * index + 1}.to_k_ip.weight"] = torch.randn(inner, width) * 0.2
        state[f"ip_adapter.{2 * index + 1}.to_v_ip.weight"] = torch.randn(inner, width) * 0.5
    return state


def _projection(width: int) -> dict[str, Tensor]:
    """Four tokens from the picture's one vector."""
    return {
        "image_proj.proj.weight": torch.randn(4 * width, SEEN) * 0.2,
        "image_proj.proj.bias": torch.zeros(4 * width),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": torch.zeros(width),
    }


def _resampler(width: int) -> dict[str, Tensor]:
    """Plus: tokens that look at the picture's patches. diffusers' names become the published ones."""
    inner = 16
    model = IPAdapterPlusImageProjection(
        embed_dims=SEEN, output_dims=width, hidden_dims=inner, depth=4, heads=1, num_queries=4
    )
    names = {
        "ln0": "0.norm1",
        "ln1": "0.norm2",
        "attn.to_q": "0.to_q",
        "attn.to_out.0": "0.to_out",
        "ff.0": "1.0",
        "ff.1.net.0.proj": "1.1",
        "ff.1.net.2": "1.3",
    }
    state: dict[str, Tensor] = {}
    found = {name: value.detach().clone() for name, value in model.state_dict().items()}
    for layer in range(4):
        start = f"layers.{layer}."
        key, value = (found.pop(f"{start}attn.{name}.weight") for name in ("to_k", "to_v"))
        state[f"image_proj.{start}0.to_kv.weight"] = torch.cat([key, value])
        for ours, theirs in names.items():
            for kind in ("weight", "bias"):
                if (tensor := found.pop(f"{start}{ours}.{kind}", None)) is not None:
                    state[f"image_proj.{start}{theirs}.{kind}"] = tensor
    return state | {f"image_proj.{name}": tensor for name, tensor in found.items()}

"""A Flux of any size whose weights are noise, in the layout people download, and its GGUF files.

In: a `Scale`. Out: a folder that the project's own loader opens, and the parts in memory. On disk there is
one transformer block of each kind and two layers of T5; in memory they are copied until there are as many as
the scale says, each copy with memory of its own. So a transformer of 12 billion weights needs 3 GB of disk,
and a level is quantized in a minute. Speed and memory do not depend on what the numbers are.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder
from diffusers.quantizers.gguf.utils import GGUFParameter
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
    T5Config,
    T5EncoderModel,
)

from model.render.flux.parts import FluxParts, read_flux
from model.render.published import open_published
from model.render.weights import Checkpoint
from model.variants import VARIANTS
from quantization.convert import convert
from quantization.levels import LEVELS
from scripts.starter.text import pair_tokenizer, word_tokenizer, word_vocabulary

FULL = "full"
TEXT = (
    "girl boy with red blue silver black hair long short green dress hoodie glasses standing waving on a "
    "comic beach sunset wide shot of two people colour street lamp rain night smiling"
)
WORDS = tuple(TEXT.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large.

    Attributes:
        name: of the scale.
        heads: of 128 channels; Flux has 24.
        double, single: transformer blocks of each kind.
        side: pixels of a panel's side.
        text: tokens that FluxPipeline pads a prompt to.
        prompt, region: tokens of a panel's prompt and of a character's.
        t5: width, layers; clip: width, layers; eye: width, layers, pixels of its picture's side (SigLIP).
        vae: channels of its first level.
        dtype: of what lies on disk.
    """

    name: str
    heads: int
    double: int
    single: int
    side: int
    text: int
    prompt: int
    region: int
    t5: tuple[int, int]
    clip: tuple[int, int]
    eye: tuple[int, int, int]
    vae: int
    dtype: torch.dtype

    @property
    def width(self) -> int:
        """Channels of the transformer."""
        return self.heads * 128


# As Black Forest Labs' and Google's are.
TRUE = Scale(
    name="full", heads=24, double=19, single=38, side=1024, text=512, prompt=60, region=40,
    t5=(4096, 24), clip=(768, 12), eye=(1152, 27, 384), vae=128, dtype=torch.bfloat16,
)  # fmt: skip
# A quarter of every width and length, so that attention, linear layers and references keep their shares of a
# step; few blocks, and a VAE and encoders that are as much smaller.
SMALL = Scale(
    name="small", heads=6, double=1, single=2, side=512, text=128, prompt=15, region=10,
    t5=(1024, 2), clip=(192, 1), eye=(288, 1, 189), vae=8, dtype=torch.float32,
)  # fmt: skip
SCALES = {scale.name: scale for scale in (TRUE, SMALL)}


def write(folder: Path, scale: Scale) -> None:
    """The folder of a checkpoint and of Redux, as both are published."""
    torch.manual_seed(0)
    words = word_tokenizer(word_vocabulary(WORDS))
    pairs = pair_tokenizer([TEXT])
    words.save_pretrained(folder / "tokenizer_2")
    pairs.save_pretrained(folder / "tokenizer")
    width, layers = scale.t5
    t5 = T5EncoderModel(
        T5Config(
            vocab_size=32128, d_model=width, d_kv=64, d_ff=width * 5 // 2, num_layers=min(2, layers),
            num_heads=width // 64, feed_forward_proj="gated-gelu", pad_token_id=0, eos_token_id=1,
        )
    )  # fmt: skip
    _save(t5, folder / "text_encoder_2", scale)
    width, layers = scale.clip
    marks: dict[str, Any] = {name: getattr(pairs, name) for name in _MARKS}
    clip = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
            num_attention_heads=max(1, width // 64), max_position_embeddings=77, **marks,
        )
    )  # fmt: skip
    _save(clip, folder / "text_encoder", scale)
    rope: dict[str, Any] = {"axes_dims_rope": (16, 56, 56)}
    transformer = FluxTransformer2DModel(
        in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=128,
        num_attention_heads=scale.heads, joint_attention_dim=scale.t5[0],
        pooled_projection_dim=scale.clip[0], guidance_embeds=True, **rope,
    )  # fmt: skip
    _save(transformer, folder / "transformer", scale)
    kind: Any = AutoencoderKL
    vae = kind(
        block_out_channels=(scale.vae, 2 * scale.vae, 4 * scale.vae, 4 * scale.vae),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=16,
        norm_num_groups=min(32, scale.vae),
        sample_size=scale.side,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    _save(vae, folder / "vae", scale)
    FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, shift=3.0, base_shift=0.5, max_shift=1.15
    ).save_pretrained(folder / "scheduler")
    _write_redux(folder, scale)


_MARKS = ("bos_token_id", "eos_token_id", "pad_token_id")


def _write_redux(folder: Path, scale: Scale) -> None:
    width, layers, side = scale.eye
    eye = SiglipVisionModel(
        SiglipVisionConfig(
            hidden_size=width, intermediate_size=round(width * 3.736), num_hidden_layers=layers,
            num_attention_heads=max(1, width // 72), image_size=side, patch_size=14,
        )
    )  # fmt: skip
    _save(eye, folder / "image_encoder", scale)
    SiglipImageProcessor(size={"height": side, "width": side}).save_pretrained(folder / "feature_extractor")
    embedder = ReduxImageEncoder(redux_dim=width, txt_in_features=scale.t5[0])
    _save(embedder, folder / "image_embedder", scale)


def _save(network: Any, folder: Path, scale: Scale) -> None:
    (network if scale.dtype == torch.float32 else network.to(scale.dtype)).save_pretrained(folder)


def quantize(folder: Path, level: str) -> Path:
    """The transformer of `folder` as a GGUF file."""
    file = folder / f"transformer-{level}.gguf"
    convert(folder / "transformer", file, LEVELS[level])
    return file


def opened(folder: Path, row: str, gguf: Path | None = None) -> Checkpoint:
    """The checkpoint that lies in `folder`, without reading it for its digest."""
    instead = {"transformer": gguf} if gguf is not None else {}
    return open_published(VARIANTS[row], folder, instead=instead, hashed=False)


def grown(checkpoint: Checkpoint, scale: Scale, dtype: torch.dtype) -> FluxParts:
    """The parts in main memory, with as many blocks as the scale says; GGUF weights packed."""
    parts = read_flux(checkpoint, dtype=dtype, packed=True)
    _grow(parts.transformer.transformer_blocks, scale.double)
    _grow(parts.transformer.single_transformer_blocks, scale.single)
    _grow(parts.t5.encoder.block, scale.t5[1])
    return parts


def _grow(blocks: nn.ModuleList, count: int) -> None:
    """Copies of the last block, until there are `count`."""
    while len(blocks) < count:
        last = blocks[-1]
        # Parameters of diffusers' GGUF class forget their type when they are copied.
        kind: Any = GGUFParameter
        owned: list[Any] = list(last.parameters())
        packed = {
            id(one): kind(one.as_tensor().clone(), requires_grad=False, quant_type=one.quant_type)
            for one in owned
            if isinstance(one, kind)
        }
        blocks.append(copy.deepcopy(last, packed))

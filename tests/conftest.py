"""A checkpoint that draws a panel in a blink: real classes, random weights, the layout of the starter."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests import chance  # noqa: F401, it names the profiles

settings.load_profile("check")

# As in scripts/check: threads that wait for each other cost minutes where cores are few or busy, and sums
# come out the same on any number of cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a CUDA device where there is none; nothing else asks for torch here."""
    if not any(item.get_closest_marker("gpu") for item in items):
        return
    import torch

    if not torch.cuda.is_available():
        left_out = [item for item in items if item.get_closest_marker("gpu")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("gpu")]


# Loud enough for prompts and references to show through 8 bit pictures of untrained weights.
GAIN = 6.0


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Flux checkpoint of one double and one single block, written as the starter is."""
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    build(folder)
    return folder


@pytest.fixture(scope="session")
def flux_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An HF_HOME with tiny Flux dev, schnell, Kontext and Redux in the layouts their makers publish."""
    from tests.render.flux_checkpoints import write_cache

    home = tmp_path_factory.mktemp("huggingface")
    write_cache(home)
    return home


def build(folder: Path) -> None:
    """Write the checkpoint. The same bytes on every call in one environment."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel

    from scripts.starter.captions import vocabulary
    from scripts.starter.export import export_clip, export_vae, write_gguf, write_manifest
    from scripts.starter.text import (
        TextEncoders,
        new_encoders,
        pair_tokenizer,
        save_text,
        word_tokenizer,
        word_vocabulary,
    )
    from scripts.starter.vae import fresh_vae

    looks = "girl boy red blue silver hair long short yellow green dress hoodie glasses standing waving"
    words = word_tokenizer(word_vocabulary(sorted({*vocabulary(), *looks.split()})))
    pairs = pair_tokenizer([looks, "colour comic one character two characters wide shot beach"])
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        save_text(TextEncoders(words, pairs, *new_encoders(words, pairs)), folder)
        transformer = FluxTransformer2DModel(
            patch_size=1,
            in_channels=64,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=32,
            num_attention_heads=2,
            joint_attention_dim=192,
            pooled_projection_dim=128,
            guidance_embeds=False,
            axes_dims_rope=(8, 12, 12),
        )
        for name, parameter in transformer.named_parameters():
            if ("norm" in name and ".linear." in name) or name.startswith("proj_out."):
                parameter.mul_(GAIN)
        (folder / "transformer").mkdir()
        transformer.save_config(folder / "transformer")
        write_gguf(transformer.state_dict(), folder / "transformer" / "flux-q8_0.gguf")
        vae = fresh_vae((4, 4, 8, 8, 8))
        vae.decoder.conv_out.weight.mul_(GAIN / 3)
        source = folder.parent / "source"
        vae.save_pretrained(source / "vae")
        export_vae(source / "vae", folder)
        _write_clip(source / "clip", len(pairs))
        export_clip(source / "clip", folder)
    FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False).save_pretrained(
        folder / "scheduler"
    )
    write_manifest(folder, {})


@pytest.fixture(scope="session")
def plain_upscaler(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Weights, by scale, of a compact upscaler (Real-ESRGAN's SRVGGNetCompact) that repeats each pixel."""
    folder = tmp_path_factory.mktemp("upscalers")

    def written(scale: int) -> Path:
        import torch
        from safetensors.torch import save_file

        path, features = folder / f"{scale}x.safetensors", 8
        state = {"body.4.weight": torch.zeros(3 * scale**2, features, 3, 3)}
        state["body.4.bias"] = torch.zeros(3 * scale**2)
        for layer, into in ((0, 3), (2, features)):
            state[f"body.{layer}.weight"] = torch.ones(features, into, 3, 3)
            state[f"body.{layer}.bias"] = torch.zeros(features)
            state[f"body.{layer + 1}.weight"] = torch.ones(features)
        save_file(state, path)
        return path

    return written


def _write_clip(folder: Path, vocabulary: int) -> None:
    """A random open_clip model in a hub folder's layout."""
    import open_clip
    from safetensors.torch import save_file

    shape = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 64, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {
            "context_length": 40,
            "vocab_size": vocabulary,
            "width": 32,
            "heads": 2,
            "layers": 1,
        },
    }
    folder.mkdir(parents=True)
    model = open_clip.CLIP(**shape)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors"
    )
    config = {"model_cfg": shape, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))

"""Memory plans: what fits which card, and how near the predictions are to what is measured.

    python -m scripts.bench.plans             # the table, from tensor sizes alone
    python -m scripts.bench.plans --measure   # and small models with random weights on the CPU (Linux)

In: nothing. Out: a table of plans for cards of 4 to 80 GB, one of predicted and measured peaks, then one JSON
line {"plans": […], "measured": [{case, phase, predicted, measured, off}]}. What is measured is how far the
process's resident memory rises above what it was before the models were made; it runs with an allocator that
gives freed memory back at once, so that the peak is that of what is alive.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quantization.advise import advise
from quantization.plans import GB, Canvas, Machine, predict
from quantization.sizes import ALIVE_FLUX, ALIVE_SD15, ALIVE_SDXL, ALIVE_VAE, FULL, MODELS, ModelSizes, Part
from scripts.bench.command import run

CARDS = (4, 6, 8, 12, 16, 24, 80)
HOST = 32  # GB of main memory
SHOWN = (("flux-dev", 1024), ("flux-kontext", 1024), ("sdxl", 1024), ("sd15", 512))
MOST_OFF = 0.15


def plan_rows(batch: int) -> list[dict[str, Any]]:
    """The best plan of each model on each card."""
    rows: list[dict[str, Any]] = []
    for name, side in SHOWN:
        for card in CARDS:
            machine = Machine(kind="cuda", free=card * GB, host=HOST * GB)
            plans = advise(MODELS[name], machine, Canvas(width=side, height=side, batch=batch))
            best = plans[0]
            rows.append(
                {
                    "model": name,
                    "card_gb": card,
                    "level": best.level,
                    "offload": best.offload,
                    "text": best.text,
                    "tiling": best.tiling,
                    "batch": best.batch,
                    "encode_gb": round(best.encode / GB, 2),
                    "denoise_gb": round(best.denoise / GB, 2),
                    "decode_gb": round(best.decode / GB, 2),
                    "host_gb": round(best.host / GB, 1),
                    "fits": best.fits,
                    "smaller": len(plans) - 1,
                }
            )
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    print(
        "| model | card, GB | weights | offload | VAE | batch | encode | steps | decode | main memory, GB |"
    )
    print("| --- " * 10 + "|")
    for row in rows:
        print(
            f"| {row['model']} | {row['card_gb']} | {row['level']} | {row['offload']} | "
            f"{'tiles' if row['tiling'] else 'whole'} | {row['batch']} | {row['encode_gb']:.1f} | "
            f"{row['denoise_gb']:.1f} | {row['decode_gb']:.1f} | {row['host_gb']:.0f} |"
            + ("" if row["fits"] else " does not fit")
        )


def resident(field: str) -> int:
    """VmRSS or VmHWM of this process, bytes."""
    found = re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def peak_of(work: Callable[[], object]) -> int:
    """Highest resident memory while it works."""
    Path("/proc/self/clear_refs").write_text("5")
    work()
    return resident("VmHWM")


def count(model: Any) -> int:
    return sum(values.numel() for values in model.parameters())


def small_vae(channels: int) -> Any:
    import torch
    from diffusers import AutoencoderKL

    kind: Any = AutoencoderKL
    vae = kind(
        block_out_channels=(channels, 2 * channels, 4 * channels, 4 * channels),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=16,
        norm_num_groups=16,
    )
    return vae.eval().to(memory_format=torch.channels_last)  # as the renderer has it


def small_flux(width: int) -> Any:
    from diffusers import FluxTransformer2DModel

    return FluxTransformer2DModel(
        num_layers=1,
        num_single_layers=2,
        num_attention_heads=width // 64,
        attention_head_dim=64,
        joint_attention_dim=256,
        pooled_projection_dim=128,
        axes_dims_rope=(16, 24, 24),
    ).eval()


def small_unet(channels: int, *, large: bool) -> Any:
    """The blocks of SDXL, or of SD 1.5."""
    from diffusers import UNet2DConditionModel

    kind: Any = UNet2DConditionModel
    if not large:
        return kind(
            block_out_channels=(channels, 2 * channels, 4 * channels, 4 * channels), cross_attention_dim=128
        ).eval()
    return kind(
        block_out_channels=(channels, 2 * channels, 4 * channels),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=[1, 1, 2],
        cross_attention_dim=128,
        use_linear_projection=True,
    ).eval()


def flux_step(model: Any, canvas: Canvas, text: int) -> Callable[[], object]:
    import torch

    side = canvas.width // 16
    picture, batch = side * side, canvas.batch
    ids = torch.zeros(picture, 3)
    mask = torch.ones(batch, 1, picture + text, picture + text, dtype=torch.bool)
    return lambda: model(
        hidden_states=torch.zeros(batch, picture, 64),
        encoder_hidden_states=torch.zeros(batch, text, 256),
        pooled_projections=torch.zeros(batch, 128),
        timestep=torch.zeros(batch),
        img_ids=ids,
        txt_ids=torch.zeros(text, 3),
        joint_attention_kwargs={"attention_mask": mask},
    )


def unet_step(model: Any, canvas: Canvas) -> Callable[[], object]:
    import torch

    latents = torch.zeros(2 * canvas.batch, 4, canvas.height // 8, canvas.width // 8)
    return lambda: model(latents, 1, torch.zeros(2 * canvas.batch, 77, 128))


def decoding(vae: Any, canvas: Canvas) -> Callable[[], object]:
    import torch

    latents = torch.zeros(canvas.batch, 16, canvas.height // 8, canvas.width // 8)
    return lambda: vae.decode(latents.contiguous(memory_format=torch.channels_last))


def cases() -> list[tuple[str, str, Canvas, str, bool]]:
    """(name, family, canvas, level, tiling) of what is run."""
    wide = Canvas(width=1024, height=1024, figures=0)
    return [
        ("Flux, 512², batch 1", "flux", Canvas(width=512, height=512, figures=0), FULL, False),
        ("Flux, 512², batch 3", "flux", Canvas(width=512, height=512, figures=0, batch=3), FULL, False),
        ("Flux at Q8_0, 512²", "flux", Canvas(width=512, height=512, figures=0), "Q8_0", False),
        ("Flux, 1024², VAE in tiles", "flux", wide, FULL, True),
        ("SD 1.5, 512², batch 2", "sd15", Canvas(width=512, height=512, figures=0, batch=2), FULL, False),
        ("SDXL, 768², batch 1", "sdxl", Canvas(width=768, height=768, figures=0), FULL, False),
    ]


def sizes_of(family: str, denoiser: Any, vae: Any, *, width: int, text: int) -> ModelSizes:
    """The small model's sizes, by the same counts and the same rules as the table's."""
    leaf = max(values.numel() for values in denoiser.parameters())
    kept = count(denoiser)
    packed = (
        sum(
            values.numel()
            for name, values in denoiser.named_parameters()
            if values.dim() > 1 and "transformer_blocks." in name
        )
        if family == "flux"
        else 0
    )
    alive = {"flux": ALIVE_FLUX, "sd15": ALIVE_SD15, "sdxl": ALIVE_SDXL}[family] * width
    return ModelSizes(
        name=family,
        denoiser=Part(packed=packed, kept=kept - packed, leaf=leaf),
        text=(Part(),),
        vae=Part(kept=count(vae)),
        cell=16 if family == "flux" else 8,
        text_tokens=(text, 0),
        passes=1 if family == "flux" else 2,
        alive=round(alive),
        alive_text=0,
        alive_decode=round(ALIVE_VAE * vae.config.block_out_channels[1]),
        masked=family == "flux",
        dtype="float32",
        levels=("Q8_0",),
    )


def measure_one(number: int) -> list[dict[str, Any]]:
    """One case in this process."""
    import gc

    import diffusers.models.autoencoders.autoencoder_kl
    import diffusers.models.transformers.transformer_flux
    import diffusers.models.unets.unet_2d_condition  # noqa: F401  (all that is imported comes before)
    import torch

    import model.render.gguf.layers  # noqa: F401
    import quantization.convert  # noqa: F401

    name, family, canvas, level, tiling = cases()[number]
    width, text = {"flux": (768, 128), "sd15": (64, 0), "sdxl": (96, 0)}[family]
    torch.nn.functional.conv2d(torch.zeros(1, 3, 8, 8), torch.zeros(4, 3, 3, 3))  # oneDNN wakes up
    gc.collect()
    before = resident("VmRSS")
    with torch.inference_mode():
        denoiser = small_flux(width) if family == "flux" else small_unet(width, large=family == "sdxl")
        vae = small_vae(32)
        sizes = sizes_of(family, denoiser, vae, width=width, text=text)
        if level != FULL:
            denoiser = packed_as(denoiser, level)
        if tiling:
            vae.enable_tiling()
            vae.enable_slicing()
            vae.tile_sample_min_size, vae.tile_latent_min_size = 512, 64
        step = flux_step(denoiser, canvas, text) if family == "flux" else unet_step(denoiser, canvas)
        machine = Machine(kind="cpu", free=64 * GB, host=64 * GB)
        plan = predict(sizes, machine, canvas, level=level, tiling=tiling)
        gc.collect()
        found = {"denoise": peak_of(step) - before, "decode": peak_of(decoding(vae, canvas)) - before}
    return [
        {
            "case": name,
            "phase": phase,
            "predicted": getattr(plan, phase),
            "measured": found[phase],
            "off": round(getattr(plan, phase) / found[phase] - 1, 3),
        }
        for phase in found
    ]


def packed_as(model: Any, level: str) -> Any:
    """The model as it is loaded from a GGUF file, with our layers."""
    import torch
    from diffusers import FluxTransformer2DModel, GGUFQuantizationConfig

    from model.render.gguf.layers import keep_packed
    from quantization.convert import convert
    from quantization.levels import LEVELS

    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        del model
        file = Path(folder) / "small.gguf"
        convert(Path(folder), file, LEVELS[level], device="cpu")
        loaded: Any = FluxTransformer2DModel.from_single_file(
            str(file),
            config=folder,
            local_files_only=True,
            quantization_config=GGUFQuantizationConfig(compute_dtype=torch.float32),
            torch_dtype=torch.float32,
        )
    keep_packed(loaded)
    return loaded.eval()


def measure(chosen: list[int]) -> list[dict[str, Any]]:
    """Every case, in a process whose allocator gives back what is freed."""
    rows: list[dict[str, Any]] = []
    print("| case | phase | predicted, MB | measured, MB | off |")
    print("| --- | --- | --- | --- | --- |")
    words = [word for number in chosen for word in ("--case", str(number))]
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.bench.plans", *words],
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            for row in json.loads(line):
                rows.append(row)
                print(
                    f"| {row['case']} | {row['phase']} | {row['predicted'] / 1e6:.0f} | "
                    f"{row['measured'] / 1e6:.0f} | {100 * row['off']:+.0f} % |",
                    flush=True,
                )
    if process.returncode or len(rows) < 2 * len(chosen):
        raise SystemExit("a case failed; see above")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description="Plans for cards, and predictions against measurements.")
    parser.add_argument("--batch", type=int, default=4, help="panels wanted at once (default: 4)")
    parser.add_argument("--measure", action="store_true", help="run small models on the CPU (Linux)")
    parser.add_argument("--case", type=int, action="append", help="measure this one in this process")
    flags = parser.parse_args()
    if flags.case:
        for number in flags.case:
            print(json.dumps(measure_one(number)), flush=True)
        return 0
    rows = plan_rows(flags.batch)
    show(rows)
    measured = measure(list(range(len(cases())))) if flags.measure else []
    print(json.dumps({"plans": rows, "measured": measured}))
    return 0 if all(abs(row["off"]) <= MOST_OFF for row in measured) else 1


if __name__ == "__main__":
    sys.exit(run(main))

"""Turn training checkpoints into `model/starter/`: diffusers' layout, the transformer as a Q8_0 GGUF, the
rest in half precision, and a manifest: every file's sha256, how it was trained and what it measured.

    python -m scripts.starter.export --flux lab/flux/checkpoint.pt --vae lab/vae --clip lab/clip
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.files import sha256_of
from scripts.starter.blocks import to_stock
from scripts.starter.network import Starter, fresh_transformer
from scripts.starter.pool import CELL, REFERENCE, SHAPES
from scripts.starter.text import GLOBAL_TOKENS, REGION_TOKENS, load_text, save_text

# As in Flux GGUFs: what enters and leaves the transformer stays in half precision, vectors in single.
KEPT = ("x_embedder", "context_embedder", "time_text_embed", "norm_out", "proj_out.")

# What the starter's detector calls everybody.
PERSON = "a character"


def write_gguf(state: dict[str, Tensor], path: Path) -> None:
    """Write a transformer's state dict (diffusers names) as GGUF, matrices in Q8_0."""
    writer = gguf.GGUFWriter(str(path), "flux")
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    for name, value in state.items():
        weights = value.float().numpy()
        if weights.ndim < 2:
            writer.add_tensor(name, weights)
        elif any(name.startswith(part) for part in KEPT) or weights.shape[1] % 32:
            writer.add_tensor(name, weights.astype(np.float16))
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quants.quantize(weights, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def export_flux(checkpoint: Path, text: Path, out: Path) -> dict[str, Any]:
    """Write transformer, text encoders and tokenizers; returns what the checkpoint says of its training."""
    saved = torch.load(checkpoint, weights_only=True, map_location="cpu")
    starter = Starter(fresh_transformer(), load_text(text))
    average = dict(zip(saved["state"]["names"], saved["state"]["average"], strict=True))
    state = starter.state_dict() | average
    state["text.t5.encoder.embed_tokens.weight"] = state["text.t5.shared.weight"]
    starter.load_state_dict(to_stock(state))
    folder = out / "transformer"
    folder.mkdir(parents=True, exist_ok=True)
    starter.transformer.save_config(folder)
    write_gguf(starter.transformer.state_dict(), folder / "flux-q8_0.gguf")
    save_text(starter.text, out)
    return {"samples": saved.get("samples", 0), "samples_with_several": saved.get("several", 0)}


def export_vae(source: Path, out: Path) -> None:
    """Write the VAE in half precision."""
    vae: Any = AutoencoderKL.from_pretrained(source)
    vae.half().save_pretrained(out / "vae")
    # The folder it came from is nobody's business.
    path = out / "vae" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def export_clip(source: Path, out: Path) -> None:
    """Write the open_clip model: its config and half-precision weights."""
    (out / "clip").mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "open_clip_config.json", out / "clip" / "open_clip_config.json")
    weights = {
        name: value.half().contiguous() for name, value in load_file(source / "model.safetensors").items()
    }
    save_file(weights, out / "clip" / "model.safetensors")


def export_face(source: Path, out: Path) -> None:
    """Copy the face judge: its config and weights, in half precision already."""
    (out / "face").mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(source / name, out / "face" / name)


def export_segmenter(source: Path, out: Path) -> None:
    """Write the SAM: its config and half-precision weights."""
    target = out / "segmenter"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "config.json", target / "config.json")
    weights = load_file(source / "model.safetensors")
    save_file({name: value.half() for name, value in weights.items()}, target / "model.safetensors")


def export_detector(source: Path, out: Path) -> None:
    """Write the GroundingDINO as a transformers folder: configs, words and half-precision weights."""
    target = out / "detector"
    target.mkdir(parents=True, exist_ok=True)
    for name in ("preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, target / name)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    for part in (config, config["backbone_config"], config["text_config"]):
        part.pop("_name_or_path", None)
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    weights = load_file(source / "model.safetensors")
    halves = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    save_file(halves, target / "model.safetensors", {"format": "pt"})


def export_upscaler(source: Path, out: Path) -> None:
    """Write the upscaler in half precision, in a form that spandrel and its kin recognise.

    Args:
        source: the weights, or the folder of train_upscaler that has them.
    """
    weights = load_file(source / "model.safetensors" if source.is_dir() else source)
    target = out / "upscaler" / "model.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half().contiguous() for name, value in weights.items()}, target)


def write_manifest(out: Path, facts: dict[str, Any]) -> None:
    """List every file with its size and sha256, beside what the checkpoint can draw and how it was made."""
    path = out / "manifest.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    words = load_text(out).words.get_vocab()
    files = {
        file.relative_to(out).as_posix(): {"sha256": sha256_of(file), "bytes": file.stat().st_size}
        for file in sorted(out.rglob("*"))
        if file.is_file() and file != path and file.suffix in {".json", ".gguf", ".safetensors"}
    }
    manifest = {
        "name": "starter",
        "licence": "Apache-2.0",
        "bytes": sum(facts["bytes"] for facts in files.values()),
        "drawing": {
            "shapes": [[columns * CELL, rows * CELL] for rows, columns in SHAPES],
            "cell": CELL,
            "reference": REFERENCE,
            "global_tokens": GLOBAL_TOKENS,
            "region_tokens": REGION_TOKENS,
            "words": sorted(word[1:] for word in words if word.startswith("▁") and len(word) > 1),
        },
        "judging": {"person": PERSON, **before.get("judging", {})},
        "training": before.get("training", {}) | facts.get("training", {}),
        "quality": before.get("quality", {}) | facts.get("quality", {}),
        "files": files,
    }
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Export trained parts into model/starter/.")
    parser.add_argument("--out", type=Path, default=Path("model/starter"))
    parser.add_argument("--flux", type=Path, help="checkpoint of train_flux")
    parser.add_argument(
        "--text", type=Path, default=Path("model/starter"), help="tokenizers and encoder configs"
    )
    parser.add_argument("--vae", type=Path, help="folder of train_vae")
    parser.add_argument("--clip", type=Path, help="folder of train_clip")
    parser.add_argument("--face", type=Path, help="folder of faces.train")
    parser.add_argument("--detector", type=Path, help="folder of train_detector")
    parser.add_argument("--segmenter", type=Path, help="folder of train_segmenter")
    parser.add_argument("--upscaler", type=Path, help="folder or weights of train_upscaler")
    parser.add_argument("--shift", type=float, default=1.0, help="time shift of the scheduler")
    parser.add_argument(
        "--note", action="append", default=[], help="KEY=TEXT for the manifest's training section"
    )
    parser.add_argument(
        "--quality", action="append", default=[], help="KEY=NUMBER for the manifest's quality section"
    )
    flags = parser.parse_args()
    facts: dict[str, Any] = {"training": {}, "quality": {}}
    if flags.vae:
        export_vae(flags.vae, flags.out)
    if flags.clip:
        export_clip(flags.clip, flags.out)
    if flags.face:
        export_face(flags.face, flags.out)
    if flags.detector:
        export_detector(flags.detector, flags.out)
    if flags.segmenter:
        export_segmenter(flags.segmenter, flags.out)
    if flags.upscaler:
        export_upscaler(flags.upscaler, flags.out)
    if flags.flux:
        facts["training"]["flux"] = export_flux(flags.flux, flags.text, flags.out)
        FlowMatchEulerDiscreteScheduler(shift=flags.shift, use_dynamic_shifting=False).save_pretrained(
            flags.out / "scheduler"
        )
    facts["training"] |= dict(note.split("=", 1) for note in flags.note)
    facts["quality"] |= {key: float(value) for key, value in (item.split("=", 1) for item in flags.quality)}
    write_manifest(flags.out, facts)
    sys.stdout.write((flags.out / "manifest.json").read_text(encoding="utf-8").split('"files"')[0] + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Checkpoints: which are on this machine, what each can draw, and how it is loaded.

A `Checkpoint` is light (a manifest, no tensors), so that keys and plans need no torch. `load_flux` turns
one into `FluxParts`, the diffusers classes in memory. Weights are safetensors or GGUF, checked by sha256
before they are read.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import IntegrityError, WeightsMissing
from model.files import sha256_of

if TYPE_CHECKING:
    import torch

# Folders whose files decide what is drawn; the others look at it or enlarge it.
DRAWING = (
    "scheduler/",
    "text_encoder/",
    "text_encoder_2/",
    "tokenizer/",
    "tokenizer_2/",
    "transformer/",
    "vae/",
)

STARTER = Path(__file__).resolve().parent.parent / "starter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One set of weights on disk, described by its `manifest.json`.

    Attributes:
        name: what the user types after --model.
        folder: in diffusers' layout.
        fingerprint: sha256 over the sha256 of every file that decides pixels; part of each panel's key.
        files: relative path → sha256.
        shapes: (width, height) in pixels that it was trained to draw.
        cell: pixels of a token's side (VAE factor × 2).
        reference: side of a reference picture in pixels.
        global_tokens, region_tokens: most tokens of a global and of a region prompt.
        words: every word it knows, lower case; None = a free vocabulary.
        person: what a detector is asked for to find every character.
        identity: cosine of a crop and a reference from which they count as one character; None: its encoder
            was never calibrated, so a cosine says nothing.
        spread: cosine between doubt and certainty.
        alike: mean cosine of whole panels from which on they look all the same; None as for `identity`.
    """

    name: str
    folder: Path
    fingerprint: str
    files: dict[str, str]
    shapes: tuple[tuple[int, int], ...]
    cell: int
    reference: int
    global_tokens: int
    region_tokens: int
    words: frozenset[str] | None
    person: str = "person"
    identity: float | None = None
    spread: float = 0.1
    alike: float | None = None

    def spoken(self, prompt: str) -> str:
        """The prompt as this checkpoint's text encoders take it: for a closed vocabulary lower case, without
        punctuation, and without the words it does not know."""
        if self.words is None:
            return prompt
        return " ".join(word for word in _words(prompt) if word in self.words)

    def unknown_words(self, prompt: str) -> tuple[str, ...]:
        """The words of `prompt` that `spoken` leaves out, in order."""
        if self.words is None:
            return ()
        return tuple(word for word in _words(prompt) if word not in self.words)


def _words(prompt: str) -> list[str]:
    """Words in lower case; a hyphen or apostrophe inside a word belongs to it."""
    return re.findall(r"[^\W_]+(?:[-'’][^\W_]+)*", prompt.lower())


def open_checkpoint(folder: Path = STARTER) -> Checkpoint:
    """Read the manifest of a checkpoint folder; no weights are touched.

    Raises:
        WeightsMissing: there is no manifest.
        IntegrityError: the manifest is not one.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        files = {name: facts["sha256"] for name, facts in sorted(manifest["files"].items())}
        drawing, judging = manifest["drawing"], manifest.get("judging", {})
        drawn_by = {name: sha256 for name, sha256 in files.items() if name.startswith(DRAWING)}
        return Checkpoint(
            name=manifest["name"],
            folder=folder,
            fingerprint=hashlib.sha256(json.dumps(drawn_by).encode()).hexdigest(),
            files=files,
            shapes=tuple((width, height) for width, height in drawing["shapes"]),
            cell=drawing["cell"],
            reference=drawing["reference"],
            global_tokens=drawing["global_tokens"],
            region_tokens=drawing["region_tokens"],
            words=frozenset(drawing["words"]) if drawing.get("words") else None,
            person=judging.get("person", "person"),
            identity=judging.get("identity"),
            spread=judging.get("spread", 0.1),
            alike=judging.get("alike"),
        )
    except FileNotFoundError as error:
        raise WeightsMissing(
            f"{folder}: no manifest.json; the weights are not here; restore the folder"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{path}: not a weights manifest ({error}); restore the file") from error


def verify(checkpoint: Checkpoint) -> None:
    """Check every file of the checkpoint against the manifest.

    Raises:
        WeightsMissing: a file is absent.
        IntegrityError: a file has other bytes than the manifest says.
    """
    for name, expected in checkpoint.files.items():
        path = checkpoint.folder / name
        if not path.is_file():
            raise WeightsMissing(f"{path}: missing; restore the file and run again")
        found = sha256_of(path)
        if found != expected:
            raise IntegrityError(
                f"{path}: sha256 {found[:12]}…, expected {expected[:12]}…; restore the file and run again"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxParts:
    """A Flux checkpoint in memory, on one device: classes of diffusers and transformers, which ship too few
    types to be checked.

    Attributes:
        transformer: FluxTransformer2DModel; vae: AutoencoderKL; t5: T5EncoderModel; clip: CLIPTextModel.
        scheduler: config of a FlowMatchEulerDiscreteScheduler.
    """

    transformer: Any
    vae: Any
    t5: Any
    clip: Any
    t5_tokenizer: Any
    clip_tokenizer: Any
    scheduler: dict[str, Any]


def load_flux(checkpoint: Checkpoint, *, device: str, dtype: torch.dtype) -> FluxParts:
    """Verify and load a Flux checkpoint.

    The transformer comes from its GGUF file through diffusers' GGUF path and is then dequantized once into
    `dtype`: the numbers are those of dequantizing at every step, without the cost.

    Raises:
        WeightsMissing, IntegrityError: see `verify`.
    """
    import torch
    from diffusers import AutoencoderKL, FluxTransformer2DModel, GGUFQuantizationConfig
    from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5Tokenizer

    verify(checkpoint)
    folder = checkpoint.folder
    gguf = next(folder.glob("transformer/*.gguf"), None)
    if gguf is None:
        raise WeightsMissing(f"{folder / 'transformer'}: no GGUF file there; restore it and run again")
    transformer: Any = FluxTransformer2DModel.from_single_file(
        str(gguf),
        config=str(folder),
        subfolder="transformer",
        local_files_only=True,
        quantization_config=GGUFQuantizationConfig(compute_dtype=dtype),
        torch_dtype=dtype,
    )
    transformer.dequantize()
    vae: Any = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=dtype, local_files_only=True)
    t5: Any = T5EncoderModel.from_pretrained(folder / "text_encoder_2", dtype=torch.float32)
    clip: Any = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    return FluxParts(
        transformer=transformer.to(device).eval(),
        vae=vae.to(device, memory_format=torch.channels_last).eval(),
        t5=t5.to(device).eval(),
        clip=clip.to(device).eval(),
        t5_tokenizer=T5Tokenizer.from_pretrained(folder / "tokenizer_2"),
        clip_tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        scheduler=json.loads((folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8")),
    )

"""Train the starter's open_clip model: who is this, in a panel's crop, beside a reference, in words.

    python -m scripts.starter.train_clip --minutes 8 --out lab/clip --vae lab/vae    # again: resumes

Contrastive in both directions between references and captions, crops and captions, references and crops; with
--looks also whole panels and heads against captions that nearly fit (`looks.py`).
Out: an open_clip folder (`open_clip_config.json`, `model.safetensors` with averaged float32 weights),
`checkpoint.pt` and `log.jsonl`. Held-out characters have their own seeds.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import math
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTokenizer

from model.vision.clip import tokenize
from scripts.starter.course import Course
from scripts.starter.looks import choose_looks, draw_looks, look_loss, together
from scripts.starter.optimizer import MuonAdam
from scripts.starter.pairs import SIDE, Character, choose, draw_characters, look_caption
from scripts.starter.precision import chosen
from scripts.starter.vae import decode, encode, open_vae, pictures, pixels, place

VISION = {
    "image_size": SIDE, "patch_size": 16, "layers": 4, "width": 192, "head_width": 48, "pool_type": "avg",
}  # fmt: skip
TEXT = {"context_length": 40, "width": 128, "heads": 4, "layers": 2}
WIDTH = 128
PREPROCESS = {
    "size": SIDE, "mode": "RGB", "mean": [0.5] * 3, "std": [0.5] * 3,
    "interpolation": "bicubic", "resize_mode": "longest", "fill_color": 255,
}  # fmt: skip
ADAM = ("embedding", "conv1", "visual.proj", "text_projection")
EMA = 0.998
WARMEST = 60.0  # logits are cosines times at most this
FIRST_SEED, HELD_OUT_SEED = 40_000_000, 910_000_000
PER_CAST = 1.7  # characters that a cast has on average
BATCH = 96
ZOOM = 0.9  # least share of a picture's side that is shown in training


def model_config(tokenizer: CLIPTokenizer, vision: dict[str, Any] | None = None) -> dict[str, Any]:
    """open_clip's `model_cfg` for a tokenizer.

    Raises:
        ValueError: end-of-text has not the largest id, by which open_clip finds the end of a text.
    """
    if tokenizer.eos_token_id != len(tokenizer) - 1:
        found = tokenizer.eos_token_id
        raise ValueError(f"end-of-text has id {found}, expected the largest, {len(tokenizer) - 1}")
    text = {**TEXT, "vocab_size": len(tokenizer)}
    # The optimiser takes tensors with at least one dimension.
    towers = {"vision_cfg": vision or VISION, "text_cfg": text}
    return {"embed_dim": WIDTH, **towers, "nonscalar_logit_scale": True}


def zoomed(batch: Tensor, rng: random.Random) -> Tensor:
    """A random window of the whole batch, enlarged again: boxes of detectors are not exact either."""
    side = round(batch.shape[-1] * rng.uniform(ZOOM, 1.0))
    top, left = (rng.randint(0, batch.shape[-1] - side) for _ in range(2))
    window = batch[..., top : top + side, left : left + side]
    return F.interpolate(window, batch.shape[-2:], mode="bilinear", align_corners=False)


def contrastive_loss(
    model: open_clip.CLIP,
    references: Tensor,
    crops: Tensor,
    tokens: Tensor,
    dtype: torch.dtype = torch.bfloat16,
) -> Tensor:
    """Symmetric cross-entropy (Radford et al. 2021) between all three views of the same characters."""
    with torch.autocast(references.device.type, torch.bfloat16, enabled=dtype is torch.bfloat16):
        images = model.encode_image(torch.cat([references, crops]), normalize=True).float()
        texts = model.encode_text(tokens, normalize=True).float()
    scale = model.logit_scale.exp().clamp(max=WARMEST)
    clean, found = images.chunk(2)
    target = torch.arange(len(clean), device=clean.device)
    loss = torch.zeros((), device=clean.device)
    for first, second in ((clean, texts), (found, texts), (clean, found)):
        logits = scale * first @ second.T
        loss = loss + (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    return loss


def seeing_loss(
    model: open_clip.CLIP,
    wholes: Tensor,
    heads: Tensor,
    tokens: tuple[Tensor, Tensor],
    dtype: torch.dtype = torch.bfloat16,
) -> Tensor:
    """Whole panels, heads and both together against captions that fit and captions that nearly do."""
    with torch.autocast(wholes.device.type, torch.bfloat16, enabled=dtype is torch.bfloat16):
        images = model.encode_image(torch.cat([wholes, heads]), normalize=True).float()
        texts = model.encode_text(torch.cat(tokens), normalize=True).float()
    scale = model.logit_scale.exp().clamp(max=WARMEST)
    whole, head = images.chunk(2)
    of_panel, of_head = texts.chunk(2)
    pairs = ((whole, of_panel), (head, of_head), (together(whole, head), of_panel))
    return torch.stack([look_loss(seen, said, scale) for seen, said in pairs]).sum()


class Training:
    """A CLIP model with its optimiser: steps, the averaged weights, and the state to go on from."""

    def __init__(
        self, model: open_clip.CLIP, device: str = "cpu", dtype: torch.dtype = torch.bfloat16
    ) -> None:
        self.model, self.dtype = model.to(device).train(), dtype
        self.optimizer = MuonAdam(self.model.named_parameters(), adam=ADAM, ema=EMA, arithmetic=dtype)

    def step(
        self,
        references: Tensor,
        crops: Tensor,
        tokens: Tensor,
        rate: float,
        looks: tuple[Tensor, Tensor, tuple[Tensor, Tensor]] | None = None,
    ) -> float:
        """One step. Returns the loss."""
        loss = contrastive_loss(self.model, references, crops, tokens, self.dtype)
        if looks is not None:
            loss = loss + seeing_loss(self.model, *looks, self.dtype)
        loss.backward()
        self.optimizer.step(rate)
        return loss.item()

    def averaged(self) -> open_clip.CLIP:
        """A copy with the averaged weights, for use."""
        model = copy.deepcopy(self.model).eval()
        model.load_state_dict(self.model.state_dict() | self.optimizer.averaged())
        return model


def chance_first(similarities: NDArray[np.float64], among: int) -> float:
    """How often the right answer beats `among` − 1 others, averaged over every choice of others.

    Args:
        similarities: (n, n), row i asks, column i is right.
    """
    others = len(similarities) - 1
    lower = (similarities < similarities.diagonal()[:, None]).sum(1)
    every = math.comb(others, among - 1)
    return float(np.mean([math.comb(int(count), among - 1) / every for count in lower]))


@torch.no_grad()
def evaluate(model: open_clip.CLIP, characters: Sequence[Character], tokens: Tensor) -> dict[str, float]:
    """Crops against references, captions against references, on characters never trained on.

    `auc` is the chance that two views of one character are closer than a crop and another's reference;
    `other_p95` is the cosine that one in twenty strangers exceeds.
    """
    device = next(model.parameters()).device.type

    def embed(views: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
        parts = [
            model.encode_image(pixels(np.stack(views[start : start + 64]), device), normalize=True)
            for start in range(0, len(views), 64)
        ]
        return torch.cat(parts).double().cpu().numpy()

    references = embed([character.references[0] for character in characters])
    crops = embed([character.crops[0] for character in characters])
    texts = model.encode_text(tokens.to(device), normalize=True).double().cpu().numpy()
    similarities = crops @ references.T
    same = similarities.diagonal()
    other = np.sort(similarities[~np.eye(len(characters), dtype=bool)])
    return {
        "auc": float(np.searchsorted(other, same).mean() / len(other)),
        "top1_of_10": chance_first(similarities, min(10, len(characters))),
        "top1_of_20": chance_first(similarities, min(20, len(characters))),
        "caption_top1_of_100": chance_first(texts @ references.T, min(100, len(characters))),
        "same": float(same.mean()),
        "other": float(other.mean()),
        "other_p95": float(np.quantile(other, 0.95)),
    }


@torch.no_grad()
def through_vae(
    characters: Sequence[Character], folder: Path, share: float, device: str, rng: random.Random
) -> list[Character]:
    """The characters, a share of their crops encoded and decoded, as generated panels are at best."""
    vae = place(open_vae(folder), device)
    views = [(i, view) for i, character in enumerate(characters) for view in range(len(character.crops))]
    chosen = rng.sample(views, round(share * len(views)))
    crops = [character.crops.copy() for character in characters]
    for start in range(0, len(chosen), 32):
        places = chosen[start : start + 32]
        batch = pixels(np.stack([crops[i][view] for i, view in places]), device)
        drawn = pictures(decode(vae, encode(vae, batch)))
        for (i, view), picture in zip(places, drawn, strict=True):
            crops[i][view] = picture
    return [dataclasses.replace(c, crops=crop) for c, crop in zip(characters, crops, strict=True)]


def write_folder(model: open_clip.CLIP, config: dict[str, Any], out: Path) -> None:
    """Write the model as an open_clip folder."""
    text = json.dumps({"model_cfg": config, "preprocess_cfg": PREPROCESS}, indent=1)
    (out / "open_clip_config.json").write_text(text + "\n", encoding="utf-8")
    weights = {name: value.float().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, out / "model.safetensors")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train or resume the starter's open_clip model.")
    parser.add_argument("--minutes", type=float, default=8.0, help="training in all, earlier runs included")
    parser.add_argument("--steps", type=int, help="steps in all, instead of minutes")
    parser.add_argument("--out", type=Path, default=Path("lab/clip"))
    parser.add_argument("--tokenizer", type=Path, default=Path("model/starter/tokenizer"))
    parser.add_argument("--vae", type=Path, help="a VAE's folder; a share of the crops passes through it")
    parser.add_argument("--vae_share", type=float, default=0.35)
    parser.add_argument("--characters", type=int, default=12_000, help="about so many; 0.1 MB a view each")
    parser.add_argument("--views", type=int, default=2, help="references and crops of each character")
    parser.add_argument("--held_out", type=int, default=400, help="about so many characters to measure on")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes that draw; 0: none")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--init", type=Path, help="an open_clip folder to start from")
    parser.add_argument("--looks", type=int, default=0, help="panels with heads to learn from, 0.1 MB each")
    parser.add_argument("--looks_batch", type=int, default=32)
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    flags = _arguments(argv)
    course = Course(flags.out, flags.minutes, flags.steps)
    saved = course.load()
    # A resumed run draws new characters.
    first_seed = saved["next_seed"] if saved else FIRST_SEED
    next_seed = first_seed + math.ceil(flags.characters / PER_CAST)
    characters = draw_characters(range(first_seed, next_seed), flags.views, flags.workers)
    unseen = range(HELD_OUT_SEED, HELD_OUT_SEED + math.ceil(flags.held_out / PER_CAST))
    held_out = draw_characters(unseen, 1, flags.workers)
    if flags.vae:
        chance = random.Random(first_seed)
        characters = through_vae(characters, flags.vae, flags.vae_share, flags.device, chance)
        held_out = through_vae(held_out, flags.vae, 0.5, flags.device, random.Random(HELD_OUT_SEED))
    looks = draw_looks(range(first_seed, first_seed + flags.looks), flags.workers)
    sys.stdout.write(
        f"{len(characters)} characters and {len(looks)} panels to learn, {len(held_out)} to measure on\n"
    )
    tokenizer = CLIPTokenizer.from_pretrained(flags.tokenizer, local_files_only=True)
    config = model_config(tokenizer)
    torch.manual_seed(first_seed)
    dtype, why = chosen(flags.precision, flags.device)
    sys.stdout.write(f"precision: {why}\n")
    model = open_clip.CLIP(**config)
    if flags.init:
        weights = load_file(flags.init / "model.safetensors")
        model.load_state_dict({name: value.float() for name, value in weights.items()})
    training = Training(model, flags.device, dtype)
    optimizer = training.optimizer
    if saved:
        optimizer.restore(saved["optimizer"])
    rng, fixed = random.Random(first_seed), random.Random(HELD_OUT_SEED)
    asked = tokenize(tokenizer, [look_caption(c.attributes, fixed) for c in held_out], TEXT["context_length"])
    loss, started, begun = 0.0, optimizer.steps, course.seconds

    def save() -> None:
        course.save(optimizer=optimizer.state(), next_seed=next_seed)

    def report() -> None:
        speed = (optimizer.steps - started) * 2 * flags.batch / max(course.seconds - begun, 1e-3)
        measured = evaluate(training.averaged(), held_out, asked)
        course.write(steps=optimizer.steps, loss=loss, pictures_per_second=speed, **measured)

    course.pause()
    while course.tick(optimizer.steps):
        references, crops, captions = choose(characters, flags.batch, rng)
        clean = zoomed(pixels(references, flags.device), rng)
        found = zoomed(pixels(crops, flags.device), rng)
        tokens = tokenize(tokenizer, captions, TEXT["context_length"]).to(flags.device)
        seen = None
        if looks:
            wholes, heads, *said = choose_looks(looks, flags.looks_batch, rng)
            of_panel, of_head = (
                tokenize(tokenizer, row, TEXT["context_length"]).to(flags.device) for row in said
            )
            views = [zoomed(pixels(pictures, flags.device), rng) for pictures in (wholes, heads)]
            seen = (views[0], views[1], (of_panel, of_head))
        loss = training.step(clean, found, tokens, course.rate(flags.rate, optimizer.steps), seen)
        course.tick()
        if course.due("checkpoint", 2):
            save()
        if course.due("report", 2):
            report()
        course.pause()
    save()
    report()
    write_folder(training.averaged(), config, flags.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Train the starter's GroundingDINO: drawn panels, and phrases that mean one, several or none in them.

    python -m scripts.starter.train_detector --minutes 75 --out lab/detector    # again: resumes

Out: a transformers folder (`config.json`, `model.safetensors` with averaged float32 weights, tokenizer,
`preprocessor_config.json`), `checkpoint.pt`, `log.jsonl` and the drawn panels. Held-out panels have their own
seeds, and are measured through `model/vision/detect.py`, as a run would.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import GroundingDinoForObjectDetection

from model.vision.detect import open_detector
from scripts.starter.course import Course
from scripts.starter.detector.anchors import Anchors
from scripts.starter.detector.batches import Batches, Questions
from scripts.starter.detector.folder import write_folder
from scripts.starter.detector.losses import one_each, set_loss, several_each, weighted
from scripts.starter.detector.measure import evaluate
from scripts.starter.detector.network import LONGEST_TEXT, fresh_detector
from scripts.starter.detector.panels import Panel, kept
from scripts.starter.detector.words import fresh_tokenizer
from scripts.starter.optimizer import MuonAdam

ADAM = ("embed", "position", "projection", "bias_table", "layers.2.weight")
EMA = 0.998
FIRST_SEED, HELD_OUT_SEED = 7_000_000_000, 7_500_000_000
BATCH = 16
SEEN_WEIGHT, SAID_WEIGHT = 2.0, 1.0
GLANCE = 96  # held-out panels that are measured on the way; at the end all are


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Logits (n, queries, length), boxes (n, queries, 4) and features (n, queries, width) of one stage."""

    logits: Tensor
    boxes: Tensor
    features: Tensor


class Training:
    """A detector with its optimiser: steps, the averaged weights, and the state to go on from."""

    def __init__(self, detector: GroundingDinoForObjectDetection, device: str = "cpu") -> None:
        self.detector: Any = detector
        self.detector.to(device).train()
        self.device = device
        self.optimizer = MuonAdam(self.detector.named_parameters(), adam=ADAM, ema=EMA)
        self.anchors = Anchors(self.detector.config.d_model).to(device)
        self._proposed: Any = None
        self.detector.model.enc_output_norm.register_forward_hook(self._keep)

    def _keep(self, _: Any, __: Any, features: Tensor) -> None:
        self._proposed = features  # the port does not return what its first stage scores

    def answers(self, questions: Questions) -> tuple[list[Answer], Tensor]:
        """The first stage's answers, then every decoder layer's; and the text's features."""
        length = questions.input_ids.shape[1]
        with torch.autocast(self.device, torch.bfloat16):
            out = self.detector.model(
                pixel_values=questions.pixels,
                input_ids=questions.input_ids,
                attention_mask=questions.attention_mask,
            )
            logits, boxes = (
                out.enc_outputs_class[..., :length],
                out.enc_outputs_coord_logits.float().sigmoid(),
            )
            answers = [Answer(logits=logits.float(), boxes=boxes, features=self._proposed)]
            reference, text = out.init_reference_points, out.encoder_last_hidden_state_text
            for level in range(out.intermediate_hidden_states.shape[1]):
                hidden = out.intermediate_hidden_states[:, level]
                logits = (hidden @ text.transpose(1, 2)).float()
                shift = self.detector.bbox_embed[level](hidden).float()
                boxes = (shift + torch.special.logit(reference.float(), eps=1e-5)).sigmoid()
                answers.append(Answer(logits=logits, boxes=boxes, features=hidden))
                reference = out.intermediate_reference_points[:, level]
        return answers, text

    def step(self, questions: Questions, rate: float) -> dict[str, float]:
        """One step. Returns the parts of the loss."""
        truth = questions.truth
        answers, text = self.answers(questions)
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        looks: list[Tensor] = []
        for stage, answer in enumerate(answers):
            if stage:
                index = one_each(answer.logits, answer.boxes, truth)
            else:
                index = several_each(answer.logits, answer.boxes, truth, questions.centres)
            parts.append(set_loss(answer.logits, answer.boxes, truth, index))
            sample, query, who = index
            looks.append(self.anchors.loss(answer.features[sample, query], questions.looks[sample, who]))
        seen = torch.stack(looks).mean()
        said = self.anchors.loss(text[truth.spoken], questions.said[truth.spoken])
        loss = torch.stack([weighted(part) for part in parts]).sum()
        (loss + SEEN_WEIGHT * seen + SAID_WEIGHT * said).backward()
        self.optimizer.step(rate)
        self.anchors.step()
        names = ("score", "distance", "overlap")
        figures = {f"first_{name}": part.item() for name, part in zip(names, parts[0], strict=True)}
        figures |= {name: part.item() for name, part in zip(names, parts[-1], strict=True)}
        return figures | {"seen": seen.item(), "said": said.item()}

    def averaged(self) -> GroundingDinoForObjectDetection:
        """A copy with the averaged weights, for use."""
        detector: Any = GroundingDinoForObjectDetection(self.detector.config).eval()
        detector.load_state_dict(self.optimizer.averaged(), strict=False)  # tied weights come once
        return detector.to(self.device)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train or resume the starter's GroundingDINO.")
    parser.add_argument("--minutes", type=float, default=75.0, help="training in all, earlier runs included")
    parser.add_argument("--steps", type=int, help="steps in all, instead of minutes")
    parser.add_argument("--out", type=Path, default=Path("lab/detector"))
    parser.add_argument("--vae", type=Path, help="a VAE's folder; a share of the panels passes through it")
    parser.add_argument("--vae_share", type=float, default=0.35)
    parser.add_argument("--panels", type=int, default=4800, help="drawn once; 0.2 MB each")
    parser.add_argument("--held_out", type=int, default=320, help="panels to measure on")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--every", type=float, default=4.0, help="minutes between reports")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw; 0: none")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    flags = _arguments(argv)
    course = Course(flags.out, flags.minutes, flags.steps)
    saved = course.load()
    common = {"vae": flags.vae, "vae_share": flags.vae_share, "workers": flags.workers}
    seeds = range(FIRST_SEED, FIRST_SEED + flags.panels)
    unseen = range(HELD_OUT_SEED, HELD_OUT_SEED + flags.held_out)
    panels = kept(flags.out / "panels", seeds, **common)
    held_out = kept(flags.out / "held_out", unseen, **common)
    tokenizer = fresh_tokenizer(LONGEST_TEXT)
    torch.manual_seed(FIRST_SEED)
    training = Training(fresh_detector(), flags.device)
    optimizer = training.optimizer
    if saved:
        optimizer.restore(saved["optimizer"])
        training.anchors.load_state_dict(saved.get("anchors", training.anchors.state_dict()))
    batches = Batches(panels, tokenizer, random.Random(optimizer.steps), flags.device)
    parts: dict[str, float] = {}
    started, begun = optimizer.steps, course.seconds

    def report(panels: Sequence[Panel]) -> None:
        write_folder(training.averaged(), tokenizer, flags.out)
        speed = (optimizer.steps - started) * flags.batch / max(course.seconds - begun, 1e-3)
        measured = evaluate(open_detector(flags.out, device=flags.device), panels)
        course.write(steps=optimizer.steps, panels_per_second=speed, **parts, **measured)

    course.pause()
    while course.tick(optimizer.steps):
        parts = training.step(batches.draw(flags.batch), course.rate(flags.rate, optimizer.steps))
        course.tick()
        if course.due("checkpoint", 2):
            course.save(optimizer=optimizer.state(), anchors=training.anchors.state_dict())
        if course.due("report", flags.every):
            report(held_out[:GLANCE])
        course.pause()
    course.save(optimizer=optimizer.state(), anchors=training.anchors.state_dict())
    report(held_out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

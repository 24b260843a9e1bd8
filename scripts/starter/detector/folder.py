"""A detector as files."""

from __future__ import annotations

from pathlib import Path

from transformers import BertTokenizer, GroundingDinoForObjectDetection, GroundingDinoImageProcessor

from scripts.starter.detector.panels import LONGEST, SHORTEST


def write_folder(detector: GroundingDinoForObjectDetection, tokenizer: BertTokenizer, out: Path) -> None:
    """Write a detector as a transformers folder that `open_detector` reads."""
    detector.save_pretrained(out)
    tokenizer.save_pretrained(out)
    GroundingDinoImageProcessor(
        size={"shortest_edge": SHORTEST, "longest_edge": LONGEST}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(out)

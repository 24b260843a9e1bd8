"""Checkpoints: what a set of weights is, what it can draw, and that its files are whole.

A `Checkpoint` is light (no tensors), so that keys and plans need no torch. One with a `manifest.json`, as the
starter has it, is opened here; `published` opens what others publish. The loaders (`flux_parts`, `sd`) turn
one into diffusers' classes in memory.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from model.config import Adapter
from model.errors import IntegrityError, WeightsMissing
from model.files import sha256_of
from model.render.lora.names import read_contents, settings_beside
from model.variants import VARIANTS, Variant

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

# Counted tags, as prompts of picture boards have them: `1girl`, `2boys`.
_TAG = re.compile(r"\b([1-6])(girls?|boys?)\b")
_COUNTED = {"1": "", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six"}

STARTER = Path(__file__).resolve().parent.parent / "starter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One set of weights on disk, described by its `manifest.json` or by its own config files.

    Attributes:
        name: what the user types after --model.
        folder: in diffusers' layout; of a single file the folder it lies in.
        fingerprint: sha256 over the sha256 of every file that decides pixels, LoRA files and their weights
            included; part of each panel's key. Empty when nothing is to be drawn.
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
        face: least score of each head, below which its panel is sent back; None: heads send none back.
        alike: mean cosine of whole panels from which on they look all the same; None as for `identity`.
        variant: its row of the table: family, reference mechanism, guidance.
        parts: where its components are, when they are not all in `folder` under their own names.
        adapters: LoRA files to merge into it.
        manifest: `files` came with the checkpoint, so its bytes can be held against them.
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
    face: float | None = None
    spread: float = 0.1
    alike: float | None = None
    variant: Variant = VARIANTS["starter"]
    parts: Mapping[str, Path] = field(default_factory=dict)
    adapters: tuple[Adapter, ...] = ()
    manifest: bool = True

    def part(self, name: str) -> Path:
        """Where a component is: a folder, or a file. `name`: as in diffusers' layout, or ip_adapter."""
        return self.parts.get(name, self.folder / name)

    def normalised(self, prompt: str) -> str:
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
    tags = _TAG.sub(lambda found: f"{_COUNTED[found[1]]} {found[2]}".strip(), prompt.lower())
    return re.findall(r"[^\W_]+(?:[-'’][^\W_]+)*", tags)


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
            fingerprint=fingerprint_of(drawn_by),
            files=files,
            shapes=tuple((width, height) for width, height in drawing["shapes"]),
            cell=drawing["cell"],
            reference=drawing["reference"],
            global_tokens=drawing["global_tokens"],
            region_tokens=drawing["region_tokens"],
            words=frozenset(drawing["words"]) if drawing.get("words") else None,
            person=judging.get("person", "person"),
            identity=judging.get("identity"),
            face=judging.get("face"),
            spread=judging.get("spread", 0.1),
            alike=judging.get("alike"),
        )
    except FileNotFoundError as error:
        raise WeightsMissing(
            f"{folder}: no manifest.json; the weights are not here; restore the folder"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"{path}: not a weights manifest ({error}); restore the file") from error


def verify(checkpoint: Checkpoint) -> None:
    """Check every file of the checkpoint against the manifest; without one there is nothing to check.

    Raises:
        WeightsMissing: a file is absent.
        IntegrityError: a file has other bytes than the manifest says.
    """
    for name, expected in checkpoint.files.items() if checkpoint.manifest else ():
        path = checkpoint.folder / name
        if not path.is_file():
            raise WeightsMissing(f"{path}: missing; restore the file and run again")
        found = sha256_of(path)
        if found != expected:
            raise IntegrityError(
                f"{path}: sha256 {found[:12]}…, expected {expected[:12]}…; restore the file and run again"
            )


def with_adapters(checkpoint: Checkpoint, adapters: tuple[Adapter, ...]) -> Checkpoint:
    """The checkpoint with LoRA files merged into it when it is loaded: other weights, another fingerprint.

    Raises:
        WeightsMissing: a file is not there.
        ConfigError: a file is no LoRA file, for another kind of model, or of a kind that is not merged.
    """
    if not adapters:
        return checkpoint
    told: list[tuple[object, ...]] = []
    for adapter in adapters:
        path = Path(adapter.path)
        try:
            contents = read_contents(path, checkpoint.variant.family)
            told.append((sha256_of(path), adapter.weight))
            if beside := settings_beside(path):
                told.append((sha256_of(beside),))
            # Versions before left these parts of a Flux file out: what they drew has another name.
            parts = {one.part for one in contents.layers}
            if checkpoint.variant.family == "flux" and parts != {"transformer"}:
                told.append(("text encoders",))
        except OSError as error:
            raise WeightsMissing(f"--lora: {adapter.path}: {error.strerror}; name another file") from error
    mixed = json.dumps([checkpoint.fingerprint, told])
    fingerprint = hashlib.sha256(mixed.encode()).hexdigest() if checkpoint.fingerprint else ""
    return replace(checkpoint, fingerprint=fingerprint, adapters=adapters)


def fingerprint_of(files: Mapping[str, str]) -> str:
    """One name for many files, by their labels and digests."""
    return hashlib.sha256(json.dumps(dict(files)).encode()).hexdigest()

"""The words of the small Stable Diffusion: a CLIP tokenizer and text encoder of the drawn world's captions.

Stable Diffusion reads words through an encoder that learnt them elsewhere and stays as it is. Here
"elsewhere" is a minute of reading captions: wherever a phrase ends, the state there must tell what it said,
and the states behind the last word must tell everything that was said, each attribute by itself. Left to the
diffusion loss an encoder becomes a bag of words, in which red hair and a white dress are white hair and a red
dress.

In: captions that are made up as they are needed. Out: tokenizer and CLIPTextModel. Knows nothing of pictures.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from model.render.sd.text import windows
from scripts.starter.captions import COUNTS, SHOTS, Phrase, attributes, global_phrases, region_phrases
from scripts.starter.optimizer import MuonAdam
from scripts.starter.text import corpus, pair_tokenizer
from scripts.starter.world import Identity, State
from scripts.starter.world.backgrounds import BACKGROUNDS
from scripts.starter.world.identity import ACCESSORIES, EXPRESSIONS, OUTFITS, POSES, STYLES
from scripts.starter.world.palette import CLOTH, EYES, HAIR

WINDOW = 32  # tokens that the encoder reads at one time, its marks included; the published ones read 77
WIDTH, LAYERS, HEADS = 192, 3, 4
ADAM = ("embedding", "read")
CORPUS = 4000  # scenes whose captions the tokenizer is made from
COMMAS = 0.8  # share of the captions with commas between phrases, as a story's prompts have them

VALUES: dict[str, tuple[Any, ...]] = {
    "hair": tuple(HAIR), "style": STYLES, "outfit": OUTFITS, "color": tuple(CLOTH), "acc": ACCESSORIES,
    "eyes": tuple(EYES), "expr": EXPRESSIONS, "pose": POSES,
    "ink": (False, True), "count": tuple(range(len(COUNTS))), "frame": tuple(SHOTS), "bg": tuple(BACKGROUNDS),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A caption by its phrases, and the values of the attributes that they tell of.

    Attributes:
        whole: it describes several people, so that no one value of an attribute is that of all of it.
    """

    phrases: tuple[Phrase, ...]
    about: tuple[dict[str, Any], ...]
    comma: bool
    whole: bool = False

    @property
    def text(self) -> str:
        return "".join(("", " ", ", ")[kind] + words for kind, (words, _) in self.joints)

    @property
    def joints(self) -> tuple[tuple[int, Phrase], ...]:
        """Each phrase with what stands before it: 0 nothing, 1 a blank, 2 a comma."""
        before = [words for words, _ in self.phrases[:-1]]
        kinds = (2 if self.comma and not words.endswith(" with") else 1 for words in before)
        return tuple(zip((0, *kinds), self.phrases, strict=True))


def region(character: Any, rng: random.Random, *, drop: float = 0.0, full: bool = False) -> Caption:
    """One character's prompt; see `region_caption`."""
    phrases = tuple(region_phrases(character, rng, drop=drop, full=full))
    return Caption(phrases=phrases, about=(character,) * len(phrases), comma=full or rng.random() < COMMAS)


def everywhere(scene: Any, rng: random.Random, *, full: bool = False) -> Caption:
    """A scene's global prompt; see `global_caption`."""
    phrases = tuple(global_phrases(scene, rng, full=full))
    return Caption(phrases=phrases, about=(scene,) * len(phrases), comma=full or rng.random() < COMMAS)


def together(captions: Sequence[Caption]) -> Caption:
    """One prompt that says it all, for a model that knows no regions."""
    return Caption(
        phrases=tuple(phrase for one in captions for phrase in one.phrases),
        about=tuple(about for one in captions for about in one.about),
        comma=captions[0].comma,
        whole=True,
    )


def new_tokenizer(scenes: int = CORPUS) -> CLIPTokenizer:
    """CLIP's kind, made from the captions of so many scenes."""
    tokenizer: Any = pair_tokenizer([f"{caption}, a" for caption in corpus(scenes)])
    tokenizer.model_max_length = WINDOW
    return tokenizer


def new_encoder(tokenizer: Any) -> CLIPTextModel:
    """CLIP's text model, small."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=4 * WIDTH,
            num_hidden_layers=LAYERS, num_attention_heads=HEADS, max_position_embeddings=WINDOW,
            projection_dim=WIDTH, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip


class Words:
    """Prompts → states, as `model/render/sd/text.py` makes them: windows between marks, nothing cut off."""

    def __init__(self, tokenizer: Any, encoder: Any) -> None:
        self.tokenizer, self.encoder = tokenizer, encoder
        self._pieces: dict[str, list[int]] = {}
        self._comma = self.pieces(",")

    def save(self, folder: Path) -> None:
        """Write both in diffusers' layout, the encoder in half precision."""
        self.tokenizer.save_pretrained(folder / "tokenizer")
        copy.deepcopy(self.encoder).half().save_pretrained(folder / "text_encoder")

    @classmethod
    def load(cls, folder: Path) -> Words:
        """What `save` wrote, the encoder in float32, to be used as it is."""
        encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        encoder.eval().requires_grad_(False)
        return cls(CLIPTokenizer.from_pretrained(folder / "tokenizer"), encoder)

    def pieces(self, words: str) -> list[int]:
        """Token ids of a phrase, without marks."""
        if words not in self._pieces:
            self._pieces[words] = self.tokenizer(words, add_special_tokens=False, verbose=False).input_ids
        return self._pieces[words]

    def ids(self, caption: Caption, limit: int | None = None) -> list[int]:
        """Token ids of a caption, without marks."""
        joint: list[int] = []
        for kind, (words, _) in caption.joints:
            joint += (self._comma if kind == 2 else []) + self.pieces(words)
        return joint[:limit]

    def marked(self, ids: Sequence[int]) -> list[list[int]]:
        """Windows of token ids, each between its marks and padded."""
        comma = self._comma[-1]
        size = self.tokenizer.model_max_length
        rows = [
            [self.tokenizer.bos_token_id, *window, self.tokenizer.eos_token_id]
            for window in windows(ids, [token == comma for token in ids], size - 2)
        ]
        return [row + [self.tokenizer.pad_token_id] * (size - len(row)) for row in rows]

    @torch.no_grad()
    def states(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor | None]:
        """(N, T, D) states of N prompts, each distinct one read once, and (N, T) which count; None: all."""
        rows = [self.marked(ids) for ids in prompts]
        known: dict[tuple[int, ...], int] = {}
        for row in rows:
            for window in row:
                known.setdefault(tuple(window), len(known))
        device = next(self.encoder.parameters()).device
        with torch.autocast(device.type, torch.bfloat16):
            found = self.encoder(torch.tensor(list(known), device=device)).last_hidden_state
        most = max(map(len, rows))
        places = [[known[tuple(window)] for window in row] + [0] * (most - len(row)) for row in rows]
        states = found[torch.tensor(places, device=device)].flatten(1, 2)
        if all(len(row) == most for row in rows):
            return states, None
        counts = torch.tensor([len(row) for row in rows], device=device) * found.shape[1]
        return states, torch.arange(states.shape[1], device=device) < counts[:, None]


class Reader(nn.Module):
    """The encoder, and what asks its states for what was said; only the encoder is kept."""

    def __init__(self, encoder: CLIPTextModel) -> None:
        super().__init__()
        self.encoder = encoder
        # One answer more than there are values: it was not said.
        self.read = nn.ModuleDict(
            {name: nn.Linear(WIDTH, len(values) + 1) for name, values in VALUES.items()}
        )


def reading_loss(reader: Reader, words: Words, captions: Sequence[Caption]) -> tuple[Tensor, float]:
    """How badly the states tell what was said, and how many answers are right at the captions' ends."""
    rows, asked = [], [_questions(words, caption) for caption in captions]
    for caption in captions:
        rows.append(words.marked(words.ids(caption, WINDOW - 2))[0])
    with torch.autocast("cpu", torch.bfloat16):
        states = reader.encoder(torch.tensor(rows)).last_hidden_state.float()
    losses, right, ends = [], 0, 0
    for name, layer in reader.read.items():
        found = [(row, place, value) for row, one in enumerate(asked) for place, value in one[name]]
        if not found:
            continue
        row, place, value = (torch.tensor(part) for part in zip(*found, strict=True))
        answers = layer(states[row, place])
        losses.append(F.cross_entropy(answers, value))
        last = place == WINDOW - 1
        right += int((answers.argmax(1) == value)[last].sum())
        ends += int(last.sum())
    return torch.stack(losses).sum(), right / max(ends, 1)


def _questions(words: Words, caption: Caption) -> dict[str, list[tuple[int, int]]]:
    """For each attribute, positions in the marked caption and what the state there must tell."""
    asked: dict[str, list[tuple[int, int]]] = {name: [] for name in VALUES}
    said: dict[str, int] = {}
    place = 0  # of the begin mark; each phrase ends at its last token
    for (kind, (text, names)), about in zip(caption.joints, caption.about, strict=True):
        place += len(words.pieces(text)) + (kind == 2)
        if place > WINDOW - 2:
            break
        for name in names:
            said[name] = VALUES[name].index(about[name])
            asked[name].append((place, said[name]))
    if not caption.whole:
        end = min(place, WINDOW - 2) + 1
        for name, values in VALUES.items():
            for position in {end, WINDOW - 1}:
                asked[name].append((position, said.get(name, len(values))))
    return asked


def made_up(rng: random.Random) -> Caption:
    """A caption of the drawn world: of a character, of a scene, or of both in one."""
    count = rng.randint(0, 3)
    scene = {"ink": rng.random() < 0.3, "count": count, "frame": rng.choice(tuple(SHOTS))}
    scene["bg"] = rng.choice(tuple(BACKGROUNDS))
    kind = rng.random()
    if kind < 0.2:
        return everywhere(scene, rng)
    people = [
        region(attributes(Identity.random(rng), State.random(rng)), rng, drop=rng.choice((0.0, 0.0, 0.5)))
        for _ in range(1 if kind < 0.85 else max(count, 1))
    ]
    return people[0] if kind < 0.85 else together([everywhere(scene, rng), *people])


def teach(
    words: Words,
    steps: int,
    *,
    rate: float = 2e-3,
    batch: int = 64,
    seed: int = 0,
    report: Callable[[str], Any] | None = None,
) -> float:
    """Teach the encoder of `words` to read. Returns the share of right answers at the ends of captions."""
    rng = random.Random(seed)
    reader = Reader(words.encoder).train()
    optimizer = MuonAdam(reader.named_parameters(), adam=ADAM, ema=0.99)
    right = 0.0
    for step in range(steps):
        loss, share = reading_loss(reader, words, [made_up(rng) for _ in range(batch)])
        loss.backward()
        optimizer.step(rate * min(1.0, (step + 1) / 30, 2 * (steps - step) / steps))
        right = share if not right else 0.9 * right + 0.1 * share
        if report and (step + 1) % 100 == 0:
            report(f"words: step {step + 1}, loss {loss.item():.3f}, right {right:.3f}\n")
    words.encoder.eval().requires_grad_(False)
    return right

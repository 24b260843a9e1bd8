"""What the starter learns: the velocity of a rectified flow, and what each colour is said of."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from model.render.sequence import attention_mask
from scripts.starter.blocks import FastFlux
from scripts.starter.captions import attributes, colour_roles, region_caption
from scripts.starter.network import Starter
from scripts.starter.pool import CELLS
from scripts.starter.scenes import Scenes, scene_layout
from scripts.starter.text import GLOBAL_TOKENS, REGION_TOKENS, TextEncoders
from scripts.starter.times import training_times
from scripts.starter.world import Identity, State
from scripts.starter.world.palette import CLOTH, EYES, HAIR


class RoleProbe:
    """Asks each colour word's T5 state whether it is said of hair, clothes or eyes: three fixed directions.

    The velocity loss alone leaves the text encoder a bag of words: after 190,000 samples its state of "red"
    was the same in "red hair, white dress" and "white hair, red dress" (cosine 1.000), and so were the
    pictures. A role is a good part of the state (4 of a norm near 13) before this loss is content.
    """

    def __init__(self, width: int, device: str = "cpu") -> None:
        directions = torch.randn(width, 3, generator=torch.Generator().manual_seed(0))
        self.directions = torch.linalg.qr(directions)[0].to(device)
        self.colours = {*HAIR, *CLOTH, *EYES}
        self.labels: dict[str, Tensor] = {}

    def loss(self, states: Tensor, prompts: list[str]) -> Tensor:
        """Cross-entropy over the colour words of region prompts; `states` (N, REGION_TOKENS, d)."""
        labels = torch.stack([self._labels(prompt) for prompt in prompts]).to(states.device)
        return F.cross_entropy(states[labels >= 0].float() @ self.directions, labels[labels >= 0])

    def directed(self, prompts: list[str]) -> Tensor:
        """(N, REGION_TOKENS, d): each colour word's direction, zero elsewhere."""
        labels = torch.stack([self._labels(prompt) for prompt in prompts])
        return torch.nn.functional.one_hot(labels + 1, 4)[..., 1:].float() @ self.directions.T.cpu()

    def _labels(self, prompt: str) -> Tensor:
        if prompt not in self.labels:
            roles = colour_roles(prompt, self.colours)[:REGION_TOKENS]
            self.labels[prompt] = torch.tensor(roles + [-1] * (REGION_TOKENS - len(roles)))
        return self.labels[prompt]


def attach_colours(text: TextEncoders, probe: RoleProbe, steps: int) -> float:
    """Rebuild the T5 encoder so that it says of each colour what it belongs to, within a minute.

    Trained by the velocity loss alone its attention saturates on single words (scores in the hundreds, where
    a position bias of 0.3 has no say) and its feed-forward layers outgrow it twenty to one. Here its states
    are moved into the word embeddings, the blocks begin anew, and are taught to add a role to colour words:
    the states stay what the transformer has learnt, plus that. Returns the last mean squared error.
    """
    rng = random.Random(0)
    t5, before = text.t5, copy.deepcopy(text.t5).eval()
    t5.shared.weight.data.copy_(_lexicon(text, rng) / before.encoder.final_layer_norm.weight)
    for name, value in t5.encoder.block.named_parameters():
        if "layer_norm" in name:
            torch.nn.init.ones_(value)
        elif name.endswith(("o.weight", "wo.weight")):
            torch.nn.init.normal_(value, std=0.01)
        else:
            torch.nn.init.normal_(value, std=0.5 if "relative" in name else 0.05)
    bias = [value for name, value in t5.encoder.block.named_parameters() if "relative" in name]
    rest = [value for name, value in t5.encoder.block.named_parameters() if "relative" not in name]
    rate = 3e-3
    optimizer = torch.optim.AdamW(
        [{"params": rest, "scale": 1.0}, {"params": bias, "scale": 10.0}], weight_decay=0.0, betas=(0.9, 0.98)
    )
    error = torch.zeros(())
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = (
                group["scale"] * rate * min(1.0, (step + 1) / 30) * min(1.0, 2 * (steps - step) / steps)
            )
        prompts = _prompts(rng, 64)
        after, lengths = text.encode(prompts, REGION_TOKENS)
        with torch.no_grad():
            text.t5 = before
            target, _ = text.encode(prompts, REGION_TOKENS)
            text.t5 = t5
            target = target + 4 * probe.directed(prompts).to(target.device)
        said = torch.arange(REGION_TOKENS, device=after.device) < lengths[:, None]
        error = (after - target).pow(2).mean(-1)[said].mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    return error.item()


def _prompts(rng: random.Random, count: int) -> list[str]:
    people = [attributes(Identity.random(rng), State.random(rng)) for _ in range(count)]
    return [region_caption(who, rng) for who in people]


@torch.no_grad()
def _lexicon(text: TextEncoders, rng: random.Random) -> Tensor:
    """(vocabulary, d): the mean state of each word over captions; for words never said, its state alone."""
    vectors = []
    for word in range(text.t5.config.vocab_size):
        states = text.t5(torch.tensor([[word, 1]], device=text.t5.shared.weight.device))[0]
        vectors.append(states[0, 0])
    lexicon = torch.stack(vectors)
    total, count = torch.zeros_like(lexicon), torch.zeros(len(lexicon), 1, device=lexicon.device)
    for _ in range(20):
        prompts = _prompts(rng, 64)
        states, _ = text.encode(prompts, REGION_TOKENS)
        for prompt, row in zip(prompts, states, strict=True):
            ids = torch.tensor(text.words(prompt, max_length=REGION_TOKENS, truncation=True).input_ids)
            total.index_add_(0, ids.to(row.device), row[: len(ids)])
            count.index_add_(0, ids.to(row.device), torch.ones(len(ids), 1, device=row.device))
    return torch.where(count > 0, total / count.clamp(min=1), lexicon)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a batch says of itself, ready for any number of calls of the transformer.

    Attributes:
        text: (B, tokens, d); pooled: (B, p).
        bias: (B, 1, N, N) additive attention mask.
        learns: whether the text encoders are being trained.
    """

    text: Tensor
    pooled: Tensor
    bias: Tensor
    learns: bool


def conditions(starter: Starter, batch: dict[str, Any]) -> Conditions:
    """Encode the captions of a batch of `Scenes`, and say who may look at what."""
    size, device = len(batch["latents"]), batch["latents"].device
    learns = any(parameter.requires_grad for parameter in starter.text.parameters())
    with torch.set_grad_enabled(learns and torch.is_grad_enabled()):
        text, pooled, lengths, region_lengths = starter.text(batch["everywhere"], batch["regions"])
    layout = scene_layout(batch["count"])
    mask = attention_mask(
        layout,
        batch["cells"],
        global_lengths=lengths,
        region_lengths=region_lengths,
        has_reference=batch["present"],
    )
    real = torch.ones(size, layout.total, dtype=torch.bool, device=device)
    real[:, layout.image_slice()] = torch.arange(CELLS, device=device) < batch["valid"][:, None]
    mask &= real[:, None, None, :] | torch.eye(layout.total, dtype=torch.bool, device=device)
    bias = torch.zeros(mask.shape, dtype=torch.bfloat16, device=device).masked_fill_(~mask, -1e4)
    return Conditions(text=text, pooled=pooled, bias=bias, learns=learns)


def velocity(fast: FastFlux, batch: dict[str, Any], said: Conditions, noisy: Tensor, time_: Tensor) -> Tensor:
    """(B, CELLS, 64) float32: where `noisy` latents come from at their times."""
    tokens = torch.cat([noisy, batch["references"]], 1)
    return fast(tokens, said.text, said.pooled, time_, batch["cos"], batch["sin"], said.bias)[
        :, :CELLS
    ].float()


def velocity_loss(
    starter: Starter,
    fast: FastFlux,
    batch: dict[str, Any],
    *,
    shift: float,
    probe: RoleProbe | None = None,
    time_: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Rectified-flow loss a sample, weighted towards heads, nothing on padding; plus the probe's."""
    clean = batch["latents"]
    size, device = len(clean), clean.device
    if time_ is None:
        time_ = training_times(size, shift=shift, device=device)
    noise = torch.randn(clean.shape, generator=generator, device=device)
    noisy = (1 - time_)[:, None, None] * clean + time_[:, None, None] * noise
    said = conditions(starter, batch)
    error = (velocity(fast, batch, said, noisy, time_) - (noise - clean)).pow(2).mean(-1)
    losses = (error * batch["weight"]).sum(1)
    if probe is None or not said.learns:
        return losses
    states = said.text[:, GLOBAL_TOKENS:].reshape(-1, REGION_TOKENS, said.text.shape[-1])
    return losses + 0.1 * probe.loss(states, [prompt for row in batch["regions"] for prompt in row])


@torch.no_grad()
def validate(starter: Starter, fast: FastFlux, scenes: Scenes) -> dict[str, float]:
    """Loss on fixed noise and times over held-out scenes, by number of characters and by time."""
    state, scenes.rng = scenes.rng, random.Random(11)
    result: dict[str, float] = {}
    for count in (1, 2, 3):
        batch = scenes.batch(count, 48, held_out=True)
        times = torch.linspace(0.05, 0.97, 48, device=batch["latents"].device)
        generator = torch.Generator(batch["latents"].device).manual_seed(5)
        losses = velocity_loss(starter, fast, batch, shift=1.0, time_=times, generator=generator)
        result[f"loss_{count}"] = losses.mean().item()
        if count == 2:
            for name, part in zip(("early", "middle", "late"), losses.flip(0).chunk(3), strict=True):
                result[f"loss_2_{name}"] = part.mean().item()
    scenes.rng = state
    return result

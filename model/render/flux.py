"""Draw panels with a Flux transformer: one joint sequence, one block mask, equal shapes in one batch.

In: `PanelRequest`s of one size and one `Sampling`. Out: pictures. What is particular to a model (the words
it knows, how large a reference is) comes from the `Checkpoint`; reference pictures come from a callable.
Knows nothing of stories, libraries or pages.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from model.render.devices import memory_errors
from model.render.flux_parts import FluxParts, load_flux
from model.render.request import PanelRequest, Region, Sampling
from model.render.schedulers import make_scheduler
from model.render.sequence import Layout, attention_mask, image_ids, pack, region_cells, unpack
from model.render.style import Palette, Palettes, pull
from model.render.weights import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What one transformer call is told: text, pooled text, positions, mask, reference tokens."""

    text: Tensor
    pooled: Tensor
    text_ids: Tensor
    image_ids: Tensor
    mask: Tensor
    references: Tensor | None


class FluxRenderer:
    """A resident Flux checkpoint. Prompts and references are encoded once each and kept.

    Args:
        checkpoint: what to load.
        load_reference: sha256 → the bytes of a reference picture (any format Pillow reads).
        device: cuda, mps or cpu.
        dtype: of the transformer and the VAE; float32 on CPU (bfloat16 would quantise the time step).
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        load_reference: Callable[[str], bytes],
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.checkpoint = checkpoint
        self.parts: FluxParts = load_flux(checkpoint, device=device, dtype=dtype)
        self.device, self.dtype = device, dtype
        self.load_reference = load_reference
        self._texts: dict[tuple[str, int], Tensor] = {}
        self._pooled: dict[str, Tensor] = {}
        self._references: dict[str, Tensor] = {}
        self._palettes = Palettes(load_reference, self._encode, checkpoint.cell)

    @torch.inference_mode()
    def draw(
        self, requests: Sequence[PanelRequest], *, on_step: Callable[[int, int], None] | None = None
    ) -> tuple[Image.Image, ...]:
        """Draw one batch.

        Args:
            requests: at least one, all with the same width, height and sampling.
            on_step: called with (steps done, steps) after each denoising step.
        Returns:
            One RGB picture a request, in order. Deterministic on one device for one batch composition.
        Raises:
            OutOfMemory: the device has no room for this batch.
        """
        with memory_errors(self.device):
            return self._draw(requests, on_step)

    def _draw(
        self, requests: Sequence[PanelRequest], on_step: Callable[[int, int], None] | None
    ) -> tuple[Image.Image, ...]:
        sampling, width, height = requests[0].sampling, requests[0].width, requests[0].height
        rows, columns = height // self.checkpoint.cell, width // self.checkpoint.cell
        free = self._conditions(requests, rows, columns, regions=False) if sampling.refine_steps else None
        bound = self._conditions(requests, rows, columns, regions=True)
        palette = self._palette(requests, rows, columns)
        latents = self._noise(requests, rows, columns)
        scheduler = make_scheduler(sampling.scheduler, self.parts.scheduler, sampling.steps, rows * columns)
        steps = len(scheduler.timesteps)
        for step, time in enumerate(scheduler.timesteps):
            conditions = free if free is not None and step >= steps - sampling.refine_steps else bound
            velocity = self._velocity(latents, time, conditions, sampling)
            if palette is not None:
                velocity = pull(velocity, latents, float(time) / 1000, palette)
            latents = scheduler.step(velocity, time, latents, return_dict=False)[0]
            if on_step:
                on_step(step + 1, steps)
        return self._decode(unpack(latents, rows, columns))

    def _noise(self, requests: Sequence[PanelRequest], rows: int, columns: int) -> Tensor:
        """Initial noise from CPU generators: the same on every device."""
        channels = self.parts.vae.config.latent_channels
        drawn = [
            torch.randn(
                1,
                channels,
                rows * 2,
                columns * 2,
                generator=torch.Generator().manual_seed(request.seed % 2**63),
            )
            for request in requests
        ]
        return pack(torch.cat(drawn)).to(self.device, torch.float32)

    def _velocity(self, latents: Tensor, time: Tensor, conditions: Conditions, sampling: Sampling) -> Tensor:
        """One transformer call for the batch; with guidance, the unguided half rides in the same call."""
        batch, tokens, _ = latents.shape
        hidden = latents.to(self.dtype)
        if sampling.guidance != 1:
            hidden = torch.cat([hidden, hidden])
        if conditions.references is not None:
            hidden = torch.cat([hidden, conditions.references], 1)
        out = self.parts.transformer(
            hidden_states=hidden,
            encoder_hidden_states=conditions.text,
            pooled_projections=conditions.pooled,
            timestep=(time / 1000).to(self.device, torch.float32).expand(len(hidden)),
            txt_ids=conditions.text_ids,
            img_ids=conditions.image_ids,
            joint_attention_kwargs={"attention_mask": conditions.mask},
            return_dict=False,
        )[0][:, :tokens].float()
        if sampling.guidance == 1:
            return out
        told, untold = out[:batch], out[batch:]
        return untold + sampling.guidance * (told - untold)

    def _conditions(
        self, requests: Sequence[PanelRequest], rows: int, columns: int, *, regions: bool
    ) -> Conditions:
        """What a batch is told; for guidance, the negative half follows the positive."""
        sampling = requests[0].sampling
        placed = [request.regions if regions else () for request in requests]
        count = max(map(len, placed))
        limit = min(sampling.max_sequence_length, self.checkpoint.global_tokens)
        prompts = [request.prompt for request in requests]
        region_prompts = [[region.prompt for region in row] + [""] * (count - len(row)) for row in placed]
        pictures = [[region.reference for region in row] + [""] * (count - len(row)) for row in placed]
        if sampling.guidance != 1:
            prompts += [request.negative for request in requests]
            region_prompts += [[""] * count for _ in requests]
            pictures += [[""] * count for _ in requests]
            placed += placed
        texts = [self._text(prompt, limit) for prompt in prompts]
        region_texts = [
            [self._text(p, self.checkpoint.region_tokens) if p else None for p in row]
            for row in region_prompts
        ]
        referenced = any(picture for row in pictures for picture in row)
        side = self.checkpoint.reference // self.checkpoint.cell if referenced else 0
        spoken = [len(text) for row in region_texts for text in row if text is not None]
        layout = Layout(
            global_text=max(map(len, texts)),
            region_text=max(spoken, default=0),
            regions=count,
            rows=rows,
            columns=columns,
            reference_rows=side,
            reference_columns=side,
        )
        mask = attention_mask(
            layout,
            region_cells(_boxes(placed, count), rows, columns),
            global_lengths=torch.tensor([len(text) for text in texts]),
            # Without regions the rows are empty, and the number of rows must be said.
            region_lengths=torch.tensor(
                [[0 if t is None else len(t) for t in row] for row in region_texts], dtype=torch.long
            ).view(len(texts), count),
            has_reference=torch.tensor(
                [[bool(picture) for picture in row] for row in pictures], dtype=torch.bool
            ).view(len(texts), count),
        )
        if not sampling.masked:
            mask = _unmasked(mask)
        return Conditions(
            text=_joint_text(texts, region_texts, layout).to(self.device, self.dtype),
            pooled=torch.cat([self._pool(prompt) for prompt in prompts]).to(self.device, self.dtype),
            text_ids=torch.zeros(layout.text, 3, device=self.device),
            image_ids=image_ids(layout).to(self.device),
            mask=mask.to(self.device),
            references=self._reference_tokens(pictures) if referenced else None,
        )

    def _text(self, prompt: str, limit: int) -> Tensor:
        """(length, d) T5 states of a prompt, trimmed to its own tokens; encoded once."""
        spoken = self.checkpoint.spoken(prompt)
        if (spoken, limit) not in self._texts:
            ids = self.parts.t5_tokenizer(
                spoken, max_length=limit, truncation=True, return_tensors="pt"
            ).input_ids
            self._texts[spoken, limit] = self.parts.t5(ids.to(self.device))[0][0].cpu()
        return self._texts[spoken, limit]

    def _pool(self, prompt: str) -> Tensor:
        """(1, p) pooled CLIP text state of a prompt; encoded once."""
        spoken = self.checkpoint.spoken(prompt)
        if spoken not in self._pooled:
            tokenizer = self.parts.clip_tokenizer
            limit = min(tokenizer.model_max_length, self.parts.clip.config.max_position_embeddings)
            ids = tokenizer(spoken, max_length=limit, truncation=True, return_tensors="pt").input_ids
            self._pooled[spoken] = self.parts.clip(ids.to(self.device)).pooler_output.cpu()
        return self._pooled[spoken]

    def _reference_tokens(self, pictures: list[list[str]]) -> Tensor:
        """(B, n · tokens, c) packed latents of each region's reference; zeros where there is none."""
        present = next(picture for row in pictures for picture in row if picture)
        blank = torch.zeros_like(self._reference(present))
        rows = [torch.cat([self._reference(p) if p else blank for p in row]) for row in pictures]
        return torch.stack(rows).to(self.device, self.dtype)

    def _reference(self, picture: str) -> Tensor:
        """(tokens, c) packed latents of one reference picture; encoded once."""
        if picture not in self._references:
            with Image.open(io.BytesIO(self.load_reference(picture))) as opened:
                square = square_picture(opened, self.checkpoint.reference)
            self._references[picture] = self._encode(square)[0].cpu()
        return self._references[picture]

    def _palette(self, requests: Sequence[PanelRequest], rows: int, columns: int) -> Palette | None:
        """What the requests lean towards, outside their characters' cells; None when none of them leans."""
        count = max(len(request.regions) for request in requests)
        boxes = _boxes([request.regions for request in requests], count)
        owned = region_cells(boxes, rows, columns).any(1).to(self.device)
        return self._palettes.of([request.style for request in requests], owned)

    def _encode(self, picture: Image.Image) -> Tensor:
        """(1, tokens, c) packed latents of an RGB picture whose sides are whole cells."""
        config = self.parts.vae.config
        pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
        pixels = (
            pixels.view(1, picture.height, picture.width, 3).permute(0, 3, 1, 2).to(self.device, self.dtype)
        )
        latents = self.parts.vae.encode(pixels / 127.5 - 1).latent_dist.mode().float()
        return pack((latents - config.shift_factor) * config.scaling_factor)

    def _decode(self, latents: Tensor) -> tuple[Image.Image, ...]:
        """(B, C, h, w) latents → RGB pictures."""
        config = self.parts.vae.config
        latents = (latents / config.scaling_factor + config.shift_factor).to(self.dtype)
        pixels = self.parts.vae.decode(
            latents.contiguous(memory_format=torch.channels_last), return_dict=False
        )[0]
        levels = (
            ((pixels.float().clamp(-1, 1) + 1) * 127.5)
            .round()
            .to(torch.uint8)
            .permute(0, 2, 3, 1)
            .cpu()
            .numpy()
        )
        return tuple(Image.fromarray(picture) for picture in levels)


def square_picture(picture: Image.Image, side: int) -> Image.Image:
    """RGB, padded with white (transparency too) to a square, never cropped, and resized to `side`."""
    longest = max(picture.size)
    flat = Image.new("RGB", (longest, longest), "white")
    place = ((flat.width - picture.width) // 2, (flat.height - picture.height) // 2)
    rgba = picture.convert("RGBA")
    flat.paste(rgba.convert("RGB"), place, rgba.getchannel("A"))
    return flat.resize((side, side), Image.Resampling.LANCZOS)


def _boxes(placed: Sequence[Sequence[Region]], count: int) -> Tensor:
    """(B, count, 4) boxes; empty ones fill the rows up."""
    empty = (0.0, 0.0, 0.0, 0.0)
    rows = [[region.box.as_tuple() for region in row] + [empty] * (count - len(row)) for row in placed]
    return torch.tensor(rows, dtype=torch.float32).view(len(rows), count, 4)


def _joint_text(
    texts: Sequence[Tensor], region_texts: Sequence[Sequence[Tensor | None]], layout: Layout
) -> Tensor:
    """(B, layout.text, d): each prompt's states at its place, zeros as padding (which the mask hides)."""
    joint = torch.zeros(len(texts), layout.text, texts[0].shape[-1])
    for index, text in enumerate(texts):
        joint[index, : len(text)] = text
        for region, states in enumerate(region_texts[index]):
            if states is not None:
                start = layout.region_slice(region).start
                joint[index, start : start + len(states)] = states
    return joint


def _unmasked(mask: Tensor) -> Tensor:
    """Everything valid attends to everything valid: what a plain Flux call does. For measurements only."""
    valid = mask[:, 0].sum(1) > 1
    return mask | (valid[:, None, :, None] & valid[:, None, None, :])

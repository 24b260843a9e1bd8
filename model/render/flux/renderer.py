"""Draw panels with a Flux transformer: one joint sequence, one block mask, equal shapes in one batch.

In: `PanelRequest`s of one size and one `Sampling`. Out: pictures. What is particular to a model (the words
it knows, how it takes references and guidance) comes from the `Checkpoint`; reference pictures come from a
callable; `flux_conditions` has what the transformer is told. Knows nothing of stories, libraries or pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from model.files import BlobId
from model.render.devices import memory_errors
from model.render.flux.attention import PiecewiseAttention
from model.render.flux.conditions import Conditioner, Conditions, owned_cells
from model.render.flux.conditions import square_picture as square_picture
from model.render.flux.parts import FluxParts, load_flux, read_text
from model.render.offload import OnPreview, OnStep
from model.render.redrawing import source_of
from model.render.request import PanelRequest, Sampling
from model.render.schedulers import passes
from model.render.sequence import pack, unpack
from model.render.style import Palette, Palettes, pull
from model.render.weights import Checkpoint

if TYPE_CHECKING:
    from quantization.plans import MemoryPlan


# Between the seeds of two passes of one panel; seeds of panels are digests, so none meets another.
RESEED = 0x9E3779B97F4A7C15 >> 1


class FluxRenderer:
    """A resident Flux checkpoint. Prompts and references are encoded once each and kept.

    Args:
        checkpoint: what to load.
        load_reference: sha256 → the bytes of a reference picture (any format Pillow reads).
        device: cuda, mps or cpu.
        dtype: of the transformer and the VAE; float32 on CPU (bfloat16 would quantise the time step).
        plan: how to keep to the memory that there is; None = everything stays on the device, unpacked.
        parts: the checkpoint in memory already; None = it is read.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        load_reference: Callable[[BlobId], bytes],
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        plan: MemoryPlan | None = None,
        parts: FluxParts | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.parts: FluxParts = parts or load_flux(
            checkpoint,
            device=device if plan is None else "cpu",
            dtype=dtype,
            packed=plan is not None and plan.packed,
        )
        self.parts.transformer.set_attn_processor(PiecewiseAttention())
        if plan is not None:
            self._keep_to(plan, device, dtype)
        self.device, self.dtype = device, dtype
        self._conditioner = Conditioner(
            checkpoint,
            self.parts,
            load_reference=load_reference,
            encode=self._encode,
            device=device,
            dtype=dtype,
        )
        self._palettes = Palettes(load_reference, self._encode, checkpoint.cell)
        self._load = load_reference

    def _keep_to(self, plan: MemoryPlan, device: str, dtype: torch.dtype) -> None:
        """Let the networks take turns on the device."""
        from model.render.offload import Networks, keep_to

        redux = self.parts.redux
        networks = Networks(
            text=(self.parts.t5, self.parts.clip),
            denoiser=self.parts.transformer,
            vae=self.parts.vae,
            helpers=(redux.eye, redux.embedder) if redux is not None else (),
            reread=lambda: read_text(self.checkpoint, dtype=dtype),
        )
        keep_to(plan, networks, device)

    def prefetch(self, requests: Sequence[PanelRequest]) -> None:
        """These panels will be asked for; their prompts are read in one go, with the first of them."""
        self._conditioner.prefetch(requests)

    @torch.inference_mode()
    def draw(
        self,
        requests: Sequence[PanelRequest],
        *,
        on_step: OnStep | None = None,
        on_preview: OnPreview | None = None,
        preview_every: int = 0,
    ) -> tuple[Image.Image, ...]:
        """Draw one batch.

        Args:
            requests: at least one, all with the same width, height and sampling.
            on_step: called with (steps done, steps) after each denoising step.
            on_preview: called every `preview_every` steps with what the clean pictures are predicted to be;
                costs a decoding each time and changes nothing.
        Returns:
            One RGB picture a request, in order. Deterministic on one device for one batch composition.
        Raises:
            OutOfMemory: the device has no room for this batch.
        """
        previewed = on_preview if preview_every > 0 else None
        with memory_errors(self.device):
            return self._draw(requests, on_step, previewed, preview_every)

    def _draw(
        self,
        requests: Sequence[PanelRequest],
        on_step: OnStep | None,
        on_preview: OnPreview | None,
        preview_every: int,
    ) -> tuple[Image.Image, ...]:
        sampling, width, height = requests[0].sampling, requests[0].width, requests[0].height
        rows, columns = height // self.checkpoint.cell, width // self.checkpoint.cell
        free = (
            self._conditioner.conditions(requests, rows, columns, regions=False)
            if sampling.refine_steps
            else None
        )
        bound = self._conditioner.conditions(requests, rows, columns, regions=True)
        palette = self._palette(requests, rows, columns)
        source = source_of(
            requests,
            load=self._load,
            encode=self._encode,
            lay_out=lambda mask: pack(mask.expand(-1, self.parts.vae.config.latent_channels, -1, -1)),
            rows=2 * rows,
            columns=2 * columns,
        )
        latents = fresh = self._noise(requests, rows, columns)
        work = passes(
            sampling.scheduler,
            self.parts.scheduler,
            sampling.steps,
            rows * columns,
            strength=source.strength if source else 1.0,
        )
        if source:
            latents = source.noisy(fresh, work[0].noise)
        steps = sum(len(one.scheduler.timesteps) for one in work)
        first = [float(time) / 1000 for time in work[0].scheduler.timesteps]
        # From this noise on the global prompt alone guides, in every pass.
        lifted = first[max(0, len(first) - sampling.refine_steps)] if sampling.refine_steps else -1.0
        step = 0
        for number, one in enumerate(work):
            if number:
                fresh = self._noise(requests, rows, columns, number)
                latents = (1 - one.noise) * latents + one.noise * fresh
            sigmas = one.scheduler.sigmas
            for index, time in enumerate(one.scheduler.timesteps):
                noise, before = float(time) / 1000, latents
                conditions = free if free is not None and noise <= lifted else bound
                velocity = self._velocity(latents, time, conditions, sampling)
                if palette is not None:
                    velocity = pull(velocity, latents, noise, palette)
                latents = one.scheduler.step(velocity, time, latents, return_dict=False)[0]
                if source:
                    latents = source.hold(latents, source.noisy(fresh, float(sigmas[index + 1])))
                step += 1
                if on_step:
                    on_step(step, steps)
                if on_preview and step % preview_every == 0 and step < steps:
                    clean = before - noise * velocity
                    on_preview(step, steps, self._decode(unpack(clean, rows, columns)))
        drawn = self._decode(unpack(latents, rows, columns))
        return source.paste(drawn) if source else drawn

    def _noise(self, requests: Sequence[PanelRequest], rows: int, columns: int, number: int = 0) -> Tensor:
        """The noise of a pass from CPU generators: the same on every device. `number`: of the pass; the first
        one's seed is the request's own."""
        channels = self.parts.vae.config.latent_channels
        drawn = [
            torch.randn(
                1,
                channels,
                rows * 2,
                columns * 2,
                generator=torch.Generator().manual_seed((request.seed + number * RESEED) % 2**63),
            )
            for request in requests
        ]
        return pack(torch.cat(drawn)).to(self.device, torch.float32)

    def _velocity(self, latents: Tensor, time: Tensor, conditions: Conditions, sampling: Sampling) -> Tensor:
        """One transformer call for the batch; with true guidance, the unconditional half is in the same
        call."""
        batch, tokens, _ = latents.shape
        hidden = latents.to(self.dtype)
        if conditions.doubled:
            hidden = torch.cat([hidden, hidden])
        if conditions.references is not None:
            hidden = torch.cat([hidden, conditions.references], 1)
        transformer = self.parts.transformer
        out = transformer(
            hidden_states=hidden,
            encoder_hidden_states=conditions.text,
            pooled_projections=conditions.pooled,
            timestep=(time / 1000).to(self.device, torch.float32).expand(len(hidden)),
            guidance=self._guidance(sampling, len(hidden)) if transformer.config.guidance_embeds else None,
            txt_ids=conditions.text_ids,
            img_ids=conditions.image_ids,
            joint_attention_kwargs={"attention_mask": conditions.mask},
            return_dict=False,
        )[0][:, :tokens].float()
        if not conditions.doubled:
            return out
        cond, uncond = out[:batch], out[batch:]
        return uncond + sampling.guidance * (cond - uncond)

    def _guidance(self, sampling: Sampling, count: int) -> Tensor:
        """(count,) the guidance scale, for weights that were distilled to read it."""
        return torch.full((count,), float(sampling.guidance), device=self.device)

    def _palette(self, requests: Sequence[PanelRequest], rows: int, columns: int) -> Palette | None:
        """What the requests lean towards, outside their characters' cells; None when none of them leans."""
        owned = owned_cells(requests, rows, columns).to(self.device)
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

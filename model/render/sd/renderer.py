"""Draw panels with Stable Diffusion 1.5 or SDXL: regional prompts, masked references, equal shapes in one
batch.

In: `PanelRequest`s of one size and one `Sampling`. Out: pictures. How words and references reach their boxes
is told in `sd_attention`, what a UNet call is told in `sd_conditions`, how references start the drawing in
`guide`. Knows nothing of stories, libraries or pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from model.files import BlobId
from model.render.devices import memory_errors
from model.render.offload import OnPreview, OnStep
from model.render.redrawing import source_of
from model.render.request import PanelRequest
from model.render.sd.conditions import Conditioner, Conditions
from model.render.sd.parts import SDParts, load_sd
from model.render.sd.references import SDReferences
from model.render.sd.schedulers import make_sd_scheduler, start_at
from model.render.sd.style import lean
from model.render.sd.text import Prompts
from model.render.weights import Checkpoint

if TYPE_CHECKING:
    from quantization.plans import MemoryPlan


class SDRenderer:
    """A resident Stable Diffusion checkpoint. Prompts and references are encoded once each and kept.

    Args:
        checkpoint: what to load, of the family sd15 or sdxl.
        load_reference: sha256 → the bytes of a reference picture (any format Pillow reads).
        device: cuda, mps or cpu.
        dtype: of the UNet and the encoders; the VAE, and the steps between UNet calls, are in float32.
        plan: how to keep to the memory that there is; None = everything stays on the device.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        load_reference: Callable[[BlobId], bytes],
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        plan: MemoryPlan | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.parts: SDParts = load_sd(checkpoint, device=device if plan is None else "cpu", dtype=dtype)
        if plan is not None:
            self._keep_to(plan, device)
        self.device, self.dtype = device, dtype
        prompts = Prompts(self.parts.encoders, silent=self.parts.silent, device=device)
        self._load = load_reference
        self._references = SDReferences(self.parts, load_reference, device=device)
        self._conditioner = Conditioner(self.parts, prompts, self._references, device=device, dtype=dtype)

    def _keep_to(self, plan: MemoryPlan, device: str) -> None:
        """Let the networks take turns on the device."""
        from model.render.offload import Networks, keep_to

        networks = Networks(
            text=tuple(encoder for _, encoder in self.parts.encoders),
            denoiser=self.parts.unet,
            vae=self.parts.vae,
            helpers=(self.parts.image_encoder,),
            blocks=False,
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
            ConfigError: the sampling names a scheduler of another family.
            OutOfMemory: the device has no room for this batch.
        """
        if requests[0].sampling.reference_scale == 0:
            requests = [without_references(request) for request in requests]
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
        sampling = requests[0].sampling
        factor = 2 ** (len(self.parts.vae.config.block_out_channels) - 1)
        rows, columns = requests[0].height // factor, requests[0].width // factor
        scheduler = make_sd_scheduler(sampling.scheduler, self.parts.scheduler, sampling.steps)
        source = source_of(
            requests,
            load=self._load,
            encode=self._references.encode,
            lay_out=lambda mask: mask,
            rows=rows,
            columns=columns,
        )
        times = start_at(scheduler, source.strength) if source else scheduler.timesteps
        steps = len(times)
        bound = max(0, steps - sampling.refine_steps)  # so many steps obey the regions
        regional = self._conditioner.of(requests, rows, columns, regions=bound > 0)
        free = regional if bound == steps else self._conditioner.of(requests, rows, columns, regions=False)
        noise = self._noise(requests, rows, columns)
        guide = self._references.guide(requests, rows, columns) if bound and not source else None
        palette = self._references.palette(requests, rows, columns)
        latents = guide.start(noise, scheduler) if guide else noise * scheduler.init_noise_sigma
        if source and source.strength < 1:
            latents = scheduler.add_noise(source.latents, noise, times[:1])
        for step, time in enumerate(times):
            scaled = scheduler.scale_model_input(latents, time)
            prediction = self._predict(scaled, time, regional if step < bound else free, sampling.guidance)
            if palette is not None:
                prediction = lean(prediction, latents, scheduler, time, palette)
            after = scheduler.step(prediction, time, latents)
            latents = after.prev_sample
            if source:
                last = step + 1 == steps
                noisy = (
                    source.latents
                    if last
                    else scheduler.add_noise(source.latents, noise, times[step + 1 :][:1])
                )
                latents = source.hold(latents, noisy)
            if on_preview and (step + 1) % preview_every == 0 and step + 1 < steps:
                on_preview(step + 1, steps, self._decode(_clean(after, scheduler)))
            if guide and step + 1 < bound:
                latents = guide.mix(latents, noise, scheduler, step + 1)
            if on_step:
                on_step(step + 1, steps)
        drawn = self._decode(latents)
        return source.paste(drawn) if source else drawn

    def _noise(self, requests: Sequence[PanelRequest], rows: int, columns: int) -> Tensor:
        """Initial noise from CPU generators: the same on every device."""
        shape = (1, self.parts.vae.config.latent_channels, rows, columns)
        generators = [torch.Generator().manual_seed(request.seed % 2**63) for request in requests]
        return torch.cat([torch.randn(shape, generator=one) for one in generators]).to(self.device)

    def _predict(self, latents: Tensor, time: Tensor, conditions: Conditions, guidance: float) -> Tensor:
        """One UNet call for the batch; with guidance, the unconditional half is in the same call, first."""
        out = self.parts.unet(
            (latents if guidance == 1 else torch.cat([latents, latents])).to(self.dtype),
            time,
            encoder_hidden_states=conditions.text,
            encoder_attention_mask=conditions.valid,
            cross_attention_kwargs={"regional": conditions.regional},
            added_cond_kwargs=conditions.added,
            return_dict=False,
        )[0].float()
        if guidance == 1:
            return out
        uncond, cond = out.chunk(2)
        return uncond + guidance * (cond - uncond)

    def _decode(self, latents: Tensor) -> tuple[Image.Image, ...]:
        """(B, C, h, w) latents → RGB pictures."""
        scaled = latents / self.parts.vae.config.scaling_factor
        pixels = self.parts.vae.decode(
            scaled.contiguous(memory_format=torch.channels_last), return_dict=False
        )[0]
        levels = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return tuple(Image.fromarray(picture) for picture in levels.permute(0, 2, 3, 1).cpu().numpy())


def _clean(after: Any, scheduler: Any) -> Tensor:
    """What a step predicted the clean latents to be: diffusers' Euler and DDIM return it, DPM keeps it."""
    predicted = getattr(after, "pred_original_sample", None)
    return scheduler.model_outputs[-1] if predicted is None else predicted


def without_references(request: PanelRequest) -> PanelRequest:
    """The same panel of a cast that nobody has a picture of."""
    return replace(request, regions=tuple(replace(region, reference="") for region in request.regions))

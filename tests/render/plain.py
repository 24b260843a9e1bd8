"""Plain diffusers, to compare with: the pipeline that a renderer's own parts make."""

from __future__ import annotations

from typing import Any

from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline

from model.render.flux.parts import FluxParts


def plain_pipeline(parts: FluxParts) -> FluxPipeline:
    scheduler: Any = FlowMatchEulerDiscreteScheduler.from_config(parts.scheduler)
    pipeline = FluxPipeline(
        scheduler=scheduler,
        vae=parts.vae,
        text_encoder=parts.clip,
        tokenizer=parts.clip_tokenizer,
        text_encoder_2=parts.t5,
        tokenizer_2=parts.t5_tokenizer,
        transformer=parts.transformer,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline

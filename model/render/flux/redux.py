"""Redux: a reference picture becomes tokens that a Flux transformer reads beside its text.

In: pictures. Out: (tokens, d) states in T5's space, 729 of them for the published weights. SigLIP sees the
picture, diffusers' ReduxImageEncoder translates what it saw. Every character is encoded by itself; nothing is
summed or averaged. Knows nothing of regions, prompts or masks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from transformers import SiglipImageProcessor, SiglipVisionModel

from model.errors import IntegrityError
from model.render.places import stored_as, weight_files
from model.render.weights import Checkpoint


class Redux:
    """SigLIP and ReduxImageEncoder, together.

    Attributes:
        side: pixels of the square that a picture is resized to.
        tokens: how many a picture becomes.
    """

    def __init__(self, eye: Any, embedder: Any, processor: Any) -> None:
        self.eye, self.embedder, self.processor = eye, embedder, processor
        config = eye.config
        self.side: int = config.image_size
        self.tokens: int = (config.image_size // config.patch_size) ** 2

    def to(self, device: str) -> None:
        self.eye.to(device).eval()
        self.embedder.to(device).eval()

    def encode(self, picture: Image.Image) -> Tensor:
        """(tokens, d) states of one square RGB picture, on the eye's device."""
        eye: Any = next(self.eye.parameters())
        pixels = self.processor(images=[picture], return_tensors="pt").pixel_values
        seen = self.eye(pixel_values=pixels.to(eye.device, eye.dtype)).last_hidden_state
        return self.embedder(seen).image_embeds[0]


def load_redux(checkpoint: Checkpoint, *, dtype: torch.dtype) -> Redux:
    """Load both, and the eye's own settings for pictures, into main memory.

    Raises:
        IntegrityError: the parts do not belong together.
    """
    folder, source = checkpoint.part("image_encoder"), checkpoint.part("image_embedder")
    eye: Any = SiglipVisionModel.from_pretrained(
        folder, dtype=dtype, local_files_only=True, **stored_as(weight_files(folder))
    )
    embedder = _read_embedder(source, dtype)
    if embedder.config.redux_dim != eye.config.hidden_size:
        raise IntegrityError(
            f"{source}: takes vectors of {embedder.config.redux_dim}, the image encoder in {folder} gives "
            f"{eye.config.hidden_size}; fetch both from one place"
        )
    processor = SiglipImageProcessor.from_pretrained(
        checkpoint.part("feature_extractor"), local_files_only=True
    )
    return Redux(eye, embedder, processor)


def _read_embedder(source: Path, dtype: torch.dtype) -> Any:
    """A folder in diffusers' layout, or Black Forest Labs' one file, which holds the same names."""
    if source.is_dir():
        return ReduxImageEncoder.from_pretrained(
            source, torch_dtype=dtype, local_files_only=True, use_safetensors=True
        )
    state = {name: value.to(dtype) for name, value in load_file(source).items()}
    try:
        embedder = ReduxImageEncoder(
            redux_dim=state["redux_up.weight"].shape[1], txt_in_features=state["redux_down.weight"].shape[0]
        )
        embedder.load_state_dict(state, assign=True)
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise IntegrityError(f"{source}: not Redux ({reason}); fetch it again") from error
    return embedder

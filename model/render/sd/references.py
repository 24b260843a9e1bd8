"""Pictures as Stable Diffusion takes them: IP-Adapter embeddings, guide latents, palettes.

In: pictures by sha256 and the boxes they belong to. Out: what diffusers' IP-Adapter is fed, one picture a
region, a `Guide`, and the `Palette` of a panel that others lean towards. Each picture is read and embedded
once. Knows nothing of prompts or steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor

from model.files import BlobId
from model.pictures import stored_picture
from model.render.flux.renderer import square_picture
from model.render.guide import Guide, covered, cut_figure, place_figures
from model.render.request import PanelRequest, Region
from model.render.sd.parts import SDParts
from model.render.sequence import region_cells
from model.render.style import Palette, Palettes


class SDReferences:
    """References of one checkpoint, read and embedded so far.

    Args:
        parts: the checkpoint.
        load: sha256 → the bytes of a picture (any format Pillow reads).
        device: of the models.
    """

    def __init__(self, parts: SDParts, load: Callable[[BlobId], bytes], *, device: str) -> None:
        self._parts, self._load, self._device = parts, load, device
        self._side = parts.image_encoder.config.image_size
        self._embedded: dict[str, Tensor] = {}
        self._figures: dict[str, Image.Image] = {}
        self._blank: Tensor | None = None
        factor = 2 ** (len(parts.vae.config.block_out_channels) - 1)
        self._palettes = Palettes(load, lambda one: self.encode(one).flatten(2).transpose(1, 2), factor)

    def embeddings(self, placed: Sequence[Sequence[Region]], count: int, *, guided: bool) -> Tensor:
        """What the adapter's projection is fed, on the CPU.

        Args:
            placed: the regions of each panel; those without a reference are fed what nothing looks like.
            count: places to fill in each panel.
            guided: a first half that sees nothing in each place goes before the panels.
        Returns:
            (B or 2B, max(count, 1), …): … is (D,) for IP-Adapter, (tokens, D) for Plus.
        """
        blank = self._nothing()
        rows = [
            [self._embedding(one.reference) if one.reference else blank for one in row]
            + [blank] * (max(count, 1) - len(row))
            for row in placed
        ]
        told = torch.stack([torch.stack(row) for row in rows])
        return torch.cat([blank.expand_as(told), told]) if guided else told

    def guide(self, requests: Sequence[PanelRequest], rows: int, columns: int) -> Guide | None:
        """The panels' references in their boxes, as latents; None when no panel has any.

        Args:
            rows, columns: of the latents.
        """
        if not any(region.reference for request in requests for region in request.regions):
            return None
        latents, where = zip(*(self._placed(request, rows, columns) for request in requests), strict=True)
        # A reference that acts less than trained guides less, down to nothing.
        strength = min(requests[0].sampling.reference_scale, 1.0)
        return Guide(latents=torch.cat(latents), where=strength * torch.stack(where).to(self._device))

    def palette(self, requests: Sequence[PanelRequest], rows: int, columns: int) -> Palette | None:
        """What the panels lean towards, outside their characters' cells; None when none of them leans."""
        owned = torch.zeros(len(requests), rows * columns, dtype=torch.bool)
        for index, request in enumerate(requests):
            boxes = torch.tensor([region.box.as_tuple() for region in request.regions]).view(1, -1, 4)
            owned[index] = region_cells(boxes, rows, columns)[0].any(0)
        return self._palettes.of([request.style for request in requests], owned.to(self._device))

    def _placed(self, request: PanelRequest, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """(1, C, rows, columns) latents of one panel's figures, and (1, rows, columns) where they are."""
        mine = [bool(region.reference) for region in request.regions]
        if not any(mine):
            channels = self._parts.vae.config.latent_channels
            return torch.zeros(1, channels, rows, columns, device=self._device), torch.zeros(1, rows, columns)
        figures = [(one.box, self._figure(one.reference)) for one in request.regions if one.reference]
        panel, cover = place_figures(request.width, request.height, figures)
        # Who has no reference keeps the cells of its box: nobody else's figure may stand there.
        boxes = [region.box for region in request.regions]
        return self.encode(panel), covered(cover, boxes, mine, rows, columns)

    def encode(self, picture: Image.Image) -> Tensor:
        """(1, C, h, w) scaled latents of an RGB picture."""
        vae = self._parts.vae
        pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
        pixels = pixels.view(1, picture.height, picture.width, 3).permute(0, 3, 1, 2).to(self._device)
        return vae.encode(pixels.float() / 127.5 - 1).latent_dist.mode() * vae.config.scaling_factor

    def _figure(self, picture: BlobId) -> Image.Image:
        if picture not in self._figures:
            self._figures[picture] = cut_figure(self._open(picture))
        return self._figures[picture]

    def _embedding(self, picture: BlobId) -> Tensor:
        """(D,) or (tokens, D) of a picture."""
        if picture not in self._embedded:
            # On a square already, so that nothing is left for the processor to crop: tall figures keep their
            # heads.
            square = square_picture(self._open(picture), self._side)
            pixels = self._parts.image_processor(images=square, return_tensors="pt").pixel_values
            self._embedded[picture] = self._see(pixels)
        return self._embedded[picture]

    def _nothing(self) -> Tensor:
        """What the untold half is fed, as diffusers' pipelines feed it: zeros, or to Plus a picture of
        zeros."""
        if self._blank is None:
            seen = self._see(torch.zeros(1, 3, self._side, self._side))
            self._blank = seen if self._parts.patches else torch.zeros_like(seen)
        return self._blank

    def _see(self, pixels: Tensor) -> Tensor:
        encoder = self._parts.image_encoder
        out = encoder(pixels.to(self._device, encoder.dtype), output_hidden_states=self._parts.patches)
        return (out.hidden_states[-2] if self._parts.patches else out.image_embeds)[0].float().cpu()

    def _open(self, picture: BlobId) -> Image.Image:
        return stored_picture(self._load(picture))

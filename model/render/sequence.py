"""The joint token sequence of one Flux panel: which tokens are where in it, and which may attend to which.

The order is ``[global text | region 1 text | … | region n text | image | reference 1 | … | reference n]``.
A reference comes as latents after the image, or as a picture prompt (Redux tokens) that follows its region's
text and obeys the rules of that text (the table of `attention_mask`). In: token counts, boxes, which regions
have text and references. Out: position ids, image cells per region, and one attention mask. Pure torch;
knows no models, prompts or pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Token counts of one joint sequence.

    Attributes:
        global_text: tokens of the global prompt.
        region_text: tokens of each region's prompt (padded to the longest).
        regions: number of regions n ≥ 0.
        rows, columns: the image's grid of packed latents.
        reference_rows, reference_columns: the grid of each reference; 0 × 0 when there are none.
        picture: tokens of each region's picture prompt; 0 when there are none.
    """

    global_text: int
    region_text: int
    regions: int
    rows: int
    columns: int
    reference_rows: int = 0
    reference_columns: int = 0
    picture: int = 0

    @property
    def text(self) -> int:
        """Tokens before the image: global text and every region's text and picture prompt."""
        return self.global_text + self.regions * (self.region_text + self.picture)

    @property
    def image(self) -> int:
        return self.rows * self.columns

    @property
    def reference(self) -> int:
        """Tokens of one reference."""
        return self.reference_rows * self.reference_columns

    @property
    def total(self) -> int:
        return self.text + self.image + self.regions * self.reference

    def global_slice(self) -> slice:
        return slice(0, self.global_text)

    def region_slice(self, region: int) -> slice:
        """A region's text."""
        start = self.global_text + region * (self.region_text + self.picture)
        return slice(start, start + self.region_text)

    def picture_slice(self, region: int) -> slice:
        """A region's picture prompt, right behind its text."""
        start = self.region_slice(region).stop
        return slice(start, start + self.picture)

    def image_slice(self) -> slice:
        return slice(self.text, self.text + self.image)

    def reference_slice(self, region: int) -> slice:
        start = self.text + self.image + region * self.reference
        return slice(start, start + self.reference)


def pack(latents: Tensor) -> Tensor:
    """(B, C, H, W) latents → (B, H/2 · W/2, 4C) tokens, as FluxPipeline packs them. H and W are even."""
    batch, channels, height, width = latents.shape
    patches = latents.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return patches.permute(0, 2, 4, 1, 3, 5).reshape(batch, height // 2 * (width // 2), channels * 4)


def unpack(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """(B, rows · columns, 4C) tokens → (B, C, 2 · rows, 2 · columns) latents; the inverse of `pack`."""
    batch, _, width = tokens.shape
    patches = tokens.reshape(batch, rows, columns, width // 4, 2, 2)
    return patches.permute(0, 3, 1, 4, 2, 5).reshape(batch, width // 4, rows * 2, columns * 2)


def grid_ids(index: int, rows: int, columns: int) -> Tensor:
    """(rows · columns, 3) position ids (index, row, column): index 0 is the image, k + 1 reference k."""
    ids = torch.zeros(rows, columns, 3)
    ids[..., 0] = index
    ids[..., 1] = torch.arange(rows)[:, None]
    ids[..., 2] = torch.arange(columns)[None]
    return ids.reshape(-1, 3)


def image_ids(layout: Layout) -> Tensor:
    """(image + n · reference, 3) position ids of everything after the text, whose own ids are zero."""
    parts = [grid_ids(0, layout.rows, layout.columns)]
    if layout.reference:
        parts += [
            grid_ids(region + 1, layout.reference_rows, layout.reference_columns)
            for region in range(layout.regions)
        ]
    return torch.cat(parts)


def region_cells(boxes: Tensor, rows: int, columns: int) -> Tensor:
    """Which image cells each region owns.

    A cell belongs to a box that covers at least a quarter of it; where boxes overlap, the later one (higher
    z) owns the cell. A region that would be left with none gets the cell under its box's centre, unless
    that is the only cell of another.

    Args:
        boxes: (B, n, 4) float: x, y, width, height as fractions of the panel; an empty box owns nothing.
        rows, columns: the image's grid.
    Returns:
        (B, n, rows · columns) bool; at most one region is True for each cell.
    """
    batch, regions, _ = boxes.shape
    if regions == 0:
        return torch.zeros(batch, 0, rows * columns, dtype=torch.bool, device=boxes.device)
    x, y, width, height = boxes.float().unbind(-1)
    covered = _overlap(y, height, rows)[..., :, None] * _overlap(x, width, columns)[..., None, :]
    real = ((width > 0) & (height > 0))[..., None]
    inside = (covered >= 0.25).flatten(-2) & real
    row = ((y + height / 2) * rows).long().clamp(0, rows - 1)
    column = ((x + width / 2) * columns).long().clamp(0, columns - 1)
    centre = torch.zeros_like(inside).scatter(-1, (row * columns + column)[..., None], True) & real
    owned = _last_one(inside)
    for region in range(regions):
        # The owner of the cell gives it up only while it has another one.
        cell = centre[:, region]
        owner = (owned & cell[:, None]).any(-1)
        sole = (owner & (owned.sum(-1) == 1)).any(-1)
        take = (~owned[:, region].any(-1) & ~sole)[:, None] & cell
        owned &= ~take[:, None]
        owned[:, region] |= take
    return owned


def _overlap(start: Tensor, size: Tensor, cells: int) -> Tensor:
    """(B, n, cells): the share of each cell's extent that [start, start + size] covers, along one axis."""
    edges = torch.arange(cells, dtype=torch.float32, device=start.device) / cells
    low = torch.maximum(start[..., None], edges)
    high = torch.minimum((start + size)[..., None], edges + 1 / cells)
    return (high - low).clamp(min=0) * cells


def _last_one(mask: Tensor) -> Tensor:
    """Along dim 1, keep only the last True of each column."""
    later = mask.flip(1).int().cumsum(1).flip(1) - mask.int()
    return mask & (later == 0)


def attention_mask(
    layout: Layout,
    cells: Tensor,
    *,
    global_lengths: Tensor,
    region_lengths: Tensor,
    has_reference: Tensor,
) -> Tensor:
    """Which tokens may attend to which; docs/how-it-works.md explains the table.

    =====================  ===========  =============  ===============  ================  ===========
    query \\ key            global text  region i text  image, in box i  image, elsewhere  reference i
    =====================  ===========  =============  ===============  ================  ===========
    global text            yes          no             yes              yes               no
    region i text          no           own only       yes              no                own only
    image in box i         yes          yes            yes              yes               yes
    image elsewhere        yes          no             yes              yes               no
    reference i            no           own only       no               no                own only
    =====================  ===========  =============  ===============  ================  ===========

    A region's text is its words and its picture prompt. Padding (text beyond its length, a reference or
    picture prompt that is absent) attends to itself alone and nobody attends to it, so a trimmed prompt and a
    padded one draw the same picture.

    Args:
        layout: token counts.
        cells: (B, n, image) bool from `region_cells`.
        global_lengths: (B,) int, valid tokens of each global prompt.
        region_lengths: (B, n) int, valid tokens of each region's prompt; 0 = no prompt.
        has_reference: (B, n) bool; the reference is latents or a picture prompt, as `layout` says.
    Returns:
        (B, 1, total, total) bool, True = may attend.
    """
    batch, device = cells.shape[0], cells.device
    mask = torch.zeros(batch, layout.total, layout.total, dtype=torch.bool, device=device)
    mask |= torch.eye(layout.total, dtype=torch.bool, device=device)
    everywhere, image = layout.global_slice(), layout.image_slice()
    spoken = torch.arange(layout.global_text, device=device) < global_lengths[:, None]
    mask[:, everywhere, everywhere] |= spoken[:, :, None] & spoken[:, None, :]
    mask[:, everywhere, image] = spoken[:, :, None]
    mask[:, image, everywhere] = spoken[:, None, :]
    mask[:, image, image] = True
    for region in range(layout.regions):
        text = slice(layout.region_slice(region).start, layout.picture_slice(region).stop)
        present = has_reference[:, region]
        words = torch.arange(layout.region_text, device=device) < region_lengths[:, region, None]
        valid = torch.cat([words, present[:, None].expand(-1, layout.picture)], 1)
        inside = cells[:, region]
        mask[:, text, text] |= valid[:, :, None] & valid[:, None, :]
        mask[:, text, image] = valid[:, :, None] & inside[:, None, :]
        mask[:, image, text] = inside[:, :, None] & valid[:, None, :]
        if not layout.reference:
            continue
        reference = layout.reference_slice(region)
        mask[:, reference, reference] |= present[:, None, None]
        mask[:, image, reference] = (inside & present[:, None])[:, :, None]
        mask[:, text, reference] = (valid & present[:, None])[:, :, None]
        mask[:, reference, text] = (valid & present[:, None])[:, None, :]
    return mask[:, None]


def weighted(mask: Tensor, layout: Layout, scale: float) -> Tensor:
    """The mask as a bias, with references that count for `scale` times what they would.

    Adding log(scale) to a key's scores multiplies its share before the shares are normed, so 0.5 lets every
    reference token weigh half, against everything else that is attended to. Among themselves the tokens of
    one reference keep their shares.

    Args:
        mask: (B, 1, total, total) bool, True = may attend.
        scale: above 0.
    Returns:
        (B, 1, total, total) float32: 0 or log(scale) where attending is allowed, -inf elsewhere.
    """
    bias = torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, -math.inf)
    for region in range(layout.regions):
        for tokens in (layout.picture_slice(region), layout.reference_slice(region)):
            bias[..., tokens] += math.log(scale)
            bias[..., tokens, tokens] -= math.log(scale)
    return bias

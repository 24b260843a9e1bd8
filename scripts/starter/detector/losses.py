"""What the detector is taught by: who is meant by which box, and how wrong the answer is.

Two assignments. One box a character for each decoder layer, the cheapest of all ways (Carion et al. 2020),
found exactly, because a panel has three characters at most. Several places a character for the proposals of
the first stage, those in its box whose answers are nearest (as Ge et al. 2021), which learn quickly. The
port's own loss trains the first stage on detached boxes and wants scipy, so it is not used. In: logits,
boxes as (centre x, centre y, width, height). Out: losses. Knows nothing of pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product

import torch
import torch.nn.functional as F
from torch import Tensor

MOST = 3  # characters in a panel
PLACES = 6  # proposals that learn one character
ALPHA, GAMMA = 0.5, 2.0
CLASS_WEIGHT, DISTANCE_WEIGHT, OVERLAP_WEIGHT = 2.0, 5.0, 2.0
OUTSIDE = 100.0  # cost of a proposal whose place is not inside the box
FORBIDDEN = 1e4

# Who answers for whom: sample, query, character, of equal length.
Index = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The answers of one batch.

    Attributes:
        boxes: (n, MOST, 4), centre and size in fractions; anything where nobody is meant.
        meant: (n, MOST) bool: whether there is such a character and a phrase means it.
        tokens: (n, MOST, length) bool: the tokens of the phrases that mean it.
        spoken: (n, length) bool: tokens of any phrase.
    """

    boxes: Tensor
    meant: Tensor
    tokens: Tensor
    spoken: Tensor


def corners(boxes: Tensor) -> Tensor:
    """(…, 4): centre and size → left, top, right, bottom."""
    return torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)


def generalised_iou(first: Tensor, second: Tensor) -> Tensor:
    """Generalised IoU (Rezatofighi et al. 2019) of boxes (…, 4), broadcast; −1 to 1."""
    a, b = corners(first), corners(second)
    shared = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    inner = shared.clamp(min=0).prod(-1)
    outer = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    union = first[..., 2:].prod(-1) + second[..., 2:].prod(-1) - inner
    return inner / (union + 1e-7) - (outer - union) / (outer + 1e-7)


def costs(logits: Tensor, boxes: Tensor, truth: Truth) -> Tensor:
    """(n, queries, MOST): how far each answer is from each character."""
    score = logits.clamp(-20, 20).sigmoid()
    wanted = ALPHA * (1 - score) ** GAMMA * -(score + 1e-8).log()
    unwanted = (1 - ALPHA) * score**GAMMA * -(1 - score + 1e-8).log()
    tokens = truth.tokens.float() / truth.tokens.sum(-1, keepdim=True).clamp(min=1)
    said = (wanted - unwanted) @ tokens.transpose(1, 2)
    distance = torch.cdist(boxes, truth.boxes, p=1)
    overlap = generalised_iou(boxes[:, :, None], truth.boxes[:, None])
    return CLASS_WEIGHT * said + DISTANCE_WEIGHT * distance - OVERLAP_WEIGHT * overlap


@torch.no_grad()
def match(cost: Tensor, meant: Tensor) -> Tensor:
    """The cheapest way to give each meant character a query of its own.

    The best query of a character is among its MOST cheapest, because the others take at most MOST − 1.

    Args:
        cost: (n, queries, MOST), queries ≥ MOST; meant: (n, MOST) bool.
    Returns:
        (n, MOST) query indices; anything where nobody is meant.
    """
    cheapest, queries = cost.topk(MOST, dim=1, largest=False)
    ways = torch.tensor([*product(range(MOST), repeat=MOST)], device=cost.device)
    columns = torch.arange(MOST, device=cost.device).expand_as(ways)
    total = (cheapest[:, ways, columns] * meant[:, None].float()).sum(-1)
    chosen = queries[:, ways, columns]
    for first, second in combinations(range(MOST), 2):
        both = (meant[:, first] & meant[:, second])[:, None]
        total = total + FORBIDDEN * (both & (chosen[..., first] == chosen[..., second]))
    best = total.argmin(1)
    return chosen[torch.arange(len(cost), device=cost.device), best]


@torch.no_grad()
@torch.no_grad()
def several_each(logits: Tensor, boxes: Tensor, truth: Truth, centres: Tensor) -> Index:
    """Up to PLACES proposals a character, each proposal at most one character.

    Args:
        logits: (n, proposals, length); boxes: (n, proposals, 4).
        centres: (proposals, 2) in fractions: where each proposal stands.
    """
    cost = costs(logits, boxes, truth)
    edges = corners(truth.boxes)[:, None]
    at = centres[None, :, None]
    inside = ((at > edges[..., :2]) & (at < edges[..., 2:])).all(-1)
    cost = cost + OUTSIDE * ~inside + FORBIDDEN * ~truth.meant[:, None]
    chosen = torch.zeros_like(cost, dtype=torch.bool)
    chosen.scatter_(1, cost.topk(PLACES, dim=1, largest=False).indices, True)
    chosen &= truth.meant[:, None]
    mine = cost.masked_fill(~chosen, 2 * FORBIDDEN)
    sample, proposal = chosen.any(-1).nonzero(as_tuple=True)
    return sample, proposal, mine[sample, proposal].argmin(-1)


def focal_loss(logits: Tensor, wanted: Tensor, spoken: Tensor) -> Tensor:
    """Focal loss (Lin et al. 2017) over the spoken tokens, per wanted token. (n, queries, length)."""
    logits = logits.masked_fill(~spoken[:, None], 0.0)
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    score = logits.sigmoid()
    miss = torch.where(wanted > 0, 1 - score, score)
    weight = torch.where(wanted > 0, ALPHA, 1 - ALPHA) * spoken[:, None]
    return (weight * miss**GAMMA * entropy).sum() / wanted.sum().clamp(min=1)


def set_loss(logits: Tensor, boxes: Tensor, truth: Truth, index: Index) -> tuple[Tensor, Tensor, Tensor]:
    """(score, distance, overlap) of one set of answers under an assignment (sample, query, character)."""
    sample, query, character = index
    wanted = torch.zeros_like(logits)
    wanted[sample, query] = truth.tokens[sample, character].float()
    found, right = boxes[sample, query], truth.boxes[sample, character]
    count = max(len(sample), 1)
    distance = (found - right).abs().sum() / count
    overlap = (1 - generalised_iou(found, right)).sum() / count
    return focal_loss(logits, wanted, truth.spoken), distance, overlap


def weighted(parts: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """One number of (score, distance, overlap)."""
    return CLASS_WEIGHT * parts[0] + DISTANCE_WEIGHT * parts[1] + OVERLAP_WEIGHT * parts[2]


@torch.no_grad()
def one_each(logits: Tensor, boxes: Tensor, truth: Truth) -> Index:
    """One query a character. logits (n, queries, length), boxes (n, queries, 4)."""
    queries = match(costs(logits, boxes, truth), truth.meant)
    sample, character = truth.meant.nonzero(as_tuple=True)
    return sample, queries[sample, character], character

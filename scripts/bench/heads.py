"""How many heads of the starter's panels the face judge takes for drawn ones, and how well it tells them.

In: wanted panels, their pictures, and where the reading judge finds somebody. Out: figures; None for a
checkpoint without a face judge, which is said.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image

from model.geometry import Box
from model.vision.faces import FaceJudge
from scripts.bench.drawer import Drawer, Way
from scripts.bench.eyes import boxes_read, missing, pictures_of, truths_of
from scripts.bench.held_out import Wanted
from scripts.bench.scores import Figures, mean
from scripts.starter.faces.train import auc
from scripts.starter.judge.labels import Reading
from scripts.starter.vae import decode, encode, pictures, pixels, place

FRAMES = {"full body": "face_full_body", "bust": "face_bust", "close-up": "face_close_up"}
SHARES = ("face", *FRAMES.values())
JUDGED = 48  # panels whose heads the face judge is measured on
HASTY = 8  # steps of a panel whose heads are smeared


def face_judge(drawer: Drawer) -> FaceJudge | None:
    """The checkpoint's own, which scores heads."""
    found = drawer.models.heads
    return found if isinstance(found, FaceJudge) else None


def drawn_share(
    drawer: Drawer, panels: Sequence[Wanted], drawn: Sequence[Image.Image], readings: Sequence[Reading]
) -> Figures:
    """Share of heads that the face judge takes for drawn ones, in all and by framing."""
    judge = face_judge(drawer)
    if judge is None:
        return missing(drawer.models.checkpoint.folder / "face", SHARES)
    rows = _scores(judge, drawn, boxes_read(readings))
    figures: Figures = {"face": mean([float(one >= judge.limit) for row in rows for one in row])}
    for frame, name in FRAMES.items():
        here = [row for row, panel in zip(rows, panels, strict=True) if panel.scene.frame == frame]
        figures[name] = mean([float(one >= judge.limit) for row in here for one in row])
    return figures


def face_auc(drawer: Drawer, panels: Sequence[Wanted]) -> Figures:
    """How often a head of the first panels as the world draws it, encoded and decoded, has a higher score
    than one that the model draws in `HASTY` steps without restarts or details."""
    judge = face_judge(drawer)
    if judge is None:
        return missing(drawer.models.checkpoint.folder / "face", ("face_auc",))
    some = panels[:JUDGED]
    hasty = drawer.draw(some, Way(name="hasty", scheduler="flow_match", steps=HASTY))
    vae = place(drawer.models.renderer.parts.vae, "cpu")
    clean = [Image.fromarray(_through(vae, picture)) for picture in pictures_of(some)]
    high = _scores(judge, clean, [[truth.box for truth in row] for row in truths_of(some)])
    low = _scores(judge, hasty, [[person.box for person in panel.people] for panel in some])
    kinds = [np.array([one for row in rows for one in row]) for rows in (high, low)]
    return {"face_auc": auc(*kinds)}


@torch.inference_mode()
def _through(vae: AutoencoderKL, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture as the VAE gives it back."""
    return pictures(decode(vae, encode(vae, pixels(picture[None]), torch.float32), torch.float32))[0]


def _scores(
    judge: FaceJudge, drawn: Sequence[Image.Image], figures: Sequence[Sequence[Box]]
) -> list[list[float]]:
    return judge.score(drawn, judge.heads(drawn, figures))

"""Apple's devices have no float64: nothing that a panel is drawn with makes any."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from model.files import BlobId
from model.render.flux.renderer import FluxRenderer
from model.render.request import Style
from model.render.schedulers import NAMES as FLOW_SAMPLERS
from model.render.sd.schedulers import NAMES as SD_SAMPLERS
from model.render.weights import open_checkpoint
from tests.render import sd_checkpoints, test_flux

# diffusers turns positions into angles in float64, but for MPS and NPU, where it asks which device it is.
_KNOWS_MPS = "get_1d_rotary_pos_embed"
# numpy's arrays, as samplers' tables begin, come in main memory; what is made of one would show.
_FROM_NUMPY = "aten.lift_fresh.default"
pytestmark = sd_checkpoints.OLD_ARRAYS


class Doubles(TorchDispatchMode):
    """Who makes tensors of float64."""

    def __init__(self) -> None:
        super().__init__()
        self.made: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        made = str(func) != _FROM_NUMPY and any(
            isinstance(one, torch.Tensor) and one.dtype == torch.float64 for one in tree_leaves(out)
        )
        if made:
            frames = traceback.extract_stack()
            if not any(frame.name == _KNOWS_MPS for frame in frames):
                own = [frame for frame in frames if "/torch/" not in frame.filename][-2]
                self.made.add(f"{func} in {own.filename}:{own.lineno}")
        return out


@pytest.mark.parametrize("sampler", FLOW_SAMPLERS)
def test_flux_draws_without(tiny: Path, sampler: str) -> None:
    renderer = FluxRenderer(open_checkpoint(tiny), load_reference=test_flux.PICTURES.__getitem__)
    panel = replace(
        test_flux.sampled(test_flux.GUIDED, scheduler=sampler, refine_steps=1, reference_scale=0.5),
        regions=(replace(test_flux.LEFT, reference=test_flux.RED), test_flux.RIGHT),
        style=Style(picture=BlobId(test_flux.BLUE)),
    )
    with Doubles() as doubles:
        renderer.draw([panel])
    assert doubles.made == set()


@pytest.mark.parametrize("sampler", SD_SAMPLERS)
def test_stable_diffusion_draws_without(tmp_path_factory: pytest.TempPathFactory, sampler: str) -> None:
    renderer = sd_checkpoints.open_sd(tmp_path_factory, "sdxlplus")
    panel = sd_checkpoints.sampled(
        sd_checkpoints.CAST, scheduler=sampler, refine_steps=1, guidance=3.0, reference_scale=0.5
    )
    with Doubles() as doubles:
        renderer.draw([replace(panel, style=Style(picture=BlobId(sd_checkpoints.BLUE)))])
    assert doubles.made == set()


def test_it_would_be_seen() -> None:
    with Doubles() as doubles:
        torch.zeros(2).double()
    assert len(doubles.made) == 1

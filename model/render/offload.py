"""Networks keep to a memory plan: who is on the device when, and what happens when it is full all the same.

In: a plan of `quantization.plans`, the networks of a checkpoint in main memory, a device. `keep_to` makes
them take turns: text encoders leave when the steps begin, with `model` everything but the network at work
waits in main memory, with `group` and `sequential` the denoiser's parts come and go by themselves.
`PlannedRenderer` draws by the first plan of a list and falls to a smaller one when memory runs out. Knows
nothing of which plan is best, nor of any one family of models.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from accelerate.hooks import ModelHook, add_hook_to_module
from accelerate.utils import send_to_device
from PIL import Image
from torch import nn

from model.errors import OutOfMemory
from model.render.gguf.layers import keep_packed
from model.render.request import PanelRequest

if TYPE_CHECKING:
    from quantization.plans import MemoryPlan

# After a denoising step: (steps done, steps).
OnStep = Callable[[int, int], None]
# In the middle of the steps: (steps done, steps, how the batch's pictures look).
OnPreview = Callable[[int, int, Sequence[Image.Image]], None]
FALLS = 2  # plans given up in one run, at most
TEXT, HELPERS, DENOISER, VAE = "text", "helpers", "denoiser", "vae"


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """What a checkpoint draws with, by what it is for.

    Attributes:
        text: text encoders; helpers: what makes tokens of references.
        denoiser: transformer or UNet; vae: AutoencoderKL.
        reread: loads the text encoders anew; None = they are never dropped from main memory.
        blocks: the denoiser is a list of blocks, which are streamed; else its layers are.
    """

    text: tuple[nn.Module, ...]
    denoiser: nn.Module
    vae: Any
    helpers: tuple[nn.Module, ...] = ()
    reread: Callable[[], Sequence[nn.Module]] | None = None
    blocks: bool = True

    def of(self, stage: str) -> tuple[nn.Module, ...]:
        """The networks of a stage."""
        return {
            TEXT: self.text,
            HELPERS: self.helpers,
            DENOISER: (self.denoiser,),
            VAE: (self.vae,),
        }[stage]


class Turns:
    """Which networks are on the device. `enter` is called before a network works."""

    def __init__(self, plan: MemoryPlan, networks: Networks, device: str) -> None:
        self.plan, self.networks, self.device = plan, networks, device
        self.here: set[str] = set()
        self._dropped: list[tuple[nn.Parameter, ...]] = []

    def enter(self, stage: str) -> None:
        """Make room, then bring what works next."""
        leaving = [
            other for other in sorted(self.here) if other != stage and not self._may_stay(other, beside=stage)
        ]
        if stage in self.here and not leaving:
            return
        # Weights that were moved in inference mode could never be moved again outside of it.
        with torch.inference_mode(False):
            for other in leaving:
                self._leave(other)
            if stage not in self.here:
                self._come(stage)

    def _may_stay(self, stage: str, *, beside: str) -> bool:
        if self.plan.stays:
            return True
        if self.plan.offload != "none":
            return False
        if stage in (TEXT, HELPERS):  # they are done once the steps begin
            return beside in (TEXT, HELPERS) and self.plan.together
        return self.plan.together or beside in (DENOISER, VAE)

    def _leave(self, stage: str) -> None:
        self.here.discard(stage)
        if self.device == "cpu" or self.device.startswith("mps"):
            if stage == TEXT and self.networks.reread is not None:
                self._drop()
            return
        for network in self.networks.of(stage):
            if not self._moves_itself(stage):
                network.to("cpu")

    def _come(self, stage: str) -> None:
        self.here.add(stage)
        if stage == TEXT and self._dropped:
            self._restore()
        for network in self.networks.of(stage):
            if not self._moves_itself(stage):
                network.to(self.device)

    def _moves_itself(self, stage: str) -> bool:
        if stage == TEXT and self.plan.text == "cpu":
            return True
        return self.plan.offload in ("group", "sequential") and stage in (TEXT, DENOISER)

    def _drop(self) -> None:
        """Let go of the encoders' weights: in one memory there is nowhere else to put them."""
        for network in self.networks.text:
            owned = tuple(network.parameters())
            self._dropped.append(owned)
            for values in owned:
                values.data = values.data.new_empty(0)

    def _restore(self) -> None:
        assert self.networks.reread is not None
        for owned, fresh in zip(self._dropped, self.networks.reread(), strict=True):
            for values, read in zip(owned, fresh.parameters(), strict=True):
                values.data = read.data
        self._dropped.clear()


class _Visit(ModelHook):
    """Announces a network before it works, and brings what it is fed to where it is."""

    def __init__(self, turns: Turns, stage: str) -> None:
        self._turns, self._stage = turns, stage

    def pre_forward(self, module: nn.Module, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        self._turns.enter(self._stage)
        if self._stage == TEXT and self._turns.plan.text == "cpu":
            return send_to_device(args, "cpu"), send_to_device(kwargs, "cpu")
        return args, kwargs


def keep_to(plan: MemoryPlan, networks: Networks, device: str) -> Turns:
    """Let networks that are in main memory draw on `device` as the plan says.

    A denoiser that diffusers loaded from a GGUF file keeps its packed weights, as many layers unpacked as
    `plan.hot` allows.
    """
    keep_packed(networks.denoiser, hot=plan.hot, device=device)
    if plan.tiling:
        networks.vae.enable_slicing()
        networks.vae.enable_tiling()
        # diffusers' own tiles are as large as the pictures that the VAE was trained on.
        factor = 2 ** (len(networks.vae.config.block_out_channels) - 1)
        networks.vae.tile_sample_min_size = min(networks.vae.tile_sample_min_size, 512)
        networks.vae.tile_latent_min_size = networks.vae.tile_sample_min_size // factor
    turns = Turns(plan, networks, device)
    for stage in (TEXT, HELPERS, DENOISER, VAE):
        for network in networks.of(stage):
            add_hook_to_module(network, _Visit(turns, stage), append=True)
    _stream(plan, networks, device)
    return turns


def _stream(plan: MemoryPlan, networks: Networks, device: str) -> None:
    """Let the parts of networks come and go."""
    if plan.offload not in ("group", "sequential"):
        return
    streams = plan.offload == "group" and device.startswith("cuda")
    if plan.text != "cpu":
        for network in networks.text:
            _in_groups(network, device, blocks=False, streams=streams)
    if plan.offload == "group":
        _in_groups(networks.denoiser, device, blocks=networks.blocks, streams=streams)
    else:
        from accelerate import cpu_offload

        # diffusers' groups of single layers would not know packed ones, whose weights are buffers; and
        # accelerate's hooks do not suit T5, which asks its weights where they are.
        cpu_offload(networks.denoiser, execution_device=torch.device(device), offload_buffers=True)


def _in_groups(network: nn.Module, device: str, *, blocks: bool, streams: bool) -> None:
    from diffusers.hooks import apply_group_offloading

    apply_group_offloading(
        network,
        onload_device=torch.device(device),
        offload_type="block_level" if blocks else "leaf_level",
        num_blocks_per_group=1 if blocks else None,
        use_stream=streams,
        low_cpu_mem_usage=True,
    )


class Draws(Protocol):
    """A renderer of any family."""

    def prefetch(self, requests: Sequence[PanelRequest]) -> None:
        """Panels that will be asked for."""
        ...

    def draw(
        self,
        requests: Sequence[PanelRequest],
        *,
        on_step: OnStep | None = None,
        on_preview: OnPreview | None = None,
        preview_every: int = 0,
    ) -> tuple[Image.Image, ...]:
        """One picture a request; the requests have one size and one sampling."""
        ...


class PlannedRenderer:
    """Draws by a plan; when memory runs out, by the next smaller one, and says so.

    Args:
        plans: the best first, each further one smaller.
        make: loads a renderer that keeps to a plan.
        say: gets a line for every smaller plan.
    """

    def __init__(
        self, plans: Sequence[MemoryPlan], make: Callable[[MemoryPlan], Draws], say: Callable[[str], None]
    ) -> None:
        self._left, self._make, self._say = list(plans), make, say
        self.given_up: list[tuple[MemoryPlan, str]] = []
        self._inner: Any = None
        self._prefetched: list[PanelRequest] = []

    @property
    def plan(self) -> MemoryPlan:
        """The one in force."""
        return self._left[0]

    @property
    def parts(self) -> Any:
        """The networks of the renderer at work."""
        return self.load().parts

    def load(self) -> Any:
        """The renderer at work; what does not fit is tried by smaller plans.

        Raises:
            OutOfMemory: also the smaller plans had too little.
        """
        while self._inner is None:
            why = ""
            try:
                self._inner = self._make(self.plan)
                self._inner.prefetch(self._prefetched)
            except OutOfMemory as error:
                why = self._hopeless(error)
            if why:
                self._fall(why)
        return self._inner

    def prefetch(self, requests: Sequence[PanelRequest]) -> None:
        """Panels that will be asked for, by this plan or a smaller one; loads nothing."""
        self._prefetched += requests
        if self._inner is not None:
            self._inner.prefetch(requests)

    @property
    def record(self) -> dict[str, Any]:
        """What run.json says of it."""
        return {
            "plan": str(self.plan),
            "predicted_peak": self.plan.peak,
            "given_up": [{"plan": str(plan), "because": why} for plan, why in self.given_up],
        }

    def draw(
        self,
        requests: Sequence[PanelRequest],
        *,
        on_step: OnStep | None = None,
        on_preview: OnPreview | None = None,
        preview_every: int = 0,
    ) -> tuple[Image.Image, ...]:
        """Draw one batch, in parts where the plan says so.

        Previews are left out where networks take turns on the device: each would cost two moves.

        Raises:
            OutOfMemory: also the smaller plans had too little.
        """
        while True:
            inner = self.load()
            try:
                return self._in_parts(inner, requests, on_step, on_preview, preview_every)
            except OutOfMemory as error:
                why = self._hopeless(error)
            # (Outside the handler: what the error's frames hold would not be freed before.)
            del inner
            self._fall(why)

    def _hopeless(self, error: OutOfMemory) -> str:
        """Why the plan is given up; raises again when there is no smaller one, or two were given up."""
        if len(self._left) == 1 or len(self.given_up) == FALLS:
            raise error
        return str(error)

    def _in_parts(
        self,
        inner: Draws,
        requests: Sequence[PanelRequest],
        on_step: OnStep | None,
        on_preview: OnPreview | None,
        preview_every: int,
    ) -> tuple[Image.Image, ...]:
        most = max(1, self.plan.batch)
        if len(requests) > most or self.plan.offload != "none":
            on_preview = None
        parts = [requests[start : start + most] for start in range(0, len(requests), most)]
        pictures: list[Image.Image] = []
        for number, part in enumerate(parts):

            def count(step: int, steps: int, done: int = number) -> None:
                if on_step:
                    on_step(done * steps + step, steps * len(parts))

            pictures += inner.draw(part, on_step=count, on_preview=on_preview, preview_every=preview_every)
        return tuple(pictures)

    def _fall(self, why: str) -> None:
        """To the next smaller plan."""
        self.given_up.append((self._left.pop(0), why))
        self._inner = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._say(f"out of memory; going on with a smaller plan: {self.plan}")

"""What a memory plan needs: from sizes to a `MemoryPlan` with the predicted peak of each phase.

In: a model's `ModelSizes`, a `Machine`, a `Canvas`, and the choices. Out: a `MemoryPlan`. Pure: nothing is
loaded or measured here, and no torch is needed. `advise` chooses the best plan.

The prediction has a phase for each thing that is done, for only one of them needs the device at a time:
prompts are encoded, then the encoders are freed; the steps; decoding. A phase takes the weights that are on
the device in it and what is alive at its peak.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from quantization.sizes import FULL, ModelSizes, Part

GB = 10**9
TILE = 512  # pixels of a side that a tiling VAE decodes at once
# Bytes that unpacking needs beside the buffer: piece by piece on a CPU, nearly whole matrices elsewhere.
_SCRATCH_CPU, _SCRATCH = 4 * 2**20, 128 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is to draw on.

    Attributes:
        kind: cuda, mps or cpu.
        free: bytes of the device's memory that nobody uses.
        host: free bytes of main memory, where offloaded weights wait; on mps and cpu that is `free` itself.
        bfloat16: whether the device computes in it; Turing cards, such as a T4, only pretend to.
    """

    kind: str
    free: int
    host: int
    bfloat16: bool = True

    @property
    def usable(self) -> int:
        """What a plan may fill: the rest is for the driver, for fragments, and for what else runs here."""
        if self.kind == "cuda":
            return self.free - max(GB * 6 // 10, self.free // 20)
        return self.free - self.free // 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """What is to be drawn at once: panels of one size, each with so many figures that have references."""

    width: int
    height: int
    figures: int = 2
    batch: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """How to draw with a model on a machine.

    Attributes:
        level: of the denoiser's weights; `FULL` = as numbers of `dtype`.
        offload: none; model: one network on the device at a time; group: its blocks, the next one on its way
            while one computes; sequential: its layers, one by one.
        text: where prompts are encoded: device or cpu.
        tiling: the VAE decodes in tiles, picture by picture.
        batch: panels drawn at once.
        dtype: to compute in.
        encode, denoise, decode: predicted peak of the device's memory in each phase, in bytes.
        host: bytes of main memory that wait beside it.
        stays: the text encoders fit beside everything else, so they stay; else they are freed after encoding.
        together: the denoiser fits beside the text encoders at work, so it need not make room for them.
        hot: bytes left for layers of a packed denoiser that may stay unpacked.
        fits: the machine has that much.
    """

    level: str
    offload: str
    text: str
    tiling: bool
    batch: int
    dtype: str
    encode: int
    denoise: int
    decode: int
    host: int
    stays: bool
    together: bool
    hot: int
    fits: bool

    @property
    def packed(self) -> bool:
        """The denoiser's weights stay as a GGUF file has them, but for the hot ones."""
        return self.level != FULL

    @property
    def peak(self) -> int:
        """Predicted peak of the device's memory, bytes."""
        return max(self.encode, self.denoise, self.decode)

    def __str__(self) -> str:
        weights = self.dtype if self.level == FULL else f"{self.level} in {self.dtype}"
        parts = [weights, f"offload {self.offload}", f"batch {self.batch}"]
        if self.text == "cpu":
            parts.append("text encoder on the CPU")
        if self.tiling:
            parts.append("VAE in tiles")
        parts.append(f"predicted peak {self.peak / GB:.1f} GB")
        return ", ".join(parts)


def predict(
    model: ModelSizes,
    machine: Machine,
    canvas: Canvas,
    *,
    level: str = FULL,
    offload: str = "none",
    text: str = "device",
    tiling: bool = False,
) -> MemoryPlan:
    """What one way of drawing will need."""
    dtype = "float32" if machine.kind == "cpu" else model.dtype
    number = 4 if dtype == "float32" else 2
    unified = machine.kind != "cuda"
    work = _alive(model, canvas, number)
    if level != FULL:
        scratch = _SCRATCH_CPU if machine.kind == "cpu" else min(_SCRATCH, 8 * model.denoiser.leaf)
        work += number * model.denoiser.leaf + scratch
    vae = _vae(model, number)
    pixels = canvas.width * canvas.height * canvas.batch
    if tiling:  # and picture by picture
        pixels = min(canvas.width * canvas.height, TILE * TILE)
    decode = pixels * model.alive_decode * (4 if model.vae_single else number)
    denoiser = model.denoiser.memory(level, number)
    helpers = model.helpers.memory(FULL, number)
    encoders = 0 if text == "cpu" else _text(model, number, offload)
    speaking = model.alive_text if encoders else 0
    # Beside the part at work stay the others, unless parts take turns.
    rest = denoiser + vae if offload == "none" else 0
    drawing = max(
        _on_device(model.denoiser, level, number, offload) + (vae if rest else 0) + work,
        (rest or vae) + decode,
        rest + helpers,
    )
    usable = machine.usable
    stays = offload == "none" and encoders + drawing <= usable
    # In one memory everything is there from the start, wherever it will be used.
    together = unified or stays or encoders + speaking + helpers + rest <= usable
    beside = rest if together else 0
    kept = encoders + helpers if stays else 0
    plan = MemoryPlan(
        level=level,
        offload=offload,
        text=text,
        tiling=tiling,
        batch=canvas.batch,
        dtype=dtype,
        encode=encoders + speaking + beside + (helpers if together and offload == "none" else 0),
        denoise=_on_device(model.denoiser, level, number, offload) + (vae if rest else 0) + work + kept,
        decode=(rest or vae) + decode + kept,
        host=0,
        stays=stays,
        together=together,
        hot=0,
        fits=True,
    )
    waiting = 0
    if not unified:
        # Encoders that work in main memory do so in bfloat16.
        of_text = sum(part.memory(FULL, 2) for part in model.text)
        waiting = 0 if stays else of_text + helpers + (0 if offload == "none" else denoiser + vae)
        waiting += model.alive_text if text == "cpu" else 0
    spare = max(0, usable - plan.peak)
    unpacked = max(0, number * model.denoiser.weights - denoiser)
    return replace(
        plan,
        host=waiting,
        hot=min(spare, unpacked) if level != FULL and offload == "none" else 0,
        fits=plan.peak <= usable and (unified or waiting <= machine.host - machine.host // 10),
    )


def _alive(model: ModelSizes, canvas: Canvas, number: int) -> int:
    """Bytes alive at the peak of a step."""
    tokens = model.tokens(canvas.width, canvas.height, canvas.figures)
    of_one = tokens * model.alive * number
    if model.masked:
        # As bools it stays; as what is added to the scores it is there while half of the others are.
        scores = tokens * tokens
        of_one = scores + max(of_one, of_one // 2 + scores * number)
    return of_one * model.passes * canvas.batch


def _on_device(part: Part, level: str, number: int, offload: str) -> int:
    """Bytes of the denoiser's weights on the device while it works."""
    if offload in ("none", "model"):
        return part.memory(level, number)
    if offload == "group":
        return 2 * part.streamed(level, number) + number * part.outside
    return number * part.leaf


def _text(model: ModelSizes, number: int, offload: str) -> int:
    """Bytes of the encoders on the device while they work."""
    whole = [part.memory(FULL, number) for part in model.text]
    largest = number * max(part.leaf for part in model.text)
    if offload == "none":
        return sum(whole)
    if offload == "model":  # one after the other
        return max(whole)
    return min(2 * largest, max(whole))  # layer by layer, the next one on its way


def _vae(model: ModelSizes, number: int) -> int:
    return model.vae.memory(FULL, 4 if model.vae_single else number)

"""How large the parts of the known models are: numbers in their weights, and numbers alive while they work.

Plain facts, no torch, so that a machine can be judged before anything is installed or downloaded. The counts
are those of the official checkpoints' tensors; tests/quantization/test_sizes.py counts them anew from models
that have shapes and no memory. How many numbers are alive at the peak was traced on such models, and measured
on small ones (scripts/bench/plans.py, scripts/bench/LOG.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from quantization.levels import LEVELS

FULL = "full"  # no level: the weights as numbers of the compute type

# Numbers alive at the peak, in widths of the network: a Flux block holds q, k and v, two feed-forward layers
# of four widths, what enters and leaves them; a UNet what its way up still needs of its way down; a VAE three
# maps of its second width at full size. Traced on models of the true sizes, and measured on small ones.
ALIVE_FLUX = 16.7
ALIVE_SD15 = 26.0
ALIVE_SDXL = 15.8
ALIVE_VAE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One network's weights, in numbers.

    Attributes:
        packed: in matrices that a level packs.
        kept: in matrices that stay in half precision beside a level, or always.
        vectors: one-dimensional; single precision in a file.
        block: of the largest block that is streamed at once: of a transformer one of its blocks, of a UNet,
            whose blocks are a fifth of it or more, one layer.
        outside: of what is in no block, and stays on the device while blocks are streamed.
        leaf: of the largest matrix.
    """

    packed: int = 0
    kept: int = 0
    vectors: int = 0
    block: int = 0
    outside: int = 0
    leaf: int = 0

    @property
    def weights(self) -> int:
        return self.packed + self.kept + self.vectors

    def file_bytes(self, level: str) -> int:
        """Of a GGUF file of that level, without its header; of `FULL`, of a file in half precision."""
        if level == FULL:
            return 2 * self.weights
        return round(self.packed * LEVELS[level].type.bits / 8) + 2 * self.kept + 4 * self.vectors

    def memory(self, level: str, number: int) -> int:
        """Bytes of the loaded weights.

        Args:
            number: bytes of a number of the compute type, in which all that is not packed is kept.
        """
        if level == FULL:
            return number * self.weights
        return round(self.packed * LEVELS[level].type.bits / 8) + number * (self.kept + self.vectors)

    def streamed(self, level: str, number: int) -> int:
        """Bytes of one block of the loaded weights. Blocks hold next to nothing that is not packed."""
        bits = 8 * number if level == FULL or not self.packed else LEVELS[level].type.bits
        return round(self.block * bits / 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSizes:
    """A model that draws.

    Attributes:
        denoiser: the transformer or UNet.
        text: text encoders, each by itself.
        helpers: what turns references into tokens (Redux, an image encoder), used before the steps.
        cell: pixels of a token's side.
        text_tokens: in the joint sequence, of the panel and of each figure's region; 0 where text is attended
            to from beside.
        figure_tokens: that the reference of one figure adds to the joint sequence.
        passes: network calls a picture and step: 2 with a negative prompt.
        alive: numbers alive a token at the peak of a step.
        alive_text: bytes alive at the peak of encoding one prompt.
        alive_decode: numbers alive a pixel at the peak of decoding.
        vae_single: the VAE works in single precision whatever the compute type.
        masked: the joint sequence has a mask.
        dtype: to compute in, where there is a choice: Flux overflows in float16, Stable Diffusion was
            published in it.
        levels: levels that its denoiser can be loaded at, beside `FULL`; best first.
    """

    name: str
    denoiser: Part
    text: tuple[Part, ...]
    vae: Part
    helpers: Part = Part()
    cell: int
    text_tokens: tuple[int, int] = (0, 0)
    figure_tokens: int = 0
    passes: int = 1
    alive: int
    alive_text: int
    alive_decode: int = round(256 * ALIVE_VAE)
    vae_single: bool = False
    masked: bool = False
    dtype: str = "bfloat16"
    levels: tuple[str, ...] = ()

    def tokens(self, width: int, height: int, figures: int) -> int:
        """Of the joint sequence for one panel."""
        picture = -(-width // self.cell) * -(-height // self.cell)
        of_panel, of_region = self.text_tokens
        return picture + of_panel + figures * (of_region + self.figure_tokens)


_K_LEVELS = ("Q8_0", "Q6_K", "Q5_K_S", "Q4_K_S", "Q3_K_S", "Q2_K")

_T5_XXL = Part(
    packed=4_762_107_904,
    kept=2_048,
    vectors=200_704,
    block=192_948_224,
    outside=131_600_384,
    leaf=131_596_288,
)
_CLIP_L = Part(kept=123_060_480, block=7_087_872, outside=38_006_016, leaf=37_945_344)
_CLIP_G = Part(kept=694_659_840, block=19_677_440, outside=64_981_760, leaf=63_242_240)
_VAE_FLUX = Part(kept=83_819_683, leaf=2_359_296)
_VAE_SD = Part(kept=83_653_863, leaf=2_359_296)
_FLUX = Part(
    packed=11_834_228_736,
    kept=64_094_208,
    vectors=3_085_376,
    block=339_831_296,
    outside=64_124_992,
    leaf=56_623_104,
)
_REDUX = Part(kept=428_225_600 + 64_503_808, leaf=50_331_648)  # SigLIP and the network after it
_VIT_H = Part(kept=632_076_800, block=19_677_440, leaf=6_553_600)


def _flux(name: str, *, denoiser: Part = _FLUX, helpers: Part = Part(), figure: int) -> ModelSizes:
    return ModelSizes(
        name=name,
        denoiser=denoiser,
        text=(_T5_XXL, _CLIP_L),
        vae=_VAE_FLUX,
        helpers=helpers,
        cell=16,
        text_tokens=(512, 128),
        figure_tokens=figure,
        alive=round(ALIVE_FLUX * 3072),
        alive_text=160_000_000,
        masked=True,
        levels=_K_LEVELS,
    )


def _stable(name: str, unet: Part, text: tuple[Part, ...], *, alive: int, vae_single: bool) -> ModelSizes:
    return ModelSizes(
        name=name,
        denoiser=unet,
        text=text,
        vae=_VAE_SD,
        helpers=_VIT_H,
        cell=8,
        passes=2,
        alive=alive,
        alive_text=10_000_000,
        vae_single=vae_single,
        dtype="float16",
    )


# (Its rows of 192 and 384 are no multiple of the 256 values that the K levels take at once.)
_STARTER = ModelSizes(
    name="starter",
    denoiser=Part(
        packed=17_252_352, kept=860_160, vectors=39_744, block=5_320_192, outside=863_296, leaf=884_736
    ),
    text=(Part(kept=772_352, leaf=73_728), Part(kept=238_464, leaf=100_608)),
    vae=Part(kept=3_816_627, leaf=147_456),
    cell=32,
    text_tokens=(24, 16),
    figure_tokens=16,
    passes=2,
    alive=round(ALIVE_FLUX * 384),
    alive_text=2_000_000,
    alive_decode=100,
    masked=True,
    dtype="float32",
    levels=("Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0"),
)

MODELS = {
    sizes.name: sizes
    for sizes in (
        _STARTER,
        _flux("flux-dev", helpers=_REDUX, figure=729),
        _flux(
            "flux-schnell",
            denoiser=Part(
                packed=11_834_228_736,
                kept=53_870_592,
                vectors=3_079_232,
                block=339_831_296,
                outside=53_895_232,
                leaf=56_623_104,
            ),
            helpers=_REDUX,
            figure=729,
        ),
        _flux("flux-kontext", figure=1024),
        _stable(
            "sdxl",
            Part(kept=2_567_463_684, block=29_491_200, leaf=29_491_200),
            (_CLIP_L, _CLIP_G),
            alive=round(320 * ALIVE_SDXL),
            vae_single=True,
        ),
        _stable(
            "sd15",
            Part(kept=859_520_964, block=29_491_200, leaf=29_491_200),
            (_CLIP_L,),
            alive=round(320 * ALIVE_SD15),
            vae_single=False,
        ),
    )
}

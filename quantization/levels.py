"""The block types of ggml that are written here, and the levels a user names. Plain facts, no torch.

A block type says how a block of values becomes bytes; a level says which type a file is made of. The `_S`
levels and those without a suffix are uniform: every quantized tensor has the same type.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from model.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockType:
    """One of ggml's types.

    Attributes:
        name, number: as ggml has them.
        values: in a block.
        bytes: of a block.
        weighted: whether its search heeds importance.
    """

    name: str
    number: int
    values: int
    bytes: int
    weighted: bool = False

    @property
    def bits(self) -> float:
        """Bits a weight."""
        return 8 * self.bytes / self.values

    def bytes_of(self, shape: tuple[int, ...]) -> int:
        """Size of a tensor whose last dimension is a row."""
        size = self.bytes
        for side in shape:
            size *= side
        return size // self.values


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What a user asks for.

    Attributes:
        file_type: number in `general.file_type`.
    """

    name: str
    type: BlockType
    file_type: int


TYPES = {
    name: BlockType(name=name, number=number, values=values, bytes=size, weighted=name.endswith("_K"))
    for name, number, values, size in (
        ("F32", 0, 1, 4),
        ("F16", 1, 1, 2),
        ("BF16", 30, 1, 2),
        ("Q8_0", 8, 32, 34),
        ("Q6_K", 14, 256, 210),
        ("Q5_K", 13, 256, 176),
        ("Q5_1", 7, 32, 24),
        ("Q5_0", 6, 32, 22),
        ("Q4_K", 12, 256, 144),
        ("Q4_1", 3, 32, 20),
        ("Q4_0", 2, 32, 18),
        ("Q3_K", 11, 256, 110),
        ("Q2_K", 10, 256, 84),
    )
}

LEVELS = {
    name: Level(name=name, type=TYPES[kind], file_type=number)
    for name, kind, number in (
        ("F16", "F16", 1),
        ("Q8_0", "Q8_0", 7),
        ("Q6_K", "Q6_K", 18),
        ("Q5_K_S", "Q5_K", 16),
        ("Q5_1", "Q5_1", 9),
        ("Q5_0", "Q5_0", 8),
        ("Q4_K_S", "Q4_K", 14),
        ("Q4_1", "Q4_1", 3),
        ("Q4_0", "Q4_0", 2),
        ("Q3_K_S", "Q3_K", 11),
        ("Q2_K", "Q2_K", 10),
    )
}


def level_of(name: str) -> Level:
    """The level that a user named, in any case; `Q4_K` means `Q4_K_S`.

    Raises:
        ConfigError: there is no such level.
    """
    wanted = name.upper()
    level = LEVELS.get(wanted) or LEVELS.get(wanted + "_S")
    if level is None:
        near = get_close_matches(wanted, LEVELS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(f"--level: {name!r} is no level; {hint}choose one of: {', '.join(LEVELS)}")
    return level

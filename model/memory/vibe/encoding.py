"""Pictures as vectors: through the encoder that was handed in, which is loaded when it is first needed.

In: a picture in any form, or an embedding. Out: a vector and the space it is in. Knows no encoder itself;
without one, pictures have no vector, which is reported once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import ConfigError, PackageMissing, WeightsMissing
from model.memory.vibe.pictures import Picture, as_array, as_picture

_log = logging.getLogger(__name__)

Vector: TypeAlias = NDArray[np.float32]
# A flat array of fewer numbers is no embedding of any encoder.
_LEAST_NUMBERS = 5


class Encoder(Protocol):
    """What makes pictures into vectors: (N, d) float32 in the order of the pictures."""

    @property
    def space(self) -> str: ...

    def encode_images(self, images: Sequence[Image.Image], /) -> Vector: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """A vector, and the picture it was made from.

    Attributes:
        vector: (d,) float32.
        space: of the encoder; None = an embedding that was handed in as it is.
    """

    vector: Vector
    picture: Image.Image | None = None
    space: str | None = None


class Eye:
    """An encoder, or a call that loads one."""

    def __init__(self, encoder: Encoder | Callable[[], Encoder] | None) -> None:
        self._load = encoder if callable(encoder) else None
        self._encoder = None if encoder is None or callable(encoder) else encoder
        self._lack: WeightsMissing | PackageMissing | None = None

    @property
    def space(self) -> str | None:
        """The encoder's, once it is loaded."""
        return None if self._encoder is None else self._encoder.space

    def encoder(self) -> Encoder:
        """The encoder, loaded.

        Raises:
            WeightsMissing, PackageMissing: there is none.
        """
        if self._encoder is None:
            if self._load is None:
                raise WeightsMissing(
                    "no encoder for pictures was handed to the vibe memory; hand one in, or use embeddings"
                )
            self._encoder = self._load()
        return self._encoder

    def see(self, given: Picture) -> Seen:
        """The vector of a picture, or of what is a vector already.

        Raises:
            ConfigError: it is neither.
            WeightsMissing, PackageMissing: there is no encoder for a picture.
        """
        vector = _flat(given)
        if vector is not None:
            if not np.isfinite(vector).all():
                raise ConfigError("an embedding: found NaN or infinity; the encoder that made it is at fault")
            return Seen(vector=vector)
        encoder = self.encoder()
        picture = as_picture(given)
        # One by one: the last bits of a batch depend on its size, and equal pictures must be equal.
        return Seen(vector=encoder.encode_images([picture])[0], picture=picture, space=encoder.space)

    def see_or_not(self, given: Picture) -> Seen | None:
        """The same; None, said once, where there is no encoder for a picture."""
        if _flat(given) is None and not self.available():
            return None
        return self.see(given)

    def available(self) -> bool:
        """Whether pictures can be seen; loads the encoder."""
        if self._lack is None:
            try:
                self.encoder()
            except (WeightsMissing, PackageMissing) as error:
                self._lack = error
                _log.warning("the vibe memory is neutral: %s", error)
        return self._lack is None


def _flat(given: Picture) -> Vector | None:
    """The numbers of an embedding, (d,) or (1, d); None when it is not one."""
    array = as_array(given)
    if array is None or array.ndim > 2 or array.size < _LEAST_NUMBERS or array.size != array.shape[-1]:
        return None
    return array.reshape(-1).astype(np.float32)

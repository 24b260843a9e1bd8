"""How similar two pictures are, pixel by pixel: PSNR and SSIM. For similarity in meaning see `clip`.

In: two pictures of one size, RGB, 8 bit. Out: numbers. Deterministic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_WINDOW, _SIGMA = 11, 1.5  # as Wang et al. 2004 have them, with k1 = 0.01 and k2 = 0.03


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Peak signal to noise in dB over all channels; infinite for equal pictures."""
    error = float(np.mean((_pixels(one, "RGB") - _pixels(other, "RGB")) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(one: Image.Image, other: Image.Image) -> float:
    """Structural similarity of the luma, mean over the picture, at most 1 (Wang et al. 2004)."""
    x, y = _pixels(one, "L"), _pixels(other, "L")
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x, var_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    both = _blurred(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similar = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    return float(np.mean(similar / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))))


def _pixels(picture: Image.Image, mode: str) -> NDArray[np.float64]:
    return np.asarray(picture.convert(mode), dtype=np.float64)


def _blurred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian window, where it lies wholly in the picture."""
    at = np.arange(_WINDOW) - _WINDOW // 2
    window = np.exp(-(at**2) / (2 * _SIGMA**2))
    window /= window.sum()
    rows = np.lib.stride_tricks.sliding_window_view(values, _WINDOW, axis=0) @ window
    return np.lib.stride_tricks.sliding_window_view(rows, _WINDOW, axis=1) @ window

"""Laplace's approximation for a Gaussian process whose labels are yes or no.

In: a kernel matrix, labels ±1, weights. Out: the mode of the posterior, the evidence, and what predictive
variances need. After Rasmussen and Williams, "Gaussian Processes for Machine Learning", algorithms 3.1 and
3.2; the likelihood of a label is σ(y·f) to the power of its weight. Knows nothing of pictures.

Newton's systems are solved by conjugate gradients, which at n = 1,000 is many times faster than factoring the
matrix at every step; it is factored once, at the mode.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating]

_BLOCK = 64  # of the Cholesky factor; the best of 32 to 256 at n = 1,000
_NEWTON_STEPS = 50
_GRADIENT_STEPS = 400
_HALVINGS = 20


class Posterior:
    """What the labels say under one kernel.

    Odd: with all labels turned round, `dual` turns its sign and nothing else changes.

    Attributes:
        dual: (n,); the latent mean at a point is its kernel with the labels times this.
        evidence: log probability of the labels under this kernel.
    """

    def __init__(
        self, kernel: Array, labels: Array, weights: Array, *, tolerance: float, start: Array | None = None
    ) -> None:
        """Find the mode and factor the matrix there.

        Args:
            kernel: (n, n), symmetric, positive semi-definite; float32 or float64, which the work is done in.
            labels: (n,) of −1 and 1.
            weights: (n,), positive.
            tolerance: largest error of the dual, relative to the largest weight.
            start: (n,) guess of the latent means; default: zero.
        """
        self.dual, latent, value = _mode(kernel, labels, weights, start, tolerance)
        doubt = _sigmoid(-labels * latent)
        self._root = np.sqrt(weights * doubt * (1 - doubt))
        matrix = kernel * self._root
        matrix *= self._root[:, None]
        matrix[np.diag_indices(len(matrix))] += 1
        self._lower, self._inverses = _cholesky(matrix)
        self.evidence = value - float(np.log(np.diag(self._lower)).sum(dtype=np.float64))

    def explained(self, cross: Array) -> Array:
        """(m,): how much of the prior variance the labels take away at m points.

        Args:
            cross: (n, m), kernel of labels and points.
        """
        solved = cross * self._root[:, None]
        for index, inverse in enumerate(self._inverses):
            start = index * _BLOCK
            end = start + len(inverse)
            if start:
                solved[start:end] -= self._lower[start:end, :start] @ solved[:start]
            solved[start:end] = inverse @ solved[start:end]
        return np.einsum("nm,nm->m", solved, solved)


def _mode(
    kernel: Array, y: Array, w: Array, start: Array | None, tolerance: float
) -> tuple[Array, Array, float]:
    """Newton's method: dual and latent mean where the posterior peaks, and its log there."""
    if start is None:
        dual = latent = np.zeros_like(y)
    else:
        dual = w * y * _sigmoid(-y * start)
        latent = kernel @ dual
    value = _log_posterior(dual, latent, y, w)
    for _ in range(_NEWTON_STEPS):
        doubt = _sigmoid(-y * latent)
        gap = w * y * doubt - dual
        error = float(np.abs(gap).max() / w.max())
        if error < tolerance:
            break
        # Never flat: where a label is beyond doubt float32 would divide by zero, and the step stays short.
        root = np.sqrt(w * np.maximum(doubt * (1 - doubt), 1e-5))
        # The system is solved as far as the next linearisation can be trusted.
        step, moved = _newton_step(kernel, root, gap, min(0.1, 3 * error))
        length, tried = y.dtype.type(1), value
        for _ in range(_HALVINGS):
            tried = _log_posterior(dual + length * step, latent + length * moved, y, w)
            if tried >= value - 1e-4 * abs(value):
                break
            length /= 2
        dual, latent, value = dual + length * step, latent + length * moved, tried
    return dual, latent, value


def _newton_step(kernel: Array, root: Array, gap: Array, accuracy: float) -> tuple[Array, Array]:
    """The step d from (I + W K) d = gap by conjugate gradients, and K d.

    With d = W½ u the system is the symmetric (I + W½ K W½) u = W^−½ gap.
    """
    residual = gap / root
    solution, moved = np.zeros_like(gap), np.zeros_like(gap)
    direction, square = residual, residual @ residual
    goal = square * accuracy**2
    for _ in range(_GRADIENT_STEPS):
        times = kernel @ (root * direction)
        image = direction + root * times
        length = square / (direction @ image)
        solution = solution + length * direction
        moved = moved + length * times
        residual = residual - length * image
        after = residual @ residual
        if after <= goal:
            break
        direction = residual + after / square * direction
        square = after
    return root * solution, moved


def _cholesky(matrix: Array) -> tuple[Array, list[Array]]:
    """Lower factor, in place, and the inverses of its diagonal blocks.

    Left-looking by blocks: numpy's own call takes longer at n = 1,000, and numpy has no triangular solve.
    """
    inverses: list[Array] = []
    for start in range(0, len(matrix), _BLOCK):
        end = min(start + _BLOCK, len(matrix))
        if start:
            matrix[start:, start:end] -= matrix[start:, :start] @ matrix[start:end, :start].T
        corner = np.linalg.cholesky(matrix[start:end, start:end])
        inverses.append(np.linalg.inv(corner))
        matrix[start:end, start:end] = corner
        matrix[end:, start:end] = matrix[end:, start:end] @ inverses[-1].T
    return matrix, inverses


def _log_posterior(dual: Array, latent: Array, y: Array, w: Array) -> float:
    return -float((w * np.logaddexp(0, -y * latent)).sum(dtype=np.float64)) - 0.5 * float(dual @ latent)


def _sigmoid(values: Array) -> Array:
    # Through tanh nothing overflows.
    return 0.5 * (1 + np.tanh(0.5 * values))

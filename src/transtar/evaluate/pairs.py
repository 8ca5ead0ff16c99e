"""Sums of Gaussian kernels over all pairs of two samples, compiled.

Several kernels share the distances, and one kernel can be had from another: that of ten times the gamma is its tenth power.
Work is done on pieces of a row that stay in the fastest cache of a processor, in double precision, and without the
interpreter's lock, so that threads share it. All of it stands in this one file: numba notices a change of the file that is
compiled, not of one that it calls.
"""

from __future__ import annotations

import numpy as np

from ..preprocess.compiled import compiled

PIECE = 512
"""Pairs whose distances and kernels are held at a time, 4 kB each."""

HALVINGS = 7
"""The exponential is taken of the argument over 2^7, by its series, and squared as often."""

LOWEST = -40.0
"""Below this the exponential is 4e-18, which no mean of kernels in double precision can tell from 0."""


@compiled(sums_in_any_order=True)
def exponential(t):
    """exp(t) for t of 0 or less, to 3e-14 relative, and exactly 1 for 0; 4e-18 below -40.

    Nothing but products and sums, so that a processor takes eight at a time, which it cannot of the library's function.
    """
    u = max(t, LOWEST) * 0.5**HALVINGS
    # The series to the twelfth power; the next term is at most 5e-17.
    p = 1 / 5040 + u * (1 / 40320 + u * (1 / 362880 + u * (1 / 3628800 + u * (1 / 39916800 + u * (1 / 479001600)))))
    p = 1 + u * (1 + u * (1 / 2 + u * (1 / 6 + u * (1 / 24 + u * (1 / 120 + u * (1 / 720 + u * p))))))
    for _ in range(HALVINGS):
        p *= p
    return p


@compiled(sums_in_any_order=True)
def kernel_sums(x, y, gammas, sums):
    """Add up exp(-gamma |x - y|^2) over all pairs of a star of `x` and one of `y`.

    Parameters
    ----------
    x, y : ndarray, shape (n_dim, n_x) and (n_dim, n_y), float64
        One row for each coordinate.
    gammas : ndarray, shape (n_gammas,), float64
        One that is ten times that before it costs a quarter of another.
    sums : ndarray, shape (n_gammas,), float64
        Receives the sums.
    """
    distance, kernel = np.empty(PIECE), np.empty(PIECE)
    sums[:] = 0
    for start in range(0, y.shape[1], PIECE):
        n = min(PIECE, y.shape[1] - start)
        for i in range(x.shape[1]):
            distance[:n] = 0
            for axis in range(len(x)):
                x_value, y_values = x[axis, i], y[axis][start : start + n]
                for j in range(n):
                    distance[j] += (x_value - y_values[j]) * (x_value - y_values[j])
            for g in range(len(gammas)):
                total = 0.0
                if g > 0 and gammas[g] == 10 * gammas[g - 1]:
                    for j in range(n):
                        second = kernel[j] * kernel[j]
                        fourth = second * second
                        kernel[j] = fourth * fourth * second
                        total += kernel[j]
                else:
                    for j in range(n):
                        kernel[j] = exponential(-gammas[g] * distance[j])
                        total += kernel[j]
                sums[g] += total

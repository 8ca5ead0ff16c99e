"""HEALPix indices in the nested scheme (Gorski et al. 2005, ApJ 622, 759, section 4)."""

from __future__ import annotations

import numpy as np

DESI_NSIDE = 64


def nested_index(ra: np.ndarray, dec: np.ndarray, nside: int = DESI_NSIDE) -> np.ndarray:
    """Pixel of each position.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Degrees.
    nside : int
        A power of two.

    Returns
    -------
    ndarray, shape (n,), int64
    """
    z = np.sin(np.radians(np.asarray(dec, np.float64)))
    turn = np.mod(np.asarray(ra, np.float64) / 90.0, 4.0)
    quarter = np.minimum(turn.astype(np.int64), 3)
    within = turn - quarter
    # Near the poles each quarter is a triangle; u and v are its two oblique coordinates, in pixels.
    reach = nside * np.sqrt(np.maximum(3.0 * (1.0 - np.abs(z)), 0.0))
    u = np.minimum((within * reach).astype(np.int64), nside - 1)
    v = np.minimum(((1.0 - within) * reach).astype(np.int64), nside - 1)
    north = z >= 0
    cap = np.stack([np.where(north, nside - 1 - v, u), np.where(north, nside - 1 - u, v)])
    cap_face = quarter + np.where(north, 0, 8)
    # In the belt lines of constant x and y cross at right angles in (longitude, z).
    up = np.floor(nside * (0.5 + turn + 0.75 * z)).astype(np.int64)
    down = np.floor(nside * (0.5 + turn - 0.75 * z)).astype(np.int64)
    row_up, row_down = up // nside, down // nside
    belt_face = np.where(
        row_up == row_down, (row_up % 4) + 4, np.where(row_up < row_down, row_up % 4 + 8, row_down % 4)
    )
    belt = np.stack([up % nside, nside - 1 - down % nside])
    polar = np.abs(z) > 2.0 / 3.0
    x, y = np.where(polar, cap, belt)
    index = np.where(polar, cap_face, belt_face).astype(np.int64) * nside**2
    for bit in range(nside.bit_length() - 1):
        index |= ((x >> bit) & 1) << (2 * bit) | ((y >> bit) & 1) << (2 * bit + 1)
    return index

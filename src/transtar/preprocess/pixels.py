"""Which pixels are good, and what stands in for those that are not."""

from __future__ import annotations

import numpy as np


def good_pixels(
    wave: np.ndarray,
    flux: np.ndarray,
    ivar: np.ndarray | None,
    mask: np.ndarray,
    sky_lines: tuple[tuple[float, float], ...] = (),
) -> np.ndarray:
    """Find the pixels that carry information.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,)
        Vacuum Angstrom in the observed frame.
    flux, ivar, mask : ndarray, shape (n_spectra, n_pixels)
        `ivar` may be None: then finite pixels outside the mask are good.
    sky_lines : tuple of (float, float)
        Wavelength ranges spoilt by the sky, in Angstrom of the observed frame.

    Returns
    -------
    ndarray of the shape of `flux`, bool
    """
    good = np.isfinite(flux)
    good &= ~mask
    if ivar is not None:
        good &= ivar > 0
        # One look at the largest is cheaper than a comparison per pixel, and infinities are rare.
        if ivar.size and not np.isfinite(ivar.max()):
            good &= ivar < np.inf
    for low, high in sky_lines:
        first, last = np.searchsorted(wave, [low, high])
        good[:, first:last] = False
    return good


def fill_bad(wave: np.ndarray, flux: np.ndarray, good: np.ndarray) -> None:
    """Replace bad pixels, in place, by linear interpolation in wavelength between their good neighbours.

    Beyond the outermost good pixel its value is held; a spectrum with no good pixel becomes zero.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,)
    flux : ndarray, shape (n_spectra, n_pixels), float, C-contiguous
    good : ndarray of the shape of `flux`, bool
    """
    n_pixels = flux.shape[1]
    bad = np.flatnonzero(~good)
    if not len(bad):
        return
    flat = flux.reshape(-1)
    where_good = np.flatnonzero(good)
    if not len(where_good):
        flat[:] = 0
        return
    row = bad // n_pixels
    after = np.searchsorted(where_good, bad)
    before = np.clip(after - 1, 0, None)
    after = np.clip(after, None, len(where_good) - 1)
    left, right = where_good[before], where_good[after]
    has_left, has_right = (left // n_pixels == row) & (left < bad), (right // n_pixels == row) & (right > bad)
    left, right = np.where(has_left, left, right), np.where(has_right, right, left)
    here, low, high = wave[bad % n_pixels], wave[left % n_pixels], wave[right % n_pixels]
    weight = np.where(high > low, (here - low) / np.where(high > low, high - low, 1), 0)
    values = flat[left] * (1 - weight) + flat[right] * weight
    flat[bad] = np.where(has_left | has_right, values, 0)

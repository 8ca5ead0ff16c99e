"""Cameras of DESI merged into one spectrum.

The cameras share pixels of 0.8 A where they overlap, so that merging needs no resampling; weights are the inverse
variances, as in desispec.coaddition.coadd_cameras. Masked pixels have no weight here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError

TOLERANCE = 1e-4
"""In Angstrom: wavelengths that agree to this are one pixel (desispec.coaddition)."""


@dataclass(frozen=True)
class Camera:
    """Spectra of one camera.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,), float64
        Vacuum Angstrom.
    flux, ivar : ndarray, shape (n_spectra, n_pixels), float32
    mask : ndarray, shape (n_spectra, n_pixels), bool
        True where bad.
    """

    wave: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray
    mask: np.ndarray


def merge(cameras: Sequence[Camera], where: str) -> Camera:
    """Merge cameras, averaging with inverse variances where they overlap.

    Parameters
    ----------
    cameras : sequence of Camera
        In order of wavelength, of the same spectra.
    where : str
        File, for the message.

    Returns
    -------
    Camera
        All pixels of all cameras. Where several cameras have a pixel, its flux is the mean of the unmasked ones, its
        inverse variance their sum, and it is masked if all are.

    Raises
    ------
    InputError
        If the pixels of an overlap are not the same.
    """
    if len(cameras) == 1:
        return cameras[0]
    wave = cameras[0].wave
    for camera in cameras[1:]:
        wave = np.append(wave, camera.wave[camera.wave > wave[-1] + TOLERANCE])
    places = [slice(start, start + len(c.wave)) for c in cameras for start in [int(np.abs(wave - c.wave[0]).argmin())]]
    count = np.zeros(len(wave), int)
    for place, camera in zip(places, cameras, strict=True):
        if len(wave[place]) != len(camera.wave) or np.abs(wave[place] - camera.wave).max() > TOLERANCE:
            raise InputError(
                f"{where}: the wavelengths of its cameras do not agree where they overlap; take the survey 'desi' (B only)"
            )
        count[place] += 1
    shape = (len(cameras[0].flux), len(wave))
    flux, ivar, mask = np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.ones(shape, bool)
    shared = np.flatnonzero(count > 1)
    weighted, weights = np.zeros((2, shape[0], len(shared)))
    for place, camera in zip(places, cameras, strict=True):
        pixels = np.arange(place.start, place.stop)
        alone = count[place] == 1
        flux[:, pixels[alone]] = camera.flux[:, alone]
        ivar[:, pixels[alone]] = camera.ivar[:, alone]
        mask[:, pixels[alone]] = camera.mask[:, alone]
        both = np.searchsorted(shared, pixels[~alone])
        good = ~camera.mask[:, ~alone]
        weight = np.where(good, camera.ivar[:, ~alone], 0).astype(np.float64)
        weighted[:, both] += weight * np.where(weight > 0, camera.flux[:, ~alone], 0)
        weights[:, both] += weight
        mask[:, pixels[~alone]] &= ~good
    flux[:, shared] = np.divide(weighted, weights, out=np.zeros_like(weighted), where=weights > 0)
    ivar[:, shared] = weights
    return Camera(wave, flux, ivar, mask)

"""The templates: what a spectrum of unknown velocity is compared with.

`tools/velocity_templates.py` makes the shipped file: cool stars from the emulator, hot ones from model atmospheres with lines of
hydrogen, helium, calcium and magnesium. All are flux over continuum in vacuum at rest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files as package_files

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from ..errors import InputError

FORMAT = "transtar-velocity-templates 1"

WINDOW = (3850.0, 5750.0)
"""First and last wavelength in Angstrom."""

STEP = 3.2e-5 * np.log(10)
"""Of ln(wavelength) between points of the file: 22.1 km/s."""

RESOLUTION = 5000.0
"""lambda / FWHM of the templates in the file."""

FINER = 2
"""Points in the memory for one in the file, so that a cubic through four of them is good to 1e-4."""

LEAST, MOST = 300.0, RESOLUTION
"""Resolving powers to which templates are brought."""


@dataclass(frozen=True, eq=False)
class Templates:
    """Templates at one resolving power.

    Parameters
    ----------
    start, step : float
        ln of the first wavelength (Angstrom, vacuum, rest), and the step of it.
    flux : ndarray, shape (n_templates, n_points), float64
        Over the continuum.
    labels : ndarray, shape (n_templates, 3)
        Teff in K, log g, [Fe/H].
    names : tuple of str
    """

    start: float
    step: float
    flux: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]

    @property
    def log_wave(self) -> np.ndarray:
        """Natural logarithm of the wavelength, shape (n_points,)."""
        return self.start + self.step * np.arange(self.flux.shape[1])


@lru_cache(maxsize=1)
def _shipped() -> tuple[float, np.ndarray, np.ndarray, tuple[str, ...]]:
    from safetensors.numpy import load

    place = package_files("transtar.velocity") / "data" / "templates.safetensors"
    raw = place.read_bytes()
    try:
        content = load(raw)
        size = int.from_bytes(raw[:8], "little")
        described = json.loads(json.loads(raw[8 : 8 + size])["__metadata__"]["transtar"])
        if described["format"] != FORMAT:
            raise ValueError(f"format '{described['format']}'")
        names = tuple(json.loads(described["content"])["names"])
        return float(content["start"][0]), content["depth"].astype(np.float64), content["labels"], names
    except Exception as error:
        raise InputError(f"{place}: not the templates of velocities ({error}); install transtar again") from error


@lru_cache(maxsize=16)
def load_templates(resolution: float) -> Templates:
    """The shipped templates at a resolving power.

    Parameters
    ----------
    resolution : float
        lambda / FWHM wanted, held between 300 and 5000: what is finer shows no more in velocities of the accuracy aimed at.

    Returns
    -------
    Templates

    Raises
    ------
    InputError
        If the shipped file is damaged.
    """
    start, depth, labels, names = _shipped()
    resolution = float(np.clip(resolution, LEAST, MOST))
    n = depth.shape[1]
    sigma = np.sqrt(max(resolution**-2.0 - RESOLUTION**-2.0, 0.0)) / (2 * np.sqrt(2 * np.log(2))) / STEP
    # Mirrored ends, so that nothing leaks around and no step is seen.
    margin = int(6 * sigma) + 32
    padded = np.pad(depth, ((0, 0), (margin, margin)), mode="reflect")
    size = next_fast_len(padded.shape[1], real=True)
    padded = np.pad(padded, ((0, 0), (0, size - padded.shape[1])), mode="linear_ramp", end_values=padded[:, :1].mean())
    frequency = np.arange(size // 2 + 1) / size
    spectrum = rfft(padded, axis=1) * np.exp(-2 * (np.pi * sigma * frequency) ** 2)
    fine = FINER * irfft(spectrum, n=FINER * size, axis=1)
    first = FINER * margin
    flux = 1 - fine[:, first : first + FINER * (n - 1) + 1]
    return Templates(start, STEP / FINER, np.ascontiguousarray(flux), labels, names)

"""The grid of synthetic spectra on disk, and smoothing to a lower resolution."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transtar.errors import InputError
from transtar.simulate.emulator.grid_range import LABEL_NAMES

STEP = 1.6e-5
"""log10 step of the grid's wavelengths."""

GRID_NAMES = ("teff", "logg", "feh", "afe", "vmic", "cfe")
"""The labels as the grid's files call them, in the order of `LABEL_NAMES`."""


@dataclass(frozen=True)
class Grid:
    """Spectra to train on.

    Parameters
    ----------
    labels : ndarray, shape (n, 6), float64
        Columns as `LABEL_NAMES`.
    values : dict of str to ndarray
        'flux' (n, P), 'continuum' (n, 96) and 'sed' (n_sed, 1421), float32, as the heads of `Emulator`.
    rows : dict of str to ndarray
        Row of `labels` of each row of the values.
    waves : dict of str to ndarray
        Vacuum wavelengths in Angstrom.
    """

    labels: np.ndarray
    values: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]
    waves: dict[str, np.ndarray]


@dataclass(frozen=True)
class Pairs:
    """Spectra of the same stars with one label changed; for checks only.

    Parameters
    ----------
    labels : ndarray, shape (n, 6), float64
    flux, clean : ndarray, shape (n, P), float32
        As the grid's, and at exactly R = 12,000.
    star : ndarray, shape (n,), int
    kind : ndarray, shape (n,), str
        'base', 'feh+', 'feh-', 'afe+' or 'afe-'.
    wave : ndarray, shape (P,)
    """

    labels: np.ndarray
    flux: np.ndarray
    clean: np.ndarray
    star: np.ndarray
    kind: np.ndarray
    wave: np.ndarray


def read_grid(folder: str | Path) -> Grid:
    """Read spectra.npz and sed.npz.

    Raises
    ------
    InputError
        If a file is missing or is not what it should be.
    """
    spectra, sed = _read(Path(folder) / "spectra.npz"), _read(Path(folder) / "sed.npz")
    try:
        everything = np.arange(len(spectra["params"]))
        return Grid(
            labels=_labels(spectra),
            values={
                "flux": _flux(spectra, "flux_u16"),
                "continuum": spectra["log10_continuum"],
                "sed": sed["log10_flux"],
            },
            rows={"flux": everything, "continuum": everything, "sed": sed["row"].astype(int)},
            waves={"flux": spectra["wave"], "continuum": spectra["cont_wave"], "sed": sed["wave"]},
        )
    except KeyError as error:
        raise InputError(f"{folder}: not a grid of synthetic spectra, {error} is missing") from None


def read_pairs(folder: str | Path) -> Pairs:
    """Read pairs.npz.

    Raises
    ------
    InputError
        If it is missing or is not what it should be.
    """
    pairs = _read(Path(folder) / "pairs.npz")
    try:
        flux, clean = _flux(pairs, "flux_u16"), _flux(pairs, "flux_clean_u16")
        return Pairs(_labels(pairs), flux, clean, pairs["base"], pairs["kind"], pairs["wave"])
    except KeyError as error:
        raise InputError(f"{folder}: not pairs of synthetic spectra, {error} is missing") from None


def smooth(flux: np.ndarray, wanted: float, native: float = 12_000.0, step: float = STEP) -> np.ndarray:
    """Lower the resolving power of spectra on wavelengths even in log10, with a Gaussian.

    Beyond its ends a spectrum is held; about one FWHM there is not to be used.

    Parameters
    ----------
    flux : ndarray, shape (n, P)
    wanted, native : float
        Resolving powers lambda/FWHM.
    step : float
        log10 step of the wavelengths.

    Returns
    -------
    ndarray, shape (n, P), float32
    """
    sigma = np.sqrt(wanted**-2.0 - native**-2.0) / (2 * np.sqrt(2 * np.log(2))) / (step * np.log(10))
    half = int(5 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    n = flux.shape[1]
    size = 1 << int(np.ceil(np.log2(n + 4 * half)))
    transform = np.fft.rfft(kernel / kernel.sum(), size)
    result = np.empty(flux.shape, dtype=np.float32)
    for row, spectrum in enumerate(flux):
        padded = np.pad(spectrum.astype(np.float64), half, mode="edge")
        result[row] = np.fft.irfft(np.fft.rfft(padded, size) * transform, size)[2 * half : 2 * half + n]
    return result


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable npz file ({error})") from None


def _labels(file: dict[str, np.ndarray]) -> np.ndarray:
    names = [str(name) for name in file["param_names"]]
    if tuple(names) != GRID_NAMES:
        raise InputError(f"synthetic grid: parameters {names}, expected {list(GRID_NAMES)} for {list(LABEL_NAMES)}")
    return file["params"].astype(np.float64)


def _flux(file: dict[str, np.ndarray], key: str) -> np.ndarray:
    return file[key].astype(np.float32) * np.float32(file["flux_scale"])

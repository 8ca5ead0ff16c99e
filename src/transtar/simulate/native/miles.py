"""Mock spectra of the MILES library: a primary image on linear air wavelengths, in the rest frame, without errors.

Sanchez-Blazquez et al. 2006, MNRAS 371, 703; Falcon-Barroso et al. 2011, A&A 532, A95.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from ...errors import InputError
from ...files import atomic_path, write_text
from ...spectra import SpectrumBatch
from ...surveys.air import air_to_vacuum
from .fits_blocks import simulated_cards

FIRST, STEP, SIZE = 3540.5, 0.9, 4300
"""First air wavelength and step in Angstrom, and number of pixels."""

FWHM = 2.5
LABELS = ("file", "miles_id", "name", "teff", "logg", "feh", "mg_fe")


def wavelengths() -> np.ndarray:
    """Vacuum wavelengths in Angstrom of the library's air pixels, shape (4300,)."""
    return air_to_vacuum(FIRST + STEP * np.arange(SIZE))


def file_name(number: int) -> str:
    """Name of the file of star `number`."""
    return f"MILES_res{FWHM:.2f}_star_m{number:04d}V.fits"


def write_miles(batch: SpectrumBatch, numbers: np.ndarray, folder: Path) -> list[Path]:
    """Write one file for each star.

    Parameters
    ----------
    batch : SpectrumBatch
        In the rest frame, on `wavelengths`. Masked pixels become zero, which is how the library marks missing flux.
    numbers : ndarray of int, shape (n,)
        The library's numbers, which make the file names; from 1.
    folder : Path

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If frame, wavelengths or number of rows are not right.
    """
    if batch.frame != "rest":
        raise InputError("MILES spectra are in the rest frame; these are not")
    if len(batch) != len(numbers):
        raise InputError(f"{len(batch)} MILES spectra for {len(numbers)} numbers")
    if len(batch.wave) != SIZE or np.abs(batch.wave - wavelengths()).max() > 0.01:
        raise InputError("MILES spectra must lie on the pixels of miles.wavelengths()")
    header = fits.Header([
        ("TPLLIB", "MILES", "Template library"), ("FWHM", FWHM, "FWHM of resolution element (angstroms)"),
        ("CRPIX1", 1), ("CRVAL1", FIRST), ("CDELT1", STEP), *((k, *v) for k, v in simulated_cards().items()),
    ])  # fmt: skip
    paths = []
    for flux, bad, number in zip(batch.flux, batch.mask, np.asarray(numbers).tolist(), strict=True):
        path = Path(folder) / file_name(number)
        with atomic_path(path, ours=True) as temporary:
            fits.PrimaryHDU(np.where(bad, 0.0, flux.astype(np.float64)), header).writeto(temporary, overwrite=True)
        paths.append(path)
    return paths


def write_split(stars: Table, numbers: np.ndarray, path: Path, seed: int = 0) -> Path:
    """Write which stars with 4000 K < Teff < 7000 K (the truth) are to learn from (pool, 55 %) and to judge by (test).

    Parameters
    ----------
    stars : Table
        teff.
    numbers : ndarray of int
    path : Path
        CSV.
    seed : int
    """
    teff = np.asarray(stars["teff"])
    chosen = np.random.default_rng(seed).permutation(np.asarray(numbers)[(teff > 4000) & (teff < 7000)])
    n_pool = round(0.55 * len(chosen))
    lines = [f"{file_name(k)},{'pool' if i < n_pool else 'test'}" for i, k in enumerate(chosen.tolist())]
    write_text(path, "\n".join(["file,split", *lines]) + "\n", ours=True)
    return path


def write_labels(stars: Table, numbers: np.ndarray, path: Path, seed: int = 0) -> Path:
    """Write labels with errors of 60 K, 0.12 dex and 0.08 dex; [Mg/Fe] (0.06 dex) for one star in ten.

    Parameters
    ----------
    stars : Table
        teff, logg, feh, mg_fe, source_id.
    numbers : ndarray of int
    path : Path
        CSV.
    """
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((4, len(stars))) * np.array([60, 0.12, 0.08, 0.06])[:, None]
    with atomic_path(path, ours=True) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*LABELS, "gaia_source_id"])
        for i, (number, row) in enumerate(zip(np.asarray(numbers).tolist(), stars, strict=True)):
            magnesium = f"{row['mg_fe'] + noise[3, i]:.2f}" if i % 10 == 0 else ""
            labels = [
                f"{row['teff'] + noise[0, i]:.0f}",
                f"{row['logg'] + noise[1, i]:.2f}",
                f"{row['feh'] + noise[2, i]:.2f}",
            ]
            writer.writerow(
                [file_name(number), number, f"MOCK{number:04d}", *labels, magnesium, str(int(row["source_id"]))]
            )
    return path

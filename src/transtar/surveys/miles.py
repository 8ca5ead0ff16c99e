"""The MILES stellar library (http://research.iac.es/proyecto/miles/): 985 stars, 3540-7410 A, air, rest frame."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..spectra import SpectrumBatch, check_wave, to_single
from ..tables.ids import NO_ID
from .air import air_to_vacuum
from .base import Survey
from .fits_parts import open_fits
from .header_cards import number, text
from .wave_units import to_angstrom

STEP, FIRST, LAST = 0.9, (3500.0, 3560.0), (7390.0, 7520.0)
"""Angstrom between pixels, and where the first and the last of them may lie: 3540.5 and 7409.6 in version 9.1, 3525 and 7500 in
the first release. Nothing else in a file of one dimension says whose it is."""


def read_miles(path: Path) -> SpectrumBatch:
    """Read one spectrum of the MILES library.

    Parameters
    ----------
    path : Path
        FITS with a one-dimensional primary image on linear air wavelengths.

    Returns
    -------
    SpectrumBatch
        One spectrum in vacuum Angstrom and the rest frame, without inverse variance. Masked where the flux is zero or
        not finite. The id is the number in the file name (250 of ``..._m0250V.fits``, -1 if there is none), for the
        file itself holds no identifier.

    Raises
    ------
    InputError
        If the file is broken or is not from MILES.
    """
    path = Path(path)
    with open_fits(path) as parts:
        first = next(parts)
        native = first.image()
        header = first.header
        # To the end, where a compressed file has its checksum.
        list(parts)
    wave = _air_wavelengths(header, native.shape, path)
    flux, _ = to_single(native)
    check_wave(wave, str(path))
    match = re.search(r"m(\d{3,5})V?\b", path.name)
    values: dict[str, Any] = {
        "file": path.name,
        "velocity": 0.0,
        "star": f"m{match[1]}" if match else path.name.split(".fit")[0],
        "class": "STAR",
    }
    return SpectrumBatch(
        wave=air_to_vacuum(wave),
        flux=flux[None, :],
        ivar=None,
        mask=(~np.isfinite(flux) | (flux == 0))[None, :],
        ids=np.array([int(match[1]) if match else NO_ID], dtype=np.int64),
        survey="miles",
        frame="rest",
        medium="air",
        meta={name: np.array([value]) for name, value in values.items()},
    )


def _air_wavelengths(header: Any, shape: tuple[int, ...], path: Path) -> np.ndarray:
    if len(shape) != 1:
        raise _not_miles(path, f"primary image of {len(shape)} dimensions, not 1")
    library = text(header, "TPLLIB")
    stated = np.array([number(header, "CRVAL1"), number(header, "CDELT1", "CD1_1")])
    (start, step), _ = to_angstrom(stated, text(header, "CUNIT1"), f"{path}: CUNIT1")
    if library and library.upper() != "MILES":
        raise _not_miles(path, f"TPLLIB '{library}'")
    reference = number(header, "CRPIX1")
    first = start - ((reference if np.isfinite(reference) else 1.0) - 1.0) * step
    wave = first + step * np.arange(shape[0])
    if not len(wave):
        raise _not_miles(path, "no image in the first HDU")
    if not (abs(step - STEP) < 1e-3 and FIRST[0] <= first <= FIRST[1] and LAST[0] <= wave[-1] <= LAST[1]):
        raise InputError(
            f"{path}: not a MILES spectrum, which runs from about 3540 to 7410 A in steps of {STEP} A (here: "
            f"CRVAL1 {start:g}, CDELT1 {step:g}, {shape[0]} pixels); "
            "other spectra of one dimension are read by --survey generic"
        )
    return wave


def _not_miles(path: Path, why: str) -> InputError:
    return InputError(f"{path}: not a MILES spectrum ({why}); is --survey right?")


SURVEY = Survey(
    name="miles",
    description="MILES stellar library (FWHM 2.5 A, 3540-7410 A, rest frame), FITS",
    read_file=read_miles,
    patterns=("*.fits",),
    frame="rest",
    resolution=2000.0,
    citation=(
        "Sanchez-Blazquez et al. 2006, MNRAS 371, 703; Falcon-Barroso et al. 2011, A&A 532, A95; "
        "Cenarro et al. 2007, MNRAS 374, 664"
    ),
    id_columns=("miles_id",),
)

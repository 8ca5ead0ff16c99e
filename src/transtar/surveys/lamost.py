"""LAMOST low-resolution spectra, in the older layout (primary image) and the newer one (table COADD).

Formats: the release documents at https://www.lamost.org; Luo et al. 2015, RAA 15, 1095. The layout is told by content:
files of DR1 to DR8 came as images, of DR10 as tables. The third row of the image holds wavelengths in later releases
but the continuum-normalised flux in DR1, where the wavelengths follow from COEFF0 and COEFF1.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..grids import MOST_VELOCITY, SPEED_OF_LIGHT, LogGrid
from ..spectra import SpectrumBatch, check_wave, to_single
from ..telling import tell
from .air import air_to_vacuum
from .base import Survey
from .fits_parts import Part, open_fits
from .header_cards import identifier, number, text
from .wave_units import to_angstrom

NATIVE = LogGrid("lamost", 3.5682, 1e-4, 3909)
"""The pixels LAMOST itself uses, 3700 to 9099 A vacuum: the longest spectra fill them, shorter ones part of them."""

GRID_TOLERANCE = 0.02
"""In pixels. Rounding of a start of 3700.0 A, or of float32 wavelengths, moves pixels by less than this."""

MOST_OFF = 0.1
"""Share of wavelengths that damage may move off the native pixels. Of those with another step nearly all lie off them."""

VECTORS = ("FLUX", "IVAR", "WAVELENGTH", "LOGLAM", "ANDMASK")
"""Columns of the newer layout that are read."""

_WAVE = NATIVE.wave
_WAVE.flags.writeable = False


def read_lamost(path: Path) -> SpectrumBatch:
    """Read one LAMOST low-resolution file.

    Parameters
    ----------
    path : Path
        FITS, gzipped or not.

    Returns
    -------
    SpectrumBatch
        One spectrum; on the 3909 native pixels, padded and masked where the file has none, if its wavelengths lie on
        them; otherwise on its own. The mask is ANDMASK > 0, padding, or a flux that is not finite. Meta columns beside
        the usual: ``release`` (DATA_V). ``velocity`` is c Z for class STAR, else NaN; ``star`` is the designation
        without 'LAMOST', which repeat visits share. ids are OBSID, -1 in DR1, which has none.

    Raises
    ------
    InputError
        If the file is broken, is a medium-resolution spectrum, or is not from LAMOST.
    """
    with open_fits(path) as parts:
        first = next(parts)
        header = first.header
        telescope = text(header, "TELESCOP")
        if telescope and "LAMOST" not in telescope.upper():
            raise _not_lamost(path, f"telescope '{shown(telescope)}'")
        image = first.image()
        if image.ndim == 2 and len(image) >= 3:
            wave, flux, ivar, bad = _from_image(image, header, path)
            # To the end, where a compressed file has its checksum.
            list(parts)
        elif not image.size:
            wave, flux, ivar, bad = _from_table(parts, path)
        else:
            raise _not_lamost(path, f"primary image of shape {image.shape}")
    check_wave(wave, str(path))
    medium = "vacuum" if header.get("VACUUM", True) not in (False, 0, "F") else "air"
    if medium == "air":
        wave = air_to_vacuum(wave)
    wave, flux, ivar, mask = _on_native_grid(wave, flux, ivar, bad, path)
    return SpectrumBatch(
        wave=wave,
        flux=flux[None, :],
        ivar=ivar[None, :],
        mask=mask[None, :],
        ids=np.array([identifier(header, "OBSID")], dtype=np.int64),
        survey="lamost",
        frame="observed",
        medium=medium,
        meta=_meta(header, path),
    )


def _from_image(rows: np.ndarray, header: Any, path: Path) -> tuple[np.ndarray, ...]:
    third = rows[2].astype(np.float64)
    if np.isfinite(third).all() and third[0] > 2500 and (np.diff(third) > 0).all():
        wave = third
    elif (third > 2500).mean() > MOST_OFF:
        # The flux divided by the continuum, which DR1 has there, is about 1.
        raise InputError(
            f"{path}: the wavelengths in its third row do not rise from pixel to pixel: damaged; fetch it again"
        )
    else:
        start, step = _once(header, path, "COEFF0", "CRVAL1"), _once(header, path, "COEFF1", "CD1_1", "CDELT1")
        if not (3 < start < 5 and 0 < step < 0.01):
            raise _not_lamost(path, "no wavelengths in the third row nor in COEFF0, COEFF1")
        wave = 10.0 ** (start + step * np.arange(rows.shape[1]))
    bad = rows[3] > 0 if len(rows) > 3 else np.zeros(rows.shape[1], dtype=bool)
    return wave, rows[0], rows[1], bad


def _once(header: Any, path: Path, *keys: str) -> float:
    """A number that the header gives under several names, which must agree."""
    values = [value for value in (number(header, key) for key in keys) if np.isfinite(value)]
    if not np.allclose(values, values[:1], rtol=1e-6, atol=0):
        listing = ", ".join(f"{key} = {number(header, key):g}" for key in keys)
        raise InputError(f"{path}: its header contradicts itself ({listing}); fetch it again")
    return values[0] if values else np.nan


def _from_table(parts: Iterable[Part], path: Path) -> tuple[np.ndarray, ...]:
    row: dict[str, np.ndarray] = {}
    for part in parts:
        if part.name.startswith(("COADD_B", "COADD_R")):
            raise InputError(
                f"{path}: a LAMOST medium-resolution file (HDUs COADD_B, COADD_R); the survey 'lamost' reads low "
                "resolution only, leave it out"
            )
        # Called COADD, or the only one there is.
        if part.is_table and (part.name == "COADD" or not row):
            columns = part.columns(VECTORS, vectors=True)
            if all(len(values) == 1 for values in columns.values()):
                row = {name: np.atleast_1d(values[0]) for name, values in columns.items()}
                if "WAVELENGTH" in row:
                    unit = part.unit("WAVELENGTH")
                    row["WAVELENGTH"], _ = to_angstrom(row["WAVELENGTH"], unit, f"{path}: column WAVELENGTH")
    if not {"FLUX", "IVAR"} <= set(row) or not {"WAVELENGTH", "LOGLAM"} & set(row):
        raise _not_lamost(path, "neither an image nor one row of vectors FLUX, IVAR, WAVELENGTH")
    flux, ivar = row["FLUX"], row["IVAR"]
    wave = row["WAVELENGTH"] if "WAVELENGTH" in row else 10.0 ** row["LOGLAM"].astype(np.float64)
    wave = wave.astype(np.float64)
    bad = row["ANDMASK"] > 0 if "ANDMASK" in row else np.zeros(len(flux), dtype=bool)
    if not len(wave) == len(flux) == len(ivar) == len(bad):
        raise _not_lamost(path, "its vectors differ in length")
    return wave, flux, ivar, bad


def _on_native_grid(
    wave: np.ndarray, flux: np.ndarray, ivar: np.ndarray, bad: np.ndarray, path: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Place a spectrum on the native pixels if its wavelengths are among them; the arrays are float32 and bool."""
    single, inverse = to_single(flux, ivar)
    assert inverse is not None
    mask = bad | ~np.isfinite(single)
    pixel = (np.log10(wave) - NATIVE.start) / NATIVE.step
    index = np.rint(pixel).astype(np.int64)
    off = np.abs(pixel - index) > GRID_TOLERANCE
    if 0 < off.mean() < MOST_OFF:
        raise InputError(
            f"{path}: {off.sum()} of {len(wave)} wavelengths are not on LAMOST's pixels, as the others are: damaged; "
            "fetch it again"
        )
    inside = (index >= 0) & (index < NATIVE.size)
    if off.any() or (np.diff(index) < 1).any() or inside.sum() < 2:
        return wave, single, inverse, mask
    beyond = ~inside & ~mask & (inverse > 0)
    if beyond.any():
        tell(f"{path}: {beyond.sum()} pixels beyond those of LAMOST ({_WAVE[0]:.0f} to {_WAVE[-1]:.0f} A) are left out")
    index = index[inside]
    full_flux, full_ivar = np.zeros((2, NATIVE.size), dtype=np.float32)
    full_mask = np.ones(NATIVE.size, dtype=bool)
    full_flux[index], full_ivar[index], full_mask[index] = single[inside], inverse[inside], mask[inside]
    return _WAVE, full_flux, full_ivar, full_mask


def _meta(header: Any, path: Path) -> dict[str, np.ndarray]:
    kind = text(header, "CLASS")
    redshift = number(header, "Z")
    # The redshift of a galaxy is no velocity within the Galaxy, and shifting by it would leave the grid.
    stellar = kind.upper() == "STAR" and SPEED_OF_LIGHT * abs(redshift) <= MOST_VELOCITY
    values: dict[str, Any] = {
        "file": Path(path).name,
        "velocity": SPEED_OF_LIGHT * redshift if stellar else np.nan,
        "star": text(header, "DESIG").removeprefix("LAMOST").strip(),
        "class": kind,
        "subclass": text(header, "SUBCLASS"),
        "snr_survey": number(header, "SNRG", "SN_G"),
        "ra": number(header, "RA"),
        "dec": number(header, "DEC"),
        "release": text(header, "DATA_V"),
    }
    return {name: np.array([value]) for name, value in values.items()}


def _not_lamost(path: Path, why: str) -> InputError:
    return InputError(f"{path}: not a LAMOST low-resolution spectrum ({why}); is --survey right?")


SURVEY = Survey(
    name="lamost",
    description="LAMOST low-resolution spectra (R 1800, 3700-9100 A), FITS of any release",
    read_file=read_lamost,
    patterns=("*.fits",),
    frame="observed",
    sky_lines=((5570.0, 5590.0),),
    resolution=1800.0,
    citation="Cui et al. 2012, RAA 12, 1197; Zhao et al. 2012, RAA 12, 723; Luo et al. 2015, RAA 15, 1095",
    id_columns=("obsid",),
    judge_unweighted=True,
)

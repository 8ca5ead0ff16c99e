"""LAMOST low-resolution spectra, in the older layout (primary image) and the newer one (table COADD).

Formats: the release documents at https://www.lamost.org; Luo et al. 2015, RAA 15, 1095. The layout is told by content:
files of DR1 to DR8 came as images, of DR10 as tables. The third row of the image holds wavelengths in later releases
but the continuum-normalised flux in DR1, where the wavelengths follow from COEFF0 and COEFF1.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..grids import MOST_VELOCITY, SPEED_OF_LIGHT, LogGrid
from ..spectra import SpectrumBatch, check_wave
from ..tables.ids import NO_ID
from .air import air_to_vacuum
from .base import Survey
from .native import number, read_fits, text

if TYPE_CHECKING:
    from astropy.io import fits

NATIVE = LogGrid("lamost", 3.5682, 1e-4, 3909)
"""The pixels LAMOST itself uses, 3700 to 9099 A vacuum: the longest spectra fill them, shorter ones part of them."""

GRID_TOLERANCE = 0.02
"""In pixels. Rounding of a start of 3700.0 A, or of float32 wavelengths, moves pixels by less than this."""

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
    hdus = read_fits(path)
    header = hdus[0].header
    telescope = text(header, "TELESCOP")
    if telescope and "LAMOST" not in telescope.upper():
        raise _not_lamost(path, f"telescope '{telescope}'")
    shape = tuple(hdus[0].shape)
    if len(shape) == 2 and shape[0] >= 3:
        wave, flux, ivar, bad = _from_image(hdus[0], path)
    elif not shape:
        wave, flux, ivar, bad = _from_table(hdus, path)
    else:
        raise _not_lamost(path, f"primary image of shape {shape}")
    check_wave(wave, str(path))
    medium = "vacuum" if header.get("VACUUM", True) not in (False, 0, "F") else "air"
    if medium == "air":
        wave = air_to_vacuum(wave)
    wave, flux, ivar, mask = _on_native_grid(wave, flux, ivar, bad)
    return SpectrumBatch(
        wave=wave,
        flux=flux[None, :],
        ivar=ivar[None, :],
        mask=mask[None, :],
        ids=np.array([_obsid(header)], dtype=np.int64),
        survey="lamost",
        frame="observed",
        medium=medium,
        meta=_meta(header, path),
    )


def _from_image(hdu: fits.PrimaryHDU, path: Path) -> tuple[np.ndarray, ...]:
    rows = hdu.data
    header = hdu.header
    third = rows[2].astype(np.float64)
    if np.isfinite(third).all() and third[0] > 2500 and (np.diff(third) > 0).all():
        wave = third
    else:
        start, step = number(header, "COEFF0", "CRVAL1"), number(header, "COEFF1", "CD1_1", "CDELT1")
        if not (3 < start < 5 and 0 < step < 0.01):
            raise _not_lamost(path, "no wavelengths in the third row nor in COEFF0, COEFF1")
        wave = 10.0 ** (start + step * np.arange(rows.shape[1]))
    bad = rows[3] > 0 if len(rows) > 3 else np.zeros(rows.shape[1], dtype=bool)
    return wave, rows[0], rows[1], bad


def _from_table(hdus: fits.HDUList, path: Path) -> tuple[np.ndarray, ...]:
    names = [hdu.name for hdu in hdus]
    if any(name.startswith(("COADD_B", "COADD_R")) for name in names):
        raise InputError(
            f"{path}: a LAMOST medium-resolution file (HDUs COADD_B, COADD_R); the survey 'lamost' reads low "
            "resolution only, leave it out"
        )
    hdu = next((hdu for hdu in hdus[1:] if hdu.name == "COADD"), hdus[-1])
    columns = {name.upper() for name in hdu.columns.names} if hasattr(hdu, "columns") else set()
    if not {"FLUX", "IVAR"} <= columns or not columns & {"WAVELENGTH", "LOGLAM"} or len(hdu.data) != 1:
        raise _not_lamost(path, "neither an image nor one row of vectors FLUX, IVAR, WAVELENGTH")
    row = {name: np.atleast_1d(hdu.data[name][0]) for name in columns & set(VECTORS)}
    flux, ivar = row["FLUX"], row["IVAR"]
    wave = row["WAVELENGTH"] if "WAVELENGTH" in row else 10.0 ** row["LOGLAM"].astype(np.float64)
    wave = wave.astype(np.float64)
    bad = row["ANDMASK"] > 0 if "ANDMASK" in row else np.zeros(len(flux), dtype=bool)
    if not len(wave) == len(flux) == len(ivar) == len(bad):
        raise _not_lamost(path, "its vectors differ in length")
    return wave, flux, ivar, bad


def _on_native_grid(
    wave: np.ndarray, flux: np.ndarray, ivar: np.ndarray, bad: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Place a spectrum on the native pixels if its wavelengths are among them; the arrays are float32 and bool."""
    flux, ivar = flux.astype(np.float32), ivar.astype(np.float32)
    mask = bad | ~np.isfinite(flux)
    pixel = (np.log10(wave) - NATIVE.start) / NATIVE.step
    index = np.rint(pixel).astype(np.int64)
    inside = (index >= 0) & (index < NATIVE.size)
    off_grid = np.abs(pixel - index).max() > GRID_TOLERANCE or (np.diff(index) < 1).any()
    if off_grid or inside.sum() < 2:
        return wave, flux, ivar, mask
    index = index[inside]
    full_flux, full_ivar = np.zeros((2, NATIVE.size), dtype=np.float32)
    full_mask = np.ones(NATIVE.size, dtype=bool)
    full_flux[index], full_ivar[index], full_mask[index] = flux[inside], ivar[inside], mask[inside]
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


def _obsid(header: Any) -> int:
    try:
        return int(header["OBSID"])
    except (KeyError, TypeError, ValueError):
        return NO_ID


def _not_lamost(path: Path, why: str) -> InputError:
    return InputError(f"{path}: not a LAMOST low-resolution spectrum ({why}); is --survey right?")


SURVEY = Survey(
    name="lamost",
    description="LAMOST low-resolution spectra (R 1800, 3700-9100 A), FITS of any release",
    read_file=read_lamost,
    patterns=("*.fits", "*.fits.gz"),
    frame="observed",
    sky_lines=((5570.0, 5590.0),),
    resolution=1800.0,
    citation="Cui et al. 2012, RAA 12, 1197; Zhao et al. 2012, RAA 12, 723; Luo et al. 2015, RAA 15, 1095",
    id_columns=("obsid",),
)

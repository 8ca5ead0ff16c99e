"""Mock DESI coadds and redrock files, in the layout of the healpix folders of a spectroscopic production.

https://desidatamodel.readthedocs.io: ``healpix/SURVEY/PROGRAM/PIX//100/PIX/coadd-SURVEY-PROGRAM-PIX.fits`` at nside
64, nested. Coadded over exposures, not over the cameras. Values that nothing here simulates are zero: among them all
TSNR2 scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from ...errors import InputError
from ...spectra import SpectrumBatch
from . import schemas, targets
from .fits_blocks import ImageHdu, TableHdu, block_of, write_hdus

GRIDS = {"B": (3600.0, 2751), "R": (5760.0, 2326), "Z": (7520.0, 2881)}
"""First wavelength in Angstrom and number of pixels of 0.8 A of each arm."""

STEP = 0.8
FLUX_UNIT = "10**-17 erg/(s cm2 Angstrom)"
IVAR_UNIT = "10**+34 (s2 cm4 Angstrom2) / erg2"
ALL_BAD, NO_DATA = 2, 256
"""Values of the bits ALLBADPIX and NODATA of desispec.maskbits.specmask."""

DIAGONALS = 11
_LIGHT = 299792.458


def arm_wavelengths(arm: str) -> np.ndarray:
    """Vacuum wavelengths in Angstrom of the arm 'B', 'R' or 'Z'."""
    first, size = GRIDS[arm]
    return first + STEP * np.arange(size)


def coadd_path(folder: Path, survey: str, program: str, pixel: int, kind: str = "coadd") -> Path:
    """Where the coadd (or 'redrock') file of a pixel stands within `folder`."""
    place = Path(folder) / "healpix" / survey / program / f"{pixel // 100}" / f"{pixel}"
    return place / f"{kind}-{survey}-{program}-{pixel}.fits"


def pixel_groups(rows: Table, size: int = 512) -> Iterator[np.ndarray]:
    """Split observations into groups of whole files, so that each can be simulated and written in turn.

    Parameters
    ----------
    rows : Table
        With ``survey``, ``program`` and ``healpix``.
    size : int
        A group is closed when it has that many rows.

    Yields
    ------
    ndarray of int
        Rows of the table.
    """
    order, starts = _files(rows)
    first = 0
    for end in [*starts[1:], len(order)]:
        if end - first >= size or end == len(order):
            yield order[first:end]
            first = end


def _files(rows: Table) -> tuple[np.ndarray, list[int]]:
    """Rows sorted by file, and where each file begins among them."""
    keys = [np.asarray(rows[name]) for name in ("healpix", "program", "survey")]
    order = np.lexsort(keys)
    new = np.ones(len(order), bool)
    new[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    return order, np.flatnonzero(new).tolist()


def write_coadds(
    arms: Mapping[str, SpectrumBatch],
    rows: Table,
    folder: Path,
    resolving_power: Mapping[str, float | np.ndarray] | None = None,
) -> list[Path]:
    """Write coadd and redrock files for a group of observations.

    Parameters
    ----------
    arms : mapping of str to SpectrumBatch
        Observed spectra of 'B', 'R', 'Z' (or lower case) in the order of `rows`, in 1e-17 erg/s/cm2/A. An arm that
        is not given is written without data: flux and ivar zero, mask NODATA.
    rows : Table
        One row a spectrum, all rows of a file at once (see `pixel_groups`): targetid, source_id (int64), survey,
        program, healpix, ra, dec, g_mag, fault, and what `targets.fibermap` finds. Spectra of negative targetids are
        blanked; of fault 'bad_normalisation', masked in the blue.
    folder : Path
        Root of the production; it gets the folder ``healpix``.
    resolving_power : mapping of str to float or ndarray of shape (n_pixels,), optional
        If given, RESOLUTION is written, of a Gaussian line spread at that lambda / FWHM (before the pixels widen it).

    Returns
    -------
    list of Path
        The coadd files.

    Raises
    ------
    InputError
        If rows and spectra do not agree, or an identifier is not int64.
    """
    targets.check_rows(rows)
    arms = {arm.upper(): batch for arm, batch in arms.items()}
    for arm, batch in arms.items():
        if arm not in GRIDS:
            raise InputError(f"DESI has no arm '{arm}'; its arms are {', '.join(GRIDS)}")
        if len(batch) != len(rows):
            raise InputError(f"arm {arm} has {len(batch)} spectra for {len(rows)} rows")
        if batch.ivar is None:
            raise InputError(f"arm {arm} has no inverse variances, which a coadd needs")
    order, starts = _files(rows)
    return [
        _write_file(arms, rows, order[start:end], Path(folder), resolving_power)
        for start, end in zip(starts, [*starts[1:], len(order)], strict=True)
    ]


def _write_file(
    arms: Mapping[str, SpectrumBatch], rows: Table, these: np.ndarray, folder: Path, power: Mapping | None
) -> Path:
    part = rows[these]
    survey, program, pixel = str(part["survey"][0]), str(part["program"][0]), int(part["healpix"][0])
    fibermap = targets.fibermap(part)
    hdus: list[TableHdu | ImageHdu] = []
    scores = {"TARGETID": fibermap["TARGETID"]}
    for arm in schemas.ARMS:
        wave, flux, ivar, mask = _arm(arms.get(arm), arm, part, these)
        scores.update(_scores(arm, flux, ivar))
        hdus += [
            ImageHdu(f"{arm}_WAVELENGTH", wave, "Angstrom"),
            ImageHdu(f"{arm}_FLUX", flux, FLUX_UNIT),
            ImageHdu(f"{arm}_IVAR", ivar, IVAR_UNIT),
            ImageHdu(f"{arm}_MASK", mask),
        ]
        if power is not None:
            spread = resolution_data(wave, power.get(arm, 3000.0))
            hdus.append(ImageHdu(f"{arm}_RESOLUTION", np.broadcast_to(spread, (len(part), *spread.shape))))
    pixel_cards = {"HPXPIXEL": pixel, "HPXNSIDE": 64, "HPXNEST": True}
    names = {"SURVEY": survey, "PROGRAM": program}
    tables = [
        _table("FIBERMAP", schemas.FIBERMAP, fibermap, {**names, "INSTRUME": "DESI", **pixel_cards}),
        _table(
            "EXP_FIBERMAP", schemas.EXP_FIBERMAP, targets.exposures(part), {**names, "INSTRUME": "DESI", **pixel_cards}
        ),
    ]
    cards = {"SPGRP": "healpix", "SPGRPVAL": pixel, **pixel_cards, **names, "LONGSTRN": "OGIP 1.0"}
    path = coadd_path(folder, survey, program, pixel)
    write_hdus(path, [*tables, *hdus, _table("SCORES", schemas.SCORES, scores, {})], cards)
    tsnr2 = {"TARGETID": fibermap["TARGETID"]}
    write_hdus(
        coadd_path(folder, survey, program, pixel, "redrock"),
        [
            _table("REDSHIFTS", schemas.REDSHIFTS, redshifts(part), {}),
            *tables,
            _table("TSNR2", schemas.TSNR2, tsnr2, {}),
        ],
        {"LONGSTRN": "OGIP 1.0", "RRVER": ("simulated", "Redrock version")},
    )
    return path


def _table(name: str, columns: Sequence, values: Mapping[str, np.ndarray], cards: Mapping) -> TableHdu:
    return TableHdu(name, tuple(columns), len(values["TARGETID"]), block_of(values), cards)


def _arm(batch: SpectrumBatch | None, arm: str, rows: Table, these: np.ndarray) -> tuple[np.ndarray, ...]:
    if batch is None or batch.ivar is None:
        wave = arm_wavelengths(arm)
        zeros = np.zeros((len(rows), len(wave)), np.float32)
        return wave, zeros, zeros, np.full(zeros.shape, NO_DATA, np.int32)
    wave = batch.wave
    flux, ivar = batch.flux[these].astype(np.float32), batch.ivar[these].astype(np.float32)
    bad = batch.mask[these] | ~np.isfinite(flux) | ~np.isfinite(ivar)
    spoilt = np.asarray(rows["fault"]) == "bad_normalisation"
    bad |= spoilt[:, None] & ((wave > 4000) & (wave < 4700))[None, :]
    bad |= (np.asarray(rows["targetid"]) < 0)[:, None]
    flux[~np.isfinite(flux) | (np.asarray(rows["targetid"]) < 0)[:, None]] = 0
    ivar[bad] = 0
    bits = np.where(bad, ALL_BAD, 0).astype(np.int32)
    if "mask_bits" in batch.meta:
        set_bits = np.asarray(batch.meta["mask_bits"])[these].astype(np.int32)
        bits = np.where(set_bits != 0, set_bits, bits)
    return wave, flux, ivar, bits


def _scores(arm: str, flux: np.ndarray, ivar: np.ndarray) -> dict[str, np.ndarray]:
    """Sums and medians over the good pixels, as desispec.specscore; zero where there are none."""
    good = ivar > 0
    some = good.any(axis=1)
    values = np.zeros((3, len(flux)))
    if some.any():
        values[0, some] = STEP * np.where(good, flux, 0)[some].sum(axis=1)
        values[1, some] = np.nanmedian(np.where(good, flux, np.nan)[some], axis=1)
        values[2, some] = np.nanmedian(np.where(good, flux * np.sqrt(ivar), np.nan)[some], axis=1)
    kinds = ("INTEG_COADD_FLUX", "MEDIAN_COADD_FLUX", "MEDIAN_COADD_SNR")
    return {f"{kind}_{arm}": value for kind, value in zip(kinds, values, strict=True)}


def redshifts(rows: Table) -> dict[str, np.ndarray]:
    """Columns of redrock's REDSHIFTS; 'not_star' becomes a galaxy, a stuck positioner has ZWARN 2**9."""
    n = len(rows)
    stuck = np.asarray(rows["targetid"]) < 0
    galaxy = np.asarray(rows["fault"]) == "not_star"
    velocity = np.where(stuck, 0.0, np.nan_to_num(targets.column(rows, "radial_velocity", 0.0)))
    return {
        "TARGETID": np.asarray(rows["targetid"]),
        "Z": np.where(galaxy, 0.08, velocity / _LIGHT),
        "ZERR": np.full(n, 1e-5),
        "ZWARN": np.where(stuck, 512, 0),
        "CHI2": np.where(stuck, 9e99, 8000.0),
        "FITMETHOD": np.full(n, "PCA"),
        "NPIXELS": np.where(stuck, 0, sum(size for _, size in GRIDS.values())),
        "SPECTYPE": np.where(galaxy, "GALAXY", "STAR"),
        "SUBTYPE": np.where(galaxy | stuck, "", "G"),
        "NCOEFF": np.full(n, 5),
        "DELTACHI2": np.where(stuck, 0.0, 1000.0),
    }


def resolution_data(wave: np.ndarray, resolving_power: float | np.ndarray) -> np.ndarray:
    """The eleven diagonals of a resolution matrix, in the order of desispec.resolution.Resolution (offset +5 to -5).

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,)
    resolving_power : float or ndarray, shape (n_pixels,)
        lambda / FWHM of a Gaussian.

    Returns
    -------
    ndarray, shape (11, n_pixels), float32
        Weights that add up to 1 over the diagonals.
    """
    sigma = wave / resolving_power / 2.354820 / np.gradient(wave)
    offsets = np.arange(DIAGONALS // 2, -(DIAGONALS // 2) - 1, -1)
    # The mean over each pixel, by 20 points in it.
    inside = (np.arange(20) - 9.5) / 20
    weights = np.exp(-0.5 * ((offsets[:, None, None] + inside[:, None]) / sigma) ** 2).mean(axis=1)
    return (weights / weights.sum(axis=0)).astype(np.float32)

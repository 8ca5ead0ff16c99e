"""Identifiers and target tables of mock DESI observations, shared by coadds, redrock files and catalogs."""

from __future__ import annotations

import numpy as np
from astropy.table import Table

from ...errors import InputError

MOCK_BIT = 58
"""The bit of a TARGETID that marks mock targets (desitarget.targetmask.targetid_mask)."""

STUCK = 2
"""COADD_FIBERSTATUS of a stuck positioner (desispec.maskbits.fibermask)."""

REQUIRED = ("targetid", "survey", "program", "healpix", "source_id", "ra", "dec", "g_mag", "fault")


def mock_targetids(healpix: np.ndarray, number: np.ndarray) -> np.ndarray:
    """TARGETIDs in DESI's own encoding, with the bit for mock targets set.

    Parameters
    ----------
    healpix : ndarray, shape (n,), int64
        Pixel at nside 64, which stands in for the brick.
    number : ndarray, shape (n,), int64
        Below 2**22, different for all targets of a pixel.

    Returns
    -------
    ndarray, shape (n,), int64
    """
    release = 9000
    return (
        np.asarray(number, np.int64)
        | np.asarray(healpix, np.int64) << 22
        | np.int64(release) << 42
        | np.int64(1) << MOCK_BIT
    )


def check_rows(rows: Table) -> None:
    """Check that a table of observations can be written.

    Raises
    ------
    InputError
        If a column is missing or identifiers are not int64.
    """
    missing = [name for name in REQUIRED if name not in rows.colnames]
    if missing:
        raise InputError(f"rows of DESI observations have no column {', '.join(missing)}")
    for name in ("targetid", "source_id"):
        if rows[name].dtype != np.int64:
            raise InputError(f"rows of DESI observations: {name} must be int64, not {rows[name].dtype}")


def column(rows: Table, name: str, filler: float = np.nan) -> np.ndarray:
    """A column as a plain array, or `filler` where there is none."""
    return np.asarray(rows[name]) if name in rows.colnames else np.full(len(rows), filler)


def fibermap(rows: Table) -> dict[str, np.ndarray]:
    """Columns of FIBERMAP that a mock target has values for.

    Parameters
    ----------
    rows : Table
        One row an observation. A negative ``targetid`` is a stuck positioner: OBJTYPE BAD, no Gaia match.
    """
    n = len(rows)
    targetid, ra, dec = (np.asarray(rows[name]) for name in ("targetid", "ra", "dec"))
    stuck = targetid < 0
    r_mag = column(rows, "r_mag") if "r_mag" in rows.colnames else np.asarray(rows["g_mag"])
    nanomaggies = 10 ** (0.4 * (22.5 - r_mag))
    bp_rp = column(rows, "bp_mag", 0.0) - column(rows, "rp_mag", 0.0)
    columns = {
        "TARGETID": targetid,
        "COADD_FIBERSTATUS": np.where(stuck, STUCK, 0),
        "TARGET_RA": ra,
        "TARGET_DEC": dec,
        "DESINAME": np.array([_desi_name(*place) for place in zip(ra, dec, strict=True)], dtype="U22"),
        "PMRA": column(rows, "pmra", 0.0),
        "PMDEC": column(rows, "pmdec", 0.0),
        "REF_EPOCH": np.full(n, 2015.5),
        "FA_TYPE": np.where(stuck, 4, 1),
        "OBJTYPE": np.where(stuck, "BAD", "TGT"),
        "SUBPRIORITY": np.mod(np.abs(targetid), 9973) / 9973,
        "OBSCONDITIONS": np.ones(n, int),
        "RELEASE": np.where(stuck, 0, 9000),
        "BRICKID": np.asarray(rows["healpix"]),
        "BRICK_OBJID": np.where(stuck, 0, targetid & (2**22 - 1)),
        "MORPHTYPE": np.where(stuck, "", "PSF"),
        "EBV": column(rows, "ebv", 0.0),
        "FLUX_G": nanomaggies * 10 ** (-0.4 * 0.6 * bp_rp),
        "FLUX_R": nanomaggies,
        "FLUX_Z": nanomaggies * 10 ** (0.4 * 0.4 * bp_rp),
        "REF_ID": np.where(stuck, 0, np.asarray(rows["source_id"])),
        "REF_CAT": np.where(stuck, "", "G2"),
        "GAIA_PHOT_G_MEAN_MAG": np.asarray(rows["g_mag"]),
        "GAIA_PHOT_BP_MEAN_MAG": column(rows, "bp_mag", 0.0),
        "GAIA_PHOT_RP_MEAN_MAG": column(rows, "rp_mag", 0.0),
        "PARALLAX": column(rows, "parallax", 0.0),
        "PHOTSYS": np.where(dec > 32.375, "N", "S"),
        "DESI_TARGET": np.where(stuck, 0, np.int64(1) << 61),  # MWS_ANY
        "MWS_TARGET": np.where(stuck, 0, np.int64(1) << 8),  # MWS_MAIN_BLUE
        "PLATE_RA": ra,
        "PLATE_DEC": dec,
        "COADD_NUMEXP": np.ones(n, int),
        "COADD_EXPTIME": np.full(n, 180.0),
        "COADD_NUMNIGHT": np.ones(n, int),
        "COADD_NUMTILE": np.ones(n, int),
        "MEAN_PSF_TO_FIBER_SPECFLUX": np.full(n, 0.79),
        "MEAN_FIBER_RA": ra,
        "MEAN_FIBER_DEC": dec,
        **{f"{name}_MJD": np.full(n, 59400.3) for name in ("MIN", "MAX", "MEAN")},
    }
    for band in ("G", "R", "Z"):
        columns[f"FLUX_IVAR_{band}"] = (100 / columns[f"FLUX_{band}"]) ** 2
        columns[f"FIBERFLUX_{band}"] = columns[f"FIBERTOTFLUX_{band}"] = 0.78 * columns[f"FLUX_{band}"]
    return columns


def exposures(rows: Table) -> dict[str, np.ndarray]:
    """Columns of EXP_FIBERMAP: one exposure for each target."""
    n = len(rows)
    fiber = np.arange(n) % 5000
    stuck = np.asarray(rows["targetid"]) < 0
    return {
        "TARGETID": np.asarray(rows["targetid"]),
        "NIGHT": np.full(n, 20210705),
        "EXPID": np.full(n, 97000),
        "MJD": np.full(n, 59400.3),
        "TILEID": np.full(n, 20000),
        "EXPTIME": np.full(n, 180.0),
        "PETAL_LOC": fiber // 500,
        "DEVICE_LOC": fiber % 500,
        "LOCATION": fiber // 500 * 1000 + fiber % 500,
        "FIBER": fiber,
        "FIBERSTATUS": np.where(stuck, STUCK, 0),
        "LAMBDA_REF": np.full(n, 5400.0),
        "PLATE_RA": np.asarray(rows["ra"]),
        "PLATE_DEC": np.asarray(rows["dec"]),
        "NUM_ITER": np.ones(n, int),
        "FIBER_RA": np.asarray(rows["ra"]),
        "FIBER_DEC": np.asarray(rows["dec"]),
        "PSF_TO_FIBER_SPECFLUX": np.full(n, 0.79),
        **{f"IN_COADD_{arm}": ~stuck for arm in ("B", "R", "Z")},
    }


def _desi_name(ra: float, dec: float) -> str:
    # desiutil.names.radec_to_desiname cuts digits off rather than rounding.
    return f"DESI J{np.floor(ra * 1e4) / 1e4:08.4f}{'-' if dec < 0 else '+'}{np.floor(abs(dec) * 1e4) / 1e4:07.4f}"

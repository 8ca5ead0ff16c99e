"""Mock catalog of the DESI Milky Way Survey, of the simulated pipeline.

RVTAB, SPTAB, FIBERMAP, SCORES and GAIA match row by row; a row is an observation, not a star. Data model:
https://desi-mws-dr1-datamodel.readthedocs.io; Koposov et al. 2025.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

from ...errors import InputError
from ...grids import SPEED_OF_LIGHT
from . import schemas, targets
from .fits_blocks import TableHdu, write_hdus

RELEASES = {"edr": "mwsall-pix-fuji.fits", "dr1": "mwsall-pix-iron.fits"}
"""File names of the Early Data Release and of Data Release 1."""

LABELS = ("teff", "logg", "feh", "alphafe")
NEEDED = ("sp_teff", "rv_teff", "vrad", "vrad_err", "bestgrid", "snr_b", "primary")
ARM_SNR = {"b": 1.0, "r": 1.4, "z": 1.5}
"""S/N per pixel of each arm relative to the blue one."""


def write_mwsall(rows: Table, path: Path) -> Path:
    """Write a catalog.

    Parameters
    ----------
    rows : Table
        One row an observation, after `catalog_rows.apply_faults`: what `targets.fibermap` finds, the columns of
        `simulate_pipeline`, ``snr_b`` (median S/N per pixel in the blue), ``primary`` (bytes T, F or
        empty), ``rvs_warn``, ``rr_spectype``; optionally ``snr_r`` and ``snr_z``, else `ARM_SNR` times the blue.
    path : Path

    Returns
    -------
    Path
        The same.

    Raises
    ------
    InputError
        If a column is missing or an identifier is not int64.
    """
    targets.check_rows(rows)
    missing = [name for name in (*NEEDED, "rvs_warn", "rr_spectype") if name not in rows.colnames]
    if missing:
        raise InputError(f"rows of the catalog have no column {', '.join(missing)}")
    makers = {
        "RVTAB": (schemas.RVTAB, _rvtab),
        "SPTAB": (schemas.SPTAB, _sptab),
        "FIBERMAP": (schemas.FIBERMAP, targets.fibermap),
        "SCORES": (schemas.SCORES, _scores),
        "GAIA": (schemas.GAIA, _gaia),
    }
    hdus = [
        TableHdu(name, tuple(columns), len(rows), lambda part, make=make: make(rows[part]))  # type: ignore[misc]
        for name, (columns, make) in makers.items()
    ]
    return write_hdus(Path(path), hdus, {"PIPELINE": ("simulated pipeline", "what made the stellar parameters")})


def arm_snr(rows: Table, arm: str) -> np.ndarray:
    """S/N per pixel of the arm 'b', 'r' or 'z'."""
    name = f"snr_{arm}"
    return np.asarray(rows[name]) if name in rows.colnames else ARM_SNR[arm] * np.asarray(rows["snr_b"])


def _common(rows: Table) -> dict[str, np.ndarray]:
    matched = np.asarray(rows["fault"]) != "no_match"
    return {
        "TARGETID": np.asarray(rows["targetid"]),
        "TARGET_RA": np.asarray(rows["ra"]),
        "TARGET_DEC": np.asarray(rows["dec"]),
        "REF_ID": np.where(matched, np.asarray(rows["source_id"]), 0),
        "REF_CAT": np.where(matched, "G2", ""),
        "HEALPIX": np.asarray(rows["healpix"]),
    }


def _rvtab(rows: Table) -> dict[str, np.ndarray]:
    snr = np.asarray(rows["snr_b"])
    n_pixels = 7958.0
    return {
        **_common(rows),
        "VRAD": np.asarray(rows["vrad"]),
        "VRAD_ERR": np.asarray(rows["vrad_err"]),
        **{label.upper(): np.asarray(rows[f"rv_{label}"]) for label in LABELS},
        **{f"{label.upper()}_ERR": np.asarray(rows[f"rv_{label}_err"]) for label in LABELS},
        "VSINI": np.maximum(targets.column(rows, "vsini", 5.0), 0),
        "CHISQ_TOT": np.full(len(rows), n_pixels),
        "CHISQ_C_TOT": n_pixels + 20 * snr**2,
        "RVS_WARN": np.asarray(rows["rvs_warn"]),
        **{f"SN_{arm.upper()}": arm_snr(rows, arm) for arm in ARM_SNR},
        "SUCCESS": np.asarray(rows["fault"]) != "negative",
        "RR_Z": np.where(rows["rr_spectype"] == "STAR", np.asarray(rows["vrad"]) / SPEED_OF_LIGHT, 0.08),
        "RR_SPECTYPE": np.asarray(rows["rr_spectype"]),
        "SURVEY": np.asarray(rows["survey"]),
        "PROGRAM": np.asarray(rows["program"]),
        "PRIMARY": np.asarray(rows["primary"]),
    }


def _sptab(rows: Table) -> dict[str, np.ndarray]:
    micro = np.log10(np.maximum(targets.column(rows, "vmic", 1.5), 0.3))
    feh, alphafe, teff, logg = (np.asarray(rows[f"sp_{name}"]) for name in ("feh", "alphafe", "teff", "logg"))
    covariance = np.zeros((len(rows), 5, 5))
    for place, name in ((0, "feh"), (1, "alphafe"), (3, "teff"), (4, "logg")):
        covariance[:, place, place] = np.asarray(rows[f"sp_{name}_err"]) ** 2
    covariance[:, 2, 2] = 0.01
    pixels = np.asarray(rows["healpix"]).tolist()
    names = zip(np.asarray(rows["survey"]).tolist(), np.asarray(rows["program"]).tolist(), pixels, strict=True)
    return {
        **_common(rows),
        "SUCCESS": np.asarray(rows["sp_success"]) if "sp_success" in rows.colnames else np.ones(len(rows), np.int64),
        "SRCFILE": np.array([f"coadd-{s}-{p}-{x}"[:24] for s, p, x in names], dtype="U24"),
        "BESTGRID": np.asarray(rows["bestgrid"]),
        "TEFF": teff,
        "LOGG": logg,
        "FEH": feh,
        "ALPHAFE": alphafe,
        "LOG10MICRO": micro,
        "PARAM": np.stack([feh, alphafe, micro, teff, logg], axis=1),
        "COVAR": covariance,
        "CHISQ_TOT": np.full(len(rows), 1.0),
        "SNR_MED": 1.2 * np.asarray(rows["snr_b"]),
        "RV_ADOP": np.asarray(rows["vrad"]),
        "RV_ERR": np.asarray(rows["vrad_err"]),
    }


def _scores(rows: Table) -> dict[str, np.ndarray]:
    return {
        "TARGETID": np.asarray(rows["targetid"]),
        **{f"MEDIAN_COADD_SNR_{arm.upper()}": arm_snr(rows, arm) for arm in ARM_SNR},
    }


def _gaia(rows: Table) -> dict[str, np.ndarray]:
    matched = np.asarray(rows["fault"]) != "no_match"
    ids = np.where(matched, np.asarray(rows["source_id"]), 0)
    g = np.asarray(rows["g_mag"])
    error = 0.02 * 10 ** (0.2 * np.clip(g - 14, 0, 8))

    def known(name: str) -> np.ndarray:
        return np.where(matched, targets.column(rows, name), np.nan)

    return {
        "DESIGNATION": np.array([f"Gaia DR3 {i}" if i else "" for i in ids.tolist()], dtype="U28"),
        "SOURCE_ID": ids,
        "REF_EPOCH": np.full(len(rows), 2016.0),
        "RA": known("ra"),
        "DEC": known("dec"),
        "PARALLAX": known("parallax"),
        "PARALLAX_ERROR": error,
        "PMRA": known("pmra"),
        "PMRA_ERROR": error,
        "PMDEC": known("pmdec"),
        "PMDEC_ERROR": error,
        "RUWE": np.ones(len(rows)),
        "PHOT_G_MEAN_MAG": known("g_mag"),
        "PHOT_BP_MEAN_MAG": known("bp_mag"),
        "PHOT_RP_MEAN_MAG": known("rp_mag"),
        "BP_RP": known("bp_mag") - known("rp_mag"),
        "RADIAL_VELOCITY": np.where(g < 14, known("radial_velocity"), np.nan),
        "RADIAL_VELOCITY_ERROR": np.where(g < 14, 1.0, np.nan),
        "HAS_XP_CONTINUOUS": matched & (g < 17.65),
        "HAS_XP_SAMPLED": matched & (g < 15),
        "EBV": targets.column(rows, "ebv", 0.0),
    }

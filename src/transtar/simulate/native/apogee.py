"""Mock allStar catalog of APOGEE DR17, with flags, label errors and repeated stars.

Columns as in the data model of allStar-dr17-synspec_rev1 (Abdurro'uf et al. 2022, ApJS 259, 35): the part that label
transfer needs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

from ...errors import InputError
from .fits_blocks import TableHdu, parse_columns, write_hdus

COLUMNS = parse_columns("""
APOGEE_ID 18A
TELESCOPE 8A
FIELD 16A
RA D deg
DEC D deg
SNR E # median S/N per pixel in combined frame at apStar sampling
STARFLAG J # bit mask of stars
NVISITS J
VHELIO_AVG E km/s
VSCATTER E km/s
GAIAEDR3_SOURCE_ID K # 0 without a match
GAIAEDR3_PARALLAX E mas
GAIAEDR3_PMRA E mas/yr
GAIAEDR3_PMDEC E mas/yr
GAIAEDR3_PHOT_G_MEAN_MAG E mag
GAIAEDR3_PHOT_BP_MEAN_MAG E mag
GAIAEDR3_PHOT_RP_MEAN_MAG E mag
EXTRATARG J # bit 4: duplicate of a star
ASPCAPFLAG K # bit mask of parameters; 23: STAR_BAD
TEFF E K
TEFF_ERR E K
LOGG E
LOGG_ERR E
M_H E
M_H_ERR E
ALPHA_M E
ALPHA_M_ERR E
FE_H E
FE_H_ERR E
FE_H_FLAG J
MG_FE E
MG_FE_ERR E
MG_FE_FLAG J
""")

DUPLICATE = 16
"""EXTRATARG of a repeated star: bit 4."""

FLAGS = {
    "starflag": ("STARFLAG", 2**9),  # PERSIST_HIGH
    "fe_h_flag": ("FE_H_FLAG", 2**0),  # GRIDEDGE_BAD
    "mg_fe_flag": ("MG_FE_FLAG", 2**0),
    "aspcapflag": ("ASPCAPFLAG", 2**23),  # STAR_BAD
}
"""Fault to column and bit (https://www.sdss4.org/dr17/irspec/apogee-bitmasks/)."""


def write_allstar(rows: Table, path: Path) -> Path:
    """Write the catalog.

    Parameters
    ----------
    rows : Table
        One row a line of the catalog: source_id (int64), ra, dec, g_mag, ``apogee_snr``, the columns of
        `aspcap.simulate_aspcap`, and ``fault``: a key of `FLAGS`, 'no_gaia' (identifier 0) or 'duplicate' (EXTRATARG bit 4).
    path : Path
        FITS.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    InputError
        If a column is missing or the identifiers are not int64.
    """
    needed = ("source_id", "ra", "dec", "g_mag", "apogee_snr", "apogee_fe_h", "fault")
    missing = [name for name in needed if name not in rows.colnames]
    if missing:
        raise InputError(f"rows of allStar have no column {', '.join(missing)}")
    if rows["source_id"].dtype != np.int64:
        raise InputError(f"rows of allStar: source_id must be int64, not {rows['source_id'].dtype}")
    table = TableHdu("ALLSTAR", COLUMNS, len(rows), lambda part: _columns(rows[part]))
    return write_hdus(Path(path), [table], {"PIPELINE": ("simulated pipeline", "what made the stellar parameters")})


def _columns(rows: Table) -> dict[str, np.ndarray]:
    n = len(rows)
    fault = np.asarray(rows["fault"])
    ra, dec = np.asarray(rows["ra"]), np.asarray(rows["dec"])
    columns = {
        "APOGEE_ID": np.array([apogee_id(*place) for place in zip(ra, dec, strict=True)], dtype="U18"),
        "TELESCOPE": np.where(dec > -15, "apo25m", "lco25m"),
        "FIELD": np.full(n, "MOCK"),
        "RA": ra,
        "DEC": dec,
        "SNR": np.asarray(rows["apogee_snr"]),
        "NVISITS": np.full(n, 3),
        "GAIAEDR3_SOURCE_ID": np.where(fault == "no_gaia", 0, np.asarray(rows["source_id"])),
        "EXTRATARG": np.where(fault == "duplicate", DUPLICATE, 0),
    }
    for name, (column, bit) in FLAGS.items():
        columns[column] = np.where(fault == name, bit, 0)
    # A warning that the paper does not ask for: TEFF_WARN, on one row in seven.
    columns["ASPCAPFLAG"] = columns["ASPCAPFLAG"] | np.where(np.asarray(rows["source_id"]) % 7 == 0, 1, 0)
    for name in ("TEFF", "LOGG", "M_H", "ALPHA_M", "FE_H", "MG_FE"):
        for suffix in ("", "_ERR"):
            columns[name + suffix] = np.asarray(rows[f"apogee_{name.lower()}{suffix.lower()}"])
    gaia = {"PARALLAX": "parallax", "PMRA": "pmra", "PMDEC": "pmdec"}
    bands = {f"PHOT_{band.upper()}_MEAN_MAG": f"{band}_mag" for band in ("g", "bp", "rp")}
    for name, source in {**gaia, **bands}.items():
        if source in rows.colnames:
            columns[f"GAIAEDR3_{name}"] = np.asarray(rows[source])
    if "radial_velocity" in rows.colnames:
        columns["VHELIO_AVG"] = np.asarray(rows["radial_velocity"])
        columns["VSCATTER"] = np.full(n, 0.1)
    return columns


def apogee_id(ra: float, dec: float) -> str:
    """2MASS-like name: 2M03240858+4632046."""
    seconds, arc = int(ra * 24000 + 1e-6), int(abs(dec) * 36000 + 1e-6)
    hours = f"{seconds // 360000:02d}{seconds // 6000 % 60:02d}{seconds % 6000:04d}"
    return f"2M{hours}{'-' if dec < 0 else '+'}{arc // 36000:02d}{arc // 600 % 60:02d}{arc % 600:03d}"

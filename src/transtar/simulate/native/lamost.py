"""Mock LAMOST low-resolution spectra and their label catalog, in the layout of DR10.

Files ``spec-LMJD-PLANID_spNN-FFF.fits.gz``: an empty primary image with the header of the observation, and a table
COADD of one row of vectors. Luo et al. 2015, RAA 15, 1095, and the release documents at https://www.lamost.org.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from ...errors import InputError
from ...files import atomic_path
from ...spectra import SpectrumBatch
from .fits_blocks import BLOCK, header_bytes, simulated_cards

CATALOG = (
    "file", "obsid", "designation", "subclass", "snrg", "z", "ra", "dec",
    "teff", "logg", "feh", "teff_err", "logg_err", "feh_err", "gaia_source_id",
)  # fmt: skip
"""Columns of labels.csv; the identifier of Gaia is text, as in LAMOST's own catalogs, and empty without a match."""

VECTORS = ("FLUX", "IVAR", "WAVELENGTH", "ANDMASK", "ORMASK", "NORMALIZATION")
MISSING = -9999.0
COMPRESSION = 4
_CLASSES = ((10000, "B6"), (7500, "A5"), (6000, "F5"), (5200, "G5"), (3900, "K5"), (0, "M2"))


def file_name(lmjd: int, plan: str, spectrograph: int, fiber: int) -> str:
    """Name of the file of one spectrum."""
    return f"spec-{lmjd}-{plan}_sp{spectrograph:02d}-{fiber:03d}.fits.gz"


def fiber_places(n: int, first: int = 0) -> dict[str, np.ndarray]:
    """Nights, plans, spectrographs, fibres and observation numbers of `n` spectra, 4000 to a plate.

    Parameters
    ----------
    n : int
    first : int
        Spectra that were placed before.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        lmjd, plan, spectrograph, fiber, obsid (int64) and file.
    """
    number = first + np.arange(n, dtype=np.int64)
    plate, within = number // 4000, number % 4000
    places = {
        "lmjd": 59000 + plate,
        "plan": np.array([f"MOCK{p:06d}" for p in plate], dtype="U10"),
        "spectrograph": within // 250 + 1,
        "fiber": within % 250 + 1,
        # As in genuine ones the last five digits are spectrograph and fibre.
        "obsid": (900000 + plate) * 100000 + (within // 250 + 1) * 1000 + within % 250 + 1,
    }
    names = zip(*(places[key].tolist() for key in ("lmjd", "plan", "spectrograph", "fiber")), strict=True)
    return {**places, "file": np.array([file_name(*name) for name in names], dtype="U40")}


def write_lamost(batch: SpectrumBatch, rows: Table, folder: Path) -> list[Path]:
    """Write one gzipped file for each spectrum.

    Parameters
    ----------
    batch : SpectrumBatch
        Observed spectra on vacuum wavelengths, in any units of flux, with inverse variances.
    rows : Table
        One row a spectrum: obsid and source_id (int64), file, lmjd, plan, spectrograph, fiber, ra, dec, teff, z
        (redshift) and snrg, as `fiber_places` and `lasp.simulate_lasp` give them.
    folder : Path
        Gets the files themselves.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If rows and spectra do not agree.
    """
    if len(batch) != len(rows):
        raise InputError(f"{len(batch)} LAMOST spectra for {len(rows)} rows")
    if batch.ivar is None:
        raise InputError("LAMOST spectra need inverse variances")
    wave = batch.wave.astype(">f4")
    layout = np.dtype([(name, ">f4", (len(wave),)) for name in VECTORS])
    table_header = _table_header(len(wave))
    level = np.nanmedian(np.where(batch.mask, np.nan, batch.flux), axis=1)
    paths = []
    for i, row in enumerate(rows):
        record = np.zeros(1, layout)
        record["FLUX"], record["IVAR"], record["WAVELENGTH"] = batch.flux[i], batch.ivar[i], wave
        record["ANDMASK"] = record["ORMASK"] = batch.mask[i]
        record["NORMALIZATION"] = batch.flux[i] / level[i] if level[i] else 1.0
        data = record.tobytes()
        content = _header(row, wave, float(level[i])) + table_header + data + b"\0" * (-len(data) % BLOCK)
        path = Path(folder) / str(row["file"])
        # No name and no time inside, so that the same spectrum gives the same bytes. To wait for the disk after each of
        # thousands of small files may take longer than to make them.
        with atomic_path(path, durable=False, ours=True) as temporary, temporary.open("wb") as file:
            file.write(gzip.compress(content, COMPRESSION, mtime=0))
        paths.append(path)
    return paths


def _table_header(n: int) -> bytes:
    columns = [fits.Column(name, f"{n}E") for name in VECTORS]
    header = fits.BinTableHDU.from_columns(columns, nrows=0, name="COADD").header
    header["NAXIS2"] = 1
    return header.tostring().encode("ascii")


def _header(row, wave: np.ndarray, level: float) -> bytes:
    """Cards of genuine files; of those that describe weather and telescope only a few, which pipelines read."""
    ra, dec = float(row["ra"]), float(row["dec"])
    known = np.isfinite(row["z"])
    cards: list[tuple] = [
        ("SIMPLE", True), ("BITPIX", 16), ("NAXIS", 0), ("EXTEND", True),
        ("FILENAME", str(row["file"]).removesuffix(".gz")),
        ("OBSID", int(row["obsid"]), "Unique number ID of this spectrum"),
        ("AUTHOR", "transtar", "Who compiled the information"),
        ("DATA_V", "LAMOST DR10", "Data release version"),
        ("N_EXTEN", 2), ("NORM", 1), ("ORIGIN", "NAOC-LAMOST"), ("TELESCOP", "LAMOST", "GuoShouJing Telescope"),
        ("DATE-OBS", f"{2020 + (int(row['lmjd']) - 59000) // 365}-11-03T16:00:00.000"),
        ("LMJD", int(row["lmjd"]), "Local Modified Julian Day"), ("MJD", int(row["lmjd"]) - 1, "Modified Julian Day"),
        ("PLANID", str(row["plan"]), "Plan ID in use"),
        ("RA", round(ra, 6), "[deg] Right ascension of object"), ("DEC", round(dec, 6), "[deg] Declination of object"),
        ("RA_OBS", round(ra, 6)), ("DEC_OBS", round(dec, 6)),
        ("DESIG", f"LAMOST {designation(ra, dec)}", "Designation of LAMOST target"),
        ("FIBERID", int(row["fiber"]), "Fiber ID of Object"),
        ("OBJNAME", str(int(row["source_id"]))), ("OBJTYPE", "star"), ("TSOURCE", "LAMOST"), ("TFROM", "Gaia"),
        ("FIB_TYPE", "Obj"), ("FIB_MASK", 0), ("OBS_TYPE", "OBJ"), ("RADECSYS", "FK5"), ("EQUINOX", 2000.0),
        ("NEXP", 3), ("NEXP_B", 3), ("NEXP_R", 3), ("EXPT_B", 4500.0), ("EXPT_R", 4500.0), ("EXPTIME", 4500.0),
        ("SPID", int(row["spectrograph"]), "Spectrograph ID"), ("SLIT_MOD", "x2/3"),
        ("HELIO", True, "Heliocentric correction"), ("HELIO_RV", 0.0, "[km/s] Heliocentric correction"),
        ("VACUUM", True, "Wavelengths are in vacuum"), ("NWORDER", 2), ("WFITTYPE", "LOG-LINEAR"),
        ("COEFF0", round(float(np.log10(wave[0])), 5), "Central wavelength (log10) of first pixel"),
        ("COEFF1", 0.0001, "Log10 dispersion per pixel"),
        ("CRVAL1", round(float(np.log10(wave[0])), 5)), ("CD1_1", 0.0001), ("CRPIX1", 1),
        ("CTYPE1", "LINEAR"), ("DC-FLAG", 1),
        ("VERSPIPE", "simulated", "Version of Pipeline"), ("CLASS", "STAR", "Class of object"),
        ("SUBCLASS", subclass(float(row["teff"])), "Subclass of object"),
        ("Z", round(float(row["z"]), 8) if known else MISSING, "Redshift of object"),
        ("Z_ERR", 1.2e-5 if known else MISSING), ("ZFLAG", "LASP"),
        *((f"SNR{band}", round(float(row["snrg"]) * factor, 2), f"SNR of {band.lower()} filter") for band, factor in _BANDS),
        ("MEDFLUX", level if np.isfinite(level) else 0.0, "median flux: 1 in NORMALIZATION"),
        *((key, *value) for key, value in simulated_cards().items()),
    ]  # fmt: skip
    header = header_bytes(cards)
    return header + b" " * (-len(header) % BLOCK)


_BANDS = (("U", 0.25), ("G", 1.0), ("R", 1.5), ("I", 1.7), ("Z", 1.2))


def designation(ra: float, dec: float) -> str:
    """J2000 name, digits cut off as the IAU asks: J032408.58+463204.6."""
    seconds, arc = int(ra * 24000 + 1e-6), int(abs(dec) * 36000 + 1e-6)
    hours = f"{seconds // 360000:02d}{seconds // 6000 % 60:02d}{seconds % 6000 / 100:05.2f}"
    return f"J{hours}{'-' if dec < 0 else '+'}{arc // 36000:02d}{arc // 600 % 60:02d}{arc % 600 / 10:04.1f}"


def subclass(teff: float) -> str:
    """Spectral type that LAMOST's classification might give at a temperature in K."""
    return next(name for limit, name in _CLASSES if teff >= limit)


def write_labels(rows: Mapping | Table, path: Path) -> Path:
    """Write the catalog.

    Parameters
    ----------
    rows : Table or mapping of columns
        The columns of `write_lamost` and `simulate_lasp`, and fault: 'no_labels' rows get -9999, 'no_match' rows no
        Gaia identifier.
    path : Path
        CSV.
    """
    columns = {name: np.asarray(rows[name]).tolist() for name in (rows.colnames if isinstance(rows, Table) else rows)}
    with atomic_path(path, ours=True) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CATALOG)
        for i in range(len(columns["obsid"])):
            get = {name: values[i] for name, values in columns.items()}
            fault = get.get("fault", "")
            labels = [f"{get[f'{k}_lasp']:.{d}f}" for k, d in (("teff", 2), ("logg", 3), ("feh", 3))]
            errors = [f"{get[f'{k}_err']:.{d}f}" for k, d in (("teff", 2), ("logg", 3), ("feh", 3))]
            if fault == "no_labels":
                labels = errors = ["-9999.0"] * 3
            writer.writerow([
                get["file"], get["obsid"], f"LAMOST {designation(get['ra'], get['dec'])}", subclass(get["teff"]),
                f"{get['snrg']:.2f}", f"{get['z']:.8f}", f"{get['ra']:.6f}", f"{get['dec']:.6f}", *labels, *errors,
                "" if fault == "no_match" else str(get["source_id"]),
            ])  # fmt: skip
    return path

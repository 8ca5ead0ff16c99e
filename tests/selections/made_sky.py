"""A sky of catalogs to be matched by position: Gaia, LAMOST and APOGEE, and selections of them."""

from types import SimpleNamespace

import numpy as np
import yaml
from astropy.io import fits
from astropy.table import Table

from transtar.labels import Positions
from transtar.selections import load_selection
from transtar.simulate.stars.sky import source_ids

N, FIELD = 300, 60
"""Stars with spectra, and stars of Gaia for each of them that have none."""


def moved(table, epoch):
    """Right ascension and declination at another epoch; degrees."""
    return Positions(*(np.asarray(table[c]) for c in ("ra", "dec", "ref_epoch", "pmra", "pmdec"))).moved(epoch)


def make_sky(folder):
    """Gaia of the whole sky; LAMOST, without identifiers of Gaia, of two regions, one of them at a pole and at RA 0."""
    rng = np.random.default_rng(5)
    n = N * (FIELD + 1)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    ra[:N] = np.where(np.arange(N) % 2, rng.uniform(40, 48, N), rng.uniform(-2, 2, N) % 360)
    dec[:N] = np.where(np.arange(N) % 2, rng.uniform(20, 26, N), rng.uniform(88, 90, N))
    gaia = Table({"source_id": source_ids(ra, dec), "ra": ra, "dec": dec, "ref_epoch": np.full(n, 2016.0),
                  "pmra": rng.normal(0, 60, n), "pmdec": rng.normal(0, 60, n), "parallax": np.full(n, 1.0),
                  "phot_g_mean_mag": rng.uniform(10, 18, n), "ruwe": np.ones(n)})  # fmt: skip
    gaia["pmra"][0], gaia["pmdec"][1] = 10400.0, -9000.0
    gaia["pmra"][2] = gaia["pmdec"][2] = np.nan
    gaia["ruwe"][3] = 5.0
    old = moved(gaia, 2000.0)
    # A companion within the radius makes stars 10 to 19 ambiguous.
    gaia["ra"][N : N + 10] = (old[0][10:20] + 0.4 / 3600 / np.cos(np.radians(old[1][10:20]))) % 360
    gaia["dec"][N : N + 10] = old[1][10:20]
    gaia["pmra"][N : N + 10] = gaia["pmdec"][N : N + 10] = 0.0
    gaia["source_id"] = source_ids(np.asarray(gaia["ra"]), np.asarray(gaia["dec"]))
    gaia.write(folder / "gaia.parquet")
    seen = np.arange(N)
    lamost = Table({"obsid": seen + 2**62, "designation": np.full(N, "J"), "ra": old[0][:N], "dec": old[1][:N],
                    "z": np.zeros(N), "snrg": np.full(N, 50.0)})  # fmt: skip
    # One that Gaia has not, and one without position.
    lamost["dec"][20] -= 1
    lamost["ra"][21] = np.nan
    lamost.write(folder / "lamost.csv")
    columns = {"APOGEE_ID": np.full(N, "2M"), "STARFLAG": np.zeros(N, "i4"), "ASPCAPFLAG": np.zeros(N, "i8"),
               "GAIAEDR3_SOURCE_ID": np.asarray(gaia["source_id"])[:N], "SNR": np.full(N, 90.0),
               "RA": moved(gaia, 1999.5)[0][:N], "DEC": moved(gaia, 1999.5)[1][:N]}  # fmt: skip
    for name in ("TEFF", "LOGG", "FE_H", "M_H", "ALPHA_M", "MG_FE"):
        columns[name], columns[f"{name}_ERR"] = np.arange(N) / 100.0, np.full(N, 0.1)
    columns["TEFF"] = 5000 + np.arange(N) / 100.0
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(Table(columns))]).writeto(folder / "allstar.fits")
    return SimpleNamespace(folder=folder, gaia=gaia, ids=np.asarray(gaia["source_id"])[:N], lamost=lamost)


def selection(folder, **changes):
    content = {
        "title": "LAMOST stars", "source": "this test", "rows": "lamost",
        "tables": {
            "lamost": {"kind": "lamost"},
            "gaia": {"kind": "gaia", "columns": ["phot_g_mean_mag", "source_id"],
                     "cuts": [{"column": "ruwe", "below": 1.4, "source": "s"}]},
        },
        "match": [{"tables": ["gaia"], "by": "position"}], **changes,
    }  # fmt: skip
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_selection(str(path))


def line(selected, start):
    return next(line for line in selected.lines if start in line)

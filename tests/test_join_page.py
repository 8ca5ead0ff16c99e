"""docs/join.md and docs/recommended-rows.md: the commands that they show run, one after another."""

import shlex

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from transtar.catalog import read_columns, write_catalog
from transtar.cli import main
from transtar.glossary import describe

from .made_catalogs import write_catalogs
from .test_readme import ROOT, blocks

PAGES = [ROOT / "docs" / name for name in ("join.md", "recommended-rows.md")]


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Files of the names that the pages use, made up."""
    monkeypatch.chdir(tmp_path)
    write_catalogs(tmp_path)
    (tmp_path / "desi" / "mwsall-pix-iron.fits").rename("mwsall-pix-iron.fits")
    (tmp_path / "apogee" / "allStar-dr17.fits").rename("apogee.fits")
    with fits.open("mwsall-pix-iron.fits") as hdus:
        rv, gaia = Table(hdus["RVTAB"].data), Table(hdus["GAIA"].data)
    with fits.open("apogee.fits") as hdus:
        apogee = Table(hdus[1].data)
    gaia = gaia[np.unique(gaia["SOURCE_ID"], return_index=True)[1]]
    gaia.rename_columns(gaia.colnames, [name.lower() for name in gaia.colnames])
    gaia[gaia["source_id"] > 0].write("gaia.parquet")
    for name, survey, table, ra, dec, ids in (
        ("desi", "desi", rv[:60], "TARGET_RA", "TARGET_DEC", "TARGETID"),
        ("lamost", "lamost", apogee[:40], "RA", "DEC", None),
    ):
        n = len(table)
        columns = {
            "id": np.arange(n) if ids is None else np.array(table[ids], np.int64), "survey": np.full(n, survey),
            "ra": np.array(table[ra], float), "dec": np.array(table[dec], float), "snr": np.full(n, 20.0),
            "flags": np.zeros(n, np.int32), "feh": np.zeros(n), "feh_noise": np.full(n, 0.1),
        }  # fmt: skip
        if ids is not None:
            columns |= {
                f"desi_{key.lower()}": np.char.strip(np.array(table[key], str)) for key in ("SURVEY", "PROGRAM")
            }
        write_catalog(f"{name}.parquet", columns)
    return tmp_path


def test_what_the_pages_show_runs(world):
    lines = [line for page in PAGES for _, block in blocks(page, "console") for line in block.splitlines()]
    assert len(lines) == 4
    for line in lines:
        assert main(shlex.split(line)[1:]) == 0, line
    full = read_columns(world / "desi-full.parquet")
    assert {"source_id", "ruwe", "bp_rp", "vrad", "matched", "matched_3"} <= set(full)
    assert np.isfinite(full["ruwe"][full["matched_3"]]).any()
    both = read_columns(world / "both.fits")
    assert both["matched"].all()
    assert "feh_apogee" in both
    assert read_columns(world / "desi-stars.parquet")["n_rows"].sum() == 60


def test_columns_of_the_page_are_those_of_the_glossary():
    text = PAGES[1].read_text(encoding="utf-8")
    for name in ("n_rows", "n_used", "feh_std", "feh_chi2"):
        assert describe(name).description
        assert name.replace("feh", "<label>") in text

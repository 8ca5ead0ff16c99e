"""DESI files on the command line: what is left out is told, and catalogs carry the whole key."""

import re

import numpy as np
import pytest

from transtar.catalog import read_columns

from ..made_surveys import line_spectrum, write_csv
from ..surveys.desi_files import FIRST, WAVES, fibermap, write_coadd, write_redrock

pytestmark = pytest.mark.usefixtures("unquestioned")


@pytest.fixture(scope="module")
def coadds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desi")
    feh = np.linspace(-2, 0.3, 6)
    flux = np.array([30 * line_spectrum(WAVES["B"], value) for value in feh], np.float32)
    cameras = {"B": (WAVES["B"], flux, np.full(flux.shape, 25, np.float32), np.zeros(flux.shape, np.int32))}
    targets = fibermap(6, OBJTYPE=["TGT"] * 5 + ["SKY"])
    targets["TARGETID"][4] = -3
    for program in ("bright", "dark"):
        write_coadd(folder / f"coadd-main-{program}-9850.fits", 6, cameras=cameras, targets=targets, PROGRAM=program)
    write_redrock(folder / "redrock-main-bright-9850.fits", FIRST + np.arange(4), Z=np.zeros(4))
    table = [
        {"TARGETID": FIRST + i, "PROGRAM": program, "VRAD": 0, "FEH": feh[i] + shift}
        for program, shift in (("bright", 0), ("dark", 0.2))
        for i in range(4)
    ]
    write_csv(folder / "mws.csv", table)
    return folder


def test_prepare_tells_what_is_left_out_and_found(transtar, coadds, tmp_path):
    done = transtar("prepare", "--survey", "desi", "--spectra", coadds, "--out", tmp_path / "set",
                    "--velocities", coadds / "mws.csv", "--labels", coadds / "mws.csv")  # fmt: skip
    assert done.code == 0, done.err
    assert re.search("4 rows left out.*: 2 negative TARGETID, 2 OBJTYPE not TGT", done.err)
    assert re.search(r"velocities: 8 spectra .*by id, PROGRAM.*, 0 have none", done.err)
    assert "8 spectra; labels: 8 feh" in done.out


@pytest.mark.parametrize("suffix", ["fits", "csv", "parquet"])
def test_predict_and_evaluate(world, transtar, coadds, tmp_path, suffix):
    out = tmp_path / f"catalog.{suffix}"
    done = transtar("predict", "--model", world.model, "--survey", "desi", "--spectra", coadds, "--out", out)
    assert done.code == 0, done.err
    assert "4 rows left out" in done.err
    assert "8 rows; flags: 4 NO_VELOCITY" in done.out
    catalog = read_columns(out)
    assert catalog["survey"].tolist() == ["desi"] * 8
    assert catalog["desi_survey"].tolist() == ["main"] * 8
    assert catalog["desi_program"].tolist() == ["bright"] * 4 + ["dark"] * 4
    assert catalog["desi_healpix"].tolist() == [9850] * 8
    assert catalog["id"].tolist() == [FIRST, FIRST + 1, FIRST + 2, FIRST + 3] * 2
    assert np.isfinite(catalog["feh"]).tolist() == [True] * 4 + [False] * 4
    done = transtar("evaluate", "--catalog", out, "--labels", coadds / "mws.csv", "--out", tmp_path / "scores")
    assert done.code == 0, done.err


def test_velocities_of_other_stars(world, transtar, coadds, tmp_path):
    write_csv(tmp_path / "v.csv", [{"TARGETID": 1, "VRAD": 0}])
    done = transtar("predict", "--model", world.model, "--survey", "desi", "--spectra", coadds,
                    "--velocities", tmp_path / "v.csv", "--out", tmp_path / "c.csv")  # fmt: skip
    assert done.code == 1
    assert "v.csv: none of 8 spectra" in done.err
    assert not (tmp_path / "c.csv").exists()


def test_predict_for_some_stars(world, transtar, coadds, tmp_path):
    """A file that is listed and absent is told and ends nothing."""
    rows = [{"TARGETID": FIRST + i, "SURVEY": "main", "PROGRAM": "bright", "HEALPIX": 9850} for i in (2, 0)]
    write_csv(tmp_path / "stars.csv", [*rows, {"TARGETID": 1, "SURVEY": "sv3", "PROGRAM": "dark", "HEALPIX": 5}])
    done = transtar("predict", "--model", world.model, "--survey", "desi", "--spectra", coadds, "--stars",
                    tmp_path / "stars.csv", "--out", tmp_path / "c.csv")  # fmt: skip
    assert done.code == 0, done.err
    assert read_columns(tmp_path / "c.csv")["id"].tolist() == [FIRST, FIRST + 2]
    assert "skipped: sv3/dark/0/5/coadd-sv3-dark-5.fits: not found in" in done.err
    assert re.search(r"stars: 2 of 3 in stars.csv .*; 1 have none.* id 1\b", done.err)

"""What files of spectra do not say is said on the command line."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from transtar.surveys import get_survey, read

pytestmark = pytest.mark.usefixtures("unquestioned")


@pytest.fixture
def spectra(tmp_path, world):
    """Four stars of MILES as text of two columns, in nm, air and the rest frame."""
    folder = tmp_path / "spectra"
    folder.mkdir()
    for path in sorted((world.miles / "spectra").iterdir())[:4]:
        from astropy.io import fits

        header, flux = fits.getheader(path), fits.getdata(path)
        wave = header["CRVAL1"] + header["CDELT1"] * np.arange(len(flux))
        good = flux != 0
        np.savetxt(folder / f"{path.stem}.txt", np.c_[wave / 10, flux][good])
    return folder


def labels(path):
    table = pq.read_table(path)
    return np.array(table["feh"])


def test_predict_and_prepare(tmp_path, world, spectra, transtar):
    said = ("--medium", "air", "--frame", "rest", "--unit", "nm")
    names = sorted((world.miles / "spectra").iterdir())[:4]
    assert (
        transtar(
            "predict", "--model", world.model, "--survey", "miles", "--spectra", *names, "--out", tmp_path / "a.parquet"
        ).code
        == 0
    )
    done = transtar(
        "predict",
        "--model",
        world.model,
        "--survey",
        "generic",
        "--spectra",
        spectra,
        *said,
        "--out",
        tmp_path / "b.parquet",
    )
    assert done.code == 0
    np.testing.assert_allclose(labels(tmp_path / "a.parquet"), labels(tmp_path / "b.parquet"), atol=1e-4)
    wrong = ("--medium", "vacuum", *said[2:])
    assert (
        transtar(
            "predict",
            "--model",
            world.model,
            "--survey",
            "generic",
            "--spectra",
            spectra,
            *wrong,
            "--out",
            tmp_path / "c.parquet",
        ).code
        == 0
    )
    assert np.abs(labels(tmp_path / "c.parquet") - labels(tmp_path / "a.parquet")).max() > 1e-3
    done = transtar("prepare", "--survey", "generic", "--spectra", spectra, *said, "--out", tmp_path / "set")
    assert done.err.count("text of two columns without names") == 1
    provenance = json.loads((tmp_path / "set" / "set.json").read_text())["provenance"]
    assert provenance["stated"] == {"medium": "air", "frame": "rest", "unit": "nm"}


def test_what_is_missing_is_asked_for(tmp_path, spectra, transtar, fails):
    last = fails("prepare", "--survey", "generic", "--spectra", spectra, "--unit", "nm", "--out", tmp_path / "set")
    assert re.search("medium; give --medium vacuum", last)
    done = transtar(
        "prepare",
        "--survey",
        "generic",
        "--spectra",
        spectra,
        "--unit",
        "nm",
        "--medium",
        "air",
        "--out",
        tmp_path / "set",
    )
    line = (
        "no spectrum has a velocity, which the rest frame needs: give --velocities FILE:COLUMN, or have them measured: "
        "--velocities measure; if the wavelengths are at rest, say --frame rest"
    )
    assert line in done.err


def test_surveys_that_know_it_and_sets_are_not_told(tmp_path, world, fails):
    given = ("--spectra", world.lamost / "spectra", "--out", tmp_path / "set")
    assert "lamost files state their medium themselves" in fails(
        "prepare", "--survey", "lamost", *given, "--medium", "air", code=2
    )
    last = fails(
        "predict", "--model", world.model, "--data", world.source, "--unit", "nm", "--out", tmp_path / "a.csv", code=2
    )
    assert "--unit is for native spectra" in last
    assert "not a unit of wavelength" in fails("prepare", "--survey", "generic", *given, "--unit", "km/s", code=2)


@pytest.mark.parametrize("verb", ["prepare", "predict"])
def test_columns_of_spectra_are_chosen(tmp_path, world, transtar, fails, verb):
    folder = tmp_path / "spectra"
    folder.mkdir()
    batch = read(get_survey("miles"), sorted((world.miles / "spectra").iterdir())[0])
    rows = np.c_[batch.wave, batch.flux[0], 2 * batch.flux[0]][~batch.mask[0]]
    np.savetxt(folder / "a.csv", rows, delimiter=",", header="wave,flux,flux_cal", comments="")
    model = ("--model", world.model) if verb == "predict" else ()
    out = "a.parquet" if verb == "predict" else "set"
    given = (
        verb,
        *model,
        "--survey",
        "generic",
        "--spectra",
        folder,
        "--medium",
        "vacuum",
        "--frame",
        "rest",
        "--out",
        tmp_path / out,
    )
    done = transtar(*given)
    assert (done.code, "--columns flux=flux" in done.err) == (1, True)
    assert transtar(*given, "--columns", "flux=flux_cal").code == 0
    assert "--columns star=name: no such column in" in fails(*given, "--columns", "flux=flux_cal", "star=name", code=2)
    assert "--columns feh=FE_H" in fails(*given, "--columns", "flux=flux_cal", "feh=FE_H", code=2)

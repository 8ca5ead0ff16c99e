"""The spectra that look least like what their labels call for."""

import csv

import numpy as np
import pytest

from transtar.catalog import read_columns
from transtar.datasets import prepare
from transtar.preprocess import Preprocessing

from ..models.examples import small_estimator

FEW = 12


@pytest.fixture(scope="module")
def mock_set(tmp_path_factory):
    """Mock stars as text files, two of them turned round."""
    from transtar.grids import BLUE
    from transtar.simulate import load_emulator
    from transtar.simulate.mocks.views import ViewSettings, make_views

    folder = tmp_path_factory.mktemp("misfit")
    views = make_views(ViewSettings(stars=FEW + 4, seed=5, snr=(80.0, 200.0)), load_emulator())
    (folder / "spectra").mkdir()
    for number in range(FEW):
        flux = views.target[number]
        flux = flux[::-1] if number < 2 else flux
        lines = ["# medium: vacuum", "# frame: rest", "wave,flux,err"]
        lines += [f"{w:.5f},{f:.6f},0.01" for w, f in zip(BLUE.wave, flux, strict=True)]
        (folder / "spectra" / f"star{number:02d}.csv").write_text("\n".join(lines) + "\n")
    prepare("generic", folder / "spectra", folder / "set", Preprocessing())
    return folder / "set"


def test_the_worst_are_shown_first(mock_set, transtar, tmp_path):
    done = transtar(
        "explain",
        "misfit",
        "--model",
        "mock-feh",
        "mock-teff",
        "--data",
        mock_set,
        "--out",
        tmp_path / "out",
        "--worst",
        5,
    )
    assert done.code == 0, done.err
    assert [line.rsplit("/", 1)[-1] for line in done.out.splitlines()] == ["misfits.csv", "misfits.pdf", "misfits.png"]
    with (tmp_path / "out" / "misfits.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == FEW
    assert {row["file"] for row in table[:2]} == {"star00.csv", "star01.csv"}
    assert all("OUT_OF_DOMAIN" in row["flags"] for row in table[:2])
    # The labels that were taken away are shown here, as they are what does not fit.
    assert all(row["feh"] and row["teff"] for row in table)
    misfits = [float(row["misfit"]) for row in table]
    assert misfits == sorted(misfits, reverse=True)
    done = transtar(
        "predict", "--model", "mock-feh", "mock-teff", "--data", mock_set, "--out", tmp_path / "catalog.parquet"
    )
    assert done.code == 0, done.err
    catalog = read_columns(tmp_path / "catalog.parquet")
    rows = [int(row["row"]) for row in table]
    np.testing.assert_allclose(catalog["misfit"][rows], misfits, rtol=1e-3)
    assert np.isnan(catalog["feh"][rows[:2]]).all()
    assert np.isfinite(catalog["feh"][rows[2:]]).all()


def test_spectra_that_are_prepared_otherwise(mock_set, fails, tmp_path):
    spectra = mock_set.parent / "spectra"
    prepare("generic", spectra, tmp_path / "set", Preprocessing(frame="observed"))
    small_estimator(preprocessing=Preprocessing(frame="observed")).save(tmp_path / "model")
    line = fails(
        "explain", "misfit", "--model", tmp_path / "model", "--data", tmp_path / "set", "--out", tmp_path / "out"
    )
    assert "(grid 'blue', rest frame" in line
    assert not (tmp_path / "out").exists()

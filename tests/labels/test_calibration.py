import csv

import numpy as np
import pytest

from transtar.errors import InputError, SettingsError
from transtar.labels.calibration import (
    Calibration,
    calibrate,
    fit_calibration,
    load_calibration,
    write_calibration,
)
from transtar.simulate.pipelines import desi_pipeline


def stars(n=6000, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(4100, 6600, n), rng.uniform(0.5, 5.2, n), rng.uniform(-2, 0.4, n)


QUOTED = """
koposov2025-rvs -0.5 4250 4.6 -0.77881
koposov2025-rvs -1.2 4300 1.9 -2.11612
koposov2025-rvs -0.2 5800 5.2 -0.08876
koposov2025-rvs -1.5 4250 1.7 nan
koposov2025-sp -0.4 5100 3.4 -0.53041
koposov2025-sp -0.4 5100 3.55 -0.49682
koposov2025-sp 0.1 6550 4.0 0.3487
koposov2025-sp 0.2 6650 4.2 nan
koposov2025-sp -0.2 5800 5.2 nan
"""
"""Calibration, [Fe/H], Teff, log g, and what the released function gives: desimilkyway/dr1_vac_code, feh_correct.py, commit
10b6ab6. The lines lie where its first draft had other coefficients, another limit of log g or other ranges."""

FAULTS = {"koposov2025-sp": desi_pipeline.SP, "koposov2025-rvs": desi_pipeline.RV}


def check_both(name, feh, teff, logg, expected):
    """The calibration gives what the released function gives, and the simulated pipeline errs by as much."""
    feh, teff, logg, expected = (np.asarray(values, float) for values in (feh, teff, logg, expected))
    np.testing.assert_allclose(calibrate(feh, teff, logg, load_calibration(name)), expected, atol=6e-6)
    given = np.isfinite(expected)
    bias = desi_pipeline.metallicity_bias(teff, logg, FAULTS[name])
    np.testing.assert_allclose((feh - bias)[given], expected[given], atol=6e-6)


@pytest.mark.parametrize("name", FAULTS)
def test_a_few_points_of_the_released_code(name):
    rows = [line.split()[1:] for line in QUOTED.split("\n") if line.startswith(name)]
    assert len(rows) >= 4
    check_both(name, *np.array(rows, float).T)


@pytest.mark.parametrize(("name", "branch"), [("koposov2025-sp", "SP"), ("koposov2025-rvs", "RVS")])
def test_every_point_of_the_released_code(data, name, branch):
    path = data / "calibration" / "koposov2025-oracle.csv"
    if not path.is_file():
        pytest.skip("no points of the released code among the data")
    with open(path, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["pipeline"] == branch]
    assert len(rows) == 14
    columns = ("feh", "teff", "logg", "feh_calibrated")
    check_both(name, *([float(row[column] or "nan") for row in rows] for column in columns))


@pytest.mark.parametrize(("name", "faults"), FAULTS.items())
def test_the_simulated_pipeline_errs_everywhere_and_the_calibration_says_where_it_does_not_know(name, faults):
    published = load_calibration(name)
    (cool, hot), (low, high) = published.teff, published.logg
    edges = np.array([cool, hot, 5000, 5000]), np.array([4.0, 4.0, low, high])
    assert np.isfinite(desi_pipeline.metallicity_bias(*edges, faults)).all()
    # Lower ends belong to the ranges, upper ends do not.
    assert np.isfinite(calibrate(np.zeros(4), *edges, published)).tolist() == [True, False, True, False]


def test_no_calibrated_value_outside_the_ranges():
    calibration = Calibration(3.6, (0.1, 0, 0), (0.2, 0, 0), (4000, 6700), (0, 5.4))
    teff = np.array([3999.9, 4000, 6699, 6700, 5000, np.nan, 5000, -1])
    logg = np.array([4, 3.5, 3.6, 4, 5.4, 4, np.nan, 4])
    np.testing.assert_allclose(
        calibrate(np.zeros(8), teff, logg, calibration), [np.nan, -0.1, -0.2, *[np.nan] * 5], equal_nan=True
    )


def test_fit_finds_the_coefficients_among_outliers():
    teff, logg, feh = stars()
    rng = np.random.default_rng(1)
    published = load_calibration("koposov2025-sp")
    measured = feh + desi_pipeline.metallicity_bias(teff, logg, desi_pipeline.SP) + rng.normal(0, 0.03, len(feh))
    measured[::20] += 1.5
    measured[::33] = np.nan
    fitted = fit_calibration(measured, teff, logg, feh)
    np.testing.assert_allclose(fitted.giants, published.giants, atol=0.01)
    np.testing.assert_allclose(fitted.dwarfs, published.dwarfs, atol=0.01)
    # Without limits of one's own the fit has those of the published one.
    assert (fitted.gravity, fitted.teff, fitted.logg) == (published.gravity, published.teff, published.logg)


def test_too_few_stars():
    teff, _, feh = stars(100)
    with pytest.raises(InputError, match=r"^0 giants with .* a fit needs 20"):
        fit_calibration(feh, teff, np.full(100, 4.5), feh)


def test_files(tmp_path):
    calibration = Calibration(3.5, (0.1, -0.2, 0.3), (0.0, 0.1, 0.2), (4000.0, 6000.0), (0.0, 5.0), "own: a & b")
    write_calibration(calibration, tmp_path / "own.yaml")
    assert load_calibration(tmp_path / "own.yaml") == calibration
    with pytest.raises(InputError, match="no calibration 'sp'; calibrations: koposov2025-rvs, koposov2025-sp"):
        load_calibration("sp")
    for text, message in (
        ("gravity: 3\n", "needs gravity"),
        ("a: 3\n", "unknown key a"),
        ("gravity: 3\ngiants: [1, 2]\ndwarfs: [1, 2, 3]\nteff: [1, 2]\nlogg: [1, 2]\n", "3 numbers each"),
    ):
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(SettingsError, match=message):
            load_calibration(tmp_path / "bad.yaml")

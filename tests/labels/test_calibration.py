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
from transtar.simulate.native import pipeline


def stars(n=6000, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(4100, 6600, n), rng.uniform(0.5, 5.2, n), rng.uniform(-2, 0.4, n)


@pytest.mark.parametrize(("name", "faults"), [("koposov2025-sp", pipeline.SP), ("koposov2025-rvs", pipeline.RV)])
def test_the_shipped_coefficients_take_out_what_the_simulated_pipeline_puts_in(name, faults):
    teff, logg, feh = stars()
    teff = np.clip(teff, faults.valid[1][0], faults.valid[1][1] - 1)
    logg = np.clip(logg, faults.valid[0][0], faults.valid[0][1] - 0.01)
    measured = feh + pipeline.metallicity_bias(teff, logg, faults)
    np.testing.assert_allclose(calibrate(measured, teff, logg, load_calibration(name)), feh, atol=1e-12)


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
    measured = feh + pipeline.metallicity_bias(teff, logg, pipeline.SP) + rng.normal(0, 0.03, len(feh))
    measured[::20] += 1.5
    measured[::33] = np.nan
    fitted = fit_calibration(measured, teff, logg, feh)
    np.testing.assert_allclose(fitted.giants, pipeline.SP.giants, atol=0.01)
    np.testing.assert_allclose(fitted.dwarfs, pipeline.SP.dwarfs, atol=0.01)


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

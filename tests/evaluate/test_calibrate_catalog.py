import numpy as np
import pytest
from astropy.table import Table

from transtar.errors import InputError, SettingsError
from transtar.evaluate.calibrate_catalog import calibrate_catalog
from transtar.labels.calibration import load_calibration


@pytest.fixture
def stars(tmp_path):
    """Stars whose [Fe/H] a survey measures 0.1 dex too high in giants and 0.2 dex in dwarfs; every third is for the test."""
    rng = np.random.default_rng(0)
    teff, logg, feh = rng.uniform(4100, 6500, 900), rng.uniform(0.5, 5, 900), rng.uniform(-2, 0.4, 900)
    measured = feh + np.where(logg < 3.5, 0.1, 0.2) + rng.normal(0, 0.02, 900)
    split = np.where(np.arange(900) % 3 == 0, "test", "pool")
    columns = {
        "source_id": 2**62 + np.arange(900),
        "feh": feh,
        "feh_x": measured,
        "teff_x": teff,
        "logg_x": logg,
        "split": split,
    }
    Table(columns).write(tmp_path / "stars.csv")
    return tmp_path / "stars.csv"


def test_a_catalog_is_calibrated(stars, tmp_path):
    fitted = calibrate_catalog(stars, stars, tmp_path / "own.yaml", suffix="_x")
    assert load_calibration(tmp_path / "own.yaml") == fitted.calibration
    assert (fitted.n_rows, fitted.n_used, fitted.n_test, fitted.key) == (900, 600, 300, "source_id")
    assert sum(kind.n_stars for kind in fitted.kinds.values()) == 600
    for name, offset in {"giants": 0.1, "dwarfs": 0.2}.items():
        kind = fitted.kinds[name]
        assert kind.before == pytest.approx((offset, 0.02), abs=0.006)
        assert kind.after == pytest.approx((0, 0.02), abs=0.006)
        assert kind.coefficients == getattr(fitted.calibration, name)


def test_what_cannot_be_calibrated(stars, tmp_path):
    Table({"id": [1], "feh": [0.0]}).write(tmp_path / "other.csv")
    with pytest.raises(InputError, match="share no identifier"):
        calibrate_catalog(stars, tmp_path / "other.csv", tmp_path / "own.yaml", suffix="_x")
    with pytest.raises(SettingsError, match="--teff takes the lower end of a range, then the upper, not 5000 4000"):
        calibrate_catalog(stars, stars, tmp_path / "own.yaml", suffix="_x", teff=(5000, 4000))
    assert not (tmp_path / "own.yaml").exists()

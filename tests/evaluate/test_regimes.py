import numpy as np
import pytest
from sklearn.metrics import r2_score

from transtar.errors import InputError
from transtar.evaluate import evaluate, regimes

FEH = np.array([-1.5, -1.0, 0.0, np.nan] * 12)
LOGG = np.array([4.5, 2.0, 3.5, 3.4] * 12)
TEFF = np.array([4499.0, 4500.0, 6000.0, np.nan] * 12)


def test_cuts_fall_as_the_design_says():
    masks = regimes({"feh": FEH, "logg": LOGG, "teff": TEFF})
    np.testing.assert_array_equal(masks["poor"][:4], [True, False, False, False])
    np.testing.assert_array_equal(masks["rich"][:4], [False, True, True, False])
    np.testing.assert_array_equal(masks["dwarf"][:4], [True, False, True, False])
    np.testing.assert_array_equal(masks["cool"][:4], [True, False, False, False])
    np.testing.assert_array_equal(masks["warm"][:4], [False, True, True, False])
    np.testing.assert_array_equal(masks["poor-dwarf"], masks["poor"] & masks["dwarf"])
    assert masks["all"].all()


def test_small_regimes_are_left_out_but_not_the_main_ones():
    masks = regimes({"feh": FEH[:8], "logg": LOGG[:8]})
    assert list(masks) == ["all", "poor", "rich"]
    assert "poor-giant" not in regimes({"feh": FEH, "logg": LOGG})


def test_labels_that_are_missing_make_no_regimes():
    assert list(regimes({"teff": TEFF}, min_stars=1)) == ["all", "cool", "warm"]
    with pytest.raises(InputError, match="length"):
        regimes({"feh": FEH, "teff": TEFF[:3]})
    with pytest.raises(InputError, match="no labels"):
        regimes({})


def test_each_regime_is_scored_on_its_own_stars_without_the_missing_ones():
    rng = np.random.default_rng(0)
    feh = rng.uniform(-2.5, 0.5, 400)
    predicted = feh + rng.normal(0, 0.2, 400)
    predicted[:7] = np.nan
    feh[10:15] = np.nan
    scores = evaluate(predicted, feh, regimes({"feh": feh}), n_boot=100)
    poor = (feh < -1) & np.isfinite(predicted)
    assert scores["all"]["n"] == 400 - 12
    assert scores["poor"]["n"] == poor.sum()
    assert scores["poor"]["r2"] == pytest.approx(r2_score(feh[poor], predicted[poor]))
    assert 0 < scores["poor"]["r2_err"] < 0.2
    assert set(scores["rich"]) == {"r2", "r2_err", "sigma", "bias", "n", "n_clipped"}


def test_empty_main_regime_is_nan_and_a_regime_emptied_by_missing_predictions_goes():
    feh = np.linspace(-0.9, 0.3, 40)
    logg = np.where(np.arange(40) < 20, 2.0, 4.0)
    predicted = np.where(logg < 3.5, np.nan, feh)
    scores = evaluate(predicted, feh, regimes({"feh": feh, "logg": logg}), n_boot=10)
    assert scores["poor"]["n"] == 0
    assert np.isnan(scores["poor"]["r2"])
    assert "giant" not in scores
    assert "dwarf" in scores


def test_lengths_must_agree():
    with pytest.raises(InputError, match="shapes"):
        evaluate(np.zeros(3), np.zeros(4), {})
    with pytest.raises(InputError, match="regime 'all'"):
        evaluate(np.zeros(3), np.zeros(3), {"all": np.ones(2, bool)})

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from transtar.errors import TooFew
from transtar.evaluate import evaluate_catalog, format_table, regimes, sigma
from transtar.evaluate.element import line_of_others
from transtar.evaluate.nulls import LINE, MEAN, is_ratio, null_scores


def stars(n=80):
    rng = np.random.default_rng(0)
    feh = rng.uniform(-2.5, 0.4, n)
    return {"feh": feh, "mg_fe": 0.05 - 0.15 * feh + rng.normal(0, 0.08, n)}


def test_line_of_others_is_that_of_scikit_learn_with_each_star_left_out():
    truth = stars()
    star = np.random.default_rng(1).integers(0, 50, 80)
    wanted = cross_val_predict(
        LinearRegression(), truth["feh"][:, None], truth["mg_fe"], groups=star, cv=LeaveOneGroupOut()
    )
    np.testing.assert_allclose(line_of_others(truth["feh"], truth["mg_fe"], star), wanted, atol=1e-12)


def test_no_star_judges_its_own_line():
    truth = stars()
    star = np.arange(80)
    before = line_of_others(truth["feh"], truth["mg_fe"], star)
    truth["mg_fe"][3] += 100
    after = line_of_others(truth["feh"], truth["mg_fe"], star)
    assert after[3] == pytest.approx(before[3])
    assert abs(after[4] - before[4]) > 0.1


def test_a_line_needs_stars_and_two_abscissas():
    with pytest.raises(TooFew, match="4 stars are too few for a line"):
        line_of_others(np.arange(8), np.arange(8), np.repeat(np.arange(4), 2))
    assert np.isnan(line_of_others(np.array([1.0, 1, 1, 1, 2]), np.arange(5.0), np.arange(5))).tolist() == [
        False
    ] * 4 + [True]


def test_mean_and_line_are_scored_on_the_stars_of_the_prediction():
    truth = stars()
    scored = np.arange(80) < 60
    scores, notes = null_scores("mg_fe", truth, scored, np.arange(80), regimes(truth))
    assert not notes
    for name, mask in {"all": scored, "poor": scored & (truth["feh"] < -1)}.items():
        part = truth["mg_fe"][mask]
        mean = scores[MEAN][name]
        assert (mean["r2"], mean["n"]) == (0, mask.sum())
        assert mean["sigma"] == pytest.approx(sigma(part, np.full(len(part), part.mean())))
    line = line_of_others(truth["feh"][:60], truth["mg_fe"][:60], np.arange(60))
    assert scores[LINE]["all"]["r2"] == pytest.approx(r2_score(truth["mg_fe"][:60], line))
    assert scores[LINE]["all"]["r2"] > 0.5
    assert scores[LINE]["all"]["r2_err"] > 0


def test_a_line_is_for_ratios_and_says_when_it_cannot_be():
    assert [is_ratio(name) for name in ("mg_fe", "alphafe", "alpha_m", "feh", "m_h", "teff", "logg", "age")] == [
        True, True, True, False, False, False, False, False,
    ]  # fmt: skip
    truth = stars()
    every = np.ones(80, bool)
    assert list(null_scores("feh", truth, every, np.arange(80), regimes(truth))[0]) == [MEAN]
    scores, (note,) = null_scores("mg_fe", {"mg_fe": truth["mg_fe"]}, every, np.arange(80), {"all": every})
    assert list(scores) == [MEAN]
    assert note == "[Mg/Fe]: no line in [Fe/H] to compare with, for the label table has no [Fe/H]"
    truth["feh"][:10] = np.nan
    _, (note,) = null_scores("mg_fe", truth, every, np.arange(80), regimes(truth))
    assert note == "[Mg/Fe]: the line in [Fe/H] is of 70 of 80 rows, which have [Fe/H]"
    truth["feh"][3:] = np.nan
    _, (note,) = null_scores("mg_fe", truth, every, np.arange(80), regimes(truth))
    assert "too few for a line" in note


def test_null_models_stand_beside_the_score():
    truth = stars()
    reference = {"id": np.arange(80), **truth}
    catalog = {"id": np.arange(80), "mg_fe": truth["mg_fe"] + 0.01, "flags": np.zeros(80, np.int32)}
    text = format_table(evaluate_catalog(catalog, reference, ["mg_fe"], n_boot=10))
    for name in ("mean, all", "mean, poor", "line in [Fe/H], all", "line in [Fe/H], rich"):
        assert f"\n  {name} " in text

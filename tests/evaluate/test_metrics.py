import numpy as np
import pytest
from astropy.stats import sigma_clip
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import r2_score

from transtar.errors import InputError
from transtar.evaluate import RESULT_COLUMNS, bias, evaluate, r2, sigma
from transtar.evaluate.catalog import Evaluation, format_table
from transtar.evaluate.metrics import METRICS, n_clipped
from transtar.evaluate.summaries import AVERAGED

LABEL = st.floats(-5, 5, allow_nan=False, width=32)


@given(st.integers(2, 40).flatmap(lambda n: arrays(np.float64, (2, n), elements=LABEL)))
def test_r2_agrees_with_scikit_learn(pair):
    reference, predicted = pair
    if np.ptp(reference) < 1e-3:
        return
    assert r2(reference, predicted) == pytest.approx(r2_score(reference, predicted), rel=1e-9, abs=1e-9)


@given(st.integers(2, 60).flatmap(lambda n: arrays(np.float64, (2, n), elements=LABEL)))
def test_sigma_agrees_with_astropy(pair):
    reference, predicted = pair
    assert sigma(reference, predicted) == pytest.approx(np.std(sigma_clip(predicted - reference, sigma=3)), abs=1e-12)


@given(st.integers(0, 60).flatmap(lambda n: arrays(np.float64, (2, n), elements=LABEL)))
def test_stars_clipped_are_those_that_astropy_masks(pair):
    reference, predicted = pair
    assert n_clipped(reference, predicted) == int(np.ma.getmaskarray(sigma_clip(predicted - reference, sigma=3)).sum())


def test_sigma_ignores_an_outlier_and_bias_does_not():
    rng = np.random.default_rng(0)
    reference = rng.normal(size=500)
    predicted = reference + 0.1 * rng.normal(size=500)
    predicted[0] += 50
    assert sigma(reference, predicted) == pytest.approx(0.1, rel=0.1)
    assert bias(reference, predicted) == pytest.approx(np.mean(predicted - reference))
    assert bias(reference, predicted) > 0.09


def test_sign_of_bias_is_predicted_minus_reference():
    assert bias([1.0, 2.0], [1.5, 2.5]) == 0.5


def test_teff_scale_costs_no_digits():
    reference = 1e8 + np.arange(10.0)
    assert r2(reference, reference + 1) == pytest.approx(r2_score(np.arange(10.0), np.arange(10.0) + 1), rel=1e-6)


@pytest.mark.parametrize("reference", [[], [1.0], [0.1, 0.1, 0.1]])
def test_r2_without_an_answer_is_nan(reference):
    assert np.isnan(r2(reference, np.zeros(len(reference))))


def test_single_star_has_no_sigma():
    assert np.isnan(sigma([1.0], [2.0]))
    assert np.isnan(bias([], []))


@pytest.mark.parametrize("metric", [r2, sigma, bias])
def test_missing_values_and_odd_shapes_are_refused(metric):
    with pytest.raises(InputError, match="finite"):
        metric([1.0, np.nan], [1.0, 2.0])
    with pytest.raises(InputError, match="shapes"):
        metric([1.0, 2.0], [[1.0, 2.0]])


def test_results_and_means_have_all_metrics():
    names = ["r2", "r2_err", *(name for name in METRICS if name != "r2")]
    assert [name for name, kind in RESULT_COLUMNS.items() if kind is float] == names == list(AVERAGED)


def test_a_metric_that_is_added_is_scored_and_printed(monkeypatch):
    def mad(reference, predicted):
        return float(np.median(np.abs(predicted - reference)))

    monkeypatch.setitem(METRICS, "mad", mad)
    reference = np.linspace(-2, 0, 9)
    scores = evaluate(reference + 0.25, reference, {"all": np.ones(9, bool)})
    assert scores["all"]["mad"] == pytest.approx(0.25)
    evaluation = Evaluation({"feh": scores}, 9, {"feh": {}}, {"feh": {}})
    assert repr(evaluation) == format_table(evaluation)
    head, row, *_ = format_table(evaluation).splitlines()
    assert (head.split()[-1], row.split()[-1]) == ("mad", "0.250")

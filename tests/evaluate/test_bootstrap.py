import numpy as np
import pytest

from transtar.errors import SettingsError
from transtar.evaluate import bias, bootstrap, bootstrap_errors, r2, sigma

METRICS = {"r2": r2, "sigma": sigma, "bias": bias}


def stars(n, seed=0):
    rng = np.random.default_rng(seed)
    reference = rng.normal(-0.3, 0.6, n)
    return reference, reference + rng.normal(0.05, 0.2, n)


def test_equals_a_plain_loop():
    reference, predicted = stars(41)
    drawn = bootstrap(reference, predicted, tuple(METRICS), n_boot=50, seed=3)
    rng = np.random.default_rng(3)
    for number in range(50):
        rows = rng.integers(0, 41, size=41)
        for name, metric in METRICS.items():
            assert drawn[name][number] == pytest.approx(metric(reference[rows], predicted[rows]), rel=1e-9)


def test_blocks_do_not_change_the_draws(monkeypatch):
    import sys

    module = sys.modules["transtar.evaluate.bootstrap"]
    reference, predicted = stars(30)
    whole = bootstrap(reference, predicted, n_boot=64)["r2"]
    monkeypatch.setattr(module, "BLOCK", 100)
    # Nothing is kept, and every block is drawn anew.
    monkeypatch.setattr(module, "KEPT", 0)
    np.testing.assert_allclose(bootstrap(reference, predicted, n_boot=64)["r2"], whole, rtol=1e-12)


def test_seeded():
    pair = stars(30)
    assert bootstrap_errors(*pair, seed=1) == bootstrap_errors(*pair, seed=1) != bootstrap_errors(*pair, seed=2)


def test_one_sigma_interval_covers_the_truth_about_as_often_as_it_should():
    truth = 1 - 0.2**2 / 0.6**2
    inside = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        reference = rng.normal(0, 0.6, 150)
        predicted = reference + rng.normal(0, 0.2, 150)
        error = bootstrap_errors(reference, predicted, n_boot=200, seed=seed)["r2"]
        inside += abs(r2(reference, predicted) - truth) < error
    # 68 % of 200, four standard deviations of a binomial either way, and a little for the skew of R2.
    assert 100 <= inside <= 165


def test_too_few_stars_have_no_error():
    assert np.isnan(bootstrap_errors([1.0], [1.0])["r2"])
    assert np.isnan(bootstrap_errors([1.0, 1.0], [1.0, 2.0])["r2"])
    assert np.isnan(bootstrap_errors(*stars(20), n_boot=0)["r2"])


def test_unknown_metric_is_refused():
    with pytest.raises(SettingsError, match="known metrics: r2, sigma, bias"):
        bootstrap(*stars(5), metrics=("mae",))


def test_two_stars_have_no_error():
    for n, known in ((2, False), (3, True)):
        errors = bootstrap_errors(np.arange(n), np.arange(n) + [0.1, -0.2, 0.1][:n], ("r2", "sigma", "bias"))
        assert {name: bool(np.isfinite(value)) for name, value in errors.items()} == dict.fromkeys(errors, known)

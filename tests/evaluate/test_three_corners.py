import numpy as np
import pytest

from transtar.errors import InputError, TooFew
from transtar.evaluate import three_corners

TRUE = {"reference": 0.08, "second": 0.03, "predicted": 0.06}


def simulated(n, seed, sigmas=(0.08, 0.03, 0.06), offsets=(0.0, 0.2, -0.1), outliers=0):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(-2.5, 0.4, n)
    sets = [truth + offset + rng.normal(0, sigma, n) for sigma, offset in zip(sigmas, offsets, strict=True)]
    sets[2][:outliers] += rng.choice([-2, 2], outliers)
    return sets


def test_known_noises_are_told_within_two_percent_of_many_stars():
    result = three_corners(*simulated(100_000, 0), n_boot=20)
    for name, sigma in TRUE.items():
        # The clip takes 2 % of a Gaussian's sigma.
        assert getattr(result, name).sigma == pytest.approx(sigma, rel=0.035)
    assert result.n == 100_000
    assert result.n_clipped < 1500


def test_outliers_of_one_do_not_pass_for_noise_of_any():
    clean, dirty = (three_corners(*simulated(3000, 1, outliers=n), n_boot=0) for n in (0, 60))
    assert dirty.n_clipped >= clean.n_clipped + 55
    for name in TRUE:
        assert getattr(dirty, name).sigma == pytest.approx(getattr(clean, name).sigma, rel=0.03)


def test_errors_are_those_of_repeated_samples_of_80_stars():
    runs = [three_corners(*simulated(80, seed), n_boot=200) for seed in range(200)]
    for name, sigma in TRUE.items():
        variances, errors = np.array([(getattr(run, name).variance, getattr(run, name).variance_err) for run in runs]).T
        assert np.std(variances) == pytest.approx(np.mean(errors), rel=0.2)
        assert np.mean(variances) == pytest.approx(sigma**2, rel=0.1)


def test_the_formula_on_the_stars_that_are_kept():
    """Rederived with numpy: half of V(ab) + V(ac) - V(bc), after the same clip written another way."""
    a, b, c = simulated(200, 2, outliers=5)
    while True:
        inside = np.ones(len(a), bool)
        for d in (a - b, a - c, b - c):
            inside &= np.abs(d - np.median(d)) <= 3 * np.std(d)
        if inside.all():
            break
        a, b, c = a[inside], b[inside], c[inside]
    v = {name: np.var(d, ddof=1) for name, d in {"ab": a - b, "ac": a - c, "bc": b - c}.items()}
    result = three_corners(*simulated(200, 2, outliers=5))
    assert result.n - result.n_clipped == len(a)
    assert result.reference.variance == pytest.approx((v["ab"] + v["ac"] - v["bc"]) / 2)
    assert result.second.variance == pytest.approx((v["ab"] + v["bc"] - v["ac"]) / 2)
    assert result.predicted.variance == pytest.approx((v["ac"] + v["bc"] - v["ab"]) / 2)
    assert result.predicted.sigma == np.sqrt(result.predicted.variance)
    assert result.predicted.sigma_err == pytest.approx(result.predicted.variance_err / 2 / result.predicted.sigma)


def test_a_negative_variance_is_told_as_such():
    """Errors that two share: the third seems to have all of the difference, and one of the two less than none."""
    rng = np.random.default_rng(4)
    shared, truth = rng.normal(0, 0.1, 300), rng.uniform(-2, 0, 300)
    result = three_corners(truth + shared, truth + 0.5 * shared, truth + rng.normal(0, 0.02, 300))
    assert result.second.variance < 0
    assert np.isnan(result.second.sigma)
    assert np.isnan(result.second.sigma_err)
    assert result.second.negative > 0.9
    assert result.reference.negative == 0


def test_missing_labels_shapes_and_copies():
    a, b, c = simulated(50, 5)
    a[:7], b[5:12] = np.nan, np.nan
    assert three_corners(a, b, c, n_boot=0).n == 38
    assert np.isnan(three_corners(a, b, c, n_boot=0).reference.variance_err)
    with pytest.raises(TooFew, match="9 stars have all three labels, and 10 are needed"):
        three_corners(a[:21], b[:21], c[:21])
    with pytest.raises(InputError, match="second and prediction have the same labels for all 38 stars"):
        three_corners(a, b, b + 0 * c)
    with pytest.raises(InputError, match="second and prediction have the same labels for all 38 stars"):
        three_corners(a, b, b.astype(np.float32))
    with pytest.raises(InputError, match="both catalogs have the same labels but for a constant"):
        three_corners(a, a - 0.1, c)
    with pytest.raises(InputError, match="have shapes"):
        three_corners(a, b, c[1:])

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.trust.conformal import (
    FEWEST,
    bins_of,
    conformal_quantile,
    coverage_rows,
    fit_error_table,
    systematic_part,
)


def made_stars(n, seed, label_noise=0.0):
    """Giants err three times as much as dwarfs; noise of its own for each star; labels with noise."""
    rng = np.random.default_rng(seed)
    told = {"feh": rng.normal(-0.5, 0.6, n), "logg": rng.uniform(1, 5, n)}
    noise = rng.uniform(0.0, 0.3, n)
    systematic = np.where(told["logg"] < 3.5, 0.3, 0.1)
    residual = rng.normal(size=n) * np.hypot(noise, systematic) + label_noise * rng.normal(size=n)
    return residual, noise, told


def test_the_quantile_is_that_of_the_finite_sample():
    scores = np.arange(1.0, 20.0)
    assert conformal_quantile(scores, 0.95) == 19
    assert conformal_quantile(scores, 0.68) == 14
    assert conformal_quantile(scores[:5], 0.95) == 5
    assert conformal_quantile(scores[::-1], 0.5) == 10


def test_the_systematic_part_is_what_is_missing():
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 0.2, 20_000)
    residual = rng.normal(size=20_000) * np.sqrt(noise**2 + 0.15**2 + 0.08**2)
    assert systematic_part(residual, noise, 0.08) == pytest.approx(0.15, rel=0.03)
    assert systematic_part(residual, noise, 1.0) == 0


def test_intervals_hold_what_they_promise():
    """In each bin and at every noise; with labels as noisy as the stars, the truth and not the label."""
    residual, noise, told = made_stars(4000, 0, label_noise=0.15)
    snr = np.full(4000, np.nan)
    table = fit_error_table(
        residual, noise, told, snr, told_by="model", stars="made", label_noise=(0.15, 1.96 * 0.15)
    )  # fmt: skip
    truth, new_noise, new_told = made_stars(20_000, 1)
    halves, pooled = table.intervals(new_noise, new_told, np.full(20_000, np.nan))
    assert not pooled.any()
    for row in coverage_rows(truth, halves, (0.0, 0.0), new_told):
        assert row["within_68"] == pytest.approx(0.68, abs=0.04), row
        assert row["within_95"] == pytest.approx(0.95, abs=0.02), row
    quiet = new_noise < 0.05
    within = np.abs(truth[quiet])[:, None] <= halves[quiet]
    np.testing.assert_allclose(within.mean(axis=0), [0.68, 0.95], atol=0.04)
    # Of itself it says the same of labels, cross-validated.
    (rows,) = table.coverage.values()
    assert rows[0]["n"] == 4000
    assert rows[0]["within_68"] == pytest.approx(0.68, abs=0.03)


def test_coverage_is_exact_over_many_small_samples():
    """(n + 1) p of n: the mean over calibrations is p, with 20 stars and those alone."""
    rng = np.random.default_rng(3)
    shares = []
    for seed in range(300):
        residual = rng.standard_t(4, 20)
        told: dict = {}
        table = fit_error_table(
            residual, np.zeros(20), told, np.full(20, np.nan), told_by="model", stars="x", seed=seed
        )
        halves, pooled = table.intervals(np.zeros(1), told, np.full(1, np.nan))
        assert pooled.all()
        shares.append((np.abs(rng.standard_t(4, 400))[:, None] <= halves).mean(axis=0))
    np.testing.assert_allclose(np.mean(shares, axis=0), [0.7, 20 / 21], atol=0.02)


def test_few_calibrators_are_put_together_and_told():
    residual, noise, told = made_stars(400, 0)
    told["feh"][:] = 0
    told["feh"][: FEWEST - 5] = -2
    table = fit_error_table(residual, noise, told, np.full(400, 30.0), told_by="model", stars="x")
    for cell in table.cells:
        if cell.kind & 1:
            assert (cell.n, cell.pooled) == (400, True)
        else:
            assert cell.n >= FEWEST
            assert not cell.pooled
    # Few stars of a kind are told about by all: the systematic part is between theirs and that.
    assert len(table.cells) == 16


def test_a_bin_of_signal_to_noise_with_enough_stars_stands_by_itself():
    residual, noise, told = made_stars(2000, 0)
    snr = np.where(np.arange(2000) < 1000, 10.0, 100.0)
    residual = np.where(snr < 20, 3 * residual, residual)
    table = fit_error_table(residual, noise, told, snr, told_by="model", stars="x")
    q = {(cell.kind, cell.snr): cell.q68 for cell in table.cells}
    assert q[0, 0] > 2 * q[0, 2]
    assert q[0, 2] < q[0, -1] < q[0, 0]
    assert q[0, 1] == q[0, -1]


def test_what_other_surveys_add_is_the_mean_square_of_each_kind():
    """Shrunk towards all stars, and no part of the intervals at home."""
    n = 400
    residual, noise, told = made_stars(n, 8)
    giants = told["logg"] < 3.5
    moved = np.where(giants, -0.6, 0.2)
    told = {"logg": told["logg"]}
    how = {"told_by": "model", "stars": "x"}
    plain = fit_error_table(residual, noise, told, np.full(n, np.nan), **how)
    table = fit_error_table(residual, noise, told, np.full(n, np.nan), **how, survey="lamost", moved=moved)
    added = {cell.kind: cell.elsewhere for cell in table.cells}
    overall = np.mean(moved**2)
    for kind, square in ((0, 0.04), (1, 0.36)):
        count = np.count_nonzero(giants == bool(kind))
        assert added[kind] == pytest.approx(np.sqrt((count * square + 10 * overall) / (count + 10)))
    here = np.full(n, np.nan), "lamost"
    np.testing.assert_allclose(table.intervals(noise, told, *here)[0], plain.intervals(noise, told, *here)[0])
    assert table.coverage == plain.coverage


def test_too_few_stars_make_no_table():
    with pytest.raises(InputError, match="errors need 10 stars at least that the model has not seen, and there are 9"):
        fit_error_table(np.r_[np.ones(9), np.nan], np.zeros(10), {}, np.full(10, np.nan), told_by="model", stars="x")


def test_bins():
    told = {"feh": np.array([-2.0, 0.0]), "logg": np.array([2.0, 2.0]), "teff": np.array([4000.0, 5000.0])}
    bins = bins_of(told, 2)
    assert {name: mask.tolist() for name, mask in bins.items()} == {
        "all": [True, True], "poor": [True, False], "rich": [False, True], "giant": [True, True], "dwarf": [False, False],
        "cool": [True, False], "warm": [False, True], "poor giant": [True, False],
    }  # fmt: skip
    assert list(bins_of({}, 2)) == ["all"]


@pytest.mark.parametrize("n", [60, 211])
def test_against_crepes(n):
    """Mondrian normalised conformal regression of other hands gives the same intervals."""
    crepes = pytest.importorskip("crepes")
    residual, noise, told = made_stars(n, 5)
    told = {"feh": told["feh"]}
    table = fit_error_table(residual, noise, told, np.full(n, np.nan), told_by="model", stars="x")
    systematic = {cell.kind: cell.systematic for cell in table.cells}
    kinds = (told["feh"] < -1).astype(int)
    assert np.bincount(kinds)[0] >= FEWEST
    sigma = np.hypot(noise, [systematic[kind] for kind in kinds.tolist()])
    regressor = crepes.ConformalRegressor().fit(residual, sigmas=sigma, bins=kinds)
    halves, _ = table.intervals(noise, told, np.full(n, np.nan))
    # Metal-poor ones are too few, and get the quantile of all here.
    rich = kinds == 0
    for place, level in enumerate((0.68, 0.95)):
        ends = regressor.predict_int(np.zeros(n), sigmas=sigma, bins=kinds, confidence=level)
        np.testing.assert_allclose(halves[rich, place], ends[rich, 1], rtol=1e-9)


def test_against_mapie():
    """Split conformal regression of other hands, without kinds and noise."""
    pytest.importorskip("mapie")
    from mapie.regression import SplitConformalRegressor
    from sklearn.dummy import DummyRegressor

    residual = np.random.default_rng(6).standard_t(4, 203)
    table = fit_error_table(residual, np.zeros(203), {}, np.full(203, np.nan), told_by="model", stars="x")
    halves, _ = table.intervals(np.zeros(1), {}, np.full(1, np.nan))
    zero = DummyRegressor(strategy="constant", constant=0.0).fit(np.zeros((203, 1)), residual)
    judge = SplitConformalRegressor(zero, confidence_level=[0.68, 0.95], prefit=True)
    _, ends = judge.conformalize(np.zeros((203, 1)), residual).predict_interval(np.zeros((1, 1)))
    np.testing.assert_allclose(halves[0], ends[0, 1], rtol=1e-9)

import numpy as np
import pytest

from transtar.evaluate import GAMMAS, halves_floor, squared_mmd
from transtar.studies.plane import HALVES, REFERENCE, TRUE, TRUTH, _rows, mean_mmd


def sequences(n, rng):
    """Two sequences 0.2 dex apart, [Fe/H] and [alpha/Fe]."""
    feh = rng.normal(-0.4, 0.25, n)
    return np.stack([feh, np.where(rng.random(n) < 0.4, 0.27, 0.07) - 0.1 * feh + rng.normal(0, 0.03, n)], axis=1)


def test_the_scan_tells_what_the_kernel_of_the_paper_does_not():
    rng = np.random.default_rng(0)
    true, reference = sequences(8000, rng), sequences(4000, rng)
    # Labels of the right mean and covariance that make one sequence of two.
    merged = rng.multivariate_normal(true.mean(axis=0), np.cov(true.T), len(true))
    merged[:100, 1] = np.nan
    rows = list(_rows([(TRUE, 0, 0, true), ("lora", 200, 1, merged)], reference))
    kinds = [(TRUE, REFERENCE), (TRUE, TRUTH), ("lora", REFERENCE), ("lora", TRUTH), (HALVES, REFERENCE)]
    assert [(row["strategy"], row["against"], row["gamma"]) for row in rows] == [(*k, g) for k in kinds for g in GAMMAS]
    assert [row["n"] for row in rows[::3]] == [8000, 4000, 7900, pytest.approx(3950, abs=30), 2000]
    ratios = {}
    for gamma in GAMMAS:
        for kind in kinds:
            value, error = mean_mmd(rows, *kind, gamma=gamma)
            ratios[(*kind, gamma)] = value / error
        found = squared_mmd(merged[100:], reference, gamma)
        assert mean_mmd(rows, "lora", REFERENCE, gamma) == pytest.approx((found.value, found.error), abs=1e-12)
        assert mean_mmd(rows, HALVES, REFERENCE, gamma) == pytest.approx(
            (halves_floor(reference, gamma).value, halves_floor(reference, gamma).error), abs=1e-12
        )
        assert abs(ratios[TRUE, REFERENCE, gamma]) < 3
        assert abs(ratios[TRUE, TRUTH, gamma]) < 3
    for against in (REFERENCE, TRUTH):
        wide, middle, narrow = (ratios["lora", against, gamma] for gamma in GAMMAS)
        assert wide < 2.5
        assert middle > 3
        assert narrow > 8

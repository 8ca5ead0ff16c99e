import numpy as np
import pytest

from transtar.evaluate import evaluate_catalog, format_table
from transtar.evaluate.coverage import coverage
from transtar.flags import Flag


def test_shares_are_those_of_gaussian_errors_and_of_the_stars_that_have_one():
    rng = np.random.default_rng(0)
    n = 20_000
    reference, error = rng.normal(5000, 500, n), rng.uniform(50, 150, n)
    predicted = reference + error * rng.normal(size=n)
    error[0], error[1], predicted[2], reference[3] = np.nan, 0, np.nan, np.nan
    number, once, twice = coverage(predicted, error, reference, {"all": np.ones(n, bool), "none": np.zeros(n, bool)})[
        "all"
    ]
    assert number == n - 4
    assert (once, twice) == (pytest.approx(0.683, abs=0.01), pytest.approx(0.954, abs=0.005))


def test_only_scored_rows_count_by_kind_of_star():
    n = 40
    feh = np.repeat([-1.5, 0.0], n // 2)
    catalog = {"id": np.arange(n), "feh": feh + np.repeat([0.3, 0.1], n // 2), "feh_err": np.full(n, 0.2)}
    catalog["flags"] = np.where(np.arange(n) < 5, int(Flag.OUT_OF_DOMAIN), 0)
    result = evaluate_catalog(catalog | {"survey": np.full(n, "miles")}, {"id": np.arange(n), "feh": feh}, n_boot=10)
    assert result.coverage["feh"] == {"all": (35, 20 / 35, 1.0), "poor": (15, 0.0, 1.0), "rich": (20, 1.0, 1.0)}
    assert "within feh_err and the 95% interval" in format_table(result)
    del catalog["feh_err"]
    assert evaluate_catalog(catalog, {"id": np.arange(n), "feh": feh}, n_boot=10).coverage == {}

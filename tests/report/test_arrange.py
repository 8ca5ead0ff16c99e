import math

import pytest

from transtar.report import paper_table

from .made_rows import row


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ((0.9, 0.9, 0.8, 0.7), {"a": 1, "b": 1, "c": 3}),
        ((0.9, 0.8, 0.8, 0.7), {"a": 1, "b": 2, "c": 2}),
        ((0.9, 0.8, 0.7, 0.7), {"a": 1, "b": 2, "c": 3, "d": 3}),
        ((math.nan, 0.1, -0.5, -9.0), {"b": 1, "c": 2, "d": 3}),
        ((math.nan, 0.1, -math.inf, math.nan), {"b": 1}),
    ],
)
def test_places_of_equals_and_of_values_that_are_not_there(values, places):
    table = paper_table([row(name, 50, value) for name, value in zip("abcd", values, strict=True)], "alphafe")
    assert {key[0]: place for key, place in table.ranks.items()} == places


def test_each_regime_has_places_of_its_own():
    rows = [row(name, 50, r2, regime=regime) for name, regime, r2 in
            (("a", "all", 0.9), ("b", "all", 0.8), ("a", "poor", -0.2), ("b", "poor", 0.1))]  # fmt: skip
    ranks = paper_table(rows, "alphafe").ranks
    expected = {("a", 50, "all"): 1, ("b", 50, "all"): 2, ("b", 50, "poor"): 1, ("a", 50, "poor"): 2}
    assert ranks == expected


def test_rows_and_columns_may_be_chosen_and_those_without_results_are_left_out():
    runs = (("lora", 100, 0.8), ("scratch", 2069, 0.7), ("lora", 2069, 0.9), ("full", 2069, 1.0))
    summary = [row(*run) for run in runs]
    table = paper_table(summary, "alphafe", rows=("scratch", "no-such", "lora"), columns=(2069, 500))
    assert (table.rows, table.columns) == (("scratch", "lora"), (2069,))
    assert set(table.cells) == {("scratch", 2069), ("lora", 2069)}
    assert {key[:2]: place for key, place in table.ranks.items()} == {("lora", 2069): 1, ("scratch", 2069): 2}

import math

import pytest

from transtar.errors import InputError
from transtar.report import inputs_by_size, paper_table, strategies_by_input, strategies_by_size

COUNTS = {2069: (243, 1826), 100: (12, 88), 0: (0, 0)}


def row(strategy, n, r2, input_name="flux", label="alphafe", regime="all", **other):
    return {
        "source": "none" if strategy == "scratch" else "lamost", "target": "desi", "label": label,
        "input": input_name, "strategy": strategy, "n_finetune": n, "regime": regime, "split": "test",
        "variant": "default", "r2": r2, "r2_std": 0.004, "r2_err": 0.01, "sigma": 0.03, "sigma_std": 0.001,
        "bias": 0.0, "bias_std": 0.0, "n_seeds": 5, "n_train": n, "n_test": 5539, **other,
    }  # fmt: skip


# The paper's Table 1, R2 of all stars in [alpha/Fe].
TABLE_1 = {
    "residual": (0.799, 0.790, 0.796, 0.796),
    "lora": (0.829, 0.807, 0.769, 0.733),
    "full": (0.816, 0.810, 0.784, 0.773),
    "zero-shot": (0.776, 0.730, 0.772, 0.681),
    "scratch": (0.761, 0.729, 0.611, 0.749),
}
INPUTS = ("flux", "embed", "embed-align", "embed-split")


@pytest.fixture(scope="module")
def summary():
    rows = [
        row(strategy, 0 if strategy == "zero-shot" else 2069, value, name)
        for strategy, values in TABLE_1.items()
        for name, value in zip(INPUTS, values, strict=True)
    ]
    smaller = {"residual": 0.830, "lora": 0.808, "full": 0.807, "scratch": -1.631}
    return [row("ridge", 2069, 0.99), *rows, *(row(name, 100, value) for name, value in smaller.items())]


def marked(table):
    return {key[:2]: place for key, place in table.ranks.items() if key[2] == "all"}


def test_table_1_has_strategies_by_inputs_and_the_three_best_of_the_block(summary):
    table = strategies_by_input(summary, "alphafe", 2069, names={"lora": "LoRA"})
    assert table.rows == tuple(TABLE_1)
    assert table.columns == INPUTS
    values = [[table.cells[strategy, name]["all"]["r2"] for name in INPUTS] for strategy in TABLE_1]
    assert values == [list(values) for values in TABLE_1.values()]
    # A ridge regression of 0.99 is not among the rows and takes nobody's place.
    assert marked(table) == {("lora", "flux"): 1, ("full", "flux"): 2, ("full", "embed"): 3}
    assert not table.scatter


def test_table_a1_has_inputs_by_sizes_in_the_order_given(summary):
    table = inputs_by_size(summary, "alphafe", "lora", (2069, 100, 0), COUNTS)
    assert table.rows == (*INPUTS, "scratch")
    assert table.columns == (2069, 100, 0)
    assert table.notes == {2069: "243:1826", 100: "12:88", 0: "0:0"}
    assert table.cells["embed", 0]["all"]["r2"] == 0.730
    assert table.cells["flux", 100]["all"]["r2"] == 0.808
    assert table.cells["scratch", 2069]["all"]["r2"] == 0.761
    assert ("scratch", 0) not in table.cells
    assert marked(table) == {("flux", 2069): 1, ("flux", 100): 2, ("embed", 2069): 3}


def test_table_a2_repeats_zero_shot_for_each_adapter_and_counts_it_once(summary):
    rows = [entry | ({"r2": 0.825} if entry["strategy"] == "zero-shot" else {}) for entry in summary]
    table = strategies_by_size(rows, "alphafe", (2069, 100, 0))
    assert table.rows == ("residual", "lora", "full", "scratch")
    assert [table.cells[name, 0]["all"]["r2"] for name in table.rows[:3]] == [0.825] * 3
    assert ("scratch", 0) not in table.cells
    expected = {("residual", 100): 1, ("lora", 2069): 2, ("residual", 0): 3, ("lora", 0): 3, ("full", 0): 3}
    assert marked(table) == expected
    best = [entry | ({"r2": 0.9} if entry["strategy"] == "zero-shot" else {}) for entry in summary]
    places = marked(strategies_by_size(best, "alphafe", (2069, 100, 0)))
    assert sorted(places.values()) == [1, 1, 1, 2, 3]


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


def test_rows_and_columns_may_be_chosen_and_those_without_results_are_left_out(summary):
    table = paper_table(
        [entry for entry in summary if entry["input"] == "flux"], "alphafe", rows=("scratch", "no-such", "lora"),
        columns=(2069, 500),
    )  # fmt: skip
    assert (table.rows, table.columns) == (("scratch", "lora"), (2069,))
    assert set(table.cells) == {("scratch", 2069), ("lora", 2069)}
    assert marked(table) == {("lora", 2069): 1, ("scratch", 2069): 2}


def test_what_cannot_be_arranged_is_refused(summary):
    with pytest.raises(InputError, match="no results for label 'feh'"):
        strategies_by_input(summary, "feh", 2069)
    with pytest.raises(InputError, match="no results for label 'alphafe'"):
        strategies_by_size(summary, "alphafe", (77,))
    again = [entry | {"source": "mock"} for entry in summary]
    with pytest.raises(InputError, match="two results for row flux, n_finetune 2069, all"):
        inputs_by_size(summary + again, "alphafe", "lora", (2069,))

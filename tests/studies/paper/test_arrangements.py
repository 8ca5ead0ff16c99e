"""Tables 1, A1 and A2, from the paper's own numbers."""

import pytest

from transtar.errors import InputError
from transtar.studies.paper.arrangements import inputs_by_size, strategies_by_input, strategies_by_size

from ...report.made_rows import row

COUNTS = {2069: (243, 1826), 100: (12, 88), 0: (0, 0)}

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


def test_what_cannot_be_arranged_is_refused(summary):
    with pytest.raises(InputError, match="no results for label 'feh'"):
        strategies_by_input(summary, "feh", 2069)
    with pytest.raises(InputError, match="no results for label 'alphafe'"):
        strategies_by_size(summary, "alphafe", (77,))
    again = [entry | {"source": "mock"} for entry in summary]
    with pytest.raises(InputError, match="two results for row flux, n_finetune 2069, all"):
        inputs_by_size(summary + again, "alphafe", "lora", (2069,))

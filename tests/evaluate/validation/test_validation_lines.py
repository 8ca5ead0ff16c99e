"""What is printed: one line for each check, and numbers that the rows of the table have, too."""

import json

import numpy as np
import pytest

from transtar.evaluate.validation.validation import Further, Wanted, validate_catalog
from transtar.evaluate.validation.validation_lines import (
    MEANINGS,
    MEASURED,
    format_validation,
    validation_metrics,
    validation_rows,
)


@pytest.fixture(scope="module")
def validation():
    rng = np.random.default_rng(0)
    star = np.repeat(np.arange(60), 2)
    truth = np.repeat(rng.uniform(-1, 0.2, 12), 5)
    catalog = {
        "id": star, "feh": truth[star] + rng.normal(0, 0.05, 120), "feh_err": rng.uniform(0.04, 0.06, 120),
        "teff": rng.uniform(4900, 6000, 60)[star],
    }  # fmt: skip
    rows = np.arange(120) // 2
    members = Further("members", {"cluster": np.arange(60) // 5, "feh": truth}, lambda labels: rows)
    seconds = [
        Further(f"{name}.csv", {"feh": truth + rng.normal(0, noise, 60)}, lambda labels: rows)
        for name, noise in (("one", 0.04), ("two", 0.1))
    ]
    place = np.arange(0, 120, 4)
    wanted = Wanted(members=members, pairs=(place, place + 2), seconds=tuple(seconds))
    return validate_catalog(catalog, wanted, ["feh"])


def test_a_line_for_each_check(validation):
    lines = format_validation(validation).splitlines()
    assert lines[0] == "[Fe/H] (dex)"
    for start in ("repeats ", "clusters ", "pairs ", "strangers ", "three corners "):
        assert sum(line.startswith(f"  {start}") for line in lines) == 1, start
    assert any("minus literature" in line and "per 1000 K" in line for line in lines)
    assert any("one.csv 0.0" in line and "two.csv" in line for line in lines)
    assert "  120 of 120 rows count, 0 left out" in lines


def test_rows_and_metrics_have_the_same_numbers(validation):
    rows = validation_rows(validation)
    assert {name for row in rows for name in row} <= {*MEASURED, "check", "label", "subset", "what"}
    metrics = validation_metrics(validation)["feh"]
    for row in rows:
        place = metrics[row["check"]][row["subset"]]
        if "mad" in row:
            assert place["mad"] == row["mad"]
        if "what" in row:
            assert place[row["what"]][0] == (row["value"] if np.isfinite(row["value"]) else None)
    assert metrics["left_out"] == {}
    # Plain numbers, and null for what is none.
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_every_column_has_a_meaning():
    said = {name.removesuffix("_err") for name in MEANINGS}
    assert {name.removesuffix("_err") for name in MEASURED} <= said | {"within", "within_2err", "snr"}

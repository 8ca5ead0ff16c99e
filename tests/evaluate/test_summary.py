import csv

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.evaluate import RESULT_COLUMNS, read_results, select, summarise


def row(**changes):
    base = dict(
        source="lamost", target="miles", label="feh", input="flux", strategy="lora", n_finetune=50, seed=0,
        regime="all", r2=0.9, r2_err=0.01, sigma=0.15, bias=0.0, n_train=45, n_test=323, split="test",
        variant="default",
    )  # fmt: skip
    return base | changes


def write(path, rows, columns=tuple(RESULT_COLUMNS)):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_round_trip_types_the_values(tmp_path):
    rows = [row(), row(seed=1, r2="", variant="")]
    read = read_results(write(tmp_path / "results.csv", rows))
    assert read[0] == row()
    assert np.isnan(read[1]["r2"])
    assert read[1]["variant"] == "default"


def test_means_and_spread_over_seeds():
    summary = summarise([row(seed=s, r2=v) for s, v in enumerate((0.8, 0.9, 1.0))] + [row(n_finetune=100)])
    assert len(summary) == 2
    assert summary[0]["r2"] == pytest.approx(0.9)
    assert summary[0]["r2_std"] == pytest.approx(np.std([0.8, 0.9, 1.0], ddof=1))
    assert summary[0]["n_seeds"] == 3
    assert np.isnan(summary[1]["r2_std"])


def test_a_seed_without_an_answer_is_not_averaged_away():
    assert np.isnan(summarise([row(), row(seed=1, r2=float("nan"))])[0]["r2"])


def test_select():
    rows = [row(), row(strategy="full"), row(strategy="scratch")]
    assert len(select(rows, strategy={"lora", "full"}, label="feh")) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no column source"), ("a,b\n1,2\n", "no column"), (None, "no such file")],
)
def test_unusable_files(tmp_path, text, message):
    path = tmp_path / "results.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_results(path)


def test_a_wrong_value_is_named(tmp_path):
    with pytest.raises(InputError, match="row 1: r2 is 'good'"):
        read_results(write(tmp_path / "r.csv", [row(r2="good")]))

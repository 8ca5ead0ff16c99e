import csv

import numpy as np
import pyarrow as pa
import pytest

from transtar.errors import InputError
from transtar.evaluate import RESULT_COLUMNS, Results, read_results, write_results
from transtar.evaluate import results as module
from transtar.evaluate.results import SCHEMA


def row(**changes):
    base = dict(
        source="lamost", target="miles", label="feh", input="flux", strategy="lora", n_finetune=50, seed=0,
        regime="all", r2=0.9, r2_err=0.01, sigma=0.15, bias=0.0, n_train=45, n_test=323, split="test",
        variant="default",
    )  # fmt: skip
    others = {name: 0.5 for name, kind in RESULT_COLUMNS.items() if kind is float}
    return others | base | changes


def write(path, rows, columns=tuple(RESULT_COLUMNS)):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_round_trip_types_the_values(tmp_path):
    rows = [row(), row(seed=1, r2="", variant="")]
    results = read_results(write(tmp_path / "results.csv", rows))
    first, second = results
    assert first == row()
    assert np.isnan(second["r2"])
    assert second["variant"] == "default"
    assert results.table.schema == SCHEMA
    assert results.table["seed"].type == pa.int64()


def test_what_is_written_is_read_and_written_again_byte_for_byte(tmp_path):
    rows = [row(r2=0.123456789), row(r2=float("nan"), bias=-0.0), row(sigma=1e-9, seed=-1) | {"extra": 1}]
    for name in ("a.csv", "b.csv"):
        write_results(rows, tmp_path / name)
        rows = list(read_results(tmp_path / name))
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert rows[0]["r2"] == 0.123457


def test_select():
    results = Results.from_rows([row(), row(strategy="full", seed=3), row(strategy="scratch", label="teff")])
    assert len(results.select(strategy={"lora", "full"}, label="feh")) == 2
    assert [one["seed"] for one in results.select(strategy="full")] == [3]
    assert len(results.select(strategy="ridge")) == 0
    assert results.distinct("label") == ["feh", "teff"]
    assert results.with_names("strategy", {"full": "all"}).distinct("strategy") == ["lora", "all", "scratch"]
    assert results.without_variants(["default"]).table.num_rows == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column source"),
        ("a,b\n1,2\n", "no column"),
        (None, "no such file"),
        (",".join(RESULT_COLUMNS) + "\n", "has no rows"),
        (",".join(RESULT_COLUMNS) + "\nlamost,miles\n", "row 1: fewer values than columns"),
        (b"\xff\xfe\x00", "not a CSV table"),
        (",".join([*RESULT_COLUMNS, "r2"]) + "\n", "column r2 occurs twice"),
    ],
)
def test_unusable_files(tmp_path, text, message):
    path = tmp_path / "results.csv"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message):
        read_results(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"r2": "good"}, "row 1: r2 is 'good'"),
        ({"r2": "1e999"}, "row 1: r2 is '1e999', which is out of range"),
        ({"seed": str(2**70)}, "row 1: seed is .* out of range"),
        ({"seed": "1.5"}, "row 1: seed is '1.5', which is not int"),
        ({"variant": "../../escaped"}, "row 1: variant: '../../escaped' cannot be a name"),
        ({"label": ""}, "row 1: label: '' cannot be a name"),
    ],
)
def test_a_wrong_value_is_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read_results(write(tmp_path / "r.csv", [row(**changes)]))


def test_a_metric_that_came_later_is_missing_in_an_older_file_and_others_are_asked_for(tmp_path, monkeypatch):
    path = write(tmp_path / "results.csv", [row()])
    without_bias = write(tmp_path / "none.csv", [row()], [name for name in RESULT_COLUMNS if name != "bias"])
    monkeypatch.setattr(module, "RESULT_COLUMNS", RESULT_COLUMNS | {"later": float})
    monkeypatch.setattr(module, "SCHEMA", SCHEMA.append(pa.field("later", pa.float64(), nullable=False)))
    (one,) = read_results(path)
    assert np.isnan(one.pop("later"))
    assert one == row()
    with pytest.raises(InputError, match="no column bias; a study writes"):
        read_results(without_bias)


def test_a_file_that_may_be_cut_off_is_told(tmp_path, caplog):
    path = tmp_path / "results.csv"
    write_results([row(), row(seed=1, variant="mine")], path)
    read_results(path)
    assert not caplog.messages
    path.write_bytes(path.read_bytes().removesuffix(b"mine\n"))
    assert read_results(path).distinct("variant") == ["default"]
    (line,) = caplog.messages
    assert line.startswith(f"{path}: the last line has no end; if the file was cut off")


def test_rows_that_stand_twice_are_told(tmp_path, caplog):
    path = tmp_path / "results.csv"
    write_results([row(), row(seed=1), row(seed=1, r2=0.5), row(seed=1, variant="mine")], path)
    assert len(read_results(path)) == 4
    (line,) = caplog.messages
    assert line.startswith(f"{path}: 1 rows repeat the run and regime of another row")

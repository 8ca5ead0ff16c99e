"""Predictions on disk and back, to the last bit."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from transtar.errors import InputError
from transtar.evaluate import Results
from transtar.studies.collect import _scores
from transtar.studies.predictions import of_results, read_predictions, read_stars, select, to_table, write_stars

from .paper.made import made_predictions

COLUMNS = {"file": np.array([f"{n}.fits" for n in range(50)]), "id": np.arange(50) + 2**62 + 1}


def written(path, predictions):
    write_stars([to_table(one, SimpleNamespace(columns=COLUMNS)) for one in predictions], path)
    return path


@pytest.fixture
def made():
    return made_predictions({"zero-shot": 0.2, "lora": 0.1}, seeds=(0, 1), n=50)


def test_round_trip(made, tmp_path):
    made[1].predicted[3] = np.nan
    less = {name: values for name, values in made[2].reference.items() if name != "logg"}
    made[2] = replace(made[2], reference=less)
    made[3].reference["teff"][:] = np.nan
    back = read_predictions(written(tmp_path / "p.parquet", made))
    assert len(back) == 4
    for one, other in zip(made, back, strict=True):
        assert {k: v for k, v in vars(one).items() if isinstance(v, int | str)} == {
            k: v for k, v in vars(other).items() if isinstance(v, int | str)
        }
        assert one.predicted.tobytes() == other.predicted.tobytes()
        np.testing.assert_array_equal(one.row, other.row)
        assert set(other.reference) == set(one.reference) & {"feh", "teff", "logg"}
        for name, values in other.reference.items():
            np.testing.assert_array_equal(values, one.reference[name])


def test_identifiers_are_exact_and_columns_of_the_first_version_come_first(made, tmp_path):
    table = read_stars(written(tmp_path / "p.parquet", made))
    assert table["id"].to_pylist()[:50] == COLUMNS["id"].tolist()
    first = "file id target label strategy n_finetune seed variant predicted reference"
    assert table.column_names[:10] == first.split()


def test_what_is_missing_old_or_foreign(made, tmp_path):
    assert read_predictions(tmp_path / "none.parquet") is None
    table = read_stars(written(tmp_path / "p.parquet", made))
    write_stars([table.select(table.column_names[:10])], tmp_path / "old.parquet")
    assert read_predictions(tmp_path / "old.parquet") is None
    write_stars([pa.table({"a": [1]})], tmp_path / "foreign.parquet")
    with pytest.raises(InputError, match="no column input, label"):
        read_predictions(tmp_path / "foreign.parquet")


def test_only_runs_of_the_results_count(made):
    rows = [row for one in made for row in _scores(one)]
    kept = Results.from_rows([row for row in rows if row["seed"] == 0])
    assert [one.seed for one in of_results(made, kept)] == [0, 0]
    assert [one.strategy for one in select(made, seed=(1, 2))] == ["zero-shot", "lora"]

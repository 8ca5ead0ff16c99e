"""Files of SPARCL's spectra, as `transtar fetch` writes them and as damage leaves them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transtar.errors import InputError
from transtar.surveys import get_survey, read

SURVEY = get_survey("sparcl")
WAVE = np.linspace(4000, 5000, 20)


def written(tmp_path, **changes):
    columns = {
        "sparcl_id": ["a-1", "a-2"], "data_release": ["DESI-DR1", "SDSS-DR16"], "spectype": ["STAR", "STAR"],
        "specid": pa.array([2**62 + 1, 2**62 + 2]), "targetid": pa.array([2**62 + 7, None]),
        "redshift": [1e-4, 2e-4], "redshift_warning": pa.array([0, 4]), "ra": [1.0, None],
        "flux": pa.array([np.ones(20)] * 2, pa.list_(pa.float32())), "mask": pa.array([[False] * 20] * 2, pa.list_(pa.bool_())),
    }  # fmt: skip
    table = pa.table({**columns, **changes})
    return table.replace_schema_metadata(
        {"wave": json.dumps(WAVE.tolist()), "medium": "vacuum"}
    ), tmp_path / "sparcl-0.parquet"


def test_scalar_fields_in_their_types(tmp_path):
    table, path = written(tmp_path)
    pq.write_table(table, path)
    back = read(SURVEY, path)
    assert back.ids.tolist() == [2**62 + 7, 2**62 + 2]
    np.testing.assert_allclose(back.meta["velocity"], [29.9792458, np.nan])
    assert back.meta["class"].tolist() == ["STAR", ""]
    np.testing.assert_array_equal(back.meta["ra"], [1, np.nan])


@pytest.mark.parametrize("name", ["redshift", "redshift_warning", "specid", "sparcl_id"])
def test_a_column_that_is_there_twice_is_refused(tmp_path, name):
    table, path = written(tmp_path)
    pq.write_table(table.append_column(name, table.column("redshift")), path)
    with pytest.raises(InputError, match=f"the column {name} is there twice"):
        read(SURVEY, path)


def test_identifiers_that_went_through_floating_point_are_refused(tmp_path):
    table, path = written(tmp_path, specid=pa.array([2.0**62, 2.0**62 + 4096]))
    pq.write_table(table, path)
    with pytest.raises(InputError, match="specid: identifiers are stored as floating point"):
        read(SURVEY, path)

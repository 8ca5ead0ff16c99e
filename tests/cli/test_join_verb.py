import re

import numpy as np
from astropy.table import Table

from transtar.catalog import read_columns, write_catalog


def test_a_table_joined_to_a_catalog(transtar, fails, tmp_path):
    write_catalog(tmp_path / "catalog.parquet", {
        "id": np.array([2**62 + 1, 5]), "survey": np.full(2, "lamost"), "flags": np.zeros(2, np.int32),
        "feh": np.zeros(2, np.float32),
    })  # fmt: skip
    Table({"obsid": [2**62 + 1, 8], "feh": [-0.5, -1.0]}).write(tmp_path / "table.csv")
    command = ("join", "--catalog", tmp_path / "catalog.parquet", "--table", tmp_path / "table.csv")
    done = transtar(*command, "--out", tmp_path / "out.csv", "--suffix", "_lasp")
    assert done.code == 0, done.err
    assert "joined by id (obsid of table.csv)" in done.err
    assert "feh is feh_lasp" in done.err
    assert re.search(r"out\.csv: 1 of 2 rows matched; 1 have no row .*\(0 of them ", done.out)
    np.testing.assert_array_equal(read_columns(tmp_path / "out.csv")["feh_lasp"], [-0.5, np.nan])
    assert "no columns ra and dec" in fails(*command, "--out", tmp_path / "out.csv", "--by", "position")
    assert "--radius: must be a number above 0" in fails(*command, "--out", tmp_path / "out.csv", "--radius", 0, code=2)
    assert "no such column" in fails(*command, "--out", tmp_path / "out.csv", "--columns", "id=nothing", code=2)

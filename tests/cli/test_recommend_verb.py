import re

import numpy as np

from transtar.catalog import read_columns, write_catalog


def test_one_row_per_star(transtar, fails, tmp_path):
    write_catalog(tmp_path / "catalog.parquet", {
        "id": np.array([2**62 + 1, 5, 2**62 + 1]), "survey": np.full(3, "desi"), "snr": np.array([10.0, 10, 20]),
        "flags": np.zeros(3, np.int32), "feh": np.array([-1.0, -2, -1.5]), "feh_noise": np.array([0.2, 0.1, 0.1]),
    })  # fmt: skip
    out = tmp_path / "stars.csv"
    done = transtar("recommend", "--catalog", tmp_path / "catalog.parquet", "--out", out)
    assert done.code == 0, done.err
    assert re.search(r"stars\.csv: 2 stars of 3 rows; 1 have several .*; 0 rows are left out", done.out)
    assert "chi2 of repeats against their noise: feh 5.00" in done.out
    columns = read_columns(out)
    assert columns["id"].tolist() == [2**62 + 1, 5]
    np.testing.assert_allclose(columns["feh"], [-1.4, -2], rtol=1e-6)
    assert "has one row per star already" in fails("recommend", "--catalog", out, "--out", tmp_path / "again.csv")
    assert "a catalog ends in" in fails("recommend", "--catalog", out, "--out", tmp_path / "again.txt", code=2)

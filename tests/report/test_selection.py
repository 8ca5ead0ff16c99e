import csv

import numpy as np
import pyarrow.parquet as pq

from transtar.catalog.catalog_columns import METADATA_KEY
from transtar.report.selection import to_csv, to_latex, to_text, write_selection
from transtar.selections import Selected, Step, load_selection

STEPS = [
    Step("apogee", "rows of a_b.fits", "", 12345),
    Step("apogee", "FE_H_FLAG >= 3", "Table C3: 50 %", 12000, 345),
    Step("desi", "in apogee", "", 10, 11990),
]


def test_text():
    lines = to_text(STEPS).splitlines()
    assert lines[0].split() == ["table", "cut", "rows", "left", "lost", "source"]
    assert lines[2].split() == ["apogee", "FE_H_FLAG", ">=", "3", "12,000", "345", "Table", "C3:", "50", "%"]
    assert lines[1].index("12,345") + 6 == lines[3].index("10 ") + 2


def test_csv():
    rows = list(csv.DictReader(to_csv(STEPS).splitlines()))
    assert rows[1] == {
        "table": "apogee",
        "cut": "FE_H_FLAG >= 3",
        "source": "Table C3: 50 %",
        "rows": "12000",
        "lost": "345",
    }


def test_latex():
    text = to_latex(STEPS, "A & B", "tab:a-cuts")
    assert r"\caption{A \& B}" in text
    assert r"\label{tab:a-cuts}" in text
    assert r"{FE\_H\_FLAG $\geq$ 3} & 12,000 & Table C3: 50 \% \\" in text
    assert text.count(r"\midrule") == 2
    assert [line.split("}{")[-1] for line in text.splitlines() if "multicolumn" in line] == [r"apogee} \\", r"desi} \\"]
    body = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert len(body) == 4
    assert {line.count("&") - line.count(r"\&") for line in body} == {2}


def test_written_files(tmp_path):
    big = 2**62 + 1
    selected = Selected(load_selection("desi-edr"), {"targetid": np.array([big]), "vrad": np.array([1.5])}, STEPS)
    paths = write_selection(selected, tmp_path / "edr.parquet", "desi-edr", ["a.fits"])
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["edr-cuts.csv", "edr-cuts.tex", "edr.parquet"]
    table = pq.read_table(paths["rows"])
    assert table["targetid"].to_pylist() == [big]
    assert b'"selection": "desi-edr"' in table.schema.metadata[METADATA_KEY]

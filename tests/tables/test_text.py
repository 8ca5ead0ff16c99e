"""Tables as text, as people and services write them."""

import gzip
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.labels import read_labels
from transtar.tables import open_table, read_table

BIG = 2**62 + 1
ROWS = [
    ["obsid", "gaia_source_id", "teff", "class"],
    [BIG, BIG + 2, 5000, "STAR"],
    [2, "", "", ""],
    [3, 4, 5000.5, "x"],
]


def written(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("separator", [",", "|", "\t", ";"])
def test_separators(tmp_path, zipped, separator):
    content = "\n".join(separator.join(map(str, row)) for row in ROWS).encode()
    path = written(tmp_path / "a.csv", gzip.compress(content) if zipped else content)
    table, columns = read_table(path, wanted=lambda name: name != "class")
    assert table.names == ("obsid", "gaia_source_id", "teff", "class")
    assert list(columns) == ["obsid", "gaia_source_id", "teff"]
    assert columns["obsid"].ids().tolist() == [BIG, 2, 3]
    assert columns["gaia_source_id"].ids().tolist() == [BIG + 2, -1, 4]
    np.testing.assert_array_equal(columns["teff"].numbers(), [5000, np.nan, 5000.5])


def test_blanks(tmp_path):
    text = "  obsid    feh  name\r\n 1   -0.5   a\r\n\r\n22   0.25  'b'  \r\n"
    _, columns = read_table(written(tmp_path / "a.txt", text))
    assert columns["obsid"].ids().tolist() == [1, 22]
    assert columns["feh"].numbers().tolist() == [-0.5, 0.25]
    text = 'star  feh  note\n"HD  1"   -0.5  "" \n HD2 0.25   x\n'
    _, columns = read_table(written(tmp_path / "b.txt", text))
    assert columns["star"].text().tolist() == ["HD  1", "HD2"]
    assert columns["note"].missing.tolist() == [True, False]


def test_names_in_a_comment(tmp_path):
    """As numpy.savetxt and TOPCAT write them."""
    _, columns = read_table(written(tmp_path / "a.txt", "# made today\n# obsid teff feh\n1 5000 -0.5\n2 6000 0.5\n"))
    assert columns["obsid"].ids().tolist() == [1, 2]
    assert columns["feh"].numbers().tolist() == [-0.5, 0.5]


def test_answers_of_vizier(tmp_path):
    text = "#Name: J/x\n#Column\tfeh\n\nobsid\tTeff\trv\n \tkK\tm/s\n-----\t----\t------\n1\t5.0\t90000\n2\t \t-1190\n\n#END\n"
    _, columns = read_table(written(tmp_path / "a.tsv", text))
    assert columns["obsid"].ids().tolist() == [1, 2]
    np.testing.assert_array_equal(columns["Teff"].numbers(), [5000, np.nan])
    np.testing.assert_allclose(columns["rv"].numbers(), [90, -1.19])


def test_a_row_of_dashes_for_missing_values_is_a_row(tmp_path):
    _, columns = read_table(written(tmp_path / "a.csv", "obsid,feh,teff\n5,-0.1,5000\n-,-,-\n6,-0.2,5100\n"))
    assert columns["obsid"].ids().tolist() == [5, -1, 6]


def test_borders_and_rules(tmp_path):
    text = "| obsid | feh  |\n|-------|------|\n| 1     | -0.5 |\n| 2     |      |\n"
    _, columns = read_table(written(tmp_path / "a.md", text))
    assert columns["obsid"].ids().tolist() == [1, 2]
    np.testing.assert_array_equal(columns["feh"].numbers(), [-0.5, np.nan])


def test_rows_that_are_comments_are_left_out(tmp_path):
    rows = "".join(f"{n},-0.5,5000\n" for n in range(1, 200_000))
    path = written(tmp_path / "a.csv", f"obsid,feh,teff\n{rows}#7,-9,5000\n#one, two\n300000,0.5,6000\n")
    _, columns = read_table(path)
    assert columns["obsid"].ids()[-1] == 300000
    assert len(columns["obsid"]) == 200_000
    assert columns["feh"].numbers()[-2] == -0.5


def test_latin_1_among_the_first_rows_is_told(tmp_path, caplog):
    text = "obsid,feh,observer\n1,0.1,Müller\n2,0.2,Doe\n"
    assert read_labels(written(tmp_path / "a.csv", text.encode("latin-1")))["observer"].tolist() == ["Müller", "Doe"]
    assert "not UTF-8; its letters are read as Latin-1" in caplog.text


def test_latin_1_is_told(tmp_path, caplog):
    rows = "obsid,feh,observer\n" + "1,0.1,Doe\n" * 100
    path = written(tmp_path / "a.csv", rows.encode() + "2,0.2,Müller\n".encode("latin-1"))
    table = read_labels(path)
    assert table["observer"][-1] == "Müller"
    assert "not UTF-8; its letters are read as Latin-1" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,5000,-0.5\n2,5000,-0.5\n", "the first line, '1,5000,-0.5', names no columns"),
        ("obsid,feh\n1,2,3\n", r"row '1,2,3' has 3 fields, the line of names 2"),
        ("obsid,feh\r1,2\r", "lines end in CR alone"),
        ("obsid;feh\n1;-0,5\n2;-0,25\n", "could not convert '-0,5' to a number; write decimal points, not commas"),
        ("obsid,feh\n1,<-2\n", "could not convert '<-2' to a number; limits are no values"),
        ("\xff\xfeo\0b\0s\0".encode("latin-1"), "text in UTF-16"),
        (b"PK\x03\x04rest", "an Excel workbook; unpack it, or save the sheet as CSV"),
        (b"<!DOCTYPE html><html>", "a web page; the download needs a login"),
        (b"\x89HDF\r\n", "an HDF5 file; write the table as parquet"),
        (b'{"a": 1}', "JSON"),
        (b"x" * (3 << 20), "the first line has more than"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, text, message):
    path = written(tmp_path / "a.csv", text)
    with pytest.raises(InputError, match=message) as caught:
        read_labels(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_large_cells_many_comments_and_bombs_cost_little(tmp_path):
    began = time.monotonic()
    path = written(tmp_path / "cell.csv", f"obsid,feh,note\n1,-0.5,{'x' * (1 << 20)}\n2,0.5,y\n")
    assert read_labels(path)["feh"].tolist() == [-0.5, 0.5]
    path = written(tmp_path / "comments.csv", "# a comment\n" * 300_000 + "obsid,feh\n1,-0.5\n")
    assert read_labels(path)["feh"].tolist() == [-0.5]
    row = b"1,-0.5\n"
    for name, start, filler in (
        ("rows", b"obsid,feh\n", row * (1 << 17)),
        ("zeros", b"", bytes(1 << 20)),
        ("line", b"", b"x" * (1 << 20)),
    ):
        with gzip.open(tmp_path / f"{name}.csv.gz", "wb") as file:
            file.write(start)
            for _ in range(400):
                file.write(filler)
        with pytest.raises(InputError, match=rf"{name}\.csv\.gz"):
            read_labels(tmp_path / f"{name}.csv.gz")
    # Seconds, where minutes would be the fault; far more than it takes on a busy machine.
    assert time.monotonic() - began < 60


NAMES = st.lists(st.from_regex(r"\Ax[a-z]{1,5}\Z"), min_size=2, max_size=5, unique=True)
CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters='\r\n\0"', exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=8
)


@settings(max_examples=60, deadline=None)
@given(NAMES, st.data(), st.sampled_from([",", ";", "|", "\t"]))
def test_text_comes_back_as_it_was_written(tmp_path_factory, names, data, separator):
    """Quoted cells of any text: what is read is what was written, but for blanks around it."""
    rows = data.draw(st.lists(st.tuples(*[CELLS] * len(names)), min_size=1, max_size=6))
    # A row that begins with # is a comment, whoever wrote it.
    lines = [separator.join(f'"{cell}"' for cell in row) for row in rows]
    path = tmp_path_factory.mktemp("x") / "a.csv"
    path.write_text("\n".join([separator.join(names), *lines]) + "\n", encoding="utf-8")
    table = open_table(path)
    assert table.names == tuple(names)
    columns = table.columns()
    for place, name in enumerate(names):
        assert columns[name].values.tolist() == [row[place] for row in rows]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(2**53, 2**63 - 1), min_size=1, max_size=5), st.sampled_from([",", "|", " "]))
def test_identifiers_are_exact(tmp_path_factory, numbers, separator):
    path = tmp_path_factory.mktemp("x") / "a.csv"
    path.write_text(f"obsid{separator}feh\n" + "".join(f"{n}{separator}-0.5\n" for n in numbers))
    assert read_labels(path)["id"].tolist() == numbers


@pytest.mark.parametrize("row", ['1  2.5 "HD 7"', ' 1 2.5 "HD 7"', '1 2.5 "HD 7"   ', '1 2.5   "HD 7" '])
def test_blanks_between_the_fields_of_ecsv(tmp_path, row):
    """As astropy reads them: several are one, and two quotes are a field without a value."""
    types = [("a", "int64"), ("logg", "float64"), ("star", "string")]
    head = "# %ECSV 1.0\n# ---\n# datatype:\n" + "".join(f"# - {{name: {n}, datatype: {t}}}\n" for n, t in types)
    path = written(tmp_path / "a.ecsv", f'{head}\na logg star\n{row}\n2 "" "HD  8"\n')
    _, columns = read_table(path)
    assert columns["a"].ids().tolist() == [1, 2]
    np.testing.assert_array_equal(columns["logg"].numbers(), [2.5, np.nan])
    assert columns["star"].text().tolist() == ["HD 7", "HD  8"]


@pytest.mark.parametrize("name", ["", "feh", "teff [K]", "x{}"])
def test_tens_of_thousands_of_columns(tmp_path, name):
    """Opened in a time that grows with their number, not with its square."""
    names = ["obsid", *(name.format(n) for n in range(30_000))]
    path = written(tmp_path / "a.csv", ",".join(names) + "\n1" + ",2" * (len(names) - 1) + "\n")
    begun = time.process_time()
    table = open_table(path)
    assert table.columns(lambda name: name == "obsid")["obsid"].ids().tolist() == [1]
    assert len(table.names) == len(set(table.names)) == len(names)
    assert time.process_time() - begun < 5

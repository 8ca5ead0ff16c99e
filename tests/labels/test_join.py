import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.labels import join, look_up

BIG = 2**62 + 1
FILE = np.array(["a.fits.gz", "b.fits", "c.fits"])
IDS = np.array([BIG, BIG + 1, -1])


def test_file_goes_first_and_gz_does_not_matter():
    table = {"file": np.array(["b.fits.gz", "x", "a.fits"]), "id": np.array([BIG, 5, 6]), "feh": np.arange(3.0)}
    rows, report = join(table, file=FILE, ids=IDS, labels=["feh"])
    assert rows.tolist() == [2, 0, -1]
    assert (report.key, report.matched, report.unmatched, report.unused) == ("file", 2, 1, 1)
    assert "2 spectra have labels (joined by file)" in str(report)


def test_neighbouring_large_ids_and_no_id():
    table = {"id": np.array([-1, BIG + 1, BIG]), "feh": np.arange(3.0)}
    rows, report = join(table, file=FILE, ids=IDS, labels=["feh"])
    assert rows.tolist() == [2, 1, -1]
    assert report.unused == 1


def test_id_where_no_file_matches():
    table = {"file": np.array(["z"]), "id": np.array([BIG]), "feh": np.zeros(1)}
    assert join(table, file=FILE, ids=IDS, labels=["feh"])[1].key == "id"


def test_star():
    table = {"star": np.array(["J1"]), "feh": np.zeros(1)}
    rows, _ = join(table, file=FILE, ids=IDS, labels=["feh"], star=np.array(["J1", "J1", ""]))
    assert rows.tolist() == [0, 0, -1]


def test_nothing_matches():
    table = {"file": np.array(["z.fits"]), "id": np.array([7]), "feh": np.zeros(1)}
    with pytest.raises(
        InputError, match=rf"file \(spectra: 'a.fits', table: 'z.fits'\) or id \(spectra: {BIG}, table: 7\)"
    ):
        join(table, file=FILE, ids=IDS, labels=["feh"])
    with pytest.raises(InputError, match="no column teff; columns found: file, id, feh"):
        join(table, file=FILE, ids=IDS, labels=["teff"])


def test_repeated_rows():
    table = {
        "id": np.array([BIG, BIG, 8, 8]),
        "feh": np.array([np.nan, np.nan, 1, 2]),
        "teff": np.array([1.0, 2, 3, 3]),
    }
    rows, report = join(table, file=FILE, ids=IDS, labels=["feh"])
    assert rows.tolist() == [0, -1, -1]
    assert report.unused == 2
    with pytest.raises(InputError, match=f"1 id values repeat in the table with different teff, first {BIG}"):
        join(table, file=FILE, ids=IDS, labels=["teff"])


def test_look_up():
    table = {"file": np.array(["b.fits"]), "split": np.array(["test"])}
    assert look_up(table, "split", file=FILE, ids=IDS, fill="").tolist() == ["", "test", ""]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.lists(st.integers(0, 20), min_size=1, unique=True))
def test_as_a_dictionary_would(ours, theirs):
    expected = [theirs.index(number) if number in theirs else -1 for number in ours]
    table = {"id": np.array(theirs), "feh": np.zeros(len(theirs))}
    arguments = {"file": np.full(len(ours), ""), "ids": np.array(ours), "labels": ["feh"]}
    if max(expected) < 0:
        with pytest.raises(InputError):
            join(table, **arguments)
    else:
        assert join(table, **arguments)[0].tolist() == expected

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.labels import find_velocities, join, look_up

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


KEYS = {
    "SURVEY": np.array(["main", "main", "sv3", "", "main"]),
    "PROGRAM": np.array(["dark", "bright", "bright", "", "dark"]),
    "HEALPIX": np.array([7, 7, 7, -1, 7]),
}
FIVE = np.array([BIG, BIG, BIG, BIG + 1, -1])


def compound(**changes):
    table = {
        "id": np.array([BIG, BIG, BIG + 1, BIG]),
        "SURVEY": np.array(["main", "main", "main", "sv1"]),
        "PROGRAM": np.array(["bright", "dark", "dark", "dark"]),
        "HEALPIX": np.array([7, 7, 7, 7]),
        "feh": np.arange(4.0),
    }
    return {name: values for name, values in (table | changes).items() if values is not None}


def test_compound_key():
    rows, report = join(compound(), file=np.full(5, "a"), ids=FIVE, labels=["feh"], keys=KEYS)
    assert rows.tolist() == [1, 0, -1, 2, -1]
    assert report.key == "id, SURVEY, PROGRAM, HEALPIX"
    assert (report.matched, report.unmatched, report.unused) == (3, 2, 1)


def test_parts_that_the_table_has_in_another_case_or_type_or_not_at_all():
    table = compound(SURVEY=None, HEALPIX=np.array(["7", "7", "7", "8"]))
    table["program"] = table.pop("PROGRAM")
    rows, report = join(table, file=np.full(5, "a"), ids=FIVE, labels=["feh"], keys=KEYS)
    assert rows.tolist() == [1, 0, 0, 2, -1]
    assert report.key == "id, PROGRAM, HEALPIX"


def test_two_programs_and_a_table_that_does_not_tell_them():
    table = compound(SURVEY=None, PROGRAM=None)
    arguments = {"file": np.full(5, "a"), "ids": FIVE, "labels": ["feh"], "keys": KEYS}
    table["HEALPIX"] = np.array([7, 7, 7, 8])
    with pytest.raises(InputError, match=f"1 id values repeat in the table with different feh, first {BIG}; keep one"):
        join(table, **arguments)
    rows, report = join(table, **arguments, refuse=False)
    assert rows.tolist() == [-1, -1, -1, 2, -1]
    assert (report.matched, report.ambiguous, report.unused) == (1, 3, 1)
    table["feh"][1] = 0
    assert join(table, **arguments)[0].tolist() == [0, 0, 0, 2, -1]
    bare = {"id": np.array([BIG, BIG]), "feh": np.arange(2.0)}
    with pytest.raises(InputError, match="keep one row for each, or name its SURVEY, PROGRAM, HEALPIX"):
        join(bare, **arguments)


def test_a_compound_key_that_matches_nothing_is_shown():
    table = compound(SURVEY=np.full(4, "special"))
    with pytest.raises(InputError, match=rf"id, SURVEY.*\(spectra: {BIG} 'main' 'dark' 7, table: {BIG} 'special'"):
        join(table, file=np.full(3, "a"), ids=FIVE[:3], labels=["feh"], keys={k: v[:3] for k, v in KEYS.items()})


def test_a_file_of_several_spectra_is_no_key_where_there_are_ids():
    file, ids = np.array(["a", "a", "b"]), np.array([BIG, BIG + 1, BIG + 2])
    table = {"file": np.array(["a", "b"]), "id": np.array([BIG + 1, BIG + 2]), "feh": np.arange(2.0)}
    assert join(table, file=file, ids=ids, labels=["feh"])[0].tolist() == [-1, 0, 1]
    del table["id"]
    assert join(table, file=file, ids=ids, labels=["feh"])[0].tolist() == [0, 0, 1]


@given(st.data())
def test_compound_keys_as_a_dictionary_would(data):
    keys = st.tuples(st.integers(0, 4), st.sampled_from(["x", "y", ""]), st.sampled_from([3, 4]))
    ours = data.draw(st.lists(keys, min_size=1, max_size=20))
    theirs = data.draw(st.lists(keys.filter(lambda k: k[1]), min_size=1, max_size=20, unique=True))

    def expected(key):
        found = [row for row, other in enumerate(theirs) if other[0] == key[0] and other[2] == key[2]]
        found = [row for row in found if key[1] in ("", theirs[row][1])]
        return found[0] if len(found) == 1 else -1

    columns = [np.array(part) for part in zip(*ours, strict=True)]
    other = [np.array(part) for part in zip(*theirs, strict=True)]
    table = {"id": other[0], "PROGRAM": other[1], "HEALPIX": other[2], "velocity": np.arange(len(theirs)) * 1.0}
    keys = {"PROGRAM": columns[1], "HEALPIX": columns[2]}
    found = find_velocities(table, file=np.full(len(ours), "f"), ids=columns[0], keys=keys)
    np.testing.assert_array_equal(found, [np.nan if e < 0 else e for e in map(expected, ours)])


def test_a_table_without_a_name_that_the_spectra_have_is_told_of_those_that_they_have():
    table = {"star": np.array(["star00"]), "feh": np.zeros(1)}
    spectra = {"file": np.array(["a/star00.csv"]), "ids": np.array([-1]), "star": np.array([""])}
    with pytest.raises(
        InputError,
        match=r"by star \(spectra: none, table: 'star00'\); the spectra could be known by file 'star00.csv'$",
    ):
        join(table, **spectra, labels=["feh"])

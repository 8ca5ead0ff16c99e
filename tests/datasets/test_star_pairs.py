import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transtar.datasets.star_pairs import gaia_ids_of, pairs_of
from transtar.errors import InputError

ID = 2**62

some = st.lists(st.tuples(st.integers(-1, 6), st.booleans()), max_size=12)


@given(some, some)
def test_pairs_are_those_of_equal_ids(left, right):
    ids, good = (
        [np.array([one[k] for one in side], kind) for side in (left, right)] for k, kind in ((0, np.int64), (1, bool))
    )
    rows = pairs_of(ids[0], good[0], ids[1], good[1])
    expected = []
    for row, (star, fine) in enumerate(left):
        partners = [place for place, (other, also) in enumerate(right) if other == star and also]
        if fine and star >= 0 and partners:
            expected.append((row, partners[0]))
    assert list(zip(rows["lrs"].tolist(), rows["xp"].tolist(), strict=True)) == expected


def test_ids_that_differ_in_the_last_digit_are_others():
    yes = np.ones(2, bool)
    rows = pairs_of(np.array([ID + 1, ID + 2]), yes, np.array([ID, ID + 2]), yes)
    assert (rows["lrs"].tolist(), rows["xp"].tolist()) == ([1], [1])


def columns(survey="lamost"):
    return {
        "survey": np.full(3, survey), "id": np.array([11, 12, -1]), "file": np.array(["a.fits.gz", "b.fits", "c.fits"]),
        "star": np.array(["J1", "J2", "J3"]),
    }  # fmt: skip


@pytest.mark.parametrize("survey", ["lamost", "a survey of nobody"])
def test_a_table_tells_gaias_identifiers(tmp_path, survey):
    table = tmp_path / "catalog.csv"
    table.write_text(f"obsid,gaia_source_id\n12,{ID + 1}\n13,{ID}\n11,\n")
    assert gaia_ids_of(columns(survey), table).tolist() == [-1, ID + 1, -1]
    table.write_text(f"file,gaia_source_id\na.fits,{ID + 1}\n/some/where/c.fits,{ID + 3}\n")
    assert gaia_ids_of(columns(survey), table).tolist() == [ID + 1, -1, ID + 3]
    table.write_text(f"obsid,recno\n12,{ID + 1}\n")
    assert gaia_ids_of(columns(survey), table, {"source_id": "recno"}).tolist() == [-1, ID + 1, -1]


def test_a_table_of_others_is_told(tmp_path):
    table = tmp_path / "catalog.csv"
    table.write_text(f"obsid,gaia_source_id\n99,{ID}\n")
    with pytest.raises(InputError, match="no spectrum matches any row of the table"):
        gaia_ids_of(columns(), table)
    table.write_text("obsid,teff\n11,5000\n")
    with pytest.raises(InputError, match=r"no column of Gaia's identifiers \(gaia_source_id, gaia_id, source_id\)"):
        gaia_ids_of(columns(), table)
    table.write_text(f"gaia_source_id_of_dr3,gaia_source_id\n1,{ID}\n")
    with pytest.raises(InputError):
        gaia_ids_of(columns(), table)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.labels import StarList, read_stars
from transtar.spectra import SpectrumBatch

from ..made_surveys import write_csv

BIG = 2**62 + 1


def batch(ids, **meta):
    n = len(ids)
    keys = tuple(name for name in ("SURVEY", "PROGRAM", "HEALPIX") if name in meta)
    columns = {"file": np.full(n, "many.fits"), **{name: np.asarray(values) for name, values in meta.items()}}
    return SpectrumBatch(
        wave=np.array([4000.0, 5000.0]), flux=np.ones((n, 2), np.float32), ivar=None, mask=np.zeros((n, 2), bool),
        ids=np.asarray(ids, np.int64), survey="made", meta=columns, keys=keys,
    )  # fmt: skip


def star_list(path, rows):
    write_csv(path, rows)
    return StarList.read(path)


def test_rows_are_sorted_and_none_comes_twice(tmp_path):
    rows = [(BIG + 2, "main"), (BIG, "main"), (BIG, "sv3"), (BIG + 2, "main")]
    write_csv(tmp_path / "s.csv", [{"TARGETID": i, "SURVEY": survey, "teff": 5000} for i, survey in rows])
    table = read_stars(tmp_path / "s.csv")
    assert table["id"].tolist() == [BIG, BIG, BIG + 2]
    assert sorted(table["SURVEY"].tolist()[:2]) == ["main", "sv3"]
    assert set(table) == {"id", "SURVEY"}
    write_csv(tmp_path / "n.csv", [{"teff": 5000}])
    with pytest.raises(InputError, match=r"n\.csv: no column tells which spectrum"):
        read_stars(tmp_path / "n.csv")


def test_a_compound_key_tells_coadds_of_one_target_apart(tmp_path):
    stars = star_list(tmp_path / "s.csv", [{"TARGETID": BIG, "SURVEY": "main"}, {"TARGETID": BIG + 1, "SURVEY": "sv3"}])
    assert stars.wanted(batch([BIG, BIG, BIG + 1], SURVEY=["main", "sv3", "main"])).tolist() == [True, False, False]
    assert stars.wanted(batch([5], SURVEY=["main"])).tolist() == [False]
    assert (
        str(stars)
        == f"stars: 1 of 2 in s.csv have spectra here; 1 have none, the first of them id {BIG + 1}, SURVEY sv3"
    )
    assert stars.wanted(batch([BIG + 1], SURVEY=["sv3"])).all()
    assert str(stars) == "stars: 2 of 2 in s.csv have spectra here"


def test_by_file_or_star_where_there_is_no_identifier(tmp_path):
    stars = star_list(tmp_path / "s.csv", [{"file": "a/spec-1.fits.gz", "star": "HD 1"}, {"file": "", "star": "HD 2"}])
    assert stars.wanted(batch([-1, -1], file=["spec-1.fits", "spec-2.fits"])).tolist() == [True, False]
    assert stars.wanted(batch([-1, -1], file=["x", "y"], star=["HD 3", "HD 2"])).tolist() == [False, True]
    # An identifier of both sides decides alone: one file may hold many spectra.
    stars = star_list(tmp_path / "t.csv", [{"file": "many.fits", "id": 3}])
    assert stars.wanted(batch([3, 4])).tolist() == [True, False]


def test_a_list_of_other_stars(tmp_path):
    stars = star_list(tmp_path / "s.csv", [{"id": 3}])
    assert not stars.wanted(batch([4])).any()
    with pytest.raises(InputError, match=r"s\.csv: none of its 1 stars has a spectrum here"):
        stars.require_match()


@given(
    st.lists(st.integers(0, 30), min_size=1), st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=9), max_size=6)
)
def test_agrees_with_sets(listed, batches):
    stars = StarList("list", {"id": np.unique(np.array(listed, np.int64))})
    for ids in batches:
        assert stars.wanted(batch(ids)).tolist() == [i in set(listed) for i in ids]
    met = {i for ids in batches for i in ids} & set(listed)
    assert stars.met.sum() == len(met)

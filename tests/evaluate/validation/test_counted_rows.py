"""Which rows count: bad ones, those a model saw and copies do not; and what makes two rows one star."""

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.evaluate.validation.counted_rows import counted, has_keys, stars_of
from transtar.flags import Flag


@pytest.fixture
def catalog():
    return {
        "id": np.array([7, 7, 7, 2**62 + 1, 2**62 + 2, -1, -1]),
        "file": np.array(["a", "b", "b", "c", "d", "e", "f"]),
        "star": np.array(["", "", "", "", "", "J01", "J01"]),
        "snr": np.array([10, 30, 30, 5, 5, 20, np.nan]),
        "feh": np.array([-1.0, -1.1, -1.1, 0.1, np.nan, 0.3, 0.2]),
        "feh_err": np.array([0.1, 0.0, 0.0, np.nan, 0.1, 0.2, 0.2]),
        "flags": np.array([0, 0, 0, Flag.OUT_OF_DOMAIN, Flag.OUT_OF_DOMAIN, 0, Flag.TRAINED_ON], np.int32),
    }


def test_each_row_left_out_has_its_reason(catalog):
    rows = counted(catalog, "feh")
    assert np.isfinite(rows.values).tolist() == [True, True, False, False, False, True, False]
    assert rows.left_out == {
        "flagged bad": 1, "no value": 1, "seen by a model (TRAINED_ON)": 1, "the same spectrum once more": 1,
    }  # fmt: skip
    assert rows.flags == {"OUT_OF_DOMAIN": 1}
    # No error is no error of zero.
    assert np.flatnonzero(np.isfinite(rows.errors)).tolist() == [0, 5]
    with_bad = counted(catalog, "feh", keep_bad=True)
    assert np.isfinite(with_bad.values).sum() == 4
    with pytest.raises(InputError, match="no column 'teff'"):
        counted(catalog, "teff")


def test_stars_are_told_by_name_then_by_identifier(catalog):
    star = stars_of(catalog)
    assert star[0] == star[1] == star[2]
    assert star[5] == star[6]
    assert len(set(star.tolist())) == 4
    assert len(set(stars_of({**catalog, "survey": np.array(["x"] * 5 + ["x", "y"])}).tolist())) == 5
    # Without either each row is a star by itself.
    bare = {"feh": np.zeros(3), "id": np.full(3, -1)}
    assert len(set(stars_of(bare).tolist())) == 3
    assert not has_keys(bare)
    assert has_keys(catalog)


def test_best_row_of_a_star_has_the_greatest_signal_to_noise(catalog):
    assert counted(catalog, "feh").best().tolist() == [1, 5]
    assert counted({**catalog, "snr": np.full(7, np.nan)}, "feh").best().tolist() == [0, 5]

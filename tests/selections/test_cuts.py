import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transtar.errors import InputError, SettingsError
from transtar.schema import parse
from transtar.selections.cuts import FromFile, passes
from transtar.tables import Column

BIG = 2**62 + 1


def column(values, missing=None):
    values = np.asarray(values)
    return Column(values, np.zeros(len(values), bool) if missing is None else np.array(missing))


@pytest.mark.parametrize(
    ("entry", "values", "kept", "name"),
    [
        ({"column": "SNR", "above": 40}, [40, 40.1, np.nan], [0, 1, 0], "SNR > 40"),
        ({"column": "T", "at_least": 4, "below": 6}, [3, 4, 5, 6], [0, 1, 1, 0], "T >= 4; T < 6"),
        ({"column": "T", "at_most": -2.0}, [-2, -1.99, np.nan], [1, 0, 0], "T <= -2"),
        ({"column": "I", "at_most": BIG}, [BIG - 1, BIG, BIG + 1], [1, 1, 0], f"I <= {BIG}"),
        ({"column": "I", "equals": BIG}, [BIG - 1, BIG, BIG + 1], [0, 1, 0], f"I = {BIG}"),
        ({"column": "F", "equals": 0}, [0, 1, np.nan], [1, 0, 0], "F = 0"),
        ({"column": "G", "equals": "STAR"}, ["STAR", "STAR  ", "QSO", ""], [1, 1, 0, 0], "G = STAR"),
        ({"column": "G", "not_equals": "s"}, [b"s", b"m ", b""], [0, 1, 1], "G is not s"),
        ({"column": "X", "finite": True}, [1.0, np.nan, np.inf], [1, 0, 0], "X known"),
        ({"column": "X", "gaia_id": True}, [BIG, 0, -9999, 999999], [1, 0, 0, 0], "X known"),
        ({"column": "X", "gaia_id": True}, [str(BIG), "", "nan"], [1, 0, 0], "X known"),
        ({"column": "P", "true": True}, ["True", "F", "1"], [1, 0, 1], "P is true"),
        ({"column": "STARFLAG", "no_bits": "PERSIST_HIGH"}, [0, 512, 513, 1], [1, 0, 0, 1],
         "STARFLAG without PERSIST_HIGH"),
        ({"column": "apogee.ASPCAPFLAG", "no_bits": ["STAR_BAD", "TEFF_BAD"], "name": "good"},
         [2**23, 2**16, 2**17], [0, 0, 1], "good"),
    ],
)  # fmt: skip
def test_operators(entry, values, kept, name):
    cut = parse(FromFile, entry, "test")
    assert passes(cut, column(values), "file").tolist() == [bool(k) for k in kept]
    assert str(cut) == name


def test_missing_logicals():
    primary = column([True, False, False], [False, False, True])
    for operator, kept in (("true", [True, False, False]), ("true_or_missing", [True, False, True])):
        assert passes(parse(FromFile, {"column": "PRIMARY", operator: True}, ""), primary, "").tolist() == kept


@given(st.lists(st.floats(-900, 1e6) | st.just(float("nan")), min_size=1), st.floats(-1e6, 1e6))
def test_above_and_at_most_share_what_is_known(values, limit):
    above, rest = (parse(FromFile, {"column": "X", key: limit}, "") for key in ("above", "at_most"))
    first, second = passes(above, column(values), ""), passes(rest, column(values), "")
    assert not (first & second).any()
    np.testing.assert_array_equal(first | second, np.isfinite(values))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"above": 3}, "test: needs column"),
        ({"column": "X"}, "cut on X says nothing of above"),
        ({"column": "X", "greater": 3}, "unknown key greater; known keys: above"),
        ({"column": "X", "above": "hot"}, "test: above: must be a number, not 'hot'"),
        ({"column": "STARFLAG", "no_bits": ["BAD"]}, "no_bits: unknown bit BAD; known bits: .*BAD_PIXELS"),
        ({"column": "TEFF", "no_bits": ["BAD"]}, "no_bits: unknown bit BAD; known bits: none"),
        ("SNR > 40", r"must be settings by name \(column, above, .*\), not 'SNR > 40'"),
    ],
)  # fmt: skip
def test_bad_cuts(entry, message):
    with pytest.raises(SettingsError, match=message):
        parse(FromFile, entry, "test")


def test_columns_that_cannot_be_cut():
    with pytest.raises(InputError, match=r"a\.fits: column X: could not convert 'hot' to a number"):
        passes(
            parse(FromFile, {"column": "X", "above": 3}, ""),
            Column(np.array(["hot"]), where="a.fits: column X"),
            "a.fits",
        )
    with pytest.raises(InputError, match=r"a\.fits: column X holds \(5,\) values in a row"):
        passes(parse(FromFile, {"column": "X", "above": 3}, ""), column(np.zeros((2, 5))), "a.fits")

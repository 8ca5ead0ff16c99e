import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.tables.ids import to_int64

# Small negative numbers stand for "missing".
INT64 = st.integers(0, 2**63 - 1) | st.integers(-(2**63), -(10**6))


@given(st.lists(INT64, min_size=1))
def test_exact_from_integers_and_text(numbers):
    for values in (
        np.array(numbers),
        np.array([str(n) for n in numbers]),
        np.array([f" {n} ".encode() for n in numbers]),
    ):
        assert to_int64(values, "x").tolist() == numbers


def test_missing():
    assert to_int64(np.array([7, 2**62 + 1]), "x", np.array([True, False])).tolist() == [-1, 2**62 + 1]
    assert to_int64(np.array(["", "nan", "Gaia DR3 4611686018427387905"]), "x").tolist() == [-1, -1, 2**62 + 1]
    assert to_int64(np.array([3.0, np.nan]), "x").tolist() == [3, -1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([2.0**62], "floating point"),
        ([1.5], "floating point"),
        (np.array([2**63], dtype=np.uint64), "does not fit"),
        (["9223372036854775808"], "does not fit"),
        (["abc"], "'abc' is not an integer"),
        ([1j], "must be integers"),
    ],
)
def test_refused(values, message):
    with pytest.raises(InputError, match=f"table: .*{message}"):
        to_int64(np.array(values), "table")

"""Right ascensions and declinations, each row by its own text."""

import numpy as np
import pytest
from astropy.coordinates import Angle
from hypothesis import given
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.tables import Column


def column(values, name, unit=""):
    return Column(np.array(values, dtype=str), None, unit, name, f"a.csv: column {name}").numbers()


def test_each_row_on_its_own():
    """A neighbour in hours does not make hours of degrees."""
    np.testing.assert_allclose(
        column(["12:30:00", "187.5", "12h30m", "187d30m0s", "", "12 30 00.0"], "ra"),
        [187.5, 187.5, 187.5, 187.5, np.nan, 187.5],
    )
    np.testing.assert_allclose(column(["-00:30:00", "-0.5", "-0d30m", "+10 00 00"], "dec"), [-0.5, -0.5, -0.5, 10])


def test_the_unit_of_the_column_decides():
    np.testing.assert_allclose(column(["12:30:00", "12.5"], "ra", "hourangle"), [187.5, 187.5])
    np.testing.assert_allclose(column(["12:30:00", "12.5"], "ra", "deg"), [12.5, 12.5])
    np.testing.assert_allclose(column(["12 30 00"], "RAJ2000", '"h:m:s"'), [187.5])
    np.testing.assert_allclose(column(["12.5", "1.5"], "ra", "h"), [187.5, 22.5])


@pytest.mark.parametrize("text", ["1:2:3:4", "12:61:00", "188:44:10", "12:30:61", "noon:1", "10:00:00 S"])
def test_what_is_no_angle(text):
    with pytest.raises(InputError, match=r"a\.csv: column ra: '"):
        column(["10.0", text], "ra")


@given(
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 5999),
    st.sampled_from([":", " ", "hms"]),
    st.sampled_from("+-"),
)
def test_agrees_with_astropy(first, minute, hundredths, marks, sign):
    second = f"{hundredths / 100:05.2f}"
    text = (
        f"{first}h{minute:02d}m{second}s" if marks == "hms" else marks.join([f"{first:02d}", f"{minute:02d}", second])
    )
    assert column([text], "ra")[0] == pytest.approx(Angle(text, "hourangle").degree)
    if marks != "hms":
        assert column([sign + text], "dec")[0] == pytest.approx(Angle(sign + text, "deg").degree)

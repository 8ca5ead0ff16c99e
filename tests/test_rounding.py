"""One rule for a number and its error: two significant digits of the error, and a word where the error leaves nothing."""

import math

import pytest

from transtar.rounding import UNDETERMINED, rounded, with_error


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.84213, 0.01234, "0.842 ± 0.012"),
        (0.84213, 0.00345, "0.8421 ± 0.0034"),
        (0.84213, 0.0996, "0.84 ± 0.10"),
        (0.84213, 0.31, "0.84 ± 0.31"),
        (-0.0004, 0.02, "0.000 ± 0.020"),
        (-1.26, 9.97, "−1 ± 10"),
        (-22.775, 153.2, "−20 ± 150"),
        (0.9, 0.0, "0.900 ± 0.000"),
        (0.9, 1e-9, "0.900 ± 0.000"),
        (0.9, math.nan, "0.900"),
        (math.nan, 0.1, "–"),
        (-2.2e-6, 3.14e-5, "(−0.2 ± 3.1) × 10⁻⁵"),
    ],
)
def test_both_end_at_the_second_digit_of_the_error(value, error, text):
    """The Particle Data Group's rule without its exceptions."""
    assert with_error(value, error) == text


def test_an_error_that_dwarfs_the_value_leaves_nothing():
    assert with_error(-22.775, 7282.657) == UNDETERMINED
    assert rounded(-22.775, 7282.657) == (UNDETERMINED, "")
    # No offset within 50 K is a result; so is one within 0.03 of zero.
    assert with_error(3.2, 51.4, digits=0) == "3 ± 51"
    assert with_error(5012.3, 83.7, digits=0) == "5012 ± 84"
    assert with_error(0.0002, 0.031) == "0.000 ± 0.031"
    assert with_error(3.2, 11_000.0, digits=0) == UNDETERMINED
    assert with_error(5210.0, 1234.0, digits=0) == "5200 ± 1200"


def test_signs_and_latex():
    assert with_error(0.0213, 0.0042, signed=True) == "+0.0213 ± 0.0042"
    assert with_error(-0.0213, 0.0042, signed=True, minus="-") == "-0.0213 ± 0.0042"
    assert with_error(-0.0213, 0.0042, tex=True) == r"$-0.0213 \pm 0.0042$"
    assert with_error(1.5e-5, 4.0e-6, tex=True) == r"$(1.50 \pm 0.40) \times 10^{-5}$"
    assert with_error(math.nan, 1.0, tex=True) == "--"
    assert with_error(1.0, math.nan, tex=True, digits=2) == "$1.00$"

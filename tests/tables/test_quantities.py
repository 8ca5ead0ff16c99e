"""Units, ranges, and numbers that stand for 'missing'."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from transtar import glossary
from transtar.errors import InputError
from transtar.tables import Column, quantities
from transtar.tables.quantities import QUANTITIES, clean, conversion, is_sentinel, quantity


def column(values, name, unit=""):
    return Column(np.asarray(values), None, unit, name, f"a.csv: column {name}").numbers()


@pytest.mark.parametrize(
    ("name", "values", "kept"),
    [
        ("teff", [5000, 0, -9999, 9999, -999, 99999, 3200.5], [5000] + 5 * [np.nan] + [3200.5]),
        ("logg", [4.5, 9.99, -9.99, 99.99, -999, 0, -0.5], [4.5] + 4 * [np.nan] + [0, -0.5]),
        ("feh", [-0.5, -9999.0, -99, 99.99, -9.99, 9999, np.inf, 1e20, 0], [-0.5] + 7 * [np.nan] + [0]),
        ("mg_fe", [0.4, -9999.99, 999, 0], [0.4, np.nan, np.nan, 0]),
        ("rv", [-99, 99, -12.5, -999, -999.9, 9999, 999, 500, 0], [-99, 99, -12.5] + 4 * [np.nan] + [500, 0]),
        ("ra", [10, 359.99, -999, 999, 0], [10, 359.99, np.nan, np.nan, 0]),
        ("dec", [-89, 9.99, -99, -999], [-89, 9.99, np.nan, np.nan]),
        ("pmra", [-99, 801, -9999, -999, 10362], [-99, 801, np.nan, np.nan, 10362]),
        ("e_feh", [0.1, -9999, 9.99, 0], [0.1, np.nan, np.nan, 0]),
    ],
)
def test_sentinels_are_missing_where_no_star_has_them(name, values, kept):
    np.testing.assert_array_equal(column(np.array(values, float), name), kept)
    single = column(np.array(values, np.float32), name)
    np.testing.assert_array_equal(np.isnan(single), np.isnan(kept))


def test_what_cannot_be_is_missing_and_told(caplog):
    np.testing.assert_array_equal(column([5000.0, 6000.0, 5.0], "teff"), [5000, 6000, np.nan])
    assert (
        "column teff: 1 of 3 values count as missing, as they are not between 200 and 1e+06 K; the first: 5"
        in caplog.text
    )
    with pytest.raises(
        InputError, match=r"a\.csv: column teff: none of 3 values is a teff between 200 and 1e\+06 K, the first is 5"
    ):
        column([5.0, 6.0, 5.5], "teff")


def test_predictions_that_cannot_be_are_kept_to_be_scored(caplog):
    given = Column(np.array([-12.0, -0.5, -9999.0]), None, "", "feh", "a.csv: column feh")
    np.testing.assert_array_equal(given.numbers(keep=True), [-12, -0.5, np.nan])
    assert "1 of 2 values are taken as they are, though not between -8.5 and 3 dex; the first: -12" in caplog.text


def test_the_table_of_the_docs_is_current():
    page = (Path(__file__).parents[2] / "docs/tables.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()]
    rows = {row[0]: row[1:] for row in cells if len(row) == 4}
    for shown, name in (("Teff", "teff"), ("log g", "logg"), ("[Fe/H], [M/H]", "feh"), ("other abundances", "mg_fe"),
                        ("velocity", "velocity"), ("proper motion", "pmra"), ("parallax", "parallax")):  # fmt: skip
        what = quantity(name)
        unit, possible, usual = rows[shown]
        assert unit == what.unit
        for text, limits in ((possible, what.possible), (usual.partition(";")[0], what.usual)):
            assert tuple(float(part.replace(",", "")) for part in text.split(" to ")) == limits


def test_a_speed_that_looks_like_a_sentinel_in_another_unit_is_told(caplog):
    assert column([-9999.0, 1000.0], "rv", "m/s")[0] == pytest.approx(-9.999)
    assert "1 values look like 'missing' (-9999 m/s) and are taken as they are" in caplog.text


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [
        ("velocity", "m/s", 1e-3), ("velocity", "m s-1", 1e-3), ("velocity", "m.s**-1", 1e-3), ("velocity", "km.s-1", 1),
        ("velocity", "cm/s", 1e-5),
        ("velocity", "km/sec", 1), ("teff", "kK", 1e3), ("teff", "Kelvin", 1), ("teff", "1000 K", 1e3),
        ("ra", "hourangle", 15), ("ra", "h", 15), ("ra", '"h:m:s"', 15), ("ra", "rad", 180 / np.pi),
        ("dec", "arcsec", 1 / 3600), ("dec", "degrees", 1), ("pmra", "arcsec/yr", 1e3), ("pmra", "mas.yr**-1", 1),
        ("pmra", "mas / yr", 1), ("pmra", "deg/yr", 3.6e6), ("parallax", "arcsec", 1e3), ("epoch", "yr", 1),
        ("epoch", "Time[Julian Years]", 1), ("feh", "[Sun]", 1), ("feh", "dex", 1), ("logg", "log(cm.s**-2)", 1),
        ("logg", "[cm/s2]", 1),
        ("logg", "dex(cm/s2)", 1), ("teff", "", 1), ("teff", "---", 1),
    ],
)  # fmt: skip
def test_units(name, unit, factor):
    assert conversion(unit, quantity(name), "x") == (pytest.approx(factor), 0)


def test_log_g_in_metres():
    np.testing.assert_allclose(column([2.44], "logg", "log(m/s2)"), [4.44])
    assert column([0.1], "e_logg", "log(m/s2)").tolist() == [0.1]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("velocity", "K"),
        ("teff", "deg_C"),
        ("teff", "mag"),
        ("feh", "K"),
        ("pmra", "s/yr"),
        ("ra", "m"),
        ("rv", "furlong"),
    ],
)
def test_units_that_cannot_be_converted(name, unit):
    with pytest.raises(InputError, match=r"a\.csv: column .*: the unit '.*' cannot be converted to"):
        column([1.0], name, unit)


@given(st.floats(-900, 900))
def test_velocities_agree_with_astropy(value):
    assert column([value], "rv", "m/s")[0] == pytest.approx((value * u.m / u.s).to_value(u.km / u.s))


@given(st.floats(allow_nan=False), st.sampled_from(sorted(QUANTITIES)))
def test_what_comes_out_is_possible_or_missing(value, name):
    what = QUANTITIES[name]
    out = clean(np.array([value]), what, "", "x")
    assert np.isnan(out[0]) or what.possible[0] <= out[0] <= what.possible[1]


@given(st.floats(-50, 50))
def test_ordinary_numbers_are_no_sentinels(value):
    assert (
        not is_sentinel(np.array([value]))[0]
        or abs(value) in (9.9, 9.99, 9.999, 9.9999)
        or value == -9
        or abs(value) > 9.8
    )


def test_a_label_of_another_unit_than_dex_is_known_by_the_glossary(monkeypatch):
    vsini = glossary.Column("vsini", "float32", "km/s", "projected velocity of rotation", r"$v\,\sin i$")
    monkeypatch.setattr(quantities, "LABELS", (*quantities.LABELS, "vsini"))
    monkeypatch.setitem(glossary.COLUMNS, "vsini", vsini)
    for name in ("vsini", "vsini_err"):
        assert conversion("m/s", quantity(name), "x") == (pytest.approx(1e-3), 0)
        kept = clean(np.array([0.5, 99.99, 350.0, 9999.0, -999.0]), quantity(name), "km/s", "x")
        np.testing.assert_array_equal(kept, [0.5, 99.99, 350.0, np.nan, np.nan])

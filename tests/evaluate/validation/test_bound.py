"""Bounds of rows of a catalog, and repeats that scatter by them, or by more."""

import numpy as np
import pytest

from transtar.errors import InputError, TooFew
from transtar.evaluate.validation.bound import bound, bounds_of, instrument_of
from transtar.evaluate.validation.counted_rows import counted
from transtar.simulate.mocks.label_bounds import LabelBounds


def made(factor=1.0, n=900):
    """Stars of two visits that scatter by `factor` times a bound of 1.5 / (S/N)."""
    rng = np.random.default_rng(0)
    star, snr = np.repeat(np.arange(n // 2), 2), rng.uniform(12, 70, n)
    least = 1.5 / snr
    feh = rng.uniform(-2, 0.3, n // 2)[star] + rng.normal(0, factor * least)
    catalog = {"id": star, "snr": snr, "feh": feh, "feh_err": np.full(n, 0.1)}
    known = LabelBounds(np.arange(n), {}, {"feh": least}, {"feh": least / 2})
    return catalog, known


@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_repeats_over_the_bound(factor):
    catalog, known = made(factor)
    result = bound("feh", known, counted(catalog, "feh"))
    for name in ("all", "S/N 20-40", "S/N 40-80"):
        spread = result.bins[name].repeats.spread
        assert spread.mad == pytest.approx(factor, abs=4 * spread.mad_err)
        assert result.bins[name].bound == pytest.approx(1.5 / result.bins[name].snr)
        assert result.bins[name].alone == pytest.approx(result.bins[name].bound / 2)
        assert result.bins[name].stated == pytest.approx(0.1)
    assert "S/N 5-10" not in result.bins


def test_stars_without_a_bound_do_not_count():
    catalog, known = made()
    known.bounds["feh"][40:] = np.nan
    result = bound("feh", known, counted(catalog, "feh"))
    assert result.rows.tolist() == list(range(40))
    known.bounds["feh"][5:] = np.nan
    with pytest.raises(TooFew, match="5 of its stars have a Cramer-Rao bound"):
        bound("feh", known, counted(catalog, "feh"))
    with pytest.raises(TooFew, match="derivatives of feh, teff, logg, alphafe only"):
        bound("mg_fe", known, counted({**catalog, "mg_fe": catalog["feh"]}, "mg_fe"))


def test_rows_with_repeats_go_first_and_what_is_left_out_is_said():
    n = 30
    catalog = {
        "teff": np.full(n, 5600.0), "logg": np.full(n, 4.4), "feh": np.full(n, -0.3), "snr": np.full(n, 30.0),
    }  # fmt: skip
    catalog["teff"][2] = 9000.0
    known, line = bounds_of(catalog, np.arange(n), "lamost", preferred=np.array([1, 2, 3]), most=5)
    assert {1, 3} <= set(known.rows.tolist())
    assert len(known.rows) == 4
    assert "Cramer-Rao bounds of 4 spectra of lamost; left out: 1 outside the emulator's range, 25 not drawn" in line
    assert np.ptp(known.bounds["feh"]) < 1e-9
    with pytest.raises(InputError, match="the catalog has no logg"):
        bounds_of({name: catalog[name] for name in ("teff", "feh", "snr")}, np.arange(n), "lamost")


def test_instrument_is_that_of_the_survey_unless_named():
    catalog = {"survey": np.array(["desi", "desi"])}
    assert instrument_of(catalog) == "desi"
    assert instrument_of(catalog, "lamost") == "lamost"
    with pytest.raises(InputError, match=r"is of several surveys \(desi, lamost\)"):
        instrument_of({"survey": np.array(["desi", "lamost"])})
    with pytest.raises(InputError, match="'sdss' is not one of the instruments"):
        instrument_of({"survey": np.array(["sdss"])})

"""The line list against synthetic spectra, which know nothing of it; shares against sums by hand."""

import csv
from importlib.resources import files

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.explain.lines import Line, line_shares, prominent_lines, read_lines, resolved
from transtar.grids import BLUE, XP
from transtar.preprocess import Preprocessing
from transtar.simulate import load_emulator
from transtar.simulate.instruments.instrument import INSTRUMENTS
from transtar.simulate.mocks.twins import twins
from transtar.simulate.stars.abundances import microturbulence
from transtar.surveys.air import air_to_vacuum

STARS = np.array(
    [(4300, 1.5, -0.5), (5000, 4.6, 0.0), (5777, 4.4, 0.0), (4700, 1.6, -1.8), (6000, 3.8, -1.5), (6800, 4.1, 0.0)]
)


@pytest.fixture(scope="module")
def emulator():
    return load_emulator()


def minima(wave, flux):
    """Wavelengths of the local minima, from a parabola through three pixels each."""
    at = np.flatnonzero((flux[1:-1] < flux[:-2]) & (flux[1:-1] < flux[2:])) + 1
    left, middle, right = flux[at - 1], flux[at], flux[at + 1]
    return wave[at] + 0.5 * (left - right) / (left - 2 * middle + right) * np.gradient(wave)[at]


def offsets(emulator, shift=0.0):
    """For each atomic line, the distance of the nearest minimum in that star where it is nearest."""
    teff, logg, feh = STARS.T
    alpha = np.where(feh < -1, 0.3, 0.0)
    labels = np.stack([teff, logg, feh, alpha, microturbulence(teff, logg, feh), 0 * feh], axis=1)
    places = [minima(emulator.wave, one) for one in emulator.flux(emulator.clip(labels))]
    atomic = np.array([line.wavelength for line in read_lines() if line.ion]) + shift
    return np.array([min(np.abs(found - wave).min() for found in places) for wave in atomic])


def test_every_line_is_where_synthetic_spectra_absorb(emulator):
    """At R = 12,000, where a resolution element is 0.4 A; lines in a blend share a minimum."""
    found = offsets(emulator)
    assert np.median(found) < 0.02
    assert (found < 0.1).mean() > 0.93
    assert found.max() < 0.5


@pytest.mark.parametrize("shift", [-1.0, -0.15, 0.15, 0.3, 0.6, 1.3])
def test_a_list_that_is_off_would_be_found_out(emulator, shift):
    found = offsets(emulator, shift)
    assert np.median(found) > 0.1
    assert (found < 0.1).mean() < 0.5


@pytest.mark.parametrize(
    ("name", "wavelength"),
    [
        ("H beta", 4862.68), ("H gamma", 4341.68), ("H delta", 4102.89), ("Mg b1", 5185.05), ("Mg b2", 5174.13),
        ("Mg b4", 5168.76), ("Fe I 4384.8", 4384.78), ("Fe I 4046.9", 4046.96), ("Fe II 4925.3", 4925.30),
        ("Ca I 4227.9", 4227.92), ("Sr II 4078.9", 4078.86), ("Cr I 4255.5", 4255.53), ("Mn I 4031.9", 4031.89),
    ],
)  # fmt: skip
def test_prominent_lines_as_surveys_see_them(emulator, name, wavelength):
    """Within an Angstrom of the minimum at the resolution of DESI; vacuum wavelengths as tables of SDSS and NIST have them."""
    (line,) = [line for line in read_lines() if line.title == name]
    assert line.wavelength == pytest.approx(wavelength, abs=0.03)
    labels = dict(zip(("teff", "logg", "feh"), STARS.T, strict=True))
    flux = twins(labels, emulator, INSTRUMENTS["desi"], Preprocessing())
    assert min(np.abs(minima(BLUE.wave, one.astype(float)) - line.wavelength).min() for one in flux) < 1.0


def test_the_list_itself():
    lines = read_lines()
    text = (files("transtar.explain") / "lines.csv").read_text(encoding="utf-8")
    assert "NIST ASD" in text
    rows = list(csv.DictReader(row for row in text.splitlines() if not row.startswith("#")))
    air = np.array([float(row["wavelength_air"]) for row in rows])
    vacuum = np.array([line.wavelength for line in lines])
    np.testing.assert_allclose(vacuum, air_to_vacuum(air), atol=0.0051)
    assert (np.diff(vacuum) > 0).all()
    assert BLUE.wave[0] < vacuum[0]
    assert vacuum[-1] < BLUE.wave[-1]
    assert all(line.source for line in lines)
    assert {"H", "Mg", "Fe", "Ca", "Ti", "Cr", "Sr", "Ba", "Mn", "CH"} <= {line.element for line in lines}
    assert {line.half_width for line in lines if line.element == "H"} == {10.0}


WAVE = np.arange(100.0, 200.0)
LINES = (Line("Fe", "I", 120.0), Line("Fe", "I", 122.0), Line("Mg", "I", 150.0, 1.0), Line("Fe", "II", 900.0))


def test_shares_by_hand():
    gradient, spread = np.ones(100), np.ones(100)
    gradient[WAVE == 150] = -9.0
    spread[WAVE == 121] = 12.0
    found = {(one.kind, one.name): one for one in line_shares(WAVE, gradient, spread, LINES)}
    assert list(found) == [
        ("element", "Fe"), ("element", "Mg"), ("rest", "far from all lines"), ("line", "Fe I 120.0"), ("line", "Fe I 122.0"),
        ("line", "Mg I 150.0"),
    ]  # fmt: skip
    iron, magnesium, rest = found["element", "Fe"], found["element", "Mg"], found["rest", "far from all lines"]
    # 118 to 124 A, each pixel once although two lines share three of them.
    assert iron.chance == pytest.approx(0.07)
    assert iron.share == pytest.approx(7 / 108)
    assert iron.effect == pytest.approx((6 + 12) / 119)
    assert magnesium.share == pytest.approx(11 / 108)
    assert magnesium.enhancement == pytest.approx(11 / 108 / 0.03)
    assert magnesium.effect_enhancement == pytest.approx(11 / 119 / 0.03)
    assert rest.share == pytest.approx(1 - 18 / 108)
    assert found["line", "Fe I 120.0"].share == pytest.approx(5 / 108)


def test_a_gradient_that_knows_no_lines_gives_chance():
    found = line_shares(BLUE.wave, np.full(BLUE.size, -0.3), np.full(BLUE.size, 0.1), read_lines())
    assert {round(one.enhancement, 9) for one in found} == {round(one.effect_enhancement, 9) for one in found} == {1.0}


def test_shares_of_nothing_are_refused():
    with pytest.raises(InputError, match="zero everywhere"):
        line_shares(WAVE, np.zeros(100), np.ones(100), LINES)
    with pytest.raises(InputError, match="wavelengths"):
        line_shares(WAVE, np.ones(99), np.ones(99), LINES)


def test_prominent_lines():
    spikes = np.full(100, 0.1)
    spikes[WAVE == 121] = 5.0
    spikes[WAVE == 123] = -7.0
    spikes[WAVE == 150] = 1.0
    assert [line.wavelength for line in prominent_lines(WAVE, spikes, LINES)] == [122.0, 150.0]
    assert [line.wavelength for line in prominent_lines(WAVE, spikes, LINES, apart=1.0)] == [120.0, 122.0, 150.0]
    assert [line.wavelength for line in prominent_lines(WAVE, spikes, LINES, number=1)] == [122.0]


def test_lines_narrower_than_pixels_are_left_out():
    lines = (Line("H", "I", 4862.7, 20.0), Line("Fe", "I", 5270.0, 2.0), Line("Ca", "II", 8544.0, 4.0))
    assert resolved(lines, BLUE.wave) == lines
    assert resolved(read_lines(), BLUE.wave) == read_lines()
    assert resolved(lines, XP.wave) == lines[:1]
    assert prominent_lines(XP.wave, np.ones(343), ()) == []

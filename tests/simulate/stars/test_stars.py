"""Isochrones, abundances, magnitudes and dust against published anchors."""

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.simulate.stars.abundances import alpha_locus, carbon_depletion, microturbulence, rotation
from transtar.simulate.stars.dust import WAVE_LIMITS, disc_reddening, extinction_curve
from transtar.simulate.stars.isochrones import (
    clump,
    dwarfs,
    giant_branch_age,
    giant_branch_mass,
    giant_teff,
    giants,
    logg_of,
    metallicity,
)
from transtar.simulate.stars.photometry import absolute_magnitudes


def test_the_sun():
    teff, logg, log_l = dwarfs(1.0, 4.57, 0.0, 0.0)
    assert teff == pytest.approx(5772, abs=40)
    assert logg == pytest.approx(4.438, abs=0.02)
    assert log_l == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("mass", "age", "teff"), [(0.59, 4, 3900), (0.70, 4, 4440), (0.82, 4, 4900), (0.90, 4, 5340), (1.33, 1.5, 6550)]
)
def test_main_sequence_temperatures(mass, age, teff):
    """M0, K5, K2, G8 and F5 dwarfs of Pecaut & Mamajek (2013, ApJS 208, 9)."""
    assert dwarfs(mass, age, 0.0, 0.0)[0] == pytest.approx(teff, rel=0.03)


@pytest.mark.parametrize(
    ("feh", "alphafe", "age", "low", "high"),
    [(0.0, 0.0, 4.0, 6150, 6500), (-0.5, 0.25, 10.0, 5900, 6150), (-1.0, 0.3, 12.0, 6000, 6350), (-2.0, 0.35, 12.5, 6300, 6550)],
)  # fmt: skip
def test_turn_off_temperatures(feh, alphafe, age, low, high):
    mass = np.linspace(0.4, giant_branch_mass(age, metallicity(feh, alphafe)), 500)
    teff, logg, log_l = dwarfs(mass, age, feh, alphafe)
    assert low < teff.max() < high
    assert 3.9 < logg[teff.argmax()] < 4.35
    assert (np.diff(log_l)[: teff.argmax()] > 0).all()
    np.testing.assert_allclose(logg, logg_of(mass, log_l, teff))


def test_lifetimes():
    assert giant_branch_age(1.0, 0.0) == pytest.approx(11.58, abs=0.01)
    for mh in (-1.4, -0.5, 0.1):
        masses = np.array([0.75, 1.0, 1.5, 2.5])
        np.testing.assert_allclose(giant_branch_mass(giant_branch_age(masses, mh), mh), masses, rtol=1e-4)


@pytest.mark.parametrize(
    ("teff", "logg", "feh", "mass"),
    [(4277, 1.58, -0.55, 0.86), (4642, 1.32, -2.67, 0.77), (4902, 2.53, -1.45, 0.80), (4253, 1.78, -0.02, 1.63)],
)
def test_giant_branch_goes_through_benchmark_stars(teff, logg, feh, mass):
    """Arcturus, HD 122563, HD 175305 and 11 UMi of Soubiran et al. 2024."""
    assert giant_teff(logg, feh, mass) == pytest.approx(teff, abs=170)


def test_giants_and_clump():
    teff, logg = giants(np.full(20, 1.1), np.linspace(0.6, 3, 20), 0.0)
    assert (np.diff(teff) < 0).all()
    assert (np.diff(logg) < 0).all()
    teff, logg, _ = clump(np.array([1.2, 1.0]), np.array([0.0, -0.5]), np.zeros(2))
    np.testing.assert_allclose(logg, 2.45, atol=0.08)
    assert teff[0] == pytest.approx(4740, abs=60)
    assert teff[1] > teff[0] + 100
    horizontal, _, _ = clump(np.full(500, 0.8), np.full(500, -2.0), np.random.default_rng(0).standard_normal(500))
    assert np.ptp(horizontal) > 3000


def test_abundance_relations():
    assert alpha_locus(-0.5, "high") - alpha_locus(-0.5, "low") > 0.15
    assert alpha_locus(-0.8, "insitu") - alpha_locus(-0.8, "accreted") > 0.1
    assert carbon_depletion(4.5, -1.0) == pytest.approx(0, abs=1e-3)
    assert carbon_depletion(2.6, 0.0) == pytest.approx(-0.15, abs=0.01)
    assert -0.85 < carbon_depletion(1.0, -2.0) < -0.6
    assert microturbulence(5772, 4.44, 0.0) == pytest.approx(1.067, abs=0.002)
    assert microturbulence(4300, 1.6, -0.5) == pytest.approx(1.5, abs=0.15)
    assert rotation(5772, 4.44, 1.0, 4.57) == pytest.approx(2.0)
    assert rotation(7000, 4.1, 1.5, 1.0) > 40
    assert rotation(6400, 4.2, 0.8, 12.0) < 5


def test_magnitudes_of_the_sun_and_the_clump():
    """M_G 4.67, V 4.81, BP-RP 0.82 (Casagrande & VandenBerg 2018; Willmer 2018); clump G 0.5 (Ruiz-Dern et al. 2018)."""
    sun = absolute_magnitudes(5772.0, 4.44, 0.0, 0.0)
    assert sun["g_mag"] == pytest.approx(4.67, abs=0.03)
    assert sun["v_mag"] == pytest.approx(4.81, abs=0.05)
    assert sun["bp_mag"] - sun["rp_mag"] == pytest.approx(0.82, abs=0.04)
    assert absolute_magnitudes(4750.0, 2.45, 0.0, 1.72)["g_mag"] == pytest.approx(0.5, abs=0.15)


def test_extinction_curve():
    """Unity at V; the polynomials' own constants at 1/lambda = 1.82; infrared of Cardelli et al. 1989, table 3."""
    assert extinction_curve(1e4 / 1.82) == pytest.approx(1)
    assert extinction_curve(4400.0) == pytest.approx(1.32, abs=0.01)
    np.testing.assert_allclose(
        extinction_curve([7000.0, 9000, 12_500, 22_000]), [0.751, 0.479, 0.282, 0.114], atol=5e-3
    )
    assert extinction_curve(4400.0, 5.0) < extinction_curve(4400.0, 3.1)
    # The two halves meet.
    assert extinction_curve(1e4 / 1.1 - 1e-6) == pytest.approx(extinction_curve(1e4 / 1.1 + 1e-6), abs=0.02)
    with pytest.raises(InputError, match="extinction curve"):
        extinction_curve([2000.0, 5000.0])
    assert WAVE_LIMITS[0] < 3360


def test_dust_of_the_disc():
    assert disc_reddening(1e6, 90.0) == pytest.approx(0.0253)
    assert disc_reddening(1000.0, 0.0) == pytest.approx(0.23, rel=1e-3)
    assert (np.diff(disc_reddening(np.geomspace(10, 1e4, 50), 5.0)) > 0).all()

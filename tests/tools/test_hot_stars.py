import numpy as np
import pytest

from tools.hot_stars import gas, hot_spectrum, rotation, saha, stark

WAVE = np.exp(np.linspace(np.log(4300), np.log(5000), 1500))


def test_stark_profile_is_normalised():
    beta = np.linspace(-4000, 4000, 4_000_001)
    assert abs(np.trapezoid(stark(beta), beta) - 1) < 0.12


def test_half_of_hydrogen_is_ionised_where_saha_says():
    # Ne = 1e13: kT = 0.82 eV or so. The equation itself, from constants: 2 (2 pi m k T / h2)^1.5 / Ne * (1/2) exp(-chi/kT).
    temperature, electrons = 9500.0, 1e13
    number = (2 * np.pi * 9.10938e-28 * 1.380649e-16 * temperature / 6.62607e-27**2) ** 1.5
    expected = 2 * 0.5 * number / electrons * np.exp(-13.598 * 11604.52 / temperature)
    np.testing.assert_allclose(saha(temperature, electrons, 13.598, 0.5), expected, rtol=2e-3)


def test_electrons_are_those_of_the_ions():
    temperature, pressure = np.array([7000.0, 10_000.0, 20_000.0]), np.array([1e4, 1e3, 1e3])
    electrons, neutral, hydrogen = gas(temperature, pressure)
    protons = hydrogen - neutral
    assert (protons <= electrons * 1.001).all()
    assert (electrons <= protons + 0.2 * hydrogen).all()
    np.testing.assert_allclose((electrons + 1.1 * hydrogen) * 1.380649e-16 * temperature, pressure, rtol=1e-3)


@pytest.mark.parametrize(("teff", "logg", "low", "high"), [(9500.0, 4.0, 11.0, 20.0), (20_000.0, 4.0, 4.0, 8.0)])
def test_equivalent_width_of_h_beta_is_that_of_stars(teff, logg, low, high):
    """Some 15 A in Vega, some 6 A in a B2 dwarf."""
    flux = hot_spectrum(teff, logg, WAVE, 3000.0)
    inside = np.abs(WAVE - 4862.68) < 60
    assert low < np.trapezoid(1 - flux[inside], WAVE[inside]) < high


def test_rotation_keeps_the_light():
    kernel = rotation(7.3)
    assert abs(kernel.sum() - 1) < 1e-12
    np.testing.assert_allclose(kernel, kernel[::-1], atol=1e-15)


@pytest.mark.slow
def test_the_shipped_templates_are_what_the_tool_makes(tmp_path):
    from importlib.resources import files

    from safetensors.numpy import load

    from tools.velocity_templates import main

    main(["--out", str(tmp_path / "templates.safetensors")])
    made = load((tmp_path / "templates.safetensors").read_bytes())
    shipped = load((files("transtar.velocity") / "data" / "templates.safetensors").read_bytes())
    assert set(made) == set(shipped)
    for name in made:
        # Other processors round otherwise.
        np.testing.assert_allclose(made[name].astype(float), shipped[name].astype(float), atol=2e-3)

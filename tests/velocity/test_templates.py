import numpy as np
import pytest

from transtar.grids import SPEED_OF_LIGHT
from transtar.velocity.templates import load_templates

LINES = {"H-beta": 4862.68, "H-gamma": 4341.68, "H-delta": 4102.89}
"""Vacuum Angstrom, as the Sloan Digital Sky Survey lists them (https://classic.sdss.org/dr6/algorithms/linestable.html)."""


def center(wave, depth, about, half):
    """Where the lower half of a line is symmetric: the mean of both sides at half its depth."""
    inside = np.abs(wave - about) < half
    wave, depth = wave[inside], depth[inside]
    k = depth.argmax()
    level = 0.7 * depth[k]
    left = np.interp(level, depth[: k + 1], wave[: k + 1])
    right = np.interp(-level, -depth[k:], wave[k:])
    return (left + right) / 2


@pytest.mark.parametrize("line", LINES)
def test_balmer_lines_lie_at_their_vacuum_wavelengths(line):
    templates = load_templates(1800.0)
    wave = np.exp(templates.log_wave)
    for i, name in enumerate(templates.names):
        # Cooler ones have lines of metals in the wings.
        if name.startswith(("hot 15000", "hot 20000")):
            at = center(wave, 1 - templates.flux[i], LINES[line], 15.0)
            assert abs(at / LINES[line] - 1) * SPEED_OF_LIGHT < 4, name


def test_lines_of_metals_lie_at_their_vacuum_wavelengths():
    # Fe I and Mg I of NIST, air 5167.32-5183.60 in vacuum, in a poor dwarf where little is blended.
    templates = load_templates(5000.0)
    wave = np.exp(templates.log_wave)
    row = templates.names.index("teff=5500 logg=4.5 feh=-1.5")
    for vacuum in (5174.13, 5185.05):
        at = center(wave, 1 - templates.flux[row], vacuum, 2.5)
        assert abs(at / vacuum - 1) * SPEED_OF_LIGHT < 3


def test_smoothing_is_that_of_a_gaussian():
    from scipy.ndimage import gaussian_filter1d

    fine, coarse = load_templates(5000.0), load_templates(1500.0)
    sigma = np.sqrt(1500.0**-2 - 5000.0**-2) / np.sqrt(8 * np.log(2)) / fine.step
    expected = gaussian_filter1d(fine.flux, sigma, axis=1, mode="mirror", truncate=6)
    # At the ends one mirrors before the points are doubled and the other after.
    np.testing.assert_allclose(coarse.flux[:, 300:-300], expected[:, 300:-300], atol=2e-4)


def test_resolving_powers_beyond_the_range_are_its_ends():
    np.testing.assert_array_equal(load_templates(5000.0).flux, load_templates(20_000.0).flux)


def test_file_is_small_and_of_the_stars_that_it_names():
    from importlib.resources import files

    assert (files("transtar.velocity") / "data" / "templates.safetensors").stat().st_size < 1_000_000
    templates = load_templates(1800.0)
    assert len(set(templates.names)) == len(templates.names) == len(templates.labels) == len(templates.flux)
    assert np.isfinite(templates.flux).all()
    assert -0.01 < templates.flux.min() < templates.flux.max() < 1.01

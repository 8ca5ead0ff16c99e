"""The shipped emulator against spectra that no emulator was ever trained on."""

import numpy as np
import pytest

from tools.emulator_grid import read_pairs, smooth
from tools.emulator_validation import compare_derivatives, flux_errors


@pytest.fixture(scope="module")
def pairs(data):
    folder = data / "synthetic_grid"
    if not (folder / "pairs.npz").is_file():
        pytest.skip("no synthetic grid among the data")
    return read_pairs(folder)


def test_spectra(emulator, pairs):
    rows = np.isin(pairs.kind, ("base", "feh+", "afe+"))
    coarse, fine = flux_errors(emulator.flux(pairs.labels[rows]), pairs.flux[rows], emulator.wave)
    # Quick networks reached 0.07 % and 0.24 % on these spectra.
    assert np.median(coarse) < 0.0007
    assert np.percentile(coarse, 95) < 0.0024
    assert np.median(fine) < 0.0010


def test_continuum(emulator, pairs, data):
    with np.load(data / "synthetic_grid" / "pairs.npz") as file:
        truth = file["log10_continuum"]
    assert np.median(np.abs(emulator.log_continuum(pairs.labels) - truth)) < 0.002


@pytest.mark.parametrize(("label", "tenth"), [("feh", 0.997), ("afe", 0.992)])
def test_derivatives(emulator, pairs, label, tenth):
    compared = compare_derivatives(emulator, pairs)
    correlation, amplitude = (compared[f"{label} r3000 {what}"] for what in ("correlation", "amplitude"))
    assert np.median(correlation) > 0.999 - 0.0005
    assert np.percentile(correlation, 10) > tenth
    assert abs(np.median(amplitude) - 1) < 0.01
    # At the full resolution the recomputed spectra are without the grid's own wavering.
    assert np.median(compared[f"{label} r12000 correlation"]) > 0.995
    assert abs(np.median(compared[f"{label} r12000 amplitude"]) - 1) < 0.02


def test_smoothing_is_the_gaussian_that_it_says(emulator):
    wave = emulator.wave
    sigma = 5000 / 12_000 / (2 * np.sqrt(2 * np.log(2)))
    line = 0.5 * np.exp(-0.5 * ((wave - 5000) / sigma) ** 2)
    smoothed = 1 - smooth(1 - line[None], 3000.0)[0]
    wide = 0.5 / 4 * np.exp(-0.5 * ((wave - 5000) / (4 * sigma)) ** 2)
    np.testing.assert_allclose(smoothed, wide, atol=2e-4)
    np.testing.assert_allclose(smooth(np.ones((2, len(wave))), 3000.0), 1, atol=1e-6)

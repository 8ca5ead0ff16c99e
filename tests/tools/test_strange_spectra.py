"""Spectra of what is no ordinary star."""

import numpy as np
import pytest

from tools import strange_spectra as strange


def test_white_dwarfs_that_are_kept_aside_are_blocks():
    taught, aside = strange.white_dwarf_rows(False), strange.white_dwarf_rows(True)
    assert len(np.intersect1d(taught, aside)) == 0
    assert len(taught) + len(aside) == 20_000
    assert set(np.diff(aside)) == {1, 2001}


def test_emission_lines_add_what_was_asked_for():
    flux = np.ones_like(strange.WAVE)
    generator = np.random.default_rng(0)
    strengths = []
    for _ in range(50):
        changed = strange.with_emission(flux, generator, 0.0, 10.0, 100.0)
        near = np.abs(strange.WAVE - 4862.7) < 15
        strengths.append(np.trapezoid(changed[near] - 1, strange.WAVE[near]))
    # Log-normal about 10 A, by a factor of e^0.5.
    assert np.exp(np.mean(np.log(strengths))) == pytest.approx(10, rel=0.3)


def test_lines_are_smoothed_away():
    generator = np.random.default_rng(0)
    continuum = np.exp(0.3 * (strange.WAVE - 4800) / 1200)
    lines = 0.5 * np.exp(-0.5 * ((strange.WAVE - 4861) / 2) ** 2)
    smooth = strange.smoothed((continuum * (1 - lines))[None] + 0.001 * generator.normal(size=len(strange.WAVE)), 2000)[
        0
    ]
    middle = slice(3000, -3000)
    np.testing.assert_allclose(smooth[middle], continuum[middle], rtol=0.06)


def test_mock_stars_and_galaxies(emulator):
    flux, labels = strange.mock_stars(emulator, 20, 3)
    assert flux.shape == (20, len(strange.WAVE))
    assert labels.shape == (20, 6)
    np.testing.assert_allclose(np.median(flux, axis=1), 1)
    generator = np.random.default_rng(1)
    made, views = strange.seen(flux, generator, 7)
    assert made.shape[0] == 20
    assert np.isfinite(made).all()
    assert set(views) <= set(range(len(strange.VIEWS)))


def test_templates(data):
    folder = data / "redrock_templates"
    if not folder.is_dir():
        pytest.skip(f"no templates in {folder}")
    generator = np.random.default_rng(0)
    for kind in ("A", "B", "M", "WD"):
        assert (strange.stars(folder, kind, 4, generator) > 0).all()
    assert (strange.variables(folder, 3, generator) > 0).all()
    for kind in ("LOZ", "HIZ"):
        assert (strange.quasars(folder, kind, 3, generator) > 0).all()
    cool = strange.coolest_a_stars(folder)
    assert len(cool) == pytest.approx(1466 / 4, abs=2)

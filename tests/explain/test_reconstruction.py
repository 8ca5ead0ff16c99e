"""Distances between spectra and what an encoder gives back, computed again by hand; and their figure."""

import numpy as np
import pytest

from transtar.datasets import PreparedSet
from transtar.explain.reconstruction import reconstruct
from transtar.explain.text_tables import format_reconstruction
from transtar.report.reconstruction_figure import draw_reconstruction

from ..models.encoded import grid_flux, small_encoder

ENCODER = small_encoder()


def prepared(n=9, ivar=True):
    flux = grid_flux(n)
    columns = {
        "file": np.array([f"{i}.fits" for i in range(n)]), "id": np.where(np.arange(n) == 4, -1, 2**62 + np.arange(n)),
        "survey": np.full(n, "desi"), "star": np.full(n, ""), "snr": np.arange(n) + 0.5,
        "split": np.full(n, "test"), "flags": np.zeros(n, np.int32),
    }  # fmt: skip
    errors = np.random.default_rng(3).uniform(50, 500, flux.shape).astype(np.float32) if ivar else None
    return PreparedSet(flux, errors, columns, (), ENCODER.preprocessing, {}, "")


def test_distances():
    stars = prepared()
    stars.ivar[2, :300] = 0
    stars.ivar[5] = 0
    rows = np.array([1, 2, 4, 5, 8])
    result = reconstruct(ENCODER, stars, rows)
    given = ENCODER.reconstruct(stars.flux).astype(float)
    residual = stars.flux - given
    for place, row in enumerate(rows):
        good = stars.ivar[row] > 0
        if row == 5:
            assert np.isnan(result.rms[place])
            assert np.isnan(result.rms_in_noise[place])
            continue
        assert result.rms[place] == pytest.approx(np.sqrt(np.mean(residual[row, good] ** 2)), rel=1e-5)
        in_noise = np.sqrt(np.mean(residual[row, good] ** 2 * stars.ivar[row, good]))
        assert result.rms_in_noise[place] == pytest.approx(in_noise, rel=1e-5)
    assert result.columns["id"].tolist() == [2**62 + 1, 2**62 + 2, -1, 2**62 + 5, 2**62 + 8]
    assert result.columns["star"][2] == "4.fits"
    np.testing.assert_array_equal(result.flux, stars.flux[rows[result.shown]])
    np.testing.assert_allclose(result.given, given[rows[result.shown]], rtol=1e-6)


def test_stars_are_shown_from_near_to_far_and_a_star_without_distance_is_not():
    stars = prepared(40)
    stars.ivar[7] = 0
    result = reconstruct(ENCODER, stars, np.arange(40))
    ranks = np.argsort(np.argsort(result.rms))[result.shown]
    assert ranks.tolist() == [6, 19, 32]
    np.testing.assert_array_equal(reconstruct(ENCODER, stars, np.arange(40), np.array([3, 1])).shown, [3, 1])


def test_one_star_without_errors():
    stars = prepared(1, ivar=False)
    result = reconstruct(ENCODER, stars, np.array([0]))
    assert result.shown.tolist() == [0]
    assert np.isnan(result.rms_in_noise).all()
    lines = format_reconstruction(result).splitlines()
    assert lines[0] == "spectra minus what seer gives back, 1 stars"
    assert lines[-1].split() == [str(2**62), f"{result.rms[0]:.4f}"]
    draw_reconstruction(result)


def test_blocks_make_no_difference(monkeypatch):
    stars = prepared()
    whole = reconstruct(ENCODER, stars, np.arange(9))
    monkeypatch.setattr("transtar.explain.reconstruction.BLOCK", 2)
    parts = reconstruct(ENCODER, stars, np.arange(9))
    np.testing.assert_allclose(parts.rms, whole.rms, rtol=1e-5)
    np.testing.assert_allclose(parts.rms_in_noise, whole.rms_in_noise, rtol=1e-5)


def test_the_figure_shows_spectrum_reconstruction_residual_and_noise():
    stars = prepared()
    stars.ivar[4, 100:200] = 0
    result = reconstruct(ENCODER, stars, np.arange(9), np.array([4, 0]))
    figure = draw_reconstruction(result)
    assert len(figure.axes) == 4
    above, below = figure.axes[:2]
    np.testing.assert_array_equal(above.lines[0].get_ydata(), stars.flux[4])
    np.testing.assert_allclose(above.lines[1].get_ydata(), result.given[0])
    residual = below.lines[1].get_ydata()
    assert np.isnan(residual[100:200]).all()
    np.testing.assert_allclose(residual[200:], (stars.flux[4] - result.given[0])[200:], rtol=1e-6)
    highest = max(path.vertices[:, 1].max() for path in below.collections[0].get_paths())
    assert highest == pytest.approx(1 / np.sqrt(stars.ivar[4][stars.ivar[4] > 0].min()), rel=1e-5)
    assert (
        above.get_title(loc="left") == f"4.fits: rms {result.rms[4]:.4f}, {result.rms_in_noise[4]:.2f} times the noise"
    )
    assert [axes.get_ylabel() for axes in figure.axes] == ["flux / continuum", "residual"] * 2
    assert figure.axes[-1].get_xlabel() == r"vacuum wavelength ($\mathrm{\AA}$)"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "spectrum", "as seer gives it back", r"noise, $\pm 1\,\sigma$",
    ]  # fmt: skip

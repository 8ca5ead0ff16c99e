from dataclasses import replace

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.preprocess import preprocess
from transtar.surveys import get_survey, stream
from transtar.trust import missing
from transtar.trust.missing import Runs, TypicalSpectra, missing_variance

N_GRID = 200


def stars(n, seed=0):
    """Spectra of two kinds of lines whose depths vary from star to star."""
    random = np.random.default_rng(seed)
    pixel = np.arange(N_GRID)
    lines = np.array([sum(np.exp(-0.5 * ((pixel - at) / 1.5) ** 2) for at in range(s, N_GRID, 20)) for s in (6, 14)])
    return 1 - np.maximum(random.normal((0.3, 0.2), (0.1, 0.05), (n, 2)), 0) @ lines


def holes(n, share=0.25, length=5, seed=1):
    """Bad pixels in runs, at the ends as well."""
    random = np.random.default_rng(seed)
    bad = np.zeros((n, N_GRID), bool)
    for row in bad:
        for start in random.integers(-length, N_GRID, round(share * N_GRID / length)):
            row[max(start, 0) : max(start + length, 0)] = True
    return bad


def filled(flux, bad):
    """Interpolated as the chain does it, pixel by pixel, with good values half a pixel inside a run."""
    out = flux.copy()
    for row, holes_of_row in zip(out, bad, strict=True):
        edges = np.flatnonzero(np.diff(np.pad(holes_of_row, 1).astype(int)))
        for start, stop in edges.reshape(-1, 2):
            ends = {}
            if start > 0:
                ends[start - 0.5] = row[start - 1 : start + 1].mean()
            if stop < N_GRID:
                ends[stop - 0.5] = row[stop - 1 : stop + 1].mean()
            row[start:stop] = np.interp(np.arange(start, stop), sorted(ends), [ends[x] for x in sorted(ends)])
    return out


def test_runs_shift_labels_by_what_filling_does():
    flux, bad = stars(30), holes(30)
    gradient = np.random.default_rng(2).normal(size=flux.shape)
    runs = Runs.of(bad)
    expected = np.sum(gradient * (filled(flux, bad) - flux), axis=1)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(runs.sums(runs.shifts(gradient, flux)), expected, atol=1e-12)
    carried = runs.carried(gradient) - np.where(bad, gradient, 0)
    np.testing.assert_allclose(np.sum(carried * flux, axis=1), expected, atol=1e-12)


def test_straight_lines_lose_nothing():
    flux = np.linspace(0.5, 1.5, N_GRID)[None]
    bad = np.zeros((1, N_GRID), bool)
    bad[0, [20, 50, 51, 52, 120]] = True
    shifts = Runs.of(bad).shifts(np.ones((1, N_GRID)), flux)
    assert len(shifts) == 3
    np.testing.assert_allclose(shifts, 0, atol=1e-12)


def test_predicted_errors_are_those_of_labels_of_stars_like_the_typical_ones():
    typical = TypicalSpectra.of(stars(500))
    flux, bad = stars(400, seed=3), holes(400)
    flux_noisy = flux + np.random.default_rng(4).normal(0, 0.005, flux.shape)
    given = filled(flux_noisy, bad)
    gradient = np.random.default_rng(5).normal(size=N_GRID) * np.ones_like(flux)
    off = np.sum(gradient * (filled(flux, bad) - flux), axis=1)
    variance = missing_variance(gradient, given, np.where(bad, 0, 0.005**-2), typical)
    # What each run has of its own is on top.
    assert 0.95 < np.sqrt(variance.mean()) / off.std() < 1.4
    assert np.mean(np.abs(off) < np.sqrt(variance)) > 0.9
    # Which star errs more is known, too.
    assert np.corrcoef(np.abs(off), np.sqrt(variance))[0, 1] > 0.8


def test_the_same_line_lost_twice_counts_twice():
    typical, flux = TypicalSpectra.of(stars(300)), stars(1, seed=3)
    gradient = np.ones((1, N_GRID))
    once, twice = (np.full((1, N_GRID), 1e6) for _ in range(2))
    once[0, 23:30] = twice[0, 23:30] = twice[0, 83:90] = 0
    ratio = missing_variance(gradient, flux, twice, typical) / missing_variance(gradient, flux, once, typical)
    assert 3.3 < ratio[0] < 4


def test_nothing_missing_costs_nothing_and_nothing_known_is_nan():
    typical, flux = TypicalSpectra.of(stars(100)), stars(4)
    ivar = np.full(flux.shape, 1e4)
    ivar[1], ivar[2, 50:60], flux[3, 7] = 0, 0, np.nan
    variance = missing_variance(np.ones((4, 3, N_GRID)), flux, ivar, typical)
    assert variance.shape == (4, 3)
    assert (variance[0] == 0).all()
    assert np.isnan(variance[[1, 3]]).all()
    assert (variance[2] > 0).all()
    one = missing_variance(np.ones((4, N_GRID)), flux, ivar, typical)
    np.testing.assert_array_equal(one, variance[:, 0])


def test_blocks_do_not_show(monkeypatch):
    typical, flux, bad = TypicalSpectra.of(stars(100)), stars(9), holes(9)
    arguments = np.ones_like(flux), flux, np.where(bad, 0, 1e4), typical
    whole = missing_variance(*arguments)
    monkeypatch.setattr(missing, "BLOCK", 4)
    np.testing.assert_allclose(missing_variance(*arguments), whole, rtol=1e-10)


def test_impossible_arguments_are_refused():
    typical = TypicalSpectra.of(stars(100))
    with pytest.raises(InputError, match="do not go together"):
        missing_variance(np.ones((2, N_GRID)), np.ones((2, N_GRID)), np.ones((2, N_GRID - 1)), typical)
    with pytest.raises(InputError, match="do not go together"):
        missing_variance(np.ones((2, N_GRID - 1)), np.ones((2, N_GRID - 1)), np.ones((2, N_GRID - 1)), typical)
    with pytest.raises(InputError, match="5 typical spectra do not have 12 components"):
        TypicalSpectra.of(stars(5))
    with pytest.raises(InputError, match="must be finite"):
        TypicalSpectra.of(np.full((20, N_GRID), np.nan))


def test_components_are_those_of_the_spectra():
    spectra = stars(200)
    typical = TypicalSpectra.of(spectra, 2)
    np.testing.assert_allclose(typical.components.T @ typical.components, np.cov(spectra.T, bias=True), atol=1e-3)
    assert typical.rest.max() < 1e-3
    np.testing.assert_allclose(
        TypicalSpectra.of(spectra, 1).rest.sum(), np.linalg.eigvalsh(np.cov(spectra.T, bias=True))[-2]
    )


def test_masks_laid_over_real_spectra(data):
    """Through the chain itself, continuum and all; a label that hangs on lines everywhere."""
    survey = get_survey("lamost")
    batch = next(stream(survey, sorted((data / "lamost_dr10" / "spectra").iterdir())[:100]))
    spectra = preprocess(batch, sky_lines=survey.sky_lines, threads=1)
    clean = (spectra.good_fraction > 0.98) & (spectra.snr > 40)
    assert clean.sum() > 30
    batch, before = batch.select(clean), spectra.select(clean)
    random = np.random.default_rng(0)
    mask = np.convolve(random.random(batch.flux.size) < 0.03, np.ones(5), "same").reshape(batch.flux.shape) > 0
    after = preprocess(
        replace(batch, ivar=np.where(mask, np.float32(0), batch.ivar)), sky_lines=survey.sky_lines, threads=1
    )
    gradient = np.broadcast_to(random.normal(size=before.flux.shape[1]), before.flux.shape)
    lost = ~(after.ivar > 0) & (before.ivar > 0)
    change = np.sum(gradient * (after.flux - before.flux), axis=1)
    # Pixels that were bad before are so in both.
    ivar = np.where(lost, 0, np.where(after.ivar > 0, after.ivar, 1e6))
    variance = missing_variance(gradient, after.flux, ivar, TypicalSpectra.of(before.flux))
    noise = np.sum(np.where(lost, gradient**2 / np.where(lost, before.ivar, 1), 0), axis=1)
    assert 0.8 < np.sqrt(np.mean(variance + noise) / np.mean(change**2)) < 1.4

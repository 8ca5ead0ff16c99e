from dataclasses import replace

import numpy as np
import pytest

from transtar.errors import InputError, SettingsError
from transtar.preprocess import preprocess
from transtar.simulate.emulator.model_spectra import ModelSpectra, blanketing
from transtar.simulate.instruments.effects import EFFECTS, Effects, Streams
from transtar.simulate.instruments.instrument import DESI, LAMOST, MILES
from transtar.simulate.instruments.observe import observe
from transtar.simulate.stars.dust import extinction_curve
from transtar.surveys.air import vacuum_to_air

from .. import made

NONE = Effects.only()
INSIDE = slice(250, 1850)
"""LAMOST pixels that lie in the model's range whatever the velocity."""


def observed(instrument=LAMOST, effects=NONE, model=None, n=4, **columns):
    model = made.lined(n) if model is None else model
    return observe(instrument, model, made.stars(len(model), **columns), effects=effects, seed=1)


@pytest.mark.parametrize("effect", EFFECTS)
def test_every_effect_does_something_and_can_be_switched_off(effect):
    instrument = replace(DESI, missing_arm_rate=0.6) if effect == "missing_arms" else LAMOST
    columns = {"vsini": 60.0, "ebv": 0.2}
    ideal = observed(instrument, **columns)
    with_it = observed(instrument, Effects.only(effect), **columns)
    assert np.abs(with_it.flux / np.median(ideal.flux) - ideal.flux / np.median(ideal.flux)).max() > 1e-3
    names = [name for name in EFFECTS if name != effect]
    without = observed(instrument, Effects.only(*names), **columns)
    everything = observed(instrument, Effects(), **columns)
    assert not np.array_equal(without.flux, everything.flux)


def test_with_all_effects_off_a_spectrum_is_the_ideal_one():
    """Continuum times lines, integrated over the pixels, at the V magnitude; nothing masked."""
    batch = observed(model=made.model(slope=-0.4), v_mag=15.0)
    expected = 10 ** (-0.4 * (batch.wave - 5500) / 1000)
    np.testing.assert_allclose(batch.flux[0, INSIDE] / 363.0, expected[INSIDE], rtol=3e-4)
    assert not batch.mask.any()
    lines = observed()
    model = made.lined(4)
    width = np.gradient(model.wave)
    inside = (model.wave > 4000) & (model.wave < 5500)
    pixels = (lines.wave > 4000) & (lines.wave < 5500)
    mean = lines.flux[:, pixels].mean(axis=1) / observed(model=made.model(n=4)).flux[:, pixels].mean(axis=1)
    np.testing.assert_allclose(mean, (model.flux * width)[:, inside].sum(axis=1) / width[inside].sum(), rtol=2e-3)


def test_one_effect_off_leaves_the_draws_of_the_others_alone():
    noisy = observed(effects=Effects.only("noise"))
    both = observed(effects=Effects.only("noise", "dead_pixels"))
    assert both.mask.any()
    assert np.array_equal(noisy.flux[~both.mask], both.flux[~both.mask])


def test_noise_is_that_of_the_inverse_variance():
    """chi^2 of 1, no bias, and the S/N asked for."""
    model, stars = made.lined(60), made.stars(60, radial_velocity=0.0)
    snr = np.geomspace(5, 300, 60)
    for instrument, arm in ((LAMOST, None), (DESI, "b"), (DESI, "r")):
        ideal = observe(instrument, model, stars, effects=NONE, arm=arm, snr=snr)
        noisy = observe(instrument, model, stars, effects=Effects.only("noise"), arm=arm, snr=snr)
        residual = (noisy.flux - ideal.flux) * np.sqrt(ideal.ivar)
        assert np.mean(residual**2) == pytest.approx(1, abs=0.01)
        assert abs(residual.mean()) < 0.01
        low, high = instrument.arm(arm).snr_window or instrument.snr.window
        window = (ideal.wave > low) & (ideal.wave < high)
        measured = np.median((ideal.flux * np.sqrt(ideal.ivar))[:, window], axis=1)
        np.testing.assert_allclose(measured, snr, rtol=0.03)


def test_calibration_errors_scale_flux_and_noise_alike():
    plain, warped = observed(), observed(effects=Effects.only("calibration"))
    ratio = warped.flux / plain.flux
    np.testing.assert_allclose(warped.ivar * ratio**2, plain.ivar, rtol=1e-4)
    assert 0.01 < np.std(np.log(ratio)) < 0.2
    assert np.abs(np.diff(ratio, axis=1)).max() < 2e-3


def test_snr_distribution():
    n = 4000
    magnitude = np.full(n, LAMOST.snr.at)
    drawn = LAMOST.snr.draw(magnitude, np.random.default_rng(0).standard_normal(n))
    assert np.median(drawn) == pytest.approx(LAMOST.snr.median, rel=0.05)
    assert np.std(np.log10(drawn)) == pytest.approx(LAMOST.snr.scatter, rel=0.05)
    faint = DESI.snr.draw(np.array([19.5]), np.zeros(1))
    assert faint < DESI.snr.draw(np.array([16.0]), np.zeros(1)) / 5
    model = made.model(n=300)
    stars = made.stars(300, g_mag=LAMOST.snr.at)
    assert np.median(observe(LAMOST, model, stars, effects=NONE).meta["snr_survey"]) == pytest.approx(45, rel=0.12)


def test_masks():
    batch = observed(effects=Effects.only("dead_pixels", "cosmics"), n=60, model=made.model(n=60))
    assert np.array_equal(batch.mask, batch.meta["mask_bits"] > 0)
    assert (batch.ivar[batch.mask] == 0).all()
    assert (batch.ivar[~batch.mask] > 0).all()
    assert batch.mask.mean() == pytest.approx(LAMOST.dead_fraction, rel=0.5)
    # Some cosmic rays are not found.
    rays = observed(effects=Effects.only("cosmics"), n=60, model=made.model(n=60))
    ideal = observed(n=60, model=made.model(n=60))
    hit = rays.flux > ideal.flux * (1 + 1e-6)
    assert (hit & ~rays.mask).any()
    assert (hit & rays.mask).sum() > (hit & ~rays.mask).sum()


def test_missing_arms():
    stars, model = made.stars(600), made.model(n=600)
    lost = []
    for arm in "brz":
        batch = observe(DESI, model, stars, effects=Effects.only("missing_arms"), arm=arm)
        gone = batch.mask.all(axis=1)
        assert not batch.mask[~gone].any()
        assert (batch.flux[gone] == 0).all()
        assert (batch.meta["mask_bits"][gone] == DESI.bits["missing"]).all()
        lost.append(gone)
    assert 0 < np.mean(lost) < 0.03
    assert not np.array_equal(lost[0], lost[1])


def test_same_seed_same_bits_in_any_company():
    model, stars = made.lined(100), made.stars(100)
    whole = observe(LAMOST, model, stars, seed=3)
    order = np.random.default_rng(0).permutation(100)[:37]
    part = observe(LAMOST, model.select(order), stars[order], seed=3)
    for name in ("flux", "ivar", "mask"):
        assert np.array_equal(getattr(whole, name)[order], getattr(part, name)), name
    assert np.array_equal(whole.meta["velocity"][order], part.meta["velocity"])
    assert not np.array_equal(observe(LAMOST, model, stars, seed=4).flux, whole.flux)
    # Repeat visits of a star differ in everything that chance decides.
    again = made.stars(100)
    again["visit"] = 1
    assert not np.array_equal(observe(LAMOST, model, again, seed=3).meta["velocity"], whole.meta["velocity"])


def test_velocities():
    batch = observed(effects=Effects.only("velocity"), n=200, model=made.model(n=200))
    error = batch.meta["velocity"] - batch.meta["velocity_true"]
    assert error.std() == pytest.approx(LAMOST.velocity_error, rel=0.15)
    assert (observed().meta["velocity"] == 0).all()
    # In the rest frame the moving star and the one at rest are the same, up to LAMOST's own error.
    sharp = made.lined(4)
    still = observe(LAMOST, sharp, made.stars(4), effects=Effects.only("lsf"))
    moving = observe(LAMOST, sharp, made.stars(4), effects=Effects.only("lsf", "velocity"))
    truth = moving.meta["velocity_true"]
    one, two = preprocess(still), preprocess(moving, velocity=truth)
    assert np.abs(one.flux - two.flux).max() < 0.05
    assert np.abs(one.flux - preprocess(moving, velocity=truth + 100).flux).max() > 0.05


def test_miles_is_in_air_and_at_rest():
    batch = observe(MILES, made.lined(3), made.stars(3), seed=0)
    assert (batch.frame, batch.medium, batch.ivar) == ("rest", "air", None)
    np.testing.assert_allclose(vacuum_to_air(batch.wave), 3540.5 + 0.9 * np.arange(4300), atol=1e-6)
    line = 1 - 0.5 * np.exp(-0.5 * ((made.WAVE - 5000.0) / 0.3) ** 2)
    narrow = observe(MILES, made.model(line[None]), made.stars(1), effects=Effects.only("lsf"))
    assert vacuum_to_air(narrow.wave[np.abs(narrow.wave - 5000) < 10])[
        narrow.flux[0, np.abs(narrow.wave - 5000) < 10].argmin()
    ] == pytest.approx(vacuum_to_air(5000.0), abs=0.46)
    assert (batch.meta["velocity"] == 0).all()


def test_extinction():
    plain, red = (observed(effects=effects, ebv=0.5) for effects in (NONE, Effects.only("extinction")))
    magnitudes = -2.5 * np.log10(red.flux[0] / plain.flux[0])
    expected = 3.1 * 0.5 * (extinction_curve(plain.wave) - extinction_curve(5500.0))
    np.testing.assert_allclose(magnitudes, expected, atol=1e-4)
    dereddened = [observed(MILES, effects, ebv=0.5).flux for effects in (NONE, Effects.only("extinction"))]
    assert np.array_equal(*dereddened)


@pytest.mark.parametrize("instrument", [LAMOST, DESI, MILES])
def test_the_blue_grid_does_not_depend_on_the_smooth_blanketing(instrument):
    """20 % more or less of it outside 3850-5750 A leaves the preprocessed spectra as they are."""
    model, stars = made.lined(20), made.stars(20, radial_velocity=np.linspace(-450, 450, 20))
    batches = [observe(instrument, model, stars, seed=2, blanketing=factor) for factor in (0.8, 1.0, 1.2)]
    outside = np.abs(batches[0].flux - batches[2].flux)[:, batches[0].wave < 3800]
    assert outside.max() > 0.02 * np.median(batches[0].flux)
    low, middle, high = (preprocess(batch) for batch in batches)
    np.testing.assert_allclose(low.flux, middle.flux, rtol=0, atol=1e-6)
    np.testing.assert_allclose(high.flux, middle.flux, rtol=0, atol=1e-6)
    assert np.array_equal(low.flags, high.flags)


def test_blanketing():
    wave = np.array([3700.0, 4000, 5800, 7000, 9000])
    left = blanketing(wave, np.array([5772.0, 4500, 5772]), np.array([0.0, 0, -2]))
    assert left.shape == (3, 5)
    assert (np.diff(left[0, 2:]) > 0).all()
    assert (left[1] < left[0]).all()
    assert (left[2] > left[0]).all()
    assert (left > 0.19).all()


def test_emulator_stars_outside_its_range_are_made_at_the_edge_and_flagged():
    class Edge:
        wave, continuum_wave, sed_wave = made.WAVE, made.CONT_WAVE, np.arange(3300.0, 10_400, 5)

        def inside(self, labels):
            return labels[:, 0] < 7000

        def clip(self, labels):
            return np.minimum(labels, 7000)

        def flux(self, labels):
            assert labels.max() <= 7000
            return np.ones((len(labels), len(self.wave)), np.float32)

        def log_continuum(self, labels):
            return np.zeros((len(labels), 96), np.float32)

        def log_sed(self, labels):
            return np.zeros((len(labels), len(self.sed_wave)), np.float32)

    labels = np.full((3, 6), 1.0)
    labels[:, 0] = 5000, 8000, 6000
    model = ModelSpectra.from_emulator(Edge(), labels)
    batch = observe(LAMOST, model, made.stars(3))
    assert batch.meta["label_clipped"].tolist() == [False, True, False]


def test_streams_differ_by_star_effect_visit_and_place():
    ids = np.array([2**62 + 1, 2**62 + 2, 2**62 + 1])
    visits = np.array([0, 0, 1])
    draws = {
        (p, e, r): Streams(5, p, ids, visits).of(r, e).random()
        for p in "ab"
        for e in ("noise", "snr")
        for r in range(3)
    }
    assert len(set(draws.values())) == 12


def test_wrong_use():
    with pytest.raises(SettingsError, match="no effect dust; known effects: rotation"):
        Effects.only("dust")
    with pytest.raises(SettingsError, match="no arm 'x'; arms: b, r, z"):
        observe(DESI, made.model(), made.stars(1), arm="x")
    stars = made.stars(2)
    with pytest.raises(InputError, match="2 stars but 1 model"):
        observe(LAMOST, made.model(), stars)
    stars.remove_column("ebv")
    with pytest.raises(InputError, match="no column ebv"):
        observe(LAMOST, made.model(n=2), stars)
    with pytest.raises(InputError, match="even in their logarithm"):
        ModelSpectra(np.linspace(4000, 5000, 50), np.ones((1, 50)), made.CONT_WAVE, np.ones((1, 96)))
    with pytest.raises(InputError, match="shape"):
        ModelSpectra(made.WAVE, np.ones((1, 50)), made.CONT_WAVE, np.ones((1, 96)))

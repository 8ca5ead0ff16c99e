import tracemalloc
import warnings
from dataclasses import replace

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.flags import Flag, has
from transtar.grids import BLUE, SPEED_OF_LIGHT
from transtar.preprocess import Preprocessing, preprocess, too_fast
from transtar.quality import Quality

from .made import LAMOST_WAVE, WAVES, batch_of, random_batch, star


def flags_of(batch, settings=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spectra = preprocess(batch, settings, **options)
    return spectra, [Flag(int(value)) for value in spectra.flags]


@pytest.mark.parametrize("kind", list(WAVES))
def test_nothing_depends_on_how_the_work_is_divided(kind):
    batch = random_batch(150, WAVES[kind])
    whole = preprocess(batch, threads=1)
    threaded = preprocess(batch, threads=3)
    parts = [preprocess(batch.select(slice(i, i + 37))) for i in range(0, 150, 37)]
    alone = preprocess(batch.select(slice(77, 78)))
    for name in ("flux", "ivar", "good_fraction", "snr", "flags"):
        np.testing.assert_array_equal(getattr(threaded, name), getattr(whole, name))
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_allclose(joined, getattr(whole, name), rtol=2e-5, atol=1e-5)
        np.testing.assert_allclose(getattr(alone, name), getattr(whole, name)[77:78], rtol=2e-5, atol=1e-5)


def test_nothing_depends_on_the_units_of_flux():
    batch = random_batch(20)
    scale = 10.0 ** np.linspace(-16, 12, 20)[:, None]
    scaled = replace(
        batch, flux=(batch.flux * scale).astype(np.float32), ivar=(batch.ivar / scale**2).astype(np.float32)
    )
    one, other = preprocess(batch), preprocess(scaled)
    np.testing.assert_allclose(other.flux, one.flux, atol=1e-5)
    np.testing.assert_array_equal(other.flags, one.flags)
    np.testing.assert_allclose(other.snr, one.snr, rtol=1e-4)


def test_a_velocity_is_undone_exactly_where_it_is_a_whole_number_of_pixels():
    pixels = 5
    velocity = SPEED_OF_LIGHT * (10 ** (pixels * 1e-4) - 1)
    rest = preprocess(batch_of(star(LAMOST_WAVE)))
    moved = batch_of(star(10 ** (np.log10(LAMOST_WAVE) - pixels * 1e-4)), velocity=velocity)
    np.testing.assert_allclose(preprocess(moved).flux, rest.flux, atol=3e-6)
    given = preprocess(
        replace(moved, meta={**moved.meta, "velocity": np.array([np.nan])}), velocity=np.array([velocity])
    )
    np.testing.assert_array_equal(given.flux, preprocess(moved).flux)
    unmoved = preprocess(moved, Preprocessing(frame="observed"))
    np.testing.assert_allclose(unmoved.flux[0, pixels:], rest.flux[0, :-pixels], atol=0.01)


@pytest.mark.parametrize("kind", list(WAVES))
@pytest.mark.parametrize("velocity", [-412.3, 77.7, 250.0])
def test_a_velocity_is_undone(kind, velocity):
    wave = WAVES[kind]
    rest = preprocess(batch_of(star(wave), wave))
    moved = preprocess(batch_of(star(wave / (1 + velocity / SPEED_OF_LIGHT)), wave, velocity=velocity))
    assert np.abs(moved.flux - rest.flux).max() < 0.02
    assert np.abs(moved.flux - rest.flux).mean() < 0.003


def test_known_signal_to_noise():
    flux = star(LAMOST_WAVE, depth=0) * 50
    batch = batch_of(np.stack([flux] * 3), ivar=np.stack([(snr / flux) ** 2 for snr in (5, 12, 80)]))
    spectra, flags = flags_of(batch)
    np.testing.assert_allclose(spectra.snr, [5, 12, 80], rtol=1e-3)
    assert flags == [Flag.LOW_SNR, Flag(0), Flag(0)]
    np.testing.assert_allclose(
        spectra.flux * np.sqrt(spectra.ivar), np.array([[5], [12], [80]]) * np.ones(1462), rtol=1e-3
    )
    # Halfway between pixels two of them are averaged, and their noise falls by the square root of two.
    half = batch_of(flux, ivar=(12 / flux) ** 2, velocity=SPEED_OF_LIGHT * (10**0.5e-4 - 1))
    assert preprocess(half).snr[0] == pytest.approx(12 * np.sqrt(2), rel=1e-2)


def test_clean_star():
    spectra, flags = flags_of(batch_of(star(LAMOST_WAVE), **{"class": "STAR", "subclass": "G2"}))
    assert flags == [Flag(0)]
    assert spectra.good_fraction[0] == 1
    assert 0.5 < spectra.flux.min() < spectra.flux.max() < 1.05


def test_no_ivar():
    spectra, flags = flags_of(batch_of(star(LAMOST_WAVE), ivar=None))
    assert flags == [Flag.NO_IVAR]
    assert spectra.ivar is None
    assert np.isnan(spectra.snr).all()
    assert spectra.good_fraction.tolist() == [1]


@pytest.mark.parametrize("velocity", [np.nan, np.inf, 1e6])
def test_no_velocity(velocity):
    batch = batch_of(star(LAMOST_WAVE), velocity=velocity)
    assert flags_of(batch)[1] == [Flag.NO_VELOCITY]
    assert flags_of(batch, Preprocessing(frame="observed"))[1] == [Flag(0)]
    assert flags_of(replace(batch, frame="rest"))[1] == [Flag(0)]


@pytest.mark.parametrize(
    ("kind", "subclass", "flag"),
    [
        ("GALAXY", "", Flag.NON_STELLAR),
        ("QSO", "B", Flag.NON_STELLAR),
        ("UNKNOWN", "", Flag.NON_STELLAR),
        ("STAR", "B6", Flag.HOT_STAR),
        (" star ", "O", Flag.HOT_STAR),
        ("", "", Flag(0)),
        ("STAR", "A7V", Flag(0)),
    ],
)
def test_survey_classes(kind, subclass, flag):
    batch = batch_of(star(LAMOST_WAVE), **{"class": kind, "subclass": subclass})
    assert flags_of(batch)[1] == [flag]


@pytest.mark.parametrize("flux", [0.0, -1.0, np.nan, np.inf])
def test_no_continuum(flux):
    """One star is bad, its neighbours are as they would be without it."""
    good = star(LAMOST_WAVE)
    for ivar in (1e4, None):
        spectra, flags = flags_of(batch_of(np.stack([good, np.full(3909, flux), good]), ivar=ivar))
        assert Flag.CONTINUUM_FAILED in flags[1]
        assert np.isnan(spectra.flux[1]).all()
        alone = preprocess(batch_of(good, ivar=ivar))
        np.testing.assert_allclose(spectra.flux[[0, 2]], alone.flux[[0, 0]], atol=1e-5)
        assert Flag.CONTINUUM_FAILED not in flags[0] | flags[2]
        if ivar is not None:
            assert (spectra.ivar[1] == 0).all()
        if not np.isfinite(flux):
            assert Flag.LOW_GOOD_FRACTION in flags[1]


def test_all_zero_ivar_and_all_masked():
    good = star(LAMOST_WAVE)
    ivar = np.full((3, 3909), 1e4)
    ivar[0] = 0
    batch = batch_of(np.stack([good] * 3), ivar=ivar)
    batch.mask[1] = True
    spectra, flags = flags_of(batch)
    for row in (0, 1):
        assert Flag.LOW_GOOD_FRACTION | Flag.CONTINUUM_FAILED in flags[row]
        assert np.isnan(spectra.flux[row]).all()
    assert flags[2] == Flag(0)
    assert spectra.good_fraction.tolist() == [0, 0, 1]
    everything_bad, flags = flags_of(batch.select(slice(0, 2)))
    assert all(Flag.LOW_GOOD_FRACTION in flag for flag in flags)
    assert np.isnan(everything_bad.snr).all()


def test_good_fraction():
    batch = batch_of(np.stack([star(LAMOST_WAVE)] * 2))
    batch.mask[0, 338 : 338 + 584] = True
    batch.mask[1, 338 : 338 + 585] = True
    spectra, flags = flags_of(batch)
    np.testing.assert_allclose(spectra.good_fraction, [1 - 584 / 1462, 1 - 585 / 1462], rtol=1e-6)
    assert flags == [Flag(0), Flag.LOW_GOOD_FRACTION]
    assert flags_of(batch, quality=Quality(good_fraction=0.9))[1] == [Flag.LOW_GOOD_FRACTION] * 2
    assert (spectra.ivar[0, :584] == 0).all()
    assert (spectra.ivar[0, 584:] > 0).all()


def test_bad_pixels_do_not_matter():
    """A cosmic ray in a masked pixel changes nothing."""
    batch = batch_of(star(LAMOST_WAVE, depth=0))
    batch.mask[0, [700, 701, 1500]] = True
    clean = preprocess(batch)
    for junk in (1e30, -1e9, np.nan, np.inf):
        batch.flux[0, [700, 701, 1500]] = junk
        np.testing.assert_array_equal(flags_of(batch)[0].flux, clean.flux)


def test_sky_line():
    sky = ((5570.0, 5590.0),)
    batch = batch_of(star(LAMOST_WAVE, depth=0))
    clean = preprocess(batch)
    batch.flux[0, (LAMOST_WAVE > 5571) & (LAMOST_WAVE < 5589)] *= 20
    spectra = preprocess(batch, sky_lines=sky)
    np.testing.assert_allclose(spectra.flux, clean.flux, atol=2e-3)
    covered = (BLUE.wave >= 5570) & (BLUE.wave < 5590)
    assert (spectra.ivar[0, covered] == 0).all()
    assert spectra.good_fraction[0] == pytest.approx(1 - covered.mean(), abs=1e-6)


def test_a_short_spectrum_is_flagged_not_refused():
    inside = (LAMOST_WAVE > 4300) & (LAMOST_WAVE < 5000)
    spectra, flags = flags_of(batch_of(star(LAMOST_WAVE[inside]), LAMOST_WAVE[inside]))
    assert Flag.LOW_GOOD_FRACTION in flags[0]
    assert spectra.good_fraction[0] == pytest.approx(inside.sum() / 1462, abs=0.002)


@pytest.mark.parametrize(
    ("last", "words"), [(4700, ("cover 48% of", "LOW_GOOD_FRACTION")), (5100, ("cover 72% of", "far off")), (5500, ())]
)
def test_spectra_that_cover_a_part_are_told(last, words, caplog):
    wave = LAMOST_WAVE[slice(*np.searchsorted(LAMOST_WAVE, [3800, last]))]
    flags = flags_of(batch_of(star(wave), wave))[1]
    assert len(caplog.records) == bool(words)
    assert all(word in caplog.text for word in words)
    assert (Flag.LOW_GOOD_FRACTION in flags[0]) == (last == 4700)


@pytest.mark.parametrize("wave", [np.linspace(6000, 9000, 3000), np.linspace(3900, 5700, 50), LAMOST_WAVE[1780:]])
def test_a_spectrum_elsewhere_is_refused(wave):
    with pytest.raises(InputError, match=r"made: spectra from .* fewer than 100 pixels on the grid 'blue' \(3999.4"):
        preprocess(batch_of(star(wave), wave))


def test_resolution():
    batch = batch_of(star(LAMOST_WAVE))
    settings = Preprocessing(resolution=900.0)
    with pytest.raises(InputError, match="R = 900: its own resolution is unknown"):
        preprocess(batch, settings)
    native, smooth = preprocess(batch), preprocess(batch, settings, resolution=1800.0)
    assert smooth.flux.std() < 0.8 * native.flux.std()
    assert smooth.snr[0] > native.snr[0]
    untouched = preprocess(batch, settings, resolution=500.0)
    np.testing.assert_array_equal(untouched.flux, native.flux)


def test_other_continua():
    batch = batch_of(star(LAMOST_WAVE) * 7)
    flat = preprocess(batch, Preprocessing(continuum="none"))
    ratio = flat.flux[0] / batch.flux[0, 338:1800]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)
    assert 0.9 < np.median(flat.flux) < 1.1
    public = preprocess(batch, Preprocessing(continuum="envelope-specclip"))
    difference = np.abs(public.flux - preprocess(batch).flux)
    assert 1e-4 < difference.max() < 0.1


def test_memory_is_bounded():
    """Beyond the result itself, 4096 spectra need little, and no more than 1024 of them."""
    batch = random_batch(64)
    used = {}
    for copies in (16, 64):
        many = batch.select(np.tile(np.arange(64), copies))
        tracemalloc.start()
        spectra = preprocess(many, threads=2)
        used[copies] = tracemalloc.get_traced_memory()[1] - spectra.flux.nbytes - spectra.ivar.nbytes
        tracemalloc.stop()
    assert has(spectra.flags, Flag.CONTINUUM_FAILED).sum() == 0
    assert used[64] < 64e6
    assert used[64] < used[16] + 8e6


def test_nothing_is_as_fast_as_a_galaxy():
    """One limit, 3000 km/s: a galaxy at z = 0.041 with its own velocity is no star that moves."""
    batch = batch_of(
        np.stack([star(LAMOST_WAVE)] * 5), velocity=np.array([2999.0, -3000.0, 3001.0, 0.041 * SPEED_OF_LIGHT, np.nan])
    )
    flags = flags_of(batch)[1]
    assert [Flag.NO_VELOCITY in flag for flag in flags] == [False, False, True, True, True]
    assert too_fast(batch, Preprocessing()) == 2
    assert too_fast(batch, Preprocessing(frame="observed")) == 0


def test_spectra_without_errors_among_others():
    """A row of NaN is no errors at all; a row of zeros is a spectrum of which nothing is known."""
    flux = np.stack([star(LAMOST_WAVE)] * 3)
    ivar = np.full(flux.shape, 1e4)
    ivar[1], ivar[2] = np.nan, 0
    spectra, flags = flags_of(batch_of(flux, ivar=ivar))
    assert flags[:2] == [Flag(0), Flag.NO_IVAR]
    assert Flag.LOW_GOOD_FRACTION in flags[2]
    assert Flag.NO_IVAR not in flags[2]
    np.testing.assert_array_equal(spectra.flux[0], spectra.flux[1])
    np.testing.assert_array_equal(np.isnan(spectra.snr), [False, True, True])
    assert (spectra.ivar[1] == 0).all()
    bare, flags = flags_of(batch_of(flux[:2], ivar=np.full((2, 3909), np.nan)))
    assert bare.ivar is None
    assert flags == [Flag.NO_IVAR] * 2


@pytest.mark.parametrize("unit", [1e-20, 1e30])
def test_fluxes_of_any_unit(unit):
    """In double precision, as a reader may hand them over; single precision would lose them or their variances."""
    made = batch_of(star(LAMOST_WAVE), ivar=1e6)
    scaled = replace(made, flux=star(LAMOST_WAVE)[None] * unit, ivar=np.full((1, 3909), 1e6 / unit**2))
    one, other = preprocess(made), preprocess(scaled)
    np.testing.assert_allclose(other.flux, one.flux, rtol=1e-6)
    np.testing.assert_allclose(other.ivar, one.ivar, rtol=1e-5)
    np.testing.assert_array_equal(other.flags, one.flags)

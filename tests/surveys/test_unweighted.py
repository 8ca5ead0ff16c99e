from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from transtar.spectra import SpectrumBatch
from transtar.surveys import get_survey, read
from transtar.surveys.unweighted import FAR, INFLATED, judge_unweighted

from .fits_files import GRID, lamost_header

ERROR = 0.02


def spectra(n=4, error=ERROR, seed=0):
    """Stars with lines up to 0.4 deep, 3.3 pixels wide as LAMOST has them, noise, and true weights."""
    random = np.random.default_rng(seed)
    pixel = np.arange(len(GRID))
    flux = np.ones((n, len(GRID)))
    for center, depth in zip(random.uniform(0, len(GRID), 300), random.uniform(0, 0.4, 300), strict=True):
        flux *= 1 - depth * np.exp(-0.5 * ((pixel - center) / 1.4) ** 2)
    flux = 100 * (flux + random.normal(0, error, flux.shape))
    ivar = np.full(flux.shape, (100 * error) ** -2.0)
    return SpectrumBatch(GRID, flux, ivar, np.zeros(flux.shape, bool), np.arange(n), "lamost")


def without_weight(batch, pixels):
    ivar = batch.ivar.copy()
    ivar[:, pixels] = 0
    return replace(batch, ivar=ivar)


def runs(length=7, every=14):
    """Half of all pixels, in runs."""
    return np.flatnonzero(np.arange(len(GRID)) % every < length)


def test_good_fluxes_get_a_weight_and_keep_their_value():
    batch = without_weight(spectra(), runs())
    judged = judge_unweighted(batch)
    given = judged.ivar[:, runs()]
    assert (given > 0).mean() > 0.99
    np.testing.assert_allclose(given[given > 0], (100 * ERROR) ** -2 / INFLATED, rtol=1e-6)
    assert judged.flux is batch.flux
    assert not batch.ivar[:, runs()].any()
    others = np.setdiff1d(np.arange(len(GRID)), runs())
    np.testing.assert_array_equal(judged.ivar[:, others], batch.ivar[:, others])


@pytest.mark.parametrize("value", [0.0, -5.0, np.nan, np.inf, 400.0, 0.1])
def test_spoilt_fluxes_stay_bad(value):
    """Nothing, less than nothing, no number, a cosmic ray, next to nothing: the middle of runs of five."""
    middle = np.arange(500, 3500, 100)
    around = (middle[:, None] + np.arange(-2, 3)).ravel()
    batch = without_weight(spectra(), around)
    flux = batch.flux.copy()
    flux[:, middle] = value
    judged = judge_unweighted(replace(batch, flux=flux))
    assert not judged.ivar[:, middle].any()
    beside = np.setdiff1d(around, middle)
    assert (judged.ivar[:, beside] > 0).mean() > 0.97


def test_masked_pixels_are_not_asked():
    batch = without_weight(spectra(), runs())
    mask = batch.mask.copy()
    mask[:, runs()] = True
    batch = replace(batch, mask=mask)
    assert judge_unweighted(batch) is batch


def test_nothing_is_judged_where_spoilt_fluxes_would_not_show():
    assert not judge_unweighted(without_weight(spectra(error=0.5), runs())).ivar[:, runs()].any()


def test_a_long_run_is_not_judged_as_good_pixels_are_far():
    long, short = np.arange(1000, 1000 + 2 * FAR), np.arange(2500, 2500 + FAR // 2)
    judged = judge_unweighted(without_weight(spectra(), np.concatenate([long, short]))).ivar
    assert not judged[:, long].any()
    assert (judged[:, short] > 0).mean() > 0.95


def test_a_deep_line_within_a_run_is_no_spoilt_flux():
    """To lose lines and nothing else would be worse than to lose pixels at random."""
    batch, run = spectra(), np.arange(2000, 2007)
    flux = batch.flux.copy()
    flux[:, 1980:2027] = 100 * np.random.default_rng(1).normal(1, ERROR, (len(flux), 47))
    flux[:, run] *= 1 - 0.35 * np.exp(-0.5 * ((run - 2003) / 1.4) ** 2)
    judged = judge_unweighted(without_weight(replace(batch, flux=flux.astype(np.float32)), run))
    assert (judged.ivar[:, run] > 0).all()


def test_nothing_is_judged_without_good_pixels():
    assert not judge_unweighted(without_weight(spectra(), np.arange(19, len(GRID)))).ivar[:, 19:].any()
    assert not judge_unweighted(without_weight(spectra(), slice(None))).ivar.any()


def test_spectra_without_errors_or_without_such_pixels_are_left_alone():
    batch = spectra()
    assert judge_unweighted(batch) is batch
    bare = replace(batch, ivar=None)
    assert judge_unweighted(bare) is bare
    nan = replace(batch, ivar=np.full_like(batch.ivar, np.nan))
    assert judge_unweighted(nan) is nan


def test_only_surveys_that_say_so_are_judged(tmp_path):
    one = without_weight(spectra(1), runs())
    columns = [
        fits.Column(name, f"{len(GRID)}E", array=np.array([values]))
        for name, values in (
            ("FLUX", one.flux[0]),
            ("IVAR", one.ivar[0]),
            ("WAVELENGTH", GRID),
            ("ANDMASK", one.mask[0]),
        )
    ]
    path = tmp_path / "spec-1.fits"
    table = fits.BinTableHDU.from_columns(columns, name="COADD")
    fits.HDUList([fits.PrimaryHDU(header=lamost_header()), table]).writeto(path)
    lamost = get_survey("lamost")
    assert (read(lamost, path).ivar[0, runs()] > 0).mean() > 0.99
    assert not read(replace(lamost, judge_unweighted=False), path).ivar[0, runs()].any()
    assert [name for name in ("desi", "generic", "miles", "sparcl") if get_survey(name).judge_unweighted] == []


def test_a_real_spectrum_that_lost_half_of_its_weight(data):
    path = next((data / "lamost_dr10" / "spectra").glob("spec-59702-HD150715N223351V02_sp04*"))
    lamost = get_survey("lamost")
    before, after = read(replace(lamost, judge_unweighted=False), path), read(lamost, path)
    blue = (before.wave > 4000) & (before.wave < 5600)
    assert (before.ivar[0, blue] > 0).mean() < 0.6
    assert (after.ivar[0, blue] > 0).mean() > 0.9
    assert not after.ivar[(after.flux == 0) & (before.ivar == 0)].any()

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.flags import Flag, has
from transtar.grids import BLUE
from transtar.preprocess import preprocess
from transtar.preprocess.gaps import fill_gaps, find_gaps
from transtar.quality import Quality
from transtar.spectra import SpectrumBatch

LINEAR = np.arange(3700.0, 6000.0, 0.9)


def batch(wave, with_ivar=True, flux=None):
    rng = np.random.default_rng(0)
    flux = rng.uniform(0.9, 1.1, (2, len(wave))) if flux is None else flux
    ivar = np.full(flux.shape, 1e4, np.float32) if with_ivar else None
    return SpectrumBatch(
        wave, flux.astype(np.float32), ivar, np.zeros(flux.shape, bool), np.arange(len(flux)), "made", frame="rest"
    )


@pytest.mark.parametrize(
    "wave",
    [
        LINEAR,
        10 ** np.arange(3.55, 3.8, 1e-4),
        np.round(10 ** np.arange(3.55, 3.8, 1e-4), 1),
        np.unique(np.rint(np.arange(3700, 6000, 1.4))),
        np.concatenate([np.arange(3700, 4500, 0.5), np.arange(4500, 6000, 1.5)]),
        np.concatenate([np.arange(3700, 4500, 1.5), np.arange(4500, 6000, 0.5)]),
        np.array([4000.0, 5000.0]),
    ],
    ids=["linear", "log", "rounded", "whole numbers", "coarser", "finer", "two"],
)
def test_where_nothing_is_missing_nothing_is_put(wave):
    places, counts = find_gaps(wave, 3000, 9000)
    assert len(places) == len(counts) == 0
    given = batch(wave)
    assert fill_gaps(given, 3000, 9000) is given


@pytest.mark.parametrize("with_ivar", [True, False])
@pytest.mark.parametrize("cut", [(4500, 4800), (4280, 4330), (4700.0, 4700.9)])
def test_pixels_cut_out_are_bad_pixels(with_ivar, cut):
    """As if they were there and marked: the same good fraction, flux and S/N, to what the places of the pixels allow."""
    keep = (cut[0] > LINEAR) | (cut[1] <= LINEAR)
    whole = batch(LINEAR, with_ivar)
    masked = SpectrumBatch(**{**vars(whole), "mask": np.broadcast_to(~keep, whole.flux.shape).copy()})
    missing = SpectrumBatch(
        **{
            **vars(whole),
            "wave": LINEAR[keep],
            "flux": whole.flux[:, keep],
            "mask": whole.mask[:, keep],
            "ivar": None if whole.ivar is None else whole.ivar[:, keep],
        }
    )
    expected, found = preprocess(masked), preprocess(missing)
    np.testing.assert_allclose(found.good_fraction, expected.good_fraction, atol=2 / BLUE.size)
    assert (found.good_fraction < 1).all()
    np.testing.assert_allclose(found.flux, expected.flux, rtol=2e-3)
    np.testing.assert_array_equal(found.flags, expected.flags)
    strict = preprocess(missing, quality=Quality(good_fraction=0.9))
    assert has(strict.flags, Flag.LOW_GOOD_FRACTION).all() == (cut == (4500, 4800))


def test_a_spectrum_without_errors_among_others_stays_so():
    given = batch(np.delete(LINEAR, slice(1000, 1100)))
    given.ivar[1] = np.nan
    filled = fill_gaps(given, 3000, 9000)
    assert np.isnan(filled.ivar[1]).all()
    assert np.count_nonzero(filled.ivar[0] == 0) == len(filled.wave) - len(given.wave) == pytest.approx(100, abs=2)
    assert has(preprocess(given).flags, Flag.NO_IVAR).tolist() == [False, True]


def test_too_coarse_pixels_are_refused():
    preprocess(batch(np.arange(3700, 6000, 4.5)))
    with pytest.raises(InputError, match=r"pixels of 8\.9 A are too coarse for the grid 'blue' \(1\.1 A\)"):
        preprocess(batch(np.arange(3700, 6000, 9.0)))


def test_zeros_are_no_fluxes():
    flux = np.random.default_rng(0).uniform(0.9, 1.1, (1, len(LINEAR)))
    flux[0, [900, 1200, 1201]] = 0
    marked = np.zeros(flux.shape, bool)
    marked[0, [900, 1200, 1201]] = True
    zeros = batch(LINEAR, flux=flux)
    masked = SpectrumBatch(**{**vars(batch(LINEAR, flux=np.where(marked, 1, flux))), "mask": marked})
    for one, other in zip(vars(preprocess(zeros)).values(), vars(preprocess(masked)).values(), strict=True):
        np.testing.assert_array_equal(one, other)

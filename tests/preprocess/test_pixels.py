import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from transtar.preprocess.pixels import fill_bad, good_pixels

from ..reference import chain


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(2, 12))
def test_fill_bad_is_numpy_interp_per_spectrum(data, n, size):
    good = data.draw(arrays.arrays(bool, (n, size)))
    flux = data.draw(arrays.arrays(np.float64, (n, size), elements=st.floats(-1e3, 1e3)))
    steps = data.draw(arrays.arrays(np.float64, size, elements=st.floats(0.1, 3)))
    wave = 4000 + np.cumsum(steps)
    filled = np.where(good, flux, np.nan)
    fill_bad(wave, filled, good)
    for row in range(n):
        which = good[row]
        expected = np.interp(wave, wave[which], flux[row, which]) if which.any() else np.zeros(size)
        np.testing.assert_allclose(filled[row], expected, rtol=1e-9, atol=1e-9)


def test_good_pixels():
    wave = np.linspace(5560, 5600, 41)
    rng = np.random.default_rng(1)
    flux, ivar = rng.random((2, 3, 41))
    flux[0, :3] = np.nan, np.inf, -np.inf
    ivar[1, :4] = 0, -1, np.nan, np.inf
    mask = rng.random((3, 41)) < 0.2
    sky = ((5570.0, 5590.0),)
    for inverse in (ivar, None):
        good = good_pixels(wave, flux, inverse, mask, sky)
        for row in range(3):
            own = None if inverse is None else inverse[row]
            np.testing.assert_array_equal(good[row], chain.good_pixels(wave, flux[row], own, mask[row], sky))
    assert good[:, wave > 5591].any()
    assert not good[:, (wave > 5571) & (wave < 5589)].any()

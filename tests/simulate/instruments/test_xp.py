import numpy as np
import pytest

from transtar.errors import InputError
from transtar.simulate.instruments.effects import Effects
from transtar.simulate.instruments.xp import XP_WAVE, observe_xp, xp_relative_error, xp_resolution

from .. import made


def test_sampling_and_brightness():
    """343 points; a star of V = 0 has 3.63e-11 W/m2/nm at 550 nm."""
    assert XP_WAVE[[0, -1]].tolist() == [336.0, 1020.0]
    xp = observe_xp(made.model(n=2), made.stars(2, v_mag=0.0), effects=Effects.only())
    assert xp.flux.shape == (2, 343)
    assert xp.flux[0, np.argmin(np.abs(XP_WAVE - 550))] == pytest.approx(3.63e-11, rel=1e-3)


def test_noise_is_that_stated():
    model, stars = made.model(n=200), made.stars(200)
    clean = observe_xp(model, stars, effects=Effects.only("lsf"))
    noisy = observe_xp(model, stars, effects=Effects.only("lsf", "noise"))
    assert np.mean(((noisy.flux - clean.flux) / noisy.flux_error) ** 2) == pytest.approx(1, abs=0.02)
    part = observe_xp(model.select(slice(50, 60)), stars[50:60], effects=Effects.only("lsf", "noise"))
    np.testing.assert_array_equal(part.flux, noisy.flux[50:60])
    error = xp_relative_error(XP_WAVE, np.array([13.0, 17.0]))
    assert (error[1] > error[0]).all()


def test_line_spread_is_broad_and_keeps_the_mean():
    flux = np.ones((1, len(made.WAVE)))
    flux[0, (made.WAVE > 4800) & (made.WAVE < 4900)] = 0.2
    sharp, broad = (
        observe_xp(made.model(flux), made.stars(1, ebv=0.0), effects=effects)
        for effects in (Effects.only(), Effects.only("lsf"))
    )
    level = [np.median(xp.flux) for xp in (sharp, broad)]
    depth = [xp.flux[0, np.argmin(np.abs(XP_WAVE - 485))] for xp in (sharp, broad)]
    assert depth[0] / level[0] + 0.05 < depth[1] / level[1]
    np.testing.assert_allclose(xp_resolution(np.array([336.0, 639.0, 641.0, 1020.0])), [77, 15, 29, 16.4], rtol=0.03)
    with pytest.raises(InputError, match="no column g_mag"):
        observe_xp(made.model(), made.stars(1)["source_id", "teff", "feh", "ebv", "v_mag"])

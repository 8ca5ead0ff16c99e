import numpy as np
import pytest

from transtar.preprocess import Preprocessing
from transtar.trust import typical
from transtar.trust.typical import typical_spectra


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(typical, "STARS", 60)
    typical_spectra.cache_clear()
    yield
    typical_spectra.cache_clear()


@pytest.mark.parametrize("settings", [{}, {"frame": "observed"}, {"continuum": "none"}])
def test_mock_stars_by_any_settings(settings):
    summary = typical_spectra(Preprocessing(**settings))
    assert summary.mean.shape == (1462,)
    assert summary.components.shape == (12, 1462)
    assert 0.7 < summary.mean.mean() < 1.1
    assert (summary.rest >= 0).all()
    # Twelve components hold nearly all there is.
    assert summary.rest.sum() < 0.02 * np.sum(summary.components**2)
    assert typical_spectra(Preprocessing(**settings)) is summary


def test_grids_out_of_reach():
    assert typical_spectra(Preprocessing(grid="xp", frame="observed", continuum="none")) is None
    # The mock instrument has a resolution of its own, and is not smoothed to another.
    assert typical_spectra(Preprocessing(resolution=1000.0)) is None

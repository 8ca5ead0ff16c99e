import numpy as np
import pytest

from tests.velocity.made import DESI_WAVE, LAMOST_WAVE, observed
from transtar.velocity import measure_velocities
from transtar.velocity.templates import load_templates

VELOCITIES = np.array([-612.0, -300.0, -121.0, -3.0, 0.0, 44.0, 180.0, 295.0, 640.0])


@pytest.fixture(scope="module")
def rows():
    """Templates from cool to warm, from rich to poor."""
    return np.linspace(0, len(load_templates(1800.0).names) - 1, len(VELOCITIES)).astype(int)


@pytest.mark.parametrize("wave", [LAMOST_WAVE, DESI_WAVE], ids=["log", "linear"])
@pytest.mark.parametrize("ivar", [True, False])
def test_known_velocities_come_out(rows, wave, ivar):
    measured = measure_velocities(observed(rows, VELOCITIES, wave, ivar=ivar, slope=0.3), resolution=1800.0)
    assert measured.good.all()
    difference = measured.velocity - VELOCITIES
    assert np.abs(difference).max() < 6
    assert np.sqrt(np.mean((difference / measured.error) ** 2)) < 1.6

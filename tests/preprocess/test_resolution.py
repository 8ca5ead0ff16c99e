import numpy as np
import pytest

from transtar.grids import BLUE
from transtar.preprocess.resolution import smoothing_matrix


def test_smoothing_lowers_the_resolution_as_asked():
    native, wanted = 3000.0, 1800.0
    matrix = smoothing_matrix(BLUE, native, wanted)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    centre = BLUE.wave[700]
    width = centre / native / (2 * np.sqrt(2 * np.log(2)))
    line = np.exp(-0.5 * ((BLUE.wave - centre) / width) ** 2)
    smooth = matrix @ line
    mean = np.average(BLUE.wave, weights=smooth)
    measured = np.sqrt(np.average((BLUE.wave - mean) ** 2, weights=smooth))
    assert mean == pytest.approx(centre, abs=0.1)
    assert centre / (measured * 2 * np.sqrt(2 * np.log(2))) == pytest.approx(wanted, rel=0.01)
    assert smoothing_matrix(BLUE, 1800.0, 1800.0) is None
    assert smoothing_matrix(BLUE, 1800.0, 3000.0) is None

import numpy as np
import pytest

from transtar.preprocess.snr import median_snr


def test_median_snr():
    rng = np.random.default_rng(4)
    flux, ivar = rng.random((2, 3, 400)).astype(np.float32)
    ivar[1] = 0
    ivar[2, ::8] = 0
    out = np.empty(3, np.float32)
    median_snr(flux, ivar, out)
    signal = (flux * np.sqrt(ivar))[:, ::4]
    assert out[0] == pytest.approx(np.median(signal[0]), rel=1e-6)
    assert np.isnan(out[1])
    assert out[2] == pytest.approx(np.median(signal[2, 1::2]), rel=1e-6)

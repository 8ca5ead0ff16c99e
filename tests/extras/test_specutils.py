"""The extra `specutils`: `specutils.Spectrum` in and out."""

import sys

import numpy as np
import pytest
import specutils
from astropy import nddata, units

from transtar.errors import InputError, TranstarError
from transtar.spectra import SpectrumBatch
from transtar.surveys.air import air_to_vacuum
from transtar.surveys.specutils_bridge import from_spectrum, to_spectra

WAVE = np.linspace(4000, 5000, 6)


def test_round_trip():
    flux = np.arange(12, dtype=np.float32).reshape(2, 6)
    meta = {"file": np.array(["a", "b"]), "velocity": np.array([1.0, 2.0])}
    ids = np.array([2**62 + 1, 3])
    batch = SpectrumBatch(WAVE, flux, flux + 1, flux > 10, ids, "generic", meta=meta)
    spectra = to_spectra(batch)
    assert isinstance(spectra.uncertainty, nddata.InverseVariance)
    assert spectra.meta["ids"].tolist() == ids.tolist()
    back = from_spectrum(spectra, ids=spectra.meta["ids"], velocity=spectra.meta["velocity"], file=spectra.meta["file"])
    for name in ("wave", "flux", "ivar", "mask", "ids"):
        np.testing.assert_allclose(getattr(back, name), getattr(batch, name))
    assert back.meta["file"].tolist() == ["a", "b"]


def test_nanometre_descending_air_and_standard_deviation():
    spectrum = specutils.Spectrum(
        spectral_axis=WAVE[::-1] / 10 * units.nm,
        flux=np.array([1, 2, 3, 4, 5, np.nan]) * units.Jy,
        uncertainty=nddata.StdDevUncertainty(np.full(6, 2.0)),
    )
    with pytest.raises(InputError, match="does not say its medium"):
        from_spectrum(spectrum)
    batch = from_spectrum(spectrum, medium="air", frame="rest")
    np.testing.assert_allclose(batch.wave, air_to_vacuum(WAVE))
    np.testing.assert_array_equal(batch.flux[0], [np.nan, 5, 4, 3, 2, 1])
    np.testing.assert_array_equal(batch.mask[0], [True, False, False, False, False, False])
    np.testing.assert_allclose(batch.ivar, 0.25)
    assert (batch.meta["velocity"].tolist(), batch.ids.tolist()) == ([0.0], [-1])


def test_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "specutils", None)
    with pytest.raises(TranstarError, match=r"pip install 'transtar\[specutils\]'"):
        from_spectrum(None)


def test_errors_that_are_all_zero_are_none():
    flux = np.ones((6, 2)) * units.Jy
    for shape in ((6,), (6, 2)):
        error = np.zeros(shape)
        if len(shape) == 2:
            error[:, 1] = 0.5
        spectrum = specutils.Spectrum(
            spectral_axis=WAVE * units.AA,
            flux=flux if len(shape) == 2 else flux[:, 0],
            uncertainty=nddata.StdDevUncertainty(error),
            **({"spectral_axis_index": 0} if len(shape) == 2 else {}),
        )
        batch = from_spectrum(spectrum, medium="vacuum")
        if len(shape) == 1:
            assert batch.ivar is None
        else:
            assert np.isnan(batch.ivar[0]).all()
            assert (batch.ivar[1] == 4).all()

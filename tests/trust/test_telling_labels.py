import numpy as np

from transtar.models import load_estimator
from transtar.preprocess import Preprocessing
from transtar.trust.telling_labels import mock_network, telling_labels, who_tells

from ..models.encoded import grid_flux


def test_the_shipped_network_tells_where_spectra_are_prepared_for_it():
    assert who_tells(Preprocessing()) == "mock"
    assert who_tells(Preprocessing(frame="observed")) == "model"
    assert who_tells(None) == "model"


def test_labels_that_tell():
    flux = grid_flux(3)
    told = telling_labels("mock", flux, {"feh": np.zeros(3)})
    assert list(told) == ["feh", "logg", "teff"]
    np.testing.assert_allclose(told["feh"], load_estimator("mock-feh").predict(flux)[:, 0], atol=1e-4)
    np.testing.assert_array_equal(told["teff"], mock_network().predict(flux)[:, 2])
    assert list(telling_labels("model", flux, {"teff": np.zeros(3), "alphafe": np.zeros(3)})) == ["teff"]

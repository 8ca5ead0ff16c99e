import numpy as np
import pytest

from transtar.datasets import PreparedSet
from transtar.errors import InputError
from transtar.explain.chosen_stars import labelled_stars, labels_of, unseen_stars
from transtar.explain.physical import require_testable, run_physical_test
from transtar.flags import Flag
from transtar.models import load_estimator
from transtar.preprocess import Preprocessing

from ..models.examples import small_estimator


@pytest.fixture
def prepared():
    """Ten stars: one flagged, one without [Fe/H], three of the pool, one that a model has seen; the first five metal-poor."""
    n = 10
    settings = Preprocessing()
    columns = {
        "file": np.array([f"{i}.fits" for i in range(n)]), "id": np.arange(n), "survey": np.full(n, "lamost"),
        "split": np.array(["test"] * 7 + ["pool"] * 3), "flags": np.zeros(n, np.int32),
        "feh": np.where(np.arange(n) < 5, -1.5, 0.0), "teff": np.full(n, 5500.0), "logg": np.full(n, 4.4),
        "snr": np.ones(n), "good_fraction": np.ones(n),
    }  # fmt: skip
    columns["flags"][0] = Flag.CONTINUUM_FAILED
    columns["feh"][5] = np.nan
    flux = np.ones((n, settings.wavelengths.size), np.float32)
    return PreparedSet(flux, None, columns, ("feh", "teff", "logg"), settings, {}, "")


@pytest.fixture
def model():
    seen = {"survey": ["lamost"], "id": np.array([1]), "file": ["1.fits"], "star": [""], "role": ["train"]}
    return small_estimator(trained_on={name: np.asarray(values) for name, values in seen.items()})


def test_stars_that_no_model_has_seen(prepared, model):
    lines = []
    stars, by_regime = unseen_stars(prepared, [model], "test", "SET", lines.append)
    assert stars.columns["id"].tolist() == [2, 3, 4, 5, 6]
    assert by_regime["poor"].tolist() == [True, True, True, False, False]
    assert lines == ["5 stars; left out: 3 of another split, 1 flagged bad, 1 seen by a model in training"]
    assert len(unseen_stars(prepared, [model], "all", "SET", lines.append)[0]) == 8
    with pytest.raises(InputError, match="SET: no star of split 'validation' is left"):
        unseen_stars(prepared, [model], "validation", "SET", lines.append)


def test_labelled_stars_of_a_regime(prepared, model):
    lines = []
    stars = labelled_stars(prepared, [model], "feh", "test", "all", "SET", lines.append)
    assert stars.columns["id"].tolist() == [2, 3, 4, 6]
    assert lines == [
        "4 spectra of 10; left out: 3 of another split than 'test', 1 flagged bad, 1 without label, "
        "1 seen by a model in training (TRAINED_ON)"
    ]
    assert labelled_stars(prepared, [model], "teff", "all", "poor", "SET", lines.append).columns["id"].tolist() == [
        2,
        3,
        4,
    ]
    with pytest.raises(InputError, match="SET: no star to compute the loss on, 0 spectra of 10"):
        labelled_stars(prepared, [model], "feh", "pool", "poor", "SET", lines.append)


def test_labels_are_in_double_precision(prepared):
    prepared.columns["feh"] = prepared.columns["feh"].astype(np.float32)
    assert {name: values.dtype for name, values in labels_of(prepared).items()} == dict.fromkeys(
        ("feh", "teff", "logg"), np.float64
    )


def test_what_the_physical_test_cannot_be_made_of(prepared):
    with pytest.raises(InputError, match="'hipparcos' is not one of"):
        require_testable("hipparcos", labels_of(prepared))
    with pytest.raises(InputError, match="the set has no logg"):
        require_testable("miles", {"feh": 0, "teff": 0})
    with pytest.raises(InputError, match="'none' is not one of"):
        run_physical_test({}, "feh", prepared, {}, instrument="none")


def test_the_physical_test_on_stars_of_a_set(prepared):
    """Stars of one set of labels are one star, and the regimes hold those that they name."""
    stars = prepared.select([1, 2, 6])
    told = []
    regimes = {"all": np.ones(3, bool), "poor": np.array([True, True, False])}
    test, spectra = run_physical_test(
        {"mock": load_estimator("mock-feh")}, "feh", stars, regimes, instrument="miles", progress=told.append
    )
    assert spectra.rows.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(spectra.plain[0], spectra.plain[1])
    assert sum(told) == 3 * 9
    # Of regimes with a few stars only there is nothing to say.
    assert {(one.regime, one.n_stars) for one in test.responses} == {("all", 3)}
    (response,) = (one.mean for one in test.responses if (one.regime, one.moved) == ("all", "feh"))
    assert response == pytest.approx(1, abs=0.25)

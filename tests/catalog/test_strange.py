"""What predict does with what the witnesses say."""

from dataclasses import dataclass, field

import numpy as np

from transtar.catalog import predict_batches
from transtar.catalog.predict import waived_kinds
from transtar.flags import Flag
from transtar.preprocess import GridSpectra, Preprocessing
from transtar.trust import Verdict, Witnesses


@dataclass(frozen=True)
class Said(Witnesses):
    """Witnesses that say what they were told to."""

    verdict: Verdict = None
    asked: list = field(default_factory=list)

    def judge(self, flux, ivar, labels, quality=None):
        self.asked.append((flux.copy(), ivar, {name: values.copy() for name, values in labels.items()}, quality))
        return self.verdict


@dataclass
class Fake:
    label_names: tuple = ("feh",)
    label_min: tuple = (-2.5,)
    label_max: tuple = (0.5,)
    domain_limit: float = 10.0
    label_error: np.ndarray | None = None
    trained_on: dict = field(default_factory=dict)
    input: str = "flux"
    n_inputs: int = 20
    preprocessing: Preprocessing | None = None

    def predict_with_distance(self, flux):
        return flux[:, :1], flux[:, 1]


def spectra(values, flags, ivar=None):
    n = len(values)
    flux = np.zeros((n, 20), np.float32)
    flux[:, 0] = values
    ones = np.ones(n, np.float32)
    return GridSpectra(flux, ivar, ones, 30 * ones, np.asarray(flags, np.int32))


def keys(n):
    return {"survey": "lamost", "id": np.arange(n), "velocity": np.zeros(n)}


def test_labels_go_where_the_gate_is_sure_and_rows_stay_in_place():
    f = np.float32
    verdict = Verdict(
        np.array([0, Flag.HOT_STAR, Flag.MISFIT], np.int32), np.array([False, True, False]), np.array([0, 1, 0.5], f),
        np.array([1, 2, 9], f),
    )  # fmt: skip
    said = Said(None, None, verdict=verdict)
    ivar = np.arange(80, dtype=f).reshape(4, 20)
    given = spectra([-1.0, -2.0, -0.5, 0.0], [0, Flag.LOW_GOOD_FRACTION, 0, 0], ivar)
    columns = next(predict_batches([Fake()], [(keys(4), given)], witnesses=said))
    np.testing.assert_array_equal(columns["feh"], np.array([-1, np.nan, np.nan, 0], f))
    np.testing.assert_array_equal(columns["strange"], np.array([0, np.nan, 1, 0.5], f))
    np.testing.assert_array_equal(columns["misfit"], np.array([1, np.nan, 2, 9], f))
    assert columns["flags"].tolist() == [0, Flag.LOW_GOOD_FRACTION, Flag.HOT_STAR, Flag.MISFIT]
    ((flux, weights, labels, _),) = said.asked
    assert flux[:, 0].tolist() == labels["feh"].tolist() == [-1, -0.5, 0]
    np.testing.assert_array_equal(weights, ivar[[0, 2, 3]])


def test_spectra_that_nobody_can_judge_say_so():
    columns = next(predict_batches([Fake()], [(keys(2), spectra([0, 0], [0, 0]))]))
    assert columns["flags"].tolist() == [Flag.NO_GATE] * 2
    assert np.isfinite(columns["feh"]).all()
    assert np.isnan(columns["misfit"]).all()


def test_a_model_of_hot_stars_knows_them():
    def teff(low, high):
        return Fake(label_names=("logg", "teff"), label_min=(0, low), label_max=(5, high))

    assert waived_kinds([Fake()]) == ()
    assert waived_kinds([Fake(), teff(4000, 7000)]) == ()
    assert waived_kinds([Fake(), teff(4000, 9000)]) == ("hot",)
    assert waived_kinds([teff(3000, 9000)]) == ("cool", "hot")
    assert waived_kinds([teff(3000, 9000), teff(4000, 7000)]) == ()

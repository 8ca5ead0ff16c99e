import numpy as np
import pytest

from transtar.errors import SettingsError
from transtar.flags import Flag, has
from transtar.preprocess import Preprocessing
from transtar.quality import Quality
from transtar.trust import Witnesses, witnesses_for
from transtar.trust.gate import KINDS
from transtar.trust.second_opinion import Opinion


class GateOf:
    """A gate that gives the shares it was told to."""

    def __init__(self, shares):
        self.given = np.asarray(shares, float)

    def shares(self, flux):
        return self.given


class SecondOf:
    def __init__(self, misfit, velocity, velocity_err):
        self.opinion = Opinion(np.asarray(misfit, float), np.asarray(velocity, float), np.asarray(velocity_err, float))

    def look(self, flux, ivar, labels):
        return self.opinion


def shares(ordinary, kind):
    row = np.zeros(len(KINDS))
    row[0], row[KINDS.index(kind)] = ordinary, 1 - ordinary
    return row


ROWS = [
    # Share of ordinary stars, kind, misfit, velocity, its error; flag, whether there is no label.
    (0.99, "hot", 1.0, 0.0, 1.0, 0, False),
    (0.05, "hot", 1.0, 0.0, 1.0, Flag.HOT_STAR, True),
    (0.05, "white dwarf", 9.0, 0.0, 1.0, Flag.HOT_STAR, True),
    (0.05, "not a star", 9.0, 0.0, 1.0, Flag.OUT_OF_DOMAIN, True),
    (0.05, "shifted", 1.0, 0.0, 1.0, Flag.OUT_OF_DOMAIN, True),
    (0.5, "hot", 9.0, 0.0, 1.0, Flag.MISFIT, False),
    (0.5, "hot", 1.0, 60.0, 1.0, Flag.MISFIT, False),
    (0.5, "hot", 1.0, 0.0, 1.0, Flag.DOUBTFUL, False),
    (0.99, "hot", 9.0, 0.0, 1.0, Flag.DOUBTFUL, False),
    (0.99, "hot", 1.0, -60.0, 1.0, Flag.DOUBTFUL, False),
    (0.99, "hot", 1.0, 60.0, 20.0, 0, False),
    (np.nan, "hot", np.nan, np.nan, np.nan, 0, False),
]


def test_the_rule():
    gate = GateOf([shares(ordinary, kind) for ordinary, kind, *_ in ROWS])
    second = SecondOf(*([row[i] for row in ROWS] for i in (2, 3, 4)))
    verdict = Witnesses(gate, second).judge(np.ones((len(ROWS), 3)), None, {})
    assert verdict.flags.tolist() == [int(row[5]) for row in ROWS]
    assert verdict.no_label.tolist() == [row[6] for row in ROWS]
    assert verdict.strange[0] == pytest.approx(0.01)
    assert verdict.misfit[5] == 9


def test_kinds_that_models_have_learnt_from_are_not_held_against_a_star():
    gate = GateOf([shares(0.05, "hot"), shares(0.5, "hot"), shares(0.05, "cool"), shares(0.95, "hot")])
    verdict = Witnesses(gate, None, ("hot",)).judge(np.ones((4, 3)), None, {})
    assert verdict.flags.tolist() == [Flag.NO_GATE, Flag.NO_GATE, Flag.OUT_OF_DOMAIN, 0]
    assert verdict.no_label.tolist() == [False, False, True, False]


def test_one_witness_alone_warns_or_decides():
    second = SecondOf([9.0, 1.0], [0.0, 0.0], [1.0, 1.0])
    assert Witnesses(None, second).judge(np.ones((2, 3)), None, {}).flags.tolist() == [Flag.DOUBTFUL, 0]
    none = Witnesses(None, None).judge(np.ones((2, 3)), None, {})
    assert has(none.flags, Flag.NO_GATE).all()
    assert np.isnan(none.strange).all()
    assert np.isnan(none.misfit).all()


def test_thresholds_are_those_of_the_run():
    gate, second = GateOf([shares(0.05, "hot")] * 2), SecondOf([9.0, 9.0], [0.0, 0.0], [1.0, 1.0])
    verdict = Witnesses(gate, second).judge(np.ones((2, 3)), None, {}, Quality(gate=1, doubt=1, misfit=1e9))
    assert not verdict.flags.any()
    assert not verdict.no_label.any()
    with pytest.raises(SettingsError, match=r"doubt must not be above gate, 0.8, but is 0.95"):
        Quality(doubt=0.95)
    with pytest.raises(SettingsError, match="gate must be between 0 and 1"):
        Quality(gate=1.5)


def test_witnesses_of_other_spectra_are_not_asked():
    known = witnesses_for(Preprocessing())
    assert known.gate is not None
    assert known.second is not None
    for other in (Preprocessing(frame="observed"), None):
        assert witnesses_for(other) == Witnesses(None, None)

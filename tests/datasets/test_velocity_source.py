"""Velocities measured in place of the survey's: what is put into the batches, and what is told of it."""

from dataclasses import replace

import numpy as np
import pytest

from transtar import velocity
from transtar.datasets import open_flow, read_set
from transtar.datasets.flow import Report
from transtar.datasets.prepare import prepare
from transtar.datasets.velocity_source import Measured
from transtar.errors import SettingsError
from transtar.flags import Flag
from transtar.preprocess import Preprocessing
from transtar.spectra import SpectrumBatch
from transtar.surveys import Stated, get_survey
from transtar.velocity import MeasuredVelocities

from ..made_surveys import made_lamost

LAMOST = get_survey("lamost")


def batch(n=20, frame="observed", given=None, pixels=200):
    wave = np.linspace(3900.0, 5700.0, pixels)
    meta = {"file": np.array([f"{i}" for i in range(n)])}
    if given is not None:
        meta["velocity"] = np.asarray(given, float)
    return SpectrumBatch(
        wave,
        np.ones((n, pixels), np.float32),
        None,
        np.zeros((n, pixels), bool),
        np.arange(n),
        "lamost",
        frame,
        meta=meta,
    )


@pytest.fixture
def measuring(monkeypatch):
    """The measurement answers 100 + row, error 2, and finds nothing in row 3."""

    def measure(batch, **more):
        n = len(batch)
        good = np.arange(n) != 3
        return MeasuredVelocities(100.0 + np.arange(n), np.full(n, 2.0), good, np.ones(n), np.full(n, "t"))

    monkeypatch.setattr(velocity, "measure_velocities", measure)


def test_what_is_not_clear_is_no_velocity(measuring):
    source = Measured(LAMOST)
    before = batch()
    after = source.give(before)
    np.testing.assert_array_equal(after.meta["velocity"], [np.nan if i == 3 else 100.0 + i for i in range(20)])
    np.testing.assert_array_equal(np.isfinite(after.meta["velocity_err"]), np.arange(20) != 3)
    assert "velocity" not in before.meta
    assert source.lines() == [
        "velocities: measured for 19 of 20 spectra, median error 2.0 km/s; 1 show no clear one (flag NO_VELOCITY)"
    ]


def test_they_are_compared_with_the_surveys(measuring):
    given = 100.0 + np.arange(20) + 80.0
    given[5], given[6], given[7] = 0.0, np.nan, 1e5
    source = Measured(LAMOST)
    source.give(batch(given=given))
    lines = source.lines()
    assert lines[1] == (
        "velocities: measured minus the survey's: median -80.0 km/s, scatter 0.0 km/s (1.48 MAD of 16 spectra)"
    )
    assert "an offset of -80.0 km/s speaks of wavelengths of air taken for vacuum" in lines[2]
    source = Measured(LAMOST)
    source.give(batch(given=given - 79.0))
    assert len(source.lines()) == 2


def test_spectra_at_rest_are_left_as_they_are(measuring):
    source = Measured(LAMOST)
    after = source.give(batch(5, "rest", given=np.zeros(5)))
    np.testing.assert_array_equal(after.meta["velocity"], 0)
    assert np.isnan(after.meta["velocity_err"]).all()
    source.give(replace(batch(10), survey="lamost"))
    assert source.lines() == [
        "velocities: not measured for 5 spectra whose wavelengths are at rest",
        "velocities: measured for 9 of 10 spectra, median error 2.0 km/s; 1 show no clear one (flag NO_VELOCITY)",
    ]


def test_in_the_observed_frame_none_are_flagged(measuring):
    source = Measured(LAMOST, settings=Preprocessing(frame="observed"))
    source.give(batch())
    assert source.lines() == [
        "velocities: measured for 19 of 20 spectra, median error 2.0 km/s; 1 show no clear one; they are not taken out, the "
        "preprocessing leaves spectra in the observed frame"
    ]


def test_what_the_grid_refuses_is_not_counted(measuring):
    source = Measured(LAMOST, settings=Preprocessing())
    coarse = batch(pixels=50)
    assert source.give(coarse) is coarse
    assert source.lines() == []
    source.give(batch())
    assert source.lines()[0].startswith("velocities: measured for 19 of 20 spectra")


def test_a_frame_of_rest_contradicts_it(tmp_path):
    with pytest.raises(SettingsError, match="leave out --frame"):
        open_flow("generic", tmp_path, velocities="measure", stated=Stated(frame="rest"))


def test_through_the_flow_into_a_set(measuring, tmp_path):
    lamost = made_lamost(tmp_path / "lamost", n=8)
    report = Report()
    ((one, _),) = open_flow(LAMOST, lamost / "spectra", velocities="measure").batches(report)
    assert report.lines[0].startswith("velocities: measured for 7 of 8 spectra")
    done = prepare(LAMOST, lamost / "spectra", tmp_path / "set", velocities="measure")
    assert done.lines == report.lines
    prepared = read_set(tmp_path / "set")
    np.testing.assert_array_equal(prepared.columns["velocity"], one.meta["velocity"])
    np.testing.assert_array_equal(prepared.columns["velocity_err"], one.meta["velocity_err"])
    assert ((prepared.columns["flags"] & int(Flag.NO_VELOCITY)) != 0).tolist() == [False] * 3 + [True] + [False] * 4
    assert prepared.provenance["velocities"] == "measure"

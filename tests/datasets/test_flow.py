import threading
from dataclasses import replace

import numpy as np
import pytest

from transtar.datasets import Report, open_flow
from transtar.errors import InputError, SettingsError
from transtar.flags import Flag
from transtar.quality import Quality
from transtar.surveys import get_survey
from transtar.tables import Choice

from ..made_surveys import FIRST_ID, made_lamost, write_csv
from .test_ahead import readers

LAMOST = get_survey("lamost")


@pytest.fixture
def spectra(tmp_path):
    folder = made_lamost(tmp_path / "lamost", n=7)
    (folder / "spectra" / "spec-002b.fits").write_text("no")
    (folder / "spectra" / "spec-005b.fits").touch()
    return folder / "spectra"


@pytest.mark.parametrize("n_ahead", [1, 4])
def test_reading_ahead_changes_nothing(spectra, n_ahead):
    def run(n):
        report, told, seen, threads = Report(), [], [], set()

        def skip(file, why):
            told.append((file, why, len(seen)))
            threads.add(threading.current_thread())

        flow = open_flow("lamost", spectra, batch_size=2)
        for batch, grid in flow.batches(report, on_skip=skip, n_ahead=n):
            seen.append((batch.ids, grid.flux, grid.flags))
        assert threads == {threading.current_thread()}
        return report, told, seen

    (one, told, seen), (other, told_ahead, seen_ahead) = run(0), run(n_ahead)
    assert one == other
    assert told == told_ahead
    assert [name.rsplit("/", 1)[-1] for name, *_ in told] == ["spec-002b.fits", "spec-005b.fits"]
    assert one.n_spectra == 7
    for columns, columns_ahead in zip(seen, seen_ahead, strict=True):
        for a, b in zip(columns, columns_ahead, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not readers()


def test_files_are_looked_for_once(spectra, monkeypatch):
    calls = []
    real = open_flow.__globals__["find_files"]
    monkeypatch.setitem(open_flow.__globals__, "find_files", lambda *given: calls.append(1) or real(*given))
    monkeypatch.setitem(real.__globals__, "find_files", lambda *given: calls.append(2) or real(*given))
    flow = open_flow(LAMOST, spectra)
    assert len(list(flow.batches())) == 1
    assert calls == [1]
    # And a part of them is run by itself.
    report = Report()
    list(replace(flow, files=flow.files[:1]).batches(report))
    assert (report.n_spectra, report.skipped) == (1, [])


def test_who_leaves_the_loop_leaves_no_thread(spectra):
    read = []
    survey = replace(LAMOST, read_file=lambda path: read.append(path) or LAMOST.read_file(path))
    batches = open_flow(survey, spectra, batch_size=1).batches()
    next(batches), next(batches)
    batches.close()
    assert not readers()
    assert len(read) <= 6


@pytest.mark.parametrize("n_ahead", [0, 1])
def test_what_is_no_fault_of_a_file_ends_the_run_after_what_came_before(spectra, n_ahead):
    def read(path):
        if "spec-003" in path.name:
            raise SettingsError("no such thing")
        return LAMOST.read_file(path)

    report, seen = Report(), []
    flow = open_flow(replace(LAMOST, read_file=read), spectra, batch_size=1)
    batches = flow.batches(report, n_ahead=n_ahead)
    with pytest.raises(SettingsError, match="no such thing"):
        seen.extend(batch.ids[0] for batch, _ in batches)
    # The last batch is given when it is known to be full.
    assert seen == [FIRST_ID, FIRST_ID + 1]
    assert len(report.skipped) == 1
    assert not readers()


def test_an_interrupt_of_the_work_ends_the_reading(spectra):
    batches = open_flow(LAMOST, spectra, batch_size=1).batches()
    next(batches), next(batches)
    with pytest.raises(KeyboardInterrupt):
        batches.throw(KeyboardInterrupt())
    assert not readers()


def test_stars_velocities_and_thresholds(spectra, tmp_path):
    write_csv(tmp_path / "stars.csv", [{"obsid": FIRST_ID + i} for i in (1, 3, 99)])
    write_csv(tmp_path / "rv.csv", [{"obsid": FIRST_ID + 1, "rv": 5.0}])
    flow = open_flow(
        LAMOST, spectra, quality={"snr": 1e6}, stars=tmp_path / "stars.csv", velocities=f"{tmp_path / 'rv.csv'}:rv"
    )
    assert flow.quality == Quality(snr=1e6)
    report = Report()
    ((batch, grid),) = flow.batches(report)
    assert batch.ids.tolist() == [FIRST_ID + 1, FIRST_ID + 3]
    np.testing.assert_array_equal(batch.meta["velocity"], [5.0, np.nan])
    assert grid.flags.tolist() == [Flag.LOW_SNR, Flag.LOW_SNR | Flag.NO_VELOCITY]
    assert [line.split(":")[0] for line in report.lines] == ["stars", "velocities"]
    write_csv(tmp_path / "rv.csv", [{"obsid": 5, "rv": 5.0}])
    with pytest.raises(InputError, match="none of 2 spectra is in this table of velocities"):
        list(open_flow(LAMOST, spectra, stars=tmp_path / "stars.csv", velocities=f"{tmp_path / 'rv.csv'}:rv").batches())
    write_csv(tmp_path / "stars.csv", [{"obsid": 5}])
    with pytest.raises(InputError, match="none of its 1 stars has a spectrum here"):
        list(open_flow(LAMOST, spectra, stars=tmp_path / "stars.csv").batches())


def test_velocities_do_not_change_the_batch_that_was_read(spectra, tmp_path):
    batches = []
    survey = replace(LAMOST, read_file=lambda path: batches.append(LAMOST.read_file(path)) or batches[-1])
    write_csv(tmp_path / "rv.csv", [{"obsid": FIRST_ID, "rv": 5.0}])
    flow = open_flow(survey, spectra / "spec-000.fits", velocities=f"{tmp_path / 'rv.csv'}:rv")
    ((batch, _),) = flow.batches()
    assert batch.meta["velocity"] == [5.0]
    assert batches[0].meta["velocity"] != [5.0]


def test_a_column_that_nothing_has_is_refused_before_anything_is_read(spectra, tmp_path):
    write_csv(tmp_path / "stars.csv", [{"obsid": FIRST_ID}])
    with pytest.raises(SettingsError, match="feh=FE_H: no such column"):
        open_flow(LAMOST, spectra, stars=tmp_path / "stars.csv", columns=Choice(feh="FE_H"))
    with pytest.raises(SettingsError, match="unknown key snrr"):
        open_flow(LAMOST, spectra, quality={"snrr": 5})
    with pytest.raises(SettingsError, match="no survey 'nothing'"):
        open_flow("nothing", spectra)

from dataclasses import replace

import numpy as np
import pytest

from transtar.datasets import grid_spectra, preprocess_batch
from transtar.datasets.velocity_source import FromTable
from transtar.errors import InputError, SettingsError
from transtar.flags import Flag, has
from transtar.labels import VelocityReport, read_velocities
from transtar.preprocess import Preprocessing
from transtar.surveys import get_survey, stream

from ..surveys.fits_files import write_lamost_table

LAMOST = get_survey("lamost")
SETTINGS = Preprocessing()


@pytest.fixture
def folder(tmp_path):
    for i in range(4):
        write_lamost_table(tmp_path / f"{i}.fits", OBSID=i)
    return tmp_path


@pytest.mark.parametrize(
    "raised", [MemoryError(), IndexError("7\nof 6"), FloatingPointError("x"), InputError("no good")]
)
def test_one_spectrum_does_not_cost_the_others_their_place(folder, monkeypatch, raised):
    real = preprocess_batch

    def odd(batch, *arguments, **more):
        if 2 in batch.ids:
            raise raised
        return real(batch, *arguments, **more)

    monkeypatch.setattr("transtar.datasets.gridding.preprocess_batch", odd)
    told = []
    pairs = list(
        grid_spectra(stream(LAMOST, folder), LAMOST, SETTINGS, on_error=lambda path, why: told.append((path.name, why)))
    )
    assert [i for batch, _ in pairs for i in batch.ids.tolist()] == [0, 1, 3]
    assert [len(batch) for batch, _ in pairs] == [len(spectra) for _, spectra in pairs]
    ((name, why),) = told
    assert name == "2.fits"
    assert why.startswith("2.fits: ")
    assert why.isprintable()
    with pytest.raises(InputError, match=r"^2\.fits: "):
        list(grid_spectra(stream(LAMOST, folder), LAMOST, SETTINGS))


def test_what_is_wrong_with_the_settings_ends_the_run(folder, monkeypatch):
    def odd(*arguments, **more):
        raise SettingsError("no such grid")

    monkeypatch.setattr("transtar.datasets.gridding.preprocess_batch", odd)
    with pytest.raises(SettingsError):
        list(grid_spectra(stream(LAMOST, folder), LAMOST, SETTINGS, on_error=lambda *_: None))


def test_velocities_are_looked_up_once(folder, monkeypatch):
    """Although a batch is gone through file by file where something is wrong with one of them."""
    (folder / "rv.csv").write_text("obsid,rv\n0,10\n1,20\n2,30\n")
    table = read_velocities(str(folder / "rv.csv"), ids=LAMOST.id_columns)
    real, calls = preprocess_batch, []

    def odd(batch, *arguments, **more):
        calls.append(len(batch))
        if len(batch) > 1:
            raise ValueError("too many")
        return real(batch, *arguments, **more)

    monkeypatch.setattr("transtar.datasets.gridding.preprocess_batch", odd)
    report = VelocityReport()
    source = FromTable(table, report=report)
    pairs = list(grid_spectra(stream(LAMOST, folder), LAMOST, SETTINGS, velocities=source))
    assert calls == [4, 1, 1, 1, 1]
    np.testing.assert_array_equal([batch.meta["velocity"][0] for batch, _ in pairs], [10, 20, 30, np.nan])
    assert "3 of 4" in str(report) or "3 spectra" in str(report)


def test_a_table_of_velocities_goes_before_those_of_the_batch(folder):
    (folder / "rv.csv").write_text("obsid,rv\n0,10\n1,20\n2,30\n")
    (batch,) = stream(LAMOST, folder)
    table = read_velocities(str(folder / "rv.csv"), ids=LAMOST.id_columns)
    known = replace(batch, meta={**batch.meta, "velocity": np.array([10.0, 20.0, 30.0, np.nan])})
    by_table, expected = preprocess_batch(batch, LAMOST, SETTINGS, table), preprocess_batch(known, LAMOST, SETTINGS)
    np.testing.assert_array_equal(by_table.flux, expected.flux)
    np.testing.assert_array_equal(has(by_table.flags, Flag.NO_VELOCITY), [False] * 3 + [True])
    assert np.abs(by_table.flux - preprocess_batch(batch, LAMOST, SETTINGS).flux)[:3].max() > 1e-4

"""What a user of a notebook meets: short prints, wavelengths, and surveys by their names."""

from html import unescape
from pathlib import Path

import numpy as np
import pytest

import transtar
from transtar.datasets import grid_spectra
from transtar.datasets.defaults import default_quality, default_settings
from transtar.errors import InputError, SettingsError
from transtar.evaluate.results import Results
from transtar.grids import get_grid
from transtar.preprocess import GridSpectra
from transtar.studies import Study
from transtar.surveys import find_files, find_star_files, read, read_all, stream_files

from .made_surveys import made_miles

SETTINGS = transtar.Preprocessing()


@pytest.fixture(scope="module")
def miles(tmp_path_factory) -> Path:
    return made_miles(tmp_path_factory.mktemp("miles"), n=6)


@pytest.fixture(scope="module")
def prepared(miles, tmp_path_factory):
    out = tmp_path_factory.mktemp("sets") / "miles"
    transtar.prepare("miles", miles / "spectra", out, labels=miles / "labels.csv")
    return transtar.read_set(out)


def test_everything_prints_in_a_few_lines(miles, prepared):
    (batch,) = transtar.stream("miles", miles / "spectra")
    shown = {
        "batch": (batch, "SpectrumBatch: 6 spectra of miles", "rest frame; native medium air"),
        "grid": (
            transtar.preprocess_batch(batch, "miles", SETTINGS),
            "GridSpectra: 6 spectra",
            "grid    'blue', 3999 to 5599 A",
        ),
        "set": (prepared, "PreparedSet: 6 spectra of miles", "6 feh"),
        "stars": (prepared.stars("feh"), "Stars: 6 spectra of 6 stars", "flux, 1,462 values per star"),
        "prediction": (
            transtar.predict_files("mock-feh", "miles", miles / "spectra"),
            "Prediction: 6 spectra",
            "6 NO_IVAR",
        ),
        "results": (Results.from_rows([]), "Results: 0 rows", ""),
    }
    for value, first, part in shown.values():
        lines = repr(value).splitlines()
        assert lines[0] == first
        assert part in repr(value)
        assert len(lines) < 12
        assert max(map(len, lines)) < 140
        assert str(value) == repr(value)
        html = value._repr_html_()
        assert f"<strong>{first}</strong>" in html
        assert part.split("  ")[-1].strip() in unescape(html)
        assert len(html) < 5000


def test_a_study_prints_in_a_line_or_two():
    (study,) = [one for name, one in transtar.load_study("quickstart").items() if name == "default"]
    assert isinstance(study, Study)
    assert repr(study).startswith("Study: Quickstart")
    assert len(repr(study).splitlines()) < 12


def test_sets_and_spectra_know_their_wavelengths(miles, prepared):
    expected = 10 ** (3.602 + 1e-4 * np.arange(1462))
    (batch,) = transtar.stream("miles", miles / "spectra")
    spectra = transtar.preprocess_batch(batch, "miles", SETTINGS)
    for one in (prepared, spectra, spectra.select(slice(2)), prepared.grid_spectra(), prepared.select([0])):
        np.testing.assert_allclose(one.wave, expected, rtol=1e-12)
        assert one.grid.name == "blue"
        assert one.flux.shape[1] == len(one.wave)
    bare = GridSpectra(spectra.flux, None, spectra.good_fraction, spectra.snr, spectra.flags)
    with pytest.raises(InputError, match="do not say on which grid"):
        _ = bare.wave
    assert repr(bare).splitlines()[1].split() == ["grid", "1,462", "points"]


def test_a_name_serves_wherever_a_survey_does(miles):
    survey, folder = transtar.get_survey("miles"), miles / "spectra"
    assert transtar.get_survey(survey) is survey
    file = find_files("miles", folder)[0]
    assert find_files("miles", folder) == find_files(survey, folder)
    assert find_star_files("miles", folder, {"file": np.array([file.name])}) == [file]
    assert default_settings("gaia-xp").grid == default_settings(transtar.get_survey("gaia-xp")).grid == "xp"
    assert default_quality("miles") == default_quality(survey)
    for call in (read, lambda name, path: read_all(name, path)[0], lambda name, path: next(stream_files(name, [path]))):
        np.testing.assert_array_equal(call("miles", file).flux, call(survey, file).flux)
    batches = list(transtar.stream("miles", folder))
    for one in ("miles", survey):
        (((_, spectra)),) = grid_spectra(batches, one, SETTINGS)
        np.testing.assert_array_equal(spectra.flux, transtar.preprocess_batch(batches[0], "miles", SETTINGS).flux)


def test_what_is_no_survey_is_refused_with_the_names_there_are(miles):
    (batch,) = transtar.stream("miles", miles / "spectra")
    with pytest.raises(SettingsError, match="no survey 'mine'; known surveys: desi, "):
        transtar.preprocess_batch(batch, "mine", SETTINGS)
    with pytest.raises(SettingsError, match="not a survey: 3; give a name, one of desi, "):
        transtar.get_survey(3)


def test_the_grid_of_a_set_is_that_of_its_preprocessing(prepared):
    assert prepared.grid is get_grid("blue")

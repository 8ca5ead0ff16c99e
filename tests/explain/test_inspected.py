"""What a page shows of a catalog: which rows, which spectra, and what stands beside them, checked against other ways to it."""

import numpy as np
import pytest

from transtar.catalog import read_columns
from transtar.datasets import read_set
from transtar.encoders import load_encoder
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.evaluate import evaluate_catalog
from transtar.explain.in_numbers import count_outside, limits, spread
from transtar.explain.inspected import inspect
from transtar.explain.inspected_files import inspect_files
from transtar.explain.saliency import gradients
from transtar.explain.shown_spectra import SpectraOfSet
from transtar.flags import BAD, Flag, has
from transtar.labels import read_labels
from transtar.models import load_estimator
from transtar.trust.second_opinion import load_second_opinion

from ..report.interactive.made_survey import made_survey


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return made_survey(tmp_path_factory.mktemp("survey"), 300, 120)


@pytest.fixture(scope="module")
def seen(survey):
    catalog, data, labels = survey
    return inspect_files(catalog, data, labels, ["mock-feh"], stars=["J000007", str(2**62 + 9)], most=60)


def test_spectra_are_those_of_the_rows(seen, survey):
    prepared = read_set(survey[1])
    spectra = seen.spectra
    assert len(spectra.rows) == 60
    assert len(set(spectra.rows.tolist())) == 60
    for place, row in enumerate(spectra.rows.tolist()):
        (same,) = np.flatnonzero(prepared.columns["id"] == seen.columns["id"][row])
        np.testing.assert_array_equal(spectra.flux[place], prepared.flux[same])
        good = prepared.ivar[same] > 0
        np.testing.assert_array_equal(np.isfinite(spectra.error[place]), good)
        np.testing.assert_allclose(spectra.error[place][good], prepared.ivar[same][good] ** -0.5, rtol=1e-6)


def test_twins_and_gradients_are_those_of_the_rooms_that_make_them(seen, survey):
    rows, prepared = seen.spectra.rows, read_set(survey[1])
    place = np.array([np.flatnonzero(prepared.columns["id"] == one)[0] for one in seen.columns["id"][rows]])
    labels = {name: seen.columns[name][rows] for name in ("teff", "logg", "feh", "alphafe")}
    opinion = load_second_opinion().look(prepared.flux[place], prepared.ivar[place], labels, want_twins=True)
    np.testing.assert_allclose(seen.spectra.twin, opinion.twin, atol=1e-4)
    assert list(seen.spectra.gradients) == ["feh"]
    expected = gradients(load_estimator("mock-feh"), prepared.flux[place], "feh")
    np.testing.assert_allclose(seen.spectra.gradients["feh"], expected, rtol=1e-3, atol=1e-5)


def test_neighbours_are_the_nearest_of_all_by_brute_force(seen, survey):
    prepared, near = read_set(survey[1]), seen.spectra.neighbours
    vectors = load_encoder("through").encode(prepared.flux).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for place, row in enumerate(seen.spectra.rows[:20].tolist()):
        (same,) = np.flatnonzero(prepared.columns["id"] == seen.columns["id"][row])
        cosines = vectors @ vectors[same]
        cosines[same] = -2
        best = np.argsort(-cosines)[:5]
        np.testing.assert_array_equal(near.columns["name"][near.places[place]], prepared.columns["star"][best])
        np.testing.assert_allclose(near.cosines[place], cosines[best], atol=1e-5)
        np.testing.assert_allclose(near.columns["feh"][near.places[place]], prepared.columns["feh"][best], rtol=1e-6)


def test_why_a_spectrum_is_shown(seen):
    rows, why = seen.spectra.rows, seen.why
    assert set(seen.columns["name"][rows[why == "chosen"]]) == {"J000007", "J000009"}
    assert has(seen.columns["flags"][rows[why == "flagged"]], BAD).all()
    assert (why == "far from its reference").sum() >= 10
    assert (why == "highest misfit").sum() >= 10
    # Those with the greatest misfit of all that have a spectrum are among the chosen.
    worst = np.argsort(-seen.columns["misfit"][:120])[:5]
    assert set(worst.tolist()) <= set(rows.tolist())


def test_scores_are_those_of_evaluate(seen, survey):
    catalog, labels = read_columns(survey[0]), read_labels(survey[2])
    scores = evaluate_catalog(catalog, labels, n_boot=10).metrics
    for name in ("teff", "feh"):
        assert seen.evaluation.metrics[name]["all"]["r2"] == pytest.approx(scores[name]["all"]["r2"])
    np.testing.assert_allclose(seen.reference["feh"], labels["feh"])


def test_labels_of_the_set_are_the_reference_if_no_other_is_given(survey):
    seen = inspect_files(survey[0], survey[1])
    assert np.isfinite(seen.reference["feh"]).sum() == 120
    assert seen.absent["gradients"].startswith("no model")


def test_a_catalog_that_lacks_nearly_everything():
    seen = inspect({"id": np.arange(4), "feh": np.array([0.1, np.nan, -1, 0])})
    assert seen.labels == ("feh",)
    assert seen.absent.keys() == {"flags", "one-to-one", "spectra"}
    assert seen.columns["name"].tolist() == ["0", "1", "2", "3"]


def test_of_many_rows_a_sample_is_shown_and_said_so(survey):
    seen = inspect_files(survey[0], survey[1], most=20, most_rows=50, stars=["J000100"])
    assert len(seen.columns["id"]) == 50
    assert seen.n_rows == 300
    assert seen.notes[-1].startswith("50 of 300 rows are shown")
    assert len(seen.spectra.rows) == 20
    assert seen.columns["name"][seen.spectra.rows[seen.why == "chosen"]].tolist() == ["J000100"]


@pytest.mark.parametrize(
    ("how", "error", "text"),
    [
        ({"stars": ["nobody"]}, InputError, "nobody"),
        ({"stars": ["J000200"]}, InputError, "no spectrum of J000200"),
        ({"most": 0}, SettingsError, "most"),
    ],
)
def test_what_cannot_be_shown_is_refused(survey, how, error, text):
    with pytest.raises(error, match=text):
        inspect_files(survey[0], survey[1], **how)


def test_stars_and_models_need_a_set(survey):
    with pytest.raises(InputError, match="--data"):
        inspect_files(survey[0], stars=["J000001"])
    with pytest.raises(SettingsError, match="--data"):
        inspect_files(survey[0], models=["mock-feh"])


def test_a_set_of_other_stars_is_refused(survey, tmp_path):
    catalog = read_columns(survey[0])
    catalog["id"], catalog["star"] = np.arange(300), np.full(300, "other")
    catalog["file"] = np.full(300, "else.fits")
    with pytest.raises(InputError, match="no spectrum of the catalog"):
        inspect(catalog, None, SpectraOfSet(survey[1]))


def test_a_model_of_other_spectra_is_refused(survey, monkeypatch):
    from dataclasses import replace

    model = load_estimator("mock-feh")
    other = replace(model, preprocessing=replace(model.preprocessing, frame="observed"))
    with pytest.raises(MismatchError, match="frame"):
        SpectraOfSet(survey[1], [other])


def test_flags_of_others_are_refused():
    with pytest.raises(InputError, match="flags"):
        inspect({"feh": np.zeros(2), "flags": np.array([0, 1 << 25])})
    seen = inspect({"feh": np.zeros(2), "flags": np.array([0, int(Flag.MISFIT)])})
    assert seen.columns["flags"].tolist() == [0, int(Flag.MISFIT)]


def test_numbers_of_planes():
    values = np.array([np.nan, 1, 2, 3, 100])
    assert spread(values).median == 2.5
    low, high = limits(values, 0.0, 0.0)
    assert (low, high) == (1, 100)
    assert limits(np.full(3, np.nan)) == (0, 1)
    assert limits(np.full(3, 5.0))[0] < 5 < limits(np.full(3, 5.0))[1]
    assert count_outside(values, values, (0, 10), (10, 0)) == 1

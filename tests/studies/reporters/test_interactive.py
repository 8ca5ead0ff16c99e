"""The page of a study: where Bokeh or the set is missing one line says so, and the report is what it is without."""

import sys

import numpy as np
import pytest

from transtar import redraw
from transtar.flags import Flag
from transtar.studies.layout import INTERACTIVE
from transtar.studies.load import load_study
from transtar.studies.study_files import set_folder

from ...report.interactive.made_survey import made_labels, write_spectra
from ..finished import made_study


def drawn(folder, **changes) -> str:
    """The report without its last lines, which name the time."""
    return redraw(made_study(folder, **changes)).read_text(encoding="utf-8").partition("<footer>")[0]


@pytest.fixture
def told(caplog):
    return lambda: [record.getMessage() for record in caplog.records if INTERACTIVE in record.getMessage()]


def test_without_bokeh(tmp_path, monkeypatch, told):
    monkeypatch.setitem(sys.modules, "bokeh", None)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    without = drawn(tmp_path / "one", reporters=["summary", "labels"])
    assert told() == []
    assert drawn(tmp_path / "two", reporters=["summary", "labels", "interactive"]) == without
    (line,) = told()
    assert "transtar[report]" in line
    assert not (tmp_path / "two" / INTERACTIVE).exists()


def test_without_the_set(tmp_path, told):
    pytest.importorskip("bokeh")
    text = drawn(tmp_path)
    (line,) = told()
    assert "set" in line
    assert INTERACTIVE not in text
    assert not (tmp_path / INTERACTIVE).exists()


def test_a_page_of_the_run_that_was_chosen(tmp_path, told):
    pytest.importorskip("bokeh")
    out = made_study(tmp_path)
    study = load_study(str(out / "settings" / "default.yaml"))["default"]
    random, n = np.random.default_rng(0), 120
    stars = {
        "file": np.array([f"{k}.fits" for k in range(n)]), "id": np.arange(n), "survey": np.full(n, "desi"),
        "star": np.array([f"J{k}" for k in range(n)]), "snr": np.full(n, 40.0), "good_fraction": np.ones(n),
        "flags": np.full(n, int(Flag.LOW_SNR), np.int32),
    }  # fmt: skip
    write_spectra(set_folder(study.target, study, out), stars, made_labels(n, random), random)
    report = redraw(out).read_text(encoding="utf-8")
    assert told() == []
    assert f'<a href="{INTERACTIVE}">' in report
    page = (out / INTERACTIVE).read_text(encoding="utf-8")
    assert "[Fe/H] by lora with 100 stars, seed 0" in page
    assert "120 stars of DESI" in page

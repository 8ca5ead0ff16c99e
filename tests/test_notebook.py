"""A notebook as a user has it: objects show themselves, plots appear, bars move, and what is told is told."""

import json
import sys
from pathlib import Path

import pytest

from .made_surveys import made_miles, star_spectrum

CELLS = {
    "batch": "import transtar as ts\nbatch = next(ts.stream('miles', 'miles/spectra'))\nbatch",
    "model": "model = ts.Estimator.load('mock-feh')\nmodel",
    "prediction": "import transtar.progress\ntranstar.progress.PATIENCE = 0\n"
    "prediction = ts.predict_files(model, 'miles', 'miles/spectra')\nprediction",
    "set": "_ = ts.prepare('miles', 'miles/spectra', 'set', labels='miles/labels.csv')\nprepared = ts.read_set('set')\nprepared",
    "study": "ts.load_study('quickstart')['default']",
    "scores": "ts.evaluate_catalog(prediction.to_table(), ts.read_labels('miles/labels.csv'), ['feh'])",
    "plots": "from matplotlib import pyplot as plt\nfigure, (left, right) = plt.subplots(1, 2)\n"
    "ts.plot.spectrum(batch, 1, left)\n"
    "ts.plot.one_to_one(prepared.columns['feh'], model.predict(prepared.flux)[:, 0], right, label='feh');",
    "told": "from transtar.telling import tell\ntell('a doubtful file')",
    "logged": "import logging, sys\nlogging.getLogger('transtar').addHandler(logging.StreamHandler(sys.stdout))\n"
    "tell('a log of mine')",
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> dict[str, list[dict]]:
    """What each cell put out, as in the file of the notebook."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    folder: Path = tmp_path_factory.mktemp("notebook")
    made_miles(folder / "miles", n=12, spectrum=star_spectrum)
    path = json.dumps(sys.path)
    first = f"import sys\nsys.path[:0] = {path}\nsys.path[:] = list(dict.fromkeys(sys.path))\n%matplotlib inline"
    cells = [nbformat.v4.new_code_cell(source) for source in (first, *CELLS.values())]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}
    ).execute()
    return {name: cell["outputs"] for name, cell in zip(CELLS, notebook.cells[1:], strict=True)}


def html_of(cell: list[dict]) -> str:
    (result,) = (output["data"] for output in cell if output["output_type"] == "execute_result")
    assert "text/plain" in result
    return result["text/html"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("batch", ("SpectrumBatch: 12 spectra of miles", "native medium air")),
        ("model", ("Estimator of feh", "mock")),
        ("prediction", ("Prediction: 12 spectra", "<th>feh</th>", "NO_IVAR", "7 more rows")),
        ("set", ("PreparedSet: 12 spectra of miles", "12 feh")),
        ("study", ("Study: Quickstart",)),
        ("scores", ("12 of 12 rows scored", "[Fe/H]")),
    ],
)
def test_objects_show_themselves(outputs, name, facts):
    html = html_of(outputs[name])
    for fact in facts:
        assert fact in html
    assert len(html) < 8000


@pytest.mark.slow
def test_plots_appear(outputs):
    (figure,) = (output for output in outputs["plots"] if output["output_type"] == "display_data")
    assert len(figure["data"]["image/png"]) > 5000


@pytest.mark.slow
def test_a_bar_is_shown_without_a_warning(outputs):
    shown = json.dumps(outputs["prediction"])
    assert "predict" in shown
    assert "widget-view" in shown or "spectra/s" in shown
    for cell in outputs.values():
        assert "IProgress" not in json.dumps(cell)


@pytest.mark.slow
def test_what_is_told_is_seen_and_goes_where_a_handler_sends_it(outputs):
    (told,), (logged,) = outputs["told"], outputs["logged"]
    assert (told["name"], told["text"]) == ("stderr", "a doubtful file\n")
    assert (logged["name"], logged["text"]) == ("stdout", "a log of mine\n")

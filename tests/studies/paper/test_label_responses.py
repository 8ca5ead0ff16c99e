"""Networks of one label and one of all, whose answers to each label are made up."""

import csv

import numpy as np
import pytest

from transtar import redraw
from transtar.explain.response import PhysicalTest, Response
from transtar.explain.saliency import Gradients, Saliency, band
from transtar.explain.stored_results import write_saliency, write_test
from transtar.simulate.mocks.moved import STEPS
from transtar.studies.study_record import write_record

from ..finished import made_study

LABELS = ["teff", "feh"]
NETWORKS = ["alone, zero-shot", "together, zero-shot", "alone, full", "together, full"]
PLACE = "explained/labels-made"


def made_answers(folder, leak):
    """The fine-tuned network of all labels is perfect; all others take 100 K for `leak` dex, and 1 dex for 500 K."""
    wave = np.linspace(4000, 5600, 800)
    flux = np.random.default_rng(0).normal(0.9, 0.05, (12, len(wave)))
    for label in LABELS:
        responses = []
        for name in NETWORKS:
            for moved in STEPS:
                off = (
                    0.0
                    if name == "together, full"
                    else {("feh", "teff"): leak, ("teff", "feh"): 5.0}.get((label, moved), 0.0)
                )
                mean = 1.0 if moved == label else off
                responses += [
                    Response(name, regime, label, moved, mean, 0.1, 12, float(moved == label))
                    for regime in ("all", "poor")
                ]
        test = PhysicalTest(label, tuple(responses), {"all": wave / 1e4}, np.ones(len(wave)), 12, {})
        write_test(folder / label, test, wave)
        by_network = {name: Gradients(band(flux), band(abs(flux)), flux.mean(axis=0)) for name in NETWORKS}
        write_saliency(folder / label, Saliency(label, wave, band(flux), by_network, 12, "poor"))


@pytest.fixture
def out(tmp_path):
    made_study(tmp_path, explain={"labels": LABELS}, reporters=["saliency"], variants={})
    write_record(tmp_path, {"responses": PLACE})
    made_answers(tmp_path / PLACE, leak=-0.08)
    return tmp_path


def test_what_leaks_from_one_label_into_another_is_in_the_matrix(out):
    """In steps: 100 K, of which [Fe/H] has 0.1 dex."""
    page = redraw(out).read_text()
    with (out / "tables" / "response-matrix.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    cells = {(row["network"], row["regime"], row["label"], row["moved"]): row for row in rows}
    assert len(cells) == len(rows) == len(NETWORKS) * 2 * len(LABELS) * len(STEPS)
    for name in NETWORKS:
        perfect = name == "together, full"
        assert float(cells[name, "all", "feh", "feh"]["in_steps"]) == 1
        assert float(cells[name, "all", "feh", "teff"]["mean"]) == (0 if perfect else -0.08)
        assert float(cells[name, "all", "feh", "teff"]["in_steps"]) == pytest.approx(0 if perfect else -0.8)
        assert float(cells[name, "all", "teff", "feh"]["in_steps"]) == pytest.approx(0 if perfect else 0.5)
    assert "One network, or one for each label" in page
    assert "<td>−0.80</td>" in page
    lines = (out / "tables" / "response-matrix.tex").read_text().splitlines()
    first = lines.index(r"\multicolumn{5}{l}{alone, zero-shot; all stars} \\")
    # Columns in the order of the rows, so that the ideal is a diagonal.
    assert lines[first + 1 : first + 3] == [
        r"{Teff} & $1.00$ & $0.50$ & $0.00$ & $0.00$ \\",
        r"{[Fe/H]} & $-0.80$ & $1.00$ & $0.00$ & $0.00$ \\",
    ]
    assert (out / "figures" / "response-matrix.png").stat().st_size > 30_000


def test_what_is_missing_is_said(out):
    (out / PLACE / "feh" / "saliency.parquet").unlink()
    said = []
    page = redraw(out, say=said.append).read_text()
    assert "response-matrix" in page
    assert any(f"{PLACE}/feh/saliency.parquet: not there" in line for line in said)
    write_record(out, {})
    assert "One network" not in redraw(out).read_text()

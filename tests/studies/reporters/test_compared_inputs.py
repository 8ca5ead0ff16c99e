"""Inputs against each other, of made-up predictions."""

import csv
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from sklearn.metrics import r2_score

from transtar import redraw
from transtar.evaluate import write_results
from transtar.studies.collect import _scores
from transtar.studies.predictions import to_table, write_stars
from transtar.studies.reporters.compared_inputs import _drawn

from ..finished import STUDY
from ..paper.made import made_predictions

NOISE = {"flux": 0.3, "pca": 0.31, "through": 0.15}
INPUTS = list(NOISE)


def write_study(out, predictions, **changes):
    """A folder as the engine leaves it."""
    n = max(len(one.row) for one in predictions)
    columns = {"file": np.array([f"{row}.fits" for row in range(n)]), "id": np.arange(n)}
    write_results([row for one in predictions for row in _scores(one)], out / "results.csv")
    write_stars([to_table(one, SimpleNamespace(columns=columns)) for one in predictions], out / "predictions.parquet")
    (out / "settings").mkdir()
    (out / "settings" / "default.yaml").write_text(yaml.safe_dump(STUDY | {"variants": {}} | changes))


def made(sizes=(50, 100), seeds=(0, 1)):
    """Predictions of each input, whose errors have a part of the star's own in common."""
    runs = []
    for name, noise in NOISE.items():
        for size in sizes:
            of_size = {"lora": noise, "scratch": 1.2 * noise} | ({"zero-shot": 2 * noise} if size == sizes[0] else {})
            runs += [replace(one, input=name) for one in made_predictions(of_size, seeds=seeds, n=300, size=size)]
    return runs


@pytest.fixture
def drawn(tmp_path):
    predictions = made()
    write_study(
        tmp_path, predictions, inputs=INPUTS, sizes=[50, 100], adapter={50: {"feh": "lora"}, 100: {"feh": "lora"}}
    )
    page = redraw(tmp_path).read_text()
    with (tmp_path / "tables" / "inputs-feh.csv").open(newline="") as file:
        return tmp_path, page, list(csv.DictReader(file)), predictions


def test_every_input_is_scored_and_compared_with_the_first(drawn):
    _, page, rows, predictions = drawn
    runs = {(row["strategy"], int(row["n"]), row["input"]): row for row in rows}
    assert list(runs) == [
        (strategy, n, name) for strategy, sizes in (("zero-shot", [0]), ("lora", [50, 100]), ("scratch", [50, 100]))
        for n in sizes for name in INPUTS
    ]  # fmt: skip
    scores = {}
    for key, row in runs.items():
        members = [one for one in predictions if (one.strategy, one.n_finetune, one.input) == key]
        scores[key] = np.array([r2_score(one.reference["feh"], one.predicted) for one in members])
        assert float(row["r2_all"]) == pytest.approx(scores[key].mean(), abs=1e-6)
        if key[2] == "flux":
            assert row["gain_all"] == "nan"
        else:
            gain = (scores[key] - scores[key[0], key[1], "flux"]).mean()
            assert float(row["gain_all"]) == pytest.approx(gain, abs=2e-6)
    better, alike = runs["lora", 50, "through"], runs["lora", 50, "pca"]
    assert float(better["gain_poor"]) > 3 * float(better["gain_poor_err"]) > 0
    # Paired errors are smaller than those of the two scores together.
    assert float(alike["gain_all_err"]) < np.hypot(
        float(alike["r2_all_err"]), float(runs["lora", 50, "flux"]["r2_all_err"])
    )
    assert "through is better (" in page
    assert "n = 50, lora: pca is " in page


def test_tables_and_figures_are_written(drawn):
    out, _, _, _ = drawn
    for name in ("inputs-feh", "inputs-feh-lora", "inputs-feh-scratch"):
        assert (out / "tables" / f"{name}.csv").is_file()
        assert (out / "tables" / f"{name}.tex").is_file()
    assert r"\Delta R^2_\mathrm{poor}" in (out / "tables" / "inputs-feh.tex").read_text()
    assert (out / "figures" / "inputs-feh.png").stat().st_size > 10_000
    assert "zero-shot" in (out / "tables" / "inputs-feh-lora.html").read_text()
    assert "zero-shot" not in (out / "tables" / "inputs-feh-scratch.html").read_text()


def test_other_tables_show_the_first_input(drawn, tmp_path_factory):
    """As they would be if there were no other."""
    out, _, _, predictions = drawn
    alone = tmp_path_factory.mktemp("alone")
    write_study(alone, [one for one in predictions if one.input == "flux"], sizes=[50, 100])
    redraw(alone)
    assert not (alone / "tables" / "inputs-feh.csv").exists()
    for name in ("table-feh.csv", "table-feh-kinds.csv"):
        assert (out / "tables" / name).read_text() == (alone / "tables" / name).read_text()
    assert (out / "summary.txt").read_text().splitlines()[1] == (alone / "summary.txt").read_text().splitlines()[1]


def test_stars_that_one_input_lacks_are_left_out_of_the_difference(tmp_path):
    """A star without embedding is compared on neither side."""
    predictions = made(sizes=(50,))
    for number, one in enumerate(predictions):
        if one.input == "through":
            lacking = one.predicted.copy()
            lacking[:20] = np.nan
            predictions[number] = replace(one, predicted=lacking)
    write_study(tmp_path, predictions, inputs=INPUTS, sizes=[50], adapter={}, reporters=["inputs"])
    redraw(tmp_path)
    with (tmp_path / "tables" / "inputs-feh.csv").open(newline="") as file:
        (row,) = (row for row in csv.DictReader(file) if (row["strategy"], row["input"]) == ("lora", "through"))
    of = {(one.input, one.seed): one for one in predictions if one.strategy == "lora"}
    gain = [
        r2_score(one.reference["feh"][20:], one.predicted[20:])
        - r2_score(one.reference["feh"][20:], of["flux", seed].predicted[20:])
        for (name, seed), one in of.items() if name == "through"
    ]  # fmt: skip
    assert float(row["gain_all"]) == pytest.approx(np.mean(gain), abs=2e-6)


def test_a_figure_has_room_for_four_strategies():
    """Null models make room first, and the order is that of the tables."""
    every = ["recalibrate", "ridge", "residual", "lora", "full", "scratch"]
    assert _drawn(every) == (every[2:], every[:2])
    assert _drawn(every[:4]) == (every[:4], [])
    assert _drawn(["ridge", "residual", "lora", "full"]) == (["ridge", "residual", "lora", "full"], [])


def test_without_predictions_scores_are_shown(tmp_path):
    write_study(tmp_path, made(sizes=(50,)), inputs=INPUTS, sizes=[50])
    (tmp_path / "predictions.parquet").unlink()
    page = redraw(tmp_path).read_text()
    assert "[Fe/H]: inputs" in page
    assert (tmp_path / "tables" / "inputs-feh-lora.csv").is_file()
    assert not (tmp_path / "tables" / "inputs-feh.csv").exists()

import csv
import io
import re

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.evaluate import evaluate_catalog
from transtar.report import EVALUATION_FILES, write_evaluation
from transtar.report.evaluation import noise_csv, scores_csv, scores_latex


def evaluated(second=True, n=60, shared=0.0):
    rng = np.random.default_rng(0)
    feh = rng.uniform(-2.5, 0.4, n)
    reference = {"id": np.arange(n), "feh": feh, "mg_fe": -0.2 * feh + rng.normal(0, 0.1, n)}
    common = rng.normal(0, shared, n)
    catalog = {"id": np.arange(n), "flags": np.zeros(n, np.int32)}
    catalog |= {name: reference[name] + common + rng.normal(0, 0.05, n) for name in ("feh", "mg_fe")}
    other = {"id": np.arange(n), "feh": feh + 0.5 * common + rng.normal(0, 0.02, n)} if second else None
    return evaluate_catalog(catalog, reference, n_boot=50, second=other)


@pytest.fixture(scope="module")
def evaluation():
    return evaluated()


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_holds_the_numbers(evaluation):
    rows = rows_of(scores_csv(evaluation))
    by = {(row["label"], row["model"], row["regime"]): row for row in rows}
    assert len(by) == len(rows)
    row, scores = by["mg_fe", "prediction", "poor"], evaluation.metrics["mg_fe"]["poor"]
    for name in ("r2", "r2_err", "sigma", "bias", "n", "n_clipped"):
        assert float(row[name]) == pytest.approx(scores[name], rel=1e-5), name
    assert by["mg_fe", "mean", "all"]["r2_err"] == ""
    assert float(by["mg_fe", "line in [Fe/H]", "all"]["r2"]) > 0
    assert ("feh", "line in [Fe/H]", "all") not in by
    noise = rows_of(noise_csv(evaluation))
    assert [(row["label"], row["of"]) for row in noise] == [
        ("feh", name) for name in ("reference", "second", "predicted")
    ]
    assert float(noise[2]["sigma"]) == pytest.approx(evaluation.noise["feh"].predicted.sigma, rel=1e-5)


def test_latex_has_captions_and_labels_and_as_many_cells_as_columns(evaluation):
    text = scores_latex(evaluation)
    for label in ("tab:scores-feh", "tab:scores-mg_fe", "tab:noise"):
        assert text.count(rf"\label{{{label}}}") == 1
    assert text.count(r"\caption{") == text.count(r"\begin{table") == text.count(r"\end{table") == 3
    assert text.count("{") == text.count("}")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}")
    # LaTeX would take a bracket for the start of an option, and not come to an end.
    assert not re.search(r"(\\\w*rule|\\\\)\s*\[", text)
    for table in text.split(r"\begin{table")[1:]:
        (columns,) = re.findall(r"\\begin{tabular}{(l[rl]*)}", table)
        lines = [line for line in table.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
        assert {line.count(" & ") for line in lines} == {len(columns) - 1}
    assert r"{line in [Fe/H], all} & 60 & " in text
    assert "nan" not in text
    assert "$-0.000$" not in text
    assert "beside null models (the mean and the line in [Fe/H] of the reference labels)" in text
    assert "tab:noise" not in scores_latex(evaluated(second=False))


def test_a_negative_variance_is_told_as_such():
    evaluation = evaluated(shared=0.3)
    assert evaluation.noise["feh"].second.variance < 0
    told = re.search(r"\{second\} & \d+ & negative variance \(\$(-0\.\d+) \\pm (0\.\d+)\$\)", scores_latex(evaluation))
    assert len(told[1]) == len(told[2]) + 1
    (row,) = (row for row in rows_of(noise_csv(evaluation)) if row["of"] == "second")
    assert row["sigma"] == ""
    assert float(row["variance"]) < 0


def test_files_and_that_nothing_of_others_is_replaced(evaluation, tmp_path):
    written = write_evaluation(evaluation, tmp_path / "out")
    assert [path.name for path in written] == list(EVALUATION_FILES)
    assert all(path.stat().st_size for path in written)
    assert (tmp_path / "out" / "one-to-one.pdf").read_bytes().startswith(b"%PDF")
    before = (tmp_path / "out" / "noise.csv").read_text()
    write_evaluation(evaluated(second=False), tmp_path / "out")
    # The noise of an earlier evaluation does not stay beside the scores of another.
    assert before.count("\n") == 4
    assert (tmp_path / "out" / "noise.csv").read_text().count("\n") == 1
    (tmp_path / "out" / "scores.tex").write_text("mine")
    with pytest.raises(InputError, match=r"scores\.tex: exists and has been changed since transtar wrote it"):
        write_evaluation(evaluation, tmp_path / "out")


def test_without_any_star_there_is_no_figure_and_that_is_told(tmp_path, caplog):
    reference = {"id": np.arange(5), "feh": np.zeros(5)}
    catalog = {"id": np.arange(5), "feh": np.full(5, np.nan), "flags": np.zeros(5, np.int32)}
    written = write_evaluation(evaluate_catalog(catalog, reference), tmp_path)
    assert [path.name for path in written] == ["scores.csv", "scores.tex", "noise.csv"]
    assert "not drawn, for no star was scored" in caplog.text
    assert "nan" not in (tmp_path / "scores.tex").read_text() + (tmp_path / "scores.csv").read_text()

"""Drawing a study again from what is on disk: results as they are, edited or damaged, with and without the stars."""

import csv
import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from transtar import redraw
from transtar.cli import main
from transtar.errors import InputError, SettingsError, TooFew
from transtar.evaluate import read_results, write_results
from transtar.report import Section
from transtar.report.page import FigureFile
from transtar.studies import reporters
from transtar.studies.reporters import Reporter, register_reporter

from .finished import STUDY, made_study


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A study that has been drawn once."""
    out = made_study(tmp_path_factory.mktemp("drawn"))
    redraw(out)
    return out


@pytest.fixture
def out(drawn, tmp_path):
    """A copy of it of one's own."""
    return shutil.copytree(drawn, tmp_path / "out")


def table(out, name="table-feh"):
    with (out / "tables" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def edit(out, change):
    rows = list(read_results(out / "results.csv"))
    (out / "results.csv").unlink()
    write_results([new for row in rows for new in change(row)], out / "results.csv")


def test_the_typed_table_is_that_of_the_csv_file(drawn):
    typed = pq.read_table(drawn / "results.parquet")
    assert typed.to_pylist() == list(read_results(drawn / "results.csv"))
    assert str(typed.schema.field("r2").type) == "double"


def test_every_figure_and_every_table_of_scores_says_of_which_seeds_it_is(drawn):
    page = (drawn / "report.html").read_text()
    figures = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert len(figures) == len(list((drawn / "figures").glob("*.png"))) > 1
    tables = re.findall(r"<table class=.scores.>\s*<caption>(.*?)</caption>", page)
    assert len(tables) > 1
    assert [text for text in (*figures, *tables) if not re.search(r"seed 0 |seeds 0, 1", text)] == []


def test_drawing_again_changes_nothing(out):
    before = {path: path.read_bytes() for path in out.rglob("*.csv")}
    assert len(before) > 3
    redraw(out)
    assert {path: path.read_bytes() for path in out.rglob("*.csv")} == before


def test_edited_values_are_drawn_and_the_contradiction_is_told(out):
    def change(row):
        lora = (row["strategy"], row["variant"], row["regime"]) == ("lora", "default", "all")
        return [row | {"r2": 0.123 if lora else row["r2"]}]

    edit(out, change)
    said = []
    report = redraw(out, say=said.append).read_text()
    (row,) = (row for row in table(out) if row["row"] == "lora")
    assert float(row["r2_all"]) == 0.123
    assert "lora 0.123" in (out / "summary.txt").read_text()
    assert said == [line for line in said if "another R2 than predictions.parquet for 2 of 12 runs" in line] != []
    assert "another R2 than predictions.parquet" in report


def test_rows_that_were_deleted_are_drawn_nowhere(out):
    edit(out, lambda row: [] if row["strategy"] == "scratch" else [row])
    report = redraw(out).read_text()
    assert {row["row"] for row in table(out)} == {"zero-shot", "lora"}
    assert "R2 minus that of scratch" not in report
    assert "<td>scratch" not in report
    assert "<th scope='row'>scratch" not in report


def test_without_predictions_what_needs_them_is_left_out_with_a_line(out):
    before = (out / "tables" / "table-feh.csv").read_bytes()
    assert table(out, "variants-desi-feh")[-1]["R2 minus default"]
    for path in (out / "figures").iterdir():
        path.unlink()
    (out / "predictions.parquet").unlink()
    said = []
    report = redraw(out, say=said.append).read_text()
    (line,) = said
    for name in ("one-to-one-feh", "paired comparisons", "differences from the default in variants-desi-feh"):
        assert name in line
        assert name in report
    assert (out / "tables" / "table-feh.csv").read_bytes() == before
    assert not (out / "figures" / "one-to-one-feh.png").exists()
    assert (out / "figures" / "kinds-feh.png").exists()
    assert {row["R2 minus default"] for row in table(out, "variants-desi-feh")} == {""}


def test_damage_is_one_clear_line(out, capsys):
    path = out / "results.csv"
    path.write_text(path.read_text().replace("lamost,desi", "lamost", 1))
    assert main(["study", str(out / "settings" / "default.yaml"), "--out", str(out), "--redraw"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"transtar study: {path}, row 1: seed is 'all', which is not int"
    write_results([], path.with_name("empty.csv"))
    shutil.copy(path.with_name("empty.csv"), path)
    with pytest.raises(InputError, match="has no rows"):
        redraw(out)


def test_damaged_predictions_are_told(out):
    path = out / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"predictions.parquet: damaged .*; delete it"):
        redraw(out)


def other_predictions(out, name, change):
    path = out / "predictions.parquet"
    stars = pq.read_table(path)
    path.unlink()
    column = pa.array(change(stars[name].to_pylist()), stars.schema.field(name).type)
    pq.write_table(stars.set_column(stars.column_names.index(name), name, column), path)


def test_predictions_of_another_study_are_told(out):
    other_predictions(out, "target", lambda values: ["miles"] * len(values))
    said = []
    report = redraw(out, say=said.append).read_text()
    (line,) = said
    assert line.startswith("predictions.parquet lacks 12 of 12 runs of results.csv")
    assert "lacks 12 of 12 runs of results.csv" in report


def test_predictions_without_a_seed_are_told(out):
    other_predictions(out, "seed", lambda values: [None, *values[1:]])
    with pytest.raises(InputError, match=r"predictions.parquet: damaged \(seed has no value in some rows\)"):
        redraw(out)


def test_results_of_another_study_are_told(out):
    edit(out, lambda row: [row | {"target": "miles"}])
    said = []
    redraw(out, say=said.append)
    assert any(re.match("results.csv has no row of variant default or joint and target desi", line) for line in said)


def test_another_file_in_the_way_is_not_replaced(out):
    (out / "report.html").write_text("mine")
    with pytest.raises(InputError, match=r"report.html"):
        redraw(out)
    assert (out / "report.html").read_text() == "mine"


def test_reporters_are_those_of_the_study_file_in_their_order(tmp_path):
    out = made_study(tmp_path, reporters=["settings", "labels"])
    report = redraw(out).read_text()
    assert report.index("Settings, variant default") < report.index("[Fe/H] on test stars")
    assert "In short" not in report
    assert not (out / "tables" / "variants-desi-feh.csv").exists()
    assert (out / "summary.txt").read_text().startswith("done: ")


def test_an_unknown_reporter_is_told(tmp_path, drawn, capsys):
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump(STUDY | {"reporters": ["lables"]}))
    assert main(["study", str(study), "--out", str(tmp_path / "o")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        "study.yaml: reporters: no reporter 'lables'; known reporters: summary, labels, inputs, auto, variants, plane"
        in line
    )
    assert not (tmp_path / "o").exists()
    (tmp_path / "made").mkdir()
    with pytest.raises(SettingsError, match="no reporter 'lables'"):
        redraw(made_study(tmp_path / "made", reporters=["lables"]))


def test_a_folder_that_does_not_say_which_study_it_is(out):
    shutil.rmtree(out / "settings")
    with pytest.raises(InputError, match="give the study file"):
        redraw(out)


def test_another_study_than_the_one_that_was_run_is_told(out, tmp_path, capsys):
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump(STUDY | {"title": "Renamed", "sizes": [50]}))
    assert main(["study", str(study), "--out", str(out), "--redraw"]) == 0
    said = capsys.readouterr().err
    assert "the study that was run has other sizes" in said
    assert "Renamed" in (out / "report.html").read_text()


def test_what_lacks_stars_is_left_out_with_a_line(out):
    (out / "figures" / "kinds-feh.png").unlink()
    edit(out, lambda row: [row] if row["regime"] in ("all", "poor", "rich") else [])
    said = []
    report = redraw(out, say=said.append).read_text()
    (line,) = said
    assert re.match("left out: kinds-feh; no results .*'feh' .*n_finetune 100 in dwarf, ", line)
    assert "Left out: kinds-feh; no results" in report
    assert not (out / "figures" / "kinds-feh.png").exists()
    assert (out / "figures" / "one-to-one-feh.png").exists()
    assert "Settings, variant default" in report


def few(results, context):
    raise TooFew("two stars are none")


def broken(results, context):
    raise ZeroDivisionError("by zero")


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (broken, "reporter 'mine' failed (by zero); all else is in "),
        (lambda results, context: None, "reporter 'mine' failed ("),
        (lambda results, context: "text", "str in place of a section of a report"),
        (
            lambda results, context: [Section("A", paragraphs="text")],
            "paragraphs of section 'A' must be a list of texts",
        ),
        (lambda results, context: [Section("A", tables=[3])], "tables of section 'A' must be a list of texts"),
        (lambda results, context: [Section("A", figures=[FigureFile("no.png", "")])], "no.png: figure cannot be read"),
        (few, ""),
    ],
)
def test_a_reporter_that_fails_costs_its_own_section(tmp_path, monkeypatch, draw, message):
    monkeypatch.setattr(reporters, "_REGISTERED", {})
    register_reporter(Reporter("mine", draw))
    out, said = made_study(tmp_path, reporters=["mine", "settings"]), []
    if message:
        with pytest.raises(InputError) as error:
            redraw(out, say=said.append)
        assert message in str(error.value)
    else:
        redraw(out, say=said.append)
        assert said == ["left out: mine; two stars are none"]
    report = (out / "report.html").read_text()
    assert "Left out: " in report
    assert "Settings, variant default" in report

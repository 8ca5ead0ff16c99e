"""The study `paper` at its smallest scale, from nothing to tables and figures by the names they have in the paper."""

import csv
import re
import shutil
from contextlib import redirect_stderr
from io import StringIO

import numpy as np
import pyarrow.parquet as pq
import pytest

from transtar.cli import main
from transtar.datasets import read_set, usable
from transtar.encoders import load_encoder
from transtar.explain.response import respond
from transtar.models import load_estimator
from transtar.simulate import load_emulator
from transtar.simulate.instruments.instrument import INSTRUMENTS
from transtar.simulate.mocks.moved import STEPS, move_labels

FIGURES = ("2", "3", "4", "5", "a1", "a2", "a3", "a4", "a5", "b6", "d7", "d8")
TABLES = ("table-1", "table-a1", "table-a2", "table-1-teff")

REPORTERS = "[summary,findings,table-1,inputs,compared,sizes,weights,rates,matched,landscape,saliency]"

CHOSEN = ("--scale", "tiny", "--set", "inputs=flux,embed-split,embed-desi", f"reporters={REPORTERS}")
"""Between them these inputs need every kind of encoder that the study has; sections that every study has are tested there."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_universe):
    """Folder of a study that ran to its end."""
    out = tmp_path_factory.mktemp("paper")
    tiny_universe(out / "universe", "xp_lamost=true")
    with redirect_stderr(StringIO()) as said:
        assert main(["study", "paper", *CHOSEN, "--workers", "1", "--out", str(out)]) == 0
    lines = said.getvalue().splitlines()
    assert len(lines) > 10
    assert len(set(lines)) == len(lines), "variants say again what the study has said"
    return out


def gaia(star):
    """Number of a Gaia identifier."""
    return int(star.rpartition(" ")[2])


def results(out, **wanted):
    with (out / "results.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if all(row[name] == value for name, value in wanted.items())]


def test_every_table_and_figure_is_there(finished):
    names = [f"figure-{number}" for number in FIGURES] + [
        "response",
        "teff-matched",
        "figure-3-inputs",
        "inputs-feh",
        "response-matrix",
    ]
    for path in [finished / "figures" / f"{name}.{kind}" for name in names for kind in ("pdf", "png")]:
        assert path.stat().st_size > 3000, path
    for path in [finished / "tables" / f"{name}.{kind}" for name in TABLES for kind in ("csv", "tex", "html")]:
        assert path.stat().st_size > 300, path


def test_results_hold_every_experiment(finished):
    variants = {row["variant"] for row in results(finished)}
    assert {"default", "sizes", "hidden-2", "rank-1", "rate-0.001", "rate-0.0001", "teff-matched"} <= variants
    assert {row["split"] for row in results(finished)} == {"test"}
    # The largest number of stars is the same run in the study and in the experiment of sizes.
    one, other = (results(finished, variant=name, strategy="lora", n_finetune="24") for name in ("default", "sizes"))
    assert [row["r2"] for row in one] == [row["r2"] for row in other]
    # The matched split judges on other stars.
    own = results(finished, variant="teff-matched", strategy="zero-shot", regime="poor")
    assert int(own[0]["n_test"]) > int(
        results(finished, variant="default", strategy="zero-shot", regime="poor")[0]["n_test"]
    )


def test_inputs_are_tried_in_every_size_and_no_other_experiment(finished):
    inputs = {"flux", "embed-split", "embed-desi"}
    for name in ("table-1", "table-a1"):
        with (finished / "tables" / f"{name}.csv").open(newline="") as file:
            shown = {row["input" if name == "table-1" else "row"] for row in csv.DictReader(file)}
        assert shown - {"scratch"} == inputs, name
    by_variant: dict[str, set[str]] = {}
    for row in results(finished):
        by_variant.setdefault(row["variant"], set()).add(row["input"])
    assert by_variant["default"] == by_variant["sizes"] == by_variant["labels"] == by_variant["chosen"] == inputs
    assert all(by_variant[name] == {"flux"} for name in ("hidden-2", "rank-1", "rate-0.001", "teff-matched"))
    # The plane has the same stars by each, and other labels.
    plane = pq.read_table(finished / "stars" / "plane.parquet").to_pylist()
    feh = {name: [] for name in inputs}
    for row in plane:
        if (row["strategy"], row["variant"]) == ("residual", "default"):
            feh[row["input"]].append(row["feh"])
    assert {len(values) for values in feh.values()} == {75}
    assert len({sum(values) for values in feh.values()}) == 3


def test_no_encoder_has_seen_a_test_star(finished):
    """Neither in a spectrum of DESI, nor of LAMOST, nor of Gaia."""
    (target,) = (one for one in map(read_set, (finished / "sets").glob("desi-*")) if one.labels)
    judged = {gaia(star) for star in target.columns["star"][target.columns["split"] == "test"]}
    assert len(judged) == 82
    with (finished / "universe" / "lamost" / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["gaia_source_id"]]
    of_lamost = {int(row["obsid"]): int(row["gaia_source_id"]) for row in rows}
    surveys = {}
    for path in (finished / "encoders").glob("*[!g]"):
        seen = load_encoder(path / "lrs" if (path / "lrs").is_dir() else path).trained_on
        rows = list(zip(seen["survey"].tolist(), seen["id"].tolist(), seen["star"].tolist(), strict=True))
        stars = {of_lamost[id] if survey == "lamost" else gaia(star) for survey, id, star in rows}
        assert len(stars) > 90, path
        assert not stars & judged, path
        surveys[path.name.rpartition("-")[0]] = {survey for survey, _, _ in rows}
    assert surveys == {
        "embed": {"lamost"},
        "embed-xp": {"gaia-xp"},
        "embed-split": {"lamost", "gaia-xp"},
        "embed-desi": {"desi"},
    }


def test_stars_of_figure_a1_are_those_not_learnt_from(finished):
    """Every usable star is either learnt from, judged on as a test star, or labelled beside them."""
    runs = finished / "runs"
    both = [path for path in runs.glob("*.parquet") if (runs / f"{path.stem}-rest.parquet").is_file()]
    assert both
    totals = set()
    for path in both:
        table = pq.read_table(path).to_pydict()
        rest = pq.read_table(runs / f"{path.stem}-rest.parquet").to_pydict()
        assert not set(table["row"]) & set(rest["row"])
        trained = table["n_train"][0]
        pretrained = trained > 100
        totals.add(len(set(table["row"]) | set(rest["row"])) + (0 if pretrained else trained))
    # A matched split judges on fewer: on none that the pre-training has seen.
    assert len(totals) <= 2


def test_report_says_who_wins_and_what_is_not_significant(finished):
    text = (finished / "report.html").read_text()
    assert "Which strategy, where" in text
    assert "has the highest R2" in text
    assert "One seed only" in text
    assert "has learnt from DESI spectra alone" in text
    assert "all of them cooler" in text
    assert (
        text.index("Which strategy, where") < text.index("The paper&#39;s tables") < text.index("Metal-poor, or cool?")
    )


def test_a_finished_study_trains_nothing(finished, monkeypatch):
    """No run is handed to the processes that train, and scores are the same. That all is drawn again, and no model opened for it,
    is tested below, from tables alone."""
    before, handed, drawn = (finished / "results.csv").read_bytes(), [], []
    monkeypatch.setattr("transtar.studies.run.train_jobs", lambda jobs, runs, workers: handed.extend(jobs) or {})
    monkeypatch.setattr("transtar.studies.rows.load_estimator", lambda *arguments: pytest.fail("a model was opened"))
    monkeypatch.setattr("transtar.studies.run.draw", lambda studies, out, say: drawn.append(out) or out / "report.html")
    assert main(["study", "paper", *CHOSEN, "--workers", "1", "--out", str(finished)]) == 0
    assert (handed, drawn) == ([], [finished])
    assert (finished / "results.csv").read_bytes() == before


@pytest.mark.slow
def test_redrawing_trains_nothing_and_gives_the_same(finished, monkeypatch):
    """From stored results alone: no run is handed to the processes that train, and no model is opened."""
    before = (finished / "results.csv").read_bytes(), (finished / "tables" / "table-1.csv").read_bytes()
    shutil.rmtree(finished / "figures")
    handed = []
    monkeypatch.setattr("transtar.studies.run.train_jobs", lambda jobs, runs, workers: handed.extend(jobs) or {})
    for name in ("transtar.studies.rows.load_estimator", "transtar.studies.explaining.load_estimator"):
        monkeypatch.setattr(name, lambda *arguments: pytest.fail("a model was opened"))
    assert main(["study", "paper", *CHOSEN, "--workers", "1", "--out", str(finished)]) == 0
    assert handed == []
    assert ((finished / "results.csv").read_bytes(), (finished / "tables" / "table-1.csv").read_bytes()) == before
    assert (finished / "figures" / "figure-5.png").is_file()


def test_a_run_that_is_lost_is_handed_in_again(finished, monkeypatch):
    """So that the test before this one could have failed."""
    lost = next(path for path in (finished / "runs").glob("*.parquet") if "-" not in path.stem)
    kept = lost.read_bytes()
    lost.unlink()
    handed = []
    monkeypatch.setattr("transtar.studies.run.train_jobs", lambda jobs, runs, workers: handed.extend(jobs) or {})
    monkeypatch.setattr("transtar.studies.run.collect", lambda studies, jobs, out, say: None)
    monkeypatch.setattr("transtar.studies.run.draw", lambda studies, out, say: out / "report.html")
    assert main(["study", "paper", *CHOSEN, "--workers", "1", "--out", str(finished)]) == 0
    lost.write_bytes(kept)
    assert [job.key for job in handed] == [lost.stem]


def test_answers_to_labels_are_those_of_the_networks(finished):
    """Of the network of all labels and of that of one, as they are asked by themselves."""
    with (finished / "tables" / "response-matrix.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == {"teff", "logg", "feh", "alphafe"}
    assert len({row["network"] for row in rows}) == 4
    models = {"together, full": "together-full-seed0-*", "alone, zero-shot": "logg-seed0-*"}
    (target,) = (one for one in map(read_set, (finished / "sets").glob("desi-*")) if one.labels)
    judged = target.select(usable(target) & (target.columns["split"] == "test"))
    labels = {name: judged.columns[name].astype(float) for name in judged.labels}
    moved = move_labels(labels, load_emulator(), INSTRUMENTS["desi"], target.preprocessing, judged.columns["velocity"])
    for name, pattern in models.items():
        (path,) = (finished / "models").glob(pattern)
        answer = respond(load_estimator(path), "logg", moved).mean(axis=0)
        stored = {row["moved"]: float(row["mean"]) for row in rows
                  if (row["network"], row["regime"], row["label"]) == (name, "all", "logg")}  # fmt: skip
        assert [stored[label] for label in STEPS] == pytest.approx(answer, rel=1e-3, abs=1e-4)


def test_landscapes_are_stored(finished):
    found = list((finished / "explained").glob("*/landscape.npz"))
    assert len(found) == 1
    stored = np.load(found[0])
    assert any(name.endswith("loss") for name in stored.files)


def test_every_figure_says_of_which_seed_it_is(finished):
    """But those of stars, which no network has seen."""
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", (finished / "report.html").read_text())
    assert len(captions) > len(FIGURES)
    assert [text[:40] for text in captions if "seed 0" not in text] == ["Effective temperatures of the training a"]


def test_results_and_record_are_enough_to_draw_all_that_is_a_function_of_scores(finished, tmp_path, capsys):
    """Every table but those that compare star by star, byte for byte; what is left out is said."""
    for name in ("results.csv", "study.json"):
        shutil.copy(finished / name, tmp_path)
    shutil.copytree(finished / "settings", tmp_path / "settings")
    assert main(["study", "paper", *CHOSEN, "--out", str(tmp_path), "--redraw"]) == 0
    said = capsys.readouterr().err
    whole = {path.name: path.read_bytes() for path in (finished / "tables").glob("[!.]*")}
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "tables").glob("[!.]*")}
    by_star = ("teff-matched.", "inputs-feh.", "inputs-alphafe.", "response-matrix.")
    assert drawn == {name: content for name, content in whole.items() if not name.startswith(by_star)}
    figures = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert figures == {"figure-4", "figure-a3", "inputs-feh", "inputs-alphafe"}
    for name in figures:
        png = f"figures/{name}.png"
        assert (tmp_path / png).read_bytes() == (finished / png).read_bytes()
    report = (tmp_path / "report.html").read_text()
    left_out = {path.stem for path in (finished / "figures").glob("*.png")} - figures
    assert len(left_out) > 10
    for name in left_out:
        assert name in said
        assert name in report


@pytest.mark.slow
def test_with_the_tables_of_stars_everything_is_drawn_again(finished, tmp_path, capsys):
    """Without runs, sets, models or a universe; landscapes and gradients are files of their own."""
    for name in ("results.csv", "study.json", "predictions.parquet", "mmd.csv", "mmd-clean.csv"):
        shutil.copy(finished / name, tmp_path)
    for name in ("settings", "stars", "explained"):
        shutil.copytree(finished / name, tmp_path / name)
    from transtar import redraw

    report = redraw(tmp_path)
    for kind in ("tables", "figures"):
        whole = {path.name: path.read_bytes() for path in (finished / kind).glob("[!.]*")}
        assert {path.name: path.read_bytes() for path in (tmp_path / kind).glob("[!.]*")} == whole
    assert (tmp_path / "summary.txt").read_text() == (finished / "summary.txt").read_text()
    assert "Left out" not in report.read_text()

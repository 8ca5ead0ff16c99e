"""The verb `explain`: saliency and physical test of made-up surveys."""

import argparse
import csv
import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from transtar.catalog.trained import trained_on
from transtar.cli import build_parser
from transtar.cli.explain import KINDS
from transtar.datasets import read_set
from transtar.explain.saliency import gradients
from transtar.explain.stored_results import read_saliency, read_test
from transtar.models import load_estimator


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def target(world):
    """The target with a surface gravity for each star, and a split."""
    from transtar.cli import main

    rows = table(world.miles / "labels.csv")
    labels = world.folder / "with-logg.csv"
    lines = [",".join([*rows[0], "logg"]), *(",".join([*row.values(), "4.2"]) for row in rows)]
    labels.write_text("\n".join(lines) + "\n")
    command = ["prepare", "--survey", "miles", "--spectra", world.miles / "spectra", "--labels", labels]
    assert (
        main(
            [str(part) for part in [*command, "--split", world.miles / "split.csv", "--out", world.folder / "logg.set"]]
        )
        == 0
    )
    return world.folder / "logg.set"


@pytest.fixture(scope="module")
def adapted(world):
    from transtar.cli import main

    folder = world.folder / "adapted"
    command = [
        "finetune",
        "--model",
        world.model,
        "--data",
        world.target,
        "--strategy",
        "lora",
        "--epochs",
        2,
        "--n",
        12,
    ]
    assert main([str(part) for part in [*command, "--out", folder]]) == 0
    return folder


@pytest.fixture(scope="module")
def explained(world, target, adapted):
    from transtar.cli import main

    out = world.folder / "explained"
    command = [
        "explain",
        "saliency",
        "--model",
        world.model,
        adapted,
        "--data",
        target,
        "--split",
        "all",
        "--out",
        out,
    ]
    assert main([str(part) for part in command]) == 0
    return out


def test_tables_and_figures(explained, target, adapted):
    assert sorted(path.name for path in (explained / "figures").glob("[!.]*")) == [
        "response.pdf", "response.png", "saliency.pdf", "saliency.png",
    ]  # fmt: skip
    found, prepared = read_saliency(explained), read_set(target)
    model = load_estimator(adapted)
    unseen = ~trained_on({"survey": np.full(len(prepared), "miles"), **prepared.columns}, [model.trained_on])
    assert unseen.sum() == found.n_stars == 24
    own = gradients(model, prepared.flux[unseen], "feh")
    np.testing.assert_allclose(found.models["adapted"].absolute.median, np.median(np.abs(own), axis=0), rtol=1e-5)
    assert list(found.models) == ["model", "adapted"]
    columns = pq.read_table(explained / "saliency.parquet").column_names
    assert {"wavelength", "adapted_signed_median", "model_absolute_upper", "adapted_mean"} <= set(columns)
    assert {row["model"] for row in table(explained / "lines.csv")} == {"model", "adapted"}
    rows = table(explained / "response.csv")
    assert {row["moved"] for row in rows} == {"feh", "teff", "logg", "alphafe"}
    test = read_test(explained)
    assert test.n_stars + sum(test.left_out.values()) == 24
    assert set(test.weights) >= {"all"}


def test_what_is_told(world, target, adapted, transtar, tmp_path):
    done = transtar(
        "explain", "saliency", "--model", world.model, adapted, "--data", target, "--split", "all", "--stars", 9,
        "--lines", "lamost-dr10", "--instrument", "desi", "--out", tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert re.search("24 stars; left out: 0 .*split, 0 flagged bad, 12 seen", done.err)
    assert re.search("of 9 stars .*desi.* lamost-dr10", done.err)
    assert "near lines of" in done.out
    assert "response of feh" in done.out
    assert "minimum-variance weights, all" in done.out


def test_a_set_without_labels_has_saliency_but_no_physical_test(world, transtar, tmp_path):
    done = transtar("prepare", "--survey", "miles", "--spectra", world.miles / "spectra", "--out", tmp_path / "set")
    assert done.code == 0, done.err
    command = ("explain", "saliency", "--model", world.model, "--data", tmp_path / "set", "--out", tmp_path / "out")
    done = transtar(*command, "--split", "pool")
    assert done.code == 0, done.err
    assert "no teff, logg, feh" in done.err
    assert sorted(path.name for path in (tmp_path / "out").glob("[!.]*")) == [
        "figures",
        "lines.csv",
        "saliency.parquet",
    ]
    done = transtar(*command, "--split", "pool", "--regime", "poor")
    assert done.code == 1
    assert "no star of the regime 'poor'" in done.err


def test_bad_input(world, adapted, fails, tmp_path):
    def explain(*more, code=1):
        return fails("explain", "saliency", "--data", world.target, "--out", tmp_path / "out", *more, code=code)

    assert "the model predicts feh, not logg" in explain("--model", world.model, "--label", "logg")
    assert "no such model folder" in explain("--model", tmp_path / "none")
    assert "no instrument 'hubble'; known instruments: lamost, desi, miles" in explain(
        "--model", world.model, "--instrument", "hubble", code=2
    )
    assert "--stars: must be a whole number from 1" in explain("--model", world.model, "--stars", 0, code=2)
    assert not (tmp_path / "out").exists()


def test_a_set_without_the_split(world, fails, tmp_path):
    line = fails("explain", "saliency", "--model", "mock-feh", "--data", world.source, "--out", tmp_path)
    assert "no star of split 'test' is left" in line


def test_otherwise_prepared_spectra_are_refused(world, transtar, fails, tmp_path):
    (tmp_path / "p.yaml").write_text(json.dumps({"frame": "observed"}))
    done = transtar(
        "prepare", "--survey", "miles", "--spectra", world.miles / "spectra", "--preprocessing", tmp_path / "p.yaml",
        "--out", tmp_path / "set",
    )  # fmt: skip
    assert done.code == 0, done.err
    line = fails("explain", "saliency", "--model", world.model, "--data", tmp_path / "set", "--out", tmp_path / "out")
    assert "frame is rest against observed" in line


@pytest.mark.parametrize("kind", KINDS)
def test_help_of_every_kind_explains_each_argument_and_its_default(kind):
    (verbs,) = [a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    (kinds,) = [a for a in verbs.choices["explain"]._actions if isinstance(a, argparse._SubParsersAction)]
    parser = kinds.choices[kind]
    text = " ".join(parser.format_help().split())
    for action in parser._actions:
        assert action.help, f"{kind}: {action.dest} is not explained"
        assert "(default: None)" not in text
        if action.option_strings and action.default not in (None, False, [], argparse.SUPPRESS):
            assert f"(default: {action.default})" in text, f"{kind}: default of {action.dest} is not shown"

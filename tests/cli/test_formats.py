"""Catalogs that ``transtar predict`` writes: formats, styles, provenance and the page beside them."""

import hashlib
import json
import re
import warnings

import numpy as np
import pytest
from astropy.table import QTable, Table

from transtar.catalog import read_columns, read_metadata
from transtar.catalog.styles import STYLES
from transtar.cli import build_parser, main
from transtar.models import load_estimator


def predict(world, out, *more):
    arguments = [
        "predict",
        "--model",
        world.model,
        "--survey",
        "miles",
        "--spectra",
        world.miles / "spectra",
        "--out",
        out,
        *more,
    ]
    arguments = [str(one) for one in arguments]
    assert main(arguments) == 0
    return arguments


@pytest.mark.parametrize("suffix", ["parquet", "fits", "ecsv", "vot"])
def test_every_format_has_the_same_labels_and_says_how_it_was_made(world, tmp_path, suffix):
    first = tmp_path / "c.csv"
    predict(world, first)
    arguments = predict(world, tmp_path / f"c.{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Table.read(tmp_path / f"c.{suffix}")
        QTable.read(tmp_path / f"c.{suffix}")
    one, two = read_columns(first), read_columns(tmp_path / f"c.{suffix}")
    assert list(one) == list(two)
    np.testing.assert_array_equal(one["feh"], two["feh"])
    metadata = read_metadata(tmp_path / f"c.{suffix}")
    assert metadata["command"] == "transtar " + " ".join(arguments)
    files = sorted(str(path) for path in (world.miles / "spectra").iterdir())
    assert metadata["inputs"]["n_files"] == len(files) == 36
    assert metadata["inputs"]["sha256_of_names"] == hashlib.sha256("\n".join(files).encode()).hexdigest()
    # More than a header should list.
    assert "files" not in metadata["inputs"]
    assert metadata["preprocessing_hash"] == load_estimator(world.model).preprocessing.hash
    assert len(metadata["model_hashes"]) == 1
    assert {"transtar", "written", "quality", "models"} <= set(metadata)


def test_the_page_beside_a_catalog(world, tmp_path):
    predict(world, tmp_path / "stars.vot", "--style", "vizier", "--readme")
    text = (tmp_path / "stars.README.md").read_text()
    assert text.startswith("# stars.vot\n\nStellar labels of 36 spectra")
    assert "| `[Fe/H]` | float32 | dex | phys.abund.Fe | iron abundance relative to the Sun, [Fe/H] |" in text
    assert "| 1 | LOW_SNR | warning |" in text
    assert "- command: `transtar predict " in text
    assert "[Fe/H]" in Table.read(tmp_path / "stars.vot", format="votable", use_names_over_ids=True).colnames
    # It is not written over what others made.
    (tmp_path / "mine.README.md").write_text("mine")
    out = str(tmp_path / "mine.csv")
    wrong = ["predict", "--model", str(world.model), "--data", str(world.target), "--out", out, "--readme"]
    assert main(wrong) == 1
    assert not (tmp_path / "mine.csv").exists()


def test_desis_names_are_for_desi(world, tmp_path, capsys):
    wrong = ["predict", "--model", world.model, "--data", world.target, "--out", tmp_path / "c.fits", "--style", "desi"]
    assert main([str(one) for one in wrong]) == 1
    assert re.search("style desi .*; found: miles", capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_a_table_for_a_paper(world, tmp_path):
    predict(world, tmp_path / "stars.tex")
    text = (tmp_path / "stars.tex").read_text()
    assert text.count("\\\\\n") >= 36
    assert "% model_hashes: " in text


def test_the_styles_that_are_offered_are_those_there_are():
    given = build_parser().parse_args(["predict", "--model", "m", "--data", "d", "--out", "o"])
    assert given.style == STYLES[0]
    for style in STYLES:
        build_parser().parse_args(["predict", "--model", "m", "--data", "d", "--out", "o", "--style", style])


def test_hashes_follow_weights_and_not_places(world, tmp_path):
    from transtar.catalog.provenance import model_hash
    from transtar.models import save_estimator

    model = load_estimator(world.model)
    save_estimator(model, tmp_path / "copy")
    again = load_estimator(tmp_path / "copy")
    assert model_hash(model) == model_hash(again)
    weight = next(iter(again.network.parameters()))
    weight.data[0] += 1e-3
    assert model_hash(model) != model_hash(again)
    assert json.dumps(model_hash(model))

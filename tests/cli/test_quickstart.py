"""The study that `make demo` runs, at its smallest scale: from nothing to a report."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from transtar.cli import main

from ..studies.finished import runs_told
from ..test_golden import DATA, same_scores

FOLDERS = {"universe", "selections", "sets", "models", "runs", "stars", "tables", "figures", "settings"}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("quickstart")


@pytest.fixture(scope="module")
def said(out, tmp_path_factory):
    """What the study printed on standard output; the data folder is empty."""
    import contextlib
    import io

    text = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(text):
        patch.setenv("TRANSTAR_DATA", str(tmp_path_factory.mktemp("empty")))
        assert main(["study", "quickstart", "--scale", "tiny", "--workers", "1", "--out", str(out)]) == 0
    return text.getvalue().splitlines()


def rows_of(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def columns_of(path):
    table = pq.read_table(path)
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def test_it_ends_with_five_lines(said, out):
    assert len(said) == 5
    assert said[0].startswith("done: [Fe/H] and [alpha/Fe] learnt from 1")
    assert [line.split(":")[0] for line in said[1:3]] == ["[Fe/H]", "[alpha/Fe]"]
    assert said[3].startswith("[alpha/Fe]-[Fe/H] plane of 7")
    assert said[4] == f"open {out / 'report.html'}"
    assert {path.name for path in out.iterdir() if path.is_dir()} == FOLDERS
    assert not list(out.rglob(".transtar-*"))


def test_the_scores_are_what_they_were(said, out):
    # Other processors round otherwise, and training makes more of it than one digit.
    same_scores(out / "results.csv", DATA / "quickstart-tiny-results.csv", tolerance=5e-3, relative=2e-3)


def test_all_strategies_stand_in_the_results(said, out):
    rows = [row for row in rows_of(out / "results.csv") if row["variant"] == "default" and row["regime"] == "all"]
    expected = {"zero-shot", "residual", "lora", "full", "scratch", "recalibrate", "ridge", "pipeline", "shipped"}
    for label in ("feh", "alphafe"):
        assert {row["strategy"] for row in rows if row["label"] == label} == expected
    counts = {row["n_train"] for row in rows if row["n_finetune"] == "24"}
    assert counts == {"24"}


def test_the_pipelines_labels_are_those_of_its_catalog(said, out):
    """Bias of the simulated pipeline, from the native catalogs and the rows of the predictions alone."""
    (row,) = (
        row
        for row in rows_of(out / "results.csv")
        if (row["strategy"], row["label"], row["regime"]) == ("pipeline", "feh", "all")
    )
    predictions = columns_of(out / "predictions.parquet")
    ids = predictions["id"][(predictions["strategy"] == "zero-shot") & (predictions["label"] == "feh")]
    with fits.open(out / "universe/desi/mwsall-pix-iron.fits", logical_as_bytes=True) as file:
        primary = file["RVTAB"].data["PRIMARY"] == b"T"
        own = {
            int(target): (float(value), int(gaia))
            for target, value, gaia, first in zip(
                file["SPTAB"].data["TARGETID"], file["SPTAB"].data["FEH"], file["GAIA"].data["SOURCE_ID"], primary,
                strict=True,
            )
            if first
        }  # fmt: skip
    with fits.open(out / "universe/apogee/allStar-dr17-synspec_rev1.fits") as file:
        data = file["ALLSTAR"].data
        single = data["EXTRATARG"] == 0
        reference = dict(zip(data["GAIAEDR3_SOURCE_ID"][single].tolist(), data["FE_H"][single].tolist(), strict=True))
    known = [own[target] for target in ids.tolist() if target in own]
    assert len(known) > 0.9 * len(ids)
    residuals = [value - reference[gaia] for value, gaia in known]
    assert float(row["bias"]) == pytest.approx(np.mean(residuals), abs=0.02)
    assert row["source"] == "none"


def test_shipped_models_say_what_predict_says(said, out, tmp_path):
    """The row of each shipped model is the catalog that `predict` writes of the same spectra."""
    (prepared,) = (
        path for path in out.glob("sets/desi-*") if "test" in set(columns_of(path / "stars.parquet")["split"])
    )
    assert (
        main(
            [
                "predict",
                "--model",
                "mock-feh",
                "mock-alphafe",
                "--data",
                str(prepared),
                # A study judges all stars, whatever the gate says.
                "--quality",
                "gate=1",
                "--out",
                str(tmp_path / "c.parquet"),
            ]
        )
        == 0
    )
    catalog, predictions = columns_of(tmp_path / "c.parquet"), columns_of(out / "predictions.parquet")
    for label in ("feh", "alphafe"):
        of_label = (predictions["strategy"] == "shipped") & (predictions["label"] == label)
        rows = predictions["row"][of_label]
        assert len(rows) > 70
        np.testing.assert_array_equal(catalog["id"][rows], predictions["id"][of_label])
        np.testing.assert_allclose(predictions["predicted"][of_label], catalog[label][rows], rtol=0, atol=1e-4)
    shown = [row for row in rows_of(out / "results.csv") if row["strategy"] == "shipped" and row["regime"] == "all"]
    assert {(row["source"], row["n_train"], row["n_finetune"], row["variant"]) for row in shown} == {
        ("mock", "297388", "0", "default")
    }
    # Of the same universe as the models are, and better here than networks of 150 spectra.
    assert min(float(row["r2"]) for row in shown) > 0.7
    assert "shipped is mock-feh as it is" in (out / "report.html").read_text()


def test_no_star_is_judged_that_was_learnt_from(said, out):
    tables = {path.stem: columns_of(path) for path in out.glob("selections/*/*.parquet")}
    test = tables["desi-finetuning"]["source_id"][tables["desi-finetuning"]["split"] == "test"]
    assert len(test) > 50
    assert not set(test.tolist()) & set(tables["pretraining-feh"]["source_id"].tolist())
    assert not set(test.tolist()) & set(tables["desi-edr"]["source_id"].tolist()) - {-1}


def test_the_plane_is_measured_against_reference_and_truth(said, out):
    rows = rows_of(out / "mmd.csv")
    kinds = {(row["strategy"], row["n_finetune"], row["seed"], row["against"]) for row in rows}
    assert {(*kind, gamma) for kind in kinds for gamma in ("2.0", "20.0", "200.0")} == {
        (row["strategy"], row["n_finetune"], row["seed"], row["against"], row["gamma"]) for row in rows
    }
    assert len(rows) == 3 * len(kinds)
    assert "gamma = 200 (0.05 dex)" in (out / "report.html").read_text()
    rows = [row for row in rows if row["gamma"] == "2.0"]
    table = columns_of(next(out.glob("selections/desi-fine*/*.parquet")))
    found = {(row["strategy"], row["against"]): float(row["mmd2"]) for row in rows}
    assert {against for _, against in found} == {"reference", "truth"}
    # The value of perfect labels once more, pair by pair, from the truth of the stars with a Gaia identifier.
    edr = columns_of(next(out.glob("selections/desi-edr*/*.parquet")))
    truth = columns_of(out / "universe/truth.parquet")
    place = {star: row for row, star in enumerate(truth["source_id"].tolist())}
    stars = [place[star] for star in edr["source_id"].tolist() if star in place]
    x = np.stack([truth["feh"][stars], truth["alphafe"][stars]], axis=1)
    y = np.stack([table["feh"], table["alphafe"]], axis=1)

    def kernel(a, b):
        return np.exp(-2 * ((a[:, None] - b[None]) ** 2).sum(axis=2))

    def within(a):
        return (kernel(a, a).sum() - len(a)) / (len(a) * (len(a) - 1))

    # A star or two of the table have no usable spectrum.
    assert found["true labels", "reference"] == pytest.approx(within(x) + within(y) - 2 * kernel(x, y).mean(), abs=0.01)


def test_a_mock_survey_has_a_simulated_pipeline(said, out):
    report = (out / "report.html").read_text()
    assert "simulated pipeline" in report
    assert "nothing follows from beating it" in report
    for name in ("abundance-plane", "one-to-one-feh", "one-to-one-alphafe"):
        assert (out / f"figures/{name}.png").stat().st_size > 10_000


def test_nothing_is_made_twice(said, out, capsys):
    before = (out / "results.csv").read_bytes()
    made = [path.stat().st_mtime_ns for path in sorted(out.glob("universe/**/*.fits*"))]
    assert main(["study", "quickstart", "--scale", "tiny", "--workers", "1", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert runs_told(printed.err) == (14, 14)
    assert "complete already" in printed.err
    assert printed.out.splitlines() == said
    assert (out / "results.csv").read_bytes() == before
    assert [path.stat().st_mtime_ns for path in sorted(out.glob("universe/**/*.fits*"))] == made


def test_another_universe_in_the_same_folder_is_refused(said, out, capsys):
    command = ["study", "quickstart", "--scale", "tiny", "--out", str(out), "--set", "simulate.seed=1"]
    assert main(command) == 1
    assert "other settings" in capsys.readouterr().err.splitlines()[-1]

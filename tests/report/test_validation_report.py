"""Files of a validation: tables that hold what was measured, figures with labelled axes, and a page of its own."""

import csv
import json

import numpy as np
import pytest

from transtar.evaluate.validation.validate_files import validate_files
from transtar.report.validation_report import TABLES, outputs, to_latex, write_validation


@pytest.fixture(scope="module")
def validation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validation")
    rng = np.random.default_rng(0)
    star = np.repeat(np.arange(60), 2)
    feh = np.repeat(rng.uniform(-0.5, 0.2, 12), 5)[star]
    snr = rng.uniform(15, 90, 120)
    columns = {
        "id": star, "survey": ["desi"] * 120, "snr": snr, "feh": feh + rng.normal(0, 2 / snr), "feh_err": 2 / snr,
        "teff": rng.uniform(4900, 6000, 60)[star], "logg": rng.uniform(4.0, 4.5, 60)[star],
    }  # fmt: skip
    write(folder / "catalog.csv", columns)
    every = np.arange(60)
    write(folder / "members.csv", {"id": every, "cluster": [f"NGC_{n // 5}" for n in every], "feh": feh[::2]})
    write(folder / "pairs.csv", {"id_1": every[:-1], "id_2": every[1:]})
    for name, noise in {"one": 0.05, "two": 0.1}.items():
        write(folder / f"{name}.csv", {"id": every, "feh": feh[::2] + rng.normal(0, noise, 60)})
    return validate_files(
        folder / "catalog.csv",
        clusters=folder / "members.csv",
        pairs=folder / "pairs.csv",
        second=[folder / "one.csv", folder / "two.csv"],
        bound="",
        labels=["feh"],
    )


@pytest.fixture(scope="module")
def written(validation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "new"
    return folder, write_validation(validation, folder)


def write(path, columns):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_files_hold_what_was_measured(validation, written):
    folder, paths = written
    assert all(path in outputs(folder) and path.is_file() for path in paths)
    assert sorted(outputs(folder)) == sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name[0] != "."
    )
    every = rows_of(folder / "validation.csv")
    parts = [row for name in TABLES for row in rows_of(folder / "tables" / f"{name}.csv")]
    key = ("check", "label", "subset", "what")
    assert sorted([row[k] for k in key] for row in parts) == sorted([row[k] for k in key] for row in every)
    assert {row["check"] for row in every} == {
        "repeats", "clusters", "pairs", "strangers", "three corners", "bound", "over the bound",
    }  # fmt: skip
    repeats = next(row for row in every if (row["check"], row["label"], row["subset"]) == ("repeats", "feh", "all"))
    scatter = validation.labels["feh"].repeats["all"]
    assert float(repeats["mad"]) == pytest.approx(scatter.spread.mad, rel=1e-5)
    assert float(repeats["stated"]) == pytest.approx(scatter.pulls.stated, rel=1e-5)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["feh"]["repeats"]["all"]["mad"] == pytest.approx(scatter.spread.mad)
    assert metrics["feh"]["clusters"]["NGC_3"]["n"] == 5
    assert metrics["feh"]["left_out"] == {}
    page = (folder / "report.html").read_text()
    for text in ("Cramer-Rao bound", "Wide pairs", "Three-cornered hat", "data:image/png;base64", "NGC_3"):
        assert text in page


def test_bounds_of_single_spectra_are_listed(validation, written):
    folder, _ = written
    rows = rows_of(folder / "tables" / "bounds.csv")
    bound = validation.labels["feh"].bound
    assert [int(row["row"]) for row in rows] == bound.rows.tolist()
    np.testing.assert_allclose([float(row["feh_bound"]) for row in rows], bound.bounds, rtol=1e-5)
    np.testing.assert_allclose([float(row["snr"]) for row in rows], validation.columns["snr"][bound.rows], rtol=1e-5)
    assert rows[0]["id"] == "0"


def test_latex_is_escaped_and_captioned(written):
    folder, _ = written
    text = (folder / "tables" / "clusters.tex").read_text()
    assert r"NGC\_3" in text
    assert r"\label{tab:clusters-feh}" in text
    assert "nan" not in text
    assert to_latex("repeats", []).count("\n") == 0


def test_an_older_figure_of_another_check_is_told(validation, written, caplog, monkeypatch):
    folder, _ = written
    for checks in validation.labels.values():
        monkeypatch.setattr(checks, "pairs", None)
        monkeypatch.setattr(checks, "clusters", None)
        monkeypatch.setattr(checks, "bound", None)
    paths = write_validation(validation, folder)
    assert "figures/pairs: of an earlier validation" in caplog.text
    assert not any(path.name == "pairs.png" for path in paths)
    assert rows_of(folder / "tables" / "pairs.csv") == []

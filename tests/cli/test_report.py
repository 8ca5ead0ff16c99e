"""The verb report: what it prints, what it leaves out with a line, and what it refuses."""

from pathlib import Path

import pytest

from transtar.cli import main

from ..report.interactive.made_survey import made_survey

OLD = Path(__file__).parents[1] / "data" / "format-1"


@pytest.mark.parametrize("name", ["catalog.csv", "catalog.fits", "catalog.parquet"])
def test_a_catalog_of_the_first_version(name, tmp_path, capsys):
    pytest.importorskip("bokeh")
    out = tmp_path / "page.html"
    assert main(["report", "--catalog", str(OLD / name), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{out}: 24 of 24 rows, 0 spectra\n"
    assert "left out: spectra; " in printed.err
    assert "the catalog has no Teff and no log g" in out.read_text(encoding="utf-8")


def test_with_everything(tmp_path, capsys):
    pytest.importorskip("bokeh")
    catalog, data, labels = made_survey(tmp_path, 60, 20)
    out = tmp_path / "page.html"
    options = [
        "--data",
        data,
        "--labels",
        labels,
        "--model",
        "mock-feh",
        "--stars",
        "J000004",
        "--spectra",
        5,
        "--rows",
        40,
    ]
    assert main(["report", "--catalog", *map(str, [catalog, *options, "--out", out])]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{out}: 40 of 60 rows, 5 spectra\n"
    assert "40 of 60 rows are shown" in printed.err


@pytest.mark.parametrize(
    ("options", "status", "text"),
    [
        (["--model", "mock-feh"], 2, "give --data"),
        (["--spectra", "0"], 2, "--spectra"),
        (["--stars", "J9"], 1, "J9"),
        (["--labels", "catalog.parquet"], 0, ""),
    ],
)
def test_wrong_use(options, status, text, tmp_path, capsys, monkeypatch):
    pytest.importorskip("bokeh")
    made_survey(tmp_path, 10)
    monkeypatch.chdir(tmp_path)
    try:
        ended = main(["report", "--catalog", "catalog.parquet", *options, "--out", "page.html"])
    except SystemExit as stopped:
        ended = stopped.code
    assert ended == status
    error = capsys.readouterr().err
    assert text in error
    assert (tmp_path / "page.html").exists() == (status == 0)

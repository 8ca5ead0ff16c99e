"""What models, catalogs, sets, studies and runs in shards say that they used."""

from dataclasses import asdict

import pytest
import yaml

import transtar as ts
from transtar.citing import Use, cite, uses_of
from transtar.citing.used import in_metadata
from transtar.cli import main
from transtar.errors import InputError
from transtar.studies import load_study

from ..made_surveys import made_lamost

SYNTHETIC = [Use("survey", "mock"), Use("lines", "lamost-dr10")]


def test_plain_data_is_searched_all_the_way_down():
    content = {
        "provenance": [[{"survey": "mock", "mock": {"lines": "lamost-dr10"}}], [{"survey": "lamost+miles"}]],
        "calibration": {"name": "folder/koposov2025-sp.yaml"},
        "lines": None, "other": {"surveys": ["desi"]},
    }  # fmt: skip
    assert list(in_metadata(content)) == [
        *SYNTHETIC, Use("survey", "lamost"), Use("survey", "miles"), Use("calibration", "koposov2025-sp"), Use("survey", "desi"),
    ]  # fmt: skip


def test_a_shipped_model():
    assert uses_of("mock-feh") == SYNTHETIC
    assert "Luo2015" in cite("mock-feh")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cited")
    made_lamost(folder, n=6)
    (folder / "labels.csv").write_text("file,feh,label_source\n" + "".join(
        f"{path.name},{-0.1 * n:.1f},{source}\n"
        for (n, path), source in zip(enumerate(sorted((folder / "spectra").iterdir())), ["apogee", "mine"] * 3, strict=False)
    ))  # fmt: skip
    ts.prepare("lamost", folder / "spectra", folder / "set", labels=folder / "labels.csv")
    return folder


def test_a_prepared_set_names_its_survey_and_the_sources_of_its_labels(prepared):
    assert uses_of(prepared / "set") == [Use("survey", "lamost"), Use("labels", "apogee"), Use("labels", "mine")]


def test_labels_without_a_source_are_told(prepared, tmp_path, capsys):
    table = tmp_path / "own" / "labels.csv"
    table.parent.mkdir()
    first = sorted((prepared / "spectra").iterdir())[0].name
    table.write_text(f"file,feh\n{first},-0.1\n")
    ts.prepare("lamost", prepared / "spectra", tmp_path / "set", labels=table)
    assert main(["cite", str(tmp_path / "set")]) == 0
    out, err = capsys.readouterr()
    assert "Cui2012" in out
    for stream in (out, err):
        assert "no citation known for labels of own/labels.csv; add its source by hand" in stream


@pytest.mark.parametrize("suffix", ["parquet", "fits", "ecsv", "vot"])
def test_a_catalog_of_any_format_that_keeps_provenance(prepared, tmp_path, suffix):
    path = tmp_path / f"catalog.{suffix}"
    ts.predict_set("mock-feh", prepared / "set", path)
    assert uses_of(path) == [Use("survey", "lamost"), *SYNTHETIC, Use("gate", "shipped")]


def test_a_catalog_that_is_calibrated(prepared, tmp_path):
    path = tmp_path / "catalog.parquet"
    models = ["mock-feh", "mock-teff", "mock-logg"]
    ts.predict_set(models, prepared / "set", path, calibration="koposov2025-rvs")
    assert Use("calibration", "koposov2025-rvs") in uses_of(path)
    assert "2505.14787" in cite(path)


def test_a_run_in_shards(prepared, tmp_path, capsys):
    run = tmp_path / "run"
    given = ["--model", "mock-feh", "--survey", "lamost", "--spectra", str(prepared / "spectra"), "--out", str(run)]
    assert main(["predict", *given]) == 0
    capsys.readouterr()
    assert set(uses_of(run)) == {Use("survey", "lamost"), *SYNTHETIC, Use("gate", "shipped")}


def test_a_study(tmp_path):
    """Of its settings: surveys, catalogs of its selections, encoders, and models that it starts from."""
    for name, wanted in {
        "paper": [
            Use("survey", "gaia-xp"),
            Use("catalog", "apogee-dr17"),
            Use("catalog", "desi-edr"),
            Use("encoder", "aligned"),
        ],
        "lamost-to-miles": [Use("survey", "lamost"), Use("survey", "miles"), Use("lines", "lamost-dr10")],
    }.items():
        settings = tmp_path / name / "settings"
        settings.mkdir(parents=True)
        study = load_study(name)["default"]
        (settings / "default.yaml").write_text(yaml.safe_dump(asdict(study)))
        assert set(wanted) <= set(uses_of(tmp_path / name)), name


def test_what_is_none_of_these(tmp_path, prepared, capsys):
    (tmp_path / "a.csv").write_text("feh\n1\n")
    for path, message in {
        tmp_path: "neither a model, a prepared set, a study nor a run in shards", tmp_path / "a.csv": "no catalog of transtar",
        tmp_path / "gone": "no such model folder",
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=message):
            cite(path)
        assert main(["cite", str(path)]) == 1
        assert message in capsys.readouterr().err


def test_without_argument_paper_and_software(capsys):
    assert main(["cite"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n@") + out.startswith("@") == 2
    assert out == cite() + "\n"

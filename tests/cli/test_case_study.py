"""The study desi-case-study at its smallest scale: on a mock universe, and on the same files named as real ones."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from transtar.cli import main

from ..in_process import trained_in_process

STUDY = ("study", "desi-case-study", "--scale", "tiny", "--workers", "1")


@pytest.fixture(scope="module")
def out(tmp_path_factory, tiny_universe):
    folder = tmp_path_factory.mktemp("case")
    tiny_universe(folder / "universe")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSTAR_DATA", str(tmp_path_factory.mktemp("empty")))
        with trained_in_process():
            assert main([*STUDY, "--out", str(folder)]) == 0
    return folder


def rows_of(path, **wanted):
    with Path(path).open(newline="") as file:
        return [row for row in csv.DictReader(file) if all(row[name] == value for name, value in wanted.items())]


def selected(out, name):
    """The one table of a selection; of several, that with the most rows first."""
    tables = [pq.read_table(path) for path in out.glob(f"selections/{name}-[0-9a-f]*/{name}.parquet")]
    return sorted(tables, key=lambda table: -table.num_rows)


def test_each_label_learns_from_its_own_sample(out):
    rows = rows_of(out / "results.csv", strategy="zero-shot", variant="default", regime="all", target="desi")
    learnt = {row["label"]: int(row["n_train"]) for row in rows}
    counts = {name: selected(out, f"pretraining-{name}")[-1].num_rows for name in ("feh", "alphafe")}
    # Stars that mock redrock takes for no stars are selected and not learnt from.
    assert 0.9 * counts["feh"] < learnt["feh"] <= counts["feh"]
    assert 0.9 * counts["alphafe"] < learnt["alphafe"] <= counts["alphafe"] < counts["feh"]


def test_test_stars_are_dropped_unless_the_overlap_is_kept(out):
    kept, dropped = selected(out, "pretraining-feh")
    (stars,) = selected(out, "desi-finetuning")
    test = {
        i for i, part in zip(stars["source_id"].to_pylist(), stars["split"].to_pylist(), strict=True) if part == "test"
    }
    assert not test & set(dropped["source_id"].to_pylist())
    assert kept.num_rows - dropped.num_rows == len(test & set(kept["source_id"].to_pylist())) > 0
    rows = rows_of(out / "tables" / "variants-desi-feh.csv", variant="overlap", strategy="zero-shot")
    assert len(rows) == 1
    assert float(rows[0]["its error"]) >= 0


def test_clean_stars_are_judged_by_the_same_runs(out):
    (clean,) = selected(out, "desi-finetuning-clean")
    n_test = clean["split"].to_pylist().count("test")
    whole = rows_of(out / "results.csv", strategy="lora", variant="default", regime="all", label="feh", target="desi")
    part = rows_of(out / "results.csv", strategy="lora", variant="clean", regime="all", label="feh", target="desi")
    assert [row["n_train"] for row in part] == [row["n_train"] for row in whole]
    assert 0.9 * n_test <= int(part[0]["n_test"]) <= n_test < int(whole[0]["n_test"])
    own = rows_of(out / "results.csv", strategy="pipeline", regime="all", label="feh")
    assert {row["variant"] for row in own} == {"default", "clean"}
    # Calibrated for clean stars, and as they come for all.
    assert len({row["bias"] for row in own}) == 2


def test_figures_and_planes_of_both(out):
    figures = {path.stem for path in (out / "figures").iterdir()}
    assert {"one-to-one-feh", "one-to-one-feh-clean", "abundance-plane", "abundance-plane-clean"} <= figures
    whole, clean = (rows_of(out / f"mmd{part}.csv", strategy="true labels") for part in ("", "-clean"))
    assert int(clean[0]["n"]) < int(whole[0]["n"])
    assert "overlap" in (out / "report.html").read_text()


def test_real_folders_by_name(out, tmp_path, monkeypatch):
    """The same files, named one by one, give the same numbers; only what a simulation alone knows is missing."""
    monkeypatch.setenv("TRANSTAR_DATA", str(tmp_path))
    at = out / "universe"
    catalogs = [
        f"{at}/apogee",
        *map(str, sorted(at.glob("desi/mwsall*"))),
        f"{at}/lamost/labels.csv",
        f"{at}/compilations",
    ]
    settings = [
        "simulate=null", "plane.truth=null", "variants={}", f"source.spectra={at}/lamost/spectra",
        f"target.spectra={at}/desi/healpix/main", f"plane.spectra={at}/desi/healpix/sv3", f"catalogs=[{', '.join(catalogs)}]",
    ]  # fmt: skip
    with trained_in_process():
        assert main([*STUDY, "--out", str(tmp_path / "case"), "--set", *settings]) == 0
    mock, real = (rows_of(folder / "results.csv") for folder in (out, tmp_path / "case"))
    assert real
    assert real == [row for row in mock if not row["variant"].startswith("overlap")]
    assert not rows_of(tmp_path / "case" / "mmd.csv", against="truth")
    assert "simulated pipeline" not in (tmp_path / "case" / "report.html").read_text()

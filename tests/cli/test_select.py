"""The verb as users call it, and how its output feeds the next."""

import numpy as np
import pytest
from astropy.table import Table

from transtar.labels import join, look_up, read_labels, read_split, read_velocities

from ..made_catalogs import write_catalogs, write_flags


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    return write_catalogs(tmp_path_factory.mktemp("sky"))


def test_finetuning_and_pretraining(transtar, sky, tmp_path):
    stars, pretraining = tmp_path / "stars.csv", tmp_path / "pretraining.csv"
    done = transtar(
        "select", "desi-finetuning", "--catalogs", sky.folder, "--set", f"metal_rich={sky.scale.train_rich}", "seed=3",
        "--out", stars,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert f" {sky.scale.common:,} " in done.out
    assert "Table C3" in done.out
    assert f"{stars}: {sky.scale.common - sky.scale.common_cool} rows" in done.out
    assert "rows matched" in done.err
    assert (tmp_path / "stars-cuts.tex").is_file()

    done = transtar("select", "pretraining-feh", "--catalogs", sky.folder / "lamost", sky.folder / "apogee",
                    sky.folder / "compilations", stars, "--out", pretraining)  # fmt: skip
    assert done.code == 0, done.err
    assert f"not among the {sky.scale.test} test stars of stars.csv" in done.out

    # What prepare does with both.
    labels, split, velocities = read_labels(stars), read_split(stars), read_velocities(f"{stars}:vrad")
    # Second visits share the TARGETID; only the whole key of TARGETID, SURVEY and PROGRAM tells them apart.
    desi = sky.plan.desi[sky.plan.desi["in_dr1"] & (sky.plan.desi["program"] == "bright")]
    assert set(labels["program"].tolist()) == {"bright"}
    where = {"file": np.full(len(desi), "coadd.fits"), "ids": np.asarray(desi["targetid"])}
    rows, report = join(labels, **where, labels=["feh", "alphafe", "teff", "logg"])
    assert (report.matched, report.unused) == (len(labels["id"]), 0)
    chosen = look_up(split, "split", **where, fill="")
    assert [(chosen == part).sum() for part in ("pool", "test")] == [383, sky.scale.test]
    np.testing.assert_allclose(
        look_up(velocities, "velocity", **where, fill=np.nan)[rows >= 0], desi["vrad"][rows >= 0]
    )
    lamost = sky.plan.lamost
    rows, report = join(
        read_labels(pretraining), file=np.asarray(lamost["file"]), ids=np.asarray(lamost["obsid"]), labels=["feh"]
    )
    assert (report.key, report.unused) == ("file", 0)
    rows, report = join(
        read_labels(pretraining), file=np.full(len(lamost), "x"), ids=np.asarray(lamost["obsid"]), labels=["feh"]
    )
    assert (report.key, report.unused) == ("id", 0)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "fits"])
def test_every_format_keeps_identifiers_and_has_the_same_rows(transtar, sky, tmp_path, suffix):
    flags = write_flags(sky, tmp_path / "predicted.parquet")
    out = tmp_path / f"edr.{suffix}"
    assert transtar("select", "desi-edr", "--catalogs", sky.folder / "desi", flags, "--out", out).code == 0
    table = Table.read(out)
    assert len(table) == sky.scale.edr_final
    known = sky.plan.desi[sky.plan.desi["in_edr"]]
    assert set(table["targetid"].tolist()) <= set(known["targetid"].tolist())
    assert table["source_id"].dtype.kind == "i"
    assert set(table["source_id"].tolist()) - {-1} <= set(known["source_id"].tolist())
    assert (table["source_id"] == -1).sum() > 0


def test_mistakes(fails, sky, tmp_path):
    out = tmp_path / "out.csv"
    some = ["--catalogs", sky.folder, "--out"]
    assert "no selection 'desi'; selections: desi-edr," in fails("select", "desi", *some, out)
    assert "ends in one of .parquet, .fits, .csv" in fails("select", "desi-edr", *some, tmp_path / "out.txt", code=2)
    assert "unknown key n; known keys:" in fails("select", "desi-finetuning", *some, out, "--set", "n=3", code=2)
    assert "no such file or folder" in fails("select", "desi-edr", "--catalogs", tmp_path / "x", "--out", out)
    assert "1600 stars asked and" in fails("select", "desi-finetuning", *some, out)
    assert "add the file that `transtar select` wrote" in fails("select", "pretraining-feh", *some, out)
    needs = fails("select", "desi-finetuning", "--catalogs", sky.folder / "apogee", "--out", out)
    assert "needs a desi-dr1 catalog" in needs
    assert list(tmp_path.iterdir()) == []

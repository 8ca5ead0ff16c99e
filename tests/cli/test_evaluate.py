"""The verb evaluate: what it leaves out, what it prints and what it writes."""

import csv
import json
import re

import numpy as np
import pytest

from transtar.catalog import write_catalog
from transtar.flags import Flag

from ..made_surveys import write_csv


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A catalog of 80 stars, ten of them bad and far off, and labels of two hands in one file."""
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    feh = rng.uniform(-2, 0.4, 80)
    given = feh + rng.normal(0, 0.08, 80)
    other = feh + rng.normal(0, 0.05, 80)
    labels = {"feh": given, "mg_fe": -0.2 * feh, "feh_other": other}
    rows = [{"id": n, **{name: round(values[n], 4) for name, values in labels.items()}} for n in range(80)]
    write_csv(folder / "labels.csv", rows)
    predicted = feh + rng.normal(0, 0.1, 80)
    predicted[:10] = 2.5
    flags = np.where(np.arange(80) < 10, int(Flag.OUT_OF_DOMAIN | Flag.NO_IVAR), int(Flag.NO_IVAR)).astype(np.int32)
    columns = {"id": np.arange(80), "feh": predicted, "mg_fe": -0.2 * feh + rng.normal(0, 0.02, 80), "flags": flags}
    write_catalog(folder / "catalog.parquet", columns)
    return folder


def test_bad_rows_are_left_out_unless_asked_for(tables, transtar, tmp_path):
    given = (
        "evaluate",
        "--catalog",
        tables / "catalog.parquet",
        "--labels",
        tables / "labels.csv",
        "--out",
        tmp_path / "out",
    )
    done = transtar(*given)
    assert done.code == 0, done.err
    assert "10  flagged bad: 10 OUT_OF_DOMAIN (--all scores them, too)" in done.out
    assert re.search("clipped at 3 sigma .*at most 5 passes", done.out)
    assert "\n  mean, all " in done.out
    assert "\n  line in [Fe/H], all " in done.out
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["feh"]["all"]["n"] == 70
    assert metrics["feh"]["all"]["r2"] > 0.9
    assert isinstance(metrics["feh"]["all"]["n_clipped"], int)
    done = transtar(*given, "--all")
    assert "scored nevertheless: 10 with OUT_OF_DOMAIN" in done.out
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["feh"]["all"]["n"] == 80
    assert metrics["feh"]["all"]["r2"] < 0


def test_second_catalog_in_a_column_of_the_first(tables, transtar, fails, tmp_path):
    labels, out = tables / "labels.csv", tmp_path / "out"
    given = ("evaluate", "--catalog", tables / "catalog.parquet", "--labels", labels, "--out", out)
    done = transtar(*given, "--label", "feh", "--second", f"{labels}:feh_other")
    assert done.code == 0, done.err
    assert "noise by the three-cornered hat: 70 stars" in done.out
    with open(out / "noise.csv", newline="") as file:
        noise = {row["of"]: row for row in csv.DictReader(file)}
    for name, sigma in (("reference", 0.08), ("second", 0.05), ("predicted", 0.1)):
        assert abs(float(noise[name]["sigma"]) - sigma) < 3 * float(noise[name]["sigma_err"])
    assert done.out.splitlines()[-6:] == [
        str(out / name)
        for name in ("metrics.json", "scores.csv", "scores.tex", "noise.csv", "one-to-one.pdf", "one-to-one.png")
    ]
    assert all((out / name).stat().st_size for name in ("scores.csv", "scores.tex", "one-to-one.pdf", "one-to-one.png"))
    assert "choose it with --label" in fails(*given, "--second", f"{labels}:feh_other", code=2)
    assert "no column feh_others" in fails(*given, "--label", "feh", "--second", f"{labels}:feh_others")
    assert "have the same labels for all 70 stars" in fails(*given, "--second", labels)
    assert "no such file" in fails(*given, "--second", tmp_path / "none.csv")

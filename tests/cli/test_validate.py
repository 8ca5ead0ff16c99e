"""The verb validate: what it prints and writes, and its one line for what cannot be."""

import csv
import json
import re

import numpy as np
import pytest

from transtar.catalog import write_catalog
from transtar.flags import Flag

from ..made_surveys import write_csv

BIG = 2**62 + 1


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Forty stars of two visits, eight rows bad and far off; eight clusters of five."""
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    star = np.repeat(np.arange(40), 2)
    snr = rng.uniform(20, 70, 80)
    feh = np.repeat(rng.uniform(-2, 0.3, 8), 5)[star] + rng.normal(0, 3 / snr)
    feh[:8] = 2.5
    columns = {
        "id": BIG + star, "snr": snr.astype(np.float32), "feh": feh, "feh_err": 3 / snr,
        "flags": np.where(np.arange(80) < 8, int(Flag.OUT_OF_DOMAIN), 0).astype(np.int32),
    }  # fmt: skip
    write_catalog(folder / "catalog.parquet", columns)
    write_csv(folder / "members.csv", [{"TARGETID": BIG + n, "cluster": f"c{n // 5}"} for n in range(40)])
    return folder


def test_repeats_and_clusters(tables, transtar, tmp_path):
    given = (
        "validate",
        "--catalog",
        tables / "catalog.parquet",
        "--clusters",
        tables / "members.csv",
        "--out",
        tmp_path / "out",
    )
    done = transtar(*given)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert sum(line.startswith("  repeats       72 visits of 36 stars") for line in lines) == 1
    assert sum(line.startswith("  clusters      35 members of 7") for line in lines) == 1
    assert "8  flagged bad: 8 OUT_OF_DOMAIN (--all counts them, too)" in done.out
    assert re.search(r"clusters: \[Fe/H\]: clusters of fewer than 3 members.*: 1\b", done.out)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["feh"]["repeats"]["all"]["n_stars"] == 36
    assert metrics["feh"]["left_out"] == {"flagged bad": 8}
    with (tmp_path / "out" / "validation.csv").open(newline="") as file:
        assert {row["check"] for row in csv.DictReader(file)} == {"repeats", "clusters"}
    assert (tmp_path / "out" / "figures" / "repeats.pdf").is_file()
    assert str(tmp_path / "out" / "report.html") in done.out


@pytest.mark.parametrize(
    ("given", "code", "line"),
    [
        (("--label", "teff"), 1, "the catalog has no column 'teff'"),
        (("--second", "members.csv"), 2, "--second takes two further catalogs (three corners in all), not 1"),
        (("--bound",), 1, "does not tell its survey; name the instrument, as with --bound lamost"),
        (("--pairs", "members.csv"), 1, "no two columns that tell the stars of a pair"),
        (("--columns", "cluster=NAME"), 2, "--columns cluster=NAME: no such column in"),
    ],
)
def test_what_cannot_be_is_one_line(tables, transtar, tmp_path, given, code, line):
    given = [tables / part if part.endswith(".csv") else part for part in given]
    done = transtar("validate", "--catalog", tables / "catalog.parquet", *given, "--out", tmp_path / "out")
    assert done.code == code
    assert line in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()

"""One rule for tables, whichever verb reads them."""

import csv
import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.table import Table

from ..made_surveys import write_csv

FORMS = (
    "bars.csv",
    "semicolons.csv",
    "tabs.tsv",
    "blanks.txt",
    "vot",
    "fits",
    "ascii.fits",
    "ecsv",
    "parquet",
    "asu.tsv",
)


def rewritten(rows, path):
    """The same rows as another format."""
    names = list(rows[0])
    form = path.name.split(".", 1)[1]
    separators = {"bars.csv": "|", "semicolons.csv": ";", "tabs.tsv": "\t", "blanks.txt": "  ", "asu.tsv": "\t"}
    if form in separators:
        lines = [separators[form].join(str(row[name]) for name in names) for row in rows]
        head = [separators[form].join(names)]
        if form == "asu.tsv":
            head = [
                "#",
                "#RESOURCE=made",
                *head,
                separators[form].join(" " for _ in names),
                separators[form].join("---" for _ in names),
            ]
        path.write_text("\n".join([*head, *lines]) + "\n")
        return path
    table = Table(rows=rows, names=names)
    if form == "ascii.fits":
        from astropy.io import fits

        columns = []
        for name in names:
            kind = {"i": "I20", "f": "F12.4"}.get(table[name].dtype.kind, "A40")
            columns.append(fits.Column(name, kind, array=np.asarray(table[name]), ascii=True))
        fits.TableHDU.from_columns(columns).writeto(path)
    else:
        table.write(path, format={"vot": "votable", "ecsv": "ascii.ecsv"}.get(form, form))
    return path


def read(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = {"obsid": int, "feh": float, "teff": float}
    return [{name: kinds.get(name, str)(text) for name, text in row.items()} for row in rows]


@pytest.mark.parametrize("form", FORMS)
def test_every_format_for_labels_split_velocities_and_stars(transtar, world, tmp_path, form):
    labels = read(world.lamost / "labels.csv")
    whole = rewritten(labels, tmp_path / f"labels.{form}")
    split = rewritten([{"obsid": row["obsid"], "split": "pool"} for row in labels], tmp_path / f"split.{form}")
    speeds = rewritten([{"obsid": row["obsid"], "rv": 12.5} for row in labels], tmp_path / f"rv.{form}")
    stars = rewritten([{"obsid": row["obsid"]} for row in labels[:5]], tmp_path / f"stars.{form}")
    arguments = ["--labels", whole, "--split", split, "--velocities", f"{speeds}:rv", "--stars", stars]
    done = transtar(
        "prepare", "--survey", "lamost", "--spectra", world.lamost / "spectra", *arguments, "--out", tmp_path / "set"
    )
    assert done.code == 0, done.err
    found = pq.read_table(tmp_path / "set/stars.parquet").to_pydict()
    wanted = {row["obsid"]: row["feh"] for row in labels[:5]}
    assert dict(zip(found["id"], np.round(found["feh"], 4), strict=True)) == wanted
    assert set(found["velocity"]) == {12.5}
    assert set(found["split"]) == {"pool"}


@pytest.mark.parametrize("form", FORMS)
def test_every_format_for_evaluate(transtar, world, tmp_path, form):
    labels = read(world.lamost / "labels.csv")
    truth = rewritten(labels, tmp_path / f"labels.{form}")
    guess = rewritten(
        [{"obsid": row["obsid"], "FE_H": round(row["feh"] + 0.05, 4)} for row in labels], tmp_path / f"c.{form}"
    )
    done = transtar("evaluate", "--catalog", guess, "--labels", truth, "--label", "feh", "--out", tmp_path / "scores")
    assert done.code == 0, done.err
    scores = json.loads((tmp_path / "scores/metrics.json").read_text())["feh"]["all"]
    assert (scores["n"], round(scores["bias"], 6)) == (len(labels), 0.05)


def test_sentinels_never_reach_a_score(transtar, world, tmp_path):
    labels = read(world.lamost / "labels.csv")
    sentinels = [-9999, 99.99, "nan", "null", ""]
    write_csv(tmp_path / "c.csv", [
        {"id": row["obsid"], "feh": sentinels[i] if i < len(sentinels) else row["feh"] + 0.05, "flags": "" if i == 9 else 0}
        for i, row in enumerate(labels)
    ])  # fmt: skip
    done = transtar(
        "evaluate", "--catalog", tmp_path / "c.csv", "--labels", world.lamost / "labels.csv", "--out", tmp_path / "s"
    )
    assert done.code == 0, done.err
    scores = json.loads((tmp_path / "s/metrics.json").read_text())["feh"]["all"]
    assert (scores["n"], round(scores["bias"], 6)) == (len(labels) - len(sentinels), 0.05)
    assert f"{len(sentinels)}  no predicted value" in done.out
    assert "seen by a model" not in done.out


def test_columns_are_chosen_on_the_command_line(transtar, fails, world, tmp_path):
    rows = [
        {
            "recno": i,
            "obsid": row["obsid"],
            "FE_H": row["feh"],
            "e_FE_H": 0.1,
            "FEH": -9,
            "e_FEH": 9,
            "rv_1": 1,
            "rv_2": 2,
        }
        for i, row in enumerate(read(world.lamost / "labels.csv"))
    ]
    write_csv(tmp_path / "labels.csv", rows)
    verb = ["prepare", "--survey", "lamost", "--spectra", world.lamost / "spectra", "--labels", tmp_path / "labels.csv"]
    message = fails(*verb, "--out", tmp_path / "set")
    assert re.search("FE_H and FEH both mean feh.*--columns feh=FE_H", message)
    chosen = ["--columns", "feh=FE_H", "velocity=rv_2", "--velocities", tmp_path / "labels.csv"]
    assert transtar(*verb, *chosen, "--out", tmp_path / "set").code == 0
    found = pq.read_table(tmp_path / "set/stars.parquet").to_pydict()
    assert np.isfinite(found["feh"]).all()
    assert set(found["feh_err"]) == {0.1}
    assert set(found["velocity"]) == {2.0}
    message = fails(*verb, "--columns", "feh=FEH_X", "--out", tmp_path / "other", code=1)
    assert "both mean feh" in message
    message = fails(*verb, "--columns", "feh=FE_H", "teff=T", "--out", tmp_path / "other", code=2)
    assert "--columns teff=T: no such column in" in message
    message = fails(*verb, "--columns", "fhe=FE_H", "--out", tmp_path / "other", code=2)
    assert "unknown name fhe; known names: teff, logg, feh" in message
    assert not (tmp_path / "other").exists()


def test_units_reach_the_set(transtar, world, tmp_path):
    labels = read(world.lamost / "labels.csv")
    table = Table(rows=labels, names=list(labels[0]))
    table["teff"] = table["teff"] / 1000 * u.kK
    table["rv"] = np.full(len(table), -1190.0) * u.m / u.s
    table.write(tmp_path / "labels.fits")
    verb = [
        "prepare",
        "--survey",
        "lamost",
        "--spectra",
        world.lamost / "spectra",
        "--labels",
        tmp_path / "labels.fits",
    ]
    done = transtar(*verb, "--velocities", f"{tmp_path / 'labels.fits'}:rv", "--out", tmp_path / "set")
    assert done.code == 0, done.err
    assert "column teff: converted from kK to K" in done.err
    found = pq.read_table(tmp_path / "set/stars.parquet").to_pydict()
    np.testing.assert_allclose(found["velocity"], -1.19, rtol=1e-5)
    np.testing.assert_allclose(found["teff"], [row["teff"] for row in labels])


def test_positions_by_columns_that_the_selection_names(transtar, tmp_path):
    """The documented `position` of a compilation, among other columns that would be positions."""
    rows = [{"obsid": i, "designation": f"J{i}", "ra": 10.0 + i, "dec": 5.0, "z": 0, "snrg": 30} for i in range(1, 5)]
    write_csv(tmp_path / "lamost.csv", rows)
    own = [{"name": f"s{i}", "ra": 1, "dec": 1, "RA_1": 10.0 + i, "DEC_1": 5.0, "feh": -i / 10} for i in range(1, 4)]
    write_csv(tmp_path / "mine.csv", own)
    (tmp_path / "selection.yaml").write_text(
        "title: t\nsource: s\nrows: lamost\ntables:\n  lamost: {kind: lamost}\n"
        "  mine: {kind: compilation, position: {ra: RA_1, dec: DEC_1}}\nmatch:\n  - {tables: [mine], by: position, radius: 2}\n"
    )
    given = [tmp_path / "lamost.csv", f"compilation={tmp_path / 'mine.csv'}"]
    done = transtar("select", tmp_path / "selection.yaml", "--catalogs", *given, "--out", tmp_path / "out.csv")
    assert done.code == 0, done.err
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [(row["obsid"], float(row["feh"])) for row in csv.DictReader(file)] == [
            ("1", -0.1),
            ("2", -0.2),
            ("3", -0.3),
        ]


def test_compilations_average_no_sentinel_and_choose_no_column(transtar, fails, tmp_path):
    star = {"obsid": 1, "designation": "J1", "gaia_source_id": 2**62 + 1, "ra": 1, "dec": 1, "z": 0, "snrg": 30}
    write_csv(tmp_path / "lamost.csv", [star])
    own = [{"source_id": 2**62 + 1, "teff": teff, "feh": -1.0, "FE_H": -2.0} for teff in (5000, 0, 9999, 5200)]
    write_csv(tmp_path / "mine.csv", own)
    (tmp_path / "selection.yaml").write_text(
        "title: t\nsource: s\nrows: lamost\ntables: {lamost: {kind: lamost}, mine: {kind: compilation}}\n"
        "match:\n  - {tables: [mine]}\n"
    )
    verb = [
        "select",
        tmp_path / "selection.yaml",
        "--catalogs",
        tmp_path / "lamost.csv",
        f"compilation={tmp_path / 'mine.csv'}",
    ]
    assert "columns feh and FE_H both mean feh" in fails(*verb, "--out", tmp_path / "out.csv")
    assert transtar(*verb, "--columns", "feh=FE_H", "--out", tmp_path / "out.csv").code == 0
    with (tmp_path / "out.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert (float(row["teff"]), float(row["feh"])) == (5100, -2)

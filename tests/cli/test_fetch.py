"""The verb fetch: SPARCL through a stand-in on this machine; LAMOST and Gaia files at hand."""

import csv
import gzip
import re
import time

import numpy as np
import pytest

from transtar.catalog import read_columns
from transtar.datasets import read_set
from transtar.simulate.native import gaia
from transtar.surveys.gaia_xp import SAMPLING_NM

from ..fetch.stand_in import FIRST_ID, StandIn, records
from ..made_surveys import made_lamost
from ..simulate import made_samples

pytestmark = pytest.mark.usefixtures("unquestioned")

ORDER = [5, 3, 0, 1]


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    stand_in = StandIn(records(6, sdss=2))
    yield stand_in
    stand_in.close()


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def ids(order=ORDER):
    return [FIRST_ID + i for i in order]


def test_what_was_fetched_is_prepared_and_predicted(transtar, service, tmp_path):
    table = tmp_path / "labels.csv"
    lines = [f"{number},{-0.1 * i:.1f}" for i, number in enumerate(ids(range(8)))]
    table.write_text("\n".join(["id,feh", *lines, "77,0.0"]) + "\n")
    out = tmp_path / "fetched"
    command = ["fetch", "--service", "sparcl", "--table", table, "--server", service.address, "--out", out]
    done = transtar(*command)
    assert done.code == 0, done.err
    assert re.search(r"9 asked for, 8 found: 8 spectra \(0 .*cache, 8 fetched\); 1 missing", done.out)
    assert (
        done.out.splitlines()[-1] == f"next: transtar prepare --survey sparcl --spectra {out}/spectra --out sets/sparcl"
    )
    assert re.search(r"1 have no spectrum .*: 77 \(", done.err)
    assert len(done.err.splitlines()) == 1
    again = transtar(*command)
    assert "(8 from the cache, 0 fetched)" in again.out
    done = transtar(
        "prepare", "--survey", "sparcl", "--spectra", out / "spectra", "--labels", table, "--out", tmp_path / "set"
    )
    assert done.code == 0, done.err
    prepared = read_set(tmp_path / "set")
    assert sorted(prepared.columns["id"].tolist()) == ids(range(8))
    np.testing.assert_allclose(prepared.columns["feh"], -0.1 * (prepared.columns["id"] - FIRST_ID), atol=1e-9)
    assert np.isfinite(prepared.columns["velocity"]).all()
    assert (prepared.columns["good_fraction"] > 0.9).all()
    done = transtar(
        "predict",
        "--model",
        "mock-feh",
        "--survey",
        "sparcl",
        "--spectra",
        out / "spectra",
        "--out",
        tmp_path / "c.parquet",
    )
    assert done.code == 0, done.err
    catalog = read_columns(tmp_path / "c.parquet")
    assert np.isfinite(catalog["feh"]).all()
    assert {"desi_survey", "desi_program", "desi_healpix"} <= set(catalog)
    # The list of what was found is a list of stars like any other.
    done = transtar(
        "prepare",
        "--survey",
        "sparcl",
        "--spectra",
        out / "spectra",
        "--stars",
        out / "found.csv",
        "--out",
        tmp_path / "s",
    )
    assert done.code == 0, done.err


def test_identifiers_come_from_the_command_line_and_from_files(transtar, service, tmp_path):
    plain, table = tmp_path / "ids.txt", tmp_path / "table.csv"
    plain.write_text("# of a friend\n" + "\n".join(map(str, ids())) + "\n")
    table.write_text("\n".join(["name,target", *(f"a,{number}" for number in ids())]) + "\n")
    uuids = [service.stars[i]["sparcl_id"] for i in ORDER]
    for given in ([*map(str, ids())], [plain], [f"{table}:target"], uuids):
        out = tmp_path / "out"
        done = transtar("fetch", "--service", "sparcl", "--ids", *given, "--server", service.address, "--out", out)
        assert done.code == 0, done.err
        assert [int(row["id"]) for row in rows(out / "found.csv")] == ids()
    done = transtar(
        "fetch", "--service", "sparcl", "--position", 10.3, 20.03, "--server", service.address, "--out", out
    )
    assert "1 asked for, 1 found" in done.out
    place = ["--release", "DESI-DR1", "--spectype", "STAR", "--limit", 2]
    done = transtar("fetch", "--service", "sparcl", *place, "--server", service.address, "--out", out)
    assert "2 spectra" in done.out
    positions = tmp_path / "positions.csv"
    positions.write_text("ra,dec\n10.2,20.02\n200,-30\n")
    done = transtar("fetch", "--service", "sparcl", "--table", positions, "--server", service.address, "--out", out)
    assert "2 asked for, 1 found" in done.out


def test_a_killed_run_goes_on_where_it_was(start, transtar, service, tmp_path):
    service.pause, service.slow_ids = 30, {service.stars[4]["sparcl_id"]}
    command = [
        "fetch", "--service", "sparcl", "--ids", *map(str, ids(range(6))), "--server", service.address, "--page", 2,
        "--out", tmp_path / "out",
    ]  # fmt: skip
    process = start(*command)
    limit = time.monotonic() + 60
    while service.count("/api/spectras/") < 3 and time.monotonic() < limit:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert not (tmp_path / "out/spectra").exists()
    service.slow_ids = set()
    service.asked.clear()
    done = transtar(*command)
    assert done.code == 0, done.err
    assert "6 spectra (4 from the cache, 2 fetched)" in done.out
    assert service.sizes() == [2]
    assert service.count("/api/find/") == 0


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (["--ids", "5", "--server", "ftp://somewhere"], 2, "begins with http"),
        ([], 2, "say which spectra"),
        (["--release", "DESI-DR1"], 2, "millions of spectra"),
        (["--ids", "5", "--table", "x.csv"], 2, "not several"),
        (["--ids", "5", "--have", "x"], 2, "are for --service lamost and gaia"),
        (["--ids", "5", "--page", "50000"], 2, "1 to 24000"),
        (["--ids", "5", "--timeout", "0"], 2, "--timeout: must be a number above 0"),
        (["--ids", "5", "--limit", "none"], 2, "--limit: must be a whole number from 1"),
        (["--ids", "nothing"], 2, "neither a whole number, nor a sparcl_id, nor a file"),
        (["--ids", "no/such.csv"], 1, "no such file"),
        (["--ids", "9" * 30], 1, "does not fit 64 bits"),
        (["--table", "no.csv"], 1, "no.csv: no such file"),
        (["--position", "400", "0"], 1, "no right ascension and declination"),
        (["--ids", "5", "--server", "http://127.0.0.1:9", "--tries", "1"], 1, "not reachable (Connection refused)"),
    ],
)
def test_wrong_use_is_told_in_one_line(fails, monkeypatch, tmp_path, given, code, message):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert message in fails("fetch", "--service", "sparcl", *given, "--out", tmp_path / "out", code=code)


def test_bad_tables_and_services_are_told_in_one_line(fails, transtar, service, tmp_path):
    table = tmp_path / "table.csv"
    sparcl = ["fetch", "--service", "sparcl", "--server", service.address, "--out", tmp_path / "out"]
    table.write_text("a,b\n1,2\n")
    assert "columns found: a, b" in fails(*sparcl, "--table", table)
    assert "name it as FILE:COLUMN" in fails(*sparcl, "--ids", table)
    assert "no column c" in fails(*sparcl, "--ids", f"{table}:c")
    table.write_text("id\n4611686018427387905.0\n")
    assert "loses digits" in fails(*sparcl, "--table", table)
    table.write_text("123\nabc\n")
    assert "'abc' is not a whole number" in fails(*sparcl, "--ids", table)
    assert "has a spectrum in SPARCL" in fails(*sparcl, "--ids", 77)
    assert rows(tmp_path / "out/missing.csv")[0]["asked"] == "77"
    assert "no release X in SPARCL" in fails(*sparcl, "--ids", 77, "--release", "X")
    (tmp_path / "file").write_text("")
    assert "cannot be made a folder" in fails(*sparcl[:-1], tmp_path / "file", "--ids", 77)
    assert "invalid choice: 'nowhere'" in transtar("fetch", "--service", "nowhere", "--out", "x").err


@pytest.fixture
def lamost(tmp_path):
    folder = made_lamost(tmp_path / "lamost", n=5) / "spectra"
    path = folder / "spec-004.fits"
    (folder / "spec-56000-PLAN_sp03-007.fits.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return folder


def test_lamost_files_at_hand_are_found_and_the_others_listed(transtar, lamost, tmp_path):
    (lamost / "broken.fits").write_text("no FITS")
    table = tmp_path / "stars.csv"
    lines = [f"{FIRST_ID + i},56000,PLAN,3,{i + 3},2012-03-14" for i in (4, 9, 2)]
    table.write_text("\n".join(["obsid,lmjd,planid,spid,fiberid,obsdate", *lines]) + "\n")
    out = tmp_path / "out"
    command = [
        "fetch",
        "--service",
        "lamost",
        "--table",
        table,
        "--have",
        lamost,
        "--release",
        "dr10/v2.0",
        "--out",
        out,
    ]
    done = transtar(*command)
    assert done.code == 0, done.err
    assert "3 asked for, 2 found in 2 files; 1 missing" in done.out
    assert "broken.fits" in done.err
    assert "no archive was asked" in done.err
    found = rows(out / "found.csv")
    assert [row["file"] for row in found] == ["spec-56000-PLAN_sp03-007.fits.gz", "spec-002.fits"]
    assert [int(row["id"]) for row in found] == [FIRST_ID + 4, FIRST_ID + 2]
    (missing,) = rows(out / "missing.csv")
    assert missing["file"] == "20120314/PLAN/spec-56000-PLAN_sp03-012.fits"
    assert missing["address"] == f"https://www.lamost.org/dr10/v2.0/spectrum/fits/{FIRST_ID + 9}"
    (lamost / "broken.fits").unlink()
    arguments = done.out.splitlines()[-1].removeprefix("next: transtar ").split()
    done = transtar(*arguments[:-1], tmp_path / "set")
    assert done.code == 0, done.err
    assert sorted(read_set(tmp_path / "set").columns["id"].tolist()) == [FIRST_ID + 2, FIRST_ID + 4]


def test_lamost_stars_are_found_by_designation_and_without_any_files(transtar, lamost, tmp_path):
    table = tmp_path / "stars.csv"
    table.write_text("designation\nLAMOST J000003\nJ000009\n")
    out = tmp_path / "out"
    done = transtar("fetch", "--service", "lamost", "--table", table, "--have", lamost, "--out", out)
    assert "2 asked for, 1 found in 1 files; 1 missing" in done.out
    assert rows(out / "found.csv")[0]["file"] == "spec-003.fits"
    done = transtar("fetch", "--service", "lamost", "--ids", 5, 6, "--out", out)
    assert done.code == 0, done.err
    assert "2 asked for, 0 found in 0 files; 2 missing" in done.out
    assert rows(out / "missing.csv")[0]["why"] == "no files given (--have)"


def test_gaia_spectra_at_hand_are_found_and_the_catalog_may_be_asked(transtar, fails, monkeypatch, tmp_path):
    from astropy.table import Table

    wave, sources = 10 * SAMPLING_NM, [2**62 + 1, 422596679964513792]
    have = tmp_path / "xp"
    have.mkdir()
    gaia.write_sampled(made_samples.batch(wave, sources, "gaia-xp", level=2000.0), have / "XP_SAMPLED_RAW.csv")
    # Continuous spectra are told by their coefficients, without GaiaXPy.
    (have / "XP_CONTINUOUS_RAW.csv").write_text('source_id,bp_coefficients,rp_coefficients\n99,"(1,2)","(3,4)"\n')
    out = tmp_path / "out"
    command = ["fetch", "--service", "gaia", "--ids", sources[1], 99, 7, 8, 9, "--have", have, "--out", out]
    done = transtar(*command)
    assert done.code == 0, done.err
    assert "5 asked for, 2 found in 2 files; 3 missing" in done.out
    assert [int(row["id"]) for row in rows(out / "found.csv")] == [sources[1], 99]
    assert "ID=Gaia+DR3+7" in rows(out / "missing.csv")[0]["address"]
    asked = []

    def answer(address, question):
        asked.append(question)
        return Table({"source_id": [7, 8], "has_xp_continuous": [True, False], "has_xp_sampled": [False, False]})

    monkeypatch.setattr("transtar.fetch.archives.ask_tap", answer)
    assert transtar(*command, "--query").code == 0
    assert "(7,8,9)" in asked[0]
    why = [row["why"] for row in rows(out / "missing.csv")]
    assert why == ["not in any file given", "Gaia DR3 has no XP spectrum of it", "no such source in Gaia DR3"]


def test_the_catalog_of_lamost_tells_names(transtar, monkeypatch, tmp_path):
    from astropy.table import Table

    table = Table({"ObsID": [5], "LMJD": [56000], "PlanId": ["PLAN"], "spId": [3], "FiberId": [7]})
    monkeypatch.setattr("transtar.fetch.archives.ask_tap", lambda address, question: table)
    done = transtar("fetch", "--service", "lamost", "--ids", 5, 6, "--query", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert [row["file"] for row in rows(tmp_path / "out/missing.csv")] == ["spec-56000-PLAN_sp03-007.fits", ""]


def test_real_lamost_files_are_found_by_obsid(transtar, data, tmp_path):
    with open(data / "lamost_dr10/labels.csv", newline="") as file:
        wanted = [row for row, _ in zip(csv.DictReader(file), range(3), strict=False)]
    if "obsid" not in wanted[0]:
        pytest.skip("labels without obsid")
    paths = [data / "lamost_dr10/spectra" / row["file"] for row in wanted]
    done = transtar(
        "fetch",
        "--service",
        "lamost",
        "--ids",
        *(row["obsid"] for row in wanted),
        5,
        "--have",
        *paths,
        "--out",
        tmp_path / "o",
    )
    assert "4 asked for, 3 found in 3 files; 1 missing" in done.out, done.err
    assert [row["file"] for row in rows(tmp_path / "o/found.csv")] == [row["file"] for row in wanted]

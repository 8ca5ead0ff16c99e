"""Catalogs as astropy, stilts and LaTeX open them."""

import re
import shutil
import subprocess
import warnings
from io import BytesIO, StringIO

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import parse, validate
from astropy.io.votable.ucd import parse_ucd
from astropy.table import QTable, Table

from transtar import glossary
from transtar.catalog import CatalogWriter, read_columns, read_metadata, write_catalog, writers
from transtar.catalog.latex_table import MOST_ROWS
from transtar.catalog.vo import VO_PARQUET
from transtar.errors import InputError

BIG = 2**62 + 1
METADATA = {"transtar": "0.1.0", "models": ["mock-feh"], "note": 'a < b & "c" é', "numbers": [1, 2.5, None]}
SUFFIXES = ("parquet", "fits", "ecsv", "vot", "votable", "csv")


def columns(n=4, start=0):
    numbers = np.arange(start, start + n)
    return {
        "file": np.array([f"spec-{number}, é & <{'x' * (number % 9)}>.fits" for number in numbers]),
        "id": BIG + numbers,
        "survey": np.full(n, "lamost"),
        "star": np.array([f"J{number:04d}" for number in numbers]),
        "ra": numbers / 7.0,
        "dec": -numbers / 7.0,
        "velocity": np.full(n, -12.34, np.float32),
        "snr": np.full(n, 50.4, np.float32),
        "teff": (5000.25 + numbers).astype(np.float32),
        "teff_err": np.where(numbers % 4 == 3, np.nan, 83.7).astype(np.float32),
        "feh": np.where(numbers % 4 == 1, np.nan, -1.23456).astype(np.float32),
        "feh_err": np.full(n, 0.0456, np.float32),
        "feh_lo": np.full(n, -1.3, np.float32),
        "flags": numbers.astype(np.int32),
        "primary": numbers % 2 == 0,
    }


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_astropy_opens_each_format_without_a_complaint(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    write_catalog(path, columns(), METADATA)
    for kind in (Table, QTable):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = kind.read(path)
        assert [int(one) for one in table["id"]] == (BIG + np.arange(4)).tolist()
        np.testing.assert_array_equal(np.asarray(table["ra"]), columns()["ra"])
        assert [str(one) for one in table["star"]] == columns()["star"].tolist()
    assert read_metadata(path) == ({} if suffix == "csv" else METADATA)


@pytest.mark.parametrize("name", [*glossary.COLUMNS, *(f"feh{end}" for end in glossary._DERIVED)])
def test_ucds_are_words_of_the_list(name):
    """https://www.ivoa.net/documents/UCD1+/, of which astropy has a copy."""
    assert parse_ucd(glossary.describe(name).ucd, check_controlled_vocabulary=True)


def test_votables_obey_the_standard(tmp_path, monkeypatch):
    """In batches, one after another; astropy raises at whatever the standard forbids."""
    monkeypatch.setattr(writers, "CHUNK", 7)
    path = tmp_path / "c.vot"
    with CatalogWriter(path, METADATA) as writer:
        for start in range(0, 20, 4):
            writer.append(columns(4, start))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = parse(path, verify="exception")
    assert whole.version == "1.4"
    table = whole.get_first_table()
    fields = {field.name: field for field in table.fields}
    assert (fields["teff"].ucd, str(fields["teff"].unit)) == ("phys.temperature.effective", "K")
    # dex is no unit of the VO.
    assert (fields["feh"].unit, fields["feh"].description[-6:]) == (None, " [dex]")
    assert fields["ra"].ref == "icrs"
    assert (fields["star"].datatype, fields["file"].datatype) == ("char", "unicodeChar")
    report = StringIO()
    assert validate(str(path), output=report), report.getvalue()
    for name, values in columns(20).items():
        np.testing.assert_array_equal(np.asarray(read_columns(path)[name]), values, err_msg=name)


def test_parquet_tells_the_virtual_observatory_what_its_columns_are(tmp_path):
    write_catalog(tmp_path / "c.parquet", columns(), METADATA)
    stated = pq.read_metadata(tmp_path / "c.parquet").metadata
    assert stated[VO_PARQUET[0].encode()] == b"1.0"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = parse(BytesIO(stated[VO_PARQUET[1].encode()]), verify="exception")
    fields = whole.get_first_table().fields
    assert [field.name for field in fields] == list(columns())
    assert {field.name: field.ucd for field in fields}["feh_err"] == "stat.error;phys.abund.Fe"


stilts = pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is not installed (apt-get install stilts)")


@stilts
@pytest.mark.parametrize("suffix", ["fits", "vot", "csv"])
def test_stilts_opens_them(tmp_path, suffix):
    """That of Debian, which has no reader of ECSV and of parquet."""
    path = tmp_path / f"c.{suffix}"
    write_catalog(path, columns(), METADATA)
    command = [
        "stilts",
        "tpipe",
        f"in={path}",
        f"ifmt={'votable' if suffix == 'vot' else suffix}",
        "omode=out",
        "ofmt=csv",
    ]
    done = subprocess.run([*command, "out=-"], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    rows = done.stdout.splitlines()
    assert rows[0].split(",") == list(columns())
    assert f",{BIG + 3},lamost,J0003," in rows[4]
    if suffix != "csv":
        told = subprocess.run([*command[:-2], "cmd=meta name units ucd description", "ofmt=ascii", "out=-"],
                              capture_output=True, text=True, timeout=120, check=True)  # fmt: skip
        assert told.stderr == ""
        teff = next(line for line in told.stdout.splitlines() if re.match(r"\s*teff\s", line))
        assert "K" in teff.split()
        assert "effective temperature" in teff
        assert "phys.temperature.effective" in teff


@stilts
def test_stilts_finds_nothing_wrong_with_a_votable(tmp_path):
    write_catalog(tmp_path / "c.vot", columns(), METADATA)
    done = subprocess.run(
        ["stilts", "votlint", str(tmp_path / "c.vot"), "ucd=true", "unit=true"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_latex(tmp_path):
    write_catalog(tmp_path / "my_stars.tex", columns(), METADATA)
    text = (tmp_path / "my_stars.tex").read_text()
    assert r"\caption{Labels of 4 spectra by mock-feh. transtar 0.1.0. Errors are 1 sigma.}\label{tab:my_stars}" in text
    assert r"Identifier} & {Star} & {$\alpha$} & {$\delta$}" in text
    assert r"$5000 \pm 84$ & $-1.235 \pm 0.046$" in text
    assert r"$5001 \pm 84$ & \ldots" in text
    assert r"km\,s$^{-1}$" in text
    assert re.search(r"^% Columns that are not printed: file, survey, feh_lo\.$", text, re.MULTILINE)
    with pytest.raises(InputError, match="a LaTeX table, whose numbers are rounded"):
        read_columns(tmp_path / "my_stars.tex")
    # Another's view of the same rows.
    body = re.search(r"\\endfoot\n(.*)\\end\{longtable\}", text, re.DOTALL)[1]
    assert len(body.strip().splitlines()) == 4
    assert len({line.count("&") for line in text.splitlines() if "&" in line}) == 1


def test_latex_of_a_plan_has_its_order(tmp_path):
    write_catalog(
        tmp_path / "plan.tex", {"plan_rank": np.array([1, 2]), "stands_for": np.array([0.25, 0.75]), **columns(2)}
    )
    lines = (tmp_path / "plan.tex").read_text().splitlines()
    assert lines[-3].startswith(r"{1} & $0.250$ & 4611686018427387905 & J0000 & ")
    assert r"{plan\_rank} & {stands\_for} & {Identifier} & {Star}" in "\n".join(lines)


def test_latex_is_for_papers_only(tmp_path):
    with pytest.raises(InputError, match="a LaTeX table holds at most 10000 rows; write the whole as"):
        write_catalog(tmp_path / "c.tex", {"id": np.arange(MOST_ROWS + 1)})
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(tmp_path):
    write_catalog(tmp_path / "c.tex", columns(80), METADATA)
    page = r"\documentclass{article}\usepackage{booktabs,longtable}\begin{document}\footnotesize\input{c}\end{document}"
    (tmp_path / "page.tex").write_text(page)
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "page"],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-2000:]

"""Catalogs in native layouts, and everything that may be wrong with them."""

import gzip

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from transtar.errors import InputError
from transtar.labels import kinds
from transtar.labels.catalogs import find_files

BIG = 2**62 + 1


def hdu(name, **columns):
    return fits.BinTableHDU(Table(columns), name=name)


def mwsall(path, n=3, **changes):
    """A small catalog of the survey; a change is a dict of columns, or None to leave the HDU out."""
    ids = np.arange(n) + BIG
    tables = {
        "RVTAB": {"TARGETID": ids, "SURVEY": np.full(n, "sv3"), "PROGRAM": np.full(n, "bright"), "HEALPIX": np.arange(n)},
        "SPTAB": {"TARGETID": ids, "FEH": np.zeros(n)},
        "GAIA": {"SOURCE_ID": ids},
    }  # fmt: skip
    for name, change in changes.items():
        tables[name] = None if change is None else {**tables.get(name, {}), **change}
    hdus = [hdu(name, **columns) for name, columns in tables.items() if columns is not None]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


def allstar(path, n=3, drop=(), **changes):
    columns = {
        "APOGEE_ID": np.full(n, "2M0"), "STARFLAG": np.zeros(n, "i4"), "ASPCAPFLAG": np.zeros(n, "i8"),
        "GAIAEDR3_SOURCE_ID": np.arange(n) + BIG, **changes,
    }  # fmt: skip
    hdu("", **{name: values for name, values in columns.items() if name not in drop}).writeto(path)
    return path


def test_kinds_are_told_by_content(tmp_path):
    table = Table({"obsid": [1], "designation": ["J"], "gaia_source_id": [str(BIG)], "feh": [0.1]})
    made = {"desi-edr": mwsall(tmp_path / "a"), "apogee-dr17": allstar(tmp_path / "c")}
    made["desi-dr1"] = mwsall(tmp_path / "b", RVTAB={"SURVEY": np.array(["sv3", "main", "sv1"])})
    for kind, suffix, columns in (
        ("lamost", "csv", table),
        ("lamost", "fits", table),
        ("lamost", "parquet", table),
        ("compilation", "csv", Table({"Gaia_Source_ID": [BIG], "[Fe/H]": [-2.1]})),
        ("selection", "csv", Table({"source_id": [BIG], "split": ["test"]})),
        ("spectra", "parquet", Table({"id": [BIG], "flags": [0], "split": ["pool"]})),
    ):
        made[kind] = path = tmp_path / f"{kind}.{suffix}"
        columns.write(path)
        catalog = kinds.open_catalog(path)
        assert (catalog.kind, catalog.rows) == (kind, 1)
        if kind not in ("spectra",):
            assert kinds.gaia_ids(catalog).tolist() == [BIG]
    for kind, path in made.items():
        assert kinds.open_catalog(path).kind == kind
    assert kinds.gaia_ids(kinds.open_catalog(made["apogee-dr17"])).tolist() == [BIG, BIG + 1, BIG + 2]


def test_a_part_of_a_release_is_told_by_its_name_or_by_the_user(tmp_path):
    part = mwsall(tmp_path / "rvpix-iron-sv3.fits")
    assert kinds.open_catalog(part).kind == "desi-dr1"
    plain = mwsall(tmp_path / "part.fits")
    found, _, _ = kinds.open_catalogs([f"desi-dr1={plain}"], ["desi-dr1"])
    assert found["desi-dr1"].paths == (plain,)


def test_parts_are_one_catalog(tmp_path):
    paths = [mwsall(tmp_path / "a.fits"), mwsall(tmp_path / "b.fits", RVTAB={"NEW": [1, 2, 3]})]
    found, others, lines = kinds.open_catalogs([*paths, allstar(tmp_path / "c.fits")], ["desi-edr"])
    catalog = found["desi-edr"]
    assert catalog.rows == 6
    assert catalog.ids("RVTAB.TARGETID").tolist() == 2 * [BIG, BIG + 1, BIG + 2]
    assert catalog.find("RVTAB.NEW") is None
    assert "parts of one desi-edr catalog" in lines[-1]
    assert others == [f"{tmp_path / 'c.fits'} (apogee-dr17)"]


def test_compilations_are_averaged_and_the_first_has_precedence(tmp_path):
    rows = {
        "gaia_source_id": [BIG, BIG, 7, BIG + 1],
        "[Fe/H]": [-2.2, -2.6, -1, np.nan],
        "e_[Fe/H]": [0.1, 0.3, 0.1, 0.1],
    }
    Table(rows).write(tmp_path / "a.csv")
    Table({"source_id": [BIG, BIG + 5], "FE_H": [-3.0, -2.9], "Mg_Fe": [0.3, 0.4]}).write(tmp_path / "b.csv")
    found, _, lines = kinds.open_catalogs([tmp_path], ["compilation"])
    assert not found
    assert sum("name the file itself if it is meant" in line for line in lines) == 2
    found, _, _ = kinds.open_catalogs([tmp_path / "a.csv", tmp_path / "b.csv"], ["compilation"])
    catalog = found["compilation"]
    assert catalog.ids("source_id").tolist() == [BIG, BIG + 1, BIG, BIG + 5]
    np.testing.assert_allclose(catalog.numbers("feh"), [-2.4, np.nan, -3.0, -2.9])
    np.testing.assert_allclose(catalog.numbers("mg_fe"), [np.nan, np.nan, 0.3, 0.4])
    np.testing.assert_allclose(catalog.numbers("feh_err")[0], 0.2)
    assert "4 entries of 2 stars; 1 entries have no Gaia identifier; 1 stars have several" in catalog.notes[0]
    assert "(1 of them differ by more than 0.3 dex" in catalog.notes[0]


def test_compilations_as_they_are_distributed(tmp_path):
    """PASTEL by VizieR has no Gaia identifiers, SAGA tabs; entries of one name are one star."""
    (tmp_path / "pastel.tsv").write_text(
        "ID|_RAJ2000|_DEJ2000|RAJ2000|DEJ2000|pmRA|pmDE|Teff|e_Teff|logg|__Fe_H_|e__Fe_H_|Author|bibcode\n"
        "HD 1|10.5|-3.25|00 42 00|-03 15 00|100.5|-7|5000|50|2.1|-2.2|0.1|A|1\n"
        "HD 1|10.5|-3.25|00 42 00|-03 15 00|100.5|-7|5100||2.3|-2.4|0.1|B|2\n"
        "HD 2|||||||6000|||-1|||3\n"
    )
    (tmp_path / "saga.tsv").write_text(
        "Object\tRA\tDecl\tReference\tTeff\tlog g\t[Fe/H]\t[Mg/Fe]\n"
        "CS1\t00:42:00.0\t-03:15:00\tA+\t4800\t1.5\t-3.1\t0.4\n\t1h00m00s\t+30d00m00s\tB+\t4700\t1.4\t-3\t0.4\n"
        "\t1h00m00s\t+30d00m00s\tC+\t4700\t1.4\t-3.2\t0.5\n"
    )
    pastel, saga = (kinds.open_catalog(tmp_path / name) for name in ("pastel.tsv", "saga.tsv"))
    assert (pastel.kind, saga.kind, pastel.rows, saga.rows) == ("compilation", "compilation", 1, 2)
    for name, value in {"ra": 10.5, "dec": -3.25, "pmra": 100.5, "pmdec": -7, "teff": 5050, "logg": 2.2, "feh": -2.3,
                        "feh_err": 0.1, "teff_err": 50}.items():  # fmt: skip
        np.testing.assert_allclose(pastel.numbers(name), [value])
    assert "3 entries of 1 stars; 1 entries have no position; 1 stars have several" in pastel.notes[0]
    np.testing.assert_allclose(np.sort(saga.numbers("ra")), [10.5, 15])
    np.testing.assert_allclose(np.sort(saga.numbers("feh")), [-3.1, -3.1])
    with pytest.raises(InputError, match=r"pastel\.tsv: no Gaia identifiers in a column .* or by position"):
        kinds.keys(pastel, "source_id")
    (tmp_path / "bad.csv").write_text("name,ra,dec,feh\nx,1:2:3:4,5:6,0\n")
    with pytest.raises(InputError, match=r"bad\.csv: column ra: '1:2:3:4' is no angle"):
        kinds.open_catalog(tmp_path / "bad.csv")


def test_identifiers_of_another_release_of_gaia(tmp_path):
    (tmp_path / "a.csv").write_text("gaia,feh\nGaia DR2 4611686018427387905,-2.5\n")
    with pytest.raises(InputError, match=r"a\.csv: column gaia: 'Gaia DR2 4611686018427387905' is not of Gaia DR3"):
        kinds.open_catalog(tmp_path / "a.csv")
    text = allstar(tmp_path / "b.fits", GAIAEDR3_SOURCE_ID=np.full(3, "Gaia DR2 4611686018427387905"))
    with pytest.raises(InputError, match="is not of Gaia DR3"):
        kinds.gaia_ids(kinds.open_catalog(text))


def test_the_truth_of_a_mock_universe_is_no_catalog(tmp_path):
    columns = {"source_id": [BIG], "feh": [-2.5], "role": ["x"], "component": ["halo"], "in_lamost": [True]}
    Table(columns).write(tmp_path / "truth.parquet")
    with pytest.raises(InputError, match="the true labels of a mock universe"):
        kinds.open_catalogs([tmp_path / "truth.parquet"], ["compilation"])
    # Under another name, and without its marks, it is still not taken from a folder for a compilation.
    (tmp_path / "compilations").mkdir()
    Table({"source_id": [BIG], "feh": [-2.4]}).write(tmp_path / "compilations" / "saga.csv")
    Table({"source_id": [BIG], "feh": [-2.5]}).write(tmp_path / "labels.csv")
    found, _, lines = kinds.open_catalogs([tmp_path], ["compilation"])
    assert [path.name for path in found["compilation"].paths] == ["saga.csv"]
    assert len(lines) == 2


def test_bits_have_their_published_numbers():
    published = {"STARFLAG": {"PERSIST_HIGH": 9, "LOW_SNR": 4, "RV_FAIL": 22}, "EXTRATARG": {"DUPLICATE": 4},
                 "ASPCAPFLAG": {"TEFF_WARN": 0, "STAR_WARN": 7, "VSINI_WARN": 14, "TEFF_BAD": 16, "STAR_BAD": 23,
                                "NO_ASPCAP_RESULT": 31}}  # fmt: skip
    for column, bits in published.items():
        assert {name: kinds.BITS[column][name] for name in bits} == bits
    assert kinds.BITS["flags"]["CONTINUUM_FAILED"] == 9


def bad_files(folder):
    """Files that must be refused, each with what the message has to say."""
    n = 3
    text = folder / "text.csv"
    text.write_text("a,b\n1,2\n")
    empty = folder / "empty.fits"
    empty.touch()
    short = mwsall(folder / "short.fits", n=2000)
    short.write_bytes(short.read_bytes()[:30000])
    broken = folder / "broken.fits.gz"
    broken.write_bytes(gzip.compress(mwsall(folder / "whole.fits", n=2000).read_bytes())[:2000])
    noise = folder / "noise.fits"
    noise.write_bytes(np.random.default_rng(0).bytes(5000))
    no_rows = folder / "norows.csv"
    no_rows.write_text("obsid,designation,gaia_source_id\n")
    no_gaia = folder / "nogaia.csv"
    no_gaia.write_text("star,[Fe/H]\nHD 1,-2\n")
    swapped = np.arange(n)[::-1] + BIG
    return {
        text: "a catalog of no kind that is known .* columns found: a, b",
        empty: "empty|no kind|cannot be read",
        short: r"truncated FITS file \(30000 bytes of \d+\)",
        broken: "truncated|damaged",
        noise: "cannot be read|no kind",
        no_rows: "the table has no rows; columns found: obsid, designation",
        no_gaia: r"needs Gaia DR3 identifiers .*, or ra and dec; columns found: star",
        allstar(folder / "dr16.fits", drop=("GAIAEDR3_SOURCE_ID",), GAIA_SOURCE_ID=np.arange(n)):
            "another release than DR17: HDU 1 has no column GAIAEDR3_SOURCE_ID; GAIA_SOURCE_ID is not of Gaia DR3",
        mwsall(folder / "swapped.fits", SPTAB={"TARGETID": swapped}):
            "rows of HDU SPTAB are not those of RVTAB: TARGETID differs in 2 rows, first in row 1",
        mwsall(folder / "sp.fits", RVTAB=None): r"no HDU RVTAB \(HDUs: SPTAB, GAIA\); use mwsall",
        mwsall(folder / "unequal.fits", GAIA={"SOURCE_ID": np.arange(5)}):
            r"differ in length \(RVTAB 3, SPTAB 3, GAIA 5\)",
        mwsall(folder / "floats.fits", RVTAB={"TARGETID": np.full(n, 1e18)}):
            r"RVTAB.TARGETID: identifiers are stored as floating point \(float64\), which loses digits",
    }  # fmt: skip


def test_bad_files_are_refused_in_one_clear_line(tmp_path):
    for path, message in bad_files(tmp_path).items():
        with pytest.raises(InputError, match=message) as error:
            kinds.open_catalog(path)
        assert str(error.value).startswith(str(path))
        assert "\n" not in str(error.value)


def test_bad_files_in_a_folder_are_passed_over_and_told(tmp_path):
    number = len(bad_files(tmp_path))
    good = allstar(tmp_path / "apogee.fits")
    found, _, lines = kinds.open_catalogs([tmp_path], ["apogee-dr17"])
    assert found["apogee-dr17"].paths == (good,)
    assert sum(line.startswith("passed over: ") for line in lines) == number
    with pytest.raises(InputError, match="no kind that is known"):
        kinds.open_catalogs([tmp_path, tmp_path / "text.csv"], ["apogee-dr17"])


def test_missing_columns_are_named_with_their_hdu(tmp_path):
    catalog = kinds.open_catalog(mwsall(tmp_path / "a.fits"))
    with pytest.raises(InputError, match=r"HDU SPTAB has no column BESTGRID .*columns found: TARGETID, FEH$"):
        catalog.column("SPTAB.BESTGRID")
    with pytest.raises(InputError, match="no HDU SCORES, which has the column MEDIAN_COADD_SNR_B"):
        catalog.column("SCORES.MEDIAN_COADD_SNR_B")
    assert catalog.column("sptab.feh").values.tolist() == [0, 0, 0]


def test_identifiers_as_text_and_as_floats(tmp_path):
    as_text = kinds.open_catalog(allstar(tmp_path / "a.fits", GAIAEDR3_SOURCE_ID=np.array([str(BIG), "0", ""])))
    assert kinds.gaia_ids(as_text).tolist() == [BIG, -1, -1]
    floats = kinds.open_catalog(allstar(tmp_path / "b.fits", GAIAEDR3_SOURCE_ID=np.full(3, float(BIG))))
    with pytest.raises(InputError, match=r"b\.fits: column GAIAEDR3_SOURCE_ID: .*floating point"):
        kinds.gaia_ids(floats)


def test_only_some_subfolders_are_searched(tmp_path):
    for name in ("a.csv", "desi/b.fits", "desi/healpix/c.fits", "other/d.csv", "lamost/e.csv.gz", "lamost/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path, _ in find_files([tmp_path])]
    assert found == ["a.csv", "lamost/e.csv.gz", "desi/b.fits"]
    with pytest.raises(InputError, match="no such file or folder"):
        find_files([tmp_path / "nothing"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no table"):
        find_files([tmp_path / "empty"])


def test_files_of_lamost_spectra_by_plan_and_fiber(tmp_path):
    """Names as those of real files: spec-LMJD-PLANID_spNN-FFF.fits (here gzipped: spec-55915-F5591503_sp05-112.fits.gz)."""
    table = Table({"obsid": [1, 2], "designation": ["J1", "J2"], "gaia_source_id": ["5", "6"], "ra": [1.0, 2], "dec": [1.0, 2],
                   "z": [0.0, 0], "snrg": [9.0, 9], "lmjd": [55915, 55916], "planid": ["F5591503", ""], "spid": [5, 5],
                   "fiberid": [112, 7]})  # fmt: skip
    table.write(tmp_path / "dr.csv")
    catalog = kinds.open_catalog(tmp_path / "dr.csv")
    assert kinds.observations(catalog, np.arange(2))["file"].tolist() == ["spec-55915-F5591503_sp05-112.fits", ""]

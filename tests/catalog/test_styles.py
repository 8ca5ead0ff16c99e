"""Catalogs in the names of DESI and of VizieR, and the names of DESI's key."""

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import QTable, Table

import transtar
from transtar.catalog import CatalogWriter, read_columns, read_metadata, write_catalog
from transtar.catalog.styles import STYLES, our_names, styled_names
from transtar.errors import InputError, SettingsError
from transtar.glossary import COLUMNS, LABELS
from transtar.labels import join, read_labels, read_stars, read_velocities
from transtar.tables import canonical_label, key_parts

BIG = 2**62 + 1
EVERY = [
    *COLUMNS,
    "velocity_err",
    *(f"{label}{end}" for label in LABELS for end in ("_err", "_lo", "_hi", "_noise", "_ens_std")),
]


def columns(survey="desi"):
    return {
        "file": np.array(["a.fits", "b.fits"]),
        "id": BIG + np.arange(2),
        "survey": np.full(2, survey),
        "star": np.array(["", "x"]),
        "ra": np.array([1.5, 2.5]),
        "dec": np.array([-1.5, 0.0]),
        "velocity": np.array([10.0, np.nan], np.float32),
        "desi_survey": np.array(["main", "sv3"]),
        "desi_program": np.array(["dark", "bright"]),
        "desi_healpix": np.array([7, -1]),
        "snr": np.array([20, 5], np.float32),
        "teff": np.array([5000, 5100], np.float32),
        "feh": np.array([-1.25, np.nan], np.float32),
        "feh_err": np.array([0.1, np.nan], np.float32),
        "feh_lo": np.array([-1.5, np.nan], np.float32),
        "flags": np.array([0, 3], np.int32),
        "mine": np.array([1.0, 2.0]),
    }


@pytest.mark.parametrize("suffix", ["parquet", "fits", "ecsv", "vot"])
@pytest.mark.parametrize("style", STYLES)
def test_each_style_is_read_as_ours(tmp_path, style, suffix):
    path = tmp_path / f"c.{suffix}"
    write_catalog(path, columns(), {"models": ["m"]}, style=style)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given = Table.read(path)
        QTable.read(path)
        table = transtar.read_catalog(path)
    wanted = {name: values for name, values in columns().items() if style != "desi" or name != "survey"}
    read = read_columns(path)
    assert list(read) == list(wanted)
    for name, values in wanted.items():
        np.testing.assert_array_equal(read[name], values, err_msg=name)
    assert str(table["feh"].unit) == "dex"
    assert read_metadata(path).get("style", "transtar") == style
    shown = {
        "transtar": {"id", "feh", "desi_survey"},
        "desi": {
            "TARGETID",
            "TARGET_RA",
            "TARGET_DEC",
            "SURVEY",
            "PROGRAM",
            "HEALPIX",
            "FEH",
            "FEH_ERR",
            "TEFF",
            "VRAD",
            "mine",
        },
        "vizier": {"ID", "Teff", "RA_ICRS", "DE_ICRS", "HRV", "mine"}
        | ({"[Fe/H]", "e_[Fe/H]"} if suffix in ("parquet", "ecsv") else {"__Fe_H_", "e__Fe_H_"}),
    }[style]
    assert shown <= set(given.colnames)
    assert len({name.lower() for name in given.colnames}) == len(given.colnames) == len(wanted)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("suffix", [".fits", ".vot"])
def test_names_are_unique_without_regard_to_case_and_lead_back(style, suffix):
    names = styled_names(EVERY, style, suffix)
    assert len({name.lower() for name in names.values()}) == len(names)
    back = our_names(names.values(), style)
    assert [back.get(name, name) for name in names.values()] == list(names)


@pytest.mark.parametrize("suffix", [".fits", ".vot"])
def test_readers_of_labels_know_the_names_of_vizier(suffix):
    for label in LABELS:
        names = styled_names([label, f"{label}_err"], "vizier", suffix)
        assert [canonical_label(name) for name in names.values()] == [label, f"{label}_err"]


def test_a_csv_of_desi_is_read_by_its_names(tmp_path):
    write_catalog(tmp_path / "c.csv", columns(), style="desi")
    read = read_columns(tmp_path / "c.csv")
    assert read["id"].tolist() == [BIG, BIG + 1]
    assert read["feh"][0] == np.float32(-1.25)


def test_rows_of_others_are_not_called_desis(tmp_path):
    lamost = columns("lamost") | {"desi_survey": np.array(["main", ""])}
    with pytest.raises(
        InputError, match="style desi is for spectra of DESI, and has no column for others; found: lamost"
    ):
        write_catalog(tmp_path / "c.fits", lamost, style="desi")
    # From SPARCL, with DESI's keys.
    write_catalog(tmp_path / "c.fits", columns("sparcl"), style="desi")
    with pytest.raises(SettingsError, match="style 'sdss' is not known; known: transtar, desi, vizier"):
        CatalogWriter(tmp_path / "c.fits", style="sdss")


def test_names_that_differ_by_case_only_are_refused(tmp_path):
    both = {"id": np.array([1]), "mine": np.array([1.0]), "Mine": np.array([2.0])}
    with pytest.raises(InputError, match="columns mine and Mine differ by case only"):
        write_catalog(tmp_path / "c.parquet", both)


def test_catalogs_of_an_older_transtar_are_read_by_our_names(tmp_path):
    old = {{"desi_survey": "SURVEY", "desi_program": "PROGRAM", "desi_healpix": "HEALPIX"}.get(name, name): values
           for name, values in columns().items()}  # fmt: skip
    pq.write_table(pa.table(old), tmp_path / "old.parquet")
    read = read_columns(tmp_path / "old.parquet")
    assert list(read) == list(columns())
    assert read["desi_survey"].tolist() == ["main", "sv3"]


@pytest.mark.parametrize("style", ["transtar", "desi"])
def test_a_catalog_serves_as_labels_by_its_compound_key(tmp_path, style):
    """`survey` says desi in each row, and is no part of the key."""
    one = columns() | {"id": np.array([BIG, BIG])}
    write_catalog(tmp_path / "labels.fits", one, style=style)
    table = read_labels(tmp_path / "labels.fits")
    assert table["desi_survey" if style == "transtar" else "SURVEY"].tolist() == ["main", "sv3"]
    keys = {"SURVEY": np.array(["sv3"]), "PROGRAM": np.array(["bright"]), "HEALPIX": np.array([7])}
    rows, report = join({name: values for name, values in table.items() if name != "file"}, file=np.array(["z"]),
                        ids=np.array([BIG]), labels=("teff",), keys=keys | {"HEALPIX": np.array([-1])})  # fmt: skip
    assert (rows.tolist(), report.key) == ([1], "id, SURVEY, PROGRAM, HEALPIX")


def test_a_catalog_serves_as_list_of_stars_and_of_velocities(tmp_path):
    write_catalog(tmp_path / "c.parquet", columns())
    for table in (read_stars(tmp_path / "c.parquet"), read_velocities(tmp_path / "c.parquet")):
        order = np.argsort(table["id"])
        assert table["SURVEY"][order].tolist() == ["main", "sv3"]
        assert table["HEALPIX"][order].tolist() == [7, -1]


def test_the_name_of_the_survey_is_no_part_of_a_key():
    """As in a catalog of DESI spectra that an older transtar predicted from a prepared set."""
    table = {"id": np.array([BIG]), "survey": np.array(["desi"]), "flags": np.array([0]), "teff": np.array([5000.0])}
    keys = {"SURVEY": np.array(["main"])}
    rows, _ = join(table, file=np.array([""]), ids=np.array([BIG]), labels=("teff",), keys=keys)
    assert rows.tolist() == [0]


def test_parts_of_a_key_by_any_spelling():
    assert key_parts(["id", "survey", "program"]) == {"SURVEY": "survey", "PROGRAM": "program"}
    assert key_parts(["survey", "SURVEY", "HEALPIX"]) == {"SURVEY": "SURVEY", "HEALPIX": "HEALPIX"}
    assert key_parts(["survey", "desi_survey", "SURVEY"]) == {"SURVEY": "desi_survey"}
    assert key_parts(["survey", "flags", "PROGRAM"]) == {"PROGRAM": "PROGRAM"}

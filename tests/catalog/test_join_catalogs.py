"""A catalog joined to tables: each row of the table where it belongs, by loops over all rows and by astropy."""

import astropy.units as u
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time

from tests.made_catalogs import write_catalogs
from transtar.catalog import join_catalog, read_columns, read_metadata, write_catalog
from transtar.catalog.join_sides import MWS_COLUMNS
from transtar.errors import InputError, SettingsError
from transtar.labels import mws_catalog
from transtar.tables.fits import list_tables

BIG = 2**62 + 1


def made(path, ids, **columns):
    n = len(ids)
    base = {
        "file": np.array([f"{row}.fits" for row in range(n)]), "id": np.array(ids, np.int64), "survey": np.full(n, "lamost"),
        "star": np.full(n, ""), "ra": np.linspace(10, 20, n), "dec": np.linspace(-5, 5, n), "feh": np.zeros(n, np.float32),
        "flags": np.zeros(n, np.int32),
    }  # fmt: skip
    write_catalog(path, base | columns, {"models": ["some"]})
    return path


@pytest.mark.parametrize("suffix", ["parquet", "fits", "csv"])
def test_every_row_stays_and_what_is_missing_says_so(tmp_path, suffix):
    catalog = made(tmp_path / "catalog.parquet", [BIG, 7, -1, 9])
    table = Table({"obsid": [9, BIG, -1], "TEFF": [5000.5, 6000.5, 1.0], "name": ["nine", "big", "none"],
                   "gaia": np.array([BIG + 2, BIG + 4, 3]), "quick": [True, False, True]})  # fmt: skip
    table.write(tmp_path / "table.parquet")
    out = tmp_path / f"out.{suffix}"
    joined = join_catalog(catalog, tmp_path / "table.parquet", out)
    columns = read_columns(out)
    assert columns["id"].tolist() == [BIG, 7, -1, 9]
    np.testing.assert_array_equal(columns["teff_2"], [6000.5, np.nan, np.nan, 5000.5])
    assert columns["name"].tolist() == ["big", "", "", "nine"]
    assert columns["gaia"].tolist() == [BIG + 4, -1, -1, BIG + 2]
    assert columns["quick"].tolist() == [0, -1, -1, 1]
    assert columns["matched"].astype(bool).tolist() == [True, False, False, True]
    assert (joined.matched, joined.alone, joined.nameless, joined.unused, joined.several) == (2, 2, 1, 1, 0)
    assert joined.by == "id (obsid of table.parquet)"
    if suffix != "csv":
        metadata = read_metadata(out)
        assert metadata["models"] == ["some"]
        assert metadata["joins"][0]["table"] == "table.parquet"
        assert metadata["joins"][0]["columns"]["teff_2"] == "TEFF"
        assert metadata["joins"][0]["units"] == {"teff_2": "K"}


def test_only_the_matched_and_the_columns_that_are_named(tmp_path):
    catalog = made(tmp_path / "catalog.parquet", [1, 2, 3])
    Table({"obsid": [3, 1], "a": [30, 10], "b": [1, 2]}).write(tmp_path / "t.csv")
    joined = join_catalog(catalog, tmp_path / "t.csv", tmp_path / "out.parquet", take=["A"], inner=True)
    columns = read_columns(tmp_path / "out.parquet")
    assert (columns["id"].tolist(), columns["a"].tolist()) == ([1, 3], [10, 30])
    assert not {"b", "matched"} & set(columns)
    assert joined.out_rows == 2
    with pytest.raises(InputError, match=r"t\.csv: no column c; columns: obsid, a, b"):
        join_catalog(catalog, tmp_path / "t.csv", tmp_path / "out.parquet", take=["c"])


def test_rows_of_the_table_that_repeat(tmp_path):
    catalog = made(tmp_path / "catalog.parquet", [1, 2, 3])
    Table({"obsid": [1, 2, 2, 1], "a": [10, 20, 21, 10], "b": [5, 6, 6, 5]}).write(tmp_path / "t.csv")
    out = tmp_path / "out.parquet"
    with pytest.raises(
        InputError, match=r"1 rows of the catalog have several rows in it that differ, the first row 2 of the"
    ):
        join_catalog(catalog, tmp_path / "t.csv", out)
    assert not out.exists()
    assert join_catalog(catalog, tmp_path / "t.csv", out, several="take").several == 1
    assert read_columns(out)["a"].tolist() == [10, 20, -1]
    dropped = join_catalog(catalog, tmp_path / "t.csv", out, several="drop")
    assert read_columns(out)["a"].tolist() == [10, -1, -1]
    assert (dropped.matched, dropped.alone, dropped.several) == (1, 1, 1)
    # They agree in this column.
    assert join_catalog(catalog, tmp_path / "t.csv", out, take=["b"]).several == 0
    assert read_columns(out)["b"].tolist() == [5, 6, -1]


def test_rows_of_the_catalog_may_share_a_row(tmp_path):
    catalog = made(tmp_path / "catalog.parquet", [1, 2, 3], star=np.array(["a", "b", "a"]))
    Table({"star": ["a", "c"], "v": [1.5, 2.5]}).write(tmp_path / "t.csv")
    joined = join_catalog(catalog, tmp_path / "t.csv", tmp_path / "out.parquet")
    assert (joined.by, joined.shared, joined.unused) == ("star (star of t.csv)", 2, 1)
    np.testing.assert_array_equal(read_columns(tmp_path / "out.parquet")["v"], [1.5, np.nan, 1.5])


def test_what_could_be_joined_by_chance_is_refused(tmp_path):
    out = tmp_path / "out.parquet"
    catalog = made(tmp_path / "catalog.parquet", [1, 2, 3])
    Table({"targetid": [1, 2, 3], "a": [1, 2, 3]}).write(tmp_path / "desi.csv")
    with pytest.raises(InputError, match=r"by id \(targetid of the table, obsid of the catalog\); name the columns"):
        join_catalog(catalog, tmp_path / "desi.csv", out)
    assert join_catalog(catalog, tmp_path / "desi.csv", out, columns={"id": "targetid"}).matched == 3
    two = made(tmp_path / "two.parquet", [1, 2, 3], survey=np.array(["lamost", "desi", "miles"]))
    Table({"id": [1, 2, 3], "a": [1, 2, 3]}).write(tmp_path / "ids.csv")
    with pytest.raises(InputError, match=r"rows of several surveys \(desi, lamost, miles\)"):
        join_catalog(two, tmp_path / "ids.csv", out)
    Table({"obsid": [11], "a": [1]}).write(tmp_path / "other.csv")
    with pytest.raises(InputError, match=r"id \(catalog: 1, table: 11\)"):
        join_catalog(catalog, tmp_path / "other.csv", out)


def test_a_file_of_several_spectra_is_no_key(tmp_path):
    catalog = made(tmp_path / "catalog.parquet", [1, 2], file=np.array(["a.fits", "a.fits"]))
    Table({"file": ["a.fits"], "a": [1]}).write(tmp_path / "t.csv")
    with pytest.raises(InputError, match=r"file \(which holds several spectra\)"):
        join_catalog(catalog, tmp_path / "t.csv", tmp_path / "out.parquet")


def test_names_that_clash(tmp_path):
    catalog = made(tmp_path / "catalog.parquet", [1, 2], note=np.array(["x", "y"]))
    Table({"obsid": [1, 2], "NOTE": ["p", "q"], "e_feh": [0.1, 0.2], "snr": [7.0, 8.0]}).write(tmp_path / "t.csv")
    joined = join_catalog(catalog, tmp_path / "t.csv", tmp_path / "once.parquet")
    assert joined.columns == {"NOTE_2": "NOTE", "feh_err_2": "e_feh", "snr_2": "snr"}
    twice = join_catalog(tmp_path / "once.parquet", tmp_path / "t.csv", tmp_path / "twice.fits")
    assert list(twice.columns) == ["NOTE_3", "feh_err_3", "snr_3"]
    assert {"matched", "matched_3"} <= set(read_columns(tmp_path / "twice.fits"))
    assert [one["catalog"] for one in read_metadata(tmp_path / "twice.fits")["joins"]] == [
        "catalog.parquet",
        "once.parquet",
    ]
    with pytest.raises(SettingsError, match="would be called NOTE, which is taken"):
        join_catalog(catalog, tmp_path / "t.csv", tmp_path / "never.parquet", suffix="")
    Table({"obsid": [1, 2], "feh": [0.1, 0.2]}).write(tmp_path / "u.csv")
    with pytest.raises(SettingsError, match="would be called feh_err"):
        join_catalog(catalog, tmp_path / "u.csv", tmp_path / "never.parquet", suffix="_err")


def test_settings_that_cannot_be(tmp_path):
    catalog = made(tmp_path / "catalog.parquet", [1])
    for wrong in ({"by": "name"}, {"several": "all"}, {"radius": 0.0}, {"epoch": 15.5}, {"table_epoch": np.nan}):
        with pytest.raises(SettingsError):
            join_catalog(catalog, catalog, tmp_path / "out.parquet", **wrong)
    with pytest.raises(InputError):
        join_catalog(catalog, catalog, catalog)


@pytest.mark.filterwarnings("ignore:ERFA function")
def test_positions_with_proper_motions_as_astropy_has_them(tmp_path):
    """LAMOST's positions of 2000 against Gaia's of 2016: fast stars are 16 years further on."""
    rng = np.random.default_rng(3)
    n = 400
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    ra[:3], dec[:3] = [0.00001, 359.99999, 100], [0, 0, 89.99]
    pmra, pmdec = rng.normal(0, 400, n), rng.normal(0, 400, n)
    stars = SkyCoord(ra * u.deg, dec * u.deg, pm_ra_cosdec=pmra * u.mas / u.yr, pm_dec=pmdec * u.mas / u.yr,
                     obstime=Time(2016.0, format="jyear"))  # fmt: skip
    before = stars.apply_space_motion(new_obstime=Time(2000.0, format="jyear"))
    order = rng.permutation(n)
    catalog = made(tmp_path / "catalog.parquet", np.arange(n), ra=before.ra.deg[order], dec=before.dec.deg[order])
    # A second star beside one of them, a little further off.
    rows = np.append(np.arange(n), order[5])
    table = Table({"source_id": np.arange(n + 1) + BIG, "ra": ra[rows], "dec": dec[rows], "pmra": pmra[rows],
                   "pmdec": pmdec[rows]})  # fmt: skip
    table["dec"][n] += 0.4 / 3600
    table.write(tmp_path / "gaia.fits")
    out = tmp_path / "out.parquet"
    joined = join_catalog(catalog, tmp_path / "gaia.fits", out, by="position")
    columns = read_columns(out)
    assert columns["source_id"].tolist() == (order + BIG).tolist()
    assert columns["separation"].max() < 1e-4
    assert joined.by.startswith(
        "position within 1 arcsec at epoch 2000 (catalog: epoch 2000, that of lamost; table: epoch 2016"
    )
    assert (joined.several, joined.matched, joined.unused) == (1, n, 1)
    # As if nothing moved, most are lost.
    still = join_catalog(catalog, tmp_path / "gaia.fits", out, by="position", table_epoch=2000)
    assert still.matched < n / 20
    far = read_columns(out)
    places = SkyCoord(far["ra"] * u.deg, far["dec"] * u.deg), SkyCoord(far["ra_2"] * u.deg, far["dec_2"] * u.deg)
    near = far["matched"]
    np.testing.assert_allclose(far["separation"][near], places[0].separation(places[1])[near].arcsec, atol=1e-6)
    with pytest.raises(InputError, match="1 rows of the catalog have several rows in it that differ, the first row 6"):
        join_catalog(catalog, tmp_path / "gaia.fits", out, by="position", several="refuse")
    assert join_catalog(catalog, tmp_path / "gaia.fits", out, by="position", several="drop").matched == n - 1


def test_epochs_of_a_catalog_are_those_of_its_survey(tmp_path):
    """What an earlier join has brought is the epoch of other positions."""
    catalog = made(tmp_path / "catalog.parquet", [1, 2], ref_epoch=np.full(2, 2016.0), survey=np.full(2, "desi"))
    Table({"ra": [10.0, 20.0], "dec": [-5.0, 5.0], "a": [1, 2]}).write(tmp_path / "t.csv")
    joined = join_catalog(catalog, tmp_path / "t.csv", tmp_path / "out.parquet", by="position")
    assert "catalog: epoch 2015.5, that of desi; table: epoch 2000, for it states none" in joined.by
    stated = join_catalog(catalog, tmp_path / "t.csv", tmp_path / "out.parquet", by="position", epoch=2010.25)
    assert "at epoch 2010.25 (catalog: epoch 2010.25 as stated" in stated.by
    mixed = made(tmp_path / "mixed.parquet", [1, 2], survey=np.array(["desi", "lamost"]))
    with pytest.raises(InputError, match="positions of desi, lamost are of several epochs"):
        join_catalog(mixed, tmp_path / "t.csv", tmp_path / "out.parquet", by="position")


@pytest.fixture(scope="module")
def mws(tmp_path_factory):
    """A mock catalog of the Milky Way Survey, and a catalog of predictions for some of its rows."""
    folder = tmp_path_factory.mktemp("mws")
    write_catalogs(folder)
    path = folder / "desi" / "mwsall-pix-iron.fits"
    with fits.open(path) as hdus:
        rv, gaia = hdus["RVTAB"].data, hdus["GAIA"].data
        rows = np.random.default_rng(1).permutation(len(rv))[:300]
        truth = gaia["SOURCE_ID"][rows].astype(np.int64)
        ids = rv["TARGETID"][rows].astype(np.int64)
        parts = {name: np.char.strip(rv[name][rows].astype(str)) for name in ("SURVEY", "PROGRAM")}
        parts["HEALPIX"] = rv["HEALPIX"][rows].astype(np.int64)
    return path, ids, parts, truth


@pytest.mark.parametrize("spelt", ["{}", "desi_{}"])
def test_gaia_ids_of_desi_by_the_compound_key(mws, tmp_path, spelt):
    path, ids, parts, truth = mws
    named = {f"desi_{name.lower()}": values.copy() for name, values in parts.items()}
    # One of an observation that the table does not have.
    named["desi_survey"][0] = "sv9"
    catalog = made(tmp_path / "desi.parquet", ids, survey=np.full(len(ids), "desi"), **named)
    if spelt == "{}":
        older_names(catalog)
    joined = join_catalog(catalog, path, tmp_path / "out.fits")
    columns = read_columns(tmp_path / "out.fits")
    wanted = np.where(truth > 2**32, truth, -1)
    assert columns["source_id"].dtype == np.int64
    assert columns["source_id"].tolist() == [-1, *wanted[1:]]
    assert joined.by.startswith("id, SURVEY, PROGRAM, HEALPIX (RVTAB.TARGETID, ")
    assert joined.alone == 1
    assert joined.no_gaia == (wanted[1:] == -1).sum()
    assert set(MWS_COLUMNS) <= set(columns)


def older_names(path):
    """As catalogs of older versions have them: DESI's own, SURVEY beside our survey."""
    table = pq.read_table(path)
    path.unlink()
    pq.write_table(
        table.rename_columns(
            [name.removeprefix("desi_").upper() if "desi_" in name else name for name in table.column_names]
        ),
        path,
    )


def test_usual_and_other_columns_of_the_mws(mws, tmp_path):
    path, ids, parts, _ = mws
    named = {f"desi_{name.lower()}": values for name, values in parts.items()}
    catalog = made(tmp_path / "desi.parquet", ids, survey=np.full(len(ids), "desi"), **named)
    opened = mws_catalog.open_catalog(path, list_tables(path))
    every = mws_catalog.observations(opened, np.arange(3))
    assert set(MWS_COLUMNS) == set(every) - {"targetid", "survey", "program", "healpix", "ra", "dec"}
    out = tmp_path / "out.parquet"
    joined = join_catalog(catalog, path, out, take=["source_id", "SCORES.MEDIAN_COADD_SNR_B", "ruwe"])
    assert joined.columns == {
        "source_id": "source_id",
        "MEDIAN_COADD_SNR_B": "SCORES.MEDIAN_COADD_SNR_B",
        "RUWE": "GAIA.RUWE",
    }
    assert joined.matched == len(ids)


def test_all_digits_of_numbers_in_text(tmp_path):
    """Double precision is written with 17 digits, which is a number; 17 digits before the point are a name."""
    catalog = made(tmp_path / "catalog.parquet", [1, 2])
    (tmp_path / "t.csv").write_text("obsid,a,b\n1,-0.04133450787535457,12345678901234567.5\n2,1.5,2.5\n")
    join_catalog(catalog, tmp_path / "t.csv", tmp_path / "out.parquet")
    columns = read_columns(tmp_path / "out.parquet")
    assert columns["a"].tolist() == [-0.04133450787535457, 1.5]
    assert columns["b"].tolist() == ["12345678901234567.5", "2.5"]


def test_rows_of_a_catalog_without_flags_have_none(tmp_path):
    catalog = pa.table({"obsid": [1, 2], "flags": pa.array([4, None], pa.int32()), "feh": [0.5, None]})
    pq.write_table(catalog, tmp_path / "catalog.parquet")
    Table({"obsid": [2], "a": [3]}).write(tmp_path / "t.csv")
    join_catalog(tmp_path / "catalog.parquet", tmp_path / "t.csv", tmp_path / "out.parquet")
    columns = read_columns(tmp_path / "out.parquet")
    assert columns["flags"].tolist() == [4, 0]
    np.testing.assert_array_equal(columns["feh"], np.float32([0.5, np.nan]))
    assert columns["a"].tolist() == [-1, 3]


def test_no_row_with_a_position_is_told_as_such(tmp_path):
    nowhere = {"id": np.arange(3), "ra": np.full(3, np.nan), "dec": np.full(3, np.nan), "flags": np.zeros(3, np.int32)}
    write_catalog(tmp_path / "c.parquet", nowhere)
    (tmp_path / "t.csv").write_text("ra,dec,g\n1,2,3\n")
    with pytest.raises(InputError, match=r"c.parquet: no row has a position"):
        join_catalog(tmp_path / "c.parquet", tmp_path / "t.csv", tmp_path / "out.parquet", by="position")

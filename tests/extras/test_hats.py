"""The extra `hats`: selections that match with Gaia as a HATS catalog, which is never loaded whole; catalogs as such folders."""

import json
import sys
import warnings

import lsdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from transtar.catalog import write_catalog, write_hats
from transtar.errors import InputError, TranstarError
from transtar.labels import Positions, match_positions
from transtar.selections import select

from ..selections.made_sky import N, line, make_sky, selection
from ..test_readme import ROOT, blocks

BIG = 2**62 + 1


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_sky(tmp_path_factory.mktemp("sky"))


@pytest.fixture(scope="module")
def hats(world):
    catalog = lsdb.from_dataframe(world.gaia.to_pandas(), catalog_name="gaia", lowest_order=2, partition_rows=300,
                                 margin_threshold=None, should_generate_moc=False)  # fmt: skip
    catalog.write_catalog(world.folder / "hats", progress_bar=False)
    return world.folder / "hats"


@pytest.mark.parametrize("ambiguous", ["drop", "nearest"])
def test_a_hats_catalog_matches_as_its_table_does(world, hats, tmp_path, ambiguous):
    match = [{"tables": ["gaia"], "by": "position", "ambiguous": ambiguous}]
    asked, lamost = selection(tmp_path, match=match), world.folder / "lamost.csv"
    table, large = (select(asked, [lamost, gaia]) for gaia in (world.folder / "gaia.parquet", f"gaia={hats}"))
    assert list(table.columns) == list(large.columns)
    for name, values in table.columns.items():
        np.testing.assert_array_equal(large.columns[name], values, err_msg=name)
    counts = [line(found, "by position").partition("; of gaia")[0] for found in (table, large)]
    assert counts[0] == counts[1]
    read, total = (int(line(large, "partitions read").split()[k]) for k in (1, 3))
    assert 0 < read < total / 4


def test_a_hats_catalog_by_source_id(world, hats, tmp_path):
    lamost = world.lamost.copy()
    lamost["gaia_source_id"] = world.ids.astype(str)
    lamost["gaia_source_id"][:5] = ""
    lamost.write(tmp_path / "lamost.csv")
    with pytest.raises(InputError, match="hats: none of the stars has a source_id to look for"):
        select(selection(tmp_path, tables={"lamost": {"kind": "lamost", "cuts": [{"column": "obsid", "below": 2**62 + 5}]},
                                           "gaia": {"kind": "gaia"}}, match=[{"tables": ["gaia"]}]),
               [tmp_path / "lamost.csv", hats])  # fmt: skip
    asked = selection(tmp_path, match=[{"tables": ["gaia"], "by": "source_id"}])
    table, large = (select(asked, [tmp_path / "lamost.csv", gaia]) for gaia in (world.folder / "gaia.parquet", hats))
    assert len(table) == N - 5
    for name, values in table.columns.items():
        np.testing.assert_array_equal(large.columns[name], values, err_msg=name)


def test_in_memory_match_of_the_same_stars(world, hats, tmp_path):
    """What the selection finds is what the function finds."""
    gaia, lamost = world.gaia, world.lamost
    columns = {c: np.asarray(gaia[c]) for c in ("ra", "dec", "pmra", "pmdec")}
    theirs = Positions(epoch=2016.0, **columns).take(np.flatnonzero(gaia["ruwe"] < 1.4))
    rows, _ = match_positions(Positions(np.asarray(lamost["ra"]), np.asarray(lamost["dec"]), 2000.0), theirs)
    found = select(selection(tmp_path), [world.folder / "lamost.csv", hats])
    np.testing.assert_array_equal(found.columns["obsid"], np.asarray(lamost["obsid"])[rows >= 0])
    np.testing.assert_array_equal(
        found.columns["source_id"], np.asarray(gaia["source_id"])[gaia["ruwe"] < 1.4][rows[rows >= 0]]
    )


def test_hats_catalogs_that_cannot_be_used(world, hats, tmp_path, monkeypatch):
    lamost = world.folder / "lamost.csv"
    with pytest.raises(InputError, match=r"no column colour .*columns found: source_id, ra, dec"):
        select(selection(tmp_path, tables={"lamost": {"kind": "lamost"}, "gaia": {"kind": "gaia", "columns": ["colour"]}}),
               [lamost, hats])  # fmt: skip
    with pytest.raises(InputError, match="of a lamost catalog name the file"):
        select(selection(tmp_path), [lamost, f"lamost={hats}"])
    with pytest.raises(InputError, match="matched by source_id or by position, not by targetid"):
        select(selection(tmp_path, match=[{"tables": ["gaia"], "by": "targetid"}]), [lamost, hats])
    with pytest.raises(InputError, match="of gaia catalogs in HATS give only one"):
        select(selection(tmp_path), [lamost, hats, world.folder / "gaia.parquet"])
    with pytest.raises(InputError, match="can be joined with"):
        select(selection(tmp_path, rows="gaia", match=[{"tables": ["lamost"], "by": "position"}]), [lamost, hats])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "hats.properties").write_text("obs_collection=x\n")
    with pytest.raises(InputError, match="broken: cannot be read as a HATS catalog"):
        select(selection(tmp_path), [lamost, tmp_path / "broken"])
    monkeypatch.setitem(sys.modules, "lsdb", None)
    with pytest.raises(TranstarError, match=r"needs the package 'lsdb': pip install 'transtar\[hats\]'"):
        select(selection(tmp_path), [lamost, hats])


def catalog_columns(n=400):
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, n), rng.uniform(-80, 80, n)
    dec[7] = np.nan
    feh = rng.normal(-1, 0.5, n).astype(np.float32)
    feh[5] = np.nan
    return {"file": np.full(n, "a.fits"), "id": BIG + np.arange(n), "survey": np.full(n, "desi"), "ra": ra, "dec": dec,
            "feh": feh, "flags": np.zeros(n, np.int32)}  # fmt: skip


@pytest.fixture
def catalog_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_catalog("desi.parquet", catalog_columns(), {"models": ["mock-feh"]})
    return tmp_path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_lsdb_opens_a_catalog(catalog_folder, caplog):
    assert write_hats("desi.parquet", "desi.hats", partition_rows=100) == 399
    assert "desi.parquet: 1 of 400 rows have no position and are not in desi.hats" in caplog.text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Of pandas, about what LSDB does inside.
        warnings.simplefilter("ignore", DeprecationWarning)
        opened = lsdb.open_catalog(catalog_folder / "desi.hats")
        frame = opened.compute(progress_bar=False).sort_values("id")
    assert len(opened.get_healpix_pixels()) > 4
    given = {name: np.delete(values, 7) for name, values in catalog_columns().items()}
    assert [int(one) for one in frame["id"]] == given["id"].tolist()
    np.testing.assert_array_equal(frame["feh"].to_numpy(np.float32, na_value=np.nan), given["feh"])
    field = pq.read_schema(catalog_folder / "desi.hats/dataset/_common_metadata").field("feh")
    assert (field.metadata[b"unit"], field.metadata[b"ucd"]) == (b"dex", b"phys.abund.Fe")
    lines = (catalog_folder / "desi.hats/hats.properties").read_text().splitlines()
    properties = dict(one.split("=", 1) for one in lines if "=" in one)
    assert json.loads(properties["transtar"].replace("\\", "")) == {"models": ["mock-feh"]}
    with pytest.raises(InputError, match="exists already; name a new folder"):
        write_hats("desi.parquet", "desi.hats")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_match_that_the_page_shows(catalog_folder):
    stars = catalog_columns()
    near = np.arange(0, 400, 3)[1:]
    table = {"source_id": BIG + 1000 + near, "ra": (stars["ra"][near] + 0.3 / 3600) % 360, "dec": stars["dec"][near],
             "parallax": np.full(len(near), 0.5), "g_mag": np.full(len(near), 15.0)}  # fmt: skip
    table = {name: values[np.isfinite(table["dec"])] for name, values in table.items()}
    (catalog_folder / "universe").mkdir()
    pq.write_table(pa.table(table), catalog_folder / "universe/truth.parquet")
    _, (_, content) = blocks(ROOT / "docs" / "catalogs.md", "python")
    names: dict = {}
    exec(content, names)
    matched = names["matched"].sort_values("id")
    # By astropy, on its own.
    placed = np.isfinite(stars["dec"])
    ours = SkyCoord(stars["ra"][placed], stars["dec"][placed], unit="deg")
    place, apart, _ = ours.match_to_catalog_sky(SkyCoord(table["ra"], table["dec"], unit="deg"))
    same = apart < 1 * u.arcsec
    assert [int(one) for one in matched["id"]] == stars["id"][placed][same].tolist()
    assert [int(one) for one in matched["source_id"]] == table["source_id"][place[same]].tolist()
    # 15 mag at 2000 pc.
    np.testing.assert_allclose(matched["absolute_mag"].to_numpy(float), 15 - 5 * np.log10(2000 / 10), atol=1e-6)


def test_what_has_no_place_on_the_sky(catalog_folder, monkeypatch):
    write_catalog("nowhere.csv", {"id": np.array([1]), "feh": np.array([0.0])})
    with pytest.raises(InputError, match="has no columns ra and dec"):
        write_hats("nowhere.csv", "x")
    write_catalog("blank.csv", {"id": np.array([1]), "ra": np.array([np.nan]), "dec": np.array([1.0])})
    with pytest.raises(InputError, match="no row has a position"):
        write_hats("blank.csv", "x")
    monkeypatch.setitem(sys.modules, "lsdb", None)
    with pytest.raises(TranstarError, match=r"transtar\[hats\]"):
        write_hats("desi.parquet", "x")

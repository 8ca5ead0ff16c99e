"""The extra `hats`: selections that match with Gaia as a HATS catalog, which is never loaded whole."""

import sys

import lsdb
import numpy as np
import pytest

from transtar.errors import InputError, TranstarError
from transtar.labels import Positions, match_positions
from transtar.selections import select

from ..selections.made_sky import N, line, make_sky, selection


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
    with pytest.raises(InputError, match="hats: none of our stars has a source_id to look for"):
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

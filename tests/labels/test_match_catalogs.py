"""Selections that match by position, with Gaia as a table and as a HATS catalog that is never loaded whole."""

from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from astropy.io import fits
from astropy.table import Table

from transtar.errors import InputError, SettingsError, TranstarError
from transtar.labels import Positions, match_positions
from transtar.labels.select import select
from transtar.labels.selection import load_selection
from transtar.simulate.sky import source_ids

N, FIELD = 300, 60
"""Stars with spectra, and stars of Gaia for each of them that have none."""


def moved(table, epoch):
    """Right ascension and declination at another epoch; degrees."""
    return Positions(*(np.asarray(table[c]) for c in ("ra", "dec", "ref_epoch", "pmra", "pmdec"))).moved(epoch)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Gaia of the whole sky; LAMOST, without identifiers of Gaia, of two regions, one of them at a pole and at RA 0."""
    folder, rng = tmp_path_factory.mktemp("sky"), np.random.default_rng(5)
    n = N * (FIELD + 1)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    ra[:N] = np.where(np.arange(N) % 2, rng.uniform(40, 48, N), rng.uniform(-2, 2, N) % 360)
    dec[:N] = np.where(np.arange(N) % 2, rng.uniform(20, 26, N), rng.uniform(88, 90, N))
    gaia = Table({"source_id": source_ids(ra, dec), "ra": ra, "dec": dec, "ref_epoch": np.full(n, 2016.0),
                  "pmra": rng.normal(0, 60, n), "pmdec": rng.normal(0, 60, n), "parallax": np.full(n, 1.0),
                  "phot_g_mean_mag": rng.uniform(10, 18, n), "ruwe": np.ones(n)})  # fmt: skip
    gaia["pmra"][0], gaia["pmdec"][1] = 10400.0, -9000.0
    gaia["pmra"][2] = gaia["pmdec"][2] = np.nan
    gaia["ruwe"][3] = 5.0
    old = moved(gaia, 2000.0)
    # A companion within the radius makes stars 10 to 19 ambiguous.
    gaia["ra"][N : N + 10] = (old[0][10:20] + 0.4 / 3600 / np.cos(np.radians(old[1][10:20]))) % 360
    gaia["dec"][N : N + 10] = old[1][10:20]
    gaia["pmra"][N : N + 10] = gaia["pmdec"][N : N + 10] = 0.0
    gaia["source_id"] = source_ids(np.asarray(gaia["ra"]), np.asarray(gaia["dec"]))
    gaia.write(folder / "gaia.parquet")
    seen = np.arange(N)
    lamost = Table({"obsid": seen + 2**62, "designation": np.full(N, "J"), "ra": old[0][:N], "dec": old[1][:N],
                    "z": np.zeros(N), "snrg": np.full(N, 50.0)})  # fmt: skip
    # One that Gaia has not, and one without position.
    lamost["dec"][20] -= 1
    lamost["ra"][21] = np.nan
    lamost.write(folder / "lamost.csv")
    columns = {"APOGEE_ID": np.full(N, "2M"), "STARFLAG": np.zeros(N, "i4"), "ASPCAPFLAG": np.zeros(N, "i8"),
               "GAIAEDR3_SOURCE_ID": np.asarray(gaia["source_id"])[:N], "SNR": np.full(N, 90.0),
               "RA": moved(gaia, 1999.5)[0][:N], "DEC": moved(gaia, 1999.5)[1][:N]}  # fmt: skip
    for name in ("TEFF", "LOGG", "FE_H", "M_H", "ALPHA_M", "MG_FE"):
        columns[name], columns[f"{name}_ERR"] = np.arange(N) / 100.0, np.full(N, 0.1)
    columns["TEFF"] = 5000 + np.arange(N) / 100.0
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(Table(columns))]).writeto(folder / "allstar.fits")
    return SimpleNamespace(folder=folder, gaia=gaia, ids=np.asarray(gaia["source_id"])[:N], lamost=lamost)


@pytest.fixture(scope="module")
def hats(world):
    lsdb = pytest.importorskip("lsdb")
    catalog = lsdb.from_dataframe(world.gaia.to_pandas(), catalog_name="gaia", lowest_order=2, partition_rows=300,
                                 margin_threshold=None, should_generate_moc=False)  # fmt: skip
    catalog.write_catalog(world.folder / "hats", progress_bar=False)
    return world.folder / "hats"


def selection(folder, **changes):
    content = {
        "title": "LAMOST stars", "source": "this test", "rows": "lamost",
        "tables": {
            "lamost": {"kind": "lamost"},
            "gaia": {"kind": "gaia", "columns": ["phot_g_mean_mag", "source_id"],
                     "cuts": [{"column": "ruwe", "below": 1.4, "source": "s"}]},
        },
        "match": [{"tables": ["gaia"], "by": "position"}], **changes,
    }  # fmt: skip
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_selection(str(path))


def line(selected, start):
    return next(line for line in selected.lines if start in line)


def test_positions_bring_identifiers_photometry_and_labels(world, tmp_path):
    tables = {"lamost": {"kind": "lamost"}, "gaia": {"kind": "gaia", "columns": ["phot_g_mean_mag"]},
              "apogee": {"kind": "apogee-dr17"}}  # fmt: skip
    matches = [{"tables": ["gaia"], "by": "position"}, {"tables": ["apogee"], "by": "source_id", "of": "gaia"}]
    asked = selection(tmp_path, tables=tables, match=matches)
    found = select(asked, [world.folder / name for name in ("lamost.csv", "gaia.parquet", "allstar.fits")])
    star = found.columns["obsid"] - 2**62
    # Lost: the companions' ten, one that is not in Gaia, one without position, one that moves and is not known to.
    assert len(star) > N - 16
    assert set(range(10, 22)).isdisjoint(star.tolist())
    assert {0, 1} <= set(star.tolist())
    np.testing.assert_array_equal(found.columns["source_id"], world.ids[star])
    np.testing.assert_allclose(found.columns["feh"], star / 100.0)
    np.testing.assert_allclose(found.columns["phot_g_mean_mag_gaia"], np.asarray(world.gaia["phot_g_mean_mag"])[star])
    text = line(found, "by position within 1 arcsec at epoch 2000")
    assert "10 are ambiguous (dropped)" in text
    assert "1 have no position" in text
    assert "299 of lamost, 1 of gaia" in text
    assert f"{len(star)} rows that have none of their own take that of gaia; 0 rows have another" in line(
        found, "none of their own"
    )
    (step,) = [step for step in found.steps if step.name == "in gaia by position within 1 arcsec"]
    assert (step.rows, step.lost) == (len(star), N - len(star))


def test_settings_of_a_match_by_position(world, tmp_path):
    paths = [world.folder / "lamost.csv", world.folder / "gaia.parquet"]

    def matched(**changes):
        found = select(selection(tmp_path, **changes), paths)
        return found, set((found.columns["obsid"] - 2**62).tolist())

    near, default = {"tables": ["gaia"], "by": "position"}, matched()[1]
    nearest, more = matched(match=[{**near, "ambiguous": "nearest"}])
    assert more == default | set(range(10, 20))
    assert "(the nearest taken)" in line(nearest, "by position")
    # Without motion the fast ones are missed.
    still, fewer = matched(match=[{**near, "epoch": 2016.0}])
    assert {0, 1}.isdisjoint(fewer)
    assert "at epoch 2016:" in line(still, "by position")
    tables = {"lamost": {"kind": "lamost", "position": {"epoch": 2016.0}}, "gaia": {"kind": "gaia"}}
    assert matched(tables=tables)[1] == fewer | {3}
    assert len(matched(match=[{**near, "radius": 0.001}], tables=tables)[1]) < len(fewer)
    tables["lamost"]["position"] = {"ra": "dec"}
    with pytest.raises(InputError, match=r"no row is left after 'in gaia by position within 0\.5 arcsec'"):
        matched(match=[{**near, "radius": 0.5}], tables=tables)
    tables["gaia"]["position"] = {"pmra": "pm_of_ra"}
    tables["lamost"]["position"] = {}
    assert {0, 1}.isdisjoint(matched(tables=tables)[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"match": [{"tables": ["gaia"], "by": "position", "radius": "1 arcsec"}]}, "match: radius must be a number"),
        ({"match": [{"tables": ["gaia"], "by": "position", "ambiguous": "both"}]}, "ambiguous: unknown key both"),
        ({"match": [{"tables": ["gaia"], "radius": 2}]}, "match: radius is for matches by: position only"),
        ({"match": [{"tables": ["gaia"], "of": "sdss"}]}, "match: of: unknown key sdss"),
        ({"tables": {"lamost": {"kind": "lamost", "position": {"pos": "x"}}}}, "position: unknown key pos; known keys: dec"),
        ({"tables": {"lamost": {"kind": "lamost", "position": {"epoch": 50}}}}, "epoch must be a Julian year or the name"),
        ({"tables": {"lamost": {"kind": "lamost", "position": {"ra": 5}}}}, "ra must be the name of a column, not '5'"),
        ({"tables": {"lamost": {"kind": "lamost", "columns": "ra"}}}, "columns is a list of names, not 'ra'"),
        ({"tables": {"lamost": {"kind": "selection", "position": {"ra": "x"}}}}, "position: unknown key selection"),
    ],
)  # fmt: skip
def test_mistakes_in_the_file(tmp_path, change, message):
    if "match" not in change:
        change["match"] = []
    with pytest.raises(SettingsError, match=message):
        selection(tmp_path, **change)


def test_mistakes_in_the_catalogs(world, tmp_path):
    paths = [world.folder / "lamost.csv", world.folder / "gaia.parquet"]
    with pytest.raises(SettingsError, match="radius must be above 0"):
        select(selection(tmp_path, match=[{"tables": ["gaia"], "by": "position", "radius": 0}]), paths)
    asked = selection(tmp_path, match=[{"tables": ["gaia"], "by": "source_id"}])
    with pytest.raises(InputError, match=r"lamost\.csv: no column gaia_source_id"):
        select(asked, paths)
    asked = selection(tmp_path, match=[{"tables": ["lamost"], "by": "source_id", "of": "gaia"}])
    with pytest.raises(InputError, match="match of gaia with lamost: gaia is matched later, or not at all"):
        select(asked, paths)


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
    monkeypatch.setitem(__import__("sys").modules, "lsdb", None)
    with pytest.raises(TranstarError, match=r"needs the package 'lsdb': pip install 'transtar\[hats\]'"):
        select(selection(tmp_path), [lamost, hats])

"""Selections that match by position, with Gaia as a table; tests/extras/test_hats.py has it as a HATS catalog."""

import numpy as np
import pytest

from transtar.errors import InputError, SettingsError
from transtar.selections import select

from .made_sky import N, line, make_sky, selection


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_sky(tmp_path_factory.mktemp("sky"))


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
        ({"match": [{"tables": ["gaia"], "by": "position", "radius": "1 arcsec"}]}, r"\.radius: must be a number, not '1 arc.*"),
        ({"match": [{"tables": ["gaia"], "by": "position", "ambiguous": "both"}]}, "ambiguous: unknown key both"),
        ({"match": [{"tables": ["gaia"], "radius": 2}]}, r"match\[0\]: radius is for matches by: position only"),
        ({"match": [{"tables": ["gaia"], "of": "sdss"}]}, r"match\[0\]\.of: unknown key sdss"),
        ({"tables": {"lamost": {"kind": "lamost", "position": {"pos": "x"}}}}, "position: unknown key pos; known keys: dec"),
        ({"tables": {"lamost": {"kind": "lamost", "position": {"epoch": 50}}}}, "also a Julian year .*, not 50"),
        ({"tables": {"lamost": {"kind": "lamost", "position": {"ra": 5}}}}, r"\.ra: must be the name of a column .*, not 5"),
        ({"tables": {"lamost": {"kind": "lamost", "columns": "ra"}}}, r"columns: must be a list of columns, not 'ra'"),
        ({"tables": {"lamost": {"kind": "selection", "position": {"ra": "x"}}}}, "catalogs of kind selection have no positions"),
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

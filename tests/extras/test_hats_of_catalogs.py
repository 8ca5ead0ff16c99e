"""The extra `hats`: catalogs as folders that LSDB opens, and the match with Gaia that the page shows."""

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

from ..test_readme import ROOT, blocks

BIG = 2**62 + 1


def columns(n=400):
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, n), rng.uniform(-80, 80, n)
    dec[7] = np.nan
    feh = rng.normal(-1, 0.5, n).astype(np.float32)
    feh[5] = np.nan
    return {"file": np.full(n, "a.fits"), "id": BIG + np.arange(n), "survey": np.full(n, "desi"), "ra": ra, "dec": dec,
            "feh": feh, "flags": np.zeros(n, np.int32)}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_catalog("desi.parquet", columns(), {"models": ["mock-feh"]})
    return tmp_path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_lsdb_opens_a_catalog(folder, caplog):
    assert write_hats("desi.parquet", "desi.hats", partition_rows=100) == 399
    assert "desi.parquet: 1 of 400 rows have no position and are not in desi.hats" in caplog.text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Of pandas, about what LSDB does inside.
        warnings.simplefilter("ignore", DeprecationWarning)
        opened = lsdb.open_catalog(folder / "desi.hats")
        frame = opened.compute(progress_bar=False).sort_values("id")
    assert len(opened.get_healpix_pixels()) > 4
    given = {name: np.delete(values, 7) for name, values in columns().items()}
    assert [int(one) for one in frame["id"]] == given["id"].tolist()
    np.testing.assert_array_equal(frame["feh"].to_numpy(np.float32, na_value=np.nan), given["feh"])
    field = pq.read_schema(folder / "desi.hats/dataset/_common_metadata").field("feh")
    assert (field.metadata[b"unit"], field.metadata[b"ucd"]) == (b"dex", b"phys.abund.Fe")
    properties = dict(
        line.split("=", 1) for line in (folder / "desi.hats/hats.properties").read_text().splitlines() if "=" in line
    )
    assert json.loads(properties["transtar"].replace("\\", "")) == {"models": ["mock-feh"]}
    with pytest.raises(InputError, match="exists already; name a new folder"):
        write_hats("desi.parquet", "desi.hats")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_match_that_the_page_shows(folder):
    stars = columns()
    near = np.arange(0, 400, 3)[1:]
    table = {"source_id": BIG + 1000 + near, "ra": (stars["ra"][near] + 0.3 / 3600) % 360, "dec": stars["dec"][near],
             "parallax": np.full(len(near), 0.5), "g_mag": np.full(len(near), 15.0)}  # fmt: skip
    table = {name: values[np.isfinite(table["dec"])] for name, values in table.items()}
    (folder / "universe").mkdir()
    pq.write_table(pa.table(table), folder / "universe/truth.parquet")
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


def test_what_has_no_place_on_the_sky(folder, monkeypatch):
    write_catalog("nowhere.csv", {"id": np.array([1]), "feh": np.array([0.0])})
    with pytest.raises(InputError, match="has no columns ra and dec"):
        write_hats("nowhere.csv", "x")
    write_catalog("blank.csv", {"id": np.array([1]), "ra": np.array([np.nan]), "dec": np.array([1.0])})
    with pytest.raises(InputError, match="no row has a position"):
        write_hats("blank.csv", "x")
    monkeypatch.setitem(sys.modules, "lsdb", None)
    with pytest.raises(TranstarError, match=r"transtar\[hats\]"):
        write_hats("desi.parquet", "x")

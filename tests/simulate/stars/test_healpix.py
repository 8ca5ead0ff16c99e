import numpy as np
import pytest
from astropy.table import Table

from transtar.simulate.stars.healpix import nested_index
from transtar.simulate.stars.sky import draw_positions


def test_healpix_anchors():
    """Centres and numbers of the twelve base pixels, and their first quarters (Gorski et al. 2005, fig. 4)."""
    ra = [45, 135, 225, 315, 0, 90, 180, 270, 45, 135, 225, 315]
    dec = np.degrees(np.arcsin([2 / 3 - 1e-9] * 4 + [0] * 4 + [-2 / 3 + 1e-9] * 4))
    assert nested_index(np.array(ra) + 1e-7, dec, 1).tolist() == list(range(12))
    # South, east, west and north corners of base pixel 4 come in that order.
    offsets = [(0, -20), (20, 0), (-20, 0), (0, 20)]
    assert [int(nested_index(x % 360, y, 2)) for x, y in offsets] == [16, 17, 18, 19]


def test_healpix_cells_are_equal_and_nested():
    ra, dec, _, _ = draw_positions((48_000,), (-90, 90), 0.0, np.random.default_rng(1))
    fine = nested_index(ra, dec, 16)
    assert (fine >> 2 == nested_index(ra, dec, 8)).all()
    counts = np.bincount(nested_index(ra, dec, 2), minlength=48)
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_healpix_agrees_with_gaia(data):
    """source_id // 2**35 is the level-12 pixel; bright stars that have moved since Gaia's list are some pixels off."""
    table = Table.read(data / "labels" / "gaia_benchmark_stars_v3.csv")
    ids = np.ma.filled(table["GaiaDR3"], -1).astype(np.int64)
    ours = nested_index(table["RA_ICRS"], table["DE_ICRS"], 4096)
    assert np.mean((ids >> 35 == ours)[ids > 0]) > 0.75
    assert np.mean((ids >> 45 == ours >> 10)[ids > 0]) > 0.95


def test_a_gaia_identifier_holds_its_healpix_index():
    # A star of the archive: its identifier is the index at level 12 times 2**35 plus more.
    assert nested_index([0.001331957360681545], [57.61950659485637], 4096).tolist() == [422596679964513792 >> 35]


def test_healpix_against_astropy_healpix():
    healpix = pytest.importorskip("astropy_healpix", reason="astropy-healpix is not installed")
    from astropy import units as u

    rng = np.random.default_rng(0)
    ra, dec = rng.uniform(0, 360, 20000), np.degrees(np.arcsin(rng.uniform(-1, 1, 20000)))
    theirs = healpix.HEALPix(64, order="nested").lonlat_to_healpix(ra * u.deg, dec * u.deg)
    np.testing.assert_array_equal(nested_index(ra, dec), theirs)


def test_pixels_have_equal_areas():
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 480_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 480_000)))
    counts = np.bincount(nested_index(ra, dec, 4), minlength=192)
    assert len(counts) == 192
    assert np.abs(counts - 2500).max() < 6 * np.sqrt(2500)

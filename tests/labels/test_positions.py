"""Positions moved to one epoch, checked against astropy, and the nearest star, against looking at every pair."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from transtar.errors import InputError, SettingsError
from transtar.labels import Positions, match_positions
from transtar.labels import positions as module

ARCSEC = 1 / 3600


def sky(n, rng):
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


def coordinates(vectors):
    return SkyCoord(*vectors.T, representation_type="cartesian").spherical


@pytest.mark.filterwarnings("ignore:ERFA function")
@pytest.mark.parametrize("depth", [False, True], ids=["proper motion", "parallax and velocity, too"])
def test_motion_as_astropy_has_it(depth):
    rng = np.random.default_rng(1)
    ra, dec = sky(300, rng)
    ra[:4], dec[:4] = [0, 359.9999, 12, 200], [0, 0, 89.9999, -89.9999]
    pmra, pmdec, parallax, velocity = (rng.normal(0, s, 300) for s in (900, 900, 20, 100))
    pmra[5], pmdec[5] = -798.6, 10328.1
    parallax = np.abs(parallax) + 1
    more = {"parallax": parallax, "radial_velocity": velocity} if depth else {}
    found = Positions(ra, dec, 2016.0, pmra, pmdec, **more).at(2000.0)
    far = {"distance": 1000 / parallax * u.pc, "radial_velocity": velocity * u.km / u.s} if depth else {}
    stars = SkyCoord(ra * u.deg, dec * u.deg, pm_ra_cosdec=pmra * u.mas / u.yr, pm_dec=pmdec * u.mas / u.yr,
                     obstime=Time(2016.0, format="jyear"), **far)  # fmt: skip
    expected = stars.apply_space_motion(new_obstime=Time(2000.0, format="jyear"))
    there = coordinates(found)
    assert SkyCoord(there.lon, there.lat).separation(SkyCoord(expected.ra, expected.dec)).max() < 1 * u.mas


def brute_force(ours, theirs, radius):
    """Nearest of theirs to each of ours and how many are near, one pair after another."""
    first, second = (SkyCoord(p.ra * u.deg, p.dec * u.deg) for p in (ours, theirs))
    distance = first[:, None].separation(second[None]).to_value(u.arcsec)
    return np.where(distance.min(1) <= radius, distance.argmin(1), -1), (distance <= radius).sum(1), distance


@pytest.mark.parametrize("pairs", [1 << 22, 3])
def test_like_looking_at_every_pair(monkeypatch, pairs):
    monkeypatch.setattr(module, "_PAIRS", pairs)
    rng = np.random.default_rng(2)
    ra, dec = sky(300, rng)
    # Some at the poles, some at the seam of right ascension.
    dec[:50], dec[50:100] = 90 - rng.uniform(0, 5, 50) * ARCSEC, rng.uniform(0, 5, 50) * ARCSEC - 90
    ra[100:150] = 360 - rng.uniform(0, 2, 50) * ARCSEC
    dec[100:150] = rng.normal(0, 2, 50) * ARCSEC
    ours = Positions(ra, dec, 2000.0)
    step = rng.normal(0, 1.2, (2, 300)) * ARCSEC
    theirs = Positions((ra + step[0]) % 360, np.clip(dec + step[1], -90, 90), 2000.0)
    nearest, number, distance = brute_force(ours, theirs, 2.0)
    rows, report = match_positions(ours, theirs, 2.0, ambiguous="nearest", one_to_one=False)
    np.testing.assert_array_equal(rows, nearest)
    assert (report.alone, report.ambiguous) == ((number == 0).sum(), (number > 1).sum())
    assert report.ambiguous > 20
    dropped, report = match_positions(ours, theirs, 2.0, one_to_one=False)
    np.testing.assert_array_equal(dropped, np.where(number > 1, -1, nearest))
    single, report = match_positions(ours, theirs, 2.0, ambiguous="nearest")
    for row in np.unique(nearest[nearest >= 0]):
        claims = np.flatnonzero(nearest == row)
        assert np.flatnonzero(single == row).tolist() == [claims[distance[claims, row].argmin()]]
    assert report.contested == (nearest >= 0).sum() - report.matched
    assert report.matched + report.unused == 300


def test_a_fast_star_is_found_where_it_was():
    """Barnard's star, 10 arcsec a year, in Gaia DR3 and in a list of epoch 2000 without proper motions."""
    gaia = Positions(
        np.array([269.44850253]), np.array([4.73942005]), 2016.0, np.array([-801.55]), np.array([10362.39])
    )
    old = Positions(np.array([269.45207696]), np.array([4.69336497]), 2000.0)
    still = Positions(gaia.ra, gaia.dec, gaia.epoch)
    assert match_positions(still, old, 2.0)[0].tolist() == [-1]
    rows, report = match_positions(gaia, old, 2.0)
    assert (rows.tolist(), report.epoch, report.still, report.still_theirs) == ([0], 2000.0, 0, 1)
    rows, report = match_positions(old, gaia, 2.0)
    assert (rows.tolist(), report.epoch) == ([0], 2000.0)
    # At an epoch at which one of the two is not, it is missed.
    assert match_positions(old, gaia, 2.0, epoch=2016.0)[0].tolist() == [-1]


def test_what_is_unknown_is_counted():
    ours = Positions(np.array([10.0, 20, np.nan, 40]), np.zeros(4), np.array([2015.5, 2015.5, 2015.5, 2014]),
                     np.array([np.nan, 50, 50, 1]), np.zeros(4))  # fmt: skip
    theirs = Positions(np.array([10.0, 20 + 0.775 * ARCSEC, np.nan, 99]), np.array([0.0, 0, 0, 91]), 2031.0)
    rows, report = match_positions(ours, theirs, 0.1)
    assert rows.tolist() == [0, 1, -1, -1]
    assert (report.matched, report.alone, report.placeless, report.unused) == (2, 1, 1, 2)
    assert (report.placeless_theirs, report.still, report.still_theirs) == (2, 1, 2)
    text = report.describe("desi", "gaia")
    assert text.startswith(
        "desi and gaia by position within 0.1 arcsec at epoch 2031: 2 rows matched (median separation 0.00"
    )
    assert "of desi 1 have none near, 0 are ambiguous (dropped)" in text
    assert "stand still for want of a proper motion: 1 of desi, 2 of gaia" in text


def test_ambiguous_and_contested_rows():
    ours = Positions(np.array([10.0, 10 + 0.3 * ARCSEC, 50]), np.zeros(3), 2000.0)
    theirs = Positions(np.array([10.05 * ARCSEC + 50, 10 + 0.1 * ARCSEC, 50, 50 + 0.5 * ARCSEC]), np.zeros(4), 2000.0)
    rows, report = match_positions(ours, theirs)
    assert rows.tolist() == [1, -1, -1]
    assert (report.ambiguous, report.contested, report.alone, report.unused) == (1, 1, 0, 3)
    rows, report = match_positions(ours, theirs, ambiguous="nearest")
    assert rows.tolist() == [1, -1, 2]
    assert "1 are ambiguous (the nearest taken), 1 gave way to a nearer one" in report.describe("a", "b")
    assert match_positions(ours, theirs, one_to_one=False)[0].tolist() == [1, 1, -1]


LISTS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(-40, 40)), min_size=1, max_size=12)


@settings(deadline=None)
@given(LISTS, LISTS, st.randoms(use_true_random=False), st.sampled_from(["drop", "nearest"]), st.booleans())
def test_the_order_of_rows_does_not_matter(ours, theirs, random, ambiguous, one_to_one):
    def made(rows):
        x, y, motion = np.array(rows, float).T
        return Positions((x * 0.4 * ARCSEC) % 360, y * 0.4 * ARCSEC, 2016.0, motion, np.zeros(len(rows)))

    def places(rows, others):
        found, report = match_positions(
            made(rows), made(others), epoch=2000.0, ambiguous=ambiguous, one_to_one=one_to_one
        )
        return sorted((row, others[k] if k >= 0 else ()) for row, k in zip(rows, found, strict=True)), report

    first = sorted(ours, key=lambda _: random.random()), sorted(theirs, key=lambda _: random.random())
    if len(set(ours)) == len(ours) and len(set(theirs)) == len(theirs):
        assert str(places(ours, theirs)) == str(places(*first))
    assert str(places(ours, theirs)[1]) == str(places(*first)[1])


def test_mistakes():
    stars = Positions(np.zeros(1), np.zeros(1), 2000.0)
    nowhere = Positions(np.full(2, np.nan), np.zeros(2), 2000.0)
    for radius in (0, -1, np.nan, 4000):
        with pytest.raises(SettingsError, match="radius must be above 0"):
            match_positions(stars, stars, radius)
    with pytest.raises(SettingsError, match="ambiguous must be drop or nearest, not 'first'"):
        match_positions(stars, stars, ambiguous="first")
    with pytest.raises(InputError, match="none of the 2 rows of the second list has a position"):
        match_positions(stars, nowhere)
    empty = Positions(np.zeros(0), np.zeros(0), 2000.0)
    assert match_positions(empty, stars)[0].tolist() == []
    assert match_positions(stars, empty)[0].tolist() == [-1]

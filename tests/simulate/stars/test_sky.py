import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from transtar.errors import SettingsError
from transtar.simulate.stars.healpix import nested_index
from transtar.simulate.stars.sky import LAGS, TO_GALACTIC, density, draw_positions, draw_velocities, source_ids


def test_footprint_and_galactic_coordinates():
    ra, dec, lon, lat = draw_positions((200, 5), (-20, 40), 30.0, np.random.default_rng(0))
    assert ra.shape == (200, 5)
    assert dec.min() > -20
    assert dec.max() < 40
    assert np.abs(lat).min() > 30
    reference = SkyCoord(ra * u.deg, dec * u.deg).galactic
    np.testing.assert_allclose(lat, reference.b.deg, atol=1e-5)
    np.testing.assert_allclose((lon - reference.l.deg + 180) % 360, 180, atol=1e-3)
    np.testing.assert_allclose(TO_GALACTIC @ TO_GALACTIC.T, np.eye(3), atol=1e-12)
    with pytest.raises(SettingsError, match="no sky"):
        draw_positions((10,), (26, 28), 89.999, np.random.default_rng(0))


def test_source_ids_are_int64_and_unique():
    ra = np.array([10.0, 10.0, 10.0, 315.0])
    ids = source_ids(ra, np.array([20.0, 20.0, 20.0, -85.0]))
    assert ids.dtype == np.int64
    assert len(set(ids.tolist())) == 4
    assert (ids >> 35 == nested_index(ra, [20, 20, 20, -85], 4096)).all()
    assert (ids > 0).all()


def test_velocities_are_those_of_an_independent_transformation(monkeypatch):
    """Without dispersion the thin disc streams on circles; astropy gives the same velocities and proper motions."""
    import astropy.coordinates as coord

    from transtar.simulate.stars import sky

    monkeypatch.setattr(sky, "ELLIPSOIDS", {"thin": (0.0, 0.0, 0.0)})
    rng = np.random.default_rng(2)
    ra, dec, _, _ = draw_positions((50,), (-90, 90), 0.0, rng)
    distance = rng.uniform(100, 5000, 50)
    radial, pmra, pmdec = draw_velocities("thin", ra, dec, distance, rng)
    frame = coord.Galactocentric(
        galcen_distance=sky.SUN_RADIUS * u.pc, z_sun=0 * u.pc,
        galcen_v_sun=[11.1, sky.CIRCULAR_SPEED + 12.24, 7.25] * u.km / u.s,
    )  # fmt: skip
    seen = SkyCoord(
        ra=ra * u.deg, dec=dec * u.deg, distance=distance * u.pc, radial_velocity=radial * u.km / u.s,
        pm_ra_cosdec=pmra * u.mas / u.yr, pm_dec=pmdec * u.mas / u.yr,
    ).transform_to(frame)  # fmt: skip
    x, y = seen.x.to_value(u.pc), seen.y.to_value(u.pc)
    along = (seen.v_x.to_value(u.km / u.s) * y - seen.v_y.to_value(u.km / u.s) * x) / np.hypot(x, y)
    np.testing.assert_allclose(along, sky.CIRCULAR_SPEED - LAGS["thin"], atol=0.1)
    np.testing.assert_allclose(seen.v_z.to_value(u.km / u.s), 0, atol=0.1)


def test_densities():
    assert density("thin", 1e-3, 0.0, 90.0) == pytest.approx(1, abs=1e-4)
    assert density("thin", 300.0, 0.0, 90.0) == pytest.approx(np.exp(-1), rel=0.01)
    assert density("thick", 900.0, 0.0, 90.0) == pytest.approx(np.exp(-1), rel=0.01)
    assert density("thin", 1000.0, 0.0, 0.0) > density("thin", 1000.0, 180.0, 0.0)

from dataclasses import replace

import numpy as np
import pytest

from transtar.errors import InputError, SettingsError
from transtar.simulate.stars.abundances import MDF
from transtar.simulate.stars.healpix import nested_index
from transtar.simulate.stars.population import BLOCK, draw_stars
from transtar.simulate.stars.population_settings import (
    COMPONENTS,
    DESI_LIKE,
    LAMOST_LIKE,
    MILES_LIKE,
    Population,
)
from transtar.simulate.stars.truth import COLUMNS, spectrum_labels


@pytest.fixture(scope="module")
def sample():
    return draw_stars(8000, 1, Population(shares=(0.4, 0.4, 0.2), giants=(0.3, 0.3, 0.4)))


def test_table(sample):
    assert sample.colnames == list(COLUMNS)
    assert sample["source_id"].dtype == np.int64
    assert len(np.unique(sample["source_id"])) == len(sample)
    assert (sample["source_id"] >> 35 == nested_index(sample["ra"], sample["dec"], 4096)).all()
    for name in sample.colnames:
        if sample[name].dtype.kind == "f":
            assert np.isfinite(sample[name]).all(), name
    assert sample["teff"].unit == "K"
    np.testing.assert_allclose(sample["parallax"] * sample["distance_pc"], 1000)
    assert spectrum_labels(sample).shape == (8000, 6)
    with pytest.raises(InputError, match="no column vmic"):
        spectrum_labels(sample["teff", "logg", "feh", "alphafe", "cfe"])


def test_metallicities_are_those_asked_for(sample):
    for name, share in zip(COMPONENTS, (0.4, 0.4, 0.2), strict=True):
        feh = sample["feh"][sample["component"] == name]
        assert len(feh) / len(sample) == pytest.approx(share, abs=0.02)
        part, mean, sigma = np.array(MDF[name]).T
        expected = (part * mean).sum()
        spread = np.sqrt((part * (sigma**2 + mean**2)).sum() - expected**2)
        assert feh.mean() == pytest.approx(expected, abs=5 * spread / np.sqrt(len(feh)))
        assert feh.std() == pytest.approx(spread, rel=0.06)


def test_two_alpha_sequences(sample):
    """Two humps and a gap at [Fe/H] = -0.5."""
    near = np.abs(sample["feh"] + 0.5) < 0.1
    alphafe = np.asarray(sample["alphafe"])[near & (sample["component"] != "halo")]
    low, gap, high = (np.mean(np.abs(alphafe - x) < 0.015) for x in (0.095, 0.175, 0.27))
    assert min(low, high) > 2.5 * gap
    assert np.std(sample["mg_fe"] - sample["alphafe"]) == pytest.approx(0.03, rel=0.1)


def test_carbon(sample):
    poor = sample["feh"] < -1
    giants = poor & (sample["logg"] < 2.5)
    assert -0.6 < np.median(sample["cfe"][giants]) < -0.2
    assert abs(np.median(sample["cfe"][sample["logg"] > 4])) < 0.1


def test_red_clump(sample):
    disc = (sample["phase"] == "clump") & (np.abs(sample["feh"]) < 0.2)
    assert np.median(sample["logg"][disc]) == pytest.approx(2.45, abs=0.1)
    assert np.median(sample["teff"][disc]) == pytest.approx(4780, abs=80)
    assert np.std(sample["logg"][disc]) < 0.15
    shares = [np.mean(sample["phase"] == name) for name in ("dwarf", "giant", "clump")]
    assert sum(shares) == pytest.approx(1)
    assert 0.1 < shares[2] / (shares[1] + shares[2]) < 0.5


def test_magnitudes_and_distances(sample):
    assert sample["g_mag"].min() > 10.99
    assert sample["g_mag"].max() < 17.51
    dwarf = sample["logg"] > 4.3
    giant = sample["logg"] < 2.5
    assert np.median(sample["distance_pc"][giant]) > 5 * np.median(sample["distance_pc"][dwarf])
    blue = sample["bp_mag"] - sample["rp_mag"]
    assert np.corrcoef(blue, sample["teff"])[0, 1] < -0.7
    assert (sample["ebv"] > 0).all()


def test_velocities_of_the_components(sample):
    sigma = [np.std(sample["radial_velocity"][sample["component"] == name]) for name in COMPONENTS]
    assert sigma[0] < 55 < sigma[1] < 90 < sigma[2]


def test_same_seed_same_bits():
    first, again, other = (draw_stars(300, seed, LAMOST_LIKE) for seed in (7, 7, 8))
    for name in first.colnames:
        assert (first[name] == again[name]).all(), name
    assert not (first["teff"] == other["teff"]).any()
    # Whole blocks do not depend on how many follow them.
    longer = draw_stars(BLOCK + 10, 7, LAMOST_LIKE)
    assert (longer["feh"][:BLOCK] == draw_stars(BLOCK, 7, LAMOST_LIKE)["feh"]).all()


@pytest.mark.parametrize("settings", [LAMOST_LIKE, DESI_LIKE, MILES_LIKE])
def test_surveys(settings):
    stars = draw_stars(1500, 3, settings)
    low, high = settings.magnitude
    assert stars["g_mag"].min() > low - 0.01
    assert stars["g_mag"].max() < high + 0.01
    assert stars["dec"].min() > settings.declination[0]
    assert stars["teff"].min() > 3100
    if settings.poor_share:
        assert np.mean(stars["feh"] < -1) == pytest.approx(settings.poor_share, abs=0.04)


def test_oversampling_of_poor_stars():
    stars = draw_stars(1000, 3, replace(LAMOST_LIKE, poor_share=0.5))
    assert np.mean(stars["feh"] < -1) == pytest.approx(0.5, abs=0.06)
    with pytest.raises(SettingsError, match="poor_share"):
        draw_stars(5000, 3, Population(shares=(1, 0, 0), poor_share=0.9))


def test_no_stars():
    assert len(draw_stars(0)) == 0


@pytest.mark.parametrize(
    "wrong", [{"magnitude": (15, 12)}, {"shares": (1, -1, 0)}, {"giants": (0.1, 0.2, 1.2)}, {"poor_share": 2}, {"candidates": 0}]
)  # fmt: skip
def test_wrong_settings(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Population(**wrong)


def test_real_stars_lie_among_the_mock_ones(data):
    """Of real LAMOST stars at least nine in ten have a mock star of similar labels, and the medians are near."""
    from astropy.table import Table

    table = Table.read(data / "lamost_dr10" / "labels.csv")
    real = np.stack([np.asarray(table[name], float) for name in ("teff", "logg", "feh")], axis=1)
    stars = draw_stars(8000, 5, LAMOST_LIKE)
    mock = spectrum_labels(stars, ("teff", "logg", "feh"))
    scale = np.array([150, 0.25, 0.25])
    nearest = np.array([np.min((((mock - star) / scale) ** 2).sum(axis=1)) for star in real])
    assert np.mean(nearest < 1) > 0.9
    assert abs(np.median(mock[:, 1]) - np.median(real[:, 1])) < 0.2
    assert abs(np.median(mock[:, 0]) - np.median(real[:, 0])) < 350

"""Clusters and wide pairs: one composition, many temperatures, one place and motion, within what the survey and emulator take."""

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.simulate import load_emulator
from transtar.simulate.stars.families import CLUSTERS, SEPARATION, draw_clusters, draw_pairs
from transtar.simulate.stars.population_settings import DESI_LIKE, Population
from transtar.simulate.stars.sky import unit_vectors
from transtar.simulate.stars.truth import spectrum_labels


@pytest.fixture(scope="module")
def members():
    return draw_clusters(10, 25, 3, DESI_LIKE)


@pytest.fixture(scope="module")
def pairs():
    return draw_pairs(120, 3, DESI_LIKE)


def apart(first, second):
    """Degrees between the places of stars."""
    ends = [unit_vectors(np.asarray(side["ra"]), np.asarray(side["dec"])) for side in (first, second)]
    return np.degrees(2 * np.arcsin(np.linalg.norm(ends[0] - ends[1], axis=-1) / 2))


def test_members_share_all_but_their_mass(members):
    assert len(members) == 250
    for place, name in enumerate(np.unique(members["cluster"])):
        some = members[members["cluster"] == name]
        kind = CLUSTERS[place]
        for column, value in {
            "feh": kind.feh,
            "alphafe": kind.alphafe,
            "mg_fe": kind.alphafe,
            "age_gyr": kind.age_gyr,
        }.items():
            assert (some[column] == value).all()
        assert np.ptp(some["teff"]) > 500
        assert np.ptp(some["distance_pc"]) == np.ptp(some["ebv"]) == 0
        assert np.std(some["radial_velocity"]) < 8
        assert apart(some, some[:1]).max() < 1
        # Dredge-up alone tells carbon of dwarfs and giants apart.
        dwarf = some[(some["phase"] == "dwarf") & (some["logg"] > 4)]
        assert np.ptp(dwarf["cfe"]) < 1e-3
    places = [members[members["cluster"] == name][0] for name in np.unique(members["cluster"])]
    assert len({round(float(star["ra"]), 2) for star in places}) == 10
    assert (members["phase"] != "dwarf").any()


def test_partners_share_birth_and_motion(pairs):
    first, second = pairs[::2], pairs[1::2]
    assert first["pair"].tolist() == second["pair"].tolist() == list(range(1, 121))
    for name in ("feh", "alphafe", "mg_fe", "age_gyr", "distance_pc", "ebv", "component"):
        assert (first[name] == second[name]).all()
    assert np.std(first["radial_velocity"] - second["radial_velocity"]) < 0.6
    arcsec = apart(first, second) * 3600
    assert SEPARATION[0] * 0.99 < arcsec.min() < arcsec.max() < SEPARATION[1] * 1.01
    assert np.median(np.abs(first["teff"] - second["teff"])) > 50
    dwarfs = (first["logg"] > 4) & (second["logg"] > 4)
    assert np.abs(first["cfe"] - second["cfe"])[dwarfs].max() < 1e-3


def test_stars_are_seen_and_have_spectra_of_their_very_labels(members, pairs):
    emulator = load_emulator()
    low, high = DESI_LIKE.magnitude
    for stars in (members, pairs):
        assert (stars["g_mag"] > low - 1e-9).all()
        assert (stars["g_mag"] < high + 1e-9).all()
    assert emulator.inside(spectrum_labels(members, emulator.label_names)).all()
    # Primaries are drawn from the population, some of whose abundances lie outside.
    assert emulator.inside(spectrum_labels(pairs, emulator.label_names)).mean() > 0.95


def test_one_seed_one_table(members):
    again, other = draw_clusters(2, 25, 3, DESI_LIKE), draw_clusters(2, 25, 4, DESI_LIKE)
    assert (again["teff"] == members["teff"][:50]).all()
    assert (again["ra"] == members["ra"][:50]).all()
    assert (other["teff"] != again["teff"]).any()
    assert (draw_pairs(5, 1, DESI_LIKE)["teff"] != draw_pairs(5, 2, DESI_LIKE)["teff"]).any()


def test_surveys_that_see_none_are_told():
    with pytest.raises(InputError, match="a cluster at 8000 pc has only 0 stars"):
        draw_clusters(1, 5, 0, Population(magnitude=(2.0, 5.0)))

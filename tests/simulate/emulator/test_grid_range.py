import json

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.simulate import GridRange, vmic_relation

REGION = GridRange()


def random_labels(n: int, wide: bool) -> np.ndarray:
    random = np.random.default_rng(1)
    low, high = (
        ((3000, -1, -5, -1, -1, -2), (9000, 7, 2, 2, 5, 2))
        if wide
        else ((4600, 3, -3, -0.2, 1, -0.4), (5400, 4, 0.5, 0.6, 1, 0.5))
    )
    return random.uniform(low, high, (n, 6))


def test_clipped_labels_are_inside_and_those_inside_stay():
    labels = random_labels(2000, wide=True)
    clipped = REGION.clip(labels)
    inside = REGION.inside(labels)
    assert REGION.inside(clipped).all()
    assert not inside.all()
    np.testing.assert_array_equal(REGION.clip(clipped), clipped)
    usual = random_labels(500, wide=False)
    usual[:, 4] = vmic_relation(usual[:, 0], usual[:, 1])
    assert REGION.inside(usual).all()
    np.testing.assert_array_equal(REGION.clip(usual), usual)


@pytest.mark.parametrize(
    ("labels", "moved"),
    [
        ((3900, 2, 0, 0, 1.2, 0), {0: 4000}),
        ((7100, 4, 0, 0, 1.8, 0), {0: 7000}),
        ((7000, 2, 0, 0, 2.0, 0), {1: 3.3}),
        ((5250, 1, 0, 0, 1.3, 0), {1: 1.55}),
        ((4500, 5.5, 0, 0, 0.8, 0), {1: 4.95}),
        ((5500, 4, -3.5, 0, 1.05, 0), {2: -3.2}),
        ((5500, 4, 0.7, 0.7, 1.05, 0.7), {2: 0.6, 3: 0.65, 5: 0.6}),
        ((5500, 4, 0, -0.3, 1.05, -0.6), {3: -0.25, 5: -0.5}),
        ((5500, 4, 0, 0, 3.0, 0), {4: 1.05 * 1.25}),
        ((5500, 4, 0, 0, 0.1, 0), {4: 1.05 * 0.75}),
    ],
)
def test_edges(labels, moved):
    expected = np.array(labels, dtype=float)
    expected[list(moved)] = list(moved.values())
    given = np.array([labels], dtype=float)
    np.testing.assert_allclose(REGION.clip(given)[0], expected)
    assert not REGION.inside(given)[0]
    assert REGION.inside(expected[None])[0]
    assert REGION.inside(expected[None].astype(np.float32))[0]


def test_the_relation_is_about_one_kilometre_a_second_in_the_sun_and_greater_in_giants():
    assert vmic_relation(5777, 4.44) == pytest.approx(1.07, abs=0.01)
    assert vmic_relation(4500, 1.5) > vmic_relation(4500, 4.6)


def test_settings_go_through_json():
    region = GridRange(feh=(-1.0, 0.0))
    assert GridRange.from_dict(json.loads(json.dumps(region.to_dict()))) == region


def test_no_edge_for_a_star_without_labels():
    with pytest.raises(InputError, match="lack a finite teff, logg"):
        REGION.inside(np.array([[np.nan, np.inf, 0, 0, 1, 0]]))


def test_the_training_grid_is_inside_and_fills_the_region(data):
    path = data / "synthetic_grid" / "spectra.npz"
    if not path.is_file():
        pytest.skip("no synthetic grid among the data")
    with np.load(path) as file:
        labels = file["params"].astype(np.float64)
    assert REGION.inside(labels).all()
    teff, logg = labels[:, 0], labels[:, 1]
    low = np.interp(teff, *zip(*REGION.logg_low, strict=True))
    high = np.interp(teff, *zip(*REGION.logg_high, strict=True))
    for start in range(4000, 7000, 500):
        there = (teff >= start) & (teff < start + 500)
        fraction = ((logg - low) / (high - low))[there]
        assert fraction.min() < 0.04
        assert fraction.max() > 0.96
    ratio = labels[:, 4] / vmic_relation(teff, logg)
    assert ratio.min() == pytest.approx(0.75, abs=1e-3)
    assert ratio.max() == pytest.approx(1.25, abs=1e-3)

import numpy as np
import pytest

from transtar.errors import InputError, MismatchError, SettingsError
from transtar.preprocess import Preprocessing
from transtar.simulate.emulator.emulator_storage import load_emulator
from transtar.simulate.mocks.views import BLOCK, ViewSettings, join_views, make_views, random_instrument

SMALL = ViewSettings(stars=60, seed=3, views=("lamost", "miles", "random"))


@pytest.fixture(scope="module")
def views():
    return make_views(SMALL, load_emulator())


def test_each_star_has_a_target_and_a_view_of_each_instrument(views):
    n = len(views.target)
    assert 45 <= n <= 60
    assert views.views.shape == (n, 3, 1462)
    assert views.labels.shape == (n, 6)
    assert np.isfinite(views.views).all()
    assert np.isfinite(views.target).all()


def test_a_view_is_of_its_own_star(views):
    # Compared as wiggles: the view of a star is nearer to its target than to those of nearly all others.
    for number in range(2):
        seen = views.views[:, number].astype(float)
        distance = ((seen[:, None] - views.target[None]) ** 2).mean(axis=2)
        rank = (distance < np.diag(distance)[:, None]).sum(axis=1)
        # By chance it would be about 27.
        assert np.median(rank) <= 2
        assert np.mean(rank <= 8) > 0.8


def test_targets_are_sharper_than_views_of_lamost():
    bright = make_views(ViewSettings(stars=60, seed=3, views=("lamost",), snr=(250, 300)), load_emulator())

    def detail(flux):
        return np.abs(np.diff(flux.astype(float), axis=-1)).mean(axis=-1)

    assert np.mean(detail(bright.views[:, 0]) < detail(bright.target)) > 0.8


def test_views_are_the_same_for_one_seed_and_others_for_another(views):
    again = make_views(SMALL, load_emulator())
    np.testing.assert_array_equal(again.views, views.views)
    other = make_views(ViewSettings(stars=60, seed=4, views=("lamost", "miles", "random")), load_emulator())
    assert not np.array_equal(other.labels[:5], views.labels[:5])


def test_joined_views_have_the_stars_of_all(views):
    both = join_views([views, views])
    assert both.target.shape == (2 * len(views.target), 1462)
    assert both.names == views.names


def test_views_without_line_correction_differ_by_it(views):
    plain = make_views(ViewSettings(stars=60, seed=3, views=("lamost", "miles", "random"), lines=None), load_emulator())
    np.testing.assert_array_equal(plain.labels, views.labels)
    assert 0.001 < np.abs(plain.target - views.target).mean() < 0.05


def test_random_instruments_lie_around_and_beyond_those_that_are_simulated():
    generator = np.random.default_rng(0)
    instruments = [random_instrument(generator) for _ in range(200)]
    middles = np.array([4750 / one.arms[0].line_spread.fwhm(4750.0) for one in instruments])
    assert middles.min() < 1000
    assert middles.max() > 3500
    for one in instruments:
        pixels = one.arms[0].pixels
        assert pixels[0] < 3700
        assert pixels[-1] > 5900


def test_progress_is_told_of_every_star():
    seen = []
    views = make_views(ViewSettings(stars=BLOCK + 20, views=("miles",)), load_emulator(), progress=seen.append)
    assert len(seen) >= 2 or sum(seen) <= BLOCK
    assert sum(seen) == len(views.target)


@pytest.mark.parametrize(
    "wrong",
    [
        {"views": ()},
        {"views": ("keck",)},
        {"views": "lamost"},
        {"stars": 0},
        {"snr": (3,)},
        {"snr": (0, 3)},
        {"lines": 3},
        {"seed": -1},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingsError):
        ViewSettings(**wrong)


def test_a_line_correction_of_another_preprocessing_is_refused():
    with pytest.raises((InputError, MismatchError)):
        make_views(SMALL, load_emulator(), Preprocessing(frame="observed"))

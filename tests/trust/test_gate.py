import numpy as np
import pytest

from transtar.flags import BAD, NO_LABEL, Flag, has
from transtar.grids import BLUE
from transtar.preprocess import Preprocessing
from transtar.simulate import load_emulator
from transtar.simulate.mocks.views import ViewSettings, make_views
from transtar.trust import witnesses_for
from transtar.trust.gate import KINDS, load_gate
from transtar.trust.second_opinion import load_second_opinion


@pytest.fixture(scope="module")
def views():
    """Mock stars that no witness has learnt from."""
    return make_views(ViewSettings(stars=150, seed=77, snr=(20.0, 200.0)), load_emulator())


@pytest.fixture(scope="module")
def witnesses():
    return witnesses_for(Preprocessing())


def told(verdict):
    return verdict.no_label | has(verdict.flags, BAD)


def test_shares_are_those_of_the_network(views):
    gate = load_gate()
    flux = views.views[:5, 0].astype(np.float32)
    shares = gate.shares(np.concatenate([flux, np.full((1, BLUE.size), np.nan, np.float32)]))
    assert shares.shape == (6, len(KINDS))
    np.testing.assert_allclose(shares[:5].sum(axis=1), 1)
    assert np.isnan(shares[5]).all()
    powers = np.exp(gate.encoder.encode(flux).astype(float))
    np.testing.assert_allclose(shares[:5], powers / powers.sum(axis=1, keepdims=True), rtol=1e-6)


def test_ordinary_stars_pass(views, witnesses):
    for number in range(views.views.shape[1]):
        flux = views.views[:, number].astype(np.float32)
        verdict = witnesses.judge(flux, None, {})
        assert told(verdict).mean() < 0.05


def test_what_is_no_spectrum_is_told(views, witnesses):
    generator = np.random.default_rng(0)
    flux = views.views[:, 2].astype(np.float32)
    for strange in (
        flux[:, ::-1], -flux, 1 + generator.normal(0, 0.3, flux.shape).astype(np.float32),
        1 + generator.normal(0, 0.01, flux.shape).astype(np.float32),
    ):  # fmt: skip
        verdict = witnesses.judge(np.ascontiguousarray(strange), None, {})
        assert told(verdict).mean() > 0.97
        assert has(verdict.flags, Flag.OUT_OF_DOMAIN | Flag.HOT_STAR)[verdict.no_label].all()


def test_wrong_velocities_are_told_and_air_is_warned_of(views, witnesses):
    flux = views.views[:, 2].astype(np.float32)
    pixel = 299_792.458 * BLUE.step * np.log(10)
    places = np.arange(BLUE.size)

    def moved(velocity):
        return np.stack([np.interp(places - velocity / pixel, places, row) for row in flux]).astype(np.float32)

    assert told(witnesses.judge(moved(300), None, {})).mean() > 0.95
    assert told(witnesses.judge(moved(-300), None, {})).mean() > 0.95
    air = witnesses.judge(moved(-83), None, {})
    assert (told(air) | has(air.flags, Flag.DOUBTFUL)).mean() > 0.8


def test_the_second_opinion_speaks_against_wrong_labels(views):
    second = load_second_opinion()
    flux = views.target.astype(np.float32)
    truth = {name: views.labels[:, i] for i, name in enumerate(views.names)}
    right = second.look(flux, None, truth, want_twins=True)
    assert np.median(right.misfit) < 1
    assert np.nanmedian(np.abs(right.twin - flux)) < 0.02
    assert np.median(np.abs(right.velocity)) < 10
    wrong = second.look(flux, None, truth | {"teff": truth["teff"] + np.where(truth["teff"] > 5500, -1200, 1200)})
    assert np.median(wrong.misfit / right.misfit) > 3
    # Labels that are missing are the second opinion's own.
    without = second.look(flux, None, {"feh": np.full(len(flux), np.nan)})
    np.testing.assert_array_equal(without.misfit, second.look(flux, None, {}).misfit)
    assert np.median(without.misfit) < 1


def test_the_twin_is_the_mock_star_without_noise(views):
    second = load_second_opinion()
    made = second.spectra(second.grid_range.clip(views.labels))
    rms = np.sqrt(((made - views.target) ** 2).mean(axis=1))
    assert np.median(rms) < 0.003
    assert np.quantile(rms, 0.9) < 0.01


def test_rows_do_not_depend_on_their_company(views):
    second = load_second_opinion()
    flux = views.views[:6, 0].astype(np.float32)
    ivar = np.full_like(flux, 1e4)
    ivar[2], ivar[3, :100], flux[4] = 0, 0, np.nan
    whole = second.look(flux, ivar, {})
    for row in range(6):
        alone = second.look(flux[row : row + 1], ivar[row : row + 1], {})
        np.testing.assert_allclose(alone.misfit[0], whole.misfit[row], rtol=1e-5)
    assert np.isnan(whole.misfit[4])
    bare = second.look(flux[2:3], None, {})
    np.testing.assert_allclose(bare.misfit[0], whole.misfit[2], rtol=1e-5)


def test_labels_are_kept_where_the_gate_is_not_sure():
    assert not has(np.array([int(Flag.MISFIT | Flag.DOUBTFUL | Flag.HOT_STAR)]), NO_LABEL).any()
    assert has(np.array([int(Flag.MISFIT)]), BAD).all()
    assert not has(np.array([int(Flag.DOUBTFUL | Flag.NO_GATE)]), BAD).any()

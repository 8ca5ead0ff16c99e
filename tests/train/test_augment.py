import numpy as np
import pytest
import torch

from transtar.errors import SettingsError
from transtar.grids import BLUE, SPEED_OF_LIGHT
from transtar.train import Augmentation, augment_flux
from transtar.train.augment import _shift_and_smooth


def line(centre, sigma, n=400):
    return 1 - 0.5 * np.exp(-0.5 * ((np.arange(n) - centre) / sigma) ** 2)


def rows(*spectra):
    return torch.tensor(np.array(spectra), dtype=torch.float32)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_shift_moves_a_line_by_any_part_of_a_pixel():
    moved = _shift_and_smooth(rows(line(200, 4)), torch.tensor([[2.3]]), torch.zeros(1, 1))
    np.testing.assert_allclose(moved[0], line(202.3, 4), atol=2e-5)


def test_smoothing_widens_a_line_and_keeps_its_area():
    smooth = _shift_and_smooth(rows(line(200, 4)), torch.zeros(1, 1), torch.tensor([[3.0]]))
    expected = 1 - 0.5 * (4 / 5) * np.exp(-0.5 * ((np.arange(400) - 200) / 5) ** 2)
    np.testing.assert_allclose(smooth[0], expected, atol=2e-5)


def test_ends_do_not_meet():
    slope = np.linspace(1, 2, 400)
    smooth = _shift_and_smooth(rows(slope), torch.zeros(1, 1), torch.tensor([[2.0]]))
    np.testing.assert_allclose(smooth[0], slope, atol=0.01)


def test_a_positive_velocity_is_to_the_red():
    settings = Augmentation(shift_kms=200)
    flux = rows(*[line(200, 4)] * 300)
    found = augment_flux(flux, settings, BLUE.step, generator()).argmin(dim=1).double() - 200
    pixel = SPEED_OF_LIGHT * BLUE.step * np.log(10)
    assert float(found.std()) == pytest.approx(200 / pixel, rel=0.15)
    assert abs(float(found.mean())) < 0.6


def test_noise_has_the_signal_to_noise_asked_for():
    noisy = augment_flux(torch.ones(200, 500), Augmentation(noise=(20, 100)), BLUE.step, generator())
    scatter = (noisy - 1).std(dim=1)
    assert 1 / 110 < float(scatter.min()) < 1 / 80
    assert 1 / 26 < float(scatter.max()) < 1 / 18
    assert float(scatter.log().mean().exp()) == pytest.approx(1 / np.sqrt(2000), rel=0.1)


def test_the_continuum_is_a_smooth_polynomial():
    settings = Augmentation(continuum_order=3, continuum_amplitude=0.02)
    changed = augment_flux(torch.ones(100, 300), settings, BLUE.step, generator()).numpy()
    x = np.linspace(-1, 1, 300)
    coefficients = np.polynomial.legendre.legfit(x, changed.T.astype(float), 3)
    np.testing.assert_allclose(np.polynomial.legendre.legval(x, coefficients), changed, atol=1e-5)
    np.testing.assert_allclose(coefficients.std(axis=1), 0.02, rtol=0.3)


def test_nothing_asked_for_nothing_changed_and_the_input_is_left_alone():
    flux = rows(line(100, 3), line(300, 5))
    before = flux.clone()
    assert torch.equal(augment_flux(flux, Augmentation(), BLUE.step, generator()), before)
    everything = Augmentation((10, 20), 50, (0, 2), 6, 0.02)
    first = augment_flux(flux, everything, BLUE.step, generator(1))
    assert torch.equal(flux, before)
    assert torch.equal(first, augment_flux(flux, everything, BLUE.step, generator(1)))
    assert not torch.equal(first, augment_flux(flux, everything, BLUE.step, generator(2)))


def test_some_stars_may_stay_as_they_are():
    flux = torch.ones(1000, 20)
    changed = augment_flux(flux, Augmentation(noise=(10, 20), probability=0.3), BLUE.step, generator())
    assert float((changed != 1).any(dim=1).float().mean()) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("wrong", [{"noise": (0, 10)}, {"noise": (9, 3)}, {"shift_kms": -1}, {"probability": 2}])
def test_impossible_settings(wrong):
    with pytest.raises(SettingsError):
        Augmentation(**wrong)

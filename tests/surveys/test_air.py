import numpy as np
import pytest

from transtar.surveys.air import air_to_vacuum, vacuum_to_air


@pytest.mark.parametrize(
    ("air", "vacuum"), [(6562.80, 6564.61), (4861.33, 4862.68), (4340.46, 4341.68), (4101.73, 4102.89)]
)
def test_balmer_lines(air, vacuum):
    """Wavelengths as SDSS lists them (https://classic.sdss.org/dr6/products/spectra/vacwavelength.php)."""
    assert air_to_vacuum(air) == pytest.approx(vacuum, abs=0.02)
    assert vacuum_to_air(vacuum) == pytest.approx(air, abs=0.02)


def test_against_specutils():
    wcs_utils = pytest.importorskip("specutils.utils.wcs_utils")
    from astropy import units

    wave = np.linspace(3500, 9100, 500)
    theirs = wcs_utils.air_to_vac(wave * units.AA, scheme="iteration", method="Ciddor1996").to_value(units.AA)
    assert np.abs(air_to_vacuum(wave) - theirs).max() < 1e-3


def test_round_trip():
    wave = np.linspace(3000, 10000, 1000)
    np.testing.assert_allclose(vacuum_to_air(air_to_vacuum(wave)), wave, rtol=1e-14)

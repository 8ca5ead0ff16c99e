import numpy as np
import pytest

from transtar.errors import InputError
from transtar.surveys.air import air_to_vacuum
from transtar.surveys.miles import read_miles

from .fits_files import write_lamost_image, write_lamost_table, write_miles


def test_miles(tmp_path):
    batch = read_miles(write_miles(tmp_path / "MILES_res2.50_star_m0250V.fits"))
    np.testing.assert_allclose(batch.wave, air_to_vacuum(3540.5 + 0.9 * np.arange(4300)), rtol=1e-12)
    assert batch.mask[0, :4].tolist() == [True, True, False, False]
    assert batch.ivar is None
    assert (batch.frame, batch.medium, batch.survey) == ("rest", "air", "miles")
    assert batch.ids.tolist() == [250]
    assert {name: column[0] for name, column in batch.meta.items()} == {
        "file": "MILES_res2.50_star_m0250V.fits",
        "velocity": 0.0,
        "star": "m0250",
        "class": "STAR",
    }


def test_reference_pixel_and_other_name(tmp_path):
    batch = read_miles(write_miles(tmp_path / "star.fits", CRPIX1=11, TPLLIB=None))
    assert batch.wave[10] == pytest.approx(air_to_vacuum(3540.5))
    assert (batch.ids[0], batch.meta["star"][0]) == (-1, "star")


def test_wrong_survey(tmp_path):
    for number, write in enumerate((write_lamost_image, write_lamost_table)):
        with pytest.raises(InputError, match=r"not a MILES spectrum .*is --survey right\?"):
            read_miles(write(tmp_path / f"{number}.fits"))
    with pytest.raises(InputError, match="TPLLIB 'INDO-US'"):
        read_miles(write_miles(tmp_path / "2.fits", TPLLIB="INDO-US"))


def test_wavelengths_in_nanometres(tmp_path):
    batch = read_miles(write_miles(tmp_path / "a.fits", CRVAL1=354.05, CDELT1=0.09, CUNIT1="nm"))
    np.testing.assert_allclose(batch.wave, air_to_vacuum(3540.5 + 0.9 * np.arange(4300)), rtol=1e-12)


@pytest.mark.parametrize(
    ("n", "start", "step"),
    [(313_000, 3781.0, 0.01), (4300, 354.05, 0.09), (4300, 3540.5, 1.0), (2000, 3540.5, 0.9), (4300, 5000.0, 0.9)],
)
def test_other_files_of_one_dimension_are_not_taken_for_miles(tmp_path, n, start, step):
    path = write_miles(tmp_path / "a.fits", n, CRVAL1=start, CDELT1=step, TPLLIB=None)
    with pytest.raises(InputError, match=r"not a MILES spectrum, which runs from .*--survey generic"):
        read_miles(path)


def test_a_real_spectrum_of_harps_is_refused(data):
    with pytest.raises(InputError, match=r"CDELT1 0\.0099998, 313025 pixels\); other spectra"):
        read_miles(data / "public/highres/Sun_HARPS.fits.gz")


def test_h_beta_of_a_real_star_lies_at_its_vacuum_wavelength(data):
    batch = read_miles(data / "miles/spectra/MILES_res2.50_star_m0001V.fits")
    # The deepest point near H beta lies at its vacuum, not its air wavelength.
    near = np.abs(batch.wave - 4862) < 6
    assert batch.wave[near][np.argmin(batch.flux[0, near])] == pytest.approx(4862.68, abs=1.0)

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.grids import BLUE, SPEED_OF_LIGHT
from transtar.surveys import get_survey, read
from transtar.surveys.air import air_to_vacuum
from transtar.surveys.lamost import _on_native_grid, read_lamost

from .fits_files import GRID, spectrum, write_lamost_image, write_lamost_table, write_miles


@pytest.mark.parametrize("write", [write_lamost_image, write_lamost_table])
def test_both_layouts(tmp_path, write):
    # The name lies about compression and layout on purpose.
    path = write(tmp_path / "spec.fits")
    packed = tmp_path / "spec-1.fits"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    flux, ivar, andmask = spectrum(3909)
    batch = read_lamost(packed)
    np.testing.assert_array_equal(batch.wave, GRID)
    np.testing.assert_allclose(batch.flux[0], flux, rtol=1e-6)
    np.testing.assert_allclose(batch.ivar[0], ivar, rtol=1e-6)
    np.testing.assert_array_equal(batch.mask[0], andmask > 0)
    assert (batch.survey, batch.frame, batch.medium) == ("lamost", "observed", "vacuum")
    assert batch.ids.tolist() == [2**62 + 1]
    first = {name: column[0] for name, column in batch.meta.items()}
    assert first["velocity"] == pytest.approx(-0.0003 * SPEED_OF_LIGHT)
    del first["velocity"]
    assert first == {
        "file": "spec-1.fits",
        "star": "J025857.16+072841.3",
        "class": "STAR",
        "subclass": "G3",
        "snr_survey": 13.07,
        "ra": 44.7,
        "dec": 7.4,
        "release": "LAMOST DR10",
    }


def test_wavelengths_that_do_not_rise_are_damaged(tmp_path):
    """A header of one pixel more or less shifts the rows; COEFF0 would then give wavelengths that are others."""
    path = write_lamost_image(tmp_path / "a.fits", third=np.roll(GRID, 3))
    with pytest.raises(InputError, match="wavelengths in its third row do not rise"):
        read_lamost(path)


def test_pixels_beyond_those_of_lamost_are_told(tmp_path, caplog):
    path = write_lamost_image(tmp_path / "a.fits", 10 ** (3.5682 + 1e-4 * np.arange(3912)))
    assert read_lamost(path).flux.shape == (1, 3909)
    assert "3 pixels beyond those of LAMOST (3700 to 9099 A) are left out" in caplog.text


def test_third_row_of_dr1_is_no_wavelength(tmp_path):
    path = write_lamost_image(tmp_path / "a.fits", GRID[:3904], third=np.ones(3904), OBSID=None, SNRG=None, SN_G=7.0)
    batch = read_lamost(path)
    np.testing.assert_array_equal(batch.wave, GRID)
    assert batch.mask[0, 3904:].all()
    assert batch.ids.tolist() == [-1]
    assert batch.meta["snr_survey"].tolist() == [7.0]


@settings(max_examples=40, deadline=None)
@given(st.integers(-50, 3800), st.integers(2, 4000), st.floats(-0.0199, 0.0199))
def test_padding(first, n, offset):
    pixels = np.arange(first, first + n)
    inside = (pixels >= 0) & (pixels < 3909)
    flux, ivar, bad = spectrum(n)
    wave = 10 ** (3.5682 + 1e-4 * (pixels + offset))
    if inside.sum() < 2:
        assert _on_native_grid(wave, flux, ivar, bad > 0, Path("spec.fits"))[0] is wave
        return
    common, full_flux, full_ivar, mask = _on_native_grid(wave, flux, ivar, bad > 0, Path("spec.fits"))
    np.testing.assert_array_equal(common, GRID)
    there = np.isin(np.arange(3909), pixels)
    assert mask[~there].all()
    assert not full_ivar[~there].any()
    np.testing.assert_array_equal(mask[there], (bad > 0)[inside])
    np.testing.assert_array_equal(full_flux[there], flux[inside].astype(np.float32))


def test_other_pixels_stay(tmp_path):
    wave = np.linspace(3700, 9000, 3000)
    np.testing.assert_allclose(read_lamost(write_lamost_table(tmp_path / "a.fits", wave)).wave, wave, rtol=1e-7)


def test_air(tmp_path):
    batch = read_lamost(write_lamost_table(tmp_path / "a.fits", VACUUM=False))
    assert batch.medium == "air"
    np.testing.assert_allclose(batch.wave, air_to_vacuum(GRID), rtol=1e-7)


@pytest.mark.parametrize("changes", [{"Z": None}, {"Z": -9999.0}, {"Z": 0.2}, {"CLASS": "GALAXY", "Z": 0.001}])
def test_no_velocity(tmp_path, changes):
    batch = read_lamost(write_lamost_table(tmp_path / "a.fits", **changes))
    assert np.isnan(batch.meta["velocity"][0])
    assert batch.meta["class"][0] == changes.get("CLASS", "STAR")


def test_flux_not_finite_is_masked(tmp_path):
    flux = np.ones(3909)
    flux[[5, 7]] = np.nan, np.inf
    assert read_lamost(write_lamost_table(tmp_path / "a.fits", flux=flux)).mask[0, [5, 7]].all()


def test_medium_resolution_is_refused_by_name(tmp_path):
    columns = [fits.Column("FLUX", "E", array=np.ones(9)), fits.Column("LOGLAM", "E", array=np.ones(9))]
    hdus = [fits.BinTableHDU.from_columns(columns, name=name) for name in ("COADD_B", "COADD_R")]
    path = tmp_path / "med-1.fits"
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    with pytest.raises(InputError, match=r"med-1\.fits: a LAMOST medium-resolution file"):
        read_lamost(path)


def test_wrong_survey(tmp_path, data):
    for path in (write_miles(tmp_path / "m0001V.fits"), data / "desi/coadd-special-dark-27247.fits"):
        with pytest.raises(InputError, match=r"not a LAMOST low-resolution spectrum .*is --survey right\?"):
            read_lamost(path)
    with pytest.raises(InputError, match="telescope 'SDSS"):
        read_lamost(write_lamost_image(tmp_path / "a.fits", TELESCOP="SDSS 2.5-M"))


@pytest.mark.parametrize(
    ("wave", "message"), [(GRID[::-1], "not strictly increasing"), (GRID / 10, "not Angstrom"), (GRID[:1], "two")]
)
def test_bad_wavelengths(tmp_path, wave, message):
    with pytest.raises(InputError, match=message):
        read(get_survey("lamost"), write_lamost_table(tmp_path / "a.fits", wave))


def test_a_few_wavelengths_off_the_pixels_are_damage(tmp_path):
    wave = GRID.copy()
    wave[1234] += 0.3
    with pytest.raises(InputError, match="1 of 3909 wavelengths are not on LAMOST's pixels"):
        read_lamost(write_lamost_table(tmp_path / "a.fits", wave))


def test_a_header_that_contradicts_itself(tmp_path):
    path = write_lamost_image(tmp_path / "a.fits", third=np.ones(len(GRID)), CRVAL1=3.5682)
    assert read_lamost(path).wave[0] == pytest.approx(GRID[0])
    write_lamost_image(path, third=np.ones(len(GRID)), CRVAL1=3.5692)
    with pytest.raises(InputError, match=r"contradicts itself \(COEFF0 = 3\.5682, CRVAL1 = 3\.5692\)"):
        read_lamost(path)


def test_si_units_keep_the_spectrum(tmp_path):
    """1e-17 W/m2/A has inverse variances that single precision does not hold."""
    flux = np.random.default_rng(0).uniform(1, 2, len(GRID))
    ordinary = read_lamost(write_lamost_table(tmp_path / "a.fits", flux=flux))
    path = tmp_path / "b.fits"
    columns = [
        fits.Column(name, f"{len(GRID)}D", array=values[None])
        for name, values in (("FLUX", flux * 1e-24), ("IVAR", np.full(len(GRID), 1e52)), ("WAVELENGTH", GRID))
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="COADD")]).writeto(path)
    scaled = read_lamost(path)
    assert np.isfinite(scaled.ivar).all()
    assert not scaled.mask.any()
    np.testing.assert_allclose(scaled.flux / scaled.flux[0, 0], ordinary.flux / ordinary.flux[0, 0], rtol=1e-6)
    np.testing.assert_allclose(scaled.flux * np.sqrt(scaled.ivar), flux[None] * 1e-24 * 1e26, rtol=1e-6)


def test_wavelengths_in_nanometres(tmp_path):
    plain = read_lamost(write_lamost_table(tmp_path / "a.fits"))
    path = write_lamost_table(tmp_path / "b.fits", GRID / 10)
    with fits.open(path, mode="update") as hdus:
        hdus[1].columns["WAVELENGTH"].unit = "nm"
    np.testing.assert_array_equal(read_lamost(path).flux, plain.flux)
    with fits.open(path, mode="update") as hdus:
        hdus[1].columns["WAVELENGTH"].unit = "kg"
    with pytest.raises(InputError, match="the unit 'kg' is not a unit of wavelength"):
        read_lamost(path)


def test_real_files(data):
    survey = get_survey("lamost")
    files = sorted((data / "lamost_formats").glob("spec-*"))
    batches = [read_lamost(path) for path in files]
    assert [b.meta["class"][0] for b in batches].count("GALAXY") == 2
    assert all(np.array_equal(b.wave, GRID) for b in batches)
    np.testing.assert_allclose(batches[0].wave[338:1800], BLUE.wave, rtol=1e-14)
    short = next(b for b in batches if "DR8" in b.meta["release"][0])
    assert short.mask[0, :158].all()
    assert not short.mask[0, 200:].all()
    with pytest.raises(InputError, match=r"med-58408.*medium-resolution"):
        read(survey, next((data / "lamost_formats").glob("med-*")))
    old = read_lamost(min((data / "lamost_dr1/spectra").iterdir()))
    assert np.array_equal(old.wave, GRID)
    assert old.flux.max() == np.float32(1950.8645)

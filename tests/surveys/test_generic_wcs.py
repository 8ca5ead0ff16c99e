import re

import numpy as np
import pytest
from astropy.io import fits

from transtar.errors import InputError
from transtar.surveys import Stated
from transtar.surveys.air import air_to_vacuum
from transtar.surveys.generic import read_generic

N = 900
FLUX = np.linspace(1, 2, N)
VACUUM = Stated(medium="vacuum")


def image(path, flux=FLUX, **cards):
    hdu = fits.PrimaryHDU(flux)
    for key, value in cards.items():
        hdu.header[key.replace("__", "-")] = value
    hdu.writeto(path, overwrite=True)
    return path


@pytest.mark.parametrize(
    ("cards", "first", "last"),
    [
        ({"CRVAL1": 4000.0, "CDELT1": 2.0, "CRPIX1": 1.0}, 4000, 4000 + 2 * (N - 1)),
        ({"CRVAL1": 4000.0, "CD1_1": 2.0, "CDELT1": 1.0, "CRPIX1": 3.0, "CTYPE1": "LINEAR"}, 3996, 3996 + 2 * (N - 1)),
        ({"CRVAL1": 400.0, "CDELT1": 0.2, "CRPIX1": 1.0, "CUNIT1": "nm", "CTYPE1": "WAVE"}, 4000, 4000 + 2 * (N - 1)),
        ({"CRVAL1": 4e-7, "CDELT1": 2e-10, "CRPIX1": 1.0, "CUNIT1": "m"}, 4000, 4000 + 2 * (N - 1)),
        ({"CRVAL1": 3.6, "CDELT1": 1e-4, "CRPIX1": 1.0, "DC__FLAG": 1}, 10**3.6, 10 ** (3.6 + 1e-4 * (N - 1))),
        ({"COEFF0": 3.6, "COEFF1": 1e-4}, 10**3.6, 10 ** (3.6 + 1e-4 * (N - 1))),
        ({"CRVAL1": 3.6, "CDELT1": 1e-4, "CRPIX1": 1.0, "CTYPE1": "LOGLAM"}, 10**3.6, 10 ** (3.6 + 1e-4 * (N - 1))),
        ({"CRVAL1": 4000.0, "CDELT1": 1.0, "CRPIX1": 1.0, "CTYPE1": "WAVE-LOG"}, 4000, 4000 * np.exp((N - 1) / 4000)),
        ({"CRVAL1": 4000.0, "CDELT1": 1.0, "CRPIX1": 1.0, "CTYPE1": "ANGSTROM"}, 4000, 4000 + N - 1),
        (
            {"CRVAL1": 4000.0, "CDELT1": 1.0, "CRPIX1": 1.0, "WAT1_001": "wtype=linear units=angstroms"},
            4000,
            4000 + N - 1,
        ),
        ({"CRVAL1": 6000.0, "CDELT1": -1.0, "CRPIX1": 1.0}, 6000 - N + 1, 6000),
    ],
)
def test_counted_wavelengths(tmp_path, cards, first, last):
    batch = read_generic(image(tmp_path / "a.fits", **cards), VACUUM)
    np.testing.assert_allclose(batch.wave[[0, -1]], [first, last], rtol=1e-12)
    flux = FLUX[::-1] if cards.get("CDELT1", 1) < 0 else FLUX
    np.testing.assert_allclose(batch.flux[0], flux, rtol=1e-6)


def test_frequencies_are_of_vacuum_and_run_backwards(tmp_path):
    path = image(tmp_path / "a.fits", CRVAL1=5e14, CDELT1=1e11, CRPIX1=1.0, CTYPE1="FREQ", CUNIT1="Hz")
    batch = read_generic(path)
    np.testing.assert_allclose(batch.wave[-1], 299792458e10 / 5e14)
    assert (batch.medium, batch.flux[0, -1]) == ("vacuum", 1)
    with pytest.raises(InputError, match=r"medium is vacuum by its frequencies.*, not air as --medium says"):
        read_generic(path, Stated(medium="air"))


def test_awav_states_air(tmp_path):
    path = image(tmp_path / "a.fits", CRVAL1=4000.0, CDELT1=1.0, CRPIX1=1.0, CTYPE1="AWAV")
    batch = read_generic(path)
    assert batch.medium == "air"
    np.testing.assert_allclose(batch.wave, air_to_vacuum(4000.0 + np.arange(N)))
    with pytest.raises(InputError, match=r"a\.fits: medium is air by CTYPE1 'AWAV', not vacuum as --medium says"):
        read_generic(path, VACUUM)


@pytest.mark.parametrize("log", [False, True])
def test_agrees_with_specutils(tmp_path, log):
    specutils = pytest.importorskip("specutils")
    cards = {
        "CRVAL1": 4000.0,
        "CDELT1": 1.3,
        "CRPIX1": 7.0,
        "CUNIT1": "Angstrom",
        "CTYPE1": "WAVE-LOG" if log else "WAVE",
    }
    path = image(tmp_path / "a.fits", **cards)
    theirs = specutils.Spectrum.read(path, format="wcs1d-fits")
    np.testing.assert_allclose(read_generic(path, VACUUM).wave, theirs.spectral_axis.to_value("Angstrom"), rtol=1e-12)


def test_without_reference_pixel_the_first_is_told(tmp_path, caplog):
    batch = read_generic(image(tmp_path / "a.fits", CRVAL1=4000.0, CDELT1=1.0), VACUUM)
    assert batch.wave[0] == 4000
    assert "without CRPIX1" in caplog.text


def multispec(way, n=N, specs=1):
    words = " ".join(f'spec{i} = "{i} {i} {way} 4000. 1. {n} 0. 1. 2."' for i in range(1, specs + 1))
    text = f"wtype=multispec {words}"
    cards = {f"WAT2_{i + 1:03d}": text[68 * i : 68 * i + 68] for i in range(-(-len(text) // 68))}
    return {
        "CTYPE1": "MULTISPE",
        "WAT0_001": "system=multispec",
        "WAT1_001": "wtype=multispec units=angstroms",
        **cards,
    }


def test_multispec_of_one_linear_spectrum(tmp_path):
    batch = read_generic(image(tmp_path / "a.fits", FLUX[None, :], **multispec(0)), VACUUM)
    np.testing.assert_allclose(batch.wave, 4000 + np.arange(N))


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        (multispec(2), "dispersion function that is not linear"),
        (multispec(0, n=5), "dispersion function that is not linear"),
        (multispec(0, specs=2), "multispec image of 2 spectra"),
        ({"CRVAL1": 4000.0, "CDELT1": 1.0, "CTYPE1": "VELO-LSR"}, "counts velocities"),
        ({"CRVAL1": 4000.0, "CDELT1": 1.0, "CTYPE1": "WAVE-F2W"}, "CTYPE1 'WAVE-F2W' is not one of"),
        ({"CRVAL1": 4000.0, "CDELT1": 1.0, "CTYPE1": "PIXEL"}, "CTYPE1 'PIXEL' is not one of"),
        ({"CRVAL1": 4000.0, "CDELT1": 1.0, "CD1_1": 2.0}, "CD1_1 2 and CDELT1 1|differ"),
        ({"CRVAL1": 4000.0, "CDELT1": 1.5, "CD1_1": 2.0}, "CD1_1 2 and CDELT1 1.5 differ"),
        ({"CRVAL1": 4000.0, "CDELT1": 0.0}, "CDELT1 is 0"),
        ({"CRVAL1": 4000.0}, "without CDELT1"),
        ({"CRVAL1": "4000", "CDELT1": "x"}, "CDELT1 is no number"),
        ({"CRVAL1": 4000.0, "CDELT1": 1.0, "DC__FLAG": 1}, "no logarithms"),
        ({"CRVAL1": 4000.0, "CDELT1": 1.0, "DC__FLAG": 2}, "DC-FLAG 2"),
        ({"CRVAL1": 3.6, "CDELT1": 1e-4}, "is not Angstrom, and no unit is stated; give --unit"),
        ({"CRVAL1": 4000.0, "CDELT1": 1.0, "CUNIT1": "km/s"}, "the unit 'km/s' is not a unit of wavelength"),
        ({}, "no wavelengths: neither an HDU WAVELENGTH nor CRVAL1"),
    ],
)
def test_what_cannot_be_counted_is_refused(tmp_path, cards, message):
    if "CD1_1" in cards and cards["CDELT1"] == 1:
        # IRAF's: beside CD1_1 a CDELT1 of 1 means nothing.
        assert read_generic(image(tmp_path / "a.fits", **cards), VACUUM).wave[1] == 4002
        return
    with pytest.raises(InputError, match=message) as caught:
        read_generic(image(tmp_path / "a.fits", **cards), VACUUM)
    assert "a.fits" in str(caught.value)


@pytest.mark.parametrize(
    ("system", "frame"),
    [("BARYCENT", "observed"), ("HELIOCEN", "observed"), ("SOURCE", "rest"), ("TOPOCENT", "observed")],
)
def test_specsys(tmp_path, system, frame, caplog):
    path = image(tmp_path / "a.fits", CRVAL1=4000.0, CDELT1=1.0, CRPIX1=1.0, SPECSYS=system, OBJECT="HD 101  ")
    batch = read_generic(path, VACUUM)
    assert (batch.frame, batch.meta["star"][0]) == (frame, "HD 101")
    assert ("not corrected for the motion of the Earth" in caplog.text) == (system == "TOPOCENT")
    if system == "BARYCENT":
        with pytest.raises(InputError, match=r"frame is observed by SPECSYS of HDU PRIMARY, not rest as --frame says"):
            read_generic(path, Stated(medium="vacuum", frame="rest"))
    with pytest.raises(InputError, match="frame 'LSRK'"):
        read_generic(image(tmp_path / "a.fits", CRVAL1=4000.0, CDELT1=1.0, SPECSYS="LSRK"), VACUUM)


@pytest.mark.parametrize(
    ("cards", "medium"),
    [
        ({"AIRORVAC": "air"}, "air"),
        ({"AIRORVAC": "vac"}, "vacuum"),
        ({"VACUUM": False}, "air"),
        ({"MEDIUM": "air"}, "air"),
    ],
)
def test_headers_state_the_medium(tmp_path, cards, medium):
    assert read_generic(image(tmp_path / "a.fits", CRVAL1=4000.0, CDELT1=1.0, CRPIX1=1.0, **cards)).medium == medium


@pytest.mark.parametrize(("cards", "star", "kind"), [
    ({"OBJECT": "science", "CLASS": "IMAGE"}, None, None),
    ({"OBJECT": "HD 1", "STAR": "HD 2", "CLASS": "GALAXY"}, "HD 2", "GALAXY"),
])  # fmt: skip
def test_headers_name_stars_and_classes(tmp_path, cards, star, kind):
    meta = read_generic(image(tmp_path / "a.fits", CRVAL1=4000.0, CDELT1=1.0, CRPIX1=1.0, **cards), VACUUM).meta
    assert [meta[name][0] if name in meta else None for name in ("star", "class")] == [star, kind]


def test_contradicting_headers_are_refused(tmp_path):
    path = image(tmp_path / "a.fits", CRVAL1=4000.0, CDELT1=1.0, CRPIX1=1.0, VACUUM=True, CTYPE1="AWAV")
    with pytest.raises(InputError, match="medium is vacuum by VACUUM of HDU PRIMARY, and air by CTYPE1"):
        read_generic(path)


@pytest.mark.parametrize("value", ["12.5", "1e4", 1.5])
def test_identifiers_in_headers_are_whole_numbers(tmp_path, value):
    with pytest.raises(InputError, match="id"):
        read_generic(image(tmp_path / "a.fits", CRVAL1=4000.0, CDELT1=1.0, CRPIX1=1.0, ID=value), VACUUM)


def test_an_id_that_is_a_name_costs_no_file(tmp_path):
    batch = read_generic(image(tmp_path / "a.fits", CRVAL1=4000.0, CDELT1=1.0, CRPIX1=1.0, ID="HD 101"), VACUUM)
    assert (batch.meta["star"].tolist(), batch.ids.tolist()) == (["HD 101"], [-1])


@pytest.mark.parametrize(("way", "unit"), [(np.log10, "log10(Angstrom)"), (np.log, "ln(Angstrom)")])
def test_images_of_logarithms_by_their_unit(tmp_path, way, unit):
    start, step = float(way(4000.0)), 1e-4
    cards = {"CRVAL1": start, "CDELT1": step, "CRPIX1": 1.0}
    wave = (10.0 if way is np.log10 else np.e) ** (start + step * np.arange(N))
    path = image(tmp_path / "a.fits", **cards)
    with pytest.raises(InputError, match=re.escape(f"--unit '{unit}'")):
        read_generic(path, VACUUM)
    np.testing.assert_allclose(read_generic(path, Stated(medium="vacuum", unit=unit)).wave, wave, rtol=1e-12)
    np.testing.assert_allclose(
        read_generic(image(tmp_path / "b.fits", **cards, CUNIT1=unit), VACUUM).wave, wave, rtol=1e-12
    )


def test_wavelengths_of_the_earth_are_not_at_rest(tmp_path):
    path = image(tmp_path / "a.fits", CRVAL1=4000.0, CDELT1=1.0, CRPIX1=1.0, SPECSYS="TOPOCENT")
    assert read_generic(path, VACUUM).frame == "observed"
    with pytest.raises(InputError, match="frame is observed by SPECSYS of HDU PRIMARY, not rest"):
        read_generic(path, Stated(medium="vacuum", frame="rest"))


def test_velocities_with_their_units(tmp_path):
    cards = {"CRVAL1": 4000.0, "CDELT1": 1.0, "CRPIX1": 1.0}
    for unit in ("km/s", "km s-1"):
        path = image(tmp_path / "a.fits", **cards, VELOCITY=(23.5, f"[{unit}] radial velocity"))
        assert read_generic(path, VACUUM).meta["velocity"].tolist() == [23.5]
    path = image(tmp_path / "b.fits", **cards, VELOCITY=(23500.0, "[m/s] radial velocity"))
    assert read_generic(path, VACUUM).meta["velocity"].tolist() == [23.5]
    with pytest.raises(InputError, match=r"velocity '0\.1 c' is no number"):
        read_generic(image(tmp_path / "c.fits", **cards, VELOCITY=(0.1, "[c]")), VACUUM)

import numpy as np
import pytest
from astropy import units as u

from transtar.errors import InputError
from transtar.surveys.wave_units import bare_unit, is_wave_unit, per_frequency, same_unit, to_angstrom, unit_ratio

WAVE = np.array([4000.0, 5000.0, 6562.8])


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("A", "Angstrom"),
        ("Angstroms", "Angstrom"),
        ("0.1 nm", "Angstrom"),
        ("nm", "nm"),
        ("NM", "nm"),
        ("nanometers", "nm"),
        ("um", "um"),
        ("µm", "um"),
        ("microns", "um"),
        ("m", "m"),
        ("Hz", "Hz"),
        ("GHz", "GHz"),
        ("THz", "THz"),
        ("cm-1", "1/cm"),
        ("1/cm", "1/cm"),
        ("eV", "eV"),
        ("keV", "keV"),
        ("log10(nm)", "nm"),
        ("[Angstrom]", "Angstrom"),
    ],
)
def test_wavelengths_agree_with_astropy(text, unit):
    given = (WAVE * u.Angstrom).to_value(u.Unit(unit), u.spectral())
    found, vacuum = to_angstrom(given, text, "file")
    np.testing.assert_allclose(found, WAVE, rtol=1e-12)
    assert vacuum == (u.Unit(unit).physical_type != "length")
    assert is_wave_unit(text)


def test_nanometres_of_whole_angstroms_are_exact():
    assert to_angstrom(np.array([500.1]), "nm", "")[0][0] == 5001.0


@pytest.mark.parametrize("text", ["km/s", "pixel", "furlongs per night", "K", "mag", "[]"])
def test_other_units_are_refused(text):
    assert not is_wave_unit(text)
    with pytest.raises(InputError, match=r"a\.csv: the unit .* is not a unit of wavelength"):
        to_angstrom(WAVE, text, "a.csv")


def test_spellings_of_one_unit_are_one():
    assert same_unit("A", "Angstrom")
    assert same_unit("0.1 nm", "AA")
    assert not same_unit("nm", "um")
    assert not same_unit("km/s", "km/s")
    assert bare_unit("log(Angstrom)") == "Angstrom"


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("", False),
        ("Jy", True),
        ("mJy", True),
        ("erg/s/cm2/Hz", True),
        ("erg s-1 cm-2 Hz-1", True),
        ("10**-29 odd/Hz", True),
        ("nanomaggies", True),
        ("1E-17 erg/cm^2/s/Ang", False),
        ("W m-2 nm-1", False),
        ("ADU", False),
        ("Relative Flux", False),
    ],
)
def test_fluxes_per_frequency(unit, expected):
    assert per_frequency(unit, "file") == expected


@pytest.mark.parametrize("unit", ["mag", "ABmag", "mag(AB)", "dex(erg)", "log erg/s"])
def test_logarithms_are_no_fluxes(unit):
    with pytest.raises(InputError, match="logarithm"):
        per_frequency(unit, "file")


def test_errors_in_another_unit():
    assert unit_ratio("mJy", "Jy", 1, "") == pytest.approx(1e-3)
    assert unit_ratio("Jy2", "Jy", 2, "") == 1
    assert unit_ratio("1/mJy2", "Jy", -2, "") == pytest.approx(1e6)
    assert unit_ratio("odd", "odd", 1, "") == 1
    assert unit_ratio("", "Jy", 1, "") == 1
    for error, flux in (("K", "Jy"), ("odd", "Jy")):
        with pytest.raises(InputError, match="does not go with"):
            unit_ratio(error, flux, 1, "file")

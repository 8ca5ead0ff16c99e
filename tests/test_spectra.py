import numpy as np
import pytest

from transtar.errors import InputError
from transtar.spectra import SpectrumBatch, check_wave, concatenate, inverse_variance, to_single

WAVE = np.linspace(4000, 5000, 5)


def batch(n=3, wave=WAVE, ivar=True, **changes):
    flux = np.arange(n * len(wave), dtype=np.float32).reshape(n, len(wave))
    values = {
        "wave": wave, "flux": flux, "ivar": None if ivar is False else flux + 1, "mask": flux > 7,
        "ids": 2**62 + 1 + np.arange(n), "survey": "made",
        "meta": {"file": np.array([f"{i}" for i in range(n)]), "velocity": np.zeros(n)},
    }  # fmt: skip
    if isinstance(ivar, np.ndarray):
        values["ivar"] = ivar
    return SpectrumBatch(**(values | changes))


def test_select():
    whole = batch(4)
    for rows in (slice(1, 3), np.array([1, 2]), np.array([False, True, True, False])):
        part = whole.select(rows)
        assert len(part) == 2
        assert part.ids.tolist() == [2**62 + 2, 2**62 + 3]
        assert part.meta["file"].tolist() == ["1", "2"]
        np.testing.assert_array_equal(part.ivar, whole.ivar[1:3])
    assert batch(ivar=False).select(slice(1)).ivar is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frame": "galactic"}, "made: frame 'galactic' is not one of observed, rest"),
        ({"flux": np.zeros((3, 4))}, r"flux has shape \(3, 4\), expected \(3, 5\)"),
        ({"mask": np.zeros((2, 5))}, r"mask has shape \(2, 5\)"),
        ({"ivar": np.zeros(5)}, r"ivar has shape \(5,\)"),
        ({"meta": {"file": np.array(["a"])}}, "column file has 1 rows, expected 3"),
        ({"ids": np.arange(3.0)}, "ids must be int64, not float64"),
        ({"ids": np.arange(3, dtype=np.int32)}, "ids must be int64, not int32"),
    ],
)
def test_inconsistent(changes, message):
    with pytest.raises(InputError, match=message):
        batch(**changes)


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (WAVE[::-1], "not strictly increasing; sort them first"),
        (np.array([4000.0, 4000.0, 4100.0]), "not strictly increasing"),
        (WAVE[:1], "at least two wavelengths"),
        (WAVE[None], "one-dimensional"),
        (np.array([4000, np.nan]), "finite and positive"),
        (np.array([0.0, 4000]), "finite and positive"),
        (WAVE / 10, "which is not Angstrom .*nanometre"),
        (np.log10(WAVE), "not Angstrom"),
    ],
)
def test_bad_wavelengths(wave, message):
    with pytest.raises(InputError, match=f"^somewhere: .*{message}"):
        check_wave(wave, "somewhere")


def test_concatenate():
    first, second = batch(2), batch(1, meta={"file": np.array(["x"]), "ra": np.array([1.0]), "n": np.array([3])})
    joined = concatenate([first, second])
    assert joined.meta["file"].tolist() == ["0", "1", "x"]
    np.testing.assert_array_equal(joined.meta["ra"], [np.nan, np.nan, 1])
    np.testing.assert_array_equal(joined.meta["velocity"], [0, 0, np.nan])
    assert joined.meta["n"].tolist() == [-1, -1, 3]
    assert joined.flux.shape == (3, 5)
    assert concatenate([first]) is first


@pytest.mark.parametrize(
    "other",
    [batch(wave=WAVE + 1), batch(wave=WAVE[:4]), batch(survey="other"), batch(frame="rest"), batch(ivar=False)],
)
def test_what_cannot_be_joined(other):
    with pytest.raises(InputError, match="cannot be joined"):
        concatenate([batch(), other])


def test_what_was_left_out_adds_up():
    parts = [batch(left_out={"sky": 2}), batch(left_out={"sky": 1, "stuck": 4})]
    assert concatenate(parts).left_out == {"sky": 3, "stuck": 4}


@pytest.mark.parametrize("unit", [1e-17, 1e-20, 1e30, 1e-200, 1e250])
def test_fluxes_of_any_unit_fit_into_single_precision(unit):
    """The same spectrum, exact to a power of two, whatever the unit; S/N is what it was."""
    rng = np.random.default_rng(3)
    flux, error = rng.uniform(0.5, 2, (3, 500)), rng.uniform(1e-3, 1e-2, (3, 500))
    flux[0, :100], flux[1, 7], flux[2, ::2] = 0, np.nan, np.inf
    error[0, 5] = np.inf
    single, ivar = to_single(flux * unit, (error * unit) ** -2.0 if abs(np.log10(unit)) < 100 else None)
    assert single.dtype == np.float32
    finite = np.isfinite(flux) & (flux != 0)
    power = np.log2(single[finite] / (flux * unit)[finite])
    for row in range(3):
        powers = power[np.nonzero(finite)[0] == row]
        assert np.ptp(powers) < 1e-6
        assert abs(powers[0] - round(powers[0])) < 1e-6
    if ivar is not None:
        assert ivar.dtype == np.float32
        assert ivar[0, 5] == 0
        np.testing.assert_allclose((single * np.sqrt(ivar))[finite], (flux / error)[finite], rtol=1e-6)


def test_ordinary_fluxes_are_not_touched():
    flux = np.geomspace(1e-11, 1e11, 50).astype(np.float32)[:, None] * np.ones(300, np.float32)
    single, ivar = to_single(flux, flux)
    assert single is flux
    assert ivar is flux
    one, none = to_single(flux[3].astype(">f4"))
    assert none is None
    assert one.dtype == np.float32
    assert (one == flux[3]).all()


def test_masked_fluxes_are_no_numbers():
    masked = np.ma.masked_greater(np.arange(5), 3)
    flux, ivar = to_single(masked, masked)
    assert np.isnan(flux[4])
    assert ivar[4] == 0
    assert flux[3] == 3
    assert not to_single(np.zeros((2, 10)))[0].any()


def test_a_batch_brings_its_fluxes_to_single_precision():
    flux = np.array([[1.0, 2, 3, 4, 5]]) * 1e-20
    given = {"wave": WAVE, "mask": np.zeros((1, 5), bool), "ids": np.array([1]), "survey": "made"}
    one = SpectrumBatch(flux=flux, ivar=(flux / 1000) ** -2.0, **given)
    assert one.flux.dtype == one.ivar.dtype == np.float32
    np.testing.assert_allclose(one.flux * np.sqrt(one.ivar), 1000, rtol=1e-6)
    np.testing.assert_allclose(one.flux / one.flux[0, 0], flux / 1e-20, rtol=1e-6)
    masked = SpectrumBatch(flux=np.ma.masked_greater(flux.astype(np.float32), 4.5e-20), ivar=None, **given)
    assert np.isnan(masked.flux[0, 4])
    assert type(masked.flux) is np.ndarray


def test_errors_that_are_all_zero_are_none(caplog):
    error = np.array([[1.0, 2, 0, -1, np.nan], [0.0] * 5, [np.nan] * 5])
    ivar = inverse_variance(error, "made")
    np.testing.assert_array_equal(ivar[0], [1, 0.25, 0, 0, 0])
    assert np.isnan(ivar[1:]).all()
    assert "made: spectra whose errors are all zero or missing are taken as spectra without errors" in caplog.text
    assert inverse_variance(error[1:], "made") is None
    assert inverse_variance(error[2], "made") is None
    caplog.clear()
    np.testing.assert_array_equal(inverse_variance(error[0], "made"), ivar[0])
    assert inverse_variance(np.array([np.inf, 1e-200]), "made").tolist() == [0, np.inf]
    assert not caplog.text

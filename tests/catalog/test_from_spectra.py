"""From spectra in memory to labels."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

import transtar
from transtar.catalog import predict_files, predict_spectra
from transtar.errors import InputError, SettingsError
from transtar.grids import SPEED_OF_LIGHT
from transtar.simulate import load_emulator
from transtar.spectra import SpectrumBatch
from transtar.surveys.air import vacuum_to_air

from ..made_surveys import made_miles


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_miles(tmp_path_factory.mktemp("miles"), n=5) / "spectra"


@pytest.fixture(scope="module")
def batch(folder):
    (batch,) = transtar.stream("miles", folder)
    return batch


def test_labels_are_those_of_the_files(folder, batch):
    expected = predict_files("mock-feh", "miles", folder)
    for given in (batch, [batch], [batch.select([n]) for n in range(5)]):
        result = predict_spectra("mock-feh", given)
        assert list(result.columns) == list(expected.columns)
        np.testing.assert_allclose(result.columns["feh"], expected.columns["feh"], atol=1e-6)
        assert (result.flags, result.n_spectra) == (expected.flags, 5)
        assert result.columns["file"].tolist() == expected.columns["file"].tolist()
    assert result.to_table()["feh"].unit == "dex"
    assert result.to_table().meta["models"] == ["mock-feh"]


def test_a_batch_of_arrays_needs_no_name_of_a_file(batch):
    bare = replace(batch, meta={"velocity": np.zeros(5)})
    np.testing.assert_array_equal(
        predict_spectra("mock-feh", bare).columns["feh"], predict_spectra("mock-feh", batch).columns["feh"]
    )


def test_bad_input(batch):
    with pytest.raises(InputError, match="no spectrum: the list is empty"):
        predict_spectra("mock-feh", [])
    with pytest.raises(InputError, match="says its medium itself"):
        predict_spectra("mock-feh", batch, medium="air")
    with pytest.raises(SettingsError, match="no survey 'mine'"):
        predict_spectra("mock-feh", batch, "mine")
    with pytest.raises(InputError, match=r"not a specutils\.Spectrum but"):
        predict_spectra("mock-feh", ["spectrum.fits"], medium="air")
    with pytest.raises(InputError, match="written to a file"):
        transtar.catalog.Prediction().to_table()


def spectra_of(batch, unit="nm", cut=0):
    """Each spectrum in air, without its last `cut` times its number pixels."""
    specutils = pytest.importorskip("specutils")
    from astropy import units as u

    wave = vacuum_to_air(batch.wave) * u.AA
    for number in range(len(batch)):
        stop = len(wave) - cut * number
        flux = np.where(batch.mask[number], np.nan, batch.flux[number])[:stop]
        yield specutils.Spectrum(spectral_axis=wave[:stop].to(unit), flux=flux * u.Unit("erg / (s cm2 AA)") * 1e-17)


@pytest.mark.parametrize("cut", [0, 3])
def test_a_list_of_specutils_spectra(batch, cut):
    spectra = list(spectra_of(batch, cut=cut))
    result = transtar.predict_spectra("mock-feh", spectra, medium="air", frame="rest", ids=np.arange(5) + 2**62)
    expected = predict_spectra("mock-feh", batch).columns["feh"]
    np.testing.assert_allclose(result.columns["feh"], expected, atol=2e-3)
    assert result.columns["id"].tolist() == [2**62 + n for n in range(5)]
    with pytest.raises(InputError, match="ids has 2 values for 5 spectra"):
        transtar.predict_spectra("mock-feh", spectra, medium="air", frame="rest", ids=[1, 2])


def test_a_spectrum_of_a_list_that_says_no_medium_is_named(batch):
    spectra = list(spectra_of(batch))
    for spectrum in spectra[:3]:
        spectrum.meta["medium"] = "air"
    with pytest.raises(InputError, match="spectrum 3: this Spectrum does not say its medium"):
        transtar.from_spectrum(spectra)


def test_lists_are_one_batch_where_they_can_be(batch):
    joined = transtar.from_spectrum(list(spectra_of(batch)), medium="air", frame="rest", velocity=0.0)
    assert len(joined) == 5
    np.testing.assert_allclose(joined.wave, batch.wave, rtol=1e-9)
    with pytest.raises(InputError, match=r"the 5 spectra differ in wavelengths.*predict_spectra.*from_spectra"):
        transtar.from_spectrum(list(spectra_of(batch, cut=3)), medium="air", frame="rest")


@pytest.mark.filterwarnings("ignore:Not all spectra")
def test_a_collection_is_taken_apart_by_the_user(batch):
    specutils = pytest.importorskip("specutils")
    spectra = list(spectra_of(batch))
    collection = specutils.SpectrumCollection.from_spectra(spectra)
    with pytest.raises(InputError, match="give them as a list"):
        transtar.from_spectrum(collection, medium="air")
    assert len(transtar.from_spectrum(specutils.SpectrumList(spectra), medium="air")) == 5


def test_what_a_spectrum_says_is_not_overridden(batch):
    (spectrum, *_) = spectra_of(batch)
    spectrum.meta["medium"] = "vacuum"
    with pytest.raises(InputError, match="the Spectrum says medium 'vacuum', not 'air'"):
        transtar.from_spectrum(spectrum, medium="air")
    spectrum.meta["frame"] = "rest"
    assert transtar.from_spectrum(spectrum).frame == "rest"


def test_velocities_are_measured_where_that_is_asked_for(caplog):
    emulator = load_emulator()
    lines = gaussian_filter1d(emulator.flux(np.array([[5600.0, 4.2, -0.4, 0.1, 1.1, 0.0]]))[0], 14)
    wave = np.arange(3900.0, 5700.0, 0.9)
    flux = np.stack([np.interp(wave / (1 + v / SPEED_OF_LIGHT), emulator.wave, lines) for v in (0.0, 150.0)])
    batch = SpectrumBatch(wave, flux, None, np.zeros(flux.shape, bool), np.arange(2), "generic")
    without = predict_spectra("mock-feh", batch)
    assert np.isnan(without.columns["feh"]).all()
    assert "or have them measured: velocities='measure'; if" in caplog.text
    measured = predict_spectra("mock-feh", batch, velocities="measure")
    np.testing.assert_allclose(measured.columns["velocity"], [0, 150], atol=2)
    np.testing.assert_allclose(*measured.columns["feh"], atol=0.05)
    assert measured.lines[0].startswith("velocities: measured for 2 of 2 spectra")
    with pytest.raises(SettingsError, match="velocities must be 'measure'"):
        predict_spectra("mock-feh", batch, velocities="rv.csv")

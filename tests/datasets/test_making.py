import json

import numpy as np
import pytest
from astropy.io import fits

from transtar.datasets import Input, prepare, read_set, register_input
from transtar.datasets import inputs as inputs_module
from transtar.datasets.embed import embed_set
from transtar.encoders import OutsideEncoder, save_encoder
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.preprocess import Preprocessing
from transtar.surveys import get_survey, stream

from ..made_surveys import made_lamost
from .test_embed import network


@pytest.fixture(scope="module")
def lamost(tmp_path_factory):
    return made_lamost(tmp_path_factory.mktemp("lamost"), n=8)


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(inputs_module, "_REGISTERED", dict(inputs_module._REGISTERED))


def test_the_input_comes_with_the_spectra(tmp_path, lamost):
    folder = tmp_path / "through"
    save_encoder(network(), folder)
    prepare("lamost", lamost / "spectra", tmp_path / "set", inputs=[folder], batch_size=3)
    prepare("lamost", lamost / "spectra", tmp_path / "other")
    embed_set(tmp_path / "other", folder)
    one, other = (read_set(tmp_path / name) for name in ("set", "other"))
    assert one.inputs.encoders == other.inputs.encoders
    assert one.inputs.encoders["through"]["place"] == str(folder)
    np.testing.assert_allclose(one.inputs["through"], other.inputs["through"], rtol=1e-5, atol=1e-6)
    noted, of_other = (json.loads((tmp_path / name / "set.json").read_text()) for name in ("set", "other"))
    assert noted["format"] == 3
    for key in ("file", "n_inputs", "provenance"):
        assert noted["inputs"]["through"][key] == of_other["inputs"]["through"][key]


def test_native_spectra_are_those_of_the_files(tmp_path, lamost):
    (batch,) = stream(get_survey("lamost"), lamost / "spectra")

    def encode(flux, ivar, wave, velocity):
        assert flux.shape == ivar.shape == (len(velocity), len(wave))
        return np.stack([flux[:, 100], ivar[:, 200], np.full(len(flux), wave[300]), velocity], axis=1)

    native = OutsideEncoder("raw", encode, "ab" * 32, native=True)
    prepare("lamost", lamost / "spectra", tmp_path / "set", inputs=[native], batch_size=3)
    expected = np.stack(
        [batch.flux[:, 100], batch.ivar[:, 200], np.full(8, batch.wave[300]), batch.meta["velocity"]], axis=1
    )
    np.testing.assert_allclose(read_set(tmp_path / "set").inputs["raw"], expected, rtol=1e-6)
    assert read_set(tmp_path / "set").inputs.encoders == {"raw": {"name": "raw", "sha256": "ab" * 32, "place": ""}}


def test_registered_inputs_come_too(tmp_path, lamost):
    register_input(Input("depth", lambda spectra, preprocessing: spectra.flux.min(axis=1, keepdims=True)))
    prepare("lamost", lamost / "spectra", tmp_path / "set", inputs=["depth", network()])
    prepared = read_set(tmp_path / "set")
    assert list(prepared.inputs) == ["flux", "depth", "through"]
    np.testing.assert_array_equal(prepared.inputs["depth"][:, 0], prepared.flux.min(axis=1))


def test_spectra_without_flux_have_no_input(tmp_path, lamost, caplog):
    made_lamost(tmp_path / "bad", n=4)
    for path in (tmp_path / "bad" / "spectra").iterdir():
        with fits.open(path, mode="update") as file:
            file[1].data["IVAR"][:] = 0
    outer = OutsideEncoder("outer", lambda flux: flux[:, :5], "ab" * 32)
    folders = [tmp_path / "bad" / "spectra", lamost / "spectra"]
    prepare("lamost", folders, tmp_path / "set", inputs=[outer], batch_size=2)
    prepared = read_set(tmp_path / "set")
    known = np.isfinite(prepared.inputs["outer"]).all(axis=1)
    np.testing.assert_array_equal(known, np.isfinite(prepared.flux).all(axis=1))
    assert known.sum() == 8
    assert f"{tmp_path / 'set'}: 4 of 12 spectra are without the input 'outer' (NaN)" in caplog.text


def test_what_does_not_fit_is_refused_before_a_spectrum_is_read(tmp_path, lamost):
    def nothing_is_read(batch):
        raise AssertionError

    observed = network(preprocessing=Preprocessing(frame="observed"))
    cases = (
        ([observed], MismatchError, "the encoder 'through' and the spectra to prepare were preprocessed differently"),
        ([network(), network(seed=1)], SettingsError, "two inputs have the name 'through'"),
        (["nowhere"], InputError, "no such encoder"),
        (["flux"], SettingsError, "every prepared set has"),
    )
    for inputs, error, message in cases:
        with pytest.raises(error, match=message):
            prepare("lamost", lamost / "spectra", tmp_path / "set", inputs=inputs, progress=nothing_is_read)
    assert not (tmp_path / "set").exists()


def test_an_encoder_that_fails_leaves_no_set(tmp_path, lamost):
    widths = iter((3, 4, 5))
    uneven = OutsideEncoder("outer", lambda flux: flux[:, : next(widths)], "ab" * 32)
    with pytest.raises(InputError, match="'outer' has 3 values per star for some spectra, 4 for others"):
        prepare("lamost", lamost / "spectra", tmp_path / "set", inputs=[uneven], batch_size=3)
    assert not list(tmp_path.iterdir())


def test_inputs_that_are_made_again_do_not_go(tmp_path, lamost, caplog):
    prepare("lamost", lamost / "spectra", tmp_path / "set", inputs=[network(), network("other")])
    prepare("lamost", lamost / "spectra", tmp_path / "set", inputs=[network()])
    assert "are not of these spectra and go: other; add them again" in caplog.text
    assert list(read_set(tmp_path / "set").inputs) == ["flux", "through"]


def test_what_an_encoder_makes_nothing_of_is_told_and_nothing_at_all_is_refused(tmp_path, lamost):
    def some(flux):
        return np.where(np.arange(len(flux))[:, None] < 2, flux[:, :3], np.nan)

    report = prepare("lamost", lamost / "spectra", tmp_path / "set", inputs=[OutsideEncoder("outer", some, "ab" * 32)])
    assert report.lines == [
        "6 of 8 spectra are without the input 'outer' (NaN): they have no flux, or the encoder makes nothing of it"
    ]
    none = OutsideEncoder("outer", lambda flux: np.nan * flux[:, :3], "ab" * 32)
    with pytest.raises(
        InputError, match="input 'outer' is NaN for every one of the 8 spectra, though some have a flux"
    ):
        prepare("lamost", lamost / "spectra", tmp_path / "none", inputs=[none], batch_size=3)
    assert not (tmp_path / "none").exists()

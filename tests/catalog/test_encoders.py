"""From native files through encoder and network to a catalog."""

from dataclasses import replace

import numpy as np
import pytest

from transtar.catalog import predict_files, predict_set, predict_spectra
from transtar.datasets import add_input, prepare, read_set
from transtar.encoders import load_encoder, note_of, register_encoder, registry, save_encoder
from transtar.errors import InputError, MismatchError
from transtar.flags import Flag, has
from transtar.models import Estimator
from transtar.networks import MLPSettings, build_mlp
from transtar.preprocess import Preprocessing
from transtar.surveys import get_survey, stream

from ..encoders.examples import WIDTH, forget, outside_encoder, small_encoder
from ..made_surveys import made_lamost
from ..models.examples import small_estimator

N = 6

pytestmark = pytest.mark.usefixtures("unquestioned")


@pytest.fixture(autouse=True)
def _registries(monkeypatch):
    forget(monkeypatch)


@pytest.fixture(scope="module")
def spectra(tmp_path_factory):
    return made_lamost(tmp_path_factory.mktemp("lamost"), n=N) / "spectra"


@pytest.fixture(scope="module")
def target(spectra, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "set"
    prepare("lamost", spectra, folder)
    return folder


def model_of(name, notes, n_inputs, label="feh", **changes) -> Estimator:
    fields = {
        "network": build_mlp(n_inputs, 1, MLPSettings((8,))), "input_mean": np.zeros(n_inputs, np.float32),
        "input_std": np.ones(n_inputs, np.float32), "preprocessing": Preprocessing(), "input": name, "encoders": notes,
        "domain_limit": float("inf"),
    }  # fmt: skip
    return small_estimator(label_names=(label,), **(fields | changes))


def models_of(note):
    """Two models of one label, which share an encoder, and one of another label that takes the flux alone."""
    return [
        model_of("small", {"small": note}, WIDTH), model_of("flux+small", {"small": note}, 1462 + WIDTH),
        model_of("flux", {}, 1462, "teff"),
    ]  # fmt: skip


def test_in_one_call_the_encoder_loaded_and_used_once(spectra, target, tmp_path, monkeypatch):
    note = note_of(save_encoder(small_encoder(), tmp_path / "encoder"))
    models = models_of(note)
    for number, model in enumerate(models):
        model.save(tmp_path / f"model-{number}")
    calls = []
    for name in ("read_encoder",):
        read = getattr(registry, name)
        monkeypatch.setattr(registry, name, lambda folder, read=read: calls.append("read") or read(folder))
    encode = type(small_encoder()).encode
    monkeypatch.setattr(
        type(small_encoder()), "encode", lambda self, flux: calls.append(len(flux)) or encode(self, flux)
    )
    folders = [tmp_path / f"model-{number}" for number in range(3)]
    result = predict_files(folders, "lamost", spectra, batch_size=4)
    catalog = result.columns
    assert result.metadata["encoders"] == [{"small": note}, {"small": note}, {}]
    assert calls == ["read", 4, 2]
    flux = read_set(target).flux
    embedding = load_encoder(tmp_path / "encoder").encode(flux)
    one, other = models[0].predict(embedding)[:, 0], models[1].predict(np.hstack([flux, embedding]))[:, 0]
    np.testing.assert_allclose(catalog["feh"], (one + other) / 2, atol=1e-4)
    np.testing.assert_allclose(catalog["teff"], models[2].predict(flux)[:, 0], rtol=1e-5)
    assert (catalog["feh_ens_std"] > 0).all()
    # The same of a set that does not have it, of spectra in memory, and of a set that has it, without the encoder.
    np.testing.assert_allclose(predict_set(folders, target).columns["feh"], catalog["feh"], atol=1e-4)
    batches = list(stream(get_survey("lamost"), [spectra]))
    np.testing.assert_allclose(predict_spectra(folders, batches).columns["feh"], catalog["feh"], atol=1e-4)
    cached = tmp_path / "cached"
    prepare("lamost", spectra, cached)
    add_input(cached, "small", embedding, {"encoder": note})
    forget(monkeypatch)
    (tmp_path / "encoder").rename(tmp_path / "moved")
    np.testing.assert_allclose(predict_set(folders, cached).columns["feh"], catalog["feh"], atol=1e-4)
    # Where it is gone, that is said before the work, and where it is now can be told.
    with pytest.raises(InputError, match=f"{note['sha256'][:16]}.*{note['place']}.*--encoder FOLDER"):
        predict_files(folders, "lamost", tmp_path / "no such files")
    forget(monkeypatch)
    again = predict_files(folders, "lamost", spectra, encoders=[tmp_path / "moved"]).columns
    np.testing.assert_allclose(again["feh"], catalog["feh"], atol=1e-4)
    save_encoder(small_encoder(seed=1), tmp_path / "other")
    with pytest.raises(MismatchError, match=r"other: is the encoder 'small'.*needed by no model here; needed: 'small'"):
        predict_files(folders, "lamost", spectra, encoders=[tmp_path / "other"])


def test_one_name_two_encoders(spectra, tmp_path):
    """Models of one label whose inputs have one name each take that of their own encoder."""
    encoders = [save_encoder(small_encoder(seed), tmp_path / str(seed)) for seed in (0, 1)]
    models = [model_of("small", {"small": note_of(encoder)}, WIDTH) for encoder in encoders]
    one, other = (predict_files(model, "lamost", spectra).columns["feh"] for model in models)
    assert np.abs(one - other).max() > 1e-3
    both = predict_files(models, "lamost", spectra).columns["feh"]
    np.testing.assert_allclose(both, (one + other) / 2, atol=1e-4)


def test_a_set_whose_embedding_is_of_another_encoder(spectra, tmp_path):
    wanted, other = note_of(register_encoder(small_encoder())), note_of(small_encoder(seed=1))
    prepare("lamost", spectra, tmp_path / "set")
    add_input(tmp_path / "set", "small", np.zeros((N, WIDTH)), {"encoder": other})
    with pytest.raises(MismatchError) as error:
        predict_set(model_of("small", {"small": wanted}, WIDTH), tmp_path / "set", tmp_path / "c.parquet")
    for words in (wanted["sha256"][:16], other["sha256"][:16], "transtar embed --model small"):
        assert words in str(error.value)
    assert not (tmp_path / "c.parquet").exists()


def test_an_encoder_of_another_preprocessing(spectra):
    note = note_of(register_encoder(small_encoder(preprocessing=Preprocessing(frame="observed"))))
    with pytest.raises(MismatchError, match=r"the encoder 'small' and the spectra.*frame is observed against rest"):
        predict_files(model_of("small", {"small": note}, WIDTH), "lamost", spectra)


def test_native_pixels_from_files_and_not_from_sets(spectra, target):
    given = []

    def encode(flux, ivar, wave, velocity):
        given.append((flux.shape, ivar.shape, wave[0], velocity))
        return np.stack([np.nanmedian(flux, axis=1), velocity], axis=1)

    note = note_of(register_encoder(outside_encoder(encode, name="native", native=True)))
    model = model_of("native", {"native": note}, 2)
    catalog = predict_files([model, model_of("flux+native", {"native": note}, 1464)], "lamost", spectra).columns
    assert np.isfinite(catalog["feh"]).all()
    ((shape, ivar_shape, first, velocity),) = given
    (batch,) = stream(get_survey("lamost"), [spectra])
    assert shape == ivar_shape == batch.flux.shape
    assert first == batch.wave[0]
    np.testing.assert_allclose(velocity, catalog["velocity"], atol=1e-4)
    np.testing.assert_allclose(
        predict_files(model, "lamost", spectra).columns["feh"], model.predict(encode(*_parts(batch)))[:, 0], atol=1e-4
    )
    with pytest.raises(InputError, match="takes spectra as they are read from files"):
        predict_set(model, target)


def _parts(batch):
    return batch.flux, batch.ivar, batch.wave, batch.meta["velocity"]


def test_domain_and_missing_embeddings(spectra):
    """Distances are of the embedding; a row that the encoder leaves out has no label."""

    def encode(flux):
        values = np.zeros((len(flux), 2), np.float32)
        values[0], values[1] = np.nan, 100
        return values

    note = note_of(register_encoder(outside_encoder(encode)))
    model = model_of("outside", {"outside": note}, 2, domain_limit=3.0)
    catalog = predict_files([model, model_of("flux", {}, 1462, "teff")], "lamost", spectra).columns
    assert np.isnan(catalog["feh"]).nonzero()[0].tolist() == [0]
    assert np.isfinite(catalog["teff"]).all()
    assert has(catalog["flags"], Flag.NO_INPUT).tolist() == [True] + [False] * (N - 1)
    assert has(catalog["flags"], Flag.OUT_OF_DOMAIN).tolist() == [False, True] + [False] * (N - 2)


def test_another_number_of_values(spectra):
    note = note_of(register_encoder(outside_encoder()))
    with pytest.raises(InputError, match="takes 5 values per star of its input 'outside', the spectra have 2"):
        predict_files(model_of("outside", {"outside": note}, 5), "lamost", spectra)


def test_one_spectrum(spectra):
    note = note_of(register_encoder(small_encoder()))
    models = models_of(note)
    (batch,) = stream(get_survey("lamost"), [spectra])
    whole = predict_spectra(models, batch).columns
    alone = predict_spectra(models, batch.select([3])).columns
    for name in ("feh", "teff", "feh_ens_std"):
        np.testing.assert_allclose(alone[name][0], whole[name][3], rtol=1e-4, atol=1e-5)
    assert replace(models[0], encoders={}).encoders == {}

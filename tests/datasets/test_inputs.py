import importlib
import sys
from dataclasses import replace

import numpy as np
import pytest

from transtar.datasets import (
    Input,
    PreparedSet,
    gather_input,
    gathering,
    input_names,
    join_sets,
    pool_stars,
    register_input,
)
from transtar.datasets import inputs as module
from transtar.datasets.inputs import Inputs
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.flags import Flag
from transtar.preprocess import GridSpectra, Preprocessing


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(module, "_REGISTERED", dict(module._REGISTERED))


def prepared(n=8, **further):
    flux = np.random.default_rng(0).random((n, 1462)).astype(np.float32)
    columns = {
        "file": np.array([f"{i}.fits" for i in range(n)]), "id": np.arange(n), "survey": np.full(n, "lamost"),
        "snr": np.ones(n, np.float32), "good_fraction": np.ones(n, np.float32), "flags": np.zeros(n, np.int32),
        "split": np.array(["test"] + ["pool"] * (n - 1)), "feh": np.linspace(-2, 0, n),
    }  # fmt: skip
    return PreparedSet(flux, None, columns, ("feh",), Preprocessing(), {}, "hash", Inputs(further))


def brightness(n_values=2):
    return Input(
        "brightness", lambda spectra, preprocessing: np.repeat(spectra.flux.mean(axis=1)[:, None], n_values, 1)
    )


def test_the_flux_is_the_first_input_and_others_stand_beside_it():
    embedding = np.arange(16, dtype=np.float32).reshape(8, 2)
    one = prepared(embedding=embedding)
    assert list(one.inputs) == ["flux", "embedding"]
    assert one.inputs["flux"] is one.flux
    assert one.input("flux") is one.flux
    np.testing.assert_array_equal(one.input("flux+embedding"), np.hstack([one.flux, embedding]))
    np.testing.assert_array_equal(one.input("embedding+flux")[:, :2], embedding)
    np.testing.assert_array_equal(one.select([2, 5]).inputs["embedding"], embedding[[2, 5]])
    # A changed flux is the input, too.
    assert replace(one, flux=one.flux + 1).inputs["flux"][0, 0] == one.flux[0, 0] + 1


def test_joined_sets_have_the_inputs_that_all_have():
    embedding = np.ones((8, 2), np.float32)
    one, other = prepared(embedding=embedding, more=embedding), prepared(embedding=2 * embedding)
    joined = join_sets([one, other])
    assert set(joined.inputs) == {"flux", "embedding"}
    np.testing.assert_array_equal(joined.select(slice(7, 9)).inputs["embedding"], [[1, 1], [2, 2]])
    with pytest.raises(InputError, match="2 and 3 values per star"):
        join_sets([one, prepared(embedding=np.ones((8, 3), np.float32))]).input("embedding")


def test_a_registered_input_is_computed_of_usable_spectra(monkeypatch):
    monkeypatch.setattr(gathering, "BLOCK", 3)
    register_input(brightness())
    one = prepared()
    one.flux[4] = np.nan
    values = one.input("brightness")
    assert values.dtype == np.float32
    expected = one.flux.mean(axis=1)
    np.testing.assert_array_equal(values[:, 1], expected)
    assert np.isnan(values[4]).all()
    # What the set brings along goes before what could be computed.
    assert prepared(brightness=np.zeros((8, 5), np.float32)).input("brightness").shape == (8, 5)


def test_an_input_that_is_nowhere_is_one_clear_error():
    with pytest.raises(
        InputError, match=r"no input 'x': the spectra bring flux, embedding, .*flux.*; add it .*add_input"
    ):
        prepared(embedding=np.ones((8, 2), np.float32)).input("x")
    with pytest.raises(SettingsError, match="comes twice"):
        prepared().input("flux+flux")
    with pytest.raises(SettingsError, match="it is empty"):
        prepared().input("flux+")


def test_encoders_that_fail_say_whose_they_are():
    register_input(Input("wrong", lambda spectra, preprocessing: np.ones(3)))
    register_input(Input("broken", lambda spectra, preprocessing: 1 / 0))
    with pytest.raises(InputError, match=r"input 'wrong' has shape \(3,\) for 8 spectra, expected \(8, n\)"):
        prepared().input("wrong")
    with pytest.raises(InputError, match="input 'broken' cannot be computed"):
        prepared().input("broken")
    ones = np.ones(3, np.float32)
    spectra = GridSpectra(np.ones((3, 5), np.float32), None, ones, ones, np.zeros(3, np.int32))
    with pytest.raises(InputError, match="no preprocessing"):
        gather_input("wrong", spectra, None)


def test_names_are_kept_apart():
    with pytest.raises(SettingsError, match="joins several"):
        register_input(Input("a+b", lambda spectra, preprocessing: spectra.flux))
    with pytest.raises(SettingsError, match="registered already"):
        register_input(Input("flux", lambda spectra, preprocessing: spectra.flux))


def test_a_package_offers_an_input(tmp_path, monkeypatch):
    (tmp_path / "encplug.py").write_text(
        "from transtar.datasets import Input\nDEPTH = Input('depth', lambda spectra, preprocessing: spectra.flux[:, :4])\n"
    )
    info = tmp_path / "encplug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: encplug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[transtar.inputs]\ndepth = encplug:DEPTH\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert "depth" in input_names()
    assert "encplug" not in sys.modules
    assert prepared().input("depth").shape == (8, 4)
    sys.modules.pop("encplug")


def test_stars_by_an_input_without_those_that_lack_it(caplog):
    embedding = np.ones((8, 3), np.float32)
    embedding[[2, 3], 1] = np.nan
    one = prepared(embedding=embedding)
    stars = one.stars(["feh"], np.arange(1, 8), "flux+embedding")
    assert stars.ids.tolist() == [1, 4, 5, 6, 7]
    assert (stars.n_left_out, stars.input, stars.input_sizes) == (2, "flux+embedding", (1462, 3))
    assert "2 of 7 spectra are without the input 'flux+embedding'" in caplog.text


def test_stars_of_the_pool_are_counted():
    embedding = np.ones((8, 3), np.float32)
    embedding[2, 1] = np.nan
    one = prepared(embedding=embedding)
    one.columns["feh"][3] = np.nan
    one.columns["flags"][4] = int(Flag.NO_VELOCITY)
    stars, counts = pool_stars(one, ("feh",), input="embedding")
    assert stars.ids.tolist() == [1, 5, 6, 7]
    assert counts == (
        "4 spectra to learn from; left out: 1 not in the pool, 1 flagged bad, 1 without label, 1 without the input 'embedding'"
    )
    assert one.stars("feh").ids.tolist() == [1, 2, 5, 6, 7]
    few, again = (pool_stars(one, ("feh",), 2, seed)[0].ids.tolist() for seed in (3, 3))
    assert few == again
    assert len(few) == 2
    with pytest.raises(InputError, match=r"subset of 9 stars cannot be drawn from 5 \(5 spectra .*1 flagged bad"):
        pool_stars(one, ("feh",), 9)
    one.columns["split"][:] = "test"
    with pytest.raises(InputError, match=r"no star to learn from \(left out: 8 not in the pool"):
        pool_stars(one, ("feh",))


def test_sets_that_were_prepared_otherwise_do_not_join():
    with pytest.raises(MismatchError):
        join_sets([prepared(), replace(prepared(), preprocessing=Preprocessing(frame="observed"))])


def test_what_an_input_computes_is_masked_or_real_and_of_one_width(monkeypatch):
    one = prepared()
    masked = Input(
        "masked", lambda spectra, _: np.ma.masked_array(spectra.flux[:, :2], mask=[[1, 0]] * len(spectra.flux))
    )
    register_input(masked)
    assert np.isnan(one.input("masked")).tolist() == [[True, False]] * 8
    register_input(Input("complex", lambda spectra, _: spectra.flux * 1j))
    with pytest.raises(InputError, match="input 'complex' must be real numbers"):
        one.input("complex")
    monkeypatch.setattr(gathering, "BLOCK", 3)
    register_input(Input("uneven", lambda spectra, _: spectra.flux[:, : len(spectra.flux)]))
    with pytest.raises(InputError, match="'uneven' has 3 values per star for some spectra, 2 for others"):
        one.input("uneven")
    with pytest.raises(SettingsError, match=r"an input is a transtar.datasets.Input, not 'depth'"):
        register_input("depth")


def test_rows_that_are_not_there_and_no_labels_are_told():
    one = prepared()
    for rows in (np.ones(3, bool), [8], np.array([1.0])):
        with pytest.raises(InputError, match="rows that a set of 8 spectra does not have"):
            one.stars("feh", rows)
    with pytest.raises(InputError, match="no label to learn"):
        one.stars(())
    with pytest.raises(SettingsError, match="input must be text"):
        one.stars("feh", input=None)

import logging
import sys
from dataclasses import replace

import numpy as np
import pytest

from transtar.datasets import (
    Input,
    Inputs,
    Stars,
    add_input,
    gather_input,
    inputs,
    join_sets,
    pool_stars,
    read_set,
    register_input,
)
from transtar.datasets.set_files import SetWriter
from transtar.encoders import note_of, register_encoder, save_encoder
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.preprocess import Preprocessing
from transtar.spectra import SpectrumBatch

from ..encoders.examples import WIDTH, forget, outside_encoder, small_encoder
from .test_inputs import prepared


@pytest.fixture(autouse=True)
def _registries(monkeypatch):
    forget(monkeypatch)
    monkeypatch.setattr(inputs, "_REGISTERED", dict(inputs._REGISTERED))


def with_input(encoder, n=8, noted=True):
    """A set that has the embedding of an encoder."""
    one = prepared(n)
    notes = {encoder.name: note_of(encoder)} if noted else {}
    return replace(one, further=Inputs({encoder.name: encoder.encode(one.flux)}, encoders=notes))


def native_batch(n=8, ivar=True, frame="observed"):
    random = np.random.default_rng(2)
    wave = np.linspace(4000, 5600, 50)
    flux = random.uniform(1, 2, (n, 50)).astype(np.float32)
    return SpectrumBatch(
        wave=wave, flux=flux, ivar=np.full((n, 50), 4, np.float32) if ivar else None, mask=np.zeros((n, 50), bool),
        ids=np.arange(n), survey="lamost", frame=frame,
        meta={"file": np.full(n, "a"), "velocity": np.linspace(-50, 50, n)},
    )  # fmt: skip


def test_an_encoder_of_a_name_is_computed_and_told_once(caplog):
    encoder = register_encoder(small_encoder())
    one = prepared()
    one.flux[3, 5] = np.nan
    with caplog.at_level(logging.WARNING, logger="transtar"):
        stars, counts = pool_stars(one, ("feh",), input="flux+small")
    assert "1 flagged bad" in counts
    told = [record.getMessage() for record in caplog.records]
    expected = f"input 'small' of 6 spectra is computed by the encoder 'small' (sha256 {encoder.sha256[:16]})"
    assert len(told) == 1
    assert told[0].startswith(expected)
    assert stars.encoders == {"small": note_of(encoder)}
    assert f"'small' (sha256 {encoder.sha256[:16]})" in repr(stars)
    assert stars.input_sizes == (1462, WIDTH)
    np.testing.assert_allclose(stars.inputs[:, 1462:], encoder.encode(stars.inputs[:, :1462]), rtol=1e-5, atol=1e-6)
    assert stars.select(np.arange(2)).encoders == stars.encoders
    # A set that has it is not told of.
    caplog.clear()
    cached, _ = pool_stars(with_input(encoder), ("feh",), input="small")
    assert cached.encoders == {"small": note_of(encoder)}
    assert not caplog.records


def test_rows_without_flux_constant_spectra_one_and_none():
    encoder = register_encoder(small_encoder())
    one = prepared()
    one.flux[2], one.flux[3, 0], one.flux[4] = np.nan, np.inf, 1.0
    together = one.input("small")
    assert np.isnan(together).all(axis=1).nonzero()[0].tolist() == [2, 3]
    assert np.isfinite(together[4]).all()
    for row in (0, 2, 4):
        np.testing.assert_allclose(one.select([row]).input("small")[0], together[row], rtol=1e-5, atol=1e-6)
    assert one.select([]).input("small").shape == (0, WIDTH)
    assert one.select([2]).input("flux+small").shape == (1, 1462 + WIDTH)
    np.testing.assert_array_equal(together, one.input("small", {"small": note_of(encoder)}))


def test_a_cached_input_of_another_encoder_is_refused(tmp_path):
    ours, other = small_encoder(), small_encoder(seed=1)
    wanted = {"small": note_of(ours)}
    for one, words in (
        (with_input(other), note_of(other)["sha256"][:16]),
        (with_input(ours, noted=False), "nobody noted"),
    ):
        for use in (one.input, lambda name, notes, one=one: one.stars(("feh",), input=name, encoders=notes)):
            with pytest.raises(MismatchError) as error:
                use("flux+small", wanted)
            assert words in str(error.value)
            assert wanted["small"]["sha256"][:16] in str(error.value)
            assert "transtar embed --model small" in str(error.value)
        # Who wants nothing in particular takes what is there, and knows what that is.
        assert one.stars(("feh",), input="small").encoders == one.further.encoders
    assert with_input(ours).input("small", wanted).shape == (8, WIDTH)


def test_a_model_that_learnt_from_an_input_of_nobody_is_given_none_of_an_encoder():
    encoder = register_encoder(small_encoder())
    for one in (prepared(), with_input(encoder)):
        with pytest.raises(MismatchError, match=r"input 'small': .* no encoder is noted .*'small' .sha256 "):
            one.input("flux+small", {})
        assert one.input("small").shape == (8, WIDTH)
    # What was gathered for another model before is not handed on, either.
    made = {}
    gather_input("small", one.grid_spectra(), one.preprocessing, made=made)
    with pytest.raises(MismatchError, match="no encoder is noted"):
        gather_input("small", one.grid_spectra(), one.preprocessing, {}, made=made)
    assert with_input(encoder, noted=False).input("small", {}).shape == (8, WIDTH)


def test_sets_of_different_encoders_are_not_joined():
    ours, other = with_input(small_encoder()), with_input(small_encoder(seed=1))
    for pair in ((ours, other), (ours, with_input(small_encoder(), noted=False))):
        joined = join_sets(pair)
        joined.input("flux")
        with pytest.raises(InputError, match=r"from different encoders, 'small' .sha256 .* make it with one for all"):
            joined.stars(("feh",), input="small")
    joined = join_sets([ours, ours])
    assert joined.stars(("feh",), input="small").encoders == ours.further.encoders


def test_a_set_on_disk_keeps_the_note(tmp_path):
    one, encoder = prepared(), small_encoder()
    with SetWriter(tmp_path / "set", one.preprocessing, {}) as writer:
        writer.append(one.grid_spectra(), one.columns)
        writer.finish(one.columns, ["feh"])
    note = note_of(encoder)
    add_input(tmp_path / "set", "small", encoder.encode(one.flux), {"encoder": note, "preprocessing_hash": "x"})
    add_input(tmp_path / "set", "free", np.ones((8, 2)), {"encoder": "somebody's"})
    again = read_set(tmp_path / "set")
    assert again.further.encoders == {"small": note}
    assert again.select([1, 2]).gathered("flux+small").stars(("feh",), input="small").encoders == {"small": note}
    add_input(tmp_path / "set", "free", np.ones((8, 2)), {"encoder": note | {"sha256": "no"}})
    with pytest.raises(InputError, match=r"the input 'free' is described wrongly .*64 hexadecimal"):
        read_set(tmp_path / "set")


def test_another_grid_or_preprocessing_is_refused_naming_both():
    register_encoder(small_encoder(preprocessing=Preprocessing(frame="observed")))
    register_encoder(outside_encoder(preprocessing=Preprocessing(continuum="envelope-specclip")))
    for name, words in (("small", "frame is observed against rest"), ("outside", "continuum")):
        with pytest.raises(MismatchError, match=f"the encoder '{name}' and the spectra were preprocessed") as error:
            prepared().input(name)
        assert words in str(error.value)


def test_a_function_from_outside():
    register_encoder(outside_encoder())
    one = prepared()
    np.testing.assert_allclose(one.input("outside")[:, 0], one.flux.mean(axis=1), rtol=1e-6)
    for name, encode, message in (
        ("short", lambda flux: flux[:1, :2], r"shape \(1, 2\) for 8 spectra"),
        ("none", lambda flux: flux[:, :0], r"shape \(8, 0\) for 8 spectra"),
        ("fails", lambda flux: 1 / 0, "input 'fails' cannot be computed .division by zero"),
        ("ends", lambda flux: sys.exit("no licence"), "input 'ends' cannot be computed .it tried to end .* no licence"),
        ("complex", lambda flux: flux * 1j, "must be real numbers"),
    ):
        register_encoder(outside_encoder(encode, name=name, content=name.encode()))
        with pytest.raises(InputError, match=message):
            one.input(name)


def test_a_name_of_an_input_and_of_an_encoder():
    register_encoder(outside_encoder(name="both"))
    register_input(Input("both", lambda spectra, _: spectra.flux[:, :2]))
    with pytest.raises(SettingsError, match="'both' is the name of an input and of an encoder"):
        prepared().input("both")


def test_native_spectra_as_they_were_read():
    given = {}

    def encode(flux, ivar, wave):
        given.update(flux=flux, ivar=ivar, wave=wave)
        return flux[:, :3]

    register_encoder(outside_encoder(encode, name="native", native=True))
    one, batch = prepared(), native_batch()
    batch.mask[0, 4], batch.flux[1, 5], batch.ivar[2, 6], batch.ivar[3] = True, np.nan, 0, np.nan
    before = batch.flux.copy()
    values = gather_input("native", one.grid_spectra(), one.preprocessing, native=batch).inputs
    np.testing.assert_array_equal(values, before[:, :3])
    np.testing.assert_array_equal(given["wave"], batch.wave)
    assert given["flux"].dtype == given["ivar"].dtype == np.float32
    assert np.isfinite(given["flux"]).all()
    assert (given["ivar"][:3] == 0).nonzero()[1].tolist() == [4, 5, 6]
    # A spectrum without errors among others.
    assert np.isnan(given["ivar"][3]).all()
    np.testing.assert_array_equal(batch.flux, before)
    # A survey without errors, and rows without flux on the grid.
    batch = native_batch(ivar=False)
    batch.mask[5, 7] = True
    one.flux[0] = np.nan
    values = gather_input("native", one.grid_spectra(), one.preprocessing, native=lambda: batch).inputs
    assert np.isnan(values[0]).all()
    assert given["ivar"] is None
    assert np.argwhere(np.isnan(given["flux"])).tolist() == [[4, 7]]
    with pytest.raises(InputError, match="takes spectra as they are read from files, and these are on a grid"):
        one.input("native")
    with pytest.raises(InputError, match="3 native spectra for 8 on the grid"):
        gather_input("native", one.grid_spectra(), one.preprocessing, native=native_batch(3))


@pytest.mark.parametrize(("frame", "expected"), [("observed", np.linspace(-50, 50, 8)), ("rest", np.zeros(8))])
def test_native_encoders_get_velocities_if_they_ask(frame, expected):
    encode = lambda flux, ivar, wave, velocity: velocity[:, None]  # noqa: E731
    register_encoder(outside_encoder(encode, name="fast", native=True))
    one = prepared()
    batch = native_batch(frame=frame)
    values = gather_input("fast", one.grid_spectra(), one.preprocessing, native=batch).inputs
    np.testing.assert_allclose(values[:, 0], expected)


def test_a_missing_encoder_is_named(tmp_path, monkeypatch):
    stored = save_encoder(small_encoder(), tmp_path / "encoder")
    note = note_of(stored)
    (tmp_path / "encoder").rename(tmp_path / "moved")
    with pytest.raises(InputError, match=f"{stored.sha256[:16]}.*{note['place']} is no encoder.*--encoder FOLDER"):
        prepared().input("small", {"small": note})
    # A set that has its embedding needs no encoder.
    assert with_input(small_encoder()).input("small", {"small": note_of(small_encoder())}).shape == (8, WIDTH)


def test_each_part_is_made_once():
    calls = []

    def encode(flux):
        calls.append(len(flux))
        return flux[:, :2]

    note = note_of(register_encoder(outside_encoder(encode, name="counted")))
    one, made = prepared(), {}
    for name in ("counted", "flux+counted", "counted+flux"):
        gather_input(name, one.grid_spectra(), one.preprocessing, {"counted": note}, made=made)
    assert calls == [8]


def test_notes_of_stars_are_checked():
    note = note_of(small_encoder())
    arrays = {"inputs": np.ones((3, 4)), "labels": np.arange(3.0), "label_names": "feh", "input": "flux+small"}
    assert Stars(**arrays, encoders={"small": note}).encoders == {"small": note}
    for notes, message in (
        ({"other": note}, "'other' is no part of the input"), ({"flux": note}, "'flux' is no part"),
        ({"small": {"sha256": "0" * 64}}, "has name, sha256, place"), ({"small": note | {"place": "rel/ative"}}, "absolute"),
        ({"small": note | {"name": "a/b"}}, "cannot be a name"), ("small", "must be names and settings"),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=message):
            Stars(**arrays, encoders=notes)

import tempfile
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from transtar.datasets import SetWriter, add_input, embed_set, read_set
from transtar.datasets import embed as embed_module
from transtar.datasets.set_vectors import SetVectors, row_vector
from transtar.datasets.sides import Side, Sides
from transtar.errors import InputError, MismatchError, SettingsError, TranstarError
from transtar.preprocess import Preprocessing

from .test_embed import network, outside
from .test_prepared import columns_of, spectra, write

N = 23


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(embed_module, "BLOCK", 4)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "set", n=N)
    return tmp_path / "set"


def all_rows(folder, encoder, **more):
    with SetVectors(folder, Sides(encoder), **more) as vectors:
        blocks = list(vectors.blocks(5))
        assert [len(block) for block in blocks] == [5, 5, 5, 5, 3]
        return np.concatenate(blocks)


def test_kept_ones_are_read_and_others_made(folder, caplog):
    encoder, done = network(), []
    before = {path.name for path in folder.iterdir()}
    made = all_rows(folder, encoder, progress=lambda n, total: done.append((n, total)))
    assert f"{folder}: lacks the input 'through'; its 23 spectra are encoded for this search alone" in caplog.text
    assert done[-1] == (23, 23)
    assert before == {path.name for path in folder.iterdir()}
    embed_set(folder, encoder)
    caplog.clear()
    kept = all_rows(folder, encoder)
    assert not caplog.text
    np.testing.assert_array_equal(kept, made)
    np.testing.assert_array_equal(kept, read_set(folder).inputs["through"])
    assert np.isnan(kept[0]).all()


def test_nothing_is_made_before_it_is_asked_for(folder):
    def fail(flux):
        raise AssertionError

    with SetVectors(folder, Sides(outside(fail))) as vectors:
        assert len(vectors) == N
        known = vectors.columns(np.array([22, 3, 3]))
    assert known["file"].tolist() == ["é22.fits", "é3.fits", "é3.fits"]
    assert known["id"].tolist() == [2**62 + 23, 2**62 + 4, 2**62 + 4]


def test_one_row_is_made_alone(folder, caplog):
    calls = []

    def encode(flux):
        calls.append(len(flux))
        return flux[:, :3]

    made, _ = row_vector(folder, Sides(outside(encode)), 7)
    assert calls == [1]
    np.testing.assert_array_equal(made, read_set(folder).flux[7:8, :3])
    assert "row 7 is encoded for this search alone" in caplog.text
    embed_set(folder, outside())
    caplog.clear()
    np.testing.assert_array_equal(row_vector(folder, Sides(outside(encode)), 7)[0], made)
    assert calls == [1]
    assert not caplog.text


def test_of_a_side_only_the_first_values(folder, monkeypatch):
    sides = Sides(outside())
    monkeypatch.setattr(sides, "_sides", {"": Side(outside(), 2)})
    with SetVectors(folder, sides) as vectors:
        np.testing.assert_array_equal(vectors.rows(4, 6), read_set(folder).flux[4:6, :2])
    np.testing.assert_array_equal(row_vector(folder, sides, 4)[0], read_set(folder).flux[4:5, :2])


def test_embeddings_of_another_encoder_are_refused(folder):
    embed_set(folder, outside(sha256="cd" * 32))
    for ask in (lambda: SetVectors(folder, Sides(outside())), lambda: row_vector(folder, Sides(outside()), 1)):
        with pytest.raises(MismatchError) as raised:
            ask()
        assert (
            f"takes that of the encoder 'outer' (sha256 {'ab' * 8}); of {folder} 'outer' (sha256 {'cd' * 8}) made it"
            in str(raised.value)
        )
        assert "transtar embed --replace --model outer" in str(raised.value)


def test_embeddings_that_nobody_noted_are_refused(folder):
    add_input(folder, "outer", np.ones((N, 3), np.float32))
    with pytest.raises(MismatchError, match="nobody noted which encoder made it"):
        SetVectors(folder, Sides(outside()))


def test_a_set_of_another_preprocessing_is_refused(folder):
    with pytest.raises(MismatchError) as raised:
        SetVectors(folder, Sides(network(preprocessing=Preprocessing(frame="observed"))))
    assert f"the encoder 'through' and {folder} were preprocessed differently" in str(raised.value)


def test_an_encoder_of_native_spectra_needs_its_input(folder):
    native = outside(lambda flux, ivar, wave: flux[:, :3], native=True)
    with pytest.raises(SettingsError, match="let prepare make it: transtar prepare --input outer"):
        SetVectors(folder, Sides(native))
    embed_set(folder, outside())
    kept = replace(native, sha256=outside().sha256)
    np.testing.assert_array_equal(all_rows(folder, kept), read_set(folder).inputs["outer"])


def test_damage_is_told(folder):
    embed_set(folder, outside())
    path = folder / "input-outer.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"input-outer\.npy: damaged"):
        SetVectors(folder, Sides(outside()))
    stars = folder / "stars.parquet"
    pq.write_table(pq.read_table(stars).slice(1), stars)
    with pytest.raises(InputError, match=r"stars\.parquet: damaged"):
        SetVectors(folder, Sides(outside()))
    stars.unlink()
    with pytest.raises(InputError, match=r"has no file stars\.parquet"):
        SetVectors(folder, Sides(outside()))


@pytest.mark.parametrize("width", [0, 3])
def test_an_encoder_that_changes_its_mind_is_refused(folder, width):
    calls = []

    def encode(flux):
        calls.append(1)
        return flux[:, : 2 if len(calls) < 3 else width]

    with pytest.raises(InputError, match=r"the encoder gives 3 values for a spectrum, expected 2|has shape \(4, 0\)"):
        all_rows(folder, outside(encode))


def test_a_full_disk_is_one_line(folder, monkeypatch):
    with SetVectors(folder, Sides(outside())) as vectors:
        monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
        with pytest.raises(TranstarError, match=r"embeddings cannot be kept here for the search .* TMPDIR"):
            vectors.rows(0, 1)


def test_a_set_of_no_spectra_is_refused(tmp_path):
    part = spectra(1).select(slice(0))
    with SetWriter(tmp_path / "empty", Preprocessing(), {"by": "test"}) as writer:
        writer.append(part, columns_of(part))
        writer.finish(writer.columns() | {"split": np.empty(0, str)}, [])
    with pytest.raises(InputError, match="empty: has no spectra"):
        SetVectors(tmp_path / "empty", Sides(outside()))

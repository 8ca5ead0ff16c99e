import json

import numpy as np
import pytest

from transtar.datasets import add_input, join_sets, read_set, stream_set
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.files import write_json
from transtar.seal import sealed

from .test_prepared import write


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "set")
    return tmp_path / "set"


def values(n=10, size=3, seed=0):
    array = np.random.default_rng(seed).random((n, size)).astype(np.float32)
    array[4] = np.nan
    return array


def reseal(folder, **changes):
    content = json.loads((folder / "set.json").read_text())
    write_json(folder / "set.json", sealed(content | changes), ours=True)


def test_an_input_comes_back_bit_for_bit_and_leaves_the_rest_alone(folder):
    before, stars, spectra = (
        read_set(folder),
        (folder / "stars.parquet").read_bytes(),
        (folder / "spectra.parquet").stat(),
    )
    (folder / "notes.txt").write_text("mine")
    array = values()
    add_input(folder, "embedding", array, {"by": "test", "version": 1})
    after = read_set(folder)
    assert after.inputs["embedding"].tobytes() == array.tobytes()
    assert after.flux.tobytes() == before.flux.tobytes()
    assert (after.hash, after.provenance, list(after.columns)) == (before.hash, before.provenance, list(before.columns))
    assert (folder / "stars.parquet").read_bytes() == stars
    assert (folder / "spectra.parquet").stat().st_ino == spectra.st_ino
    assert (folder / "notes.txt").read_text() == "mine"
    noted = json.loads((folder / "set.json").read_text())
    assert noted["format"] == 3
    assert noted["inputs"]["embedding"]["provenance"] == {"by": "test", "version": 1}
    assert sorted(path.name for path in folder.parent.iterdir()) == ["set"]


def test_several_inputs_and_one_replaced(folder):
    add_input(folder, "one", values(seed=1))
    add_input(folder, "two", values(seed=2))
    add_input(folder, "one", values(size=5, seed=3))
    after = read_set(folder)
    assert set(after.inputs) == {"flux", "one", "two"}
    np.testing.assert_array_equal(after.inputs["one"], values(size=5, seed=3))
    np.testing.assert_array_equal(after.inputs["two"], values(seed=2))


def test_batches_and_joined_sets_have_their_rows(folder):
    add_input(folder, "embedding", values())
    parts = list(stream_set(folder, batch_size=4))
    np.testing.assert_array_equal(parts[1].inputs["embedding"], values()[4:8])
    np.testing.assert_array_equal(join_sets(parts).select([9, 0]).inputs["embedding"], values()[[9, 0]])


def test_a_set_without_further_inputs_stays_as_it_was(folder):
    content = json.loads((folder / "set.json").read_text())
    assert content["format"] == 2
    assert "inputs" not in content


def test_prepared_again_the_set_has_no_input_of_other_spectra(folder):
    add_input(folder, "embedding", values())
    write(folder, n=9)
    assert set(read_set(folder).inputs) == {"flux"}
    assert not list(folder.glob("*.npy"))


def test_inputs_that_nobody_asks_for_cost_nothing(folder):
    add_input(folder, "embedding", values())
    (folder / "input-embedding.npy").unlink()
    damaged = read_set(folder)
    assert len(damaged.flux) == 10
    with pytest.raises(InputError, match=r"input-embedding.npy: is missing; add the input again"):
        damaged.input("embedding")


def test_damage_is_told(folder):
    add_input(folder, "embedding", values())
    path = folder / "input-embedding.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="its checksum is not the one noted"):
        read_set(folder).input("embedding")
    np.save(path, np.ones((10, 4), np.float32))
    with pytest.raises(InputError, match="its checksum is not the one noted"):
        read_set(folder).input("embedding")


@pytest.mark.parametrize(
    "noted",
    [
        {"file": "../../etc/passwd", "sha256": "0" * 64, "n_inputs": 3, "provenance": {}},
        {"file": "input-embedding.npy", "sha256": 3, "n_inputs": 3, "provenance": {}},
        {"file": "input-embedding.npy", "sha256": "0" * 64, "n_inputs": "3", "provenance": {}},
        {"file": "input-embedding.npy"},
        None,
    ],
)
def test_hostile_descriptions_are_refused(folder, noted):
    add_input(folder, "embedding", values())
    reseal(folder, inputs={"embedding": noted})
    with pytest.raises(InputError, match="described wrongly"):
        read_set(folder)


def test_what_does_not_fit_is_refused_and_changes_nothing(folder):
    before = (folder / "set.json").read_bytes()
    with pytest.raises(InputError, match=r"shape \(9, 3\), expected \(10, n\)"):
        add_input(folder, "embedding", values()[:9])
    with pytest.raises(InputError, match=r"shape \(10,\)"):
        add_input(folder, "embedding", np.ones(10))
    for name, wrong in (("flux", "every prepared set has"), ("a+b", "joins several"), ("a/b", "slash")):
        with pytest.raises(SettingsError, match=wrong):
            add_input(folder, name, values())
    with pytest.raises(InputError, match="is not a prepared set"):
        add_input(folder.parent / "none", "embedding", values())
    assert (folder / "set.json").read_bytes() == before
    (folder / "stars.parquet").write_bytes(b"changed")
    with pytest.raises(InputError, match="changed since"):
        add_input(folder, "embedding", values())


def test_a_newer_set_says_upgrade(folder):
    reseal(folder, format=4)
    with pytest.raises(MismatchError, match="newer"):
        read_set(folder)


def test_masked_values_are_none_and_what_is_no_number_or_provenance_is_refused(folder):
    array = np.ma.masked_array(np.ones((10, 2)), mask=False)
    array[3] = np.ma.masked
    add_input(folder, "embedding", array)
    assert np.isnan(read_set(folder).inputs["embedding"]).all(axis=1).tolist() == [row == 3 for row in range(10)]
    with pytest.raises(InputError, match="must be real numbers"):
        add_input(folder, "embedding", np.ones((10, 2)) + 1j)
    for provenance in ({"x": np.float32(1)}, {"x": float("nan")}, "by me"):
        with pytest.raises(InputError, match="fit for JSON"):
            add_input(folder, "embedding", values(), provenance)


def test_where_one_input_is_missing_another_cannot_be_added_but_it_can_be_added_again(folder):
    add_input(folder, "embedding", values())
    (folder / "input-embedding.npy").unlink()
    with pytest.raises(InputError, match="add the input 'embedding' again first"):
        add_input(folder, "other", values())
    add_input(folder, "embedding", values())
    add_input(folder, "other", values())
    assert list(read_set(folder).inputs) == ["flux", "embedding", "other"]


def test_a_set_that_is_prepared_again_says_which_inputs_go(folder, caplog):
    add_input(folder, "embedding", values())
    write(folder)
    assert "inputs of the set that stood there are not of these spectra and go: embedding" in caplog.text
    assert list(read_set(folder).inputs) == ["flux"]

import json
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from transtar.datasets import SetWriter, add_input, embed_set, join_sets, kept_rows, read_set, stream_set
from transtar.datasets import embed as module
from transtar.datasets.kept_rows import JOURNAL, KEPT, ROWS
from transtar.encoders import Encoder, OutsideEncoder
from transtar.errors import InputError, MismatchError, SettingsError, TranstarError
from transtar.networks import MLPSettings, build_mlp
from transtar.preprocess import Preprocessing

from .test_prepared import SIZE, columns_of, spectra, write

N = 23


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 4)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "set", n=N)
    return tmp_path / "set"


def network(name="through", seed=0, width=8, **more):
    torch.manual_seed(seed)
    ones = np.ones(SIZE, np.float32)
    layers = build_mlp(SIZE, width, MLPSettings((16,)))
    return Encoder(name, layers, 0 * ones, ones, **{"preprocessing": Preprocessing(), **more})


def outside(encode=lambda flux: flux[:, :3], name="outer", sha256="ab" * 32, **more):
    return OutsideEncoder(name, encode, sha256, **more)


def kept(folder):
    return [path for path in folder.parent.iterdir() if path.name.startswith(KEPT)]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".transtar.json"}


class Dies(BaseException):
    """As a kill, which nothing handles."""


def dying(after, kind=Dies, encode=lambda flux: flux[:, :3]):
    """An encoder that works so many times."""
    calls = []

    def die(flux):
        calls.append(len(flux))
        if len(calls) > after:
            raise kind
        return encode(flux)

    return outside(die), calls


def test_the_set_has_what_the_encoder_makes_of_its_spectra(folder):
    before, encoder = content(folder), network()
    line = embed_set(folder, encoder)
    prepared = read_set(folder)
    flux = prepared.flux
    assert np.isnan(flux[0]).all()
    np.testing.assert_allclose(prepared.inputs["through"], encoder.encode(flux), rtol=1e-5, atol=1e-6)
    assert np.isnan(prepared.inputs["through"][0]).all()
    assert np.isfinite(prepared.inputs["through"][1:]).all()
    after = content(folder)
    for name in ("spectra.parquet", "stars.parquet"):
        assert after[name] == before[name]
    noted = json.loads(after["set.json"])["inputs"]["through"]
    hash_of = noted["provenance"]["encoder"]["sha256"]
    assert noted["provenance"] == {
        "encoder": {"name": "through", "sha256": hash_of, "place": ""},
        "preprocessing_hash": Preprocessing().hash,
    }
    assert line == f"input 'through' of 23 spectra: 8 values each by encoder {hash_of[:12]}"
    assert f"through (encoder {hash_of[:12]})" in repr(prepared)
    assert not kept(folder)


def test_the_file_is_what_numpy_writes(folder, tmp_path):
    embed_set(folder, outside())
    flux = read_set(folder).flux
    values = np.where(np.isfinite(flux).all(axis=1)[:, None], flux[:, :3], np.float32(np.nan))
    np.save(tmp_path / "expected.npy", values)
    assert (folder / "input-outer.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()


def test_spectra_without_flux_are_told(folder, caplog):
    embed_set(folder, network())
    expected = f"{folder}: 1 of 23 spectra are without the input 'through' (NaN): they have no flux, or the encoder makes nothing"
    assert expected in caplog.text


@pytest.mark.parametrize("after", [0, 1, 3, 5])
def test_after_a_kill_the_same_call_goes_on_and_gives_the_same_bits(folder, tmp_path, after):
    write(tmp_path / "other", n=N)
    embed_set(tmp_path / "other", outside())
    before = content(folder)
    encoder, calls = dying(after)
    with pytest.raises(Dies):
        embed_set(folder, encoder)
    assert content(folder) == before
    assert len(kept(folder)) == (after > 0)
    encoder, calls = dying(99)
    line = embed_set(folder, encoder)
    # Six blocks; the first spectrum of all has no flux.
    assert calls == [3, 4, 4, 4, 4, 3][after:]
    assert ("made before" in line) == (after > 0)
    assert content(folder) == content(tmp_path / "other")
    assert not kept(folder)


def test_an_interrupt_says_what_is_kept(folder, caplog):
    with pytest.raises(KeyboardInterrupt):
        embed_set(folder, dying(2, KeyboardInterrupt)[0])
    assert f"{folder}: 8 of 23 embeddings are kept; the same command resumes from there" in caplog.text


@pytest.mark.parametrize("moment", [0.02, 0.06, 0.1, 0.14])
def test_a_process_killed_at_any_moment_leaves_the_set_and_what_it_made(folder, tmp_path, moment):
    def slow(flux):
        time.sleep(0.02)
        return flux[:, :3]

    before = content(folder)
    process = os.fork()
    if not process:
        embed_set(folder, outside(slow))
        os._exit(0)
    time.sleep(moment)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    assert content(folder) in (before, before | content(folder))
    embed_set(folder, outside())
    write(tmp_path / "other", n=N)
    embed_set(tmp_path / "other", outside())
    assert content(folder) == content(tmp_path / "other")
    assert not kept(folder)


@pytest.mark.parametrize("damage", ["rows", "hash", "short", "first line", "empty"])
def test_what_was_kept_is_taken_up_only_as_far_as_it_is_intact(folder, tmp_path, caplog, damage):
    with pytest.raises(Dies):
        embed_set(folder, dying(4)[0])
    (place,) = kept(folder)
    rows, journal = bytearray((place / ROWS).read_bytes()), bytearray((place / JOURNAL).read_bytes())
    if damage == "rows":
        rows[128 + 12 * 9] ^= 1  # the ninth spectrum, of the third block
    elif damage == "hash":
        journal[-10] ^= 1
    elif damage == "short":
        del rows[-20:]
    elif damage == "first line":
        journal[3] ^= 1
    else:
        rows.clear()
    (place / ROWS).write_bytes(rows)
    (place / JOURNAL).write_bytes(journal)
    encoder, calls = dying(99)
    embed_set(folder, encoder)
    assert len(calls) == {"rows": 4, "hash": 3, "short": 3, "first line": 6, "empty": 6}[damage]
    assert "what was kept is damaged from spectrum" in caplog.text
    write(tmp_path / "other", n=N)
    embed_set(tmp_path / "other", outside())
    assert content(folder) == content(tmp_path / "other")


def test_a_half_written_end_is_no_damage(folder, caplog):
    with pytest.raises(Dies):
        embed_set(folder, dying(2)[0])
    (place,) = kept(folder)
    with (place / ROWS).open("ab") as rows, (place / JOURNAL).open("ab") as journal:
        rows.write(b"12345")
        journal.write(b"0123")
    encoder, calls = dying(99)
    embed_set(folder, encoder)
    assert len(calls) == 4
    assert "damaged" not in caplog.text


def test_what_was_made_of_another_encoder_or_set_is_not_taken_up(folder, tmp_path):
    with pytest.raises(Dies):
        embed_set(folder, dying(3)[0])
    encoder, calls = dying(99)
    embed_set(folder, replace(encoder, sha256="cd" * 32))
    assert len(calls) == 6
    (tmp_path / "third").mkdir()
    encoder, calls = dying(99)
    write(tmp_path / "third" / "set", n=N - 1)
    embed_set(tmp_path / "third" / "set", encoder)
    assert len(calls) == 6


def test_the_input_that_is_there_is_left_alone(folder):
    embed_set(folder, outside())
    before = {path.name: path.stat().st_ino for path in folder.iterdir()}
    encoder, calls = dying(0)
    assert embed_set(folder, encoder) == "has the input 'outer' of encoder abababababab already"
    assert not calls
    assert {path.name: path.stat().st_ino for path in folder.iterdir()} == before
    # A damaged one is made again.
    path = folder / "input-outer.npy"
    content_of = path.read_bytes()
    path.write_bytes(content_of[:-1] + bytes([content_of[-1] ^ 1]))
    with pytest.raises(InputError, match=r"input-outer.npy: exists and has been changed since transtar wrote it"):
        embed_set(folder, outside())
    path.unlink()
    embed_set(folder, outside())
    assert path.read_bytes() == content_of


def test_what_a_kill_left_behind_a_finished_set_goes(folder):
    with pytest.raises(Dies):
        embed_set(folder, dying(3)[0])
    (place,) = kept(folder)
    place.rename(folder.parent / "aside")
    embed_set(folder, outside())
    (folder.parent / "aside").rename(place)
    embed_set(folder, outside())
    assert not kept(folder)


def test_an_input_of_another_encoder_goes_only_if_that_is_said(folder):
    embed_set(folder, outside())
    other = outside(lambda flux: flux[:, :5], sha256="cd" * 32)
    with pytest.raises(
        InputError, match=r"'outer' of encoder abababababab, not of encoder cdcdcdcdcdcd; --replace puts the new one"
    ):
        embed_set(folder, other)
    assert read_set(folder).inputs["outer"].shape == (N, 3)
    embed_set(folder, other, replace=True)
    assert read_set(folder).inputs["outer"].shape == (N, 5)
    add_input(folder, "through", np.ones((N, 2)))
    with pytest.raises(InputError, match="'through' of no encoder that was noted"):
        embed_set(folder, network())
    embed_set(folder, network(), replace=True)
    assert set(read_set(folder).inputs) == {"flux", "outer", "through"}


def test_another_set_shares_the_spectra(folder, tmp_path):
    add_input(folder, "depths", np.ones((N, 2)))
    before, out = content(folder), tmp_path / "deep" / "out"
    embed_set(folder, outside(), out)
    assert content(folder) == before
    assert (out / "spectra.parquet").stat().st_ino == (folder / "spectra.parquet").stat().st_ino
    assert set(read_set(out).inputs) == {"flux", "depths", "outer"}
    # A further one joins it.
    embed_set(folder, network(), out)
    assert set(read_set(out).inputs) == {"flux", "depths", "outer", "through"}
    assert set(read_set(folder).inputs) == {"flux", "depths"}
    embed_set(out, outside(), tmp_path / "third")
    assert set(read_set(tmp_path / "third").inputs) == {"flux", "depths", "outer", "through"}
    assert not kept(out)
    assert not kept(folder)


def test_out_is_no_place_for_other_things(folder, tmp_path):
    write(tmp_path / "other", n=N - 1)
    with pytest.raises(InputError, match=r"a set of other spectra or labels than .*choose another name for --out"):
        embed_set(folder, outside(), tmp_path / "other")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not a prepared set"):
        embed_set(folder, outside(), tmp_path / "mine")
    with pytest.raises(InputError, match="belongs to a prepared set or model that is read"):
        embed_set(folder, outside(), folder / "inner")
    (tmp_path / "link").symlink_to(folder)
    calls = []
    for source in (folder, tmp_path / "link"):
        with pytest.raises(InputError, match="is a link; give the folder itself"):
            embed_set(source, outside(lambda flux: calls.append(1) or flux[:, :3]), tmp_path / "link")
    # That is told before the work, so that nothing is left of it.
    assert not calls
    assert not kept(folder)
    (folder / "notes.txt").write_text("mine")
    embed_set(folder, outside(), str(folder) + "/")
    assert (folder / "notes.txt").read_text() == "mine"
    assert not kept(folder)


def test_notes_go_with_the_rows(folder):
    embed_set(folder, outside())
    note = {"name": "outer", "sha256": "ab" * 32, "place": ""}
    parts = list(stream_set(folder, batch_size=7))
    for one in (*parts, join_sets(parts), parts[1].select([2, 0]), parts[0].gathered("outer")):
        assert one.inputs.encoders == {"outer": note}


def test_a_set_that_is_prepared_otherwise_is_refused_by_both_names(folder):
    encoder = network(preprocessing=Preprocessing(frame="observed"))
    with pytest.raises(MismatchError, match=f"the encoder 'through' and {folder} .*frame is observed against rest"):
        embed_set(folder, encoder)
    assert not kept(folder)


def test_what_cannot_be_an_encoder_of_a_set_is_refused(folder, tmp_path):
    native = outside(lambda flux, ivar, wave: flux[:, :3], native=True)
    with pytest.raises(SettingsError, match=r"as they are read from files.*transtar prepare --input outer"):
        embed_set(folder, native)
    with pytest.raises(InputError, match="no such encoder"):
        embed_set(folder, "nowhere")
    with pytest.raises(InputError, match="is not a prepared set"):
        embed_set(tmp_path / "none", outside())
    with pytest.raises(SettingsError, match="a name, a folder or"):
        embed_set(folder, 3)
    for name in ("flux", "ivar", "a+b"):
        with pytest.raises(SettingsError):
            embed_set(folder, outside(name=name))


def test_encoders_that_fail_say_whose_they_are(folder):
    with pytest.raises(InputError, match="'outer' cannot be computed"):
        embed_set(folder, outside(lambda flux: 1 / 0))
    with pytest.raises(InputError, match=r"'outer' has shape \(3,\) for 3 spectra"):
        embed_set(folder, outside(lambda flux: np.ones(len(flux))))
    with pytest.raises(InputError, match="gives 4 values for a spectrum, expected 3"):
        embed_set(folder, outside(lambda flux: np.ones((len(flux), len(flux)))))
    assert not kept(folder)


def test_an_encoder_that_makes_nothing_of_any_spectrum_is_refused(folder):
    before = content(folder)
    with pytest.raises(
        InputError, match=f"{folder}: input 'outer' is NaN for every one of the 23 spectra, though some"
    ):
        embed_set(folder, outside(lambda flux: np.full((len(flux), 3), np.nan)))
    assert content(folder) == before
    assert not kept(folder)


def test_one_star_and_constant_spectra(tmp_path):
    whole = spectra(2)
    for name, rows in (("one", slice(1, 2)), ("both", slice(0, 2))):
        part = whole.select(rows)
        write_flux(tmp_path / name, part.flux)
        embed_set(tmp_path / name, network())
    one, both = (read_set(tmp_path / name).inputs["through"] for name in ("one", "both"))
    np.testing.assert_allclose(one[0], both[1], rtol=1e-5, atol=1e-6)
    write_flux(tmp_path / "flat", np.ones((5, SIZE), np.float32))
    embed_set(tmp_path / "flat", network())
    flat = read_set(tmp_path / "flat").inputs["through"]
    assert np.isfinite(flat).all()
    np.testing.assert_allclose(flat, flat[[0] * 5], rtol=1e-5, atol=1e-6)


def test_spectra_of_which_nothing_can_be_made(tmp_path):
    flux = np.full((9, SIZE), np.nan, np.float32)
    write_flux(tmp_path / "none", flux)
    with pytest.raises(InputError, match="none of its 9 spectra has a flux"):
        embed_set(tmp_path / "none", outside())
    # Where the first ones have none, the encoder has not said how many values it gives.
    flux[8] = 1
    write_flux(tmp_path / "last", flux)
    embed_set(tmp_path / "last", outside())
    assert np.isfinite(read_set(tmp_path / "last").inputs["outer"]).all(axis=1).tolist() == [False] * 8 + [True]
    flux = flux[::-1].copy()
    write_flux(tmp_path / "first", flux)
    embed_set(tmp_path / "first", outside())
    assert np.isfinite(read_set(tmp_path / "first").inputs["outer"]).all(axis=1).tolist() == [True] + [False] * 8


def write_flux(path, flux):
    part = replace(spectra(len(flux)), flux=flux, ivar=None)
    with SetWriter(path, Preprocessing(), {}) as writer:
        writer.append(part, columns_of(part))
        writer.finish(writer.columns() | {"split": np.full(len(flux), "pool")}, [])


@pytest.mark.parametrize("same_flux", [True, False])
def test_a_set_that_changes_meanwhile_is_not_mixed(folder, same_flux):
    def changing(flux):
        if not changed:
            changed.append(True)
            if same_flux:
                write(folder, n=N, extra=np.arange(N))
            else:
                write_flux(folder, read_set(folder).flux + 1)
        return flux[:, :3]

    changed = []
    with pytest.raises(InputError, match=r"was changed while the input 'outer' was made; give the command again"):
        embed_set(folder, outside(changing))
    assert set(read_set(folder).inputs) == {"flux"}
    # What is of these spectra can be taken up, with whatever labels.
    assert len(kept(folder)) == same_flux
    assert ("23 of them made before" in embed_set(folder, outside(changing))) == same_flux
    prepared = read_set(folder)
    np.testing.assert_array_equal(prepared.inputs["outer"][1:], prepared.flux[1:, :3])
    assert not kept(folder)


def test_an_encoder_that_fails_late_does_not_cost_what_was_made(folder):
    encoder, calls = dying(4, ValueError)
    with pytest.raises(InputError, match="'outer' cannot be computed"):
        embed_set(folder, encoder)
    encoder, calls = dying(99)
    embed_set(folder, encoder)
    assert len(calls) == 2


def test_an_input_that_another_adds_meanwhile_stays(folder):
    def adding(flux):
        if "depths" not in read_set(folder).inputs:
            add_input(folder, "depths", np.ones((N, 2)))
        return flux[:, :3]

    embed_set(folder, outside(adding))
    assert set(read_set(folder).inputs) == {"flux", "depths", "outer"}


def test_a_damaged_set_leaves_nothing_that_would_be_taken_up(folder):
    part = spectra(N)
    with SetWriter(folder, Preprocessing(), {}) as writer:
        writer.append(part, columns_of(part))
        writer._sums["flux"].update(b"of other spectra")
        writer.finish(writer.columns() | {"split": np.full(N, "pool")}, [])
    with pytest.raises(InputError, match="flux is damaged"):
        embed_set(folder, outside())
    assert not kept(folder)


def test_two_at_once_are_one_too_many(folder):
    def again(flux):
        with pytest.raises(InputError, match="another command makes this embedding"):
            embed_set(folder, outside())
        return flux[:, :3]

    embed_set(folder, outside(again))
    assert read_set(folder).inputs["outer"].shape == (N, 3)


def test_a_full_disk_keeps_what_was_made(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    encoder, calls = dying(99)
    before = content(folder)

    def fill(flux):
        calls.append(1)
        if len(calls) == 3:
            monkeypatch.setattr(kept_rows.hashlib, "sha256", full)
        return flux[:, :3]

    with pytest.raises(
        TranstarError, match=r"\(no space left on device\); 8 spectra are kept, the same command resumes"
    ):
        embed_set(folder, outside(fill))
    monkeypatch.undo()
    monkeypatch.setattr(module, "BLOCK", 4)
    assert content(folder) == before
    encoder, calls = dying(99)
    embed_set(folder, encoder)
    assert len(calls) == 4


def test_a_stranger_in_the_place_of_what_is_kept_is_not_touched(folder):
    with pytest.raises(Dies):
        embed_set(folder, dying(1)[0])
    (place,) = kept(folder)
    (place / "notes.txt").write_text("mine")
    embed_set(folder, outside())
    assert (place / "notes.txt").read_text() == "mine"
    embed_set(folder, network(), folder.parent / "out")
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
    place.write_text("a file")
    (folder / "input-outer.npy").unlink()
    with pytest.raises(TranstarError, match="in the way of what is kept"):
        embed_set(folder, outside())

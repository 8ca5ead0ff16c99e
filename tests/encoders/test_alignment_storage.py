import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from transtar.encoders import alignment_storage, encoder_storage, load_encoder, save_encoder
from transtar.encoders.alignment import new_alignment
from transtar.encoders.alignment_storage import is_alignment, load_alignment, save_alignment, side_folder
from transtar.encoders.specclip import new_encoder
from transtar.errors import InputError, MismatchError, TranstarError
from transtar.networks.alignment_settings import VARIANTS
from transtar.preprocess import Preprocessing
from transtar.seal import sealed

from ..hostile import flip_bits, try_hostile_values
from .aligned import LRS, SETTINGS, XP, star_spectra, tiny_alignment, tiny_encoders
from .examples import seen_stars, small_encoder


@pytest.fixture
def folder(tmp_path):
    save_alignment(tiny_alignment(), tmp_path / "aligned")
    return tmp_path / "aligned"


def edit(folder, **changes):
    path = folder / "alignment.json"
    path.write_text(json.dumps(sealed(json.loads(path.read_text()) | changes)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_alignment_comes_back(variant, tmp_path):
    before = tiny_alignment(variant)
    stored = save_alignment(before, tmp_path / "aligned", dtype="float32")
    after = load_alignment(tmp_path / "aligned")
    assert after.settings == before.settings
    for side, flux in zip(("lrs", "xp"), star_spectra(4), strict=True):
        np.testing.assert_array_equal(after.side(side).encode(flux), before.side(side).encode(flux))
        assert after.side(side).sha256 == stored.side(side).sha256
        assert after.side(side).place == stored.side(side).place == str(tmp_path / "aligned" / side)
    if variant != "base":
        flux = star_spectra(4)[0]
        np.testing.assert_array_equal(after.translate(flux, "lrs", "xp"), before.translate(flux, "lrs", "xp"))
        np.testing.assert_array_equal(after.give_back(flux, "lrs"), before.give_back(flux, "lrs"))


def test_a_head_looks_at_tokens_however_the_encoder_takes_their_mean(tmp_path):
    lrs, xp = (new_encoder(*one) for one in (("lrs", replace(LRS, pooling="parts")), ("xp", XP)))
    assert lrs.width == 2 * LRS.width
    before = new_alignment(lrs, xp, SETTINGS["split"])
    after = save_alignment(before, tmp_path / "aligned", dtype="float32")
    flux = star_spectra(4)[0]
    np.testing.assert_array_equal(after.lrs.encode(flux), before.lrs.encode(flux))
    again = load_alignment(tmp_path / "aligned")
    np.testing.assert_array_equal(again.lrs.encode(flux), before.lrs.encode(flux))


def test_each_side_is_an_encoder_like_any_other(folder):
    flux = star_spectra(3)[1]
    side = load_encoder(folder / "xp")
    assert side.name == "embed-align-xp"
    np.testing.assert_array_equal(side.encode(flux), load_alignment(folder).xp.encode(flux))
    with pytest.raises(InputError, match=r"is an alignment of two encoders; name one of them, .*lrs or .*xp"):
        load_encoder(folder)


def test_saved_again_it_keeps_its_hashes_and_what_else_lies_there(folder):
    (folder / "notes.txt").write_text("mine")
    (folder / "lrs/notes.txt").write_text("mine")
    (folder / "xp/plots").mkdir()
    (folder / "xp/plots/a.png").write_text("mine")
    first = load_alignment(folder)
    again = save_alignment(first, folder)
    assert again.lrs.sha256 == first.lrs.sha256
    save_alignment(tiny_alignment("base", seed=4), folder)
    assert load_alignment(folder).settings.variant == "base"
    for name in ("notes.txt", "lrs/notes.txt", "xp/plots/a.png"):
        assert (folder / name).read_text() == "mine"
    assert not (folder / "crossing.safetensors").exists()


def test_what_is_no_alignment_is_not_replaced(tmp_path):
    save_encoder(small_encoder(), tmp_path / "encoder")
    with pytest.raises(InputError, match="not an alignment"):
        save_alignment(tiny_alignment(), tmp_path / "encoder")
    (tmp_path / "empty").mkdir()
    save_alignment(tiny_alignment(), tmp_path / "empty")
    assert is_alignment(tmp_path / "empty")
    assert not is_alignment(tmp_path / "none")
    assert not is_alignment("a\0b")


def test_a_replacement_that_is_interrupted_leaves_the_alignment_as_it_was(folder, monkeypatch):
    before, other = load_alignment(folder), tiny_alignment(seed=3)

    def interrupted(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(alignment_storage, "_write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save_alignment(other, folder)
    assert load_alignment(folder).lrs.sha256 == before.lrs.sha256
    assert [path.name for path in folder.parent.iterdir()] == ["aligned"]
    stored = save_alignment(other, folder)
    assert load_alignment(folder).lrs.sha256 == stored.lrs.sha256 != before.lrs.sha256


def test_a_side_that_was_changed_is_not_replaced(folder):
    (folder / "xp/README.md").write_text("my notes")
    with pytest.raises(InputError, match=r"xp/README\.md: exists and has been changed since transtar wrote it"):
        save_alignment(tiny_alignment(seed=3), folder)
    assert (folder / "xp/README.md").read_text() == "my notes"
    shutil.rmtree(folder / "xp")
    (folder / "xp").mkdir()
    (folder / "xp/notes.txt").write_text("mine")
    with pytest.raises(InputError, match="xp: exists and is not an encoder"):
        save_alignment(tiny_alignment(seed=3), folder)


def test_another_encoder_in_a_side_is_refused(folder, tmp_path):
    save_alignment(tiny_alignment(seed=5), tmp_path / "other")
    shutil.rmtree(folder / "xp")
    shutil.copytree(tmp_path / "other" / "xp", folder / "xp")
    with pytest.raises(MismatchError, match="xp: is another encoder"):
        load_alignment(folder)
    with pytest.raises(MismatchError, match="xp: is another encoder"):
        side_folder(folder, Preprocessing(grid="xp", continuum="none", frame="observed"), "a.set")
    shutil.rmtree(folder / "xp")
    with pytest.raises(InputError, match="not a complete alignment, xp is missing"):
        load_alignment(folder)


def test_the_folder_of_a_side_by_the_grid(folder):
    assert side_folder(folder, Preprocessing(), "a.set") == folder / "lrs"
    # What else differs is for the encoder to tell.
    assert side_folder(folder, Preprocessing(frame="observed"), "a.set") == folder / "lrs"
    assert side_folder(folder, tiny_encoders()[1].preprocessing, "a.set") == folder / "xp"
    with pytest.raises(InputError, match="is no alignment"):
        side_folder(folder / "lrs", Preprocessing(), "a.set")


def test_damage_is_told(folder):
    # Reading both encoders anew for each bit would take long, and their damage is theirs to tell.
    sides = {name: load_alignment(folder).side(name) for name in ("lrs", "xp")}
    flux = star_spectra(2)[0]
    before = load_alignment(folder).translate(flux, "lrs", "xp")

    def same(alignment):
        return np.array_equal(alignment.translate(flux, "lrs", "xp"), before)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment_storage, "read_encoder", lambda folder: sides[folder.name])
        for name in ("crossing.safetensors", "alignment.json"):
            told, _, faults = flip_bits(folder / name, lambda: load_alignment(folder), same, n=12)
            assert faults == []
            assert told > 9
    (folder / "crossing.safetensors").unlink()
    with pytest.raises(InputError, match=r"crossing\.safetensors is missing"):
        load_alignment(folder)


def test_hostile_values_are_refused_in_words(folder, monkeypatch):
    sides = {name: load_alignment(folder).side(name) for name in ("lrs", "xp")}
    monkeypatch.setattr(alignment_storage, "read_encoder", lambda folder: sides[folder.name])
    path = folder / "alignment.json"
    content = json.loads(path.read_text())

    def use(content):
        path.write_text(json.dumps(sealed(content)))
        load_alignment(folder)

    refused, faults = try_hostile_values(use, content)
    assert faults == []
    assert refused > 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "not the description of a transtar alignment"),
        ({"format_version": 2}, "format 2 is not known"),
        ({"more": 1}, "missing or unknown more"),
        ({"encoders": []}, "encoders must be names"),
        ({"files": []}, "has no checksums of the other files"),
        ({"settings": {"variant": "clip"}}, "no variant 'clip'"),
        ({"settings": {"variant": "pr", "width": 100_000}}, "heads of .8. values|crossing"),
        ({"settings": {"more": 1}}, "unexpected keyword"),
        ({"settings": None}, "settings"),
        ({"files": {}}, "checksum"),
    ],
)
def test_a_description_of_something_else_is_refused(folder, changes, message):
    edit(folder, **changes)
    with pytest.raises(TranstarError, match=message):
        load_alignment(folder)


def test_a_description_changed_by_hand_is_refused(folder):
    path = folder / "alignment.json"
    path.write_text(path.read_text().replace('"pr"', '"base"'))
    with pytest.raises(InputError, match="checksum"):
        load_alignment(folder)


def test_a_weight_that_is_no_number_is_not_stored(tmp_path):
    alignment = tiny_alignment()
    alignment.crossings.across["xp"][0].bias.data[0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        save_alignment(alignment, tmp_path / "aligned")
    assert not (tmp_path / "aligned").exists()


def test_seen_stars_are_those_of_the_sides(tmp_path):
    from dataclasses import replace

    alignment = tiny_alignment()
    alignment = replace(alignment, lrs=replace(alignment.lrs, trained_on=seen_stars()))
    save_alignment(alignment, tmp_path / "aligned")
    assert load_alignment(tmp_path / "aligned").lrs.trained_on["id"].tolist() == [2**62 + 1]
    assert encoder_storage.read_encoder(tmp_path / "aligned" / "xp").trained_on["id"].tolist() == []

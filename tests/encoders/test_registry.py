import importlib
import shutil
from dataclasses import replace

import numpy as np
import pytest

from transtar.encoders import (
    encoder_names,
    find_encoder,
    load_encoder,
    named_encoder,
    note_of,
    register_encoder,
    save_encoder,
    use_encoders,
)
from transtar.errors import InputError, MismatchError, SettingsError

from .examples import flux, forget, outside_encoder, seen_stars, small_encoder

PLUG = """
import hashlib
import numpy as np
from transtar.encoders import OutsideEncoder
MEANS = OutsideEncoder("means", lambda flux: flux.mean(axis=1)[:, None], hashlib.sha256(b"means").hexdigest())
WRONG = "text"
"""


def test_by_name_in_this_process():
    encoder = register_encoder(small_encoder())
    assert len(encoder.sha256) == 64
    assert named_encoder("small") is encoder
    assert encoder_names().count("small") == 1
    assert note_of(encoder) == {"name": "small", "sha256": encoder.sha256, "place": ""}
    assert find_encoder(note_of(encoder)) is encoder
    # The same again is no other one.
    register_encoder(small_encoder())
    with pytest.raises(SettingsError, match="an encoder named 'small' is there already"):
        register_encoder(small_encoder(seed=1))
    assert named_encoder("nothing") is None
    with pytest.raises(InputError, match="nothing: no such encoder folder; encoders by name: small"):
        load_encoder("nothing")


@pytest.mark.parametrize("name", ["flux", "a+b", "a/b", "", ".a"])
def test_names_that_cannot_be(name):
    with pytest.raises(SettingsError, match="cannot be a name"):
        register_encoder(small_encoder(name=name))


def test_what_is_no_encoder():
    with pytest.raises(SettingsError, match=r"an encoder is a transtar\.encoders\.Encoder or OutsideEncoder"):
        register_encoder("small")
    for changes, message in (
        ({"sha256": "abc"}, "64 hexadecimal digits"), ({"encode": 3}, "encode must be a function"),
        ({"preprocessing": "blue"}, "preprocessing must be"),
        ({"trained_on": {"id": np.array([1])}}, "trained_on must have the columns survey, id, file, star, role of one length"),
        ({"trained_on": seen_stars() | {"star": np.array([])}}, "of one length"),
        ({"trained_on": seen_stars() | {"id": np.array([1.5])}}, "ids must be int64, not float64"),
        ({"native": True, "preprocessing": small_encoder().preprocessing}, "takes native spectra"),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=message):
            replace(outside_encoder(), **changes)


def test_shipped_ones_work_everywhere_and_their_names_are_taken(tmp_path, monkeypatch):
    forget(monkeypatch, tmp_path)
    stored = save_encoder(small_encoder(), tmp_path / "small")
    assert encoder_names() == ["small"]
    encoder = named_encoder("small")
    assert encoder is named_encoder("small") is load_encoder("small")
    assert note_of(encoder) == {"name": "small", "sha256": stored.sha256, "place": "small"}
    with pytest.raises(SettingsError, match="is there already"):
        register_encoder(small_encoder(seed=1))
    # A newer transtar may ship another under the name.
    forget(monkeypatch)
    save_encoder(small_encoder(seed=1), tmp_path / "small")
    with pytest.raises(MismatchError) as error:
        find_encoder(note_of(encoder))
    assert f"'small' (sha256 {stored.sha256[:16]}) is needed and not here" in str(error.value)
    assert "the encoder by the name 'small' is another (sha256 " in str(error.value)
    assert "--encoder FOLDER" in str(error.value)


def test_by_folder(tmp_path, monkeypatch):
    stored = save_encoder(small_encoder(), tmp_path / "here" / "folder")
    monkeypatch.chdir(tmp_path / "here")
    encoder = load_encoder("folder")
    note = note_of(encoder)
    assert note == {"name": "small", "sha256": stored.sha256, "place": str(tmp_path / "here" / "folder")}
    monkeypatch.chdir(tmp_path)
    forget(monkeypatch)
    first = find_encoder(note)
    assert find_encoder(note) is first
    # Once it is gone, a fresh process says which is needed, where it was, and what to do.
    forget(monkeypatch)
    shutil.move(tmp_path / "here" / "folder", tmp_path / "moved")
    with pytest.raises(InputError) as error:
        find_encoder(note)
    for words in (stored.sha256[:16], note["place"], "--encoder FOLDER", "none is known by the name 'small'"):
        assert words in str(error.value)
    use_encoders([tmp_path / "moved"], [note])
    np.testing.assert_array_equal(find_encoder(note).encode(flux()), stored.encode(flux()))
    # Another one in its place is refused by its hash.
    forget(monkeypatch)
    other = save_encoder(small_encoder(seed=1), tmp_path / "here" / "folder")
    with pytest.raises(MismatchError, match=f"is another .sha256 {other.sha256[:16]}"):
        find_encoder(note)
    with pytest.raises(MismatchError, match=f"needed: 'small' .sha256 {stored.sha256[:16]}"):
        use_encoders([tmp_path / "here" / "folder"], [note])


def test_a_damaged_one_is_told_and_another_place_tried(tmp_path, monkeypatch):
    note = note_of(save_encoder(small_encoder(), tmp_path / "folder"))
    (tmp_path / "folder" / "encoder.safetensors").write_bytes(b"no")
    forget(monkeypatch)
    with pytest.raises(InputError, match="damaged"):
        find_encoder(note)
    register_encoder(replace(outside_encoder(name="small"), sha256=note["sha256"]))
    assert find_encoder(note).name == "small"


def test_by_entry_point(tmp_path, monkeypatch):
    (tmp_path / "encoderplug.py").write_text(PLUG)
    info = tmp_path / "encoderplug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: encoderplug\nVersion: 1.0\n")
    points = "[transtar.encoders]\nmeans = encoderplug:MEANS\nwrong = encoderplug:WRONG\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert {"means", "wrong"} <= set(encoder_names())
    encoder = load_encoder("means")
    assert note_of(encoder)["place"] == "means"
    assert find_encoder(note_of(encoder)) is encoder
    with pytest.raises(SettingsError, match="encoder 'wrong' of package 'encoderplug'"):
        load_encoder("wrong")
    with pytest.raises(SettingsError, match="is there already"):
        register_encoder(outside_encoder(name="means"))


@pytest.mark.parametrize("place", ["/" + "y" * 1000, "/a\0b", "/dev/null", "/"])
def test_places_that_lead_nowhere(place):
    with pytest.raises(InputError, match=r"is needed and not here: .* is no encoder"):
        find_encoder({"name": "small", "sha256": "0" * 64, "place": place})

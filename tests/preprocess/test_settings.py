import json
from dataclasses import fields, replace

import pytest

from transtar.errors import MismatchError, SettingsError
from transtar.preprocess import Preprocessing, require_same

OTHER = {
    "frame": "observed", "continuum": "none", "median_width": 9.0, "degree": 4, "passes": 9, "resolution": 1800.0,
}  # fmt: skip


def test_round_trip():
    settings = Preprocessing(**OTHER)
    back = Preprocessing.from_dict(json.loads(json.dumps(settings.to_dict())))
    assert back == settings
    assert back.hash == settings.hash
    assert len(settings.hash) == 16
    assert Preprocessing.from_dict({}) == Preprocessing()


def test_hash_changes_with_any_setting():
    hashes = {replace(Preprocessing(), **{name: value}).hash for name, value in OTHER.items()}
    assert len(hashes | {Preprocessing().hash}) == len(OTHER) + 1
    assert {field.name for field in fields(Preprocessing)} == {*OTHER, "grid", "version", "grid_hash"}


def test_hash_does_not_depend_on_how_a_number_was_written():
    assert (
        Preprocessing.from_dict({"resolution": 1800, "median_width": 8}).hash == Preprocessing(resolution=1800.0).hash
    )


def test_windows():
    assert Preprocessing().window == (3900, 5700)
    assert Preprocessing(continuum="envelope-specclip").window == (3700, 5700)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected settings by name, not None"),
        ({3: 3}, "unknown key 3"),
        ({"smoothing": 3}, r"smoothing.*known.*continuum"),
        ({"grid": "red"}, "no wavelength grid 'red'; known grids: blue"),
        ({"frame": "galactic"}, "frame 'galactic' is not one of observed, rest"),
        ({"continuum": "spline"}, "continuum 'spline' is not one of envelope"),
        ({"version": 99}, "version 99 was made by another transtar"),
        ({"degree": 0}, "degree must be between 1 and 30"),
        ({"degree": "five"}, "degree"),
        ({"degree": 2.5}, "degree"),
        ({"passes": True}, "passes"),
        ({"median_width": None}, "median_width"),
        ({"median_width": float("nan")}, "median_width"),
        ({"resolution": -1}, "resolution must be between 10 and 1e"),
        ({"resolution": "high"}, "resolution"),
        ({"snr": 5}, r"snr is a threshold of the run, .* 'quality: \{snr: 5\}' in a study, --quality"),
        ({"frame": None}, "frame"),
        ({"grid": ["blue"]}, "grid"),
    ],
)
def test_impossible_settings(content, message):
    with pytest.raises(SettingsError, match=message) as caught:
        Preprocessing.from_dict(content)
    assert "\n" not in str(caught.value)


def test_mismatch_names_both_sides_and_every_difference():
    require_same(Preprocessing(), "a", Preprocessing(), "b")
    with pytest.raises(MismatchError) as caught:
        require_same(Preprocessing(), "MODEL", Preprocessing(frame="observed", degree=3), "SET")
    message = str(caught.value)
    for part in ("MODEL", "SET", "frame is rest against observed", "degree is 5 against 3", "prepare"):
        assert part in message
    assert "continuum is" not in message


def test_spectra_of_another_kind_are_not_to_be_prepared_again():
    xp = Preprocessing(grid="xp", frame="observed", continuum="none")
    for first, second in ((Preprocessing(), xp), (xp, Preprocessing())):
        with pytest.raises(MismatchError) as caught:
            require_same(first, "MODEL", second, "SET")
        kinds = {"xp": "for Gaia XP spectra on the grid 'xp'", "blue": "for spectra on the grid 'blue'"}
        for name, settings in (("MODEL", first), ("SET", second)):
            assert f"{name} is {kinds[settings.grid]}" in str(caught.value)
        assert "--preprocessing" not in str(caught.value)


def test_settings_of_an_older_transtar_are_read_without_their_thresholds(caplog):
    older = Preprocessing(degree=4).to_dict() | {"good_fraction": 0.8, "snr": 10.0}
    assert Preprocessing.from_stored(older, "model") == Preprocessing(degree=4)
    assert not caplog.records
    require_same(Preprocessing.from_stored(older | {"snr": 5.0}), "older", Preprocessing(degree=4), "newer")
    Preprocessing.from_stored(older | {"snr": 5.0}, "model")
    assert "for the same flags: --quality snr=5 good_fraction=0.8" in caplog.text
    for wrong in ({"snr": "low"}, {"good_fraction": 80}, {"other": 1}):
        with pytest.raises(SettingsError):
            Preprocessing.from_stored(older | wrong, "model")


def test_the_hash_is_the_one_that_older_models_note():
    assert Preprocessing().hash == "37a7e408bbd1ca35"

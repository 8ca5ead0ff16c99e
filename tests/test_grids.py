import importlib
import sys

import numpy as np
import pytest

from transtar import grids
from transtar.errors import SettingsError
from transtar.grids import BLUE, SPEED_OF_LIGHT, XP, LogGrid, WaveGrid, get_grid, grid_names, points_hash, register_grid
from transtar.preprocess import Preprocessing


def test_blue():
    """1462 bins, log10(lambda) = 3.602 + 1e-4 i: LAMOST's native pixels 338 to 1799."""
    assert BLUE.wave.shape == BLUE.log_wave.shape == (1462,)
    np.testing.assert_allclose(np.log10(BLUE.wave), 3.602 + 1e-4 * np.arange(1462), rtol=1e-15)
    np.testing.assert_allclose(BLUE.log_wave, 3.5682 + 1e-4 * np.arange(338, 1800), rtol=1e-14)
    assert BLUE.wave[0] == pytest.approx(3999.447)
    assert BLUE.wave[-1] == pytest.approx(10**3.7481, rel=1e-12)
    # One bin is 69 km/s.
    assert SPEED_OF_LIGHT * (10**BLUE.step - 1) == pytest.approx(69.04, abs=0.01)


def test_by_name():
    assert get_grid("blue") is BLUE
    with pytest.raises(SettingsError, match="no wavelength grid 'red'; known grids: blue, xp"):
        get_grid("red")


def test_xp():
    """The archive's sampling: 343 points from 336 to 1020 nm."""
    assert XP.size == 343
    np.testing.assert_array_equal(XP.wave, 10 * np.arange(336, 1021, 2))
    np.testing.assert_array_equal(XP.log_wave, np.log10(XP.wave))
    with pytest.raises(ValueError, match="read-only"):
        XP.wave[0] = 0


@pytest.fixture
def mine(monkeypatch):
    monkeypatch.setattr(grids, "_REGISTERED", dict(grids._REGISTERED))


@pytest.mark.usefixtures("mine")
def test_register():
    red = LogGrid("red", 3.92, 1e-4, 300, window=(8200.0, 9000.0))
    assert register_grid(red) is get_grid("red") is red
    assert "red" in grid_names()
    # The same once more, as a module that is loaded again would, is no other grid.
    assert register_grid(LogGrid("red", 3.92, 1e-4, 300, window=(8200.0, 9000.0))) is red
    with pytest.raises(SettingsError, match="'red' is registered already"):
        register_grid(LogGrid("red", 3.93, 1e-4, 300))


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("wave", "window", "message"),
    [
        (np.arange(400.0, 700.0), None, "grid 'g'.*not Angstrom"),
        (np.array([4000.0, 5000.0]), None, "10 to 100000 points, not 2"),
        (np.linspace(5000, 4000, 50), None, "strictly increasing"),
        (np.linspace(4000, 5000, 50), (4100.0, 5100.0), "must hold the whole grid"),
    ],
)
def test_impossible_grids_are_refused(wave, window, message):
    with pytest.raises(SettingsError, match=message):
        register_grid(WaveGrid("g", wave, window))


@pytest.fixture
def plug_in(tmp_path, monkeypatch, mine):
    """A package that offers a grid, as pip would install it."""
    (tmp_path / "gridplug.py").write_text(
        "import numpy as np\nfrom transtar.grids import WaveGrid\n"
        "GRID = WaveGrid('calcium', np.linspace(8400, 8800, 201), window=(8300.0, 8900.0))\nNUMBER = 3\n"
    )
    info = tmp_path / "gridplug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gridplug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[transtar.grids]\ncalcium = gridplug:GRID\nnumber = gridplug:NUMBER\nrenamed = gridplug:GRID\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("gridplug", None)


@pytest.mark.usefixtures("plug_in")
def test_plug_in():
    assert {"blue", "xp", "calcium"} <= set(grid_names())
    assert "gridplug" not in sys.modules
    assert get_grid("calcium").size == 201
    with pytest.raises(SettingsError, match=r"is a int, not a transtar.grids.LogGrid or transtar.grids.WaveGrid"):
        get_grid("number")
    with pytest.raises(SettingsError, match="they must agree"):
        get_grid("renamed")


@pytest.mark.usefixtures("plug_in")
def test_settings_remember_the_wavelengths_of_a_foreign_grid():
    settings = Preprocessing(grid="calcium")
    stored = settings.to_dict()
    assert stored["grid_hash"] == points_hash(get_grid("calcium"))
    assert Preprocessing.from_dict(stored) == settings
    assert settings.window == (8300, 8900)
    # Another version of the package has moved it.
    del grids._REGISTERED["calcium"]
    register_grid(WaveGrid("calcium", np.linspace(8401, 8801, 201), window=(8300.0, 8900.0)))
    with pytest.raises(SettingsError, match="'calcium' has other wavelengths here"):
        Preprocessing.from_dict(stored)


def test_settings_of_our_own_grids_are_stored_as_ever():
    assert Preprocessing().hash == "37a7e408bbd1ca35"
    assert "grid_hash" not in Preprocessing(grid="xp", continuum="none").to_dict()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, r"'xp' \(3360 to 10200 A\) has no window for an envelope; write 'continuum: none'"),
        ({"continuum": "envelope-specclip"}, "is for the grid 'blue'"),
        ({"continuum": "none", "resolution": 20}, "resolution needs a grid even in log wavelength"),
        ({"continuum": "none", "grid_hash": "0"}, "other wavelengths"),
    ],
)
def test_what_makes_no_sense_on_a_grid_is_refused(content, message):
    with pytest.raises(SettingsError, match=message):
        Preprocessing.from_dict({"grid": "xp", **content})

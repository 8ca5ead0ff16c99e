import importlib
import sys

import pytest

from transtar.errors import SettingsError
from transtar.surveys import Survey, base, get_survey, register, survey_names


def test_built_in():
    assert {"generic", "lamost", "miles"} <= set(survey_names())
    assert get_survey("lamost").sky_lines == ((5570.0, 5590.0),)
    assert get_survey("miles").sky_lines == ()
    assert get_survey("miles").frame == "rest"


def test_unknown():
    with pytest.raises(SettingsError, match=r"no survey 'lamsot'; known surveys: .*generic.*lamost.*miles"):
        get_survey("lamsot")


def test_register(monkeypatch):
    monkeypatch.setattr(base, "_REGISTERED", dict(base._REGISTERED))
    mine = Survey("mine", "mine", lambda path: None, ("*.dat",))
    assert register(mine) is mine
    assert register(mine) is get_survey("mine")
    with pytest.raises(SettingsError, match="registered already"):
        register(Survey("mine", "another", lambda path: None, ()))


@pytest.fixture
def plug_in(tmp_path, monkeypatch):
    """A package that offers surveys, as pip would install it."""
    (tmp_path / "starplug.py").write_text(
        "from transtar.surveys import Survey\n"
        "SURVEY = Survey('plugged', 'a plug-in', lambda path: None, ('*.dat',))\n"
        "NUMBER = 3\n"
    )
    (tmp_path / "brokenplug.py").write_text("raise RuntimeError('out of order')\n")
    info = tmp_path / "starplug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: starplug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[transtar.surveys]\nplugged = starplug:SURVEY\nbroken = brokenplug:SURVEY\nnumber = starplug:NUMBER\n"
        "renamed = starplug:SURVEY\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(base, "_REGISTERED", dict(base._REGISTERED))
    importlib.invalidate_caches()
    yield
    for name in ("starplug", "brokenplug"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("plug_in")
def test_plug_in():
    assert {"plugged", "broken", "lamost"} <= set(survey_names())
    assert "starplug" not in sys.modules
    assert get_survey("plugged").description == "a plug-in"
    assert get_survey("lamost").name == "lamost"
    with pytest.raises(SettingsError, match=r"'broken' of package 'starplug'.*RuntimeError: out of order"):
        get_survey("broken")
    with pytest.raises(SettingsError, match=r"is a int, not a transtar.surveys.Survey"):
        get_survey("number")
    with pytest.raises(SettingsError, match="they must agree"):
        get_survey("renamed")
    assert get_survey("plugged").name == "plugged"

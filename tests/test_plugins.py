"""Packages that come and go while a process runs, and that nothing is read twice of those that stay."""

import importlib
import shutil

import pytest

from transtar import plugins
from transtar.errors import SettingsError
from transtar.plugins import load_offered, offered

GROUP = "transtar.surveys"


def install(folder, name):
    """A package of that name which offers itself, as pip would install it."""
    (folder / f"{name}.py").write_text(f"class Thing:\n    name = {name!r}\n\n\nTHING = Thing()\n")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {name}:THING\n")
    importlib.invalidate_caches()
    return info


def test_a_package_is_seen_as_soon_as_it_is_there_and_no_longer(tmp_path, monkeypatch):
    before = offered(GROUP)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert offered(GROUP) == before
    for number in range(5):
        info = install(tmp_path, f"comesandgoes{number}")
        assert offered(GROUP) == [f"comesandgoes{number}", *before]
        assert load_offered(GROUP, f"comesandgoes{number}", "thing", object).name == f"comesandgoes{number}"
        shutil.rmtree(info)
        assert offered(GROUP) == before
        assert load_offered(GROUP, f"comesandgoes{number}", "thing", object) is None


def test_what_is_installed_is_read_once(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, "stays")
    assert "stays" in offered(GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda **wanted: pytest.fail("read again"))
    assert "stays" in offered(GROUP)
    assert load_offered(GROUP, "stays", "thing", object).name == "stays"


def test_a_package_that_ends_the_program_is_told(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, "wantsout")
    (tmp_path / "wantsout.py").write_text("import sys\n\nsys.exit('no licence')\n")
    with pytest.raises(SettingsError, match=r"thing 'wantsout' of package .* cannot be loaded: SystemExit: no licence"):
        load_offered(GROUP, "wantsout", "thing", object)


def test_a_path_that_leads_nowhere_does_no_harm(tmp_path, monkeypatch):
    before = offered(GROUP)
    (tmp_path / "file").write_text("")
    for where in (tmp_path / "nowhere", tmp_path / "file", "nul\0"):
        monkeypatch.syspath_prepend(str(where))
    assert offered(GROUP) == before

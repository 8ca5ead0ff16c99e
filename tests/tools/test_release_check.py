"""The dry run of a release sees what it is to see."""

import io
import tarfile
import zipfile

import pytest

from tools import release_check
from tools.release_check import Fault, check_source, check_wheel, tracked, versions
from transtar.version import __version__

NAMES = ["src/transtar/__init__.py", "src/transtar/a/data.csv", "README.md", "tests/test_a.py", "Makefile"]


def wheel_of(path, names):
    with zipfile.ZipFile(path, "w") as file:
        for name in [*names, "transtar-1.dist-info/RECORD"]:
            file.writestr(name, "x")
    return path


def source_of(path, names):
    with tarfile.open(path, "w:gz") as file:
        for name in [*names, "PKG-INFO", "src/transtar.egg-info/SOURCES.txt"]:
            member = tarfile.TarInfo(f"transtar-1/{name}")
            member.size = 1
            file.addfile(member, io.BytesIO(b"x"))
    return path


def test_a_wheel_holds_the_package_and_nothing_else(tmp_path):
    whole = ["transtar/__init__.py", "transtar/a/data.csv"]
    assert check_wheel(wheel_of(tmp_path / "a.whl", whole), NAMES) == 2
    with pytest.raises(Fault, match=r"a\.whl lacks: transtar/a/data\.csv"):
        check_wheel(wheel_of(tmp_path / "a.whl", whole[:1]), NAMES)
    with pytest.raises(Fault, match=r"holds what no release should: tests/test_a\.py"):
        check_wheel(wheel_of(tmp_path / "a.whl", [*whole, "tests/test_a.py"]), NAMES)


def test_a_source_distribution_holds_what_builds_it(tmp_path):
    whole = [name for name in NAMES if name.startswith("src/") or name == "README.md"]
    assert check_source(source_of(tmp_path / "a.tar.gz", whole), NAMES) == 3
    with pytest.raises(Fault, match=r"lacks: README\.md"):
        check_source(source_of(tmp_path / "a.tar.gz", whole[:2]), NAMES)
    with pytest.raises(Fault, match="holds what no release should: Makefile"):
        check_source(source_of(tmp_path / "a.tar.gz", [*whole, "Makefile"]), NAMES)


def test_what_is_too_large_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(release_check.MOST, ".whl", 10)
    with pytest.raises(Fault, match=r"a\.whl has [\d,]+ bytes, more than 10"):
        check_wheel(wheel_of(tmp_path / "a.whl", ["transtar/__init__.py"]), NAMES[:1])


def test_versions_of_the_checkout_agree_and_others_are_named(tmp_path, monkeypatch, capsys):
    assert set(versions().values()) == {__version__}
    monkeypatch.setattr(release_check, "versions", lambda: {"CITATION.cff": "9.9", "a": __version__})
    monkeypatch.setattr("sys.argv", ["release_check", "--out", str(tmp_path / "dist")])
    assert release_check.main() == 1
    assert "CITATION.cff says 9.9" in capsys.readouterr().err
    assert not (tmp_path / "dist").exists()


def test_an_earlier_build_is_not_taken_for_this_one(tmp_path, monkeypatch, capsys):
    (tmp_path / "transtar-0.0.1.whl").write_text("x")
    monkeypatch.setattr("sys.argv", ["release_check", "--out", str(tmp_path)])
    assert release_check.main() == 1
    assert "transtar-0.0.1.whl of an earlier build" in capsys.readouterr().err


def test_what_git_tracks_is_there():
    try:
        names = tracked()
    except Fault:
        pytest.skip("not a git checkout")
    assert {"pyproject.toml", "src/transtar/__init__.py"} <= set(names)
    assert set(names) >= release_check.BESIDE

"""The rooms, from the imports: no circles, nothing that reaches upward, and a picture that is of this house."""

import re
from collections import defaultdict
from html import unescape

import pytest

from tools.house import PICTURE, SOURCE, circle, described, draw, floors, read_imports, rooms, without_implied

ORDER = (
    "ground", "shards", "tables", "surveys", "preprocess", "velocity", "labels", "selections", "networks", "encoders", "datasets",
    "models", "train", "simulate", "trust", "catalog", "evaluate", "fetch", "explain", "report", "plot", "studies", "citing",
    "cli",
)  # fmt: skip
"""From the ground up: a room imports only from rooms before it."""


def test_no_room_imports_from_one_above_it():
    graph = rooms(read_imports())
    assert set(graph) == set(ORDER)
    upward = [(room, other) for room in graph for other in graph[room] if ORDER.index(other) >= ORDER.index(room)]
    assert not upward


def test_no_module_is_imported_in_a_circle():
    assert circle(read_imports(lazy=False)) == []


def test_no_file_name_twice_where_the_folder_does_not_tell_the_two_apart():
    places = defaultdict(list)
    for path in SOURCE.rglob("*.py"):
        folder = path.parent.relative_to(SOURCE).as_posix()
        if path.name != "__init__.py" and folder not in ONE_FILE_FOR_EACH:
            places[path.name].append(folder)
    assert {name: folders for name, folders in places.items() if len(folders) > 1 and name not in TOLD} == {}


ONE_FILE_FOR_EACH = ("cli", "simulate/native", "studies/reporters", "studies/paper", "train/strategies")
"""Folders of verbs, mock surveys, reporters and strategies: each file has the name of the one that is in it."""

TOLD = {
    "settings.py": "of the preprocessing, of a training",
    "sparcl.py": "the service that spectra are fetched from, and the survey that its files are",
}
"""Names that occur twice elsewhere, and why nobody takes one for the other."""


def test_the_picture_is_of_this_house():
    (text,) = re.findall("<dc:description>(.*?)</dc:description>", PICTURE.read_text())
    assert unescape(text) == described(rooms(read_imports())), "run: python -m tools.house"


@pytest.fixture
def house(tmp_path):
    """A house of three rooms."""
    for name, text in {
        "__init__": "from .up import high",
        "base": "import os",
        "low/__init__": "from ..base import x",
        "up/__init__": "from .high import x",
        "up/high": "def f():\n    from ..low.deep import x\nif TYPE_CHECKING:\n    from ..top import y",
        "low/deep": "from transtar import base",
        "top/__init__": "",
        "top/view": "from ..up import high\nfrom ..low import deep",
    }.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_imports_are_read(house):
    modules = read_imports(house)
    assert modules["up.high"] == {"low.deep"}
    assert modules["low.deep"] == {"base"}
    assert modules["up"] == {"up.high"}
    assert read_imports(house, lazy=False)["up.high"] == set()
    graph = rooms(modules)
    assert graph == {"ground": set(), "low": {"ground"}, "up": {"low"}, "top": {"up", "low"}}
    assert floors(graph) == {"ground": 0, "low": 1, "up": 2, "top": 3}
    assert without_implied(graph)["top"] == {"up"}


def test_a_circle_is_named(house):
    (house / "base.py").write_text("from .top import deep")
    found = circle(rooms(read_imports(house)))
    assert found[0] == found[-1]
    assert {"ground", "top", "low"} <= set(found)


def test_a_picture_is_the_same_each_time(tmp_path):
    graph = {"ground": set(), "tables": {"ground"}, "labels": {"tables", "ground"}}
    for name in ("one.svg", "two.svg"):
        draw(graph, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert ">labels<" in (tmp_path / "one.svg").read_text()

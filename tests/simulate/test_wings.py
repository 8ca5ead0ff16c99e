"""The wings of the mock universe: what each may import, told from the source."""

import ast
from importlib.util import resolve_name
from pathlib import Path

import pytest

import transtar.simulate

ROOT = Path(transtar.simulate.__file__).parent
PACKAGE = "transtar.simulate"

WINGS = ("stars", "emulator", "instruments", "mocks", "pipelines", "native", "universe")
"""From the ground up: each may import those before it."""

UPPER = ("trust", "train", "catalog", "evaluate", "explain", "report", "studies", "cli")
"""Rooms of the package that build on the mock universe or stand beside it."""


def imports(path: Path, root: Path = ROOT, package: str = PACKAGE) -> set[str]:
    """Dotted names of all that a file imports, inside functions too; of ``from a import b`` both a and a.b."""
    module = ".".join((package, *path.relative_to(root).with_suffix("").parts))
    parent = module.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), parent) if node.level else str(node.module)
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def climbs(root: Path = ROOT) -> list[tuple[str, str]]:
    """Pairs of a file and what it imports from above its wing."""
    wrong = []
    for path in sorted(root.glob("*/*.py")):
        height = WINGS.index(path.parent.name)
        for name in sorted(imports(path, root)):
            rooms = name.removeprefix("transtar.").split(".")
            upward = rooms[0] in UPPER or (
                rooms[0] == "simulate" and rooms[1:2] != [] and rooms[1] in WINGS[height + 1 :]
            )
            # The face of the package gathers from its wings, so no wing may look there.
            if name.startswith("transtar.") and (upward or name == PACKAGE):
                wrong.append((f"{path.parent.name}/{path.name}", name))
    return wrong


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Circles in a graph, each from where it was entered."""
    done: set[str] = set()
    found = []

    def visit(name: str, way: list[str]) -> None:
        if name in way:
            found.append(way[way.index(name) :])
        elif name not in done:
            for other in sorted(edges[name]):
                visit(other, [*way, name])
            done.add(name)

    for name in edges:
        visit(name, [])
    return found


def test_every_file_stands_in_a_wing():
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py"}
    assert {path.parent.name for path in ROOT.glob("*/*.py")} == set(WINGS)
    assert list(ROOT.glob("*/*/**/*.py")) == []


def test_no_wing_imports_from_one_above_it_nor_from_upper_floors():
    assert climbs() == []


def test_no_circle_among_the_files():
    modules = {".".join((PACKAGE, path.parent.name, path.stem)): path for path in ROOT.glob("*/*.py")}
    edges = {name: {other for other in imports(path) if other in modules} for name, path in modules.items()}
    assert sum(map(len, edges.values())) > 50
    assert circles(edges) == []


@pytest.mark.parametrize(
    ("wing", "line", "name"),
    [
        ("stars", "from ..universe.scales import Scale", "transtar.simulate.universe"),
        ("stars", "from .. import native", "transtar.simulate.native"),
        ("emulator", "def f():\n    from ...report import style", "transtar.report"),
        ("native", "import transtar.simulate.universe.samples", "transtar.simulate.universe"),
        ("mocks", "from .. import Emulator", "transtar.simulate"),
    ],
)
def test_such_imports_are_seen(tmp_path, wing, line, name):
    (tmp_path / wing).mkdir()
    (tmp_path / wing / "new.py").write_text(line)
    assert any(where == f"{wing}/new.py" and other.startswith(name) for where, other in climbs(tmp_path))


def test_circles_are_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []

"""The house in one picture, made from its imports: ``python -m tools.house`` writes docs/images/house.svg.

Rooms are the packages of `transtar`, and what stands beside them in the folder, the ground. A room stands one floor above the
highest room that it imports. Arrows that others imply are left out: where studies import train, and train imports models, no
arrow leads from studies to models.
"""

from __future__ import annotations

import ast
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "transtar"
PICTURE = ROOT / "docs" / "images" / "house.svg"

GROUND, OUT, FACE = "ground", "out", "face"
"""Modules that stand in no folder; the folder that `files` is the face of, and that counts as ground; `transtar` itself."""

Graph = dict[str, set[str]]


def read_imports(source: Path = SOURCE, lazy: bool = True) -> Graph:
    """Which modules a module imports, for every module of a package.

    Parameters
    ----------
    source : Path
        Folder of the package.
    lazy : bool
        Count imports inside functions, too. Those that only type checkers see never count.

    Returns
    -------
    dict of str to set of str
        Dotted names, without the name of the package; the package itself is ''.
    """
    files = {_name(path.relative_to(source)): path for path in sorted(source.rglob("*.py"))}
    return {name: set(_imported(name, path, files, lazy)) - {name} for name, path in files.items()}


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(name: str, path: Path, files: Mapping[str, Path], lazy: bool) -> Iterator[str]:
    here = name.split(".") if name else []
    package = here if path.name == "__init__.py" else here[:-1]
    for node in _statements(ast.parse(path.read_text()), lazy):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
        elif (node.module or "").split(".")[0] == "transtar":
            base = node.module.split(".")[1:]  # type: ignore[union-attr]
        else:
            continue
        for alias in node.names:
            full = ".".join([*base, alias.name])
            yield full if full in files else ".".join(base)


def _statements(tree: ast.AST, lazy: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if not lazy and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        yield node
        yield from _statements(node, lazy)


def rooms(modules: Graph) -> Graph:
    """Which rooms a room imports, from what modules import; the face of the package and ``__main__`` are no rooms."""
    folders = {name.split(".")[0] for name in modules if "." in name}

    def room(name: str) -> str:
        first = name.split(".")[0]
        if name in ("", "__main__"):
            return FACE
        return first if first in folders and first != OUT else GROUND

    graph: defaultdict[str, set[str]] = defaultdict(set)
    for name, imported in modules.items():
        graph[room(name)] |= {room(other) for other in imported} - {room(name)}
    graph.pop(FACE, None)
    return dict(graph)


def circle(graph: Graph) -> list[str]:
    """One circle of imports, as a list that begins and ends with the same name; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def floors(graph: Graph) -> dict[str, int]:
    """How high each room stands: one above the highest that it imports."""
    heights: dict[str, int] = {}
    for room in TopologicalSorter(graph).static_order():
        heights[room] = 1 + max((heights[below] for below in graph.get(room, ())), default=-1)
    return heights


def without_implied(graph: Graph) -> Graph:
    """The graph without arrows that others imply (its transitive reduction)."""
    reached: Graph = {}
    for room in TopologicalSorter(graph).static_order():
        reached[room] = set().union(*({below} | reached[below] for below in graph.get(room, ())))
    return {
        room: {below for below in imported if not any(below in reached[other] for other in imported)}
        for room, imported in graph.items()
    }


def lines_of(room: str, source: Path = SOURCE) -> int:
    """Lines of code of a room, comments and empty lines included."""
    files = [*source.glob("*.py"), *(source / OUT).rglob("*.py")] if room == GROUND else (source / room).rglob("*.py")
    return sum(len(path.read_text().splitlines()) for path in files)


def draw(graph: Graph, path: Path) -> None:
    """Draw rooms and arrows to an SVG file, whose description holds the graph as JSON.

    Parameters
    ----------
    graph : dict of str to set of str
        As from `rooms`, without circles.
    path : Path
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    heights = floors(graph)
    rows: defaultdict[int, list[str]] = defaultdict(list)
    for room in sorted(heights, key=lambda room: (heights[room], room)):
        rows[heights[room]].append(room)
    arrows = without_implied(graph)
    places = _places(rows)
    width, height = 1.5, 0.5
    # Whatever the settings of whoever draws it.
    with plt.style.context(["default", {"svg.hashsalt": "house", "svg.fonttype": "none", "font.size": 9}]):
        figure, axes = plt.subplots(figsize=(11, 0.85 * len(rows) + 0.4))
        for upper, lower in ((room, below) for room in arrows for below in sorted(arrows[room])):
            (x, y), (to_x, to_y) = places[upper], places[lower]
            axes.annotate(
                "",
                (to_x, to_y + height / 2),
                (x, y - height / 2),
                arrowprops={"arrowstyle": "-|>", "color": "0.45", "lw": 0.8, "shrinkA": 0, "shrinkB": 0},
            )
        for room, (x, y) in places.items():
            box = plt.Rectangle(
                (x - width / 2, y - height / 2), width, height, facecolor="#dce9f5", edgecolor="#30506e", zorder=3
            )
            axes.add_patch(box)
            axes.text(x, y + 0.07, room, ha="center", va="center", weight="bold", zorder=4)
            axes.text(
                x,
                y - 0.14,
                f"about {round(lines_of(room), -2):,} lines",
                ha="center",
                va="center",
                fontsize=7,
                zorder=4,
            )
        sides = [x for x, _ in places.values()]
        axes.set_xlim(min(sides) - width, max(sides) + width)
        axes.set_ylim(-0.6, max(rows) + 0.6)
        axes.axis("off")
        figure.savefig(
            path,
            bbox_inches="tight",
            metadata={"Date": None, "Title": "The rooms of transtar", "Description": described(graph)}
            if path.suffix == ".svg"
            else None,
        )
        plt.close(figure)


ACROSS = {
    "citing": -4.0,
    "cli": -1.5, "studies": 0.0, "report": 0.0, "explain": 0.0, "evaluate": -1.8, "catalog": -0.9, "simulate": 2.7, "train": 1.8,
    "fetch": -5.0, "models": 0.9, "selections": -3.2, "datasets": 0.9, "labels": -1.5, "surveys": 0.5, "preprocess": 2.6,
    "tables": -0.5, "ground": 0.9, "plot": 1.8,
}  # fmt: skip
"""How far to the right a room is drawn, so that few arrows cross; its floor comes from the imports. Others stand on the right."""


def _places(rows: Mapping[int, list[str]]) -> dict[str, tuple[float, float]]:
    """Where the middles of rooms are."""
    places: dict[str, tuple[float, float]] = {}
    for floor, names in rows.items():
        new = [name for name in names if name not in ACROSS]
        places |= {name: (ACROSS[name], float(floor)) for name in names if name in ACROSS}
        places |= {name: (4.4 + 1.7 * number, float(floor)) for number, name in enumerate(new)}
    return places


def described(graph: Graph) -> str:
    """The graph as one line of JSON, the same for the same graph."""
    return json.dumps({room: sorted(graph[room]) for room in sorted(graph)})


def main() -> int:
    """Draw the picture; an error names a circle."""
    graph = rooms(read_imports())
    if round_trip := circle(graph):
        sys.exit(f"rooms import each other: {' -> '.join(round_trip)}")
    draw(graph, PICTURE)
    print(PICTURE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())

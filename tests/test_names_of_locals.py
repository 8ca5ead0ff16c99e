"""No local stands for whatever is at hand."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import transtar

PACKAGE = Path(transtar.__file__).parent
VAGUE = ("own", "found", "there", "theirs")
PUBLIC = {("labels/positions.py", "match_positions", "theirs")}
"""Arguments of public functions, by file and function: callers may give them by name."""


def assigned(tree: ast.AST, place: str = "") -> Iterator[tuple[str, str, int]]:
    """Names that functions, comprehensions and modules assign: the function around, the name and the line.

    Not the fields of classes: what reads one says whose it is (``report.found``).
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(tree, ast.ClassDef) and isinstance(node, ast.Assign | ast.AnnAssign):
            if node.value is not None:
                yield from assigned(node.value, place)
            continue
        name = None
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.alias):
            name = node.asname or node.name
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            name = node.name
        elif isinstance(node, ast.MatchMapping):
            name = node.rest
        if name is not None:
            yield place, name, getattr(node, "lineno", 0)
        yield from assigned(node, node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else place)


def test_no_local_has_a_vague_name():
    """`own`, `found`, `there` and `theirs` named some 230 locals, in every part of the package.

    What such a name holds (columns, matches, rows of the table, names that are known) can be told only by reading back to the
    line that assigns it, and it holds something else in the next function. The noun of what it holds says it at once.
    """
    vague = [
        f"{path}:{line}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for place, name, line in assigned(ast.parse(path.read_text(encoding="utf-8")))
        if name in VAGUE and (path.relative_to(PACKAGE).as_posix(), place, name) not in PUBLIC
    ]
    assert not vague, "name these by the noun of what they hold:\n" + "\n".join(vague)


@pytest.mark.parametrize(
    "source",
    [
        "found = 1",
        "def f(found): pass",
        "def f(*, found=1): pass",
        "lambda found: 1",
        "for found, other in pairs: pass",
        "[found for found in pairs]",
        "with open(path) as found: pass",
        "if (found := 1): pass",
        "import numpy as found",
        "try: pass\nexcept OSError as found: pass",
        "match value:\n    case [1, *found]: pass",
        "match value:\n    case {1: 2, **found}: pass",
        "class C:\n    def f(self):\n        found = 1",
        "class C:\n    read = lambda found: 1",
    ],
)
def test_each_way_to_assign_a_name_is_seen(source):
    assert [name for _, name, _ in assigned(ast.parse(source)) if name == "found"]


@pytest.mark.parametrize(
    "source", ["class C:\n    found: int = 0", "report.found = 1", "f(found=1)", "class C:\n    found = 1"]
)
def test_fields_and_keywords_may_have_such_a_name(source):
    assert not [name for _, name, _ in assigned(ast.parse(source)) if name == "found"]

"""The Python reference: a page for `transtar`, one for each of its packages, from `__all__` and docstrings.

What `transtar` itself offers is described on its page alone; a package that offers it, too, links there. What several
packages offer is described with the one that it comes from.
"""

from __future__ import annotations

import ast
import inspect
import pkgutil
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import transtar

MODULES = ("flags", "glossary", "grids", "errors", "explain.saliency", "explain.lines", "explain.response")
"""Modules that pages and examples import from, beside the packages; all that they define without an underscore is described."""


def api_pages() -> dict[str, str]:
    """Pages in reStructuredText by name, the list of them included.

    Returns
    -------
    dict of str to str
        ``api.rst`` and ``api/NAME.rst``.
    """
    modules = {name: import_module(name) for name in ["transtar", *packages(), *(f"transtar.{one}" for one in MODULES)]}
    names = {name: public_names(module) for name, module in modules.items()}
    homes = _homes(modules, names)
    pages = {f"api/{name}.rst": _page(name, module, names[name], homes) for name, module in modules.items()}
    rows = "\n".join(
        f"   * - :doc:`{name} <api/{name}>`\n     - {_first_line(module)}" for name, module in modules.items()
    )
    listed = "\n".join(f"   api/{name}" for name in modules)
    pages["api.rst"] = (
        "Python\n======\n\nWhat most sessions need is in ``transtar`` itself; its packages hold the rest.\n\n"
        f".. list-table::\n   :widths: 30 70\n\n{rows}\n\n.. toctree::\n   :hidden:\n\n{listed}\n"
    )
    return pages


def packages() -> list[str]:
    """Names of the packages of transtar that say what they offer."""
    named = [f"transtar.{one.name}" for one in pkgutil.iter_modules(transtar.__path__) if one.ispkg]
    return [name for name in named if getattr(import_module(name), "__all__", None)]


def public_names(module: ModuleType) -> list[str]:
    """What a module offers: its `__all__`, else all that it defines without an underscore."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    defined = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return [name for name in dict.fromkeys([*constants(module.__name__), *defined]) if not name.startswith("_")]


def _homes(modules: dict[str, ModuleType], names: dict[str, list[str]]) -> dict[tuple[str, str], str]:
    """For each name of each module, the module on whose page it is described."""
    homes: dict[tuple[str, str], str] = {}
    for module, offered in names.items():
        for name in offered:
            value = getattr(modules[module], name)
            others = [one for one in names if name in names[one] and getattr(modules[one], name) is value]
            origin = getattr(value, "__module__", "") or ""
            near = [one for one in others if origin == one or origin.startswith(one + ".")]
            # `transtar` first; then the package that defines it, the narrowest if one lies in another.
            homes[module, name] = "transtar" if "transtar" in others else max(near or others[:1], key=len)
    return homes


def _page(name: str, module: ModuleType, offered: list[str], homes: dict[tuple[str, str], str]) -> str:
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", "   :no-members:", ""]
    lines += [".. autosummary::", "   :nosignatures:", ""]
    lines += [f"   {one}" if homes[name, one] == name else f"   ~{homes[name, one]}.{one}" for one in offered]
    lines += ["", f".. currentmodule:: {name}", ""]
    for one in offered:
        if homes[name, one] == name:
            lines += _entry(name, one, getattr(module, one))
    return "\n".join(lines) + "\n"


def _entry(module: str, name: str, value: Any) -> list[str]:
    if inspect.isclass(value):
        return ["", f".. autoclass:: {module}.{name}", "   :members:", ""]
    if inspect.isroutine(value):
        return ["", f".. autofunction:: {module}.{name}", ""]
    told = constants(module).get(name) or ""
    return ["", f".. py:data:: {name}", "", *(f"   {line}" for line in inspect.cleandoc(told).splitlines()), ""]


@cache
def constants(module: str) -> dict[str, str]:
    """Constants of a module, or of the modules of a package, and the texts below them."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return {}
    path = Path(spec.origin)
    files = sorted(path.parent.glob("*.py")) if path.name == "__init__.py" else [path]
    if module == "transtar.tables":
        files.append(path.parents[1] / "glossary.py")
    return {name: text for file in files for name, text in _told(ast.parse(file.read_text(encoding="utf-8")).body)}


def _told(body: list[ast.stmt]) -> list[tuple[str, str]]:
    pairs = []
    for statement, after in pairwise(body):
        text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(text, str):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            # `A, B = 1, 2` has one text for both.
            each = [one for target in targets for one in (target.elts if isinstance(target, ast.Tuple) else [target])]
            pairs += [(one.id, text) for one in each if isinstance(one, ast.Name)]
    return pairs


def _first_line(module: ModuleType) -> str:
    return " ".join((inspect.getdoc(module) or "").split("\n\n")[0].split())

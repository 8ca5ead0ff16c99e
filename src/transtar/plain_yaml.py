"""The one place that reads YAML from a user: plain values only, each key once, and no more than a settings file needs.

Beyond YAML's own rules: numbers are those of JSON (``1e-4`` is one, ``1:30`` and ``010`` are text, and so are dates), and a
key that stands twice is an error, because YAML would take the last of them without a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import yaml

from .errors import InputError, SettingsError, shown

MOST_BYTES = 1 << 20
MOST_VALUES = 50_000
"""Values of a file with its aliases filled in: nine lines of aliases can stand for a thousand million."""

DEEPEST = 50
"""Levels of nesting."""

LONGEST_CHAIN = 20
"""Files that extend each other."""

_PLAIN = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq", "merge"))


class _Unusable(Exception):
    """What is wrong with a text, in words of the user."""


class _Twice(_Unusable):
    """A key stands twice."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, bounded and stricter."""

    def __init__(self, text: str):
        super().__init__(text)
        self._level = self._count = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent, index):
        self._level += 1
        self._count += 1
        if self._count > MOST_VALUES:
            raise _Unusable(f"holds more than {MOST_VALUES} values")
        if self._level > DEEPEST:
            raise _Unusable(f"nested deeper than {DEEPEST} levels")
        alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        self._level -= 1
        if node is None or (alias and id(node) not in self._sizes):
            # A node that is not complete yet holds an alias of itself.
            raise _Unusable("an alias stands within what it names")
        if not alias:
            if node.tag not in _PLAIN:
                raise _Unusable(f"{shown(node.tag)} in line {node.start_mark.line + 1} is no plain value")
            self._sizes[id(node)] = self._size(node)
        return node

    def _size(self, node) -> int:
        size = 1
        if isinstance(node, yaml.SequenceNode):
            size += sum(self._sizes[id(child)] for child in node.value)
        elif isinstance(node, yaml.MappingNode):
            size += sum(self._sizes[id(key)] + self._sizes[id(value)] for key, value in node.value)
        if size > MOST_VALUES:
            raise _Unusable(f"stands for more than {MOST_VALUES} values")
        return size

    def construct_mapping(self, node, deep=False):
        keys: set = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise _Unusable(f"line {line}: a key is a name or a number")
            key = "<<" if key_node.tag.endswith(":merge") else self.construct_object(key_node)
            if key in keys:
                raise _Twice(f"line {line}: the key '{shown(key)}' stands twice")
            keys.add(key)
        return super().construct_mapping(node, deep=True)


# The loader's own table, without what YAML 1.1 takes for octal and sexagesimal numbers and for dates.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if not tag.endswith((":int", ":float", ":timestamp"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(0|[1-9][0-9]{0,30})$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^([-+]?(\.[0-9]+|(0|[1-9][0-9]*)\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?(0|[1-9][0-9]*)[eE][-+]?[0-9]+"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def parse_yaml(text: str, where: str, not_yaml: str = "not YAML") -> Any:
    """Read a YAML text.

    Parameters
    ----------
    text : str
    where : str
        Where it comes from, for messages.
    not_yaml : str
        What to say of a text that is none.

    Returns
    -------
    dict, list, str, int, float, bool or None
        Of such values all the way down.

    Raises
    ------
    InputError
        If it is not YAML, holds something else than plain values, or is larger or nested deeper than settings can be.
    SettingsError
        If a key stands twice.
    """
    if len(text) > MOST_BYTES:
        raise InputError(f"{where}: longer than {MOST_BYTES} bytes, which no settings are")
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except _Twice as error:
        raise SettingsError(f"{where}: {error}") from None
    except _Unusable as error:
        raise InputError(f"{where}: {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{where}: {not_yaml} ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    """What YAML has to say, without the lines that repeat the text."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        return shown(" ".join(filter(None, (error.context, error.problem))), 200) + place
    return shown(error, 200)


def read_yaml(path: str | Path, where: str | None = None, not_yaml: str = "not YAML") -> Any:
    """Read a YAML file.

    Parameters
    ----------
    path : path
    where, not_yaml : str, optional
        As `parse_yaml`; a file is called by its path if not otherwise.

    Returns
    -------
    dict, list, str, int, float, bool or None

    Raises
    ------
    InputError
        If it is missing, no plain file, not text in UTF-8, or as `parse_yaml`.
    SettingsError
        If a key stands twice.
    """
    path, where = Path(path), where or str(path)
    if not path.is_file():
        raise InputError(f"{where}: no such file")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    # A file that was cut off may end within a character; its length says what is wrong with it.
    text = content.decode("utf-8-sig", "replace" if len(content) > MOST_BYTES else "surrogateescape")
    return parse_yaml(text if len(content) <= MOST_BYTES else " " * len(content), where, not_yaml)


def merge(content: dict, changes: dict, whole: Collection[str] = ()) -> dict:
    """`content` with `changes` laid over it, key by key.

    What stands under the keys `whole` is replaced as a whole, and so is what an empty mapping is laid over: it stands for
    none of the names that were there.
    """
    merged = dict(content)
    for key, value in changes.items():
        under: Any = merged.get(key)
        deeper = isinstance(under, dict) and isinstance(value, dict) and bool(value) and key not in whole
        merged[key] = merge(under, value, whole) if deeper else value
    return merged


def read_extending(
    name: str,
    find: Callable[[str], Path],
    merge: Callable[[dict, dict], dict],
    what: str,
    not_inherited: Collection[str] = (),
) -> dict:
    """Read a YAML file on top of the file that it names by ``extends``, and so on.

    Parameters
    ----------
    name : str
    find : callable
        Gives the path of a name; raises `InputError` if there is none.
    merge : callable
        Lays the second mapping over the first.
    what : str
        What such a file is, for messages, such as 'study'.
    not_inherited : collection of str
        Keys that hold for the file in which they stand, and for none that extends it.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If a file is missing, or not a mapping.
    SettingsError
        If a file extends itself, or the chain is longer than `LONGEST_CHAIN`.
    """
    contents: list[dict] = []
    seen: list[Path] = []
    following: str | None = name
    while following is not None:
        path = find(following).resolve()
        if path in seen:
            raise SettingsError(f"{name}: extends itself{f', through {following}' if following != name else ''}")
        if len(seen) == LONGEST_CHAIN:
            raise SettingsError(f"{name}: extends more than {LONGEST_CHAIN} files, one on the other")
        seen.append(path)
        content = read_yaml(path, following)
        if not isinstance(content, dict):
            raise InputError(f"{following}: holds no settings (a {what} is a mapping of names and settings)")
        base = content.pop("extends", None)
        if base is not None and not isinstance(base, str):
            raise SettingsError(f"{following}: extends names one other {what}, not '{shown(base)}'")
        if contents:
            content = {key: value for key, value in content.items() if key not in not_inherited}
        contents.append(content)
        following = base
    merged = contents.pop()
    while contents:
        merged = merge(merged, contents.pop())
    return merged

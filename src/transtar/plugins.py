"""What other packages offer through entry points: surveys, grids, inputs, strategies, reporters."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .errors import SettingsError


def offered(group: str) -> list[str]:
    """Names that installed packages offer in a group of entry points. Loads no package."""
    return [point.name for point in _points(group, _installed())]


def _installed() -> tuple:
    """What changes when a package is installed, removed or made importable."""
    state: list[Any] = [id(finder) for finder in sys.meta_path]
    for folder in sys.path:
        with suppress(OSError, ValueError):
            names = sorted(name for name in os.listdir(folder or ".") if name.endswith(("-info", ".egg-link")))
            state.append((os.path.abspath(folder), os.stat(folder or ".").st_mtime_ns, *names))
    return tuple(state)


# To read what all installed packages offer takes as long as to prepare tens of spectra, and is asked for at every turn.
@lru_cache(maxsize=32)
def _points(group: str, installed: tuple) -> tuple[EntryPoint, ...]:
    """Entry points of a group, as long as `installed` stays as it is."""
    return tuple(entry_points(group=group))


def load_offered(group: str, name: str, kind: str, expected: type | tuple[type, ...]) -> Any:
    """Load what a package offers under a name.

    Parameters
    ----------
    group : str
        Such as ``transtar.surveys``.
    name : str
    kind : str
        What it is called in messages: 'survey'.
    expected : type or tuple of types
        It must be one of these, with a `name` that is `name`.

    Returns
    -------
    object or None
        None if no package offers it.

    Raises
    ------
    SettingsError
        If the package that offers it is broken, or several offer it.
    """
    points = list({point.value: point for point in _points(group, _installed()) if point.name == name}.values())
    if len(points) > 1:
        packages = " and ".join(point.dist.name if point.dist is not None else point.module for point in points)
        raise SettingsError(f"{kind} '{name}' is offered by the packages {packages}; uninstall all but one")
    return _load(points[0], kind, expected) if points else None


def _load(point: EntryPoint, kind: str, expected: type | tuple[type, ...]) -> Any:
    package = point.dist.name if point.dist is not None else point.module
    # A foreign module can fail in any way at all; only what it offers may suffer from that.
    try:
        loaded = point.load()
    except (Exception, SystemExit) as error:
        raise SettingsError(
            f"{kind} '{point.name}' of package '{package}' ({point.value}) cannot be loaded: "
            f"{type(error).__name__}: {error}; mend or uninstall that package"
        ) from error
    if not isinstance(loaded, expected):
        kinds = expected if isinstance(expected, tuple) else (expected,)
        known = " or ".join(f"{one.__module__.removesuffix('.base')}.{one.__name__}" for one in kinds)
        raise SettingsError(
            f"{kind} '{point.name}' of package '{package}': {point.value} is a {type(loaded).__name__}, not a {known}"
        )
    name = getattr(loaded, "name", None)
    if name != point.name:
        raise SettingsError(
            f"package '{package}' offers a {kind} named '{name}' under the name '{point.name}'; they must agree"
        )
    return loaded

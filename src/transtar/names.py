"""Names that become part of a path or of a column: those of models, variants, labels, selections, surveys."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import SettingsError, shown

LONGEST_NAME = 100
"""Bytes: several names make one file name, and file systems allow 255."""

FORBIDDEN = "/\\"
"""Separators of folders, here or elsewhere."""


def check_name(name, what: str) -> str:
    """Refuse a name that could lead out of a folder, hide a file, or not be written at all.

    Parameters
    ----------
    name : object
        Whatever a study, set or model gives as a name.
    what : str
        What it names, for the message.

    Returns
    -------
    str
        The name.

    Raises
    ------
    SettingsError
        If it is no text, empty, longer than `LONGEST_NAME` bytes, begins with a dot, begins or ends with a blank, or has a
        slash, a backslash or a character that does not print.
    """
    if not isinstance(name, str):
        raise SettingsError(f"{what}: a name is text, not {shown(repr(name))}")
    if fault := name_fault(name):
        raise SettingsError(f"{what}: {fault}")
    return name


def name_fault(name: str) -> str:
    """What `check_name` finds wrong with a text, or nothing."""
    wrong = ""
    if not name:
        wrong = "it is empty"
    elif len(name) > LONGEST_NAME or len(name.encode("utf-8", "replace")) > LONGEST_NAME:
        wrong = f"it is longer than {LONGEST_NAME} bytes"
    elif any(separator in name for separator in FORBIDDEN):
        wrong = "it has a slash or a backslash"
    elif name.startswith("."):
        wrong = "it begins with a dot"
    elif not name.isprintable():
        wrong = "it has a character that does not print"
    elif name != name.strip():
        wrong = "it begins or ends with a blank"
    return f"'{shown(name)}' cannot be a name: {wrong}" if wrong else ""


def check_names(names: Iterable, what: str) -> tuple[str, ...]:
    """`check_name` of several, each of which may come once.

    Raises
    ------
    SettingsError
        If one cannot be a name, or comes twice.
    """
    checked = tuple(check_name(name, what) for name in names)
    twice = next((name for number, name in enumerate(checked) if name in checked[:number]), None)
    if twice is not None:
        raise SettingsError(f"{what}: '{twice}' comes twice")
    return checked

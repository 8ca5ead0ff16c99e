"""Notes of encoders: which one made an input, as plain data that models, stars and prepared sets keep."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from .checks import check_mapping, check_text
from .errors import MismatchError, SettingsError, shown
from .names import check_name

Note = dict[str, str]
"""``name``, ``sha256`` (64 hexadecimal digits) and ``place``: '', the name of an encoder, or an absolute folder."""

_KEYS = ("name", "sha256", "place")
_LONGEST_PLACE = 4096


def check_hash(sha256: Any, what: str) -> str:
    """Refuse what is no SHA-256 in hexadecimal digits.

    Raises
    ------
    SettingsError
    """
    if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise SettingsError(f"{what}: sha256 must be 64 hexadecimal digits in small letters, not '{shown(sha256)}'")
    return sha256


def check_note(note: Any, what: str) -> Note:
    """Refuse what is no note of an encoder.

    Parameters
    ----------
    note : object
    what : str
        Whose note it is, for the message.

    Returns
    -------
    dict of str to str

    Raises
    ------
    SettingsError
        If it has other keys, or one is of another kind.
    """
    if set(check_mapping(note, what)) != set(_KEYS):
        raise SettingsError(f"{what}: a note of an encoder has {', '.join(_KEYS)}, not {shown(sorted(map(str, note)))}")
    check_name(note["name"], what)
    check_hash(note["sha256"], what)
    place = check_text(note["place"], f"{what}: place")
    if place != note["name"] and place and not (PurePath(place).is_absolute() and len(place) <= _LONGEST_PLACE):
        raise SettingsError(
            f"{what}: place must be empty, the name of the encoder or an absolute folder, not '{shown(place)}'"
        )
    return dict(note)


def check_notes(notes: Any, parts: Iterable[str], what: str) -> dict[str, Note]:
    """Refuse what are no notes of the encoders of an input.

    Parameters
    ----------
    notes : object
        By the name of a part of the input.
    parts : iterable of str
        The parts that there are.
    what : str
        Whose notes they are, for the message.

    Returns
    -------
    dict of str to dict

    Raises
    ------
    SettingsError
        If one is none, or is of another part, or of the flux.
    """
    parts = set(parts) - {"flux"}
    checked = {name: check_note(note, f"{what}: {shown(name)}") for name, note in check_mapping(notes, what).items()}
    for name in checked:
        if name not in parts:
            raise SettingsError(f"{what}: '{shown(name)}' is no part of the input that an encoder makes")
    return checked


def require_same_encoder(wanted: Note, one: str, note: Note | None, other: str, remedy: str) -> None:
    """Refuse an input that was made by another encoder.

    Parameters
    ----------
    wanted : dict
        Note of the encoder that it should be.
    one : str
        Who wants it, such as 'the model'.
    note : dict or None
        Of the encoder that made it; None where nobody noted any.
    other : str
        What brings it, such as 'the set'.
    remedy : str
        What to do.

    Raises
    ------
    MismatchError
        Naming both.
    """
    if note is not None and note["sha256"] == wanted["sha256"]:
        return
    made = "nobody noted which encoder made it" if note is None else f"{of_note(note)} made it"
    raise MismatchError(
        f"input '{wanted['name']}': {one} takes that of the encoder {of_note(wanted)}; of {other} {made}; {remedy}"
    )


def of_note(note: Note) -> str:
    """A note in words: ``'through' (sha256 0123456789abcdef)``."""
    return f"'{note['name']}' (sha256 {note['sha256'][:16]})"

"""Encoders by name, by folder, and by what a model notes of the one that it was trained with."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ..encoder_notes import Note, of_note
from ..errors import InputError, MismatchError, SettingsError, TranstarError, shown
from ..files import discard_temporaries
from ..names import check_name
from ..plugins import load_offered, offered
from .aion import AION_NAMES, aion_by_name, aion_names
from .encoder import Encoder
from .encoder_storage import CONFIG, encoder_hash, read_encoder
from .outside import OutsideEncoder

ENTRY_POINT_GROUP = "transtar.encoders"

SHIPPED = Path(__file__).parent / "shipped"

AnyEncoder = Encoder | OutsideEncoder
_Some = TypeVar("_Some", bound=AnyEncoder)

_REGISTERED: dict[str, AnyEncoder] = {}
_SHIPPED: dict[str, AnyEncoder] = {}
_BY_HASH: dict[str, AnyEncoder] = {}
"""All that this process has loaded: each is read once, however many models share it."""


def register_encoder(encoder: _Some) -> _Some:
    """Make an encoder known by its name for the rest of the process.

    A package that wants its encoder known wherever it is installed declares an entry point instead::

        [project.entry-points."transtar.encoders"]
        embedding = "mypackage:ENCODER"

    Parameters
    ----------
    encoder : Encoder or OutsideEncoder
        Its name without a '+'.

    Returns
    -------
    Encoder or OutsideEncoder
        The same, with its hash.

    Raises
    ------
    InputError
        If its hash is to be computed and its network cannot be described.
    SettingsError
        If it is no encoder, its name cannot be one, or another encoder has it.
    """
    if not isinstance(encoder, AnyEncoder):
        raise SettingsError(f"an encoder is a transtar.encoders.Encoder or OutsideEncoder, not {shown(repr(encoder))}")
    if "+" in check_name(encoder.name, "encoder") or encoder.name in ("flux", "ivar"):
        raise SettingsError(f"encoder: '{shown(encoder.name)}' cannot be a name: it means something else as an input")
    encoder = _with_hash(encoder)
    if encoder.name in [*_shipped_names(), *AION_NAMES, *offered(ENTRY_POINT_GROUP)]:
        other: AnyEncoder | None = named_encoder(encoder.name)
    else:
        other = _REGISTERED.setdefault(encoder.name, encoder)
    if other is None or other.sha256 != encoder.sha256:
        raise SettingsError(f"an encoder named '{encoder.name}' is there already; choose another name")
    _BY_HASH.setdefault(encoder.sha256, encoder)
    return encoder


def encoder_names() -> list[str]:
    """Names of all encoders: shipped, registered, or offered by an installed package; sorted. Loads none."""
    return sorted({*_REGISTERED, *_shipped_names(), *aion_names(), *offered(ENTRY_POINT_GROUP)})


def encoder_origin(name: str) -> str:
    """Where an encoder of a name comes from, in words: the folder of a shipped one, 'an installed package' or 'this process'."""
    if name in _REGISTERED:
        return "this process"
    return str(SHIPPED / name) if name in _shipped_names() else "an installed package"


def named_encoder(name: str) -> AnyEncoder | None:
    """The encoder of a name, None if there is none.

    Raises
    ------
    InputError
        If a shipped one is damaged.
    SettingsError
        If a package that offers one is broken, or AION's folder is not named.
    """
    if name in _REGISTERED or name in _SHIPPED:
        return _REGISTERED.get(name) or _SHIPPED[name]
    encoder: AnyEncoder | None = None
    if name in _shipped_names():
        encoder = read_encoder(SHIPPED / name)
    elif name in AION_NAMES:
        encoder = aion_by_name(name)
    else:
        encoder = load_offered(ENTRY_POINT_GROUP, name, "encoder", (Encoder, OutsideEncoder))
    if encoder is None:
        return None
    encoder = replace(_with_hash(encoder), place=name)
    _SHIPPED[name] = _BY_HASH[encoder.sha256] = encoder
    return encoder


def load_encoder(name_or_folder: str | Path) -> AnyEncoder:
    """Load an encoder by folder or name; a folder takes precedence. Models that were trained with it find it from then on.

    Parameters
    ----------
    name_or_folder : str or path

    Returns
    -------
    Encoder or OutsideEncoder

    Raises
    ------
    InputError
        If neither exists, or the encoder cannot be read.
    SettingsError
        If the package that offers it is broken.

    Examples
    --------
    >>> import transtar as ts
    >>> ts.load_encoder("through").name
    'through'
    """
    folder, is_folder = Path(name_or_folder), False
    # A name that no folder can have is one that there is not.
    with suppress(OSError, ValueError):
        discard_temporaries(folder.parent, folder.name)
        is_folder = folder.is_dir()
    if is_folder:
        encoder = read_encoder(folder)
        _BY_HASH[encoder.sha256] = encoder
        return encoder
    named = named_encoder(str(name_or_folder))
    if named is None:
        known = ", ".join(encoder_names())
        raise InputError(
            f"{shown(folder, 300)}: no such encoder folder"
            + (f"; encoders by name: {known}" if known else ", and no encoder has a name")
        )
    return named


def note_of(encoder: AnyEncoder) -> Note:
    """What a model or prepared set notes of an encoder.

    Returns
    -------
    dict of str to str
        ``name``, ``sha256`` and ``place``.

    Raises
    ------
    InputError
        If its hash is to be computed and its network cannot be described.
    """
    return {"name": encoder.name, "sha256": _with_hash(encoder).sha256, "place": encoder.place}


def find_encoder(note: Note) -> AnyEncoder:
    """The encoder of a note: one that this process has loaded, else that of the folder or the name noted.

    Raises
    ------
    InputError
        If it is not there any more.
    MismatchError
        If another one is there; the message names both.
    """
    if note["sha256"] in _BY_HASH:
        return _BY_HASH[note["sha256"]]
    name, place = note["name"], note["place"]
    others, absent = [], []
    looks = [*([place] if place not in ("", name) else []), name]
    for at in looks:
        where = f"{at}" if at != name else f"the encoder by the name '{name}'"
        if at != name and not _is_encoder(Path(at)):
            absent.append(f"{shown(at, 300)} is no encoder")
            continue
        try:
            encoder = load_encoder(at) if at != name else named_encoder(at)
        except TranstarError as error:
            absent.append(str(error))
            continue
        if encoder is None:
            absent.append(f"none is known by the name '{name}'")
        elif encoder.sha256 == note["sha256"]:
            return encoder
        else:
            others.append(f"{where} is another (sha256 {encoder.sha256[:16]})")
    kind = MismatchError if others else InputError
    raise kind(
        f"the encoder {of_note(note)} is needed and not here: {'; '.join([*others, *absent])}; install what offers it, or say "
        "where its folder is: --encoder FOLDER of predict and finetune, in Python transtar.encoders.load_encoder(FOLDER); the "
        "input of a set can also be made again (transtar embed)"
    )


def use_encoders(places: Iterable[str | Path], wanted: Iterable[Note]) -> list[AnyEncoder]:
    """Load encoders from where they are now, for models that need them.

    Parameters
    ----------
    places : iterable of str or path
        Folders or names.
    wanted : iterable of dict
        Notes of the models.

    Returns
    -------
    list of Encoder or OutsideEncoder

    Raises
    ------
    InputError
        If one cannot be read.
    MismatchError
        If one is not what any of the models needs; the message names all.
    """
    wanted, encoders = list(wanted), []
    for place in places:
        encoder = load_encoder(place)
        encoders.append(encoder)
        if encoder.sha256 not in [note["sha256"] for note in wanted]:
            needed = ", ".join(dict.fromkeys(of_note(note) for note in wanted)) or "none"
            raise MismatchError(
                f"{shown(place, 300)}: is the encoder {of_note(note_of(encoder))}, which is needed by no model here; "
                f"needed: {needed}"
            )
    return encoders


def _is_encoder(folder: Path) -> bool:
    """Whether a folder looks like one; a place that no folder can have is none."""
    try:
        return (folder / CONFIG).is_file()
    except (OSError, ValueError):
        return False


def _shipped_names() -> list[str]:
    return sorted(config.parent.name for config in SHIPPED.glob(f"*/{CONFIG}"))


def _with_hash(encoder: _Some) -> _Some:
    if isinstance(encoder, Encoder) and not encoder.sha256:
        return replace(encoder, sha256=encoder_hash(encoder))
    return encoder

"""What is refused at the beginning: another's files and folders at --out, the input itself, and where nothing can be written."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from glob import glob, has_magic
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import InputError, shown
from ..seal import check_seal
from .jsons import read_json
from .stages import discard_temporaries, stage
from .written import LIST, Written, describe, read_written, refuse_foreign

DESCRIPTIONS = ("set.json", "config.json", "alignment.json")
"""Files by which a prepared set, a model or an alignment is known; what is one is not to be written into while it is read."""


@dataclass(frozen=True)
class Marker:
    """How a kind of folder that transtar writes is known.

    Parameters
    ----------
    name : str
        Of the JSON file that describes it.
    what : str
        What it is, such as 'a model'.
    files : tuple of str
        Names, or patterns of names, of all files that transtar writes into it.
    says : mapping of str to value
        What the description must say.
    keys : tuple of str
        What it must have, whatever it says.
    vouched : callable of a folder and its description
        Names of the files beside an intact description that are as it says.
    folders : mapping of str to Marker
        Folders in it that are transtar's, too, and go with it.
    """

    name: str
    what: str
    files: tuple[str, ...]
    says: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    keys: tuple[str, ...] = ()
    vouched: Callable[[Path, dict[str, Any]], Iterable[str]] = lambda folder, description: ()
    folders: Mapping[str, Marker] = field(default_factory=lambda: MappingProxyType({}))

    def recognised(self, folder: Path) -> Written:
        """What is transtar's in a folder without a list, as a copy may be: an intact description, and what it vouches for.

        Returns
        -------
        Written
            Empty if the description has no checksum, as those of the first layouts, or another.
        """
        try:
            description = read_json(folder / self.name)
            check_seal(description, folder / self.name, "")
            names = [self.name, *self.vouched(folder, description)]
            return {name: [describe(folder / name)] for name in names if not (folder / name).is_symlink()}
        except (InputError, OSError, LookupError, TypeError, ValueError, AttributeError):
            return {}

    def fits(self, folder: Path) -> bool:
        """Whether the folder is of this kind, by the content of its description."""
        path = folder / self.name
        if not path.is_file() or path.is_symlink():
            return False
        try:
            description = read_json(path)
        except (InputError, OSError):
            return False
        return (
            isinstance(description, dict)
            and all(description.get(key) == value for key, value in self.says.items())
            and all(key in description for key in self.keys)
        )


def check_replaceable(
    folder: str | os.PathLike, marker: Marker, inputs: Iterable[str | os.PathLike | None] = ()
) -> None:
    """Refuse to write a folder where something else stands, or nothing can be written.

    Parameters
    ----------
    folder : path
    marker : Marker
        Of what it is to become.
    inputs : iterable of path, optional
        What the command reads; see `refuse_inputs`.

    Raises
    ------
    InputError
        If `folder` exists and is neither empty nor what it is to become, holds a file of transtar's that was changed since, is
        read or holds what is read, is the folder in which the command runs, or cannot be written.
    """
    folder = Path(folder)
    if folder.name == "..":
        raise InputError(f"{folder}: ends in '..'; give the name of the folder itself as --out")
    kind = kind_of(folder)
    discard_temporaries(folder.parent)
    if kind == "link":
        raise InputError(f"{folder}: is a link; give the folder itself as --out")
    if kind == "file":
        raise InputError(f"{folder}: exists and is not {marker.what}; choose another name for --out")
    if kind == "folder":
        files_to_go(folder, (), marker.files, marker)
        if Path.cwd().is_relative_to(folder.resolve()):
            raise InputError(
                f"{folder}: the command runs in it, so it cannot be replaced; choose another name for --out"
            )
        check_writable(folder)
    refuse_inputs(folder, inputs, replaced=True)
    check_writable(folder.parent)


def files_to_go(folder: Path, made: Iterable[str], patterns: Iterable[str], marker: Marker | None = None) -> list[str]:
    """Names of transtar's own files in a folder that is to be replaced; everything else in it is to be kept.

    Parameters
    ----------
    folder : Path
    made : iterable of str
        Names of what the new folder has; of what is in one of the folders of `marker`, as ``FOLDER/NAME``.
    patterns : iterable of str
        Names, or patterns of names, of files that an earlier call may have written.
    marker : Marker, optional
        By which the folder is known where it has no list of what was written, as a copy may have none.

    Returns
    -------
    list of str
        As in `made`.

    Raises
    ------
    InputError
        If the folder is not empty and not what `marker` says, or something that is not transtar's, or was changed, is in the way.
    """
    made, patterns = set(made), tuple(patterns)
    entries = {entry.name: entry for entry in sorted(folder.iterdir()) if entry.name != LIST}
    if entries and marker is not None and not marker.fits(folder):
        raise InputError(f"{folder}: exists and is not {marker.what}; choose another name for --out")
    listed = os.path.lexists(folder / LIST)
    known = read_written(folder) if listed or marker is None else marker.recognised(folder)
    goes = []
    for name, entry in entries.items():
        expected = any(fnmatchcase(name, pattern) for pattern in patterns)
        if entry.is_dir() and not entry.is_symlink():
            if marker is not None and name in marker.folders:
                goes += _within(entry, made, marker.folders[name])
                continue
            if name in made or (expected and marker is not None):
                raise InputError(
                    f"{entry}: is in the way of a file of that name; move it, or choose another name for --out"
                )
            _check_movable(entry)
        # A file that the user has put there under a name that transtar might use is the user's; but one that would be read as
        # part of what is described beside it is in the way.
        elif name in made or (expected and (name in known or marker is not None)):
            refuse_foreign(entry, known, listed=listed or marker is None)
            goes.append(name)
    return goes


def _within(folder: Path, made: Iterable[str], marker: Marker) -> list[str]:
    """As `files_to_go`, of a folder within one that is to be replaced."""
    inside = [name.removeprefix(f"{folder.name}/") for name in made if name.startswith(f"{folder.name}/")]
    _check_movable(folder)
    return [f"{folder.name}/{name}" for name in (LIST, *files_to_go(folder, inside, marker.files, marker))]


def _check_movable(folder: Path) -> None:
    """Refuse a folder of the user's that could not be moved over: its entry '..' would change, which needs a right to write."""
    if not os.access(folder, os.W_OK):
        raise InputError(
            f"{folder}: is read-only, so it cannot be taken over into the new folder; make it writable (chmod u+w), move it, "
            "or choose another name for --out"
        )


def check_files(paths: Iterable[str | os.PathLike], inputs: Iterable[str | os.PathLike | None] = ()) -> None:
    """Refuse to write files where something else stands, or nothing can be written.

    Parameters
    ----------
    paths : iterable of path
        All files that are to be written, as far as they are known.
    inputs : iterable of path, optional
        What the command reads; see `refuse_inputs`.

    Raises
    ------
    InputError
        If one is a folder or a link, was not written by transtar or has been changed since, is read, or cannot be written.
    """
    files, inputs = [Path(path) for path in paths], list(inputs)
    for path in files:
        check_file_name(path)
        # The better reason first: what is read is seldom transtar's.
        refuse_inputs(path, inputs)
    refused = []
    for folder in dict.fromkeys(path.parent for path in files):
        discard_temporaries(folder)
        check_writable(folder)
        written = read_written(folder) if folder.is_dir() else {}
        for path in files:
            if path.parent == folder:
                try:
                    refuse_foreign_file(path, written)
                except InputError as error:
                    refused.append((path, error))
    if len(refused) == 1:
        raise refused[0][1]
    if refused:
        # Without their common folder, for a line that is too long would be cut off.
        top = os.path.commonpath([path.parent for path, _ in refused])
        named = ", ".join(os.path.relpath(path, top) for path, _ in refused)
        raise InputError(f"{refused[0][1]} (so are {len(refused)} files: {named})")


def refuse_foreign_file(path: Path, written: Written | None = None) -> None:
    """As `refuse_foreign`, where there need be no folder yet."""
    if os.path.lexists(path):
        refuse_foreign(path, read_written(path.parent) if written is None else written)


def check_file_name(path: Path) -> None:
    """Refuse what can be no file.

    Raises
    ------
    InputError
    """
    if kind_of(path) == "folder":
        raise InputError(f"{path}: is a folder, not a file to write")


def refuse_inputs(out: Path, inputs: Iterable[str | os.PathLike | None], replaced: bool = False) -> None:
    """Refuse to write over what is read, under whatever name: links and hard links are seen through.

    Parameters
    ----------
    out : Path
    inputs : iterable of path
        Files, folders and patterns, also as ``FILE:COLUMN`` and ``KIND=FILE``; None is passed over.
    replaced : bool
        `out` is a folder that is replaced as a whole.

    Raises
    ------
    InputError
        If `out` is read, lies in a set or model that is read, or is replaced and holds what is read.
    """
    inside = [parent for parent in (out.resolve() / "x").parents if parent.exists()]
    for given in _existing(inputs):
        if out.exists() and os.path.samefile(given, out):
            raise InputError(f"{out}: is read and cannot be written over; choose another name for --out")
        if replaced and out.resolve() in given.resolve().parents:
            raise InputError(f"{out}: holds {given}, which is read; choose another name for --out")
        described = given.is_dir() and any((given / name).is_file() for name in DESCRIPTIONS)
        if described and any(os.path.samefile(given, parent) for parent in inside):
            raise InputError(
                f"{out}: belongs to a prepared set or model that is read ({given}); choose another name for --out"
            )


def _existing(inputs: Iterable[str | os.PathLike | None]) -> Iterable[Path]:
    """Files and folders that are meant by what was given on a command line."""
    for given in inputs:
        if given is None:
            continue
        text = os.fspath(given)
        for name in {text, text.rpartition(":")[0], text.partition("=")[2]} - {""}:
            try:
                paths = glob(name, recursive=True) if has_magic(name) and not os.path.lexists(name) else [name]
                yield from (Path(one) for one in paths if os.path.exists(one))
            except (OSError, ValueError):
                continue


def check_writable(folder: Path) -> None:
    """Try to make a temporary folder in `folder`, or where `folder` is to be made.

    Raises
    ------
    InputError
    """
    check_name(folder)
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise InputError(f"{folder}: cannot be made a folder ({os.strerror(errno.ENOTDIR)})")
    # Of an earlier call that was killed just here.
    discard_temporaries(place)
    try:
        with stage(place):
            pass
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({(error.strerror or str(error)).lower()})") from error


def check_name(path: Path) -> None:
    """Refuse a name that could not be noted in any file: one that is no text in UTF-8.

    Raises
    ------
    InputError
    """
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        raise InputError(f"{shown(path)}: is no name in UTF-8; choose another name for --out") from None


def kind_of(path: Path) -> str:
    """'nothing', 'file', 'folder' or 'link', the latter only of a folder or of nothing.

    Raises
    ------
    InputError
        If there can be nothing of that name.
    """
    check_name(path)
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return "nothing"
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(path)}: cannot be written ({getattr(error, 'strerror', None) or error})") from None
    if path.is_symlink() and not path.is_file():
        return "link"
    return "folder" if path.is_dir() else "file"

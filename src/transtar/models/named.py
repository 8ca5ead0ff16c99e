"""Models called by name: those that ship with transtar, and those a user has imported."""

from __future__ import annotations

import os
import re
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError, shown
from ..files import atomic_folder, discard_temporaries

STORE_VARIABLE = "TRANSTAR_MODELS"
"""Environment variable that names the folder of imported models."""

SHIPPED = Path(__file__).parent / "shipped"


def store_folder() -> Path:
    """Folder of imported models: `TRANSTAR_MODELS`, or transtar/models in the user's data folder."""
    if os.environ.get(STORE_VARIABLE):
        return Path(os.environ[STORE_VARIABLE])
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "transtar" / "models"


def named_models() -> dict[str, Path]:
    """Folders of all models that have a name, those that ship first."""
    found: dict[str, Path] = {}
    for folder in (SHIPPED, store_folder()):
        for config in sorted(folder.glob("*/config.json")):
            found.setdefault(config.parent.name, config.parent)
    return found


def find_model(name: str | Path) -> Path:
    """Folder of a model given by folder or by name; a folder comes first.

    Raises
    ------
    InputError
        If there is neither; the message lists the names.
    """
    folder = Path(name)
    # A name that no folder can have is one that there is not.
    with suppress(OSError, ValueError):
        discard_temporaries(folder.parent, folder.name)
        if folder.is_dir():
            return folder
    named = named_models()
    if str(name) in named:
        return named[str(name)]
    known = f"; models by name: {', '.join(named)}" if named else ""
    raise InputError(f"{shown(folder, 300)}: no such model folder{known}")


def import_model(folder: str | Path, name: str) -> Path:
    """Copy a model into the store, where it goes by `name`; one imported before under that name is replaced.

    Raises
    ------
    InputError
        If `folder` is no readable model or one of its files is a link, something else stands in the store, or the name cannot
        serve or belongs to a model that ships.
    TranstarError
        If the disk is full; a model that stood there stays.
    """
    from .storage import FILES, MODEL, check_replaceable, load_estimator

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise InputError(f"'{name}' cannot name a model: letters, digits, '.', '_' and '-' only (--name)")
    if (SHIPPED / name).is_dir():
        raise InputError(f"'{name}' is the name of a model that ships with transtar; choose another (--name)")
    source, target = find_model(folder), store_folder() / name
    check_replaceable(target, [source])
    # The model alone: whatever else its folder holds is nobody's business here.
    there = [file for file in FILES if os.path.lexists(source / file)]
    for file in there:
        _open_regular(source / file).close()
    load_estimator(source)
    with atomic_folder(target, marker=MODEL) as temporary:
        for file in there:
            with _open_regular(source / file) as content, (temporary / file).open("wb") as copy:
                shutil.copyfileobj(content, copy)
        # What was loaded above may have been changed since.
        load_estimator(temporary)
    return target


def _open_regular(path: Path) -> BinaryIO:
    """Open a file to copy it, but neither a link, which may lead anywhere, nor a pipe or device, which may never end.

    Raises
    ------
    InputError
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise InputError(
            f"{path}: is a {'link' if path.is_symlink() else 'folder, pipe or device'}; only regular files are imported "
            "(cp -rL makes a copy of such)"
        )
    return path.open("rb")

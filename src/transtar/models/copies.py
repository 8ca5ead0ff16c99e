"""Whole copies of models: into the user's store under a name, or into a folder."""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError
from ..files import atomic_folder
from .named import SHIPPED, find_model, joint_network, store_folder
from .storage import CARD, FILES, MODEL, check_replaceable, load_estimator, save_estimator


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
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise InputError(f"'{name}' cannot name a model: letters, digits, '.', '_' and '-' only (--name)")
    if (SHIPPED / name).is_dir():
        raise InputError(f"'{name}' is the name of a model that ships with transtar; choose another (--name)")
    return export_model(folder, store_folder() / name)


def export_model(model: str | Path, out: str | Path) -> Path:
    """Copy a model, given by name or folder, into a folder that needs nothing else; a model that stood there is replaced.

    Parameters
    ----------
    model : str or path
    out : str or path

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        If `model` is no readable model or one of its files is a link, or something else than a model stands at `out`.
    TranstarError
        If the disk is full; a model that stood there stays.
    """
    source, target = find_model(model), Path(out)
    check_replaceable(target, [source])
    if joint_network(source) is not None:
        card = (source / CARD).read_text(encoding="utf-8")
        save_estimator(load_estimator(source), target, dtype="float16", card=card)
        return target
    # The model alone: whatever else its folder holds is nobody's business here.
    names = [name for name in FILES if os.path.lexists(source / name)]
    for name in names:
        _open_regular(source / name).close()
    load_estimator(source)
    with atomic_folder(target, marker=MODEL) as temporary:
        for name in names:
            with _open_regular(source / name) as content, (temporary / name).open("wb") as copy:
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

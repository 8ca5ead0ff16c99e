"""Native files of a list of stars, found by the names that a survey gives its files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import InputError
from .base import Survey, get_survey
from .stream import PathLike, find_files


def find_star_files(
    survey: Survey | str,
    paths: PathLike | Iterable[PathLike],
    stars: Mapping[str, np.ndarray],
    on_absent: Callable[[Path, str], None] | None = None,
) -> list[Path]:
    """List the native files in which spectra of a list of stars lie.

    Where the survey can tell the names of files from the list, no other file is as much as looked at: in a folder laid out
    as the archive is not even the folder is listed. Where it cannot, all files are meant.

    Parameters
    ----------
    survey : Survey or str
        Its `file_names` are asked; one that has none goes by the column ``file`` of the list, if there is one.
    paths : path or iterable of paths
        Files, folders and patterns as in `find_files`. A folder may be the root of the archive or any folder below it.
    stars : mapping of str to ndarray, each of shape (n_stars,)
        As from `transtar.labels.read_stars`.
    on_absent : callable, optional
        Called with the name and a message of one line for each file that is wanted and not there.

    Returns
    -------
    list of Path
        Sorted by the names of the survey.

    Raises
    ------
    InputError
        If a path does not exist, or no file is there.
    """
    survey = get_survey(survey)
    paths = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    names = stars.get("file") if survey.file_names is None else survey.file_names(stars)
    if names is None:
        return find_files(survey, paths)
    wanted, counts = np.unique(np.asarray(names)[np.asarray(names) != ""], return_counts=True)
    folders = [Path(path) for path in paths if os.path.isdir(path)]
    others = [path for path in paths if not os.path.isdir(path)]
    listed = {_plain(path.name): path for path in (find_files(survey, others) if others else [])}
    path_of: dict[str, Path] = {}
    for folder in folders:
        path_of |= _by_place(folder, [name for name in wanted.tolist() if name not in path_of])
    if not path_of and folders:
        # Not laid out as the archive: the names alone must do.
        listed = {_plain(path.name): path for path in find_files(survey, folders)} | listed
    where = ", ".join(map(str, paths))
    files, absent = [], {}
    for name, count in zip(wanted.tolist(), counts.tolist(), strict=True):
        path = path_of.get(name, listed.get(_plain(PurePosixPath(name).name)))
        if path is None:
            absent[name] = f"{name}: not found in {where}, and {count} of the stars wanted are in it; fetch it"
        else:
            files.append(path)
    if not files:
        first = next(iter(absent), "none is named")
        raise InputError(
            f"{where}: none of the {len(wanted)} files that hold the stars wanted is here; the first: {first}"
        )
    for name, message in absent.items():
        if on_absent is not None:
            on_absent(Path(name), message)
    return files


def _by_place(folder: Path, names: list[str]) -> dict[str, Path]:
    """Files that stand where the archive has them, `folder` being its root or a folder below it."""
    path_of: dict[str, Path] = {}
    depth = 0
    for name in names:
        parts = PurePosixPath(name).parts
        # The first that is found tells how deep in the archive the folder is.
        for start in [depth] if path_of else range(len(parts)):
            tail = folder.joinpath(*parts[start:])
            path = next((file for file in (tail, tail.with_name(f"{tail.name}.gz")) if file.is_file()), None)
            if path is not None:
                path_of[name], depth = path, start
                break
    return path_of


def _plain(name: str) -> str:
    return name.removesuffix(".gz")

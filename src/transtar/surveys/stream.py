"""Streaming many native files as batches, with only one batch in memory at a time."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from ..content import SUFFIXES
from ..errors import InputError
from ..regular import open_regular
from ..spectra import SpectrumBatch
from ..telling import tell
from .base import Survey, get_survey
from .native import read_all

PathLike = str | os.PathLike


def find_files(survey: Survey | str, paths: PathLike | Iterable[PathLike]) -> list[Path]:
    """List the native files meant by files, folders and glob patterns.

    Parameters
    ----------
    survey : Survey or str
        Its `patterns` say what counts within folders, which are searched recursively: in capitals or not, compressed or not.
        Hidden folders and files are passed over; a folder that cannot be read is told.
    paths : path or iterable of paths
        ``@LIST`` stands for the paths in the lines of a text file; empty ones and those that begin with # are passed over.

    Returns
    -------
    list of Path
        In the order of `paths`, sorted by name within each folder and pattern; a file that is found twice, through links or
        because it was named twice, comes once, by its first name.

    Raises
    ------
    InputError
        If a path does not exist, or a folder or pattern yields no file.
    """
    survey = get_survey(survey)
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    files: dict[str, Path] = {}
    folders: dict[str, str] = {}
    for path in paths:
        for one in _listed(str(path)):
            for file in _expand(survey, one):
                real = _real(file, folders)
                if real not in files:
                    files[real] = Path(file)
    if not files:
        raise InputError("no spectra given; name files, folders or patterns")
    return list(files.values())


def _listed(path: str) -> list[str]:
    """The paths meant by ``@LIST``, a text file with a path in each line; any other path as it is.

    Raises
    ------
    InputError
        If the list cannot be read, or is empty.
    """
    if not path.startswith("@") or os.path.lexists(path):
        return [path]
    name = path[1:]
    try:
        with open_regular(Path(name)) as file:
            text = os.fsdecode(file.read())
    except InputError as error:
        raise InputError(f"{path}: no list of files can be read there ({error})") from None
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    if not (lines := [line for line in lines if line and not line.startswith("#")]):
        raise InputError(f"{name}: an empty list; it needs the path of a file, folder or pattern in each line")
    return lines


def _real(file: str, folders: dict[str, str]) -> str:
    """The file without links; each of the folders, of which there are few, is followed once."""
    if os.path.islink(file):
        return os.path.realpath(file)
    folder, name = os.path.split(file)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], name)


def _expand(survey: Survey, path: str) -> list[str]:
    if os.path.isdir(path):
        files = [file for file in _walk(path, set()) if is_named(survey, os.path.basename(file))]
        if not files:
            raise InputError(f"{path}: no files named {' or '.join(survey.patterns)} in this folder")
        return sorted(files)
    # A link that leads nowhere is a file that cannot be read.
    if os.path.lexists(path):
        return [path]
    if glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))
        if not matches:
            raise InputError(f"{path}: no file matches this pattern")
        return [file for match in matches for file in (_expand(survey, match) if os.path.isdir(match) else [match])]
    raise InputError(f"{path}: no such file or folder")


def _walk(folder: str, visited: set[tuple[int, int]]) -> Iterator[str]:
    """All files below a folder; a folder that links lead to again is visited once."""
    try:
        place = os.stat(folder)
        entries = sorted(os.scandir(folder), key=lambda entry: (entry.is_symlink(), entry.name))
    except OSError as error:
        tell(f"{folder}: passed over, for it cannot be read ({error.strerror})")
        return
    if (place.st_dev, place.st_ino) in visited:
        return
    visited.add((place.st_dev, place.st_ino))
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            yield from _walk(entry.path, visited)
        else:
            yield entry.path


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads in a circle is neither a folder nor a file: reading it tells.
        return False


def is_named(survey: Survey, name: str) -> bool:
    """Whether a file is named as the survey's files are, whatever the case, the spelling of .fits and the compression."""
    name = name.lower()
    stem = next((name.removesuffix(suffix) for suffix in (*SUFFIXES, ".fz") if name.endswith(suffix)), name)
    root, dot, ending = stem.rpartition(".")
    if ending in ("fit", "fts"):
        stem = f"{root}{dot}fits"
    return any(fnmatchcase(one, pattern.lower()) for pattern in survey.patterns for one in (name, stem))


def stream(
    survey: Survey | str,
    paths: PathLike | Iterable[PathLike],
    batch_size: int = 512,
    on_error: Callable[[Path, str], None] | None = None,
    on_left_out: Callable[[Path, dict[str, int]], None] | None = None,
    keep: Callable[[SpectrumBatch], np.ndarray] | None = None,
) -> Iterator[SpectrumBatch]:
    """Read native files and yield their spectra in batches, in the order of the files.

    Files whose wavelengths are identical are packed together; a file that differs in wavelengths, frame, medium or
    presence of inverse variances starts a new batch; a file of many spectra is split. Each batch owns its arrays.

    Parameters
    ----------
    survey : Survey or str
    paths : path or iterable of paths
        As in `find_files`.
    batch_size : int
        Largest number of spectra in a batch.
    on_error : callable, optional
        Called with the path and a message of one line for each unusable file, which is then skipped.
    on_left_out : callable, optional
        Called with the path and the counts by reason for each file with rows that are not spectra of targets.
    keep : callable, optional
        Says which spectra of a file are wanted (bool, shape (n_spectra,)); the others are dropped.

    Yields
    ------
    SpectrumBatch
        Of 1 to `batch_size` spectra.

    Raises
    ------
    InputError
        If a path does not exist; if a file is unusable and there is no `on_error`.

    Examples
    --------
    >>> import transtar as ts
    >>> [len(batch) for batch in ts.stream("miles", "miles/spectra", batch_size=20)]
    [20, 10]
    """
    if batch_size < 1:
        raise InputError(f"batch size must be at least 1, not {batch_size}")
    yield from stream_files(survey, find_files(survey, paths), batch_size, on_error, on_left_out, keep)


def stream_files(
    survey: Survey | str,
    files: Iterable[Path],
    batch_size: int = 512,
    on_error: Callable[[Path, str], None] | None = None,
    on_left_out: Callable[[Path, dict[str, int]], None] | None = None,
    keep: Callable[[SpectrumBatch], np.ndarray] | None = None,
) -> Iterator[SpectrumBatch]:
    """Do what `stream` does, with files that were found already.

    Parameters
    ----------
    survey : Survey or str
    files : iterable of Path
        Each is asked for when the one before it has been read.
    batch_size, on_error, on_left_out, keep
        As in `stream`.

    Yields
    ------
    SpectrumBatch

    Raises
    ------
    InputError
        If a file cannot be read and there is no `on_error`.
    """
    survey = get_survey(survey)
    packed: _Packed | None = None
    for path in files:
        try:
            batches = read_all(survey, path)
        except InputError as error:
            if on_error is None:
                raise
            on_error(path, str(error))
            continue
        for batch in batches:
            if batch.left_out and on_left_out is not None:
                on_left_out(path, batch.left_out)
            if keep is not None and not (wanted := keep(batch)).all():
                batch = batch.select(wanted)
            start = 0
            while start < len(batch):
                if packed is not None and (packed.count == batch_size or not packed.fits(batch)):
                    yield packed.finish()
                    packed = None
                if packed is None:
                    packed = _Packed(batch, batch_size)
                start += packed.add(batch, start)
    if packed is not None and packed.count:
        yield packed.finish()


MOST_PIXELS = 1 << 25
"""Of a batch, 300 MB: of spectra of 300,000 pixels there are fewer in one."""


class _Packed:
    """Arrays allocated for one batch, being filled."""

    def __init__(self, like: SpectrumBatch, size: int) -> None:
        size = min(size, max(MOST_PIXELS // len(like.wave), 1))
        shape = (size, len(like.wave))
        self.flux = np.empty(shape, dtype=np.float32)
        self.ivar = None if like.ivar is None else np.empty(shape, dtype=np.float32)
        self.mask = np.empty(shape, dtype=bool)
        self.ids = np.empty(size, dtype=np.int64)
        self.meta: list[tuple[int, dict[str, np.ndarray]]] = []
        self.count = 0
        # What the batches share, without the arrays of the file, which may be large.
        self.like = replace(
            like,
            flux=self.flux[:0],
            ivar=None if self.ivar is None else self.ivar[:0],
            mask=self.mask[:0],
            ids=self.ids[:0],
            meta={},
            left_out={},
        )

    def fits(self, batch: SpectrumBatch) -> bool:
        if self.count == len(self.ids):
            return False
        like = self.like
        same_wave = batch.wave is like.wave or np.array_equal(batch.wave, like.wave)
        same_kind = (batch.frame, batch.medium, batch.keys) == (like.frame, like.medium, like.keys)
        return same_wave and same_kind and (batch.ivar is None) == (like.ivar is None)

    def add(self, batch: SpectrumBatch, start: int) -> int:
        """Copy what still finds room of the spectra of `batch` from `start` on; returns how many."""
        n = min(len(batch) - start, len(self.ids) - self.count)
        target, source = slice(self.count, self.count + n), slice(start, start + n)
        self.flux[target], self.mask[target] = batch.flux[source], batch.mask[source]
        self.ids[target] = batch.ids[source]
        if self.ivar is not None and batch.ivar is not None:
            self.ivar[target] = batch.ivar[source]
        self.meta.append((n, {name: column[source] for name, column in batch.meta.items()}))
        self.count += n
        return n

    def finish(self) -> SpectrumBatch:
        used = slice(0, self.count)
        names = dict.fromkeys(name for _, meta in self.meta for name in meta)
        return replace(
            self.like,
            flux=self.flux[used],
            ivar=None if self.ivar is None else self.ivar[used],
            mask=self.mask[used],
            ids=self.ids[used],
            meta={name: self._column(name) for name in names},
        )

    def _column(self, name: str) -> np.ndarray:
        """Join one column; NaN, -1 or '' where a file lacks it."""
        example = next(meta[name] for _, meta in self.meta if name in meta)
        filler = {"f": np.nan, "i": -1, "b": False}.get(example.dtype.kind, "")
        return np.concatenate([meta[name] if name in meta else np.full(n, filler) for n, meta in self.meta])

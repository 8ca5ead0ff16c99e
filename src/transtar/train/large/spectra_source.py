"""Prepared sets read by row, in any order and of any size: which spectra can be learnt from, and their fluxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...datasets import star_names, stream_set, usable
from ...datasets.set_files import SPECTRA, describe_set
from ...errors import InputError
from ...preprocess import Preprocessing, require_same
from ...tables.parquet import opened
from ...tables.seen_stars import TRAINED_ON_COLUMNS

_BATCH = 4096


@dataclass(frozen=True)
class _Group:
    """Spectra that lie together in a file: its row group, their number, and the first one's among all of the source."""

    path: Path
    number: int
    start: int
    size: int


@dataclass(eq=False)
class SpectraSource:
    """The spectra of one or several prepared sets of one preprocessing, one set after another; `open_source` makes it.

    Parameters
    ----------
    paths : tuple of Path
    preprocessing : Preprocessing
    good : ndarray, shape (n,), bool
        Spectra that can be learnt from.
    columns : dict of str to ndarray, shape (n,)
        ``survey``, ``id`` (int64), ``file`` and ``star``.
    hashes : tuple of str
        Of the fluxes of each set.
    left_out : dict of str to int
        Why how many cannot be learnt from.
    groups : list
        Where the spectra lie.
    """

    paths: tuple[Path, ...]
    preprocessing: Preprocessing
    good: np.ndarray
    columns: dict[str, np.ndarray]
    hashes: tuple[str, ...]
    left_out: dict[str, int]
    groups: list[_Group]
    _whole: np.ndarray | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.good)

    @property
    def is_held(self) -> bool:
        """Whether all spectra are in memory."""
        return self._whole is not None

    @property
    def n_grid(self) -> int:
        """Pixels of a spectrum."""
        return self.preprocessing.wavelengths.size

    @property
    def names(self) -> str:
        """The folders, for messages."""
        return ", ".join(map(str, self.paths))

    def hold(self) -> None:
        """Keep all spectra in memory from now on, as a set does that is small enough."""
        if self._whole is None:
            self._whole = self._read(np.arange(len(self)))

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Fluxes of some spectra.

        Parameters
        ----------
        rows : ndarray, shape (n,), int
            In any order. Memory is that of the result and of one row group.

        Returns
        -------
        ndarray, shape (n, n_grid), float32

        Raises
        ------
        InputError
            If a file is damaged, or is no more what it was when the source was opened.
        """
        return self._read(rows) if self._whole is None else self._whole[rows]

    def _read(self, rows: np.ndarray) -> np.ndarray:
        given = np.empty((len(rows), self.n_grid), np.float32)
        order = np.argsort(rows, kind="stable")
        rising = rows[order]
        for path in self.paths:
            groups = [group for group in self.groups if group.path == path]
            spans = [np.searchsorted(rising, (group.start, group.start + group.size)) for group in groups]
            if all(low == high for low, high in spans):
                continue
            with opened(path / SPECTRA) as file:
                for group, (low, high) in zip(groups, spans, strict=True):
                    if low < high:
                        flux = _flux_of(file, group, self.n_grid)
                        given[order[low:high]] = flux[rising[low:high] - group.start]
        return given

    def seen(self, rows: np.ndarray, role: str) -> dict[str, np.ndarray]:
        """Some of the stars as an encoder records which ones it saw (`Encoder.trained_on`); role is 'train' or 'validation'."""
        columns = {name: self.columns[name][rows] for name in TRAINED_ON_COLUMNS if name != "role"}
        return columns | {"role": np.full(len(rows), role, dtype="<U10")}


def open_source(
    paths: Sequence[str | Path],
    accepts: Callable[[np.ndarray], np.ndarray] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SpectraSource:
    """Look through prepared sets once, so that all checksums are compared, and note which spectra can be learnt from.

    Those are of the pool, with no flag against them, of finite flux, and what `accepts` accepts.

    Parameters
    ----------
    paths : sequence of path
        Their folders.
    accepts : callable, optional
        Which rows of an array of fluxes, shape (n, n_grid), float32, can be learnt from.
    progress : callable, optional
        Called with the number of spectra looked at, and of all.

    Raises
    ------
    InputError
        If one is no prepared set, is damaged, or comes twice.
    MismatchError
        If they were prepared differently.
    """
    folders = tuple(Path(path) for path in paths)
    preprocessing = preprocessing_of(folders)
    described = [describe_set(path) for path in folders]
    n_all = sum(one["n_spectra"] for one in described)
    left_out = {"not in the pool": 0, "flagged bad or without flux": 0, "not fit for this encoder": 0}
    columns: list[dict[str, np.ndarray]] = []
    masks: list[np.ndarray] = []
    for path in folders:
        for part in stream_set(path, _BATCH):
            pool, good = part.columns["split"] == "pool", usable(part)
            rows = np.flatnonzero(pool & good)
            fit = np.ones(len(rows), bool) if accepts is None or not len(rows) else accepts(part.flux[rows])
            mask = np.zeros(len(part), bool)
            mask[rows[fit]] = True
            masks.append(mask)
            for reason, wrong in zip(left_out, (~pool, pool & ~good, ~fit), strict=True):
                left_out[reason] += int(wrong.sum())
            known = {name: part.columns[name] for name in ("survey", "id", "file")}
            columns.append(known | {"star": star_names(part.columns)})
            if progress is not None:
                progress(sum(map(len, masks)), n_all)
    return SpectraSource(
        folders,
        preprocessing,
        np.concatenate(masks),
        {name: np.concatenate([part[name] for part in columns]) for name in columns[0]},
        tuple(one["flux_sha256"] for one in described),
        left_out,
        _groups(folders),
    )


def preprocessing_of(paths: Sequence[str | Path]) -> Preprocessing:
    """The one preprocessing of several prepared sets.

    Raises
    ------
    InputError
        If one is no prepared set, or comes twice.
    MismatchError
        If they were prepared differently.
    """
    folders = [Path(path) for path in paths]
    if len({path.resolve() for path in folders}) < len(folders):
        raise InputError(f"{', '.join(map(str, folders))}: a set comes twice")
    settings = [Preprocessing.from_stored(describe_set(path)["preprocessing"], str(path)) for path in folders]
    for path, other in zip(folders[1:], settings[1:], strict=True):
        require_same(settings[0], str(folders[0]), other, str(path))
    return settings[0]


def _groups(folders: Sequence[Path]) -> list[_Group]:
    groups, start = [], 0
    for path in folders:
        with opened(path / SPECTRA) as file:
            sizes = [file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)]
        for number, size in enumerate(sizes):
            groups.append(_Group(path, number, start, size))
            start += size
    return groups


def _flux_of(file, group: _Group, n_grid: int) -> np.ndarray:
    where = f"{group.path / SPECTRA}: changed while it was trained on; prepare it again, and give the command again"
    if group.number >= file.metadata.num_row_groups:
        raise InputError(where)
    column = file.read_row_group(group.number, columns=["flux"]).column("flux").combine_chunks()
    flux = column.flatten().to_numpy(zero_copy_only=False)
    if flux.size != group.size * n_grid:
        raise InputError(where)
    return flux.reshape(group.size, n_grid)

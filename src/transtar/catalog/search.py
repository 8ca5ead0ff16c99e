"""The nearest spectra of a prepared set, by the cosine of embeddings: all that ``transtar search`` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_whole
from ..datasets.nearest import BLOCK, Nearest, top_k
from ..datasets.set_vectors import SetVectors
from ..datasets.sides import Sides
from ..errors import InputError
from ..files import check_files
from ..summary import Summarised, Summary
from ..surveys import Stated, Survey
from ..telling import tell
from .astropy_table import to_table
from .memory import CatalogInMemory
from .predict import key_columns
from .search_query import Native, Queries, open_queries, read_query
from .writers import CatalogWriter, check_suffix

if TYPE_CHECKING:
    from astropy.table import QTable

    from ..encoders import Alignment
    from ..encoders.registry import AnyEncoder

QUERY_BLOCK = 4096
"""Queries searched by at a time, at most."""

CELLS = 2**18
"""Rows of the result in memory at a time, so that fewer queries are searched by where each has many neighbours."""


@dataclass(repr=False)
class Neighbours(Summarised):
    """The nearest spectra, and what was compared.

    Parameters
    ----------
    n_queries : int
        Spectra searched by that have neighbours.
    n_rows : int
        Pairs of a query and a neighbour.
    n_searched : int
        Spectra of the set that could be compared.
    columns : dict of str to ndarray, shape (n_rows,), or None
        The table; None where it was written to a file.
    metadata : dict
        What was searched, by what and how.
    """

    n_queries: int = 0
    n_rows: int = 0
    n_searched: int = 0
    columns: dict[str, np.ndarray] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def _summary(self) -> Summary:
        columns = "in a file" if self.columns is None else ", ".join(self.columns)
        return Summary(
            f"Neighbours: {self.n_rows:,} of {self.n_queries:,} queries",
            {"searched": f"{self.n_searched:,} spectra", "columns": columns},
            self.columns or {},
        )

    def to_table(self) -> QTable:
        """The table as one of astropy, with units and descriptions.

        Returns
        -------
        astropy.table.QTable

        Raises
        ------
        InputError
            If it was written to a file; `transtar.read_catalog` reads it.
        """
        if self.columns is None:
            raise InputError("the neighbours were written to a file; transtar.read_catalog reads it")
        return to_table(self.columns, self.metadata)


def search_set(
    model: AnyEncoder | Alignment | str | Path,
    data: str | Path,
    query: str | Path | int,
    k: int = 10,
    out: str | Path | None = None,
    *,
    survey: Survey | str | None = None,
    velocities: str | None = None,
    columns: Mapping[str, str] | None = None,
    stated: Stated | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Neighbours:
    """The k spectra of a prepared set that are nearest to each query, by the cosine of their embeddings.

    All are compared (`transtar.datasets.nearest.top_k`). Embeddings that the encoder has put into a set are read from it; others
    are made for this search, which is told. A query that is itself a spectrum of the set is none of its own neighbours; other
    spectra of the same star may be.

    Parameters
    ----------
    model : Encoder, OutsideEncoder or Alignment, name or path
        Of an alignment each kind of spectra goes through its own side, and what the two share is compared.
    data : path
        Folder of the prepared set that is searched.
    query : str, path or int
        ``SET`` (all its spectra), ``SET:ROW``, ``FILE`` or ``FILE:ROW`` (native, rows counted from 0 among its spectra of
        targets), or the identifier of a spectrum of `data`.
    k : int
        Neighbours of each query.
    out : path, optional
        Table to write, with a suffix of `transtar.catalog.SUFFIXES`. It appears when all is done, or not at all. Without it the
        table is in the result.
    survey : Survey or str, optional
        Of a file.
    velocities, columns, stated, threads : optional
        Of a file, as of `transtar.datasets.open_flow`.
    progress : callable, optional
        Called with the number of spectra done and of all, as embeddings are made, and as they are compared.

    Returns
    -------
    Neighbours

    Raises
    ------
    InputError
        If a set or file cannot be read, there is no such spectrum or more than one, it has no embedding, or something of others
        stands at `out`.
    MismatchError
        If a set was prepared otherwise than the encoder takes its spectra, or has its input from another encoder.
    SettingsError
        If k is impossible, the survey is unknown, missing, or of no use, or `out` has another suffix.

    Examples
    --------
    >>> import transtar as ts
    >>> ts.catalog.search_set("through", "sets/lamost", 101001001, k=5).to_table()  # doctest: +SKIP
    """
    check_whole(k, "k")
    data = Path(data)
    wanted = read_query(query)
    if out is not None:
        check_suffix(out)
        check_files([out], [data, wanted.path, model if isinstance(model, str | Path) else None])
    sides = Sides(model)
    how = {"velocities": velocities, "columns": columns, "stated": stated, "threads": threads}
    with (
        SetVectors(data, sides, progress) as vectors,
        open_queries(wanted, vectors, sides, Native(survey, how), progress) as queries,
    ):
        metadata = {"search": _noted(vectors, queries, k)}
        sink: AbstractContextManager[CatalogWriter | CatalogInMemory]
        sink = CatalogInMemory() if out is None else CatalogWriter(out, metadata)
        with sink as table:
            result = _search(vectors, queries, k, table, progress)
    result.metadata = metadata
    if isinstance(table, CatalogInMemory):
        result.columns = table.columns()
    return result


def _noted(vectors: SetVectors, queries: Queries, k: int) -> dict[str, Any]:
    """What the table says of itself."""
    from ..encoders import note_of

    return {
        "encoder": note_of(vectors.side.encoder),
        "query_encoder": note_of(queries.side.encoder),
        "data": str(vectors.folder),
        "flux_sha256": vectors.description["flux_sha256"],
        "query": queries.where,
        "top": k,
        "measure": "cosine",
    }


def _search(
    vectors: SetVectors,
    queries: Queries,
    k: int,
    table: CatalogWriter | CatalogInMemory,
    progress: Callable[[int, int], None] | None,
) -> Neighbours:
    """Search by some queries at a time, and put what is near them into a table."""
    result = Neighbours()
    # Nobody has more neighbours than there are spectra.
    k_there_are = min(k, len(vectors))
    step = max(1, min(QUERY_BLOCK, CELLS // max(1, k_there_are)))
    starts = range(0, queries.n, step)
    for number, start in enumerate(starts):
        stop = min(start + step, queries.n)
        leave_out = None if queries.first is None else np.arange(start, stop) + queries.first
        blocks = _counted(vectors, number * len(vectors), len(starts) * len(vectors), progress)
        nearest = top_k(queries.values(start, stop), blocks, k_there_are, leave_out)
        if not number:
            result.n_searched = _tell_searched(vectors, nearest, k, queries)
        present = nearest.rows >= 0
        if present.any():
            known = queries.columns(start, stop)
            table.append(_rows(known, vectors, nearest, present))
        result.n_queries += int(present.any(axis=1).sum())
        result.n_rows += int(present.sum())
    if not result.n_rows:
        raise InputError(f"{queries.where}: none of its {queries.n:,} spectra has an embedding to search by")
    if result.n_queries < queries.n:
        tell(
            f"{queries.where}: {queries.n - result.n_queries:,} of {queries.n:,} spectra have no embedding to search by, and no "
            "neighbours in the table"
        )
    return result


def _counted(
    vectors: SetVectors, before: int, total: int, progress: Callable[[int, int], None] | None
) -> Iterator[np.ndarray]:
    for block in vectors.blocks(BLOCK):
        yield block
        before += len(block)
        if progress is not None:
            progress(before, total)


def _tell_searched(vectors: SetVectors, nearest: Nearest, k: int, queries: Queries) -> int:
    """Tell of spectra that cannot be compared, and of fewer than were asked for; returns how many can be.

    Raises
    ------
    InputError
        If there is none but the query itself.
    """
    where, n = vectors.folder, nearest.n - nearest.n_not_finite - nearest.n_zero
    if nearest.n_not_finite or nearest.n_zero:
        zero = f", {nearest.n_zero:,} of zeros alone" if nearest.n_zero else ""
        tell(
            f"{where}: {nearest.n_not_finite + nearest.n_zero:,} of {nearest.n:,} spectra are near nothing, for want of an "
            f"embedding ({nearest.n_not_finite:,} not finite{zero})"
        )
    most = n - (queries.first is not None)
    if most < 1:
        other = " but the one searched by" if n else ""
        raise InputError(f"{where}: no spectrum{other} has an embedding to compare")
    if most < k:
        tell(f"{where}: {k:,} neighbours are asked for, and {most:,} spectra can be one; the table has those")
    return n


def _rows(
    known: Mapping[str, np.ndarray], vectors: SetVectors, nearest: Nearest, present: np.ndarray
) -> dict[str, np.ndarray]:
    """Rows of the table, one for each pair of a query and a neighbour that is present."""
    query, place = np.nonzero(present)
    rows = nearest.rows[present]
    columns = vectors.columns(rows)
    labels = {name: columns[name] for name in vectors.description["labels"]}
    return {
        "query_file": known["file"][query],
        "query_id": known["id"][query],
        "query_star": known["star"][query] if "star" in known else np.full(len(query), ""),
        "neighbour_rank": place + 1,
        "cosine": nearest.scores[present],
        "set_row": rows,
        **key_columns(columns, len(rows)),
        "snr": columns["snr"],
        "flags": columns["flags"],
        **labels,
    }

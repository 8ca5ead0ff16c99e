"""A catalog and the rows of a table that belong to its rows, by identifier or by position, and every loss counted."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import check_real
from ..errors import InputError, SettingsError
from ..files import check_files
from ..labels.positions import check_radius
from ..tables import Choice, find
from .join_columns import Brought, as_they_are, bring, new_names, slices
from .join_matching import Match, match_by_key, match_by_position
from .join_sides import Side, open_side
from .readers import read_metadata
from .writers import CHUNK, SUFFIXES, CatalogWriter, check_suffix

BY = ("id", "position")
SEVERAL = ("take", "drop", "refuse")

PathLike = str | os.PathLike


@dataclass(frozen=True)
class Joined:
    """What became of every row of a catalog that was joined.

    Parameters
    ----------
    by : str
        What it was joined by, with the columns of both sides.
    n_rows, n_table : int
        Rows of the catalog and of the table.
    matched, alone, nameless : int
        Rows of the catalog with a row of the table; with none; among these, those without identifier, or position.
    several : int
        Rows of the catalog for which the table has several rows.
    dropped : bool
        Whether these have none; else they have the first, or by position the nearest.
    shared : int
        Rows of the catalog whose row of the table another row of the catalog has, too.
    unused : int
        Rows of the table that no row of the catalog has.
    no_gaia : int or None
        Matched rows without an identifier of Gaia, where that was brought.
    columns : dict of str to str
        Columns that were brought: the name in the catalog, and that in the table.
    out_rows : int
        Rows written.
    """

    by: str
    n_rows: int
    n_table: int
    matched: int
    alone: int
    nameless: int
    several: int
    dropped: bool
    shared: int
    unused: int
    no_gaia: int | None
    columns: dict[str, str]
    out_rows: int

    def __str__(self) -> str:
        choice = "no row" if self.dropped else "the nearest" if self.by.startswith("position") else "the first"
        gaia = "" if self.no_gaia is None else f"; {self.no_gaia} of the matched have no identifier of Gaia"
        return (
            f"{self.matched} of {self.n_rows} rows matched; {self.alone} have no row of the table ({self.nameless} of them "
            f"nothing to be known by), {self.several} have several ({choice} taken), {self.shared} share theirs with another "
            f"row; {self.unused} of {self.n_table} rows of the table are unused{gaia}"
        )


def join_catalog(
    catalog: PathLike,
    table: PathLike,
    out: PathLike,
    *,
    by: str = "id",
    radius: float = 1.0,
    take: Sequence[str] | None = None,
    inner: bool = False,
    several: str | None = None,
    suffix: str | None = None,
    epoch: float | None = None,
    table_epoch: float | None = None,
    columns: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Joined:
    """Add the columns of a table to a catalog.

    Parameters
    ----------
    catalog : path
        As written by ``transtar predict``, or any table of one value in a row.
    table : path
        Any table; a catalog of the DESI Milky Way Survey (``mwsall-*.fits``) brings Gaia DR3's `source_id`, velocities and
        parameters, and more of its HDUs by name.
    out : path
        Catalog to write, with a suffix of `transtar.catalog.SUFFIXES`.
    by : {'id', 'position'}
        By the first of `id`, `source_id` of Gaia, `star` and `file` that both have and that agrees for any row; of DESI with
        SURVEY, PROGRAM and HEALPIX where both have them. Or the nearest within the radius, at one epoch (see
        `transtar.labels.match_positions`).
    radius : float
        In arcsec.
    take : sequence of str, optional
        Columns of the table; all if not given.
    inner : bool
        Leave out rows without a row of the table.
    several : {'take', 'drop', 'refuse'}, optional
        What becomes of a row for which the table has several: it has the first, or by position the nearest; it has none; or all
        is refused. Rows of the table that agree in all that is brought count as one. If not given 'refuse' by
        identifier, 'take' by position.
    suffix : str, optional
        Of names that the catalog has, too, and of labels; ``_2`` if not given, ``_3`` for the second join of a catalog, and so
        on.
    epoch, table_epoch : float, optional
        Julian year of the positions of catalog and table. If not given the survey tells the catalog's (DESI 2015.5, Gaia 2016,
        others 2000), and a column `ref_epoch` or `epoch` the table's; it is told what was taken.
    columns : mapping of str to str, optional
        Which column is which, of both tables; a key that is named is the only one that is tried.
    progress : callable, optional
        Called with the number of rows written and of all rows.

    Returns
    -------
    Joined

    Raises
    ------
    InputError
        If a table cannot be read, nothing matches, rows of the table that belong to one row of the catalog differ, or
        something of others stands at `out`.
    SettingsError
        If a setting is impossible, a name would be taken twice, or nothing had use for a chosen column.

    Notes
    -----
    A row that has none in the table has NaN, -1 or ''. Logical columns become 1, 0 and -1. `matched` says which rows have one
    (unless `inner`), `separation` how far it is (arcsec). In memory are the catalog and what is brought to its rows.

    Examples
    --------
    >>> import transtar as ts
    >>> ts.catalog.join_catalog("desi.parquet", "mwsall-pix-iron.fits", "joined.parquet")  # doctest: +SKIP
    """
    if by not in BY:
        raise SettingsError(f"by must be {' or '.join(BY)}, not '{by}'")
    several = several or ("take" if by == "position" else "refuse")
    if several not in SEVERAL:
        raise SettingsError(f"several must be one of {', '.join(SEVERAL)}, not '{several}'")
    check_radius(radius)
    for name, year in (("epoch", epoch), ("table_epoch", table_epoch)):
        if year is not None:
            check_real(year, name, 1800, 2100)
    check_suffix(out)
    catalog, table = Path(catalog), Path(table)
    check_files([out], [catalog, table])
    ours = open_side(catalog, columns)
    others = open_side(table, columns, ours.surveys[0] if len(ours.surveys) == 1 else None)
    if by == "position":
        match = match_by_position(ours, others, radius, epoch, table_epoch)
    else:
        match = match_by_key(ours, others, columns or {})
    if isinstance(columns, Choice):
        columns.require_used([catalog, table])
    used = np.unique(np.concatenate([match.rows[match.rows >= 0], match.again.ravel()]))
    brought = bring(others, _wanted(others, take, match), used, take is not None)
    ambiguous = _ambiguous(match, brought, used)
    if several == "refuse" and ambiguous.any():
        raise InputError(
            f"{table}: {int(ambiguous.sum())} rows of the catalog have several rows in it that differ, the first row "
            f"{int(np.argmax(ambiguous)) + 1} of the catalog (by {match.how}); take one, or drop such rows (--several), or bring "
            "only columns in which they agree (--take)"
        )
    rows = np.where(ambiguous, -1, match.rows) if several == "drop" else match.rows
    matched = rows >= 0
    if not matched.any():
        raise InputError(f"{catalog}: all {int(ambiguous.sum())} rows that have a row of {table} have several")
    values = as_they_are(ours)
    metadata, joins = _earlier(catalog)
    suffix = f"_{len(joins) + 2}" if suffix is None else suffix
    new = new_names(brought, values, suffix, in_hdus=others.usual != others.names)
    gaia = next((name for name in new if name.rpartition(".")[2].lower() in ("source_id", "gaia_source_id")), None)
    places = np.where(matched, np.searchsorted(used, rows), -1)
    joined = Joined(
        by=match.how,
        n_rows=ours.rows,
        n_table=others.rows,
        matched=int(matched.sum()),
        alone=int((match.rows < 0).sum()),
        nameless=int((~match.known).sum()),
        several=int(ambiguous.sum()),
        dropped=several == "drop",
        shared=_shared(rows),
        unused=others.rows - len(np.unique(rows[matched])),
        no_gaia=None if gaia is None else int((brought[gaia].at(places[matched]) == -1).sum()),
        columns={short: name for name, short in new.items()},
        out_rows=int(matched.sum()) if inner else ours.rows,
    )
    entry = {"catalog": catalog.name, "table": table.name, **asdict(joined)}
    entry["units"] = {new[name]: one.unit for name, one in brought.items() if one.unit}
    more: dict[str, np.ndarray] = {} if inner else {"matched": matched}
    if match.separation is not None:
        more["separation"] = np.where(matched, match.separation, np.nan).astype(np.float32)
    extra = {_free(name, [*values, *new.values()], suffix): array for name, array in more.items()}
    with CatalogWriter(out, metadata | {"joins": [*joins, entry]}) as writer:
        for these, batch in slices(values, ours.rows, CHUNK):
            batch |= {new[name]: one.at(places[these]) for name, one in brought.items()}
            batch |= {name: array[these] for name, array in extra.items()}
            if inner:
                batch = {name: array[matched[these]] for name, array in batch.items()}
            writer.append(batch)
            if progress is not None:
                progress(these.stop, ours.rows)
    return joined


def _wanted(table: Side, take: Sequence[str] | None, match: Match) -> list[str]:
    """Columns to bring, as the file calls them."""
    if take is None:
        return [name for name in table.usual if name not in match.key_columns]
    out = []
    for name in take:
        spelt = find(table.names, name, where=str(table.path), exact=True)
        if spelt is None and table.usual != table.names:
            spelt = next((one for one in table.names if one.rpartition(".")[2].lower() == name.lower()), None)
        if spelt is None:
            more = f" and {len(table.names) - 60} more" if len(table.names) > 60 else ""
            raise InputError(f"{table.path}: no column {name}; columns: {', '.join(table.names[:60])}{more}")
        out.append(spelt)
    return list(dict.fromkeys(out))


def _ambiguous(match: Match, brought: Mapping[str, Brought], used: np.ndarray) -> np.ndarray:
    """Rows of the catalog with several rows of the table; by key, with several that differ in anything that is brought."""
    if match.separation is not None:
        return match.candidates > 1
    first, other = np.searchsorted(used, match.again).T
    differs = np.zeros(len(first), bool)
    for one in brought.values():
        same = one.values[first] == one.values[other]
        if one.values.dtype.kind == "f":
            same |= np.isnan(one.values[first]) & np.isnan(one.values[other])
        differs |= ~same
    return np.isin(match.rows, match.again[differs, 0]) & (match.candidates > 1)


def _shared(rows: np.ndarray) -> int:
    _, counts = np.unique(rows[rows >= 0], return_counts=True)
    return int(counts[counts > 1].sum())


def _free(name: str, taken: Sequence[str], suffix: str) -> str:
    lower = {one.lower() for one in taken}
    while name in lower:
        name += suffix or "_2"
    return name


def _earlier(catalog: Path) -> tuple[dict[str, Any], list[Any]]:
    """What a catalog knows of itself, and of earlier joins."""
    metadata = read_metadata(catalog) if catalog.suffix.lower() in SUFFIXES else {}
    joins = metadata.get("joins")
    return metadata, joins if isinstance(joins, list) else []

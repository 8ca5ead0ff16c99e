"""Summaries arranged as the paper's tables, the best of each kind of star ranked."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InputError, TooFew
from ..evaluate.summaries import GROUP, select
from .style import in_order, strategy_title

PLACES = 3
"""Places that are marked."""


@dataclass(frozen=True)
class Table:
    """A table of summaries, ready to be printed.

    Parameters
    ----------
    label : str
    rows, columns : tuple
        Names of the rows and values of the columns.
    regimes : tuple of str
        Order of the values inside a cell.
    cells : dict
        {(row, column): {regime: summary row}}; missing where there was no run.
    ranks : dict
        {(row, column, regime): 1, 2 or 3} of the three best R2 of each regime; equals share the better place.
    column_name : str
        What the columns are.
    names : mapping
        What is printed for a row or column, where that is not its own name.
    notes : mapping
        A second line of the heads by column, such as the numbers of stars.
    notes_name : str
        What the second line is.
    scatter : bool
        Print sigma in the cells, under R2 (files of numbers have it always).
    """

    label: str
    rows: tuple[str, ...]
    columns: tuple
    regimes: tuple[str, ...]
    cells: dict[tuple, dict[str, Mapping]]
    ranks: dict[tuple, int]
    column_name: str = "n_finetune"
    names: Mapping = field(default_factory=dict)
    notes: Mapping = field(default_factory=dict)
    notes_name: str = ""
    scatter: bool = True


def paper_table(
    summary: Iterable[Mapping],
    label: str,
    row: str = "strategy",
    column: str = "n_finetune",
    regimes: Sequence[str] = ("all", "poor", "rich"),
    unranked: Sequence[str] = (),
    *,
    rows: Sequence | None = None,
    columns: Sequence | None = None,
    names: Mapping | None = None,
    notes: Mapping | None = None,
    notes_name: str = "",
    scatter: bool = True,
) -> Table:
    """Arrange summaries by rows and columns, and rank the three best of each regime over all cells.

    Parameters
    ----------
    summary : iterable of mapping
        Rows as from `summarise`, of one source, target, split and variant, unless these are the row or column.
    label : str
    row, column : str
        Which columns of the summary make the rows and columns of the table.
    regimes : sequence of str
    unranked : sequence of str
        Rows that are shown but never marked among the best.
    rows, columns : sequence, optional
        Which are shown, in this order; those without results are left out. By default all: strategies in the order
        of their registry, numbers upwards, anything else as it came.
    names, notes, notes_name, scatter
        As in `Table`.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If two results belong in one cell; `TooFew` if there are none of the label.
    """
    chosen = select(summary, label=label, regime=set(regimes))
    for name, wanted in ((row, rows), (column, columns)):
        chosen = [entry for entry in chosen if wanted is None or entry[name] in wanted]
    if not chosen:
        raise TooFew(f"no results for label '{label}'")
    cells: dict[tuple, dict[str, Mapping]] = {}
    for entry in chosen:
        cell = cells.setdefault((entry[row], entry[column]), {})
        if entry["regime"] in cell:
            where = f"{row} {entry[row]}, {column} {entry[column]}, {entry['regime']}"
            raise InputError(f"two results for {where}; select one source, target, split and variant first")
        cell[entry["regime"]] = entry
    down = list(dict.fromkeys(entry[row] for entry in chosen))
    across = list(dict.fromkeys(entry[column] for entry in chosen))
    if rows is not None:
        down = [name for name in dict.fromkeys(rows) if name in down]
    elif row == "strategy":
        down = in_order(down)
    if columns is not None:
        across = [value for value in dict.fromkeys(columns) if value in across]
    elif all(isinstance(value, int) for value in across):
        across = sorted(across)
    titles = (
        {name: title for name in down if (title := strategy_title(name)) != name} if row in ("strategy", "row") else {}
    )
    return Table(
        label, tuple(down), tuple(across), tuple(regimes), cells, _ranks(cells, regimes, unranked), column,
        {**titles, **(names or {})}, notes or {}, notes_name, scatter,
    )  # fmt: skip


def _ranks(cells: Mapping, regimes: Sequence[str], unranked: Collection[str]) -> dict[tuple, int]:
    """Places 1 to `PLACES` by R2: one more than the number of better runs, so that equals share a place.

    A run that stands in several cells (zero-shot, which every strategy starts from) counts once; NaN has no place.
    """
    ranks = {}
    for regime in regimes:
        scored = {
            key: cell[regime]
            for key, cell in cells.items()
            if regime in cell and key[0] not in unranked and math.isfinite(cell[regime]["r2"])
        }
        runs = {(entry["r2"], *(entry.get(name) for name in GROUP)) for entry in scored.values()}
        for key, entry in scored.items():
            place = 1 + sum(run[0] > entry["r2"] for run in runs)
            if place <= PLACES:
                ranks[(*key, regime)] = place
    return ranks

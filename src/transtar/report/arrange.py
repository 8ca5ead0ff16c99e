"""Summaries arranged as the paper's tables, the best of each kind of star ranked."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InputError
from ..evaluate.summary import GROUP, select
from ..train import find_strategy
from .style import in_order, strategy_title

PLACES = 3
"""Places that are marked."""

STRATEGIES_OF_TABLE_1 = ("residual", "lora", "full", "zero-shot", "scratch")
STRATEGIES_OF_TABLE_A2 = ("residual", "lora", "full", "scratch")
"""Rows of the paper's tables, in its order."""


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
        If there are no results of the label, or two belong in one cell.
    """
    chosen = select(summary, label=label, regime=set(regimes))
    for name, wanted in ((row, rows), (column, columns)):
        chosen = [entry for entry in chosen if wanted is None or entry[name] in wanted]
    if not chosen:
        raise InputError(f"no results for label '{label}'")
    cells: dict[tuple, dict[str, Mapping]] = {}
    for entry in chosen:
        cell = cells.setdefault((entry[row], entry[column]), {})
        if entry["regime"] in cell:
            where = f"{row} {entry[row]}, {column} {entry[column]}, {entry['regime']}"
            raise InputError(f"two results for {where}; select one source, target, split and variant first")
        cell[entry["regime"]] = entry
    found = list(dict.fromkeys(entry[row] for entry in chosen))
    across = list(dict.fromkeys(entry[column] for entry in chosen))
    if rows is not None:
        found = [name for name in dict.fromkeys(rows) if name in found]
    elif row == "strategy":
        found = in_order(found)
    if columns is not None:
        across = [value for value in dict.fromkeys(columns) if value in across]
    elif all(isinstance(value, int) for value in across):
        across = sorted(across)
    titles = (
        {name: title for name in found if (title := strategy_title(name)) != name} if row in ("strategy", "row") else {}
    )
    return Table(
        label, tuple(found), tuple(across), tuple(regimes), cells, _ranks(cells, regimes, unranked), column,
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


def strategies_by_input(
    summary: Iterable[Mapping],
    label: str,
    size: int,
    strategies: Sequence[str] = STRATEGIES_OF_TABLE_1,
    inputs: Sequence[str] | None = None,
    names: Mapping | None = None,
    unranked: Sequence[str] = (),
) -> Table:
    """Arrange one label's block of the paper's Table 1: strategies by inputs at one number of fine-tuning stars.

    Parameters
    ----------
    summary : iterable of mapping
        Rows as from `summarise`, of one source (besides 'none', from scratch), target, split and variant.
    label : str
    size : int
        Fine-tuning stars; zero-shot has none.
    strategies, inputs : sequence of str
        In the order of rows and columns; inputs by default as they come.
    names : mapping, optional
        Names to be printed for strategies and inputs.
    unranked : sequence of str

    Returns
    -------
    Table

    Raises
    ------
    InputError
        As `paper_table`.
    """
    rows = [row for row in summary if row["n_finetune"] == (0 if row["strategy"] == "zero-shot" else size)]
    return paper_table(
        rows, label, column="input", unranked=unranked, rows=strategies, columns=inputs, names=names, scatter=False
    )


def inputs_by_size(
    summary: Iterable[Mapping],
    label: str,
    strategy: str,
    sizes: Sequence[int],
    counts: Mapping[int, tuple[int, int]] | None = None,
    inputs: Sequence[str] | None = None,
    names: Mapping | None = None,
    scratch_input: str = "flux",
) -> Table:
    """Arrange one label's block of the paper's Table A1: inputs, and from scratch, by number of fine-tuning stars.

    Parameters
    ----------
    summary : iterable of mapping
        As in `strategies_by_input`.
    label, strategy : str
        The strategy by which this label was fine-tuned.
    sizes : sequence of int
        Columns in their order, 0 where zero-shot belongs.
    counts : mapping of int to (int, int), optional
        Metal-poor and metal-rich fine-tuning stars of each size, printed under the heads.
    inputs : sequence of str, optional
        Rows in their order, by default as they come.
    names : mapping, optional
        Names to be printed for inputs and for 'scratch'.
    scratch_input : str
        Input of the row from scratch.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        As `paper_table`.
    """
    rows = []
    for row in select(summary, label=label):
        if row["strategy"] == strategy or (row["strategy"] == "zero-shot" and row["n_finetune"] == 0):
            rows.append(row | {"row": row["input"]})
        elif row["strategy"] == "scratch" and row["input"] == scratch_input:
            rows.append(row | {"row": "scratch"})
    if inputs is None:
        inputs = [row["row"] for row in rows if row["row"] != "scratch"]
    return _by_size(rows, label, [*inputs, "scratch"], sizes, counts, names)


def strategies_by_size(
    summary: Iterable[Mapping],
    label: str,
    sizes: Sequence[int],
    counts: Mapping[int, tuple[int, int]] | None = None,
    strategies: Sequence[str] = STRATEGIES_OF_TABLE_A2,
    input_name: str = "flux",
    names: Mapping | None = None,
    unranked: Sequence[str] = (),
) -> Table:
    """Arrange one label's block of the paper's Table A2: strategies by number of fine-tuning stars.

    Without fine-tuning stars every strategy is zero-shot, whose values stand there for each; those that use nothing of a model
    have none.

    Parameters
    ----------
    summary, label, sizes, counts
        As in `inputs_by_size`.
    strategies : sequence of str
        Rows in their order.
    input_name : str
    names : mapping, optional
        Names to be printed for strategies.
    unranked : sequence of str

    Returns
    -------
    Table

    Raises
    ------
    InputError
        As `paper_table`.
    """
    rows = []
    own = select(summary, label=label, input=input_name)
    taught = {row["strategy"] for row in own if row["n_finetune"] > 0}
    adapters = {name for name in taught if (kind := find_strategy(name)) is None or kind.uses_model}
    for row in own:
        if row["strategy"] == "zero-shot" and row["n_finetune"] == 0:
            rows += [row | {"row": name} for name in strategies if name in adapters]
        elif row["n_finetune"] > 0:
            rows.append(row | {"row": row["strategy"]})
    return _by_size(rows, label, strategies, sizes, counts, names, unranked)


def _by_size(rows, label, order, sizes, counts, names, unranked=()) -> Table:
    notes = {size: f"{poor}:{rich}" for size, (poor, rich) in (counts or {}).items()}
    return paper_table(
        rows, label, "row", unranked=unranked, rows=order, columns=sizes, names=names, notes=notes,
        notes_name="M-poor:M-rich", scatter=False,
    )  # fmt: skip

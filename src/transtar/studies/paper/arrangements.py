"""Summaries arranged as the paper's Tables 1, A1 and A2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ...evaluate import select
from ...report import Table, paper_table
from ...train import find_strategy

STRATEGIES_OF_TABLE_1 = ("residual", "lora", "full", "zero-shot", "scratch")
STRATEGIES_OF_TABLE_A2 = ("residual", "lora", "full", "scratch")
"""Rows of the paper's tables, in its order."""


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

    Without fine-tuning stars every strategy is zero-shot, whose values stand there for each; those that use
    nothing of a model have none.

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
    of_input = select(summary, label=label, input=input_name)
    learnt = {row["strategy"] for row in of_input if row["n_finetune"] > 0}
    adapters = {name for name in learnt if (kind := find_strategy(name)) is None or kind.uses_model}
    for row in of_input:
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

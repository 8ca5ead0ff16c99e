"""Scores of many runs as one typed table: `results.csv` on disk, an Arrow table in memory."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import InputError, SettingsError, shown
from ..files import write_text
from ..names import check_name
from ..summary import ROWS, Summarised, Summary
from ..telling import tell
from .metrics import METRICS

RESULT_COLUMNS: dict[str, type] = {
    "source": str,
    "target": str,
    "label": str,
    "input": str,
    "strategy": str,
    "n_finetune": int,
    "seed": int,
    "regime": str,
    "r2": float,
    "r2_err": float,
    **{name: float for name in METRICS if name != "r2"},
    "n_train": int,
    "n_test": int,
    "split": str,
    "variant": str,
}
"""Columns of results.csv and the types of their values."""

SINCE_0_1 = ("r2", "r2_err", "sigma", "bias")
"""Scores that every results.csv has; metrics that came later are NaN where an older version wrote it."""

SHOWN = (
    "source",
    "target",
    "label",
    "strategy",
    "n_finetune",
    "seed",
    "regime",
    "r2",
    "r2_err",
    "sigma",
    "bias",
    "n_test",
)
"""Columns of which a notebook shows the first rows."""

_OF_RUN = tuple(
    name for name, kind in RESULT_COLUMNS.items() if kind is not float and name not in ("n_train", "n_test")
)

_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64()}

SCHEMA = pa.schema([pa.field(name, _ARROW[kind], nullable=False) for name, kind in RESULT_COLUMNS.items()])
"""The same, as Arrow and parquet have them."""


@dataclass(frozen=True, eq=False, repr=False)
class Results(Summarised):
    """Scores of runs, one row for each run, label and regime.

    Iterating gives the rows as dicts, typed as in `RESULT_COLUMNS`; a missing number is NaN.

    Parameters
    ----------
    table : pyarrow.Table
        Of the schema `SCHEMA`.
    """

    table: pa.Table

    def _summary(self) -> Summary:
        known = {
            name: ", ".join(map(str, self.distinct(name)))
            for name in ("label", "strategy", "n_finetune", "regime", "variant")
        }
        first = self.table.slice(0, ROWS).select(SHOWN).to_pydict()
        # Rows beyond the first are counted, and never read.
        return Summary(f"Results: {len(self):,} rows", known, first, len(self))

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Results:
        """Make a table of rows.

        Parameters
        ----------
        rows : iterable of mapping
            With all columns of `RESULT_COLUMNS`; other keys are passed over.

        Returns
        -------
        Results
        """
        return cls(pa.Table.from_pylist([{name: row[name] for name in RESULT_COLUMNS} for row in rows], SCHEMA))

    def __len__(self) -> int:
        return self.table.num_rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.table.to_pylist())

    def select(self, **wanted: Any) -> Results:
        """Rows whose columns have the values wanted.

        Parameters
        ----------
        **wanted
            Value by name of the column; a tuple, list or set of values means any of them.

        Returns
        -------
        Results
            Perhaps without rows.
        """
        table = self.table
        for name, value in wanted.items():
            values = list(value) if isinstance(value, tuple | list | set | frozenset) else [value]
            known = pa.array(values, SCHEMA.field(name).type)
            table = table.filter(pc.is_in(table[name], value_set=known))
        return Results(table)

    def without_variants(self, names: Collection[str]) -> Results:
        """Rows of all variants but some.

        Parameters
        ----------
        names : collection of str
            Variants to leave out.

        Returns
        -------
        Results
        """
        known = pa.array(list(names), pa.string())
        return Results(self.table.filter(pc.invert(pc.is_in(self.table["variant"], value_set=known))))

    def distinct(self, name: str) -> list[Any]:
        """Values of a column, each once.

        Parameters
        ----------
        name : str

        Returns
        -------
        list
            In the order of their first appearance.
        """
        return self.table[name].unique().to_pylist()

    def with_names(self, name: str, names: Mapping[str, str]) -> Results:
        """The same rows with other names for some values of a text column.

        Parameters
        ----------
        name : str
            The column.
        names : mapping of str to str
            New names by old ones; values that are not in it stay.

        Returns
        -------
        Results
        """
        values = [names.get(value, value) for value in self.table[name].to_pylist()]
        place = self.table.column_names.index(name)
        return Results(self.table.set_column(place, SCHEMA.field(name), pa.array(values, pa.string())))


def read_results(path: str | os.PathLike) -> Results:
    """Read results.csv, whoever wrote or edited it; lines that begin with # are passed over.

    Parameters
    ----------
    path : path

    Returns
    -------
    Results
        An empty number is NaN, an empty `variant` 'default'.

    Raises
    ------
    InputError
        If the file is missing, has no rows, lacks a column or has it twice, or a value has the wrong type.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(file)
            reader = csv.DictReader(line for line in lines if not line.startswith("#"))
            absent = [name for name in RESULT_COLUMNS if name not in (reader.fieldnames or ())]
            later = dict.fromkeys(name for name in absent if RESULT_COLUMNS[name] is float and name not in SINCE_0_1)
            if len(absent) > len(later):
                absent = [name for name in absent if name not in later]
                raise InputError(f"{path}: no column {', '.join(absent)}; a study writes {', '.join(RESULT_COLUMNS)}")
            twice = [name for name in RESULT_COLUMNS if (reader.fieldnames or []).count(name) > 1]
            if twice:
                raise InputError(f"{path}: column {', '.join(twice)} occurs twice; remove one of them")
            rows = [
                _typed(row | dict.fromkeys(later, ""), f"{path}, row {number}") for number, row in enumerate(reader, 1)
            ]
        if lines and not lines[-1].endswith(("\n", "\r")):
            tell(
                f"{path}: the last line has no end; if the file was cut off, rows are missing and the last one is wrong"
            )
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV table ({error})") from None
    if not rows:
        raise InputError(f"{path}: has no rows")
    runs = {tuple(row[name] for name in _OF_RUN) for row in rows}
    if len(runs) < len(rows):
        n_twice = len(rows) - len(runs)
        tell(
            f"{path}: {n_twice} rows repeat the run and regime of another row, and count in means as further seeds would"
        )
    return Results.from_rows(rows)


def _typed(row: Mapping, where: str) -> dict[str, Any]:
    if None in row:
        raise InputError(f"{where}: more values than columns")
    typed: dict[str, Any] = {}
    for name, kind in RESULT_COLUMNS.items():
        text = row[name]
        if text is None:
            raise InputError(f"{where}: fewer values than columns")
        try:
            typed[name] = float("nan") if kind is float and not text else kind(text)
        except ValueError:
            raise InputError(f"{where}: {name} is '{shown(text)}', which is not {kind.__name__}") from None
        if (kind is float and math.isinf(typed[name])) or (kind is int and abs(typed[name]) >= 2**63):
            raise InputError(f"{where}: {name} is '{shown(text)}', which is out of range")
    typed["variant"] = typed["variant"] or "default"
    # Names become parts of file names.
    for name in ("label", "strategy", "variant", "target"):
        try:
            check_name(typed[name], f"{where}: {name}")
        except SettingsError as error:
            raise InputError(error) from None
    return typed


def write_results(rows: Iterable[Mapping[str, Any]], path: str | os.PathLike) -> None:
    """Write results.csv, numbers that are not whole with six digits.

    Parameters
    ----------
    rows : iterable of mapping
        With the columns of `RESULT_COLUMNS`; other keys are passed over.
    path : path

    Raises
    ------
    TranstarError
        If the disk is full; an older file stays.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(RESULT_COLUMNS), lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: f"{value:.6f}" if isinstance(value, float) else value for name, value in row.items()})
    write_text(path, text.getvalue())

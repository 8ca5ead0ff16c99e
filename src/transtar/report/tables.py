"""Results tables in the form of the paper: strategies by rows, sample sizes by columns."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ..errors import InputError
from ..evaluate.summary import read_results, select, summarise
from ..files import write_text
from ..glossary import plain
from .style import in_order

SHADES = ("6BAED6", "9ECAE1", "DEEBF7")
"""Blues of the best, second and third value of a regime, as in the paper."""

MISSING = "–"


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
        {(row, column, regime): 1, 2 or 3} of the three best R2 of each regime.
    column_name : str
        What the columns are.
    """

    label: str
    rows: tuple[str, ...]
    columns: tuple
    regimes: tuple[str, ...]
    cells: dict[tuple, dict[str, Mapping]]
    ranks: dict[tuple, int]
    column_name: str = "n_finetune"


def paper_table(
    summary: Iterable[Mapping],
    label: str,
    row: str = "strategy",
    column: str = "n_finetune",
    regimes: Sequence[str] = ("all", "poor", "rich"),
    unranked: Sequence[str] = (),
) -> Table:
    """Arrange summaries as the paper's Tables 1, A1 and A2.

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

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If there are no results of the label, or two belong in one cell.
    """
    chosen = select(summary, label=label, regime=set(regimes))
    if not chosen:
        raise InputError(f"no results for label '{label}'")
    cells: dict[tuple, dict[str, Mapping]] = {}
    for entry in chosen:
        cell = cells.setdefault((entry[row], entry[column]), {})
        if entry["regime"] in cell:
            where = f"{row} {entry[row]}, {column} {entry[column]}, {entry['regime']}"
            raise InputError(f"two results for {where}; select one source, target, split and variant first")
        cell[entry["regime"]] = entry
    ranks = {}
    for regime in regimes:
        scored = [(cell[regime]["r2"], key) for key, cell in cells.items() if regime in cell and key[0] not in unranked]
        best = sorted((pair for pair in scored if math.isfinite(pair[0])), key=lambda pair: -pair[0])[:3]
        ranks.update({(*key, regime): place for place, (_, key) in enumerate(best, 1)})
    names = [entry[row] for entry in chosen]
    ordered = in_order(names) if row == "strategy" else list(dict.fromkeys(names))
    found = dict.fromkeys(entry[column] for entry in chosen)
    columns = sorted(found) if all(isinstance(value, int) for value in found) else list(found)
    return Table(label, tuple(ordered), tuple(columns), tuple(regimes), cells, ranks, column)


def _number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else MISSING


def _digits(label: str) -> int:
    return 0 if label == "teff" else 3


def _scatter(table: Table, cell: Mapping[str, Mapping]) -> str:
    """Sigma of the first regime with its spread over seeds."""
    entry = cell.get(table.regimes[0])
    if entry is None:
        return MISSING
    text = _number(entry["sigma"], _digits(table.label))
    spread = entry["sigma_std"]
    return f"{text} ± {_number(spread, _digits(table.label))}" if math.isfinite(spread) else text


def _heading(table: Table, column) -> str:
    if table.column_name != "n_finetune":
        return str(column)
    # Nothing of the target has been learnt from in that column: zero-shot, and a survey's own pipeline.
    return f"n = {column}"


def to_csv(table: Table) -> str:
    """One line per cell: row, column, counts, then per regime R2, its spread and bootstrap error, sigma and bias."""
    names = ("r2", "r2_std", "r2_err", "sigma", "sigma_std", "bias", "bias_std")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header = [f"{name}_{regime}" for regime in table.regimes for name in names]
    writer.writerow(["label", "row", table.column_name, "n_seeds", *(f"n_test_{r}" for r in table.regimes), *header])
    for row in table.rows:
        for column in table.columns:
            cell = table.cells.get((row, column))
            if cell is None:
                continue
            seeds = max(entry["n_seeds"] for entry in cell.values())
            counts = [cell[r]["n_test"] if r in cell else "" for r in table.regimes]
            values = [_number(cell[r][n], 6) if r in cell else "" for r in table.regimes for n in names]
            writer.writerow([table.label, row, column, seeds, *counts, *("" if v == MISSING else v for v in values)])
    return out.getvalue()


def to_latex(table: Table) -> str:
    """Print the table for a paper; it needs the packages booktabs and xcolor."""
    lines = [
        "% needs \\usepackage{booktabs} and \\usepackage{xcolor}",
        f"\\begin{{tabular}}{{l{'c' * len(table.columns)}}}",
        "\\toprule",
        " & ".join([_tex(plain(table.label)), *(_tex(_heading(table, c)) for c in table.columns)]) + r" \\",
        f"({' / '.join(table.regimes)})" + " &" * len(table.columns) + r" \\",
        "\\midrule",
    ]
    for row in table.rows:
        parts = [_tex(row)]
        for column in table.columns:
            cell = table.cells.get((row, column))
            parts.append("--" if cell is None else _latex_cell(table, (row, column), cell))
        lines.append(" & ".join(parts) + r" \\[4pt]")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _latex_cell(table: Table, key: tuple, cell: Mapping[str, Mapping]) -> str:
    values, spreads = [], []
    for regime in table.regimes:
        value = _tex(_number(cell[regime]["r2"])) if regime in cell else "--"
        rank = table.ranks.get((*key, regime))
        if rank:
            value = rf"\colorbox[HTML]{{{SHADES[rank - 1]}}}{{{value}}}"
        values.append(value)
        spreads.append(_tex(_number(cell[regime]["r2_std"])) if regime in cell else "--")
    inner = [" / ".join(values)]
    if any(spread not in ("--", MISSING) for spread in spreads):
        inner.append(rf"{{\scriptsize $\pm$ {' / '.join(spreads)}}}")
    inner.append(rf"{{\scriptsize $\sigma$ = {_tex(_scatter(table, cell))}}}")
    return r"\begin{tabular}[t]{@{}c@{}}" + r" \\ ".join(inner) + r"\end{tabular}"


def _tex(text: str) -> str:
    if text == MISSING:
        return "--"
    if text[:1] == "-" and text[1:2].isdigit():
        return f"${text}$"
    for plain_text, command in (("_", r"\_"), ("%", r"\%"), ("&", r"\&"), ("±", r"$\pm$"), ("alpha", r"$\alpha$")):
        text = text.replace(plain_text, command)
    return text


def to_html(table: Table, caption: str = "") -> str:
    """Print the table as an HTML fragment; `caption` is plain text."""
    minus = str.maketrans("-", "−")
    head = "".join(f"<th scope='col'>{escape(_heading(table, c))}</th>" for c in table.columns)
    subsets = escape(" / ".join(table.regimes))
    lines = ["<table class='scores'>", f"<caption>{escape(caption)}</caption>" if caption else ""]
    name = f"{escape(plain(table.label))}<br/><small>{subsets}</small>"
    lines.append(f"<thead><tr><th scope='col'>{name}</th>{head}</tr></thead><tbody>")
    for row in table.rows:
        lines.append(f"<tr><th scope='row'>{escape(str(row))}</th>")
        for column in table.columns:
            cell = table.cells.get((row, column))
            if cell is None:
                lines.append(f"<td class='none'>{MISSING}</td>")
                continue
            values, spreads = [], []
            for regime in table.regimes:
                value = _number(cell[regime]["r2"]).translate(minus) if regime in cell else MISSING
                rank = table.ranks.get((row, column, regime))
                values.append(f"<span class='rank{rank}'>{value}</span>" if rank else value)
                spreads.append(_number(cell[regime]["r2_std"]) if regime in cell else MISSING)
            text = " / ".join(values)
            if any(spread != MISSING for spread in spreads):
                text += f"<br/><small>± {' / '.join(spreads)}</small>"
            lines.append(f"<td>{text}<br/><small>σ = {_scatter(table, cell)}</small></td>")
        lines.append("</tr>")
    return "\n".join([line for line in lines if line] + ["</tbody></table>"])


def settings_html(settings: Mapping, caption: str = "") -> str:
    """Names and values (settings, counts, provenance) as an HTML fragment."""
    lines = ["<table class='settings'>", f"<caption>{escape(caption)}</caption>" if caption else "", "<tbody>"]
    for name, value in settings.items():
        lines.append(f"<tr><th scope='row'>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>")
    return "\n".join([line for line in lines if line] + ["</tbody></table>"])


def rows_html(header: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A plain table as an HTML fragment; the first column names the rows."""
    lines = ["<table class='rows'>", f"<caption>{escape(caption)}</caption>" if caption else ""]
    heads = "".join(f"<th scope='col'>{escape(head)}</th>" for head in header)
    lines.append(f"<thead><tr>{heads}</tr></thead>")
    lines.append("<tbody>")
    for name, *values in rows:
        cells = "".join(f"<td>{escape(str(value))}</td>" for value in values)
        lines.append(f"<tr><th scope='row'>{escape(str(name))}</th>{cells}</tr>")
    return "\n".join([line for line in lines if line] + ["</tbody></table>"])


def write_table(table: Table, folder: str | Path, name: str, caption: str = "") -> dict[str, Path]:
    """Write ``name.csv``, ``name.tex`` and ``name.html`` (a fragment) into a folder.

    Returns
    -------
    dict of str to Path
        The files by suffix without dot.

    Raises
    ------
    TranstarError
        If the disk is full; older files stay.
    """
    texts = {"csv": to_csv(table), "tex": to_latex(table), "html": to_html(table, caption)}
    paths = {kind: Path(folder) / f"{name}.{kind}" for kind in texts}
    for kind, text in texts.items():
        write_text(paths[kind], text)
    return paths


__all__ = [
    "Table",
    "paper_table",
    "read_results",
    "rows_html",
    "settings_html",
    "summarise",
    "to_csv",
    "to_html",
    "to_latex",
    "write_table",
]

"""Results tables in the form of the paper, printed as CSV, LaTeX and HTML: of one label, or of several, block by block."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from ..errors import InputError
from ..evaluate.metrics import METRICS
from ..files import write_text
from ..glossary import decimals, plain
from ..rounding import MISSING, rounded, with_error
from . import latex
from .arrange import Table

SHADES = ("6BAED6", "9ECAE1", "DEEBF7")
"""Blues of the best, second and third value of a regime, as in the paper."""


def _scatter(table: Table, cell: Mapping[str, Mapping], minus: str = "−") -> str:
    """Sigma of the first regime with its spread over seeds."""
    entry = cell.get(table.regimes[0])
    return (
        MISSING if entry is None else with_error(entry["sigma"], entry["sigma_std"], decimals(table.label), minus=minus)
    )


def _scores(table: Table, cell: Mapping[str, Mapping]) -> tuple[list[str], list[str]]:
    """R2 of each regime, and its spreads over seeds; no spreads where none is known."""
    both = [
        rounded(cell[name]["r2"], cell[name]["r2_std"]) if name in cell else (MISSING, "") for name in table.regimes
    ]
    spreads = [spread or MISSING for _, spread in both]
    return [value for value, _ in both], spreads if any(spread for _, spread in both) else []


def _name(table: Table, row) -> str:
    return str(table.names.get(row, row))


def _heading(table: Table, column) -> str:
    if column in table.names or table.column_name != "n_finetune":
        return _name(table, column)
    # Nothing of the target has been learnt from in that column: zero-shot, and a survey's own pipeline.
    return f"n = {column}"


def _blocks(tables: Table | Sequence[Table]) -> list[Table]:
    """Tables that are to be printed as one, checked to fit together."""
    tables = [tables] if isinstance(tables, Table) else list(tables)
    if not tables:
        raise InputError("there is no table to be printed")
    for one in tables[1:]:
        for name in ("regimes", "column_name", "notes_name"):
            if getattr(one, name) != getattr(tables[0], name):
                both = f"{getattr(tables[0], name)} ({tables[0].label}) and {getattr(one, name)} ({one.label})"
                raise InputError(f"tables to be printed as one differ in {name}: {both}")
    return tables


def to_csv(tables: Table | Sequence[Table]) -> str:
    """One line per cell: row, column, counts, then per regime R2, its spread and bootstrap error, and the other metrics."""
    tables = _blocks(tables)
    first = tables[0]
    others = [name for name in METRICS if name != "r2"]
    names = ("r2", "r2_std", "r2_err", *(f"{name}{ending}" for name in others for ending in ("", "_std")))
    noted = [first.notes_name] if first.notes_name else []
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header = [f"{name}_{regime}" for regime in first.regimes for name in names]
    counted = [f"n_test_{regime}" for regime in first.regimes]
    writer.writerow(["label", "row", first.column_name, *noted, "n_seeds", *counted, *header])
    for table, row, column in ((t, r, c) for t in tables for r in t.rows for c in t.columns):
        cell = table.cells.get((row, column))
        if cell is None:
            continue
        seeds = max(entry["n_seeds"] for entry in cell.values())
        note = [table.notes.get(column, "") for _ in noted]
        counts = [cell[r]["n_test"] if r in cell else "" for r in table.regimes]
        numbers = [cell[r][n] if r in cell else math.nan for r in table.regimes for n in names]
        values = [f"{value:.6f}" if math.isfinite(value) else "" for value in numbers]
        writer.writerow([table.label, row, column, *note, seeds, *counts, *values])
    return out.getvalue()


def to_latex(tables: Table | Sequence[Table], caption: str = "", in_a_row: int | None = None, label: str = "") -> str:
    """Print tables for a paper; it needs the packages booktabs and xcolor.

    Columns that would make it wider than a page of LaTeX's own classes follow below, under heads of their own, and blocks that
    would make it longer follow in another float.

    Parameters
    ----------
    tables : Table or sequence of Table
        Several become one, block by block.
    caption : str
        Plain text; with one, the whole is a float over both columns of a page, or several.
    in_a_row : int, optional
        Columns side by side at most.
    label : str
        Name by which LaTeX refers to the table; with a caption.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If the tables do not fit together.
    """
    tables = _blocks(tables)
    names = [_name(table, row) for table in tables for row in (*table.rows, plain(table.label), table.notes_name)]
    widest = max(map(_column_width, tables))
    named, beside = latex.first_column(names, widest + latex.GAP)
    side_by_side = max(1, int((latex.PAGE_WIDTH - beside - latex.GAP) // (widest + latex.GAP)))
    width = min(max(len(table.columns) for table in tables), in_a_row or 99, side_by_side)
    most = latex.room(caption)
    floats: list[list[str]] = [[]]
    left = most
    for table in tables:
        for start in range(0, len(table.columns), width):
            for rows in _pages(table, most if caption else math.inf, beside):
                lines = _latex_block(table, table.columns[start : start + width], width, rows, named)
                height = _height(table, rows, beside)
                if floats[-1] and height > left and caption:
                    floats.append([])
                    left = most
                floats[-1] += ["\\midrule", *lines] if floats[-1] else lines
                left -= height
    out = ["% needs \\usepackage{booktabs} and \\usepackage{xcolor}"]
    for number, lines in enumerate(floats):
        tabular = [
            f"\\begin{{tabular}}{{{named}{'c' * width}}}",
            "\\toprule",
            *lines,
            "\\bottomrule",
            "\\end{tabular}",
        ]
        out += latex.floating(tabular, caption, label, continued=number > 0) if caption else tabular
    return "\n".join([*out, ""])


def _column_width(table: Table) -> float:
    """Points of the widest column but the first."""
    columns = [latex.width(_heading(table, column)) for column in table.columns]
    columns += [latex.width(str(note)) for note in table.notes.values()]
    scores = [_scores(table, cell) for cell in table.cells.values()]
    # Each value may be in a coloured box.
    columns += [latex.width(" / ".join(values)) + latex.BOX * len(values) for values, _ in scores]
    columns += [latex.SMALL * latex.width(f"±{' / '.join(spreads)}") for _, spreads in scores]
    scatters = (_scatter(table, cell).replace(" ", "") for cell in table.cells.values() if table.scatter)
    columns += [latex.SMALL * latex.width(f"s={scatter}") for scatter in scatters]
    return max(columns)


def _height(table: Table, rows: Sequence, beside: float) -> float:
    """Points of a block, heads and rules included; a row has a line in small type below the first, and space below both."""
    lines = (max(latex.lines_of(_name(table, row), beside), 1.7 + 0.85 * table.scatter) + 0.75 for row in rows)
    return latex.LINE * (2 + bool(table.notes) + sum(lines)) + 2 * latex.RULE


def _pages(table: Table, most: float, beside: float) -> Iterator[list]:
    """Rows of a block, of which those go on in another that would make it longer than a page."""
    rows: list = []
    for row in table.rows:
        if rows and _height(table, [*rows, row], beside) > most:
            yield rows
            rows = []
        rows.append(row)
    yield rows


def _latex_block(table: Table, columns: Sequence, width: int, rows: Sequence, named: str) -> list[str]:
    """Heads, rule and rows of some columns, filled up to the width of the whole."""
    start = r"\raggedright " if named != "l" else ""
    empty = " &" * (width - len(columns))
    lines = [
        " & ".join([_tex(plain(table.label)), *(_tex(_heading(table, c)) for c in columns)]) + empty + r" \\",
        f"\\multicolumn{{{width + 1}}}{{l}}{{({' / '.join(table.regimes)})}} \\\\",
    ]
    if table.notes:
        notes = (_tex(str(table.notes.get(c, ""))) for c in columns)
        lines.append(" & ".join([_tex(table.notes_name), *notes]) + empty + r" \\")
    lines.append("\\midrule")
    for row in rows:
        cells = [start + _tex(_name(table, row))]
        for column in columns:
            cell = table.cells.get((row, column))
            cells.append("--" if cell is None else _latex_cell(table, (row, column), cell))
        lines.append(" & ".join(cells) + empty + r" \\[4pt]")
    return lines


def _latex_cell(table: Table, key: tuple, cell: Mapping[str, Mapping]) -> str:
    values, spreads = _scores(table, cell)
    shown = []
    for regime, value in zip(table.regimes, map(_tex, values), strict=True):
        rank = table.ranks.get((*key, regime))
        shown.append(rf"\colorbox[HTML]{{{SHADES[rank - 1]}}}{{{value}}}" if rank else value)
    inner = [" / ".join(shown)]
    if spreads:
        inner.append(rf"{{\scriptsize $\pm$ {' / '.join(map(_tex, spreads))}}}")
    if table.scatter:
        inner.append(rf"{{\scriptsize $\sigma$ = {_tex(_scatter(table, cell, '-'))}}}")
    return r"\begin{tabular}[t]{@{}c@{}}" + r" \\ ".join(inner) + r"\end{tabular}"


def _tex(text: str) -> str:
    if text == MISSING:
        return "--"
    if re.fullmatch(r"-[0-9.]+", text):
        return f"${text}$"
    text = latex.escape(text)
    for plain_text, command in (("±", r"$\pm$"), ("alpha", r"$\alpha$")):
        text = text.replace(plain_text, command)
    # After a rule or a line break, LaTeX would take a bracket for the start of its option.
    return f"{{{text}}}" if text.startswith("[") else text


def to_html(tables: Table | Sequence[Table], caption: str = "") -> str:
    """Print tables as one HTML fragment, block by block; `caption` is plain text."""
    lines = ["<table class='scores'>", f"<caption>{escape(caption)}</caption>" if caption else ""]
    for number, table in enumerate(_blocks(tables)):
        head = _html_head(table)
        if number:
            lines.append(f"</tbody><tbody><tr class='head'>{head}</tr>")
        else:
            lines.append(f"<thead><tr>{head}</tr></thead><tbody>")
        lines += _html_rows(table)
    return "\n".join([line for line in lines if line] + ["</tbody></table>"])


def _html_head(table: Table) -> str:
    name = f"{escape(plain(table.label))}<br/><small>{escape(' / '.join(table.regimes))}</small>"
    if table.notes:
        name += f"<br/><small>{escape(table.notes_name)}</small>"
    heads = [f"<th scope='col'>{name}</th>"]
    for column in table.columns:
        note = f"<br/><small>{escape(str(table.notes[column]))}</small>" if column in table.notes else ""
        heads.append(f"<th scope='col'>{escape(_heading(table, column))}{note}</th>")
    return "".join(heads)


def _html_rows(table: Table) -> list[str]:
    lines = []
    for row in table.rows:
        lines.append(f"<tr><th scope='row'>{escape(_name(table, row))}</th>")
        for column in table.columns:
            cell = table.cells.get((row, column))
            if cell is None:
                lines.append(f"<td class='none'>{MISSING}</td>")
                continue
            values, spreads = _scores(table, cell)
            shown = []
            for regime, value in zip(table.regimes, values, strict=True):
                rank, value = table.ranks.get((row, column, regime)), value.replace("-", "−")
                shown.append(f"<span class='rank{rank}'>{value}</span>" if rank else value)
            text = " / ".join(shown)
            if spreads:
                text += f"<br/><small>± {' / '.join(spreads)}</small>"
            if table.scatter:
                text += f"<br/><small>σ = {_scatter(table, cell)}</small>"
            lines.append(f"<td>{text}</td>")
        lines.append("</tr>")
    return lines


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
    """Write ``name.csv``, ``name.tex`` (with caption and label, if there is a caption) and ``name.html`` (a fragment).

    Returns
    -------
    dict of str to Path
        The files by suffix without dot.

    Raises
    ------
    TranstarError
        If the disk is full; older files stay.
    """
    return write_tables([table], folder, name, caption)


def write_tables(
    tables: Sequence[Table], folder: str | Path, name: str, caption: str = "", in_a_row: int | None = None
) -> dict[str, Path]:
    """Write the tables of several labels as one, block by block: ``name.csv``, ``name.tex`` and ``name.html``.

    Parameters
    ----------
    tables : sequence of Table
        With the same regimes and kind of columns.
    folder : path
    name : str
        File name without suffix.
    caption : str
        Plain text, also in LaTeX.
    in_a_row : int, optional
        As in `to_latex`; three fit across a page.

    Returns
    -------
    dict of str to Path
        The files by suffix without dot.

    Raises
    ------
    InputError
        If the tables do not fit together.
    TranstarError
        If the disk is full; older files stay.
    """
    texts = {
        "csv": to_csv(tables),
        "tex": to_latex(tables, caption, in_a_row, f"tab:{name}"),
        "html": to_html(tables, caption),
    }
    return _write(texts, folder, name)


def _write(texts: Mapping[str, str], folder: str | Path, name: str) -> dict[str, Path]:
    paths = {kind: Path(folder) / f"{name}.{kind}" for kind in texts}
    for kind, text in texts.items():
        write_text(paths[kind], text)
    return paths

"""Tables, figures and page of a validation without labels."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluate.validation.validation import Validation
from ..evaluate.validation.validation_lines import MEANINGS, MEASURED, validation_metrics, validation_rows
from ..files import write_json, write_text
from ..glossary import COLUMNS, DESI_KEYS, decimals, plain
from ..rounding import with_error
from ..telling import tell
from ..version import __version__
from . import latex
from .page import FigureFile, Section, write_report
from .style import save
from .validation_figures import figures

COLUMN_NAMES = ("check", "label", "subset", *(name for name in MEASURED if not name.startswith("value")), "what",
                "value", "value_err")  # fmt: skip
"""Columns of ``validation.csv`` and of the tables."""

TABLES: Mapping[str, tuple[str, ...]] = {
    "repeats": ("repeats",),
    "clusters": ("clusters",),
    "pairs": ("pairs", "strangers"),
    "noise": ("three corners",),
    "bound": ("bound", "over the bound"),
}
"""Tables, and the checks whose rows they have."""

CAPTIONS = {
    "repeats": "Scatter from visit to visit of {label}, of single visits: each visit against the others of its star. ",
    "clusters": "Scatter of {label} among members of clusters about the mean of their cluster (all), and in each cluster. ",
    "pairs": "Differences of {label} within wide pairs over the square root of 2, and (strangers) of pairs of other stars "
    "that are alike in Teff and log g. ",
    "noise": "Noise of {label} of three catalogs of the same stars by the three-cornered hat; errors assumed to be independent. ",
    "bound": "Cramer-Rao bound of {label} at the S/N of the stars, and the scatter of repeats over it. ",
}
CLIPPED = (
    "sigma is the standard deviation after a clip at 3 sigma about the median, MAD 1.48 median absolute deviations; errors are "
    "from a bootstrap of the stars. Pulls are differences over their stated errors, of which 68 and 95 per cent lie within 1 and "
    "2 if the errors are right."
)

BOUNDS = ("file", "id", "star", "survey", *DESI_KEYS.values())
"""Columns of the catalog that tell which spectrum a bound is of."""


def outputs(out: str | Path) -> list[Path]:
    """Every file that `write_validation` may write."""
    out = Path(out)
    tables = [out / "tables" / f"{name}.{kind}" for name in TABLES for kind in ("csv", "tex")]
    drawn = [out / "figures" / f"{name}.{kind}" for name in FIGURES for kind in ("pdf", "png")]
    return [*(out / name for name in MAIN), *tables, out / "tables" / "bounds.csv", *drawn]


MAIN = ("validation.csv", "metrics.json", "report.html")
FIGURES = ("repeats", "clusters", "pairs", "bound")


def write_validation(validation: Validation, out: str | Path, source: str = "") -> list[Path]:
    """Write ``validation.csv``, ``metrics.json``, ``tables``, ``figures`` and ``report.html`` into a folder.

    Parameters
    ----------
    validation : Validation
    out : path
        Made if missing. Each file appears whole, or not at all. A table without rows is written for a check that was not made, so
        that none of an earlier validation is taken for this one's; figures of earlier ones are told.
    source : str
        Name of the catalog, for the page.

    Returns
    -------
    list of Path
        The main files and the figures.

    Raises
    ------
    InputError
        If a file of another origin stands there.
    TranstarError
        If the disk is full; older files stay.
    """
    out, rows = Path(out), validation_rows(validation)
    write_text(out / "validation.csv", to_csv(rows))
    write_json(out / "metrics.json", validation_metrics(validation))
    for name, checks in TABLES.items():
        some = [row for row in rows if row["check"] in checks]
        write_text(out / "tables" / f"{name}.csv", to_csv(some))
        write_text(out / "tables" / f"{name}.tex", to_latex(name, some))
    write_text(out / "tables" / "bounds.csv", bounds_csv(validation))
    drawn = {}
    for name, (figure, caption) in figures(validation).items():
        drawn[name] = FigureFile(save(figure, out / "figures", name)["png"], caption)
    for name in FIGURES:
        if name not in drawn and (out / "figures" / f"{name}.png").exists():
            tell(f"{out / 'figures' / name}: of an earlier validation; nothing of the kind was checked now")
    _page(validation, rows, drawn, out / "report.html", source)
    return [*(out / name for name in MAIN), *(Path(figure.path) for figure in drawn.values())]


def to_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as from `validation_rows`, as CSV; what is no number is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMN_NAMES)
    for row in rows:
        writer.writerow([_plain(row.get(name, "")) for name in COLUMN_NAMES])
    return text.getvalue()


def bounds_csv(validation: Validation) -> str:
    """Bounds of single spectra: row of the catalog (from 0) and its names, S/N, and of each label bounds and stated error."""
    known = {label: checks.bound for label, checks in validation.labels.items() if checks.bound is not None}
    keys = [name for name in BOUNDS if name in validation.columns]
    names = [f"{label}{end}" for label in known for end in ("_bound", "_bound_alone", "_err")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", *keys, "snr", *names])
    if known:
        places = np.unique(np.concatenate([one.rows for one in known.values()]))
        columns: list[Sequence] = [
            places.tolist(),
            *(np.asarray(validation.columns[key])[places].tolist() for key in keys),
        ]
        columns.append(np.asarray(validation.columns["snr"], float)[places].tolist())
        for label, one in known.items():
            errors = validation.labels[label].rows.errors
            for values in (one.bounds, one.alone, errors[one.rows]):
                full = np.full(validation.n_rows, np.nan)
                full[one.rows] = values
                columns.append(full[places].tolist())
        writer.writerows([[_plain(value) for value in row] for row in zip(*columns, strict=True)])
    return text.getvalue()


def _plain(value) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.6g}" if math.isfinite(value) else ""


BESIDE = ("strangers", "bound", "over the bound")
"""Checks that stand in a table beside another."""

HEADS = ("", "N", "sigma", "1.48 MAD", "pulls", "within 1, 2", "")


def _cells(row: Mapping[str, Any], digits: int) -> list[str]:
    """One row as text, with ± for errors; '' for what it has not."""
    within = ""
    if "within_err" in row:
        within = f"{row['within_err']:.0%}, {row['within_2err']:.0%}"
    other = ""
    if "what" in row and math.isfinite(row["value"]):
        more = 3 if row["what"] == "variance" else 0
        other = f"{row['what']} {_with_error(row['value'], row['value_err'], digits + more)}"
    return [
        row["subset"] if row["check"] not in BESIDE else f"{row['check']}, {row['subset']}",
        str(row.get("n", "")),
        _with_error(row.get("sigma", math.nan), row.get("sigma_err", math.nan), digits),
        _with_error(row.get("mad", math.nan), row.get("mad_err", math.nan), digits),
        _with_error(row.get("pull_mad", math.nan), row.get("pull_mad_err", math.nan), 2),
        within,
        other,
    ]


def _with_error(value: float, error: float, digits: int) -> str:
    return with_error(value, error, digits, minus="-") if math.isfinite(value) else ""


def to_latex(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """A table for each label, with caption and label (``tab:repeats-feh``); they need the package booktabs."""
    lines = [r"% needs \usepackage{booktabs}"]
    for label in dict.fromkeys(row["label"] for row in rows):
        block = [_cells(row, decimals(label) or 1) for row in rows if row["label"] == label]
        used = _used(block)
        heads = [latex.sentence(HEADS[place]) for place in used]
        cells = [[row[0], *(latex.sentence(row[place]) for place in used if place)] for row in block]
        lines += [*latex.table(heads, [(title(label), cells)], caption(name, label), f"tab:{name}-{label}"), ""]
    return "\n".join(lines)


def _used(block: Sequence[Sequence[str]]) -> list[int]:
    """Columns that have anything in any row; the first always."""
    return [place for place in range(len(HEADS)) if not place or any(row[place] for row in block)]


def to_html(name: str, label: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of one label as an HTML fragment."""
    block = [_cells(row, decimals(label) or 1) for row in rows if row["label"] == label]
    used = _used(block)
    lines = [
        "<table class='scores'>",
        f"<caption>{escape(CAPTIONS[name].format(label=title(label)).strip())}</caption>",
        "<thead><tr>",
    ]
    lines += [f"<th scope='col'>{escape(HEADS[place])}</th>" for place in used]
    lines.append("</tr></thead><tbody>")
    for row in block:
        # Minus signs, but the hyphens of words and ranges.
        first, *others = (re.sub(r"(?<![\w-])-(?=\d)", "−", escape(row[place])) for place in used)
        lines.append(f"<tr><th scope='row'>{first}</th>{''.join(f'<td>{cell}</td>' for cell in others)}</tr>")
    return "\n".join([*lines, "</tbody></table>"])


def caption(name: str, label: str) -> str:
    """What a table shows, in plain text."""
    return CAPTIONS[name].format(label=title(label)) + CLIPPED


def title(label: str) -> str:
    """Name and unit of a label, in plain text."""
    unit = COLUMNS[label].unit
    return f"{plain(label)} ({unit})" if unit else plain(label)


HEADINGS = {
    "repeats": "Repeats",
    "clusters": "Clusters",
    "pairs": "Wide pairs",
    "noise": "Three-cornered hat",
    "bound": "Cramer-Rao bound",
}


def _page(
    validation: Validation, rows: Sequence[Mapping[str, Any]], drawn: Mapping[str, FigureFile], path: Path, source: str
) -> None:
    sections = [Section("In short", [" ".join(line.split()) for line in repr(validation).splitlines()])]
    for name, checks in TABLES.items():
        some = [row for row in rows if row["check"] in checks]
        if some:
            labels = dict.fromkeys(row["label"] for row in some)
            shown = [drawn[name]] if name in drawn else []
            said = [] if name in ("noise", "bound") else [CLIPPED]
            sections.append(Section(HEADINGS[name], said, [to_html(name, label, some) for label in labels], shown))
    meanings = [f"{name}: {text}" for name, text in MEANINGS.items()]
    sections.append(Section("Columns of validation.csv", meanings))
    write_report(
        path,
        "Validation without labels",
        sections,
        f"{validation.n_rows} rows of {source or 'a catalog'}.",
        f"transtar {__version__}",
    )

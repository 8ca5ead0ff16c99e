"""Catalogs as LaTeX, for papers: numbers rounded to their errors, with booktabs and longtable."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..glossary import LABELS, PLAN_COLUMNS, SEARCH_COLUMNS, Column, decimals, describe, is_known
from ..latex_text import escape
from ..rounding import with_error

MOST_ROWS = 10_000
"""Rows of a table at most: some two hundred pages. A table is put together in memory."""

FIRST_LINE = "% LaTeX table"
"""By which readers of tables know that it is none of spelling."""

_MISSING = r"\ldots"
_ENDINGS = ("_err", "_lo", "_hi", "_noise", "_ens_std")
_DECIMALS = {"ra": 5, "dec": 5, "velocity": 1, "snr": 0, "cosine": 4}
_SYMBOLS = {"id": "Identifier", "file": "File", "survey": "Survey", "star": "Star", "flags": "Flags", "snr": "S/N"}


def write_latex(
    path: Path,
    columns: Mapping[str, np.ndarray],
    described: Sequence[Column],
    names: Mapping[str, str],
    metadata: Mapping[str, Any],
    label: str,
) -> None:
    r"""Write a catalog as a table of a paper.

    Parameters
    ----------
    path : Path
        Overwritten; give a temporary file.
    columns : mapping of str to ndarray, shape (n,)
        By the names of the file.
    described : sequence of Column
        Of the same names.
    names : mapping of str to str
        Names of the file by transtar's own.
    metadata : mapping
        `models` and `transtar` of it go into the caption.
    label : str
        By which LaTeX refers to the table, after ``tab:``.

    Raises
    ------
    InputError
        If there are more rows than `MOST_ROWS`.
    """
    ours = {name: columns[spelling] for name, spelling in names.items()}
    units = {name: column.unit for name, column in zip(names, described, strict=True)}
    n = len(next(iter(ours.values())))
    if n > MOST_ROWS:
        raise too_many(str(path))
    shown = _shown(ours)
    cells = [_cells(name, ours) for name in shown]
    heads = [_head(name, names[name]) for name in shown]
    below = [f"({_math(units[name])})" if units[name] not in ("", "dex") else "" for name in shown]
    below = [f"{text} (dex)".strip() if units[name] == "dex" else text for name, text in zip(shown, below, strict=True)]
    printed = {*shown, *(f"{name}_err" for name in shown)}
    rest = [spelling for name, spelling in names.items() if name not in printed]
    head = [r"\toprule", " & ".join(heads) + r" \\", " & ".join(below) + r" \\", r"\midrule"]
    lines = [
        f"{FIRST_LINE} of transtar; \\usepackage{{booktabs,longtable}} in the preamble. Numbers are rounded to their errors.",
        f"% Columns that are not printed: {', '.join(rest) or 'none'}.".replace("\n", " "),
        *(f"% {key}: {value}".replace("\n", " ")[:2000] for key, value in _provenance(metadata).items()),
        rf"\begin{{longtable}}{{{''.join('l' if ours[name].dtype.kind == 'U' else 'r' for name in shown)}}}",
        rf"\caption{{{_caption(n, shown, ours, metadata)}}}\label{{tab:{label}}}\\",
        *head, r"\endfirsthead", *head, r"\endhead", r"\bottomrule", r"\endfoot",
    ]  # fmt: skip
    # In braces: after a line break LaTeX would take a bracket for the start of its option.
    lines += [" & ".join([f"{{{row[0]}}}", *row[1:]]) + r" \\" for row in zip(*cells, strict=True)]
    path.write_text("\n".join([*lines, r"\end{longtable}", ""]), encoding="utf-8")


def too_many(where: str) -> InputError:
    """The error for more rows than a paper can have."""
    return InputError(
        f"{where}: a LaTeX table holds at most {MOST_ROWS} rows; write the whole as .fits or .vot, and a part of it as .tex"
    )


def _provenance(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: metadata[key]
        for key in ("transtar", "models", "model_hashes", "command", "written", "quality")
        if key in metadata
    }


def _shown(ours: Mapping[str, np.ndarray]) -> list[str]:
    """The columns of a paper: who the star is, and its labels with their errors; what says the same in each row is left out."""
    labels = [name for name in ours if name in LABELS]
    keys = [
        name
        for name in ("survey", "id", "star", "file", "desi_survey", "desi_program", "desi_healpix")
        if name in ours and not _same(ours[name])
    ]
    if {"id", "star"} & set(keys) and "file" in keys:
        keys.remove("file")
    others = [name for name in ours if not is_known(name)]
    ranks = [
        name for name in dict.fromkeys((*PLAN_COLUMNS, *SEARCH_COLUMNS)) if name in ours and not _empty(ours[name])
    ]
    rest = [name for name in ("ra", "dec", "velocity", "snr") if name in ours and np.isfinite(ours[name]).any()]
    if not labels:
        # No catalog of labels: a plan, say, or neighbours.
        return list(ours)
    return [*ranks, *keys, *rest[: len(rest) - ("snr" in rest)], *(["snr"] if "snr" in rest else []), *labels, *others,
            *(["flags"] if "flags" in ours else [])]  # fmt: skip


def _same(values: np.ndarray) -> bool:
    return (len(values) > 1 and bool((values == values[0]).all())) or _empty(values)


def _empty(values: np.ndarray) -> bool:
    return bool(np.isin(values.astype(str), ("", "-1")).all())


def _head(name: str, spelling: str) -> str:
    known = describe(name) if is_known(name) else None
    if known is not None and known.display and name not in _SYMBOLS:
        return f"{{{known.display}}}"
    return f"{{{_SYMBOLS.get(name) or escape(spelling)}}}"


def _math(unit: str) -> str:
    """A unit with negative powers, as journals print them."""
    over, _, under = unit.partition("/")
    return rf"{over}\,{under}$^{{-1}}$" if under else over


def _cells(name: str, ours: Mapping[str, np.ndarray]) -> list[str]:
    values = ours[name]
    if values.dtype.kind != "f":
        missing: Callable[[Any], bool] = lambda value: value == "" or (value == -1 and name.endswith("id"))  # noqa: E731
        return [_MISSING if missing(value) else escape(str(value)) for value in values.tolist()]
    errors = ours.get(f"{name}_err", np.full(len(values), np.nan))
    places = _DECIMALS.get(name, decimals(name))
    return [_number(value, error, places) for value, error in zip(values.tolist(), errors.tolist(), strict=True)]


def _number(value: float, error: float, places: int) -> str:
    # Where no error is stated it is 0 or NaN.
    return with_error(value, error if error > 0 else math.nan, places, tex=True) if math.isfinite(value) else _MISSING


def _caption(n: int, shown: Sequence[str], ours: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> str:
    models = metadata.get("models") or []
    by = f" by {', '.join(Path(str(model)).name for model in models)}" if models else ""
    with_errors = any(f"{name}_err" in ours for name in shown)
    told = f"Labels of {n} spectra{by}." if any(name in LABELS for name in shown) else f"{n} rows."
    if (version := metadata.get("transtar")) is not None:
        told += f" transtar {version}."
    return escape(told + (" Errors are 1 sigma." if with_errors else ""))

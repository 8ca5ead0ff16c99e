"""A page of a catalog file: all that ``transtar report`` does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import SettingsError
from ...explain.inspected import Inspected
from ...explain.inspected_files import inspect_files
from ...files import check_files
from .bokeh_figures import require_bokeh
from .interactive_page import write_page

SUFFIXES = (".html", ".htm")


def report_catalog(
    catalog: str | os.PathLike,
    out: str | os.PathLike,
    *,
    data: str | os.PathLike | None = None,
    labels: str | os.PathLike | None = None,
    models: Sequence = (),
    title: str = "",
    **how: Any,
) -> Inspected:
    """Write a page to look into a catalog: one HTML file, which needs no network.

    Parameters
    ----------
    catalog, data, labels, models
        As in `transtar.explain.inspected_files.inspect_files`.
    out : path
        Ends in .html.
    title : str
        Of the page; the name of the catalog's file if empty.
    **how
        Further arguments of `transtar.explain.inspected_files.inspect_files`.

    Returns
    -------
    Inspected
        What the page shows.

    Raises
    ------
    InputError, MismatchError
        As `inspect_files`; or if something of others stands at `out`.
    SettingsError
        As `inspect_files`; or if `out` has another suffix.
    TranstarError
        If Bokeh, which the extra `report` installs, is missing, or the disk is full.

    Examples
    --------
    >>> from transtar.report.interactive import report_catalog
    >>> report_catalog("catalog.parquet", "catalog.html", data="sets/miles", models=["mock-feh"])  # doctest: +SKIP
    """
    if Path(out).suffix.lower() not in SUFFIXES:
        raise SettingsError(f"{out}: a page ends in {' or '.join(SUFFIXES)}")
    require_bokeh()
    paths = [one for one in models if isinstance(one, str | os.PathLike)]
    check_files([out], [catalog, data, labels, how.get("labelled"), *paths])
    inspected = inspect_files(catalog, data, labels, models, **how)
    write_page(inspected, out, title or Path(catalog).name, _summary(inspected, catalog, data, labels))
    return inspected


def _summary(inspected: Inspected, catalog, data, labels) -> str:
    """Of what the page is made."""
    parts = [f"{inspected.n_rows:,} rows of {Path(catalog).name}"]
    if inspected.spectra is not None:
        parts.append(f"{len(inspected.spectra.rows):,} spectra of {Path(data).name}")
    if inspected.evaluation is not None:
        parts.append(f"reference labels of {Path(labels or data).name}")
    return f"{'; '.join(parts)}."

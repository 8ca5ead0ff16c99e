"""What parts of a run have to say in the end, as plain data, and what they say together, as one run would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .flow import Flow, Report


def about_part(flow: Flow, report: Report) -> dict[str, Any]:
    """What is to be kept of a part.

    Parameters
    ----------
    flow : Flow
        Its list of stars has met those of this part alone.
    report : Report
        Of the part.

    Returns
    -------
    dict
        ``n``, ``n_fast``; ``flags``, ``left_out`` and ``velocities``, counts by name; ``stars``, rows of the list that were met
    """
    about = {
        "n": report.n_spectra, "flags": report.flags, "left_out": report.left_out, "velocities": report.velocities,
        "n_fast": report.n_fast,
    }  # fmt: skip
    return about if flow.stars is None else about | {"stars": np.flatnonzero(flow.stars.met).tolist()}


def add_parts(flow: Flow, parts: Iterable[Mapping[str, Any]], report: Report, whole: bool) -> None:
    """Sum parts up.

    Parameters
    ----------
    flow : Flow
        Of the run.
    parts : iterable of dict
        As from `about_part`.
    report : Report
        Is told.
    whole : bool
        Whether these are all parts.

    Raises
    ------
    InputError
        If, in the whole, the stars or the velocities are those of no spectrum.
    """
    if flow.stars is not None:
        flow.stars.met[:] = False
    for part in parts:
        report.n_spectra += part["n"]
        report.n_fast += part["n_fast"]
        for name in ("flags", "left_out", "velocities"):
            counts = getattr(report, name)
            for reason, n in part[name].items():
                counts[reason] = counts.get(reason, 0) + n
        if flow.stars is not None:
            flow.stars.met[part["stars"]] = True
    if whole:
        report.lines += flow.closing_lines(report)

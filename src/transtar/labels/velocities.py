"""Radial velocities of spectra from a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .join import join


@dataclass
class VelocityReport:
    """What a table of velocities had for the spectra looked up so far.

    Parameters
    ----------
    found, missing : int
        Spectra with and without a velocity.
    ambiguous : int
        Those, among the missing, for which rows of the table disagree.
    key : str
        Columns that joined; empty as long as nothing did.
    """

    found: int = 0
    missing: int = 0
    ambiguous: int = 0
    key: str = ""

    def require_match(self, source: str) -> None:
        """Refuse a table that no spectrum at all was found in.

        Raises
        ------
        InputError
        """
        if not self.key:
            raise InputError(
                f"{source}: none of {self.missing} spectra is in this table of velocities, by file, id or star; is it "
                "the right one?"
            )

    def __str__(self) -> str:
        unclear = f" ({self.ambiguous} of them because rows of the table disagree)" if self.ambiguous else ""
        return (
            f"velocities: {self.found} spectra have one in the table (joined by {self.key}), "
            f"{self.missing} have none{unclear}"
        )


def find_velocities(
    table: Mapping[str, np.ndarray],
    *,
    file: np.ndarray,
    ids: np.ndarray,
    star: np.ndarray | None = None,
    keys: Mapping[str, np.ndarray] | None = None,
    report: VelocityReport | None = None,
) -> np.ndarray:
    """Velocity of each spectrum; the keys are those of `join`.

    Parameters
    ----------
    table : mapping of str to ndarray
        As from `read_velocities`.
    file, ids, star, keys
        As in `join`.
    report : VelocityReport, optional
        Is added to.

    Returns
    -------
    ndarray, shape (n_spectra,), float64
        In km/s; NaN where the table has none, or several that disagree.
    """
    report = VelocityReport() if report is None else report
    velocity = np.full(len(ids), np.nan)
    few = near(table, ids)
    try:
        rows, joined = join(few, file=file, ids=ids, labels=("velocity",), star=star, keys=keys, refuse=False)
    except InputError:
        # That a batch of spectra is not in the table is no reason to end a run of many batches.
        pass
    else:
        velocity = np.where(rows >= 0, few["velocity"][rows], np.nan)
        report.ambiguous += joined.ambiguous
        report.key = joined.key
    known = int(np.isfinite(velocity).sum())
    report.found += known
    report.missing += len(velocity) - known
    return velocity


def near(table: Mapping[str, np.ndarray], ids: np.ndarray) -> Mapping[str, np.ndarray]:
    """Rows of a table for the identifiers at hand, if the table can be cut down to them: it may hold a whole survey."""
    if set(table) & {"file", "star"} or "id" not in table or (np.diff(table["id"]) < 0).any():
        return table
    first, last = (np.searchsorted(table["id"], np.unique(ids), side=side) for side in ("left", "right"))
    rows = np.concatenate([np.arange(start, end) for start, end in zip(first, last, strict=True)])
    return {name: values[rows] for name, values in table.items()}

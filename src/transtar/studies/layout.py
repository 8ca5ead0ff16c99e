"""Files and folders of a study: what it writes, and whether it may."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError
from ..files import check_files, read_written
from .study_files import SELECTIONS, SETS, UNIVERSE

RESULTS, PREDICTIONS, MMD, RECORD = "results.csv", "predictions.parquet", "mmd.csv", "study.json"
"""Scores, predictions of test stars, discrepancies of planes, and what reports say beside them."""

STARS, SETTINGS, EXPLAINED = "stars", "settings", "explained"
"""Folders of further tables of stars, of settings, and of landscapes and gradients."""

ENCODERS = "encoders"
"""Folder of the encoders that the study makes itself."""

REST, SPLITS = "rest.parquet", "splits.parquet"
"""Tables of stars: predictions for those of the pool that were not learnt from, and the stars of two splits."""

TYPED_RESULTS = "results.parquet"
"""The same table as results.csv with typed columns, for programs."""

CHOSEN = "chosen"
"""Variant of rows of results that repeat, for each size, the adapter that was chosen beforehand."""

CLOSING, REPORT, INTERACTIVE = "summary.txt", "report.html", "interactive.html"
"""What was done and learnt in a few lines, the report, and the page to look into."""

DRAWN = (TYPED_RESULTS, REPORT, CLOSING, INTERACTIVE, "tables", "figures")
"""Files and folders that are drawn from results."""

WRITTEN = (RESULTS, PREDICTIONS, MMD, RECORD, STARS, SETTINGS, *DRAWN)
"""Files and folders of results, and what is drawn from them."""


def check_out(out: Path, inputs: Iterable[str | Path] = (), written: Iterable[str] = WRITTEN) -> None:
    """Refuse a folder in which somebody else's files have the names of a study's results: they would be lost.

    Parameters
    ----------
    out : path
    inputs : iterable of path, optional
        What the command reads, and must not write over: the study file.
    written : iterable of str, optional
        Names of the files and folders in `out` that are to be written; by default all of a study.

    Raises
    ------
    InputError
        If `out` is a file or cannot be written, or such a file is not the study's or has been changed since.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, not a folder for a study")
    for name in (SETS, UNIVERSE, SELECTIONS, "runs", "models", ENCODERS, EXPLAINED, *WRITTEN):
        if (out / name).is_symlink() and not (out / name).is_file():
            # Whoever made the folder may have meant to write elsewhere.
            raise InputError(f"{out / name}: is a link; a study writes into its own folder only: give another --out")
    # All at once, so that nobody has to try again for each; without the list of an earlier run all that lies there is in doubt.
    written = tuple(written)
    files = [out / name for name in written if "." in name]
    for name in written:
        if "." not in name and (out / name).is_dir():
            known = read_written(out / name)
            unlisted = not known and (out / "runs").is_dir()
            others = [path.name for path in (out / name).iterdir() if unlisted and path.is_file()]
            files += [out / name / file for file in (*known, *sorted(others)) if not file.startswith(".")]
    check_files(files, inputs)

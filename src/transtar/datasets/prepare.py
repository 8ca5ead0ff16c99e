"""From native files to a prepared set on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import InputError, SettingsError
from ..flags import count
from ..labels import (
    LABELS,
    StarList,
    VelocityReport,
    join,
    look_up,
    match_spectra,
    read_labels,
    read_split,
    read_velocities,
    table_positions,
)
from ..labels.positions import check_radius
from ..preprocess import GridSpectra, Preprocessing, too_fast
from ..spectra import SpectrumBatch
from ..surveys import Stated, Survey, find_files, find_star_files, stream
from ..tables import Choice
from ..telling import tell
from .defaults import default_settings, fast_line, require_fit, require_moving
from .flow import grid_spectra
from .set_files import SPLITS, SetWriter


@dataclass
class PrepareReport:
    """What became of the spectra.

    Parameters
    ----------
    n_spectra : int
    skipped : list of (str, str)
        Files that could not be used, and why.
    flags : dict of str to int
        How many spectra carry each flag.
    labels : dict of str to int
        How many spectra have each label.
    lines : list of str
        What the joins found, each a line to show.
    left_out : dict of str to int
        Rows of the files that are no spectra of targets, by reason.
    """

    n_spectra: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    flags: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)


def prepare(
    survey: Survey,
    paths,
    out,
    settings: Preprocessing | None = None,
    *,
    labels=None,
    split=None,
    velocities=None,
    stars=None,
    match_radius: float | None = None,
    columns: Mapping[str, str] | None = None,
    stated: Stated | None = None,
    batch_size: int = 512,
    threads: int | None = None,
    on_skip: Callable[[str, str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PrepareReport:
    """Read native files, preprocess them, join labels and split, and write a prepared set.

    Parameters
    ----------
    survey : Survey
    paths : path or iterable of paths
        Files, folders or patterns.
    out : path
        Folder of the prepared set.
    settings : Preprocessing, optional
        The survey's own if not given (see `default_settings`).
    labels, split : path, optional
        Tables with ``file``, ``id`` or ``star``, and labels or ``split`` ('pool' or 'test'). Without `split` every row
        is 'pool'.
    velocities : str, optional
        ``FILE`` or ``FILE:COLUMN``, radial velocities in km/s that replace the survey's.
    stars : path, optional
        Table of the stars that are wanted. Others are passed over, and so are files that hold none of them as far as the survey
        can tell (see `transtar.surveys.find_star_files`).
    match_radius : float, optional
        In arcsec: labels are joined by position, not by file, identifier or star (see `transtar.labels.match_spectra`). The table
        then needs ra and dec, and no key.
    columns : mapping of str to str, optional
        Which column of the tables is which, where names do not tell: ``{"feh": "FE_H"}`` (see `transtar.labels.read_labels`).
    stated : Stated, optional
        What the files do not say of themselves: medium, frame and unit of their wavelengths, and which of their columns is which.
    batch_size : int
        Spectra in memory at a time.
    threads : int, optional
        All processors if not given.
    on_skip : callable, optional
        Called with file and reason for each file that cannot be used. The run goes on without it.
    progress : callable, optional
        Called with the number of spectra done and the number of files.

    Returns
    -------
    PrepareReport

    Raises
    ------
    InputError
        If no file can be used, or a table is unusable or matches no spectrum.
    SettingsError
        If the radius is none, or the survey's spectra are too coarse for the grid.
    """
    settings = settings or default_settings(survey)
    require_fit(survey, settings)
    report = PrepareReport()
    stated = stated or Stated()
    require_moving(stated, velocities)
    survey = survey.stating(replace(stated, columns=stated.columns or columns or {}))
    # Tables are read first: a misspelt column should not cost an hour of reading spectra.
    if match_radius is not None and labels is None:
        raise SettingsError("match_radius: there are no labels to match")
    how: dict[str, Any] = {"columns": columns, "ids": survey.id_columns}
    table = None if labels is None else read_labels(labels, keyless=match_radius is not None, **how)
    names = [] if table is None else [name for name in LABELS if name in table]
    theirs = None
    if table is not None and match_radius is not None:
        check_radius(match_radius)
        theirs = table_positions(table.columns, str(labels))
    split_table = None if split is None else read_split(split, **how)
    velocity_table = None if velocities is None else read_velocities(velocities, **how)
    wanted = None if stars is None else StarList.read(stars, **how)
    tables = [table for table in (labels, split, velocities, stars) if table is not None]
    if isinstance(columns, Choice):
        columns.require_used(tables, survey.columns_of_spectra)

    def skip(path: Path, message: str) -> None:
        report.skipped.append((str(path), message))
        if on_skip is not None:
            on_skip(str(path), message)

    def leave_out(_: Path, counts: dict[str, int]) -> None:
        for reason, n in counts.items():
            report.left_out[reason] = report.left_out.get(reason, 0) + n

    files = find_files(survey, paths) if wanted is None else find_star_files(survey, paths, wanted.table, skip)
    provenance = {
        "transtar": __version__,
        "survey": survey.name,
        "spectra": [str(path) for path in ([paths] if isinstance(paths, str | Path) else paths)],
        "labels": None if labels is None else str(labels),
        "split": None if split is None else str(split),
        "velocities": None if velocities is None else str(velocities),
        "stars": None if stars is None else str(stars),
        "match_radius": match_radius,
        **({"stated": stated.as_dict()} if stated.as_dict() else {}),
    }
    with SetWriter(out, settings, provenance) as writer:
        done = 0
        keys: dict[str, None] = {}
        velocity_report = VelocityReport()
        n_fast = 0
        batches = stream(
            survey,
            files,
            batch_size,
            on_error=skip,
            on_left_out=leave_out,
            keep=None if wanted is None else wanted.wanted,
        )
        for batch, spectra in grid_spectra(
            batches,
            survey,
            settings,
            velocity_table=velocity_table,
            velocity_report=velocity_report,
            threads=threads,
            on_error=skip,
        ):
            n_fast += too_fast(batch, settings)
            writer.append(spectra, star_columns(batch, spectra))
            keys |= dict.fromkeys(batch.keys)
            done += len(batch)
            if progress is not None:
                progress(done, len(files))
        if wanted is not None:
            wanted.require_match()
            report.lines.append(str(wanted))
        if not done:
            why = f"; the first: {report.skipped[0][1]}" if report.skipped else ""
            if report.left_out:
                why += f"; rows left out: {', '.join(f'{n} {reason}' for reason, n in report.left_out.items())}"
            raise InputError(f"none of the {len(files)} files could be used{why}")
        if isinstance(columns, Choice):
            columns.require_used([*tables, *files[:1]])
        found = writer.columns()
        if velocity_table is not None:
            velocity_report.require_match(str(velocities))
            report.lines.append(str(velocity_report))
        report.lines += fast_line(n_fast)
        if theirs is not None and match_radius is not None:
            rows, line = match_spectra(theirs, found, survey.name, match_radius, Path(labels).name)
            found.update(_found(table, names, rows))
            report.lines.append(line)
        else:
            found.update(_labels(found, table, names, tuple(keys), report))
        found["split"] = _split(found, split_table, tuple(keys))
        writer.finish(found, names)
    report.n_spectra = done
    report.flags = count(found["flags"])
    tell_no_velocities(survey, report.flags, done)
    report.labels = {name: int(np.isfinite(found[name]).sum()) for name in names}
    return report


def tell_no_velocities(survey: Survey, flags: Mapping[str, int], n: int) -> None:
    """Tell what to do where none of `n` spectra has a velocity, by the counts of flags."""
    if n and flags.get("NO_VELOCITY", 0) == n:
        rest = " or, if the wavelengths are at rest, --frame rest" if survey.read_stated is not None else ""
        tell(f"no spectrum has a velocity, which the rest frame needs: give --velocities FILE:COLUMN{rest}")


def star_columns(batch: SpectrumBatch, spectra: GridSpectra) -> dict[str, np.ndarray]:
    """What is known of each spectrum besides its flux."""
    return {
        "file": batch.meta["file"].astype(str),
        "id": batch.ids,
        "survey": np.full(len(batch), batch.survey),
        **{name: column for name, column in batch.meta.items() if name not in ("file", "survey_flags")},
        "snr": spectra.snr,
        "good_fraction": spectra.good_fraction,
        "flags": spectra.flags,
    }


def _labels(columns, table, names, keys: tuple[str, ...], report: PrepareReport) -> dict[str, np.ndarray]:
    if table is None:
        return {}
    rows, joined = join(
        table,
        file=columns["file"],
        ids=columns["id"],
        labels=names,
        star=columns.get("star"),
        keys={key: columns[key] for key in keys},
    )
    report.lines.append(f"labels: {joined}")
    return _found(table, names, rows)


def _found(table, names, rows: np.ndarray) -> dict[str, np.ndarray]:
    found = {}
    for name in [*names, *(f"{name}_err" for name in names if f"{name}_err" in table)]:
        found[name] = np.where(rows >= 0, table[name][rows], np.nan)
    return found


def _split(columns, table, keys: tuple[str, ...]) -> np.ndarray:
    if table is None:
        return np.full(len(columns["file"]), SPLITS[0])
    split = look_up(
        table,
        "split",
        file=columns["file"],
        ids=columns["id"],
        fill="",
        star=columns.get("star"),
        keys={key: columns[key] for key in keys},
    )
    # A star the split does not name is in neither part: nothing learns from it and nothing is measured on it.
    return np.where(split == "", "none", split)

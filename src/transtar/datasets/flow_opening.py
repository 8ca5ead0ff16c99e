"""Opening a flow: what the user says of a run is checked, its tables are read, and its files are found, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..checks import MOST_WORKERS, check_whole
from ..labels import StarList, read_velocities
from ..preprocess import Preprocessing
from ..quality import Quality
from ..surveys import Stated, Survey, find_files, find_star_files, get_survey
from ..tables import Choice
from .defaults import default_quality, default_settings, require_fit, require_moving
from .flow import Flow
from .velocity_source import MEASURE, FromTable, Measured, given_table


def open_flow(
    survey: Survey | str,
    paths,
    settings: Preprocessing | None = None,
    *,
    quality: Quality | Mapping[str, float] | None = None,
    stars=None,
    velocities=None,
    columns: Mapping[str, str] | None = None,
    stated: Stated | None = None,
    batch_size: int = 512,
    threads: int | None = None,
    tables: Sequence[Any] = (),
    files: Sequence[Path] | None = None,
) -> Flow:
    """Find the files of a run and read the tables that it needs; no spectrum is read yet.

    Parameters
    ----------
    survey : Survey or str
    paths : path or iterable of paths
        Files, folders or patterns.
    settings : Preprocessing, optional
        The survey's own if not given (see `default_settings`).
    quality : Quality, or mapping of str to float, optional
        Thresholds of the flags; those that a mapping does not name are the defaults.
    stars : path, optional
        Table of the stars that are wanted. Others are passed over, and so are files that hold none of them as far as the survey
        can tell (see `transtar.surveys.find_star_files`).
    velocities : str, optional
        ``FILE`` or ``FILE:COLUMN``, radial velocities in km/s that replace the survey's; or ``measure``, to have them measured
        in the spectra (see `transtar.velocity.measure_velocities`).
    columns : mapping of str to str, optional
        Which column of the tables is which, where names do not tell: ``{"feh": "FE_H"}``.
    stated : Stated, optional
        What the files do not say of themselves: medium, frame and unit of their wavelengths, and which of their columns is which.
    batch_size : int
        Spectra in memory at a time; twice as many while others are read ahead.
    threads : int, optional
        All processors if not given.
    tables : sequence of path
        Those that the caller has read with the same `columns`.
    files : sequence of Path, optional
        Those of `paths`, where they have been found before.

    Returns
    -------
    Flow

    Raises
    ------
    InputError
        If a path does not exist, no file is there, or a table is unusable.
    SettingsError
        If the survey is unknown, its spectra are too coarse for the grid, or what is said of them contradicts itself.
    """
    check_whole(batch_size, "batch_size")
    if threads is not None:
        check_whole(threads, "threads", 1, MOST_WORKERS)
    survey = get_survey(survey)
    settings = settings or default_settings(survey)
    require_fit(survey, settings)
    thresholds = quality if isinstance(quality, Quality) else default_quality(survey).changed(quality or {})
    stated = stated or Stated()
    require_moving(stated, velocities)
    survey = survey.stating(replace(stated, columns=stated.columns or columns or {}))
    # Tables are read first: a misspelt column should not cost an hour of looking for files.
    how: dict[str, Any] = {"columns": columns, "ids": survey.id_columns}
    source: Callable[[], FromTable | Measured] | None = None
    if velocities == MEASURE:
        source = partial(Measured, survey, threads, settings)
    elif velocities is not None:
        source = partial(FromTable, read_velocities(velocities, **how), str(velocities))
    wanted = None if stars is None else StarList.read(stars, **how)
    tables = [*tables, *(table for table in (given_table(velocities), stars) if table is not None)]
    if isinstance(columns, Choice):
        columns.require_used(tables, survey.columns_of_spectra)
    absent: list[tuple[Path, str]] = []
    if files is not None:
        pass
    elif wanted is None:
        files = find_files(survey, paths)
    else:
        files = find_star_files(survey, paths, wanted.table, lambda *told: absent.append(told))
    return Flow(
        survey, files, settings, thresholds, wanted, source, columns or {}, tables, absent, batch_size, threads,
    )  # fmt: skip

"""From native files to a prepared set on disk."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, SettingsError
from ..flags import Flag, count
from ..labels import LABELS, join, look_up, match_spectra, read_labels, read_split, table_positions
from ..labels.positions import check_radius
from ..preprocess import Preprocessing
from ..progress import followed
from ..quality import Quality
from ..seal import file_hash
from ..shards import Shards, remove_shards, require_done, table_file, whole_path
from ..surveys import Stated, Survey, get_survey
from ..version import __version__
from .defaults import tell_no_velocities
from .flow import Flow, Report
from .flow_opening import open_flow
from .gridding import key_name, star_columns
from .making import Without, makings
from .prepare_shards import Prepared, make_shards, read_shards
from .repeats import Repeats
from .set_files import SPLITS, SetWriter
from .velocity_source import given_table

if TYPE_CHECKING:
    from ..encoders.registry import AnyEncoder


@dataclass
class PrepareReport(Report):
    """What became of the spectra of a run that made a prepared set; the other fields are those of `Report`.

    Parameters
    ----------
    labels : dict of str to int
        How many spectra have each label.
    """

    labels: dict[str, int] = field(default_factory=dict)


def prepare(
    survey: Survey | str,
    paths,
    out,
    settings: Preprocessing | None = None,
    *,
    quality: Quality | Mapping[str, float] | None = None,
    labels=None,
    split=None,
    velocities=None,
    stars=None,
    match_radius: float | None = None,
    columns: Mapping[str, str] | None = None,
    stated: Stated | None = None,
    inputs: Iterable[AnyEncoder | str | os.PathLike] = (),
    batch_size: int = 512,
    threads: int | None = None,
    on_skip: Callable[[str, str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    shards: Shards | None = None,
) -> PrepareReport:
    """Read native files, preprocess them, join labels and split, and write a prepared set.

    Parameters
    ----------
    survey : Survey or str
    paths : path or iterable of paths
        Files, folders or patterns.
    out : path
        Folder of the prepared set.
    settings : Preprocessing, optional
        By default those of the survey (see `default_settings`).
    quality : Quality, or mapping of str to float, optional
        Thresholds of the flags; those that a mapping does not name are the defaults.
    labels, split : path, optional
        Tables with ``file``, ``id`` or ``star``, and labels or ``split`` ('pool' or 'test'). Without `split` every row
        is 'pool'.
    velocities : str, optional
        ``FILE`` or ``FILE:COLUMN``, radial velocities in km/s that replace the survey's; or ``measure``, to have them measured
        in the spectra (see `transtar.velocity.measure_velocities`).
    stars : path, optional
        Table of the stars that are wanted. Others are skipped, and so are files that contain none of them, as far as the
        survey can tell (see `transtar.surveys.find_star_files`).
    match_radius : float, optional
        In arcsec: labels are joined by position, not by file, identifier or star (see `transtar.labels.match_spectra`). The table
        then needs ra and dec, and no key.
    columns : mapping of str to str, optional
        Which column of the tables is which, if their names do not say: ``{"feh": "FE_H"}`` (see
        `transtar.labels.read_labels`).
    stated : Stated, optional
        What the files do not say about themselves: medium, frame and unit of their wavelengths, and which of their columns
        is which.
    inputs : iterable of Encoder, OutsideEncoder, name or path
        Encoders and registered inputs that add further inputs to the set while the spectra are read, including those of
        native spectra. For all others, `embed_set` does so later.
    batch_size : int
        Spectra in memory at a time; twice as many while others are read ahead.
    threads : int, optional
        All processors if not given.
    on_skip : callable, optional
        Called with file and reason for each file that cannot be used. The run goes on without it.
    progress : callable, optional
        Called with the number of spectra done and the number of files.
    shards : Shards, optional
        Prepare spectra in shards, by several processes or jobs; the same call resumes where it stopped, and the last part
        makes the set. Further `inputs` are then given by name or folder.

    Returns
    -------
    PrepareReport
        Has no spectra as long as shards are left to other parts.

    Raises
    ------
    InputError
        If no file can be used, a table is unusable or matches no spectrum, or an input cannot be made.
    MismatchError
        If an encoder needs spectra that are prepared differently.
    SettingsError
        If the radius is not a positive number, or the survey's spectra are too coarse for the grid.

    Examples
    --------
    >>> import transtar as ts
    >>> report = ts.prepare("miles", "miles/spectra", "sets/again", labels="miles/labels.csv")
    >>> report.n_spectra
    30
    """
    survey = get_survey(survey)
    # Tables are read first: a misspelt column should not cost an hour of reading spectra.
    if match_radius is not None and labels is None:
        raise SettingsError("match_radius: there are no labels to match")
    how: dict[str, Any] = {"columns": columns, "ids": survey.id_columns}
    table = None if labels is None else read_labels(labels, keyless=match_radius is not None, **how)
    names = [] if table is None else [name for name in LABELS if name in table]
    positions = None
    if table is not None and match_radius is not None:
        check_radius(match_radius)
        positions = table_positions(table.columns, str(labels))
    split_table = None if split is None else read_split(split, **how)
    flow = open_flow(
        survey, paths, settings, quality=quality, stars=stars, velocities=velocities, columns=columns, stated=stated,
        batch_size=batch_size, threads=threads, tables=[name for name in (labels, split) if name is not None],
    )  # fmt: skip
    made = makings([inputs] if isinstance(inputs, str | os.PathLike) else inputs, flow.settings)
    provenance = {
        "transtar": __version__,
        "survey": survey.name,
        "spectra": [str(path) for path in ([paths] if isinstance(paths, str | Path) else paths)],
        "labels": None if labels is None else str(labels),
        "split": None if split is None else str(split),
        "velocities": None if velocities is None else str(velocities),
        "stars": None if stars is None else str(stars),
        "match_radius": match_radius,
        "quality": flow.quality.to_dict(),
        **({"stated": stated.as_dict()} if stated is not None and stated.as_dict() else {}),
    }
    report = PrepareReport()
    keys: dict[str, None] = {}
    # Reading in a thread may leave the filters of warnings changed; they become the caller's again.
    notes = {one.name: one.provenance for one in made}
    without = {one.name: Without(grid=flow.settings.grid) for one in made}
    folder = None
    if shards is None:
        prepared = _prepared(flow, made, report, keys, on_skip, progress)
    else:
        given = {"survey": survey, "stars": whole_path(stars), "velocities": whole_path(velocities), "stated": stated}
        listed = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
        wanted = [whole_path(one) if isinstance(one, str | os.PathLike) else one for one in listed]
        folder = make_shards(shards, Path(out), flow, wanted, _decides(flow, provenance, notes), given)
        if line := require_done(folder, Path(out)):
            report.lines.append(line)
            return report
        prepared = read_shards(folder, flow, report, keys, on_skip)
    with warnings.catch_warnings(), SetWriter(out, flow.settings, provenance, notes) as writer:
        for spectra, of_stars, further in prepared:
            for name, (usable, values) in further.items():
                without[name].add(usable, values)
            writer.append(spectra, of_stars, {name: values for name, (_, values) in further.items()})
        if not report.n_spectra:
            why = f"; the first: {report.skipped[0][1]}" if report.skipped else ""
            if report.left_out:
                why += f"; rows left out: {', '.join(f'{n} {reason}' for reason, n in report.left_out.items())}"
            raise InputError(f"none of the {len(flow.files)} files could be used{why}")
        report.lines += [line for name, counts in without.items() if (line := counts.line(name))]
        known = writer.columns()
        known["flags"][Repeats().mark(known)] |= Flag.DUPLICATE
        if positions is not None and match_radius is not None:
            rows, line = match_spectra(positions, known, survey.name, match_radius, Path(labels).name)
            known.update(_labels_at(table, names, rows))
            report.lines.append(line)
        else:
            known.update(_labels(known, table, names, tuple(keys), report))
        known["split"] = _split(known, split_table, tuple(keys))
        writer.finish(known, names)
    if folder is not None:
        remove_shards(folder)
    report.flags = count(known["flags"])
    tell_no_velocities(flow.survey, report.flags, report.n_spectra, velocities)
    report.labels = {name: int(np.isfinite(known[name]).sum()) for name in names}
    return report


def _prepared(flow: Flow, made, report: Report, keys: dict[str, None], on_skip, progress) -> Iterator[Prepared]:
    """Spectra as they are read and prepared, batch by batch."""
    with followed(progress, "prepare") as moved:
        for batch, spectra in flow.batches(report, on_skip=on_skip, progress=moved):
            further = {one.name: (one.can(spectra), one.make(batch, spectra)) for one in made}
            keys |= dict.fromkeys(batch.keys)
            yield spectra, star_columns(batch, spectra), further


def _decides(flow: Flow, provenance: Mapping[str, Any], notes: Mapping[str, Any]) -> dict[str, Any]:
    """All that decides the spectra of a set; labels and split are joined in the end."""
    wanted = ("transtar", "survey", "velocities", "stars", "quality", "stated")
    tables = [given_table(provenance["velocities"]), provenance["stars"]]
    return {
        "verb": "prepare",
        **{name: provenance.get(name) for name in wanted},
        "preprocessing": flow.settings.hash,
        "columns": dict(flow.columns),
        "tables": [file_hash(table_file(table)) for table in tables if table is not None],
        "inputs": notes,
        "batch_size": flow.batch_size,
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
        keys={key: columns[key_name(key, keys)] for key in keys},
    )
    report.lines.append(f"labels: {joined}")
    return _labels_at(table, names, rows)


def _labels_at(table, names, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Labels and their errors at rows of a table, NaN where a row is negative."""
    wanted = [*names, *(f"{name}_err" for name in names if f"{name}_err" in table)]
    return {name: np.where(rows >= 0, table[name][rows], np.nan) for name in wanted}


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
        keys={key: columns[key_name(key, keys)] for key in keys},
    )
    # A star the split does not name is in neither part: nothing learns from it and nothing is measured on it.
    return np.where(split == "", "none", split)

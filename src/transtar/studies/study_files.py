"""What a study starts from: its mock universe, its selections, its prepared sets; each made once and found again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets import SetWriter, given_table, prepare, star_columns
from ..errors import InputError, SettingsError
from ..files import atomic_folder, content_hash, read_json
from ..preprocess import Preprocessing
from ..progress import progress_bar
from ..quality import MOVED, Quality
from ..simulate.mocks.line_correction import load_lines
from ..simulate.mocks.mock_sets import MockSettings, mock_batches, mock_settings
from ..skipped import Skipped
from ..surveys import Stated, get_survey
from ..tables import Choice
from ..train.settings import plain
from .sample import PlaneSample, Sample, UnlabelledSample
from .spec import Study, data_path

UNIVERSE, SELECTIONS, SETS = "universe", "selections", "sets"
"""Folders of a study; file names in a study file that begin with the first two mean them."""

MOCK = "mock"
"""Name of the survey that mock stars to learn from are of."""

Say = Callable[[str], None]


def universe_of(study: Study):
    """Settings of the universe that a study simulates, or None.

    Raises
    ------
    SettingsError
        If one is unknown or impossible.
    """
    if study.simulate is None:
        return None
    from ..simulate.universe.universe_settings import universe_settings

    changes = dict(study.simulate)
    return universe_settings(changes.pop("scale", "small"), changes.pop("seed", 0), changes)


def check_inputs(study: Study, out: Path) -> None:
    """Find impossible settings and missing files before hours are spent.

    Raises
    ------
    SettingsError
        If a setting of the simulation or of a selection is impossible, or a name refers to a selection that is not made.
    InputError
        If a file is missing.
    """
    universe_of(study)
    for name in study.selections:
        _selection(study, name)
    for name in study.catalogs:
        _catalog(name, study, out)
    for sample in samples_of(study):
        check_sample(sample, study, out)
    if study.subset is not None:
        for name in filter(None, (study.subset.stars, study.subset.plane)):
            locate(name, study, out)


def check_sample(sample: Sample, study: Study, out: Path) -> None:
    """Find missing files of a sample, and impossible settings of mock stars.

    Raises
    ------
    TranstarError
    """
    if sample.mock is not None and (lines := mock_settings(sample.mock).lines) is not None:
        load_lines(lines)
    if not (set_folder(sample, study, out) / "set.json").is_file():
        for name in _names(sample):
            locate(name, study, out)


def samples_of(study: Study) -> list[Sample]:
    """Source, target and, where there are such, plane and stars to learn lines on."""
    others = [sample for sample in (study.plane, study.lines) if sample is not None]
    return [study.source, *study.sources.values(), study.target, *others]


def locate(name: str, study: Study, out: Path) -> str:
    """Full name of a file of a study, with the ``:COLUMN`` that it may end in.

    Raises
    ------
    SettingsError
        If it refers to a selection that the study does not make.
    InputError
        If it belongs into the data folder and is not there.
    """
    first, _, rest = name.partition("/")
    if first == UNIVERSE and study.simulate is not None:
        return str(out / name)
    if first == SELECTIONS and study.selections:
        table, colon, column = rest.partition(":")
        if table not in study.selections:
            raise SettingsError(f"study: no selection '{table}'; selections: {', '.join(study.selections)}")
        return f"{selection_folder(study, table, out) / table}.parquet{colon}{column}"
    path, colon, column = name.rpartition(":")
    if colon and "/" not in column and path:
        return f"{data_path(path)}:{column}"
    return data_path(name)


def make_inputs(study: Study, out: Path, workers: int | None, say: Say) -> None:
    """Simulate the universe and make the selections, unless that was done before with the same settings.

    Raises
    ------
    TranstarError
        If a universe of other settings stands there, the disk is full, or a selection leaves no star.
    """
    universe = universe_of(study)
    if universe is not None:
        from ..simulate.universe.universe import simulate_universe

        say(f"mock universe in {out / UNIVERSE}")
        simulate_universe(out / UNIVERSE, universe, workers=workers, say=say)
    for name in study.selections:
        folder = selection_folder(study, name, out)
        if not folder.is_dir():
            _select(study, name, folder, out, say)


def selection_folder(study: Study, name: str, out: Path) -> Path:
    """Folder of a selection's table and counts, named by all that decides them but the content of the catalogs."""
    chain = {}
    for other, settings in study.selections.items():
        chain[other] = settings
        if other == name:
            break
    return out / SELECTIONS / f"{name}-{content_hash([chain, study.catalogs, study.simulate])}"


def selection_title(study: Study, name: str) -> str:
    """Title and source of a selection."""
    selection = _selection(study, name)
    return f"{selection.title} ({selection.source})"


def _selection(study: Study, name: str):
    from ..selections import load_selection

    return load_selection(name, study.selections[name] or {})


def _select(study: Study, name: str, folder: Path, out: Path, say: Say) -> None:
    from ..report.selection import write_selection
    from ..selections import select

    selection = _selection(study, name)
    earlier = list(study.selections)[: list(study.selections).index(name)]
    tables = [locate(f"{SELECTIONS}/{other}", study, out) for other in earlier]
    with_split = [table for table, other in zip(tables, earlier, strict=True) if has_split(study, other)]
    catalogs = [*(_catalog(path, study, out) for path in study.catalogs), *with_split]
    selected = select(selection, catalogs)
    split = selected.columns.get("split")
    counts = "" if split is None else f" ({', '.join(f'{(split == part).sum()} {part}' for part in ('pool', 'test'))})"
    say(f"selection {name}: {len(selected)} rows{counts}")
    with atomic_folder(folder, files=(f"{name}.parquet", f"{name}-cuts.*")) as temporary:
        write_selection(selected, temporary / f"{name}.parquet", name, catalogs)


def _catalog(name: str, study: Study, out: Path) -> str:
    """A file or folder of catalogs, with the ``KIND=`` that it may begin with."""
    kind, equals, path = name.rpartition("=")
    return f"{kind}{equals}{locate(path, study, out)}"


def has_split(study: Study, name: str) -> bool:
    """Whether a selection of the study tells pool from test stars."""
    return bool(_selection(study, name).split)


def set_folder(sample: Sample, study: Study, out: Path) -> Path:
    """Folder of a prepared set, named by all that decides it but the content of the data folder."""
    settings = Preprocessing.from_dict(study.preprocessing)
    given = {name: value for name, value in sample.__dict__.items() if name not in ("reference", "truth", "keep")}
    for name in ("columns", "medium", "frame", "unit"):
        # Sets of studies that say nothing of these keep their names.
        if not given[name]:
            del given[name]
    further: dict[str, Any] = {"plane": True} if isinstance(sample, PlaneSample) else {}
    if sample.mock is not None:
        further["mock"] = plain(mock_settings(sample.mock))
    for name in _names(sample):
        first = name.partition("/")[0]
        if first == UNIVERSE and study.simulate is not None:
            further[name] = content_hash(study.simulate)
        elif first == SELECTIONS and study.selections:
            further[name] = Path(locate(name, study, out)).parent.name
    quality = Quality.from_dict(study.quality)
    # Thresholds of flags were settings of the preprocessing once: sets keep their names.
    decisive = settings.to_dict() | {name: getattr(quality, name) for name in MOVED}
    if quality.hot != Quality().hot:
        further["hot"] = quality.hot
    return out / SETS / f"{sample.survey}-{content_hash([given, further, decisive])}"


def prepared_set(sample: Sample, study: Study, out: Path, say: Say) -> Path:
    """Prepare a sample unless that was done before with the same settings; returns the folder of the set.

    The stars of a plane get no labels, so that nothing can learn from them, nor do those that an encoder learns from.
    """
    folder = set_folder(sample, study, out)
    if (folder / "set.json").is_file():
        _check_origin(folder, sample)
        return folder
    if sample.mock is not None:
        _mock_set(mock_settings(sample.mock), folder, study, say)
        return folder
    say(f"preparing {sample.survey} from {sample.spectra}")
    unlabelled = isinstance(sample, PlaneSample | UnlabelledSample)
    labels = None if unlabelled else locate(sample.labels, study, out)
    table = given_table(sample.velocities)
    with (
        Skipped(say) as skipped,
        progress_bar(unit="spectra", desc=f"prepare {sample.survey}") as bar,
    ):

        def progress(done: int, total: int) -> None:
            bar.total = max(total, done)
            bar.update(done - bar.n)

        report = prepare(
            get_survey(sample.survey),
            locate(sample.spectra, study, out),
            folder,
            Preprocessing.from_dict(study.preprocessing),
            quality=Quality.from_dict(study.quality),
            labels=labels,
            split=None if sample.split is None else locate(sample.split, study, out),
            velocities=sample.velocities if table is None else locate(table, study, out),
            stars=None if sample.stars is None else locate(sample.stars, study, out),
            columns=Choice(sample.columns),
            stated=Stated(sample.medium or "", sample.frame or "", sample.unit or ""),
            on_skip=skipped.add,
            progress=progress,
        )
    for line in report.lines:
        say(line)
    return folder


def _check_origin(folder: Path, sample: Sample) -> None:
    """Refuse a set that somebody else has put there: its origin would have files read that the study does not name.

    Raises
    ------
    InputError
    """
    description = read_json(folder / "set.json")
    origin = description.get("provenance") if isinstance(description, dict) else None
    wanted = None if sample.mock is None else plain(mock_settings(sample.mock))
    if not isinstance(origin, dict) or origin.get("mock") != wanted:
        raise InputError(f"{folder}: was not made by this study; delete it, or give another --out")


def _mock_set(settings: MockSettings, folder: Path, study: Study, say: Say) -> None:
    from ..simulate import load_emulator

    preprocessing, quality = Preprocessing.from_dict(study.preprocessing), Quality.from_dict(study.quality)
    provenance = {"mock": plain(settings), "quality": quality.to_dict()}
    say(f"observing {settings.stars} mock stars")
    names: tuple[str, ...] = ()
    with (
        SetWriter(folder, preprocessing, provenance) as writer,
        progress_bar(total=settings.stars, unit="star", desc="observe") as bar,
    ):
        for batch, spectra, labels in mock_batches(settings, load_emulator(), preprocessing, quality):
            names = tuple(labels)
            known = star_columns(replace(batch, survey=MOCK), spectra)
            writer.append(spectra, {name: column for name, column in known.items() if column.ndim == 1} | labels)
            bar.update(len(batch))
        columns = writer.columns()
        writer.finish(columns | {"split": np.full(len(columns["id"]), "pool")}, names)


def _names(sample: Sample) -> list[str]:
    """File names of a sample, in the order in which they are looked for."""
    names = [sample.spectra, sample.labels, sample.split, given_table(sample.velocities), sample.stars]
    if isinstance(sample, PlaneSample):
        names += [sample.reference, sample.truth]
    return [name for name in names if name]

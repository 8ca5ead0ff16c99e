"""What the tables of a study must hold, found before a spectrum is read: labels, stars to learn from, stars to be judged on.

Tables of selections are not there yet when this is asked; of them only what their settings tell is checked. `sizes` looks again,
with the stars that could be used.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError, SettingsError
from ..labels import read_labels, read_split
from ..surveys import get_survey
from .pipeline import read_table as read_with_pipeline
from .sample import Sample
from .spec import Study
from .study_files import SELECTIONS, UNIVERSE, has_split, locate, set_folder


def check_contents(study: Study, out: Path, where: str) -> None:
    """Refuse labels that no table has, sizes that no pool has, and splits without test stars.

    Parameters
    ----------
    study : Study
    out : Path
        Of the study; nothing in it need exist.
    where : str
        The study or variant, for messages.

    Raises
    ------
    InputError
        If a table cannot be read, or no star of it has a label that is needed.
    SettingsError
        If there are fewer stars in the pool than a size asks for, or no test stars.
    """
    for model, labels in study.models.items():
        name = f"sources.{model}" if model in study.sources else "source"
        sample = study.sources.get(model, study.source)
        if (absent := _absent(sample, study, out, labels)) and len(absent) == len(labels):
            raise InputError(
                f"{where}: {name}.labels: no star of {sample.labels} has {' or '.join(absent)}, which {model} learns"
            )
        if (absent := _absent(study.target, study, out, labels)) and len(absent) == len(labels):
            table = study.target.labels
            raise InputError(
                f"{where}: target.labels: no star of {table} has {' or '.join(absent)}, by which {model} is judged"
            )
    if absent := _absent(study.target, study, out, _of_experiments(study)):
        table, survey = study.target.labels, study.target.survey
        raise InputError(f"{where}: {table}: experiments need the label {' and '.join(absent)} of {survey}")
    if study.pipeline and (path := _there(study.target.labels, study, out)) is not None:
        read_with_pipeline(path, study.pipeline)
    _check_split(study, out, where)


def _of_experiments(study: Study) -> list[str]:
    """Labels of the target by which experiments tell stars apart."""
    wanted, explained = study.experiments, study.explain
    needed = [] if wanted is None else ["feh", *(["teff"] if wanted.matched else []), *wanted.labels]
    needed += [] if explained is None else ["feh", *explained.labels]
    return list(dict.fromkeys(needed))


def _there(name: str | None, study: Study, out: Path) -> Path | None:
    """A table that can be read now; None for what the study has still to make."""
    if not name:
        return None
    first = name.partition("/")[0]
    if (first == UNIVERSE and study.simulate is not None) or (first == SELECTIONS and study.selections):
        return None
    return Path(locate(name, study, out))


def _absent(sample: Sample, study: Study, out: Path, labels: list[str]) -> list[str]:
    """Labels that no star of the sample's table has; none where the table cannot be known yet, or the set stands already."""
    path = None if sample.mock is not None else _there(sample.labels, study, out)
    if not labels or path is None or (set_folder(sample, study, out) / "set.json").is_file():
        return []
    table = read_labels(path, columns=sample.columns or None, ids=get_survey(sample.survey).id_columns)
    return [label for label in labels if label not in table or not np.isfinite(np.asarray(table[label], float)).any()]


def _check_split(study: Study, out: Path, where: str) -> None:
    """Test stars there must be, and as many in the pool as the largest size; the table can only name too many."""
    target = study.target
    if target.mock is not None or (set_folder(target, study, out) / "set.json").is_file():
        return
    if target.split is None:
        if study.split == "test":
            raise SettingsError(
                f"{where}: target: needs 'split', a table that says which stars are test stars (or split: validation)"
            )
        return
    selection = target.split.partition("/")[2].partition(":")[0]
    path = _there(target.split, study, out)
    if path is None:
        if target.split.startswith(f"{SELECTIONS}/") and not has_split(study, selection):
            raise SettingsError(f"{where}: target.split: the selection {selection} tells no pool from test stars")
        return
    table = read_split(path, columns=target.columns or None, ids=get_survey(target.survey).id_columns)
    pool, test = (int(np.sum(np.asarray(table["split"]) == part)) for part in ("pool", "test"))
    if study.split == "test" and not test:
        raise InputError(f"{where}: target.split: {target.split} names no test star of {target.survey}")
    if study.sizes and max(study.sizes) > pool:
        raise SettingsError(
            f"{where}: sizes: {max(study.sizes)} stars to learn from, but the pool of {target.survey} has {pool}; "
            "give smaller sizes"
        )

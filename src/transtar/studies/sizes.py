"""Whether the target has as many stars to learn from as a study asks for, which only the prepared set can tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..datasets import PreparedSet, read_set, star_names, usable
from ..errors import InputError, SettingsError
from .spec import Study
from .study_files import set_folder


def check_sizes(study: Study, where: str, out: Path, say: Callable[[str], None]) -> None:
    """Refuse a number of stars that the pool does not have, and say where flags and missing labels leave fewer than asked for.

    A study that has no star to learn from, or none to be judged on, is refused, too.

    Parameters
    ----------
    study : Study
    where : str
        For messages: the study and its variant.
    out : Path
        Of the study; the target is prepared.
    say : callable

    Raises
    ------
    SettingsError
        If a size is larger than the pool.
    InputError
        If no star has a label to be judged by, or none of the labels of a model to learn from.
    """
    target = read_set(set_folder(study.target, study, out))
    pool = target.columns["split"] == "pool"
    _check_judged(study, where, target, say)
    if not study.sizes:
        return
    n_stars = len(np.unique(star_names(target.columns)[pool]))
    size = max(study.sizes)
    if size > n_stars:
        raise SettingsError(
            f"{where}: sizes: {size} stars to learn from, but the pool of {study.target.survey} has {n_stars}; give smaller sizes"
        )
    for model, labels in study.models.items():
        labelled = _count_labelled(target, pool, labels)
        if not labelled:
            which = f"has {' or '.join(labels)} to learn from"
            raise InputError(f"{where}: models.{model}: no usable star in the pool of {study.target.survey} {which}")
        if labelled < size:
            say(
                f"{where}: {model} learns from {labelled} stars where {size} are asked for; "
                "the others are flagged or have no label"
            )


def _check_judged(study: Study, where: str, target: PreparedSet, say: Callable[[str], None]) -> None:
    """Say of which labels nothing can be judged, for want of test stars; refuse a study of which that is all."""
    if study.split != "test":
        return
    test = target.columns["split"] == "test"
    wanted = dict.fromkeys(label for labels in study.models.values() for label in labels)
    judged = {label: _count_labelled(target, test, [label]) for label in wanted}
    if not any(judged.values()):
        what = f"has {' or '.join(judged)} to be judged by; does its split table name test stars?"
        raise InputError(f"{where}: no usable test star of {study.target.survey} {what}")
    for label, n_stars in judged.items():
        if not n_stars:
            say(f"{where}: no usable test star of {study.target.survey} has {label}: nothing is judged of it")


def _count_labelled(target: PreparedSet, pool: np.ndarray, labels: list[str]) -> int:
    rows = pool & usable(target) & np.isfinite(target.targets(labels)).any(axis=1)
    return len(np.unique(star_names(target.columns)[rows]))

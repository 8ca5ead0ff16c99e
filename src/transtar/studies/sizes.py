"""Whether the target has as many stars to learn from as a study asks for, which only the prepared set can tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..datasets import PreparedSet, read_set, star_names, usable
from ..errors import SettingsError
from .spec import Study
from .study_files import set_folder


def check_sizes(study: Study, variant: str, out: Path, say: Callable[[str], None]) -> None:
    """Refuse a number of stars that the pool does not have, and say where flags and missing labels leave fewer than asked for.

    Parameters
    ----------
    study : Study
    variant : str
        Its name, for messages.
    out : Path
        Of the study; the target is prepared.
    say : callable

    Raises
    ------
    SettingsError
        If a size is larger than the pool.
    """
    if not study.sizes:
        return
    target = read_set(set_folder(study.target, study, out))
    pool = target.columns["split"] == "pool"
    n_stars = len(np.unique(star_names(target.columns)[pool]))
    size = max(study.sizes)
    where = "study" if variant == "default" else f"study, variant {variant}"
    if size > n_stars:
        raise SettingsError(
            f"{where}: sizes: {size} stars to learn from, but the pool of {study.target.survey} has {n_stars}; give smaller sizes"
        )
    for model, labels in study.models.items():
        labelled = _count_labelled(target, pool, labels)
        if labelled < size:
            say(
                f"{where}: {model} learns from {labelled} stars where {size} are asked for; "
                "the others are flagged or have no label"
            )


def _count_labelled(target: PreparedSet, pool: np.ndarray, labels: list[str]) -> int:
    rows = pool & usable(target) & np.isfinite(target.targets(labels)).any(axis=1)
    return len(np.unique(star_names(target.columns)[rows]))

"""From files to what a page shows of a catalog."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from ..catalog import read_columns
from ..errors import SettingsError
from ..labels import read_labels
from ..surveys import get_survey, survey_names
from ..tables import Choice
from .inspected import MOST_ROWS, MOST_SPECTRA, Inspected, inspect
from .shown_spectra import SpectraOfSet

PathLike = str | os.PathLike


def inspect_files(
    catalog: PathLike,
    data: PathLike | None = None,
    labels: PathLike | None = None,
    models: Sequence = (),
    *,
    labelled: PathLike | None = None,
    stars: Sequence[str] = (),
    most: int = MOST_SPECTRA,
    most_rows: int = MOST_ROWS,
    seed: int = 0,
    columns: Mapping[str, str] | None = None,
    encoders: Sequence[PathLike] = (),
) -> Inspected:
    """Gather what a page shows of a catalog file.

    Parameters
    ----------
    catalog : path
        As written by ``transtar predict``, or any table with labels.
    data : path, optional
        Prepared set that has its spectra.
    labels : path, optional
        Reference labels of its stars; those of the set if not given.
    models : sequence of str, path or Estimator
        Models whose gradients are shown.
    labelled : path, optional
        Prepared set whose labelled stars are shown beside each star; `data` if not given.
    stars, most, most_rows, seed
        As in `inspect`.
    columns : mapping of str to str, optional
        Which column of the tables is which, where names do not tell.
    encoders : sequence of path
        Encoders that models need and that are not where they were.

    Returns
    -------
    Inspected

    Raises
    ------
    InputError
        If a file cannot be read; else as `inspect`.
    MismatchError
        If a model wants its spectra otherwise than the set has them.
    SettingsError
        If a number is impossible, or models or another set are given without a set of the spectra.
    """
    if data is None and (len(models) or labelled is not None):
        raise SettingsError(
            "gradients and labelled stars (--model, --labelled) are shown beside spectra: give --data, too"
        )
    table = read_columns(catalog, columns)
    reference = None
    if labels is not None:
        surveys = set(np.asarray(table.get("survey", ())).astype(str).tolist())
        name = surveys.pop() if len(surveys) == 1 else ""
        ids = get_survey(name).id_columns if name in survey_names() else None
        reference = read_labels(labels, columns=columns, ids=ids)
    if isinstance(columns, Choice):
        columns.require_used([catalog, *([labels] if labels is not None else [])])
    source = None if data is None else SpectraOfSet(os.fspath(data), models, labelled, list(encoders))  # type: ignore[arg-type]
    return inspect(table, reference, source, stars=stars, most=most, most_rows=most_rows, seed=seed)

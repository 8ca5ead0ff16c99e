"""A model of [alpha/Fe] compared with the abundance of one element in real stars."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..catalog.trained import trained_on
from ..datasets import read_set, usable
from ..errors import TooFew
from ..evaluate.element import (
    bootstrap_interval,
    cross_validated_sigma,
    partial_rank_correlation,
    polynomial,
    rank_correlation,
)
from ..glossary import plain
from .shipped import named_model
from .spec import Study
from .study_files import set_folder

LABEL = "alphafe"

FEWEST = 25
"""Stars that the largest of the fits needs."""


Row = tuple[str, float, float | None, float | None]
"""A quantity, its value, and the interval of 95 % of bootstrap samples, where there is one."""


def compare_element(study: Study, out: Path) -> tuple[list[Row], int]:
    """Compare the two.

    Returns
    -------
    list of (str, float, float or None, float or None)
    int
        Number of stars.

    Raises
    ------
    InputError
        If the target has no such column, or the model does not predict [alpha/Fe]; `TooFew` if fewer than `FEWEST` stars
        have all that is compared.
    """
    check = study.element
    assert check is not None
    prepared = read_set(set_folder(study.target, study, out))
    truth, feh, teff = prepared.targets([check.column, "feh", "teff"]).T
    model = named_model(check.model, LABEL, prepared.preprocessing, "element")
    seen = trained_on(prepared.columns, [model.trained_on])
    rows = np.flatnonzero(usable(prepared) & np.isfinite(truth) & np.isfinite(feh) & np.isfinite(teff) & ~seen)
    if len(rows) < FEWEST:
        raise TooFew(f"{len(rows)} usable stars have {check.column}, feh and teff, where {FEWEST} are needed")
    predicted = model.predict(prepared.input(model.input, model.encoders)[rows])[:, 0].astype(float)
    truth, feh, teff = truth[rows], feh[rows], teff[rows]
    name = plain(check.column)
    partial = bootstrap_interval(partial_rank_correlation, predicted, truth, feh)
    ranks = bootstrap_interval(rank_correlation, predicted, truth)
    table: list[Row] = [
        (f"rank correlation of the model with {name}", rank_correlation(predicted, truth), *ranks),
        (f"rank correlation of -[Fe/H] with {name}", rank_correlation(-feh, truth), None, None),
        (
            "partial rank correlation of the model at fixed [Fe/H]",
            partial_rank_correlation(predicted, truth, feh),
            *partial,
        ),
        ("sigma of the model, recalibrated (dex)", cross_validated_sigma(predicted, truth), None, None),
        ("sigma of a line in [Fe/H] (dex)", cross_validated_sigma(feh, truth), None, None),
    ]
    for degree, word in ((1, "plane"), (2, "quadratic"), (3, "cubic")):
        value = cross_validated_sigma(polynomial(feh, teff, degree=degree), truth)
        table.append((f"sigma of a {word} in [Fe/H] and Teff (dex)", value, None, None))
    value = cross_validated_sigma(np.column_stack([predicted, polynomial(feh, teff)]), truth)
    table.append(("sigma of a quadratic in [Fe/H] and Teff and a line in the model (dex)", value, None, None))
    table.append(("scatter of the truth (dex)", float(np.std(truth)), None, None))
    return table, len(rows)

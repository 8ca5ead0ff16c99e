"""The section of a report that compares a model of [alpha/Fe] with the abundance of one element in real stars."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from ..catalog.trained import trained_on
from ..datasets import read_set, usable
from ..errors import InputError
from ..evaluate.element import (
    bootstrap_interval,
    cross_validated_sigma,
    partial_rank_correlation,
    polynomial,
    rank_correlation,
)
from ..files import write_text
from ..glossary import plain
from ..models import Estimator, find_model, load_estimator
from ..preprocess import Preprocessing, require_same
from ..report import Section, rows_html
from .inputs import set_folder
from .spec import Study

COLUMNS = ("quantity", "value", "low", "high")

LABEL = "alphafe"


def element_section(study: Study, out: Path) -> Section:
    """Compare, write tables/element.csv, and make a section of it.

    Raises
    ------
    InputError
        If the target has no such column, or the model does not predict [alpha/Fe].
    """
    check = study.element
    assert check is not None
    prepared = read_set(set_folder(study.target, study, out))
    truth, feh, teff = prepared.targets([check.column, "feh", "teff"]).T
    model = element_model(check.model, prepared.preprocessing)
    seen = trained_on(prepared.columns, [model.trained_on])
    rows = np.flatnonzero(usable(prepared) & np.isfinite(truth) & np.isfinite(feh) & np.isfinite(teff) & ~seen)
    predicted = model.predict(prepared.input(model.input)[rows])[:, 0].astype(float)
    truth, feh, teff = truth[rows], feh[rows], teff[rows]
    name = plain(check.column)
    partial = bootstrap_interval(partial_rank_correlation, predicted, truth, feh)
    ranks = bootstrap_interval(rank_correlation, predicted, truth)
    table: list[tuple] = [
        (f"rank correlation of the model with {name}", rank_correlation(predicted, truth), *ranks),
        (f"rank correlation of -[Fe/H] with {name}", rank_correlation(-feh, truth), None, None),
        (
            "partial rank correlation of the model at fixed [Fe/H]",
            partial_rank_correlation(predicted, truth, feh),
            *partial,
        ),
        ("sigma of the model, recalibrated [dex]", cross_validated_sigma(predicted, truth), None, None),
        ("sigma of a line in [Fe/H] [dex]", cross_validated_sigma(feh, truth), None, None),
    ]
    for degree, word in ((1, "plane"), (2, "quadratic"), (3, "cubic")):
        value = cross_validated_sigma(polynomial(feh, teff, degree=degree), truth)
        table.append((f"sigma of a {word} in [Fe/H] and Teff [dex]", value, None, None))
    value = cross_validated_sigma(np.column_stack([predicted, polynomial(feh, teff)]), truth)
    table.append(("sigma of a quadratic in [Fe/H] and Teff and a line in the model [dex]", value, None, None))
    table.append(("scatter of the truth [dex]", float(np.std(truth)), None, None))
    _write(table, out / "tables" / "element.csv")
    shown = [
        [what, f"{value:.3f}" + ("" if low is None else f" ({low:.3f} to {high:.3f})")]
        for what, value, low, high in table
    ]
    caption = f"{name} of {len(rows)} stars of {study.target.survey}; in brackets 95 % of bootstrap samples"
    return Section(
        f"{name} against {check.model}",
        paragraphs=[
            f"[alpha/Fe] as {check.model} predicts it is that of O, Ne, Mg, Si, S, Ar, Ca and Ti together, and is not "
            f"renamed: it is compared with {name} as a tracer. In the Galaxy {name} falls with [Fe/H], so that a good rank "
            "correlation proves little: what counts is what the model knows beyond [Fe/H] and Teff. All scatters are of stars "
            "that the fits have not seen.",
        ],
        tables=[rows_html(["", caption], shown, caption)],
    )


def element_model(name: str, preprocessing: Preprocessing) -> Estimator:
    """The model of [alpha/Fe] by that name.

    Raises
    ------
    InputError
        If there is none, or it does not predict [alpha/Fe].
    MismatchError
        If it was trained on spectra prepared otherwise.
    """
    model = load_estimator(find_model(name))
    if LABEL not in model.label_names:
        raise InputError(f"study, element: {name} predicts {', '.join(model.label_names)}, not {LABEL}")
    require_same(model.preprocessing, name, preprocessing, "the study")
    return model.only(LABEL)


def _write(table: list[tuple], path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for what, *values in table:
        writer.writerow([what, *("" if value is None else f"{value:.4f}" for value in values)])
    write_text(path, text.getvalue())

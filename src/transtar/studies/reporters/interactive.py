"""A page to look into the stars that a study was judged on: ``interactive.html``, where the extra `report` is installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...datasets.set_files import DESCRIPTION
from ...errors import InputError, TranstarError, shown
from ...evaluate import Results
from ...explain.inspected import inspect
from ...explain.shown_spectra import SpectraOfSet
from ...glossary import plain
from ...models import load_estimator
from ...report import Section
from ...report.interactive import require_bokeh, write_page
from ...telling import tell
from ..context import Context
from ..layout import INTERACTIVE
from ..predictions import Predicted, select
from ..spec import adapters
from ..study_files import set_folder

MOST_MISFITS = 5000
"""Stars of which misfits are computed: a thousand take a second or so."""

KEYS = ("file", "id", "survey", "star", "desi_survey", "desi_program", "desi_healpix")
"""Columns by which a spectrum is known."""


def interactive(results: Results, context: Context) -> list[Section]:
    """The page of one run of each label: the adapter chosen beforehand, with the most stars, of the first seed."""
    shown_runs = _runs(context)
    if not shown_runs:
        return []
    try:
        require_bokeh()
        _write(context, shown_runs)
    except TranstarError as error:
        # All else that a study has to show does without.
        tell(f"{context.out / INTERACTIVE}: left out; {shown(error, 500)}")
        return []
    text = f"Each star, its spectrum and what was predicted of it: {_said(shown_runs, context)}."
    return [Section("Look into it", [text], [f'<p><a href="{INTERACTIVE}">{INTERACTIVE}</a>, beside this page</p>'])]


def _runs(context: Context) -> list[Predicted]:
    """A run for each label, of those that are on disk."""
    study, size = context.study, max(context.study.sizes, default=0)
    chosen = adapters(study, size)
    runs = []
    for label in context.labels:
        some = select(
            context.predictions or (), label=label, variant="default", target=study.target.survey, split=study.split
        )
        named = select(some, strategy=chosen.get(label, ""), n_finetune=size) or select(some, strategy="zero-shot")
        if named:
            runs.append(next((one for one in named if one.seed == study.seeds[0]), named[0]))
    return runs


def _said(runs: Sequence[Predicted], context: Context) -> str:
    """Which runs these are."""
    return "; ".join(
        f"{plain(one.label)} by {context.title(one.strategy)}{f' with {one.n_finetune} stars' if one.n_finetune else ''}, "
        f"seed {one.seed}"
        for one in runs
    )


def _write(context: Context, runs: Sequence[Predicted]) -> None:
    study, out = context.study, context.out
    folder = set_folder(study.target, study, out)
    if not (folder / DESCRIPTION).is_file():
        raise InputError(f"{folder}: the prepared set is not in the folder of the study, and the spectra are in it")
    models, where = _before(context, runs)
    source = SpectraOfSet(folder, models)
    rows = np.unique(np.concatenate([one.row for one in runs]))
    if len(rows) and rows[-1] >= len(source.stars["id"]):
        raise InputError(f"{folder}: has fewer spectra than the predictions are of; run the study again")
    catalog = {name: source.stars[name][rows] for name in (*KEYS, "snr", "flags") if name in source.stars}
    for one in runs:
        catalog[one.label] = np.full(len(rows), np.nan)
        catalog[one.label][np.searchsorted(rows, one.row)] = one.predicted
    if len(rows) <= MOST_MISFITS:
        misfits = source.misfits(rows, {one.label: catalog[one.label] for one in runs})
        catalog |= {} if misfits is None else {"misfit": misfits}
    reference = {name: source.stars[name][rows] for name in (*KEYS, *source.labels) if name in source.stars}
    inspected = inspect(catalog, reference, source)
    inspected.notes.append(f"Labels: {_said(runs, context)}. {where}")
    mock = "mock " if study.simulate is not None else ""
    summary = f"{len(rows):,} stars of {mock}{study.target.survey.upper()} that none of these networks has learnt from."
    write_page(inspected, out / INTERACTIVE, study.title, summary)


def _before(context: Context, runs: Sequence[Predicted]) -> tuple[list, str]:
    """The networks before they were adapted, which a study keeps, and what is to be said of their gradients."""
    models = []
    for name, seed in dict.fromkeys((one.model, one.seed) for one in runs):
        kept: list[Path] = sorted((context.out / "models").glob(f"{name}-seed{seed}-*"))
        # Of several, from runs with other settings, it is not known which.
        if len(kept) != 1:
            return [], "No gradients: the networks are not in the folder of the study."
        models.append(load_estimator(kept[0]))
    return models, "Gradients are those of the networks before they were adapted."

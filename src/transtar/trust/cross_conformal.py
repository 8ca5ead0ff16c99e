"""Errors of models that were trained on few stars: each star judged by a model that has not seen it.

The stars are divided into folds, a model is trained on all others in the same way, and what it errs by for the stars of the
fold calibrates the errors of the model that was trained on all of them, which is a little better (cross-conformal prediction,
Vovk 2015, Ann. Math. Artif. Intell. 74, 9). A pre-trained model is judged on its validation stars: they chose when to stop,
and no weight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..checks import check_whole
from ..datasets.split import folds
from ..datasets.stars import Stars
from ..errors import InputError, TranstarError, shown
from ..models import Estimator
from ..models.error_table import ErrorTable
from ..preprocess import GridSpectra
from ..telling import tell
from ..train import Auto, Member, Strategy, finetune_fleet, make_strategy
from .conformal import LEAST, N_FOLDS, fit_error_table
from .photon_noise import flux_model, photon_noise
from .telling_labels import telling_labels, who_tells

LabelNoise = Mapping[str, tuple[float, float]]


def with_errors(
    adapted: Estimator,
    model: Estimator,
    stars: Stars,
    strategy: Strategy,
    *,
    seed: int = 0,
    new_label: bool = False,
    n_folds: int = N_FOLDS,
    label_noise: LabelNoise | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Estimator:
    """A fine-tuned model with the errors of its predictions, star by star; the same training on each fold's others is its price.

    Parameters
    ----------
    adapted : Estimator
        What fine-tuning gave.
    model, stars, strategy, seed, new_label
        What it was given, as to `transtar.finetune`. Stars that have their spectra (``spectra=True`` of `PreparedSet.stars`) are
        known with their photon noise and S/N; of others it is all in the systematic part. Of 'auto' the strategy that it chose is
        judged.
    n_folds : int
    label_noise : mapping of str to (float, float), optional
        Noise of the stars' labels, that 68 and 95 % are within. It is taken out; where it is not given, it is in the intervals.
    progress : callable, optional
        Called with the number of epochs done and the number of all.

    Returns
    -------
    Estimator
        The same, with `error_tables` of labels that enough stars have; what cannot be had is told.

    Raises
    ------
    InputError
        If noise is given of a label that the stars do not have.
    """
    check_whole(n_folds, "errors: n_folds", 2)
    for label in label_noise or {}:
        if label not in stars.label_names:
            raise InputError(f"errors: noise is given of {shown(label)}, the stars have {', '.join(stars.label_names)}")
    if len(np.unique(stars.names)) < max(n_folds, LEAST):
        tell(f"no errors star by star: {len(stars)} stars are too few, {max(n_folds, LEAST)} at least are needed")
        return adapted
    if isinstance(strategy, Auto):
        (row,) = (one for one in adapted.provenance[-1]["choice"]["table"] if one["chosen"])
        strategy = make_strategy(row["strategy"], **row["settings"])
    fold = folds(stars.names, stars.feh, n_folds, seed)
    members = [Member(model, stars.select(fold != number), strategy, seed, new_label) for number in range(n_folds)]
    predicted = np.full(stars.labels.shape, np.nan)
    for number, outcome in enumerate(finetune_fleet(members, progress=progress)):
        if isinstance(outcome, TranstarError):
            tell(f"no errors star by star: fold {number + 1} of {n_folds} could not be trained ({outcome})")
            return adapted
        predicted[fold == number] = outcome.predict(stars.inputs[fold == number])
    return _calibrated(
        adapted, stars, predicted, f"{_survey(stars)}, each judged by {strategy.name} without it", label_noise
    )


def with_validation_errors(model: Estimator, stars: Stars, label_noise: LabelNoise | None = None) -> Estimator:
    """A pre-trained model with errors star by star, calibrated on the stars that its training held out.

    Parameters
    ----------
    model : Estimator
        As `transtar.pretrain` has just made it.
    stars : Stars
        From all of which it was made.
    label_noise : mapping of str to (float, float), optional
        As in `with_errors`.

    Returns
    -------
    Estimator
        The same, with `error_tables` of labels that enough held-out stars have; what cannot be had is told.
    """
    settings = model.provenance[-1]["settings"]
    _, held_out = stars.split(settings["validation_fraction"], settings["seed"])
    if len(held_out) < LEAST:
        tell(f"no errors star by star: {len(held_out)} stars were held out, {LEAST} at least are needed")
        return model
    predicted = model.predict(held_out.inputs).astype(np.float64)
    return _calibrated(model, held_out, predicted, f"{_survey(stars)}, held out for validation", label_noise)


def _calibrated(
    model: Estimator, stars: Stars, predicted: np.ndarray, what: str, label_noise: LabelNoise | None
) -> Estimator:
    """A model with tables of errors from predictions by models that have not seen the stars."""
    spectra = stars.spectra if stars.spectra is not None else _bare(stars)
    of_flux = None if spectra is None or stars.spectra is None else flux_model(model)
    noise = {} if of_flux is None or spectra is None else photon_noise([of_flux], spectra)
    snr = np.full(len(stars), np.nan) if stars.spectra is None else np.asarray(stars.spectra.snr, np.float64)
    flux = None if spectra is None else spectra.flux
    told_by = "model" if flux is None else who_tells(model.preprocessing)
    told = telling_labels(told_by, flux, dict(zip(model.label_names, predicted.T, strict=True)))
    tables: dict[str, ErrorTable] = {}
    for number, label in enumerate(model.label_names):
        known: dict[str, Any] = (
            {} if not label_noise or label not in label_noise else {"label_noise": label_noise[label]}
        )
        try:
            tables[label] = fit_error_table(
                stars.labels[:, number] - predicted[:, number], noise.get(label, np.zeros(len(stars))), told, snr,
                told_by=told_by, stars=what, **known,
            )  # fmt: skip
        except InputError as error:
            tell(f"{label}: {error}")
    return replace(model, error_tables=tables)


def _bare(stars: Stars) -> GridSpectra | None:
    """Spectra of stars that are known by nothing but their flux; None of those known by something else."""
    if stars.input != "flux":
        return None
    ones = np.ones(len(stars), np.float32)
    return GridSpectra(stars.inputs, None, ones, np.full(len(stars), np.nan), np.zeros(len(stars), np.int32))


def _survey(stars: Stars) -> str:
    return "+".join(np.unique(stars.survey).tolist()) or "stars"

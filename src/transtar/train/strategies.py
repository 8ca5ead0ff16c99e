"""Pre-training and the fine-tuning strategies, which only say what trains and what is frozen."""

from __future__ import annotations

from dataclasses import replace

from ..errors import InputError, SettingsError
from ..models.estimator import Estimator
from ..models.mlp import MLPSettings
from .fit import Fit, begin_adaptation, begin_fresh, carry_out, recalibrate, ridge
from .loop import Progress
from .sample import make_sample
from .settings import Full, LoRA, Pretrain, Recalibrate, Residual, Ridge, Scratch, Strategy, TrainSettings, ZeroShot
from .shared import Shared


def pretrain(
    flux,
    labels,
    *,
    label_names,
    stars=None,
    preprocessing=None,
    survey="",
    ids=None,
    files=None,
    settings: TrainSettings | None = None,
    mlp: MLPSettings | None = None,
    weights=None,
    feh=None,
    set_hash: str | None = None,
    progress: Progress | None = None,
) -> Estimator:
    """Train a network from random weights.

    Parameters
    ----------
    flux : array-like, shape (n, n_inputs)
        Prepared inputs; rows that are not finite are left out.
    labels : array-like, shape (n, n_labels) or (n,)
        In physical units, NaN where missing.
    label_names : sequence of str
        Canonical names.
    stars : array-like of str, shape (n,), optional
        Groups repeat visits, which stay on one side of the validation split.
    preprocessing : Preprocessing, optional
        How `flux` was prepared; stored with the model.
    survey : str or array-like of str, shape (n,)
    ids, files : array-like, shape (n,), optional
        Recorded, so that no star is judged by a model that saw it.
    settings : TrainSettings, optional
        `Pretrain()` if not given.
    mlp : MLPSettings, optional
        Those of the settings, if not given.
    weights : array-like, shape (n,), optional
        Relative weights of the stars in the loss.
    feh : array-like, shape (n,), optional
        [Fe/H] by which the split is stratified, where it is not among the labels.
    set_hash : str, optional
        Hash of the prepared set, for the provenance.
    progress : callable, optional
        See `transtar.train.loop.train`.

    Returns
    -------
    Estimator

    Raises
    ------
    InputError
        If the arrays do not fit or too few stars are usable.
    TranstarError
        If the training diverges.
    """
    sample = make_sample(
        flux,
        labels,
        label_names=label_names,
        stars=stars,
        survey=survey,
        ids=ids,
        files=files,
        weights=weights,
        feh=feh,
    )
    settings = settings or Pretrain()
    own = settings.mlp if isinstance(settings, Pretrain) else MLPSettings()
    return carry_out(
        begin_fresh(
            sample, tuple(label_names), preprocessing, settings, mlp or own,
            set_hash, progress, step="pretrain", strategy="mlp",
        )
    )  # fmt: skip


def finetune(
    estimator: Estimator,
    flux,
    labels,
    *,
    strategy: Strategy,
    stars=None,
    survey="",
    ids=None,
    files=None,
    seed: int | None = None,
    weights=None,
    feh=None,
    set_hash: str | None = None,
    progress: Progress | None = None,
) -> Estimator:
    """Adapt a model to the stars of another survey.

    Parameters
    ----------
    estimator : Estimator
        Left as it is.
    flux, labels, stars, survey, ids, files, weights, feh, set_hash, progress
        As in `pretrain`; the labels are those of the model, in its order.
    strategy : ZeroShot, Residual, LoRA, Full, Scratch, Recalibrate or Ridge
        Settings of the strategy; they choose it.
    seed : int, optional
        In place of the seed in the settings.

    Returns
    -------
    Estimator
        Keeps the scalers of `estimator` (but for scratch and ridge, which have their own), the union of the label
        ranges, and the memory of all stars that any step saw.

    Raises
    ------
    InputError
        If the arrays do not fit or too few stars are usable.
    SettingsError
        If the strategy cannot be applied to the model's network.
    TranstarError
        If the training diverges.
    """
    begun = begin_finetuning(
        estimator, flux, labels, strategy=strategy, stars=stars, survey=survey, ids=ids, files=files, seed=seed,
        weights=weights, feh=feh, set_hash=set_hash, progress=progress,
    )  # fmt: skip
    return carry_out(begun) if isinstance(begun, Fit) else begun


def begin_finetuning(
    estimator: Estimator,
    flux,
    labels,
    *,
    strategy: Strategy,
    stars=None,
    survey="",
    ids=None,
    files=None,
    seed: int | None = None,
    weights=None,
    feh=None,
    set_hash: str | None = None,
    progress: Progress | None = None,
    shared: Shared | None = None,
) -> Fit | Estimator:
    """Do all of `finetune` that comes before the training, or all of it where nothing is trained step by step.

    Parameters
    ----------
    shared : Shared, optional
        What other runs have computed already; it finds by itself what is the same.
    """
    if isinstance(strategy, ZeroShot):
        return estimator
    if seed is not None and isinstance(strategy, TrainSettings):
        strategy = replace(strategy, seed=seed)
    names = estimator.label_names
    sample = make_sample(
        flux, labels, label_names=names, stars=stars, survey=survey, ids=ids, files=files, weights=weights, feh=feh
    )
    if sample.flux.shape[1] != estimator.n_inputs:
        raise InputError(f"the model needs {estimator.n_inputs} inputs per star, got {sample.flux.shape[1]}")
    if isinstance(strategy, Scratch):
        return begin_fresh(
            sample, names, estimator.preprocessing, strategy, strategy.mlp, set_hash, progress, shared,
            step="finetune", strategy=strategy.name,
        )  # fmt: skip
    if isinstance(strategy, Ridge):
        return ridge(sample, names, estimator.preprocessing, strategy, set_hash)
    if isinstance(strategy, Recalibrate):
        return recalibrate(estimator, sample, strategy, set_hash)
    if isinstance(strategy, Residual | LoRA | Full):
        return begin_adaptation(estimator, sample, strategy, set_hash, progress, shared)
    raise SettingsError(f"not a fine-tuning strategy: {strategy!r}")

"""Pre-training, and fine-tuning by whatever strategy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..datasets.stars import Stars
from ..encoder_notes import of_note, require_same_encoder
from ..errors import InputError, MismatchError, SettingsError, shown
from ..models.estimator import Estimator
from ..networks.mlp import MLPSettings, build_mlp
from ..preprocess import require_same
from ..progress import epochs_followed
from .end_to_end import begin_with_encoder
from .fit import Fit, begin_fresh, carry_out
from .loop import Progress
from .new_label import begin_with_new_label, check_new_labels, noted
from .settings import Pretrain, TrainSettings, plain
from .shared import Shared
from .strategies import Auto, Strategy


def pretrain(
    stars: Stars,
    *,
    settings: TrainSettings | None = None,
    mlp: MLPSettings | None = None,
    progress: Progress | None = None,
) -> Estimator:
    """Train a network from random weights.

    Parameters
    ----------
    stars : Stars
        As from `PreparedSet.stars`, or made from your own arrays.
    settings : TrainSettings, optional
        `Pretrain()` if not given.
    mlp : MLPSettings, optional
        By default those of the settings.
    progress : callable, optional
        See `transtar.train.loop.train`.

    Returns
    -------
    Estimator

    Raises
    ------
    InputError
        If too few stars are given, or none has one of the labels.
    TranstarError
        If the training diverges.

    Examples
    --------
    >>> import transtar as ts
    >>> stars = ts.read_set("sets/miles").stars("feh")
    >>> model = ts.pretrain(stars, settings=ts.TrainSettings(epochs=1))
    >>> model.save("models/miles")
    """
    settings = settings or Pretrain()
    _check_stars(stars)
    if not isinstance(settings, TrainSettings):
        raise SettingsError(f"not settings of a training: {shown(repr(settings))}; give transtar.TrainSettings(...)")
    shape = mlp or getattr(settings, "mlp", MLPSettings())
    with epochs_followed(progress, "pretrain") as moved:
        model = carry_out(
            begin_fresh(
                stars, settings, lambda n_inputs, n_labels: build_mlp(n_inputs, n_labels, shape), stars.preprocessing, moved,
                step="pretrain", strategy="mlp",
            )
        )  # fmt: skip
    model.provenance[-1]["settings"]["mlp"] = plain(shape)
    return model


def finetune(
    model: Estimator,
    stars: Stars,
    *,
    strategy: Strategy,
    seed: int | None = None,
    progress: Progress | None = None,
    new_label: bool = False,
    errors: Callable[..., Estimator] | None = None,
) -> Estimator:
    """Adapt a model to the stars of another survey, or to another label.

    Parameters
    ----------
    model : Estimator
        It is not changed.
    stars : Stars
        With the labels of the model, in its order, and its input; or with the flux, if the encoder of the model is trained
        as well (`transtar.train.end_to_end.training_input`).
    strategy : Strategy
        Settings of the strategy; their type decides which strategy it is.
    seed : int, optional
        Replaces the seed in the settings.
    progress : callable, optional
        See `transtar.train.loop.train`.
    new_label : bool
        Whether labels of the stars replace others that the model predicts: what the network knows about [alpha/Fe], for
        example, is the starting point from which it learns [Mg/Fe] (see `transtar.train.new_label.begin_new_label`).
    errors : callable, optional
        Gives the adapted model errors star by star, as `transtar.trust.with_errors` does; for each of five folds it trains a
        model on the others.

    Returns
    -------
    Estimator
        Keeps the scalers of `model` (except for scratch and ridge, which have their own), the union of the label ranges, and
        the record of all stars that any step saw. A new label has its own scalers and range.

    Raises
    ------
    InputError
        If the stars do not fit the model, or too few are given.
    MismatchError
        If their spectra were prepared differently from those of the model.
    SettingsError
        If the strategy cannot be applied to the model's network.
    TranstarError
        If the training diverges.

    Examples
    --------
    >>> import transtar as ts
    >>> stars = ts.read_set("sets/miles").stars("feh")
    >>> adapted = ts.finetune(ts.Estimator.load("mock-feh"), stars, strategy=ts.make_strategy("recalibrate"))
    >>> len(adapted.provenance)
    2
    """
    with epochs_followed(progress, "finetune") as moved:
        begun = begin_finetuning(model, stars, strategy, seed, moved, new_label=new_label)
        adapted = carry_out(begun) if isinstance(begun, Fit) else begun
    if errors is None:
        return adapted
    return errors(
        adapted,
        model,
        stars,
        strategy,
        seed=getattr(strategy, "seed", 0) if seed is None else seed,
        new_label=new_label,
    )


def begin_finetuning(
    model: Estimator,
    stars: Stars,
    strategy: Strategy,
    seed: int | None = None,
    progress: Progress | None = None,
    shared: Shared | None = None,
    new_label: bool = False,
) -> Fit | Estimator:
    """Do all of `finetune` that comes before the training, or all of it where nothing is trained step by step."""
    if not isinstance(strategy, Strategy):
        raise SettingsError(
            f"not a fine-tuning strategy: {shown(repr(strategy))}; give settings, as of transtar.make_strategy('full')"
        )
    whole = begin_with_encoder(strategy, model)
    check_fit(whole, stars, new_label)
    if seed is not None and isinstance(strategy, TrainSettings | Auto):
        strategy = replace(strategy, seed=seed)
    # What `Auto` compares comes back here, each by itself.
    if new_label and not isinstance(strategy, Auto):
        begun = begin_with_new_label(strategy, whole, stars, progress, shared)
    else:
        begun = strategy.begin(whole, stars, progress, shared)
    return begun if whole is model else noted(begun, {"input": model.input, "encoders": model.encoders})


def _check_stars(stars: Stars) -> None:
    if not isinstance(stars, Stars):
        raise InputError(
            f"training needs transtar.Stars, not {type(stars).__name__}; those of a prepared set are its .stars('feh'), "
            "those of arrays Stars(inputs, labels, 'feh')"
        )


def check_fit(model: Estimator, stars: Stars, new_label: bool = False) -> None:
    """Refuse stars that a model cannot learn from.

    Parameters
    ----------
    model : Estimator
    stars : Stars
    new_label : bool
        Whether they have new labels in the places of the model's.

    Raises
    ------
    InputError
        If their labels, input, or number of inputs is another.
    MismatchError
        If they were prepared otherwise, or embedded by another encoder.
    """
    _check_stars(stars)
    if not isinstance(model, Estimator):
        raise InputError(
            f"not a model: {shown(repr(model))}; load it first, as transtar.Estimator.load('mock-feh') does"
        )
    if new_label:
        check_new_labels(model, stars.label_names)
    elif stars.label_names != model.label_names:
        names, given = (", ".join(one.label_names) for one in (model, stars))
        raise InputError(
            f"the model predicts {names}, the stars have the labels {given}; give those of the model, in its order, or "
            "new_label=True if it is to learn others in their places"
        )
    if stars.input != model.input:
        raise InputError(
            f"the model takes the input '{model.input}', the stars are known by '{stars.input}'; "
            f"make them with input='{model.input}'"
        )
    for part, note in model.encoders.items():
        # Arrays of one's own need not say who made them.
        if stars.encoders:
            remedy = "make them with the model's: prepared.stars(..., input=model.input, encoders=model.encoders)"
            require_same_encoder(note, "the model", stars.encoders.get(part), "the stars", remedy)
    for part, note in stars.encoders.items():
        if part not in model.encoders:
            raise MismatchError(
                f"input '{part}': the model learnt from one that no encoder is noted to have made; of the stars the encoder "
                f"{of_note(note)} made it, which may be another; give stars without a note (encoders={{}}) if you know that it "
                "is the same, or train a model with this encoder"
            )
    if stars.inputs.shape[1] != model.n_inputs:
        raise InputError(
            f"the model needs {model.n_inputs} inputs per star (of '{model.input}'), got {stars.inputs.shape[1]}; "
            "were they made by another encoder, or on another grid?"
        )
    if stars.preprocessing is not None:
        require_same(model.preprocessing, "the model", stars.preprocessing, "the stars")

"""Settings of a training run, whatever it trains."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from importlib import metadata
from typing import Any, ClassVar, Self, get_args, get_type_hints

from ..checks import MOST_EPOCHS, MOST_SEED, check_real, check_whole
from ..devices import check_device
from ..errors import SettingsError, check_keys, shown
from ..networks.mlp import MLPSettings
from .augment import Augmentation
from .by_number import PAPER_LEARNING_RATE, finetuning_epochs, held_out_fraction
from .losses import squared

PAPER_STARS = 90_106

SCHEDULES = ("constant", "cosine")
INPUT_SCALES = ("common", "pixel")


@dataclass(frozen=True)
class TrainSettings:
    """How the weights of a network are trained; the defaults are those of the paper (Sect. 2), except for the learning rate.

    Parameters
    ----------
    epochs : int or None
        Passes over the training stars. None: by the number of stars, see `transtar.train.by_number.finetuning_epochs`.
    learning_rate : float or None
        Of AdamW, at the start. None: by the number of stars, see `rate_for`; from random weights, `default_learning_rate`.
    weight_decay : float
        Of AdamW (decoupled), for all weights that are trained.
    batch_size : int
        Number of stars in one step.
    seed : int
        Decides split, initialisation, order, dropout and augmentation.
    device : str
        Where the training runs: 'cpu', 'cuda', ...; it is not stored with the model.
    validation_fraction : float or None
        Fraction of the stars held out to choose the checkpoint, in [0, 1); 0 keeps the last weights instead. None: by the
        number of stars, see `transtar.train.by_number.held_out_fraction`.
    patience : int or None
        Stop after this many epochs without a better validation loss; None never stops early.
    average_last : int
        Number of last epochs over which the weights are averaged (all, if there are fewer). The mean is kept unless on the
        validation stars it is worse than the best single epoch by more than two standard errors: with few such stars the
        best epoch is mostly the luckiest. 0 does not average.
    schedule : {'constant', 'cosine'}
        Course of the learning rate over the epochs; 'cosine' falls to zero by half a cosine.
    input_scale : {'common', 'pixel'}
        Whether inputs are divided by one standard deviation, that of all pixels together, or each by its own. A scale per
        pixel raises the noise of the continuum to the height of the lines; in cross-validation on 926 LAMOST stars the
        common scale was better (docs/choose-a-strategy.md). Only a network trained from random weights has its own scalers.
    augmentation : Augmentation or None
        Random changes of the training spectra, drawn anew in each epoch; needs spectra on a wavelength grid.
    poor_weight : float
        Weight in the loss of stars with [Fe/H] < -1, of which every survey has few; other stars have 1. It multiplies the
        weights given to `pretrain` or `finetune`, if any; values other than 1 need the [Fe/H] of the stars.

    Raises
    ------
    SettingsError
        If a value is out of range.

    Examples
    --------
    >>> import transtar as ts
    >>> settings = ts.TrainSettings(epochs=20, schedule="cosine")
    >>> settings.epochs, settings.batch_size
    (20, 32)
    """

    epochs: int | None = 100
    learning_rate: float | None = None
    weight_decay: float = 1e-4
    batch_size: int = 32
    seed: int = 0
    device: str = "cpu"
    validation_fraction: float | None = 0.1
    patience: int | None = None
    average_last: int = 0
    schedule: str = "constant"
    input_scale: str = "common"
    augmentation: Augmentation | None = None
    poor_weight: float = 1.0

    loss = staticmethod(squared)
    """What is minimised, of each label of each star; a subclass may have a method of that name with fields of its own."""

    def __post_init__(self) -> None:
        what = getattr(self, "name", type(self).__name__)
        if self.epochs is not None:
            check_whole(self.epochs, f"{what}: epochs", 1, MOST_EPOCHS)
        check_whole(self.batch_size, f"{what}: batch_size")
        check_whole(self.seed, f"{what}: seed", 0, MOST_SEED)
        check_whole(self.average_last, f"{what}: average_last", 0)
        check_real(self.weight_decay, f"{what}: weight_decay", 0)
        check_real(self.poor_weight, f"{what}: poor_weight", 0, above=True)
        if self.validation_fraction is not None:
            check_real(self.validation_fraction, f"{what}: validation_fraction", 0, 1)
        if self.learning_rate is not None:
            check_real(self.learning_rate, f"{what}: learning_rate", 0, above=True)
        if self.patience is not None:
            check_whole(self.patience, f"{what}: patience")
        if self.validation_fraction == 1:
            raise SettingsError(f"{what}: validation_fraction must be below 1")
        check_keys([self.schedule], SCHEDULES, f"{what}: schedule")
        check_keys([self.input_scale], INPUT_SCALES, f"{what}: input_scale")
        check_device(self.device, here=False)
        for name, kind in nested_settings(type(self)).items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise SettingsError(f"{what}: {name}: expected settings by name, not '{shown(value)}'")

    def for_stars(self, n_stars: int) -> Self:
        """The settings for this number of stars, validation stars included: epochs and fraction held out are filled in."""
        epochs = finetuning_epochs(n_stars) if self.epochs is None else self.epochs
        fraction = held_out_fraction(n_stars) if self.validation_fraction is None else self.validation_fraction
        return replace(self, epochs=epochs, validation_fraction=fraction)

    def rate_for(self, n_stars: int) -> float:
        """The learning rate for this number of stars, if none is given."""
        return default_learning_rate(n_stars, self.schedule)


def default_learning_rate(n_stars: int, schedule: str = "constant") -> float:
    """Learning rate for training from random weights on `n_stars` stars.

    The paper's 1e-5 comes with 90,106 stars and 100 epochs: 250,000 steps. AdamW moves a weight by at most about one
    learning rate per step, so that at equal epochs a small set never leaves its random start with it. Keeping the
    product of rate and steps constant would ask for 1e-3 at 900 stars, where batches of 32 are noisy enough to overfit
    within a few epochs; the square root of that, the rule for a random walk of equal length, gives 1e-4 there
    and returns the paper's value at the paper's size. A cosine schedule starts at twice the rate, which makes its mean the same.

    Returns
    -------
    float
        ``1e-5 * sqrt(90106 / n_stars)``, between 1e-5 and 1e-3; twice that for the cosine schedule.
    """
    rate = PAPER_LEARNING_RATE * (PAPER_STARS / max(n_stars, 1)) ** 0.5
    rate = min(max(rate, PAPER_LEARNING_RATE), 1e-3)
    return 2 * rate if schedule == "cosine" else rate


MODEST = Augmentation(
    noise=(40.0, 300.0), shift_kms=15.0, smoothing_pixels=(0.0, 1.2), continuum_order=5, continuum_amplitude=0.005
)
"""What another night, fibre or spectrograph might do to a LAMOST spectrum. Cross-validated on LAMOST stars, each part of it
helps or does no harm (docs/choose-a-strategy.md)."""


@dataclass(frozen=True)
class Pretrain(TrainSettings):
    """Training from random weights on a survey with many labels.

    The defaults are those that cross-validation on 926 LAMOST stars preferred: spectra augmented anew in each epoch, a learning
    rate that falls to zero, and the mean weights of the last epochs. The paper's are those of `TrainSettings`, at a
    learning rate of 1e-5.

    Parameters
    ----------
    mlp : MLPSettings
        Shape of the network.
    """

    name: ClassVar[str] = "pretrain"
    epochs: int = 50
    average_last: int = 10
    schedule: str = "cosine"
    augmentation: Augmentation | None = MODEST
    mlp: MLPSettings = field(default_factory=MLPSettings)


def nested_settings(kind: type) -> dict[str, type]:
    """Fields of a settings class that are settings themselves, such as the shape of a network, and of which class."""
    try:
        hints = _hints(kind)
    except NameError as error:
        raise SettingsError(
            f"{kind.__name__}: {error}, which a field is of; define it at the top of its module"
        ) from error
    kinds = {field.name: (hints[field.name], *get_args(hints[field.name])) for field in fields(kind)}
    return {
        name: one for name, several in kinds.items() for one in several if isinstance(one, type) and is_dataclass(one)
    }


# They are texts, which take longer to read than all else that is done to build settings.
@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def settings_from_dict(kind: type, given: Mapping, what: str = ""):
    """Build settings from plain data, as a study file or config.json holds them.

    Parameters
    ----------
    kind : type
        A settings dataclass.
    given : mapping
        Its fields; those left out keep their defaults. Nested settings are mappings themselves.
    what : str, optional
        What they are settings of, for messages; by default the class says it.

    Raises
    ------
    SettingsError
        If a key is unknown or a value cannot be used.
    """
    what = what or getattr(kind, "name", kind.__name__)
    check_keys(given, [f.name for f in fields(kind)], what)
    nested = nested_settings(kind)
    values = {
        key: settings_from_dict(nested[key], value, f"{what}: {key}")
        if key in nested and isinstance(value, Mapping)
        else value
        for key, value in given.items()
    }
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{what}: {error}") from error


def plain(settings) -> dict:
    """Turn settings into plain data that JSON gives back unchanged (tuples become lists)."""
    return json.loads(json.dumps(asdict(settings)))


def versions() -> dict[str, str]:
    """Versions of the packages that decide a result, for the provenance."""
    return {name: metadata.version(name) for name in ("transtar", "torch", "numpy")}

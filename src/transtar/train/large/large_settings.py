"""Settings of the training of encoders on sets larger than memory, by one process or many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import cos, pi
from typing import Any, ClassVar

from ...checks import MOST_EPOCHS, MOST_SEED, check_list, check_real, check_whole
from ...devices import check_device
from ...errors import SettingsError, check_keys

PRECISIONS = ("float32", "bf16")

MOST_STEPS = 1_000_000_000

EXECUTION = ("device", "checkpoint_minutes", "checkpoint_steps")
"""Settings that say where a training runs and how it is kept, not what comes of it."""


@dataclass(frozen=True)
class EncoderTraining:
    """How the weights of an encoder are found; the training is AdamW with a warm-up and half a cosine that ends at zero.

    Parameters
    ----------
    epochs : int or None
        Passes over the training spectra.
    steps : int or None
        Or steps of the optimiser; exactly one of the two is given.
    batch_size : int
        Spectra, or pairs, in one step, over all processes and all parts of `accumulate`.
    accumulate : int
        Parts in which a step's spectra pass through the network one after another, for memory.
    learning_rate : float
        At the end of the warm-up.
    betas : (float, float)
        Of AdamW.
    weight_decay : float
        Of AdamW (decoupled), on all weights.
    warmup_steps : int or None
        Steps in which the learning rate rises in a line from zero; None: a twentieth of all.
    clip : float or None
        Largest norm of the gradient of a step; a larger one is scaled down to it. None leaves it.
    precision : {'float32', 'bf16'}
        'bf16': matrix products in bfloat16, by torch's autocast; weights and losses stay float32.
    seed : int
        Decides initialisation, held-out stars, order, masks and dropout.
    device : str
        'cpu', 'cuda', ...; with several processes 'cuda' is a device for each.
    validation_fraction : float
        Part of the stars held out, in [0, 1).
    validation_batches : int or None
        Look at no more than so many batches of them; None looks at all.
    check_every : int or None
        Steps between two looks at the validation spectra, each a line of losses.csv; None: once an epoch.
    min_delta : float
        A validation loss counts as better if it is lower than the best by more than that.
    patience : int or None
        Stop after so many looks without a better one; None never stops early.
    shuffle_rows : int
        Spectra held in memory and shuffled together. A set of no more is shuffled as a whole.
    checkpoint_minutes : float
        Between two checkpoints.
    checkpoint_steps : int or None
        A checkpoint also every so many steps.

    Raises
    ------
    SettingsError
        If a value is out of range, or not exactly one of `epochs` and `steps` is given.
    """

    name: ClassVar[str] = "encoder training"
    epochs: int | None = None
    steps: int | None = None
    batch_size: int = 64
    accumulate: int = 1
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    warmup_steps: int | None = None
    clip: float | None = 1.0
    precision: str = "float32"
    seed: int = 0
    device: str = "cpu"
    validation_fraction: float = 0.1
    validation_batches: int | None = 100
    check_every: int | None = None
    min_delta: float = 1e-4
    patience: int | None = 10
    shuffle_rows: int = 100_000
    checkpoint_minutes: float = 10.0
    checkpoint_steps: int | None = None

    def __post_init__(self) -> None:
        what = self.name
        if (self.epochs is None) == (self.steps is None):
            raise SettingsError(f"{what}: give either epochs or steps")
        _check_optional(self, "epochs", 1, MOST_EPOCHS)
        for name in ("steps", "check_every", "checkpoint_steps", "patience", "validation_batches"):
            _check_optional(self, name, 1, MOST_STEPS)
        _check_optional(self, "warmup_steps", 0, MOST_STEPS)
        for name in ("batch_size", "accumulate", "shuffle_rows"):
            check_whole(getattr(self, name), f"{what}: {name}")
        check_whole(self.seed, f"{what}: seed", 0, MOST_SEED)
        check_real(self.learning_rate, f"{what}: learning_rate", 0, above=True)
        for name in ("weight_decay", "min_delta"):
            check_real(getattr(self, name), f"{what}: {name}", 0)
        check_real(self.checkpoint_minutes, f"{what}: checkpoint_minutes", 0, above=True)
        if self.clip is not None:
            check_real(self.clip, f"{what}: clip", 0, above=True)
        if check_real(self.validation_fraction, f"{what}: validation_fraction", 0, 1) == 1:
            raise SettingsError(f"{what}: validation_fraction must be below 1")
        object.__setattr__(self, "betas", _check_betas(self.betas, what))
        check_keys([self.precision], PRECISIONS, f"{what}: precision")
        check_device(self.device, here=False)
        if self.batch_size % self.accumulate:
            raise SettingsError(
                f"{what}: a batch of {self.batch_size} cannot be divided into {self.accumulate} equal parts (accumulate)"
            )

    def with_(self, given: Mapping[str, Any]) -> EncoderTraining:
        """The settings with others in their place; epochs take the place of steps, and steps that of epochs.

        Parameters
        ----------
        given : mapping
            Names and values.

        Raises
        ------
        SettingsError
            If a name is unknown or a value out of range.
        """
        check_keys(given, self.__dataclass_fields__, self.name)
        length = {"epochs": None, "steps": None} if {"epochs", "steps"} & set(given) else {}
        return replace(self, **{**length, **given})

    def n_steps(self, steps_per_epoch: int) -> int:
        """Steps in all, unless it stops early."""
        return self.steps if self.steps is not None else (self.epochs or 0) * steps_per_epoch

    def n_warmup(self, n_steps: int) -> int:
        """Steps of the warm-up."""
        return -(-n_steps // 20) if self.warmup_steps is None else min(self.warmup_steps, n_steps)

    def rate_at(self, step: int, n_steps: int) -> float:
        """Learning rate of a step.

        Parameters
        ----------
        step : int
            From 0.
        n_steps : int
            In all.

        Returns
        -------
        float
            Rises in a line to `learning_rate`, which the last step of the warm-up has, and falls to zero by half a cosine.
        """
        warm = self.n_warmup(n_steps)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        return self.learning_rate * 0.5 * (1 + cos(pi * (step - warm) / max(n_steps - warm, 1)))


def _check_optional(settings: EncoderTraining, name: str, low: int, high: int) -> None:
    if getattr(settings, name) is not None:
        check_whole(getattr(settings, name), f"{settings.name}: {name}", low, high)


def _check_betas(betas: Any, what: str) -> tuple[float, float]:
    values = check_list(betas, f"{what}: betas", "two numbers")
    if len(values) != 2:
        raise SettingsError(f"{what}: betas must be two numbers, not {len(values)}")
    first, second = (check_real(value, f"{what}: betas", 0, 1) for value in values)
    if 1 in (first, second):
        raise SettingsError(f"{what}: betas must be below 1")
    return first, second


PAPER = "paper"

TRAINING_SIZES: dict[str, dict[str, EncoderTraining]] = {
    "lrs": {
        PAPER: EncoderTraining(
            steps=980_000, batch_size=512, learning_rate=1e-5, weight_decay=0.1, warmup_steps=9_760
        ),
        "small": EncoderTraining(epochs=8, batch_size=64, learning_rate=2e-3, weight_decay=0.05, patience=None),
    },
    "xp": {
        PAPER: EncoderTraining(
            steps=1_960_000, batch_size=256, learning_rate=1e-5, weight_decay=0.1, warmup_steps=19_520
        ),
        "small": EncoderTraining(epochs=40, batch_size=64, learning_rate=1e-3, weight_decay=0.05, patience=None),
    },
    "align": {
        PAPER: EncoderTraining(
            steps=10_000, batch_size=8192, learning_rate=1e-4, betas=(0.9, 0.999), weight_decay=0.05, warmup_steps=1_000,
            patience=20,
        ),
        "small": EncoderTraining(
            epochs=20, batch_size=256, learning_rate=5e-4, betas=(0.9, 0.999), weight_decay=0.05, patience=None
        ),
    },
}  # fmt: skip
"""By kind and size. Those of the paper are of the public configurations of SpecCLIP (Zhao et al. 2025), whose batches are
64 x 8, 64 x 4 and 1,024 x 8 spectra; 'small' is for minutes on two processor cores."""

"""The one training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

import torch

from ..devices import check_device
from .batches import Validation, batches, clean_targets, join, join_labelled
from .settings import TrainSettings
from .steps import StepModel

Augment = Callable[[torch.Generator], torch.Tensor]
Progress = Callable[[int, int, float, float], None]


@dataclass(frozen=True, eq=False)
class Run:
    """The stars and settings of one training run; see `train` for the meaning of each."""

    inputs: torch.Tensor
    targets: torch.Tensor
    settings: TrainSettings
    star_weights: torch.Tensor | None = None
    validation: tuple[torch.Tensor, torch.Tensor] | None = None
    validation_weights: torch.Tensor | None = None
    augment: Augment | None = None
    progress: Progress | None = None

    @property
    def n_epochs(self) -> int:
        """Epochs that it takes, unless it stops early."""
        epochs = self.settings.epochs
        assert epochs is not None
        return epochs


@dataclass(frozen=True)
class History:
    """What happened in a training run.

    Parameters
    ----------
    train_loss, validation_loss : tuple of float
        Per epoch, in squared standard deviations of the label. The former is the mean over the epoch's batches
        while the weights move; the latter has one element more, the loss before the first epoch, and is NaN without
        a validation set.
    best_epoch : int
        Epoch whose weights were kept, from 1; 0 are the weights at the start.
    kept : {'best', 'average', 'last'}
        'last' without a validation set.
    learning_rate : float
    """

    train_loss: tuple[float, ...]
    validation_loss: tuple[float, ...]
    best_epoch: int
    kept: str
    learning_rate: float


def train(
    model: StepModel,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    settings: TrainSettings,
    *,
    star_weights: torch.Tensor | None = None,
    validation: tuple[torch.Tensor, torch.Tensor] | None = None,
    validation_weights: torch.Tensor | None = None,
    augment: Augment | None = None,
    progress: Progress | None = None,
) -> History:
    """Train the weights of a step model; it ends with those to keep.

    AdamW on the mean squared error of the standardised labels, in an order drawn anew each epoch from the seed. With a
    validation set the weights of the epoch with the lowest validation loss are kept, which may be the start.
    One seed gives one result, bit for bit, on one machine with one number of threads. Ctrl-C passes through.

    Parameters
    ----------
    model : StepModel
    inputs : Tensor, shape (n, n_inputs), float32
        Standardised.
    targets : Tensor, shape (n, n_labels), float32
        Standardised; NaN where a label is missing.
    settings : TrainSettings
        Its learning rate and epochs must be given here.
    star_weights, validation_weights : Tensor, shape (n,), optional
        Relative weights of the stars in the losses.
    validation : (inputs, targets), optional
        Stars that choose the checkpoint.
    augment : callable, optional
        Called before every epoch with a generator; returns the inputs of that epoch, of the shape of `inputs`.
    progress : callable, optional
        Called after every epoch with its number (from 1), the number of epochs, training loss and validation loss.

    Returns
    -------
    History
    """
    run = Run(inputs, targets, settings, star_weights, validation, validation_weights, augment, progress)
    return to_the_end(training(model, [run]))[0]


def to_the_end(course: Generator[None, None, list[History]]) -> list[History]:
    """Go through all epochs of `training`."""
    while True:
        try:
            next(course)
        except StopIteration as end:
            return end.value


def training(model: StepModel, runs: Sequence[Run]) -> Generator[None, None, list[History]]:
    """Train all runs of a step model, one epoch for every `next`; it ends with the weights to keep.

    Every run has stars, seed, learning rate and checkpoint of its own, and comes out as if it were alone (up to rounding);
    a run that has ended or diverged goes idle until the last has ended.

    Parameters
    ----------
    model : StepModel
        Holds the weights of ``len(runs)`` runs.
    runs : sequence of Run
        Of equal epochs, batch size, number of batches, schedule, weight decay, averaging, patience and device, all with
        validation stars or all without.

    Returns
    -------
    list of History
        One per run; the value of the generator.
    """
    common = runs[0].settings
    device = torch.device(check_device(common.device))
    courses = [_Course(run, state) for run, state in zip(runs, model.state, strict=True)]
    optimiser, rates = _optimiser(model, runs)
    orders = [torch.Generator().manual_seed(run.settings.seed) for run in runs]
    noises = [torch.Generator(device=device).manual_seed(run.settings.seed + 1) for run in runs]

    def prepare(inputs: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        parts = [step.prepare(run_inputs) for step, run_inputs in zip(model.steps, inputs, strict=True)]
        return tuple(map(join, zip(*parts, strict=True)))

    inputs = [run.inputs.to(device) for run in runs]
    augments = any(run.augment is not None for run in runs)
    prepared = () if augments else prepare(inputs)
    labelled = [clean_targets(run.targets.to(device), _to(run.star_weights, device)) for run in runs]
    targets, weights = join_labelled(labelled)
    validation = Validation(model, _held_out(runs, device), prepare)
    for course, loss in zip(courses, validation.losses(len(runs)), strict=True):
        course.validation_losses.append(loss)
    for epoch in range(1, runs[0].n_epochs + 1):
        if common.schedule == "cosine":
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / runs[0].n_epochs))
        if augments:
            per_run = zip(runs, inputs, noises, strict=True)
            prepared = prepare([plain if run.augment is None else run.augment(noise) for run, plain, noise in per_run])
        totals = torch.zeros(len(runs), dtype=torch.float32, device=device)
        for batch in batches([len(run.targets) for run in runs], common.batch_size, orders, model.needs_pairs, device):
            losses = model.step(
                tuple(tensor.index_select(0, batch.rows) for tensor in prepared),
                targets.index_select(0, batch.rows),
                batch.weights(weights),
            )
            optimiser.step()
            totals += losses * batch.sizes
        # The only points of an epoch at which numbers leave the device.
        for course, total, loss in zip(courses, totals.tolist(), validation.losses(len(runs)), strict=True):
            course.note(epoch, total, loss)
        yield
        if all(course.over for course in courses):
            break
    _settle(courses, validation)
    return [course.history() for course in courses]


def _optimiser(model: StepModel, runs: Sequence[Run]) -> tuple[torch.optim.Optimizer, list[float]]:
    """AdamW, and the learning rate at the start of each of its groups: runs of equal rate move together."""
    moved: dict[float, list[torch.Tensor]] = {}
    for run, parameters in zip(runs, model.parameters, strict=True):
        assert run.settings.learning_rate is not None
        moved.setdefault(run.settings.learning_rate, []).extend(parameters)
    groups = [{"params": parameters, "lr": rate} for rate, parameters in moved.items()]
    return torch.optim.AdamW(groups, weight_decay=runs[0].settings.weight_decay, fused=True), list(moved)


def _held_out(runs: Sequence[Run], device: torch.device):
    held_out = [
        (run.validation[0].to(device), run.validation[1].to(device), _to(run.validation_weights, device))
        for run in runs
        if run.validation is not None
    ]
    return held_out or None


@dataclass(eq=False)
class _Course:
    """How one run has gone so far; `state` are its weights, which the model trains."""

    run: Run
    state: list[torch.Tensor]
    train_losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    best_epoch: int = 0
    n_averaged: int = 0
    over: bool = False
    kept: str = "best"

    def __post_init__(self) -> None:
        settings = self.run.settings
        self.floats = [tensor for tensor in self.state if tensor.is_floating_point()]
        self.best = [tensor.clone() for tensor in self.state]
        self.average = [torch.zeros_like(tensor) for tensor in self.floats] if settings.average_last else []
        self.n_last = min(settings.average_last, self.run.n_epochs)

    def note(self, epoch: int, total: float, validation_loss: float) -> None:
        """Take down an epoch: `total` is the sum of its training loss over the stars."""
        if self.over:
            return
        run, settings = self.run, self.run.settings
        self.train_losses.append(total / len(run.targets))
        self.validation_losses.append(validation_loss)
        if run.progress is not None:
            run.progress(epoch, run.n_epochs, self.train_losses[-1], validation_loss)
        if validation_loss < self.validation_losses[self.best_epoch]:
            self.best_epoch = epoch
            _copy(self.best, self.state)
        if epoch > run.n_epochs - self.n_last:
            torch._foreach_add_(self.average, self.floats)
            self.n_averaged += 1
        waited = settings.patience is not None and epoch - self.best_epoch >= settings.patience
        self.over = (
            epoch == run.n_epochs or not math.isfinite(self.train_losses[-1]) or (waited and run.validation is not None)
        )
        if self.over and run.validation is None:
            self.kept, self.best_epoch = "last", epoch
            _copy(self.best, self.state)

    def history(self) -> History:
        """What is to be remembered."""
        rate = self.run.settings.learning_rate
        assert rate is not None
        return History(tuple(self.train_losses), tuple(self.validation_losses), self.best_epoch, self.kept, rate)


def _settle(courses: list[_Course], validation: Validation) -> None:
    """Give every run the weights to keep: its best, its last, or the average of its last epochs."""
    averaged = [course for course in courses if course.n_last and course.n_averaged == course.n_last]
    for course in courses:
        _copy(course.state, course.best)
    for course in averaged:
        torch._foreach_div_(course.average, course.n_averaged)
        course.kept = "average"
    if averaged and validation.counts:
        best = validation.star_losses()
        for course in averaged:
            _copy(course.floats, course.average)
        average = validation.star_losses()
        # The best of many epochs is also the luckiest: the average stands unless it is worse by more than two
        # standard errors of their difference over the validation stars.
        for course, worse in zip(courses, [a - b for a, b in zip(average, best, strict=True)], strict=True):
            spread = float(worse.std()) if len(worse) > 1 else math.inf
            if course in averaged and float(worse.mean()) > 2 * spread / math.sqrt(len(worse)):
                course.kept = "best"
                _copy(course.state, course.best)
    else:
        for course in averaged:
            _copy(course.floats, course.average)


def _to(tensor: torch.Tensor | None, device: torch.device) -> torch.Tensor | None:
    return None if tensor is None else tensor.to(device)


def _copy(into: list[torch.Tensor], source: list[torch.Tensor]) -> None:
    with torch.no_grad():
        torch._foreach_copy_(into, source)

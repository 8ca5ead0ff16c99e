"""The one training loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .settings import TrainSettings
from .steps import StepModel, weighted_loss

Augment = Callable[[torch.Generator], torch.Tensor]
Progress = Callable[[int, int, float, float], None]


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

    @property
    def best_loss(self) -> float:
        """Lowest validation loss of a single epoch."""
        return self.validation_loss[self.best_epoch]


def clean_targets(targets: torch.Tensor, star_weights: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Turn missing labels into weights of zero.

    Parameters
    ----------
    targets : Tensor, shape (n, n_labels)
        Standardised labels, NaN where missing.
    star_weights : Tensor, shape (n,), or None

    Returns
    -------
    targets : Tensor
        With 0 in place of NaN.
    weights : Tensor of the same shape, or None
        Mean 1, so that the weighted loss of the whole set is the (weighted) mean over the labels present; None where
        every label counts the same.
    """
    present = torch.isfinite(targets)
    if star_weights is None and bool(present.all()):
        return targets, None
    weights = present.to(targets.dtype)
    if star_weights is not None:
        weights = weights * star_weights[:, None]
    return torch.where(present, targets, 0.0), weights / weights.mean()


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
        Its learning rate must be given here.
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
    assert settings.learning_rate is not None
    device = torch.device(settings.device)
    inputs, (targets, weights) = inputs.to(device), clean_targets(targets.to(device), _to(star_weights, device))
    order = torch.Generator().manual_seed(settings.seed)
    noise = torch.Generator(device=device).manual_seed(settings.seed + 1)
    optimiser = torch.optim.AdamW(
        model.parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    prepared = model.prepare(inputs) if augment is None else ()
    if validation is not None:
        validation_prepared = model.prepare(validation[0].to(device))
        validation_targets, validation_weight = clean_targets(validation[1].to(device), _to(validation_weights, device))

    def validation_loss() -> float:
        if validation is None:
            return math.nan
        return float(weighted_loss(model.outputs(validation_prepared), validation_targets, validation_weight))

    def star_losses() -> torch.Tensor:
        squared = (model.outputs(validation_prepared) - validation_targets).square()
        return (squared if validation_weight is None else squared * validation_weight).mean(dim=1)

    best = [tensor.clone() for tensor in model.state]
    average = [torch.zeros_like(t) for t in model.state if t.is_floating_point()] if settings.average_last else []
    train_losses: list[float] = []
    validation_losses = [validation_loss()]
    best_epoch, n_averaged, n = 0, 0, len(targets)
    n_last = min(settings.average_last, settings.epochs)
    for epoch in range(1, settings.epochs + 1):
        if settings.schedule == "cosine":
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / settings.epochs))
        if augment is not None:
            prepared = model.prepare(augment(noise))
        total = torch.zeros((), device=device)
        for rows in _batches(n, settings.batch_size, order, model.needs_pairs):
            rows = rows.to(device)
            loss = model.step(
                tuple(tensor.index_select(0, rows) for tensor in prepared),
                targets.index_select(0, rows),
                None if weights is None else weights.index_select(0, rows),
            )
            optimiser.step()
            total += loss * len(rows)
        # The only points of an epoch at which a number leaves the device.
        train_losses.append(float(total) / n)
        validation_losses.append(validation_loss())
        if progress is not None:
            progress(epoch, settings.epochs, train_losses[-1], validation_losses[-1])
        if validation_losses[-1] < validation_losses[best_epoch]:
            best_epoch = epoch
            _copy(best, model.state)
        if epoch > settings.epochs - n_last:
            torch._foreach_add_(average, [t for t in model.state if t.is_floating_point()])
            n_averaged += 1
        if not math.isfinite(train_losses[-1]):
            break
        if settings.patience is not None and validation is not None and epoch - best_epoch >= settings.patience:
            break
    kept = "last" if validation is None else "best"
    if validation is None:
        best_epoch = len(train_losses)
        _copy(best, model.state)
    if n_last and n_averaged == n_last:
        torch._foreach_div_(average, n_averaged)
        _copy([t for t in model.state if t.is_floating_point()], average)
        kept = "average"
        if validation is not None:
            losses = star_losses()
            _copy(model.state, best)
            # The best of many epochs is also the luckiest: the average stands unless it is worse by more than two
            # standard errors of their difference over the validation stars.
            worse = losses - star_losses()
            spread = float(worse.std()) if len(worse) > 1 else math.inf
            if float(worse.mean()) > 2 * spread / math.sqrt(len(worse)):
                kept = "best"
            else:
                _copy([t for t in model.state if t.is_floating_point()], average)
    if kept == "best":
        _copy(model.state, best)
    return History(tuple(train_losses), tuple(validation_losses), best_epoch, kept, settings.learning_rate)


def _batches(n: int, size: int, generator: torch.Generator, needs_pairs: bool) -> list[torch.Tensor]:
    batches = list(torch.randperm(n, generator=generator).split(size))
    if needs_pairs and len(batches) > 1 and len(batches[-1]) == 1:
        # Batch normalisation has no use for a batch of one.
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _to(tensor: torch.Tensor | None, device: torch.device) -> torch.Tensor | None:
    return None if tensor is None else tensor.to(device)


def _copy(into: list[torch.Tensor], source: list[torch.Tensor]) -> None:
    with torch.no_grad():
        torch._foreach_copy_(into, source)

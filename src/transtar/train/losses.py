"""Losses: what the difference between an output and a label costs."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..errors import SettingsError

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Takes outputs and standardised labels, shape (n, n_labels), and returns the loss of each label of each star, of that shape."""


def squared(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Squared difference of each label of each star.

    Parameters
    ----------
    outputs, targets : tensor, shape (n, n_labels)
        Standardised labels.

    Returns
    -------
    tensor, shape (n, n_labels)
    """
    return (outputs - targets).square()


def each_loss(loss: Loss, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The loss of each label of each star, which a loss or network of a package from outside may get wrong.

    Raises
    ------
    SettingsError
        If the outputs or the losses have another shape than the targets, or the losses are no tensor of real numbers.
    """
    if outputs.shape != targets.shape:
        raise SettingsError(
            f"the network gives outputs of shape {tuple(outputs.shape)}, expected {tuple(targets.shape)}"
        )
    losses = loss(outputs, targets)
    if not isinstance(losses, torch.Tensor) or not losses.is_floating_point() or losses.shape != targets.shape:
        given = (
            f"shape {tuple(losses.shape)}, {losses.dtype}"
            if isinstance(losses, torch.Tensor)
            else type(losses).__name__
        )
        raise SettingsError(
            f"the loss must return that of each label of each star, a tensor of shape {tuple(targets.shape)}, not {given}; "
            "leave the mean to the training"
        )
    return losses


def weighted_mean(losses: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Mean over stars and labels of the losses.

    Parameters
    ----------
    losses : tensor, shape (n, n_labels)
    weights : tensor, shape (n, n_labels), or None
        Zero where a label is missing.

    Returns
    -------
    tensor, scalar
    """
    return losses.mean() if weights is None else (losses * weights).mean()

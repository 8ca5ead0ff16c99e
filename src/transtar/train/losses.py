"""Losses: what the difference between an output and a label costs."""

from __future__ import annotations

from collections.abc import Callable

import torch

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

"""The stars of several runs side by side: joined tensors, batches and validation losses.

Joined means that the rows of all runs lie one after the other, the same number for each: those of shorter runs are filled
up with rows of zeros that no loss counts. The joined tensors of a single run are its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from .losses import each_loss
from .steps import StepModel

Prepare = Callable[[list[torch.Tensor]], tuple[torch.Tensor, ...]]
Labelled = tuple[torch.Tensor, torch.Tensor | None]


def clean_targets(targets: torch.Tensor, star_weights: torch.Tensor | None) -> Labelled:
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


def join(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Join one tensor of shape (n, ...) per run; n may differ."""
    if len(tensors) == 1:
        return tensors[0]
    longest = max(map(len, tensors))
    return torch.cat([_filled(tensor, longest) for tensor in tensors])


def join_labelled(parts: Sequence[Labelled]) -> Labelled:
    """Join targets and their weights, which are None where no run has any."""
    weights = None
    if any(run_weights is not None for _, run_weights in parts):
        weights = join(
            [torch.ones_like(targets) if run_weights is None else run_weights for targets, run_weights in parts]
        )
    return join([targets for targets, _ in parts]), weights


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch of every run.

    Parameters
    ----------
    rows : Tensor, shape (n_runs * size,), int64
        Of joined tensors.
    sizes : int or Tensor, shape (n_runs,)
        Stars of each run in it.
    factors : Tensor, shape (n_runs * size, 1), or None
        What makes the mean over `size` rows that over the stars of the run; None where they are the same.
    """

    rows: torch.Tensor
    sizes: int | torch.Tensor
    factors: torch.Tensor | None = None

    def weights(self, weights: torch.Tensor | None) -> torch.Tensor | None:
        """Weights of its rows, from joined weights."""
        if weights is None:
            return self.factors
        row_weights = weights.index_select(0, self.rows)
        return row_weights if self.factors is None else row_weights * self.factors


def batches(
    counts: Sequence[int], size: int, orders: Sequence[torch.Generator], needs_pairs: bool, device: torch.device
) -> Iterator[Batch]:
    """Draw the batches of an epoch, the stars of every run in an order of its own.

    Parameters
    ----------
    counts : sequence of int
        Stars of each run; the number of batches is the same for all.
    size : int
        Stars of a batch.
    orders : sequence of torch.Generator
    needs_pairs : bool
        Whether a batch of one star cannot be used; for a single run.
    device : torch.device
    """
    longest = max(counts)
    drawn = [torch.randperm(count, generator=order, device="cpu") for count, order in zip(counts, orders, strict=True)]
    rows = torch.stack([_filled(stars, longest) + longest * run for run, stars in enumerate(drawn)]).to(device)
    parts = list(rows.split(size, dim=1))
    if needs_pairs and len(parts) > 1 and parts[-1].shape[1] == 1:
        # Batch normalisation has no use for a batch of one.
        parts[-2:] = [torch.cat(parts[-2:], dim=1)]
    for part in parts[:-1]:
        yield Batch(part.flatten(), part.shape[1])
    width = parts[-1].shape[1]
    if min(counts) == longest:
        yield Batch(parts[-1].flatten(), width)
    else:
        sizes = torch.tensor(counts, device=device) - (longest - width)
        present = torch.arange(width, device=device) < sizes[:, None]
        yield Batch(parts[-1].flatten(), sizes, (present * (width / sizes[:, None].float())).flatten()[:, None])


class Validation:
    """Validation losses of the runs of a model, with the weights it has when asked.

    Parameters
    ----------
    model : StepModel
    stars : sequence of (inputs, targets, weights), or None
        Per run, on the model's device; weights of stars or None. None where nothing is held out.
    prepare : callable
        Turns the inputs of all runs into joined prepared tensors.
    """

    def __init__(
        self,
        model: StepModel,
        stars: Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]] | None,
        prepare: Prepare,
    ):
        self.model = model
        self.counts: list[int] = []
        if stars is not None:
            self.prepared = prepare([inputs for inputs, _, _ in stars])
            self.counts = [len(targets) for _, targets, _ in stars]
            labelled = [clean_targets(targets, weights) for _, targets, weights in stars]
            longest = max(self.counts)
            if min(self.counts) < longest:
                # The mean over all rows is then that over the stars of the run.
                labelled = [
                    (targets, (torch.ones_like(targets) if weights is None else weights) * (longest / len(targets)))
                    for targets, weights in labelled
                ]
            self.targets, self.weights = join_labelled(labelled)

    def _each(self) -> torch.Tensor:
        losses = each_loss(self.model.loss, self.model.outputs(self.prepared), self.targets)
        losses = losses if self.weights is None else losses * self.weights
        return losses.view(len(self.counts), -1, losses.shape[1])

    def losses(self, n_runs: int) -> list[float]:
        """Mean (weighted) loss of each run; NaN without validation stars."""
        return self._each().mean(dim=(1, 2)).tolist() if self.counts else [math.nan] * n_runs

    def star_losses(self) -> list[torch.Tensor]:
        """That of each star, shape (n,), of each run."""
        means = self._each().mean(dim=2)
        return [losses[:count] for losses, count in zip(means, self.counts, strict=True)]


def _filled(tensor: torch.Tensor, length: int) -> torch.Tensor:
    if len(tensor) == length:
        return tensor
    return torch.cat([tensor, tensor.new_zeros(length - len(tensor), *tensor.shape[1:])])

"""Batch normalisation over the batches of all processes together, so that their number changes nothing.

Torch has the same for GPUs alone (SyncBatchNorm); this one is for any device, and its statistics are computed in two passes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed, nn
from torch.autograd.function import once_differentiable

from .ranks import Ranks


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(context: Any, values: torch.Tensor) -> torch.Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


class JointBatchNorm(nn.BatchNorm1d):
    """`nn.BatchNorm1d` that takes mean and variance, while training, over the rows of all processes."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Normalise `values`, shape (n, num_features)."""
        if not self.training or Ranks.current().size == 1:
            return super().forward(values)
        kind, values = values.dtype, values.float()
        sums = _Sum.apply(torch.cat([values.sum(dim=0), values.new_tensor([len(values)])]))
        n = sums[-1].detach()
        mean = sums[:-1] / n
        variance = _Sum.apply(((values - mean) ** 2).sum(dim=0)) / n
        self._remember(mean.detach(), variance.detach() * n / (n - 1))
        normalised = (values - mean) * torch.rsqrt(variance + self.eps)
        return (normalised * self.weight + self.bias).to(kind)

    @torch.no_grad()
    def _remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)


def with_joint_statistics(network: nn.Module) -> nn.Module:
    """Let every `nn.BatchNorm1d` in a network take its statistics over all processes; in place, weights stay the same objects."""
    return _with_class(network, nn.BatchNorm1d, JointBatchNorm)


def with_plain_statistics(network: nn.Module) -> nn.Module:
    """Undo `with_joint_statistics`."""
    return _with_class(network, JointBatchNorm, nn.BatchNorm1d)


def _with_class(network: nn.Module, before: type[nn.Module], after: type[nn.Module]) -> nn.Module:
    for module in network.modules():
        if type(module) is before:
            # The tensors and settings are the same; only the way forward differs.
            module.__class__ = after
    return network

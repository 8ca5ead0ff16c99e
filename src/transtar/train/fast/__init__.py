"""Training steps that are differentiated by hand, for the networks and the loss that are known here; one door to them.

`accelerated` says whether it knows a network and a loss. Whatever it does not know is left to `AutogradStep`: nothing else needs
to be written for a new one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from torch import nn

from ...networks.building import is_bare
from ...networks.lora import LoRALinear
from ...networks.mlp import is_plain_mlp
from ..losses import Loss, squared
from ..steps import Offset, StepModel
from .dense import DenseStep, Once
from .stacked import StackedStep, shape_of, weights_in_products

STACK_BELOW = 150_000
"""Runs are stacked on a CPU if a step multiplies by fewer weights than this, in each."""


def accelerated(
    network: nn.Module, loss: Loss, offset: Offset | None = None, once: Once | None = None
) -> StepModel | None:
    """A fast step for a network and a loss; None if one of them is not known.

    Parameters
    ----------
    network : nn.Module
        Known are chains of linear layers and ReLU, with LoRA or without.
    loss : callable
        Known is `transtar.train.losses.squared`.
    offset : callable, optional
        Frozen function of the inputs, added to the outputs.
    once : callable, optional
        As in `DenseStep`.
    """
    # A subclass may do anything in its forward pass.
    if loss is not squared or type(network) is not nn.Sequential or not _is_plain(network):
        return None
    plain = nn.Sequential(*(layer.layer if type(layer) is LoRALinear else layer for layer in network))
    if not is_plain_mlp(plain) or not all(_is_whole(layer) for layer in list(network)[::2]):
        return None
    return DenseStep(network, offset) if once is None else DenseStep(network, offset, once)


def alike(step: StepModel) -> Hashable | None:
    """Equal for steps that can be stacked and gain by it; None for one that cannot or does not."""
    return shape_of(step) if isinstance(step, DenseStep) and pays_to_stack(step) else None


def stack(steps: Sequence[StepModel]) -> StepModel:
    """One step for runs of equal `alike`."""
    return StackedStep([step for step in steps if isinstance(step, DenseStep)])


def pays_to_stack(step: DenseStep) -> bool:
    """Whether runs of this shape are faster as one than one after the other.

    On a CPU, a step of a small network is mostly the calls that start its products. Measured on one thread, fine-tuning on
    100 stars of 1462 inputs, 10 runs together take of the time of one after the other: heads of 2 to 8 hidden units 0.6, of
    34 (50,000 weights) 0.7, of 64 (94,000) 0.84, of 85 (124,000) 0.9, of 128 (187,000) 1.0, of 171 to 341 up to 1.15,
    since their weights together leave the cache. LoRA of whatever rank multiplies by half a million frozen weights. On a
    GPU, where calls are dear and memory is fast, all are stacked; that was not measured.
    """
    weights = step.parameters[0][0]
    return weights.device.type != "cpu" or weights_in_products(step) < STACK_BELOW


def _is_plain(network: nn.Module) -> bool:
    """Whether nothing but the layers decides: no hook, no other forward pass, no weight that is computed or shared."""
    names = {nn.Linear: {"weight", "bias"}, LoRALinear: {"A", "B"}}
    if not is_bare(network):
        return False
    for module in network.modules():
        if set(module._parameters) != names.get(type(module), set()) or module._buffers:
            return False
    every = [weight for _, weight in network.named_parameters(remove_duplicate=False) if weight.requires_grad]
    return len({id(weight) for weight in every}) == len(every) > 0 and not any(
        weight._backward_hooks or weight._post_accumulate_grad_hooks for weight in every
    )


def _is_whole(layer: nn.Module) -> bool:
    """Whether a layer trains as `DenseStep` expects: weight and bias, or neither, or the two factors of a LoRA alone."""
    if isinstance(layer, LoRALinear):
        frozen = not any(parameter.requires_grad for parameter in layer.layer.parameters())
        return frozen and layer.layer.bias is not None and layer.A.requires_grad and layer.B.requires_grad
    parameters = dict(layer.named_parameters())
    return "bias" in parameters and len({parameter.requires_grad for parameter in parameters.values()}) == 1

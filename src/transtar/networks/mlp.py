"""The multilayer perceptron of the paper, and the linear network that holds a ridge regression."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from ..checks import MOST_WEIGHTS, MOST_WIDTH, check_real, check_whole
from ..errors import SettingsError, shown

MOST_LAYERS = 100


@dataclass(frozen=True)
class MLPSettings:
    """Shape of a multilayer perceptron.

    The defaults are the paper's (Sect. 2): [input, 1024, 512, 64, output] with ReLU, 2,055,809 weights at 1462 inputs
    and one output; that count leaves no room for batch normalisation.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers.
    dropout : float
        Probability with which an activation of a hidden layer is dropped while training, in [0, 1).
    batch_norm : bool
        Normalise each hidden layer over the batch before its ReLU.

    Raises
    ------
    SettingsError
        If there is no hidden layer, a width is not positive or the probability is out of range.
    """

    hidden: tuple[int, ...] = (1024, 512, 64)
    dropout: float = 0.0
    batch_norm: bool = False

    def __post_init__(self) -> None:
        # A study file or config.json gives a list.
        if not isinstance(self.hidden, list | tuple) or not 1 <= len(self.hidden) <= MOST_LAYERS:
            raise SettingsError(
                f"mlp: hidden must be a list of 1 to {MOST_LAYERS} positive widths, not {shown(repr(self.hidden))}"
            )
        widths = tuple(check_whole(width, "mlp: each width of hidden", 1, MOST_WIDTH) for width in self.hidden)
        if sum(one * other for one, other in pairwise(widths)) > MOST_WEIGHTS:
            raise SettingsError(f"mlp: hidden has more than {MOST_WEIGHTS} weights: {shown(widths)}")
        object.__setattr__(self, "hidden", widths)
        check_real(self.dropout, "mlp: dropout", 0, 1)
        if self.dropout == 1 or not isinstance(self.batch_norm, bool):
            raise SettingsError("mlp: dropout must be below 1, and batch_norm true or false")


def build_linear(n_inputs: int, n_outputs: int, device: str = "cpu") -> nn.Linear:
    """A linear layer in float32, whatever torch makes by default."""
    return nn.Linear(n_inputs, n_outputs, dtype=torch.float32, device=device)


ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}
"""What may stand between the layers."""


def build_mlp(
    n_inputs: int,
    n_outputs: int,
    settings: MLPSettings | None = None,
    device: str = "cpu",
    activation: str = "relu",
) -> nn.Sequential:
    """Build a multilayer perceptron with freshly drawn weights (torch's default initialisation).

    Parameters
    ----------
    n_inputs, n_outputs : int
    settings : MLPSettings, optional
    device : str
        A torch device; on 'meta' the weights take no memory, and are none.
    activation : {'relu', 'gelu'}

    Returns
    -------
    nn.Sequential
        Maps standardised inputs (n, n_inputs) to standardised labels (n, n_outputs), float32. Its `nn.Linear` layers,
        in order, are the hidden ones and the output layer.

    Raises
    ------
    SettingsError
        If the activation is unknown.
    """
    settings = settings or MLPSettings()
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise SettingsError(f"mlp: activation must be one of {', '.join(ACTIVATIONS)}, not '{shown(activation)}'")
    layers: list[nn.Module] = []
    width = n_inputs
    for next_width in settings.hidden:
        layers.append(build_linear(width, next_width, device))
        if settings.batch_norm:
            layers.append(nn.BatchNorm1d(next_width, dtype=torch.float32, device=device))
        layers.append(ACTIVATIONS[activation]())
        if settings.dropout:
            layers.append(nn.Dropout(settings.dropout))
        width = next_width
    layers.append(build_linear(width, n_outputs, device))
    return nn.Sequential(*layers)


def linear_layers(network: nn.Module) -> list[nn.Linear]:
    """List the `nn.Linear` layers of a sequential network, from input to output."""
    return [layer for layer in network.children() if isinstance(layer, nn.Linear)]


def is_plain_mlp(network: nn.Module) -> bool:
    """Whether `network` is nothing but linear layers with a ReLU between them."""
    if not isinstance(network, nn.Sequential):
        return False
    kinds = [type(layer) for layer in network]
    return len(kinds) % 2 == 1 and all(
        kind is (nn.Linear if index % 2 == 0 else nn.ReLU) for index, kind in enumerate(kinds)
    )


def count_weights(network: nn.Module, trainable_only: bool = False) -> int:
    """Count the weights of a network, biases included."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not trainable_only)

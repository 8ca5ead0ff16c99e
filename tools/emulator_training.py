"""How the emulator is trained: networks in the space of principal components, one after the other, then averaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from transtar.errors import SettingsError
from transtar.networks.mlp import build_linear
from transtar.simulate.emulator.emulator import HEADS, Emulator
from transtar.simulate.emulator.grid_range import GridRange
from transtar.simulate.emulator.heads import Head, HeadShape, features

from .emulator_grid import Grid


@dataclass(frozen=True)
class HeadSettings:
    """How one head is trained.

    Parameters
    ----------
    components : int
        Principal components of the training spectra that form the basis.
    members : int
        Networks that are averaged, each from its own seed.
    hidden : tuple of int
        Widths of the hidden layers.
    epochs, batch_size : int
    learning_rate : float
        Of AdamW, at its maximum; it rises over the first twentieth and falls as a cosine.
    weight_decay : float
    floor : float
        Added in quadrature to the rms residual of a spectrum in the loss, in units of the spectra: below it a spectrum
        stops to matter.
    """

    components: int
    members: int
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    floor: float = 3e-4

    def __post_init__(self) -> None:
        if min(self.components, self.members, self.epochs, self.batch_size, *self.hidden) < 1:
            raise SettingsError(
                "emulator training: components, members, widths, epochs and batch size must be positive"
            )


SETTINGS: dict[str, HeadSettings] = {
    "flux": HeadSettings(components=256, members=4, hidden=(256, 256, 256), epochs=700),
    "continuum": HeadSettings(components=16, members=2, hidden=(64, 64), epochs=400),
    "sed": HeadSettings(components=16, members=2, hidden=(128, 128, 128), epochs=1000, learning_rate=3e-3),
}
"""Settings of the shipped emulator."""

Progress = Callable[[str], None]


def train_emulator(
    grid: Grid,
    settings: dict[str, HeadSettings] | None = None,
    rows: np.ndarray | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Emulator:
    """Train an emulator.

    Parameters
    ----------
    grid : Grid
    settings : dict of str to HeadSettings, optional
        Per head; default `SETTINGS`.
    rows : ndarray of int, optional
        Rows of the grid to train on; default all.
    seed : int
    progress : callable, optional
        Is told a line per network trained.

    Returns
    -------
    Emulator
    """
    settings = settings or SETTINGS
    rows = np.arange(len(grid.labels)) if rows is None else rows
    heads = {}
    for name in HEADS:
        chosen = np.flatnonzero(np.isin(grid.rows[name], rows))
        labels = grid.labels[grid.rows[name][chosen]]
        heads[name] = train_head(labels, grid.values[name][chosen], settings[name], seed, name, progress)
    training = {
        "n": {name: int(np.isin(grid.rows[name], rows).sum()) for name in HEADS},
        "seed": seed,
        "settings": {name: asdict(settings[name]) for name in HEADS},
    }
    return Emulator(heads, grid.waves, GridRange(), {"training": training}).eval()


def principal_components(values: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean (P,) and up to `n` principal components (n, P) of spectra (m, P), of unit mean square over the pixels.

    So the mean square of a spectrum over its pixels is the sum of its squared coefficients. From the m x m matrix of
    products, for there are fewer spectra than pixels.
    """
    mean = values.mean(axis=0)
    rest = values - mean
    power, vectors = np.linalg.eigh((rest @ rest.T).astype(np.float64))
    chosen = np.argsort(power)[::-1][: min(n, len(values) - 1)]
    # Fewer where the spectra have fewer: the rest is rounding, and would be blown up.
    chosen = chosen[power[chosen] > 1e-12 * power.max()]
    basis = (vectors[:, chosen].T @ rest) / np.sqrt(power[chosen])[:, None]
    return mean, (basis * np.sqrt(values.shape[1])).astype(np.float32)


def train_head(
    labels: np.ndarray,
    values: np.ndarray,
    settings: HeadSettings,
    seed: int = 0,
    name: str = "",
    progress: Progress | None = None,
) -> Head:
    """Train the networks of one head on spectra (n, P) of stars with labels (n, 6)."""
    mean, basis = principal_components(values, settings.components)
    targets = torch.from_numpy((values - mean) @ basis.T / np.float32(values.shape[1]))
    inputs = features(torch.from_numpy(labels)).float()
    head = Head(HeadShape(settings.members, tuple(settings.hidden), len(basis), values.shape[1]))
    head.basis.copy_(torch.from_numpy(basis))
    head.mean.copy_(torch.from_numpy(mean))
    for member in range(settings.members):
        layers, loss = _train_member(inputs, targets, settings, 1000 * seed + member)
        for index, layer in enumerate(layers):
            head.weight[index].data[member] = layer.weight.detach().T
            head.bias[index].data[member, 0] = layer.bias.detach()
        if progress is not None:
            progress(f"{name} network {member + 1} of {settings.members}: mean rms of the last epoch {loss:.6f}")
    return head


def _train_member(
    inputs: torch.Tensor, targets: torch.Tensor, settings: HeadSettings, seed: int
) -> tuple[list[nn.Linear], float]:
    """Train one network; return its linear layers, the last giving the coefficients as they are, and its last loss."""
    random = torch.Generator().manual_seed(seed)
    widths = [inputs.shape[1], *settings.hidden, targets.shape[1]]
    layers = [_linear(a, b, random) for a, b in pairwise(widths)]
    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    # Between equal steps for all components and steps in proportion to them, both of which fit worse.
    spread = targets.std(dim=0)
    scale = (spread * spread.max()).sqrt()
    optimiser = torch.optim.AdamW(
        parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, betas=(0.9, 0.99)
    )
    batches = max(len(inputs) // settings.batch_size, 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.epochs * batches, pct_start=0.05, div_factor=10,
        final_div_factor=1e3, cycle_momentum=False,
    )  # fmt: skip
    total = 0.0
    for _ in range(settings.epochs):
        order = torch.randperm(len(inputs), generator=random, device="cpu")
        total = 0.0
        for batch in order[: batches * settings.batch_size].chunk(batches):
            hidden = inputs[batch]
            for layer in layers[:-1]:
                hidden = nn.functional.gelu(layer(hidden))
            residual = layers[-1](hidden) * scale - targets[batch]
            # The rms itself and not its square, or the few cool metal-rich stars would have all the say.
            loss = (residual.pow(2).sum(dim=1) + settings.floor**2).sqrt().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() / batches
    with torch.no_grad():
        layers[-1].weight.mul_(scale[:, None])
        layers[-1].bias.mul_(scale)
    return layers, total


def _linear(n_inputs: int, n_outputs: int, random: torch.Generator) -> nn.Linear:
    layer = build_linear(n_inputs, n_outputs)
    bound = n_inputs**-0.5
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=random)
        layer.bias.uniform_(-bound, bound, generator=random)
    return layer

"""Networks that are alike in all but their last layer, each run once over the same spectra, whoever asks for labels or gradients.

The shipped models are outputs of one network, and the network that tells kinds of stars (`transtar.trust.telling_labels`) is the
same again: of its two million products for each star all but a hundred are common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import nn

from ..datasets.inputs import FLUX
from ..networks.building import is_bare
from ..networks.mlp import is_plain_mlp, linear_layers
from .estimator import Estimator


@dataclass(eq=False)
class Trunks:
    """What some models have in common.

    Parameters
    ----------
    models : sequence of object
        Those of the flux whose networks are linear layers with ReLU between them are known; all others predict for themselves.
    """

    models: Sequence[Any]
    _places: dict[int, int] = field(default_factory=dict, init=False, repr=False)
    _first: list[Estimator] = field(default_factory=list, init=False, repr=False)
    _back: list[torch.Tensor] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        for model in self.models:
            if not isinstance(model, Estimator) or model.input != FLUX.name:
                continue
            if not is_plain_mlp(model.network) or not is_bare(model.network):
                continue
            place = next((i for i, other in enumerate(self._first) if same_trunk(model, other)), len(self._first))
            if place == len(self._first):
                self._first.append(model)
                self._back.append(_padded(linear_layers(model.network)[0].weight.detach()))
            self._places[id(model)] = place

    def over(self, flux: np.ndarray) -> Passes:
        """What the models make of spectra, shape (n, n_grid), one after the other as they are asked for."""
        return Passes(self, flux)


@dataclass(eq=False)
class Passes:
    """What models make of the same spectra.

    Parameters
    ----------
    trunks : Trunks
    flux : ndarray, shape (n, n_grid)
    """

    trunks: Trunks
    flux: np.ndarray
    _runs: dict[int, tuple[list[torch.Tensor], np.ndarray]] = field(default_factory=dict, init=False, repr=False)

    def know(self, model: Any) -> TypeGuard[Estimator]:
        """Whether the model is one of those that share their trunks."""
        return id(model) in self.trunks._places

    @torch.inference_mode()
    def predict_with_distance(self, model: Estimator) -> tuple[np.ndarray, np.ndarray]:
        """Do what `Estimator.predict_with_distance` does.

        Returns
        -------
        labels : ndarray, shape (n, n_labels), float32
        distance : ndarray, shape (n,), float32
        """
        if not self.know(model):
            return model.predict_with_distance(self.flux)
        values, distance = self._run(model)
        scale, shift = (torch.from_numpy(scaler).float() for scaler in (model.label_std, model.label_mean))
        labels = linear_layers(model.network)[-1](values[-1]).mul_(scale).add_(shift).numpy()
        labels[~np.isfinite(labels)] = np.nan
        return labels, distance

    def predict(self, model: Estimator) -> np.ndarray:
        """Labels, shape (n, n_labels), float32."""
        return self.predict_with_distance(model)[0] if self.know(model) else model.predict(self.flux)

    @torch.inference_mode()
    def gradient(self, model: Estimator) -> np.ndarray:
        """Derivatives of labels by the flux, of a model that is known: products of its matrices, without what ReLU has cut off.

        Returns
        -------
        ndarray, shape (n, n_labels, n_grid), float32
        """
        values, _ = self._run(model)
        *body, end = linear_layers(model.network)
        back = self.trunks._back[self.trunks._places[id(model)]]
        scaled = end.weight * torch.from_numpy(model.label_std).float()[:, None]
        rows = scaled.expand(len(self.flux), *scaled.shape)
        for number in range(len(body), 0, -1):
            weight = back if number == 1 else body[number - 1].weight
            rows = (rows * (values[number] > 0)[:, None]).flatten(0, 1) @ weight
            rows = rows.view(len(self.flux), len(scaled), -1)
        return (rows[:, :, : len(model.input_std)] / torch.from_numpy(model.input_std)).numpy()

    def _run(self, model: Estimator) -> tuple[list[torch.Tensor], np.ndarray]:
        """Standardised inputs with the outputs of all hidden layers, and distances from the training spectra."""
        place = self.trunks._places[id(model)]
        if place not in self._runs:
            first = self.trunks._first[place]
            inputs, distance = first.standardise_with_distance(self.flux)
            values = [inputs]
            for layer in linear_layers(first.network)[:-1]:
                values.append(torch.relu_(layer(values[-1])))
            self._runs[place] = values, distance
        return self._runs[place]


def _padded(weight: torch.Tensor) -> torch.Tensor:
    """A matrix with zero columns up to a multiple of 32: products with 1472 columns take two thirds of those with 1462."""
    padded = weight.new_zeros(len(weight), -(-weight.shape[1] // 32) * 32)
    padded[:, : weight.shape[1]] = weight
    return padded


def same_trunk(one: Estimator, other: Estimator) -> bool:
    """Whether the networks of two models of the flux are the same but for their last layers."""
    networks = one.network, other.network
    if not all(isinstance(network, nn.Sequential) and isinstance(network[-1], nn.Linear) for network in networks):
        return False
    bodies = [network[:-1] for network in networks]  # type: ignore[index]
    weights = [body.state_dict() for body in bodies]
    return (
        str(bodies[0]) == str(bodies[1])
        and weights[0].keys() == weights[1].keys()
        and all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
        and np.array_equal(one.input_mean, other.input_mean)
        and np.array_equal(one.input_std, other.input_std)
    )

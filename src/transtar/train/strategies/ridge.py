"""Ridge regression on the inputs: a null model that uses nothing of the model's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from ...checks import check_real, check_whole
from ...errors import InputError, SettingsError
from ...networks.mlp import build_linear
from ..fit import blank_estimator, standard_targets
from ..record import finished, provenance_step
from .strategy import Strategy

if TYPE_CHECKING:
    from ...datasets.stars import Stars
    from ...models.estimator import Estimator


@dataclass(frozen=True)
class Ridge(Strategy):
    """Ridge regression on the standardised inputs; like `Scratch`, nothing of the model's weights is used.

    Parameters
    ----------
    log_alpha_min, log_alpha_max : float
        log10 of the smallest and largest penalty tried.
    n_alpha : int
        Number of penalties, evenly spaced in log10; leave-one-out validation picks one per label.
    """

    name: ClassVar[str] = "ridge"
    colour: ClassVar[str] = "#56B4E9"
    marker: ClassVar[str] = "X"
    uses_model: ClassVar[bool] = False
    null: ClassVar[bool] = True
    command: ClassVar[bool] = False
    log_alpha_min: float = 0.0
    log_alpha_max: float = 6.0
    n_alpha: int = 37

    def __post_init__(self) -> None:
        for name in ("log_alpha_min", "log_alpha_max"):
            check_real(getattr(self, name), f"ridge: {name}", -100, 100)
        check_whole(self.n_alpha, "ridge: n_alpha", 1, 10_000)
        if self.log_alpha_min > self.log_alpha_max:
            raise SettingsError("Ridge: needs at least one penalty, and log_alpha_min <= log_alpha_max")

    def begin(self, model: Estimator, stars: Stars, progress=None, shared=None) -> Estimator:
        """Fit it, as a linear network with scalers of its own."""
        network = build_linear(stars.inputs.shape[1], len(stars.label_names))
        blank = blank_estimator(network, stars, stars, model.preprocessing)
        weight, bias, alphas = fit_ridge(
            blank.standardise(stars.inputs).numpy(), standard_targets(blank, stars).numpy(), self
        )
        with torch.no_grad():
            network.weight.copy_(torch.from_numpy(weight))
            network.bias.copy_(torch.from_numpy(bias))
        nobody = stars.select(np.zeros(len(stars), dtype=bool))
        record = provenance_step("finetune", self.name, self, stars, stars, nobody, None)
        record["alphas"] = alphas
        return finished(blank, None, stars, nobody, record)


def fit_ridge(inputs: np.ndarray, targets: np.ndarray, settings: Ridge) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Fit a ridge regression per label, its penalty chosen by leave-one-out error.

    The leave-one-out residual is ``e_i / (1 - h_i)`` with h the diagonal of the hat matrix (Golub, Heath & Wahba 1979,
    Technometrics 21, 215, before the average that makes it generalised), the intercept not penalised.

    Parameters
    ----------
    inputs : ndarray, shape (n, n_inputs)
        Standardised.
    targets : ndarray, shape (n, n_labels)
        NaN where missing.
    settings : Ridge

    Returns
    -------
    weight : ndarray, shape (n_labels, n_inputs), float64
    bias : ndarray, shape (n_labels,), float64
    alphas : list of float
        The penalty chosen for each label.

    Raises
    ------
    InputError
        If a label is present in fewer than two stars.
    """
    inputs, targets = np.asarray(inputs, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    tried = np.logspace(settings.log_alpha_min, settings.log_alpha_max, settings.n_alpha)
    weight, bias, alphas = np.zeros((targets.shape[1], inputs.shape[1])), np.zeros(targets.shape[1]), []
    for index in range(targets.shape[1]):
        rows = np.isfinite(targets[:, index])
        n = int(rows.sum())
        if n < 2:
            raise InputError(f"ridge: label {index + 1} is present in {n} star(s), needs at least two")
        x_mean, y_mean = inputs[rows].mean(axis=0), targets[rows, index].mean()
        x, y = inputs[rows] - x_mean, targets[rows, index] - y_mean
        # Left singular vectors and squared singular values from the smaller Gram matrix: cheaper than an SVD of x.
        if n <= x.shape[1]:
            squares, left = np.linalg.eigh(x @ x.T)
            squares = np.maximum(squares, 0.0)
        else:
            squares, right = np.linalg.eigh(x.T @ x)
            squares = np.maximum(squares, 0.0)
            left = (x @ right) / np.sqrt(np.where(squares > 0, squares, np.inf))
        projection = left.T @ y
        errors = []
        for alpha in tried:
            shrink = squares / (squares + alpha)
            hat = (left**2) @ shrink + 1 / n
            errors.append(np.mean(((y - left @ (shrink * projection)) / np.maximum(1 - hat, 1e-12)) ** 2))
        alpha = float(tried[int(np.argmin(errors))])
        weight[index] = x.T @ (left @ (projection / (squares + alpha)))
        bias[index] = y_mean - weight[index] @ x_mean
        alphas.append(alpha)
    return weight, bias, alphas

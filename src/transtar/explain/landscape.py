"""Loss landscapes around fine-tuned weights: what they hold, how they are computed, kept and summarised.

The paper (Sect. 6.3) writes f(alpha, beta) = L(theta* + alpha delta + beta eta) with the pre-trained parameters as theta*.
Taken to the letter that is flat for an adapter: the last layer of a residual head starts at zero, and so does LoRA's B,
and a filter of zeros, scaled to its own length, does not move. Here theta* are the fine-tuned weights.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, SettingsError
from ..files import atomic_path, write_text
from ..glossary import COLUMNS

if TYPE_CHECKING:
    from ..models.estimator import Estimator

POINTS, EXTENT, SEEDS = 21, 3.0, 5
"""The paper's grid, points per axis and its half width, and the number of its seeds (two directions each)."""

SUMMARY_COLUMNS = (
    "model", "strategy", "moves", "label", "unit", "n_stars", "seed", "centre_loss", "minimum_loss", "minimum_alpha",
    "minimum_beta", "distance", "on_edge", "zero_shot_loss", "minimum_minus_zero_shot",
)  # fmt: skip
"""Columns of `summary_rows`; losses are in the square of `unit`."""


@dataclass(frozen=True)
class Minimum:
    """The lowest point of one plane.

    Parameters
    ----------
    loss : float
    alpha, beta : float
    distance : float
        From the centre, ``hypot(alpha, beta)``: 1 is once the length of every filter.
    on_edge : bool
        The grid ends there: the loss may be lower still beyond it.
    """

    loss: float
    alpha: float
    beta: float
    distance: float
    on_edge: bool


@dataclass(frozen=True, eq=False)
class Landscape:
    """The loss of one model on one set of stars, over planes through its fine-tuned weights.

    Parameters
    ----------
    strategy : str
        Of the model's last training: 'residual', 'lora', 'full', 'scratch', 'mlp' (pre-trained only) and so on.
    moves : {'residual head', 'LoRA factors', 'all weights'}
    label : str
    n_stars : int
    seeds : ndarray, shape (n_seeds,), int
        Of the two directions of each plane.
    alpha, beta : ndarray, shape (n_points,)
        In units of the length of each filter.
    loss : ndarray, shape (n_seeds, n_points, n_points), float64
        Mean squared error in the squared unit of the label, dex^2 for abundances; ``loss[seed, i, j]`` is at
        ``alpha[i], beta[j]``.
    zero_shot : float
        Loss of the model before its last training; NaN where that is not known.
    """

    strategy: str
    moves: str
    label: str
    n_stars: int
    seeds: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray
    loss: np.ndarray
    zero_shot: float = float("nan")

    @property
    def centre(self) -> float:
        """Loss of the fine-tuned model itself, which all planes share."""
        return float(self.loss[0, len(self.alpha) // 2, len(self.beta) // 2])

    def minimum(self, plane: int = 0) -> Minimum:
        """The lowest point of the plane of the seed at that position; of equals the one nearest to the centre."""
        loss = self.loss[plane]
        distance = np.hypot(self.alpha[:, None], self.beta)
        i, j = np.unravel_index(np.lexsort((distance.ravel(), loss.ravel()))[0], loss.shape)
        on_edge = bool({int(i), int(j)} & {0, len(self.alpha) - 1})
        alpha, beta = float(self.alpha[i]), float(self.beta[j])
        return Minimum(float(loss[i, j]), alpha, beta, float(distance[i, j]), on_edge)


def check_grid(n_seeds: int, n_points: int, extent: float) -> None:
    """Refuse a grid that cannot be made.

    Raises
    ------
    SettingsError
        If `n_points` is not odd or not at least 3, or another number is not positive.
    """
    if n_points < 3 or n_points % 2 == 0:
        raise SettingsError(f"landscape: points must be odd and at least 3, so that the centre is one, not {n_points}")
    if n_seeds < 1:
        raise SettingsError(f"landscape: seeds must be positive, not {n_seeds}")
    if not 0 < extent < np.inf:
        raise SettingsError(f"landscape: extent must be positive, not {extent:g}")


def loss_landscape(
    estimator: Estimator,
    flux: np.ndarray,
    reference: np.ndarray,
    *,
    label: str = "feh",
    n_seeds: int = SEEDS,
    n_points: int = POINTS,
    extent: float = EXTENT,
    base: Estimator | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Landscape:
    """Compute the loss over random planes through the fine-tuned weights of a model.

    Only the weights of the last training move: the last residual head; LoRA's A and B; otherwise all weights, as after full
    fine-tuning, training from scratch or pre-training. Biases stay. Directions are those of
    `transtar.explain.moving.filter_directions`. The paper's text centres the plane on the pre-trained parameters instead,
    around which the surface of an adapter is flat.

    Parameters
    ----------
    estimator : Estimator
    flux : ndarray, shape (n_stars, n_inputs)
        Inputs of the model, of stars that it has not seen; embeddings for one that takes those.
    reference : ndarray, shape (n_stars,)
        True labels, in physical units.
    label : str
        The one to look at; a network of several labels is cut down to it.
    n_seeds : int
        Planes; seed k draws the two directions of plane k.
    n_points : int
        Per axis; odd, so that the centre is among them.
    extent : float
        Both axes go from minus this to this.
    base : Estimator, optional
        The model before fine-tuning, for its loss where all weights moved; an adapter tells it by itself.
    progress : callable, optional
        Called after each plane with its number (from 1) and the number of all.

    Returns
    -------
    Landscape

    Raises
    ------
    InputError
        If the model does not predict the label or lacks its LoRA factors, or if the arrays do not fit or hold
        missing values.
    SettingsError
        If `n_points` is not odd or not at least 3, or another number is not positive.

    References
    ----------
    Li et al. 2018 (arXiv:1712.09913); the paper's Sect. 6.3 and Fig. 5.
    """
    import torch

    from ..models.folding import folded
    from .moving import filter_directions, trained_part
    from .surface import plane_losses

    check_grid(n_seeds, n_points, extent)
    estimator, reference = estimator.only(label), np.asarray(reference, np.float64)
    inputs = estimator.standardise(flux)
    if reference.shape != (len(inputs),) or not len(inputs):
        raise InputError(f"landscape: {len(inputs)} spectra and reference labels of shape {reference.shape}")
    if not (np.isfinite(reference).all() and bool(torch.isfinite(inputs).all())):
        raise InputError("landscape: spectra and reference labels must be finite; leave missing ones out first")
    part = trained_part(estimator)
    mean, std = float(estimator.label_mean[0]), float(estimator.label_std[0])
    targets = torch.from_numpy((reference - mean) / std)
    half = n_points // 2
    axis = np.arange(-half, half + 1) * extent / half
    points = torch.from_numpy(np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2))
    planes = []
    for seed in range(n_seeds):
        losses = plane_losses(part, filter_directions(part, seed), inputs, targets, points)
        planes.append(losses.numpy().reshape(n_points, n_points) * std**2)
        if progress is not None:
            progress(seed + 1, n_seeds)
    zero_shot = float("nan")
    if part.start is not None:
        with torch.inference_mode():
            outputs = part.start.eval()(inputs)[:, 0].double()
        zero_shot = float((outputs - targets).square().mean()) * std**2
    elif base is not None:
        # A model with its encoder inside takes the flux, and may have begun as one of embeddings.
        start = base if base.input == estimator.input else folded(base)
        zero_shot = float(np.mean((start.only(label).predict(flux)[:, 0] - reference) ** 2))
    return Landscape(
        part.strategy,
        part.moves,
        label,
        len(inputs),
        np.arange(n_seeds),
        axis,
        axis.copy(),
        np.stack(planes),
        zero_shot,
    )


def summary_rows(landscapes: Mapping[str, Landscape]) -> list[dict[str, Any]]:
    """One row per model and plane, by `SUMMARY_COLUMNS`."""
    rows = []
    for name, landscape in landscapes.items():
        for plane, seed in enumerate(landscape.seeds.tolist()):
            lowest = landscape.minimum(plane)
            unit = COLUMNS[landscape.label].unit if landscape.label in COLUMNS else ""
            values = (
                name, landscape.strategy, landscape.moves, landscape.label, unit, landscape.n_stars, seed, landscape.centre,
                lowest.loss, lowest.alpha, lowest.beta, lowest.distance, lowest.on_edge, landscape.zero_shot,
                lowest.loss - landscape.zero_shot,
            )  # fmt: skip
            rows.append(dict(zip(SUMMARY_COLUMNS, values, strict=True)))
    return rows


def save_landscapes(landscapes: Mapping[str, Landscape], folder: str | Path) -> None:
    """Write landscapes by name: landscape.npz, from which they can be drawn again, and their summary, landscape.csv.

    Raises
    ------
    TranstarError
        If the disk is full; older files stay.
    """
    folder = Path(folder)
    arrays: dict[str, np.ndarray] = {}
    known = []
    for number, (name, landscape) in enumerate(landscapes.items()):
        plain = {key: getattr(landscape, key) for key in ("strategy", "moves", "label", "n_stars", "zero_shot")}
        known.append({"name": name} | plain | {"zero_shot": _number(landscape.zero_shot)})
        arrays |= {f"{number}.{key}": getattr(landscape, key) for key in ("seeds", "alpha", "beta", "loss")}
    with atomic_path(folder / "landscape.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, landscapes=np.array(json.dumps(known)), **arrays)  # type: ignore[arg-type]
    text = io.StringIO()
    writer = csv.DictWriter(text, SUMMARY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in summary_rows(landscapes):
        writer.writerow({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()})
    write_text(folder / "landscape.csv", text.getvalue())


def read_landscapes(path: str | Path) -> dict[str, Landscape]:
    """Read landscapes by name from a landscape.npz.

    Raises
    ------
    InputError
        If the file is missing or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as file:
            landscapes = {}
            for number, plain in enumerate(json.loads(str(file["landscapes"]))):
                name = plain.pop("name")
                arrays = {key: file[f"{number}.{key}"] for key in ("seeds", "alpha", "beta", "loss")}
                plain["zero_shot"] = np.nan if plain["zero_shot"] is None else plain["zero_shot"]
                landscapes[name] = Landscape(**plain, **arrays)
            return landscapes
    except Exception as error:
        # zipfile, numpy and json each have errors of their own for a damaged file.
        raise InputError(f"{path}: damaged, or not a file of landscapes ({error!r})") from error


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None

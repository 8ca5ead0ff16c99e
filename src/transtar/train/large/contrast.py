"""Losses of an alignment, each a number per star: how far partners are from each other, and spectra from what is given of them.

Source: SpecCLIP (Zhao et al. 2025) and its public settings: a fixed scale of 15.5, and mean absolute errors.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from ...networks.lrs import mean_and_std

SCALE = 15.5
"""By which cosines are multiplied before they are compared."""

LEAST_NORM = 1e-3
"""An embedding shorter than this is not brought to length 1."""


def unit(embedding: torch.Tensor) -> torch.Tensor:
    """Embeddings (n, width) divided by their length, in single precision."""
    return functional.normalize(embedding.float(), dim=1, eps=LEAST_NORM)


def contrast(
    one: torch.Tensor,
    other: torch.Tensor,
    all_one: torch.Tensor | None = None,
    all_other: torch.Tensor | None = None,
    start: int = 0,
    scale: float = SCALE,
    stars: torch.Tensor | None = None,
    all_stars: torch.Tensor | None = None,
) -> torch.Tensor:
    """How badly each star's partner is told from those of other stars: the mean of the cross-entropies of both directions.

    Spectra of another visit of the same star are neither the partner nor those that it is told from.

    Parameters
    ----------
    one, other : Tensor, shape (n, width)
        Embeddings of the same stars from spectra of two kinds, of length 1 as `unit` makes them.
    all_one, all_other : Tensor, shape (n_all, width), optional
        Those of all stars that they are told from; by default themselves.
    start : int
        Place of the first star among all.
    scale : float
    stars, all_stars : Tensor, shape (n,) and (n_all,), int64, optional
        A number for each star; without them each embedding is of a star of its own.

    Returns
    -------
    Tensor, shape (n,), float32
        Log of the number of stars, that of the partner among them, for embeddings that tell nothing.
    """
    places = torch.arange(start, start + len(one), device=one.device)
    all_one, all_other = one if all_one is None else all_one, other if all_other is None else all_other
    # In half precision, cosines of good partners could not be told apart.
    with torch.autocast(one.device.type, enabled=False):
        forth, back = scale * one @ all_other.T, scale * other @ all_one.T
        if stars is not None:
            visits = stars[:, None] == (stars if all_stars is None else all_stars)
            visits[torch.arange(len(one), device=one.device), places] = False
            forth, back = (cosines.masked_fill(visits, -torch.inf) for cosines in (forth, back))
        losses = [functional.cross_entropy(cosines, places, reduction="none") for cosines in (forth, back)]
    return (losses[0] + losses[1]) / 2


def mean_absolute(given: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean absolute error of each row, shape (n,), float32."""
    return (given.float() - target).abs().mean(dim=1)


def standardised_spectra(flux: torch.Tensor) -> torch.Tensor:
    """Each spectrum (n, n_pixels) less its mean, over its standard deviation, as the LRS encoder takes it."""
    mean, std = mean_and_std(flux)
    return (flux - mean) / std


def over_reference(flux: torch.Tensor, pixel: int) -> torch.Tensor:
    """Each spectrum (n, n_pixels) over its flux at a pixel; NaN where that is not positive."""
    level = flux[:, pixel : pixel + 1]
    return flux / torch.where(level > 0, level, torch.nan)

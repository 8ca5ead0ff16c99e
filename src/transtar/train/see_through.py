"""Training an encoder that sees through the instrument: many views of a star in, its one spectrum without noise out.

A chain of layers takes any view of a star and narrows to few values, from which another chain gives back the spectrum that all
views of that star share. What differs between the views (noise, line spread, velocity, continuum) is of no use there, so the few
values, the embedding, tell of the star alone: a denoising autoencoder (Vincent et al. 2008, ICML,
https://doi.org/10.1145/1390156.1390294) whose corruption is another instrument.

Real spectra without labels may stand beside: of them no one knows how they would be without noise, so each is to be given back
as it is from what is left of it after more noise and a change of line spread, velocity and continuum. Lines that no model
spectrum has, and the ways in which they go together in real stars, can be learnt from these alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from ..checks import MOST_WIDTH, check_real, check_whole
from ..devices import check_device
from ..encoders import Encoder
from ..errors import InputError, SettingsError, TranstarError, check_keys
from ..grids import LogGrid
from ..networks.mlp import ACTIVATIONS, MLPSettings, build_mlp
from ..preprocess import Preprocessing
from .augment import Augmentation, augment_flux
from .loop import Augment, Progress, train
from .settings import TrainSettings, plain, versions
from .steps import AutogradStep

_BLOCK = 1024


@dataclass(frozen=True)
class SeeThrough(TrainSettings):
    """How an encoder is trained; fields beside those of `TrainSettings` follow.

    Parameters
    ----------
    width : int
        Values of the embedding.
    hidden : tuple of int
        Widths of the hidden layers before it; those after it are the same in the opposite order.
    activation : {'relu', 'gelu'}
    label_weight : float
        Weight in the loss of the labels that the embedding is to tell by a linear map, beside the spectrum, whose weight is 1.
    unlabelled_share : float
        Part of the stars of an epoch that are real spectra without labels, if there are any.
    unlabelled_noise : (float, float) or None
        Range of S/N per pixel of the noise that three quarters of them get in each epoch.
    """

    epochs: int | None = 25
    learning_rate: float | None = 7e-4
    weight_decay: float = 1e-3
    batch_size: int = 128
    validation_fraction: float | None = 0.0
    average_last: int = 3
    schedule: str = "cosine"
    augmentation: Augmentation | None = field(
        default_factory=lambda: Augmentation(
            shift_kms=20.0, smoothing_pixels=(0.0, 3.0), continuum_order=6, continuum_amplitude=0.008, probability=0.8
        )
    )
    width: int = 128
    hidden: tuple[int, ...] = (1024, 384)
    activation: str = "relu"
    label_weight: float = 0.3
    unlabelled_share: float = 0.15
    unlabelled_noise: tuple[float, float] | None = (15.0, 100.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self.width, "see-through: width", 1, MOST_WIDTH)
        object.__setattr__(self, "hidden", MLPSettings(hidden=self.hidden).hidden)
        check_keys([self.activation], ACTIVATIONS, "see-through: activation")
        check_real(self.label_weight, "see-through: label_weight", 0)
        check_real(self.unlabelled_share, "see-through: unlabelled_share", 0, 0.9)
        # Refuses what is no range.
        object.__setattr__(self, "unlabelled_noise", Augmentation(noise=self.unlabelled_noise).noise)


class _Through(nn.Module):
    """Encoder, decoder, and a linear map to labels, as one network."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, labels: nn.Module | None):
        super().__init__()
        self.encoder, self.decoder, self.labels = encoder, decoder, labels

    def forward(self, flux: torch.Tensor) -> torch.Tensor:
        embedding = self.encoder(flux)
        spectrum = self.decoder(embedding)
        return spectrum if self.labels is None else torch.cat([spectrum, self.labels(embedding)], dim=1)


def train_encoder(
    views: np.ndarray,
    target: np.ndarray,
    preprocessing: Preprocessing,
    settings: SeeThrough | None = None,
    *,
    name: str = "through",
    labels: np.ndarray | None = None,
    unlabelled: np.ndarray | None = None,
    provenance: dict | None = None,
    progress: Progress | None = None,
) -> Encoder:
    """Train an encoder on views of stars.

    Parameters
    ----------
    views : ndarray, shape (n_stars, n_views, n_grid), float16 or float32
        Prepared spectra of each star as several instruments see it.
    target : ndarray, shape (n_stars, n_grid)
        Its spectrum without noise.
    preprocessing : Preprocessing
        That of the spectra.
    settings : SeeThrough, optional
    name : str
        Of the encoder.
    labels : ndarray, shape (n_stars, n_labels), optional
        For `SeeThrough.label_weight`.
    unlabelled : ndarray, shape (n_spectra, n_grid), optional
        Prepared real spectra.
    provenance : dict, optional
        What the encoder's provenance is to say of the stars.
    progress : callable, optional
        See `transtar.train.loop.train`.

    Returns
    -------
    Encoder
        With its decoder. One seed gives one result, bit for bit, on one machine with one number of threads.

    Raises
    ------
    InputError
        If shapes disagree, or something is not finite.
    SettingsError
        If labels are to count and there are none.
    TranstarError
        If the training diverges.
    """
    settings = settings or SeeThrough()
    n, n_views, size = _checked(views, target, preprocessing)
    if unlabelled is not None and (
        unlabelled.ndim != 2 or not len(unlabelled) or unlabelled.shape[1] != size or not np.isfinite(unlabelled).all()
    ):
        raise InputError(
            f"training an encoder: spectra without labels must be finite, of shape (spectra, {size}), got {unlabelled.shape}"
        )
    if settings.label_weight and labels is None:
        raise SettingsError("see-through: label_weight needs labels")
    if labels is not None and (labels.ndim != 2 or len(labels) != n or not np.isfinite(labels).all()):
        raise InputError(
            f"training an encoder: labels must be finite numbers of shape ({n}, labels), got {labels.shape}"
        )
    mean, std = _common(views.reshape(-1, size))
    target_mean, target_std = _common(target)
    goals = torch.from_numpy((np.asarray(target, np.float32) - target_mean) / target_std)
    n_labels = 0
    if settings.label_weight and labels is not None:
        scale = np.sqrt(settings.label_weight * size / labels.shape[1])
        standard = scale * (labels - labels.mean(axis=0)) / np.maximum(labels.std(axis=0), 1e-12)
        goals, n_labels = torch.cat([goals, torch.from_numpy(standard).float()], dim=1), labels.shape[1]
    draw = _viewing(torch.from_numpy(views), settings, preprocessing, mean, std)
    n_unlabelled = 0 if unlabelled is None else len(unlabelled)
    if unlabelled is not None and settings.unlabelled_share:
        share = settings.unlabelled_share
        rows = torch.arange(max(1, round(n * share / (1 - share)))) % n_unlabelled
        real = torch.from_numpy(np.asarray(unlabelled, np.float32))
        draw = _with_real(draw, real[rows], settings, preprocessing, mean, std)
        known = (real - torch.from_numpy(target_mean)) / torch.from_numpy(target_std)
        unknown = torch.full((len(rows), n_labels), torch.nan)
        goals = torch.cat([goals, torch.cat([known[rows], unknown], dim=1)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        through = _build(size, settings, n_labels).to(check_device(settings.device))
        history = train(
            AutogradStep(through),
            torch.zeros(len(goals), 1),
            goals,
            settings,
            augment=draw,
            progress=progress,
        )
    if not np.isfinite(history.train_loss[-1]):
        raise TranstarError("training the encoder diverged; set a lower learning rate")
    step = {
        "step": "see-through", "strategy": "see-through", "settings": plain(settings), "n_train": n, "n_views": n_views,
        "n_unlabelled": n_unlabelled, "train_loss": list(history.train_loss), "versions": versions(), **(provenance or {}),
    }  # fmt: skip
    through = through.cpu().requires_grad_(False).eval()
    return Encoder(
        name, through.encoder, mean, std, preprocessing, through.decoder, target_mean, target_std, provenance=(step,)
    )


def _checked(views: np.ndarray, target: np.ndarray, preprocessing: Preprocessing) -> tuple[int, int, int]:
    size = preprocessing.wavelengths.size
    if views.ndim != 3 or not views.size or views.shape[2] != size or target.shape != (len(views), size):
        raise InputError(
            f"training an encoder needs views of shape (stars, views, {size}) and targets (stars, {size}), got {views.shape} and "
            f"{target.shape}"
        )
    if not (np.isfinite(views.sum(dtype=np.float64)) and np.isfinite(target.sum(dtype=np.float64))):
        raise InputError("training an encoder: a view or target has values that are not finite; leave such stars out")
    return views.shape


def _common(flux: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each pixel, and one standard deviation for all."""
    rows = flux[:: max(1, len(flux) // 20_000)].astype(np.float32)
    std = np.sqrt(rows.var(axis=0, dtype=np.float64).mean())
    return rows.mean(axis=0, dtype=np.float64).astype(np.float32), np.full(flux.shape[1], std or 1.0, np.float32)


def _build(size: int, settings: SeeThrough, n_labels: int) -> _Through:
    hidden, width = settings.hidden, settings.width
    encoder = build_mlp(size, width, MLPSettings(hidden=hidden), activation=settings.activation)
    decoder = build_mlp(width, size, MLPSettings(hidden=hidden[::-1]), activation=settings.activation)
    return _Through(encoder, decoder, nn.Linear(width, n_labels) if n_labels else None)


def _viewing(views: torch.Tensor, settings: SeeThrough, preprocessing: Preprocessing, mean, std) -> Augment:
    """What gives each epoch its inputs: a view of each star drawn at random, changed as the settings say, standardised."""
    n, n_views, size = views.shape
    change = _changing(settings, preprocessing, mean, std)
    inputs = torch.empty(n, size)

    def draw(generator: torch.Generator) -> torch.Tensor:
        for start in range(0, n, _BLOCK):
            rows = torch.arange(start, min(start + _BLOCK, n))
            flux = views[rows, torch.randint(n_views, (len(rows),), generator=generator)].float()
            inputs[rows] = change(flux, generator)
        return inputs

    return draw


def _with_real(
    draw: Augment, real: torch.Tensor, settings: SeeThrough, preprocessing: Preprocessing, mean, std
) -> Augment:
    """The same with real spectra after the views, which get noise, too."""
    change = _changing(settings, preprocessing, mean, std)
    noise = Augmentation(noise=settings.unlabelled_noise, probability=0.75)

    def draw_both(generator: torch.Generator) -> torch.Tensor:
        noisy = (augment_flux(block, noise, 1.0, generator) for block in real.split(_BLOCK))
        return torch.cat([draw(generator), *(change(block, generator) for block in noisy)])

    return draw_both


def _changing(settings: SeeThrough, preprocessing: Preprocessing, mean, std):
    """What changes spectra at random as the settings say, and standardises them."""
    grid = preprocessing.wavelengths
    step = grid.step if isinstance(grid, LogGrid) else 1.0
    shift, inverse = torch.from_numpy(mean), torch.from_numpy(1 / std)

    def change(flux: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        if settings.augmentation is not None:
            flux = augment_flux(flux, settings.augmentation, step, generator)
        return flux.sub_(shift).mul_(inverse)

    return change

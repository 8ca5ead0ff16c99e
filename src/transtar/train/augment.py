"""Augmentation of grid spectra: what another instrument might have made of the same star, drawn anew each epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from ..checks import check_real, check_whole
from ..errors import SettingsError, shown
from ..grids import SPEED_OF_LIGHT

# Rows handled at a time, which bounds the memory of the Fourier transforms.
_BLOCK = 512

# Pixels of mirrored margin at either end, so that the periodic transform does not join red to blue.
_MARGIN = 37


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the continuum-normalised flux; each of them is off unless set.

    Parameters
    ----------
    noise : (float, float) or None
        Range from which the S/N per pixel is drawn, uniformly in its logarithm; white Gaussian noise of 1 / (S/N) is added.
    shift_kms : float
        Standard deviation of a velocity shift in km/s.
    smoothing_pixels : (float, float) or None
        Range from which the standard deviation, in pixels, of the Gaussian that smooths the flux is drawn, uniformly.
    continuum_order : int
        Degree of the polynomial by which the flux is multiplied.
    continuum_amplitude : float
        Standard deviation of each of its Legendre coefficients, including the constant, about a polynomial equal to 1.
    probability : float
        Fraction of the stars that are changed in an epoch; the others are used as they are.

    Raises
    ------
    SettingsError
        If a value is out of range.

    Examples
    --------
    >>> import transtar as ts
    >>> noisy = ts.Augmentation(noise=(40, 300), shift_kms=15)
    >>> ts.TrainSettings(epochs=20, augmentation=noisy).augmentation.shift_kms
    15
    """

    noise: tuple[float, float] | None = None
    shift_kms: float = 0.0
    smoothing_pixels: tuple[float, float] | None = None
    continuum_order: int = 6
    continuum_amplitude: float = 0.0
    probability: float = 1.0

    def __post_init__(self) -> None:
        for name in ("noise", "smoothing_pixels"):
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, list | tuple) or len(value) != 2:
                raise SettingsError(f"augmentation: {name} must be a range (low, high), not {shown(repr(value))}")
            value = tuple(check_real(end, f"augmentation: each end of {name}") for end in value)
            object.__setattr__(self, name, value)
            if not 0 <= value[0] <= value[1] or (name == "noise" and value[0] <= 0):
                raise SettingsError(f"augmentation: {name} must be a positive range (low, high), not {value}")
        for name in ("shift_kms", "continuum_amplitude"):
            check_real(getattr(self, name), f"augmentation: {name}", 0)
        check_whole(self.continuum_order, "augmentation: continuum_order", 0, 1000)
        check_real(self.probability, "augmentation: probability", 0, 1)


def augment_flux(flux: torch.Tensor, settings: Augmentation, step: float, generator: torch.Generator) -> torch.Tensor:
    """Draw an augmented copy of spectra.

    Shift and smoothing are one product in Fourier space: a shift by any part of a pixel that does not blur.

    Parameters
    ----------
    flux : Tensor, shape (n, n_pixels), float32
        Continuum-normalised flux on a grid even in log10 of the wavelength; left as it is.
    settings : Augmentation
    step : float
        Step of the grid in dex.
    generator : torch.Generator
        On the device of `flux`.

    Returns
    -------
    Tensor, shape (n, n_pixels), float32
    """
    blocks = [_augment_block(block, settings, step, generator) for block in flux.split(_BLOCK)]
    return torch.cat(blocks) if len(blocks) > 1 else blocks[0]


def _augment_block(flux: torch.Tensor, settings: Augmentation, step: float, generator: torch.Generator) -> torch.Tensor:
    n, n_pixels = flux.shape
    like: dict[str, Any] = {"dtype": flux.dtype, "device": flux.device}

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(n, 1, generator=generator, **like)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, **like)

    changed = flux.clone()
    if settings.shift_kms or settings.smoothing_pixels:
        pixels_per_kms = 1 / (SPEED_OF_LIGHT * step * math.log(10))
        shift = normal(n, 1) * (settings.shift_kms * pixels_per_kms)
        sigma = uniform(*settings.smoothing_pixels) if settings.smoothing_pixels else flux.new_zeros(n, 1)
        changed = _shift_and_smooth(changed, shift, sigma)
    if settings.continuum_amplitude:
        basis = _legendre(settings.continuum_order, n_pixels, flux.device)
        coefficients = normal(n, settings.continuum_order + 1) * settings.continuum_amplitude
        changed.mul_(torch.mm(coefficients, basis).add_(1))
    if settings.noise is not None:
        low, high = (math.log(end) for end in settings.noise)
        changed.addcmul_(normal(n, n_pixels), uniform(-high, -low).exp_())
    if settings.probability < 1:
        keep = torch.rand(n, 1, generator=generator, **like) >= settings.probability
        changed = torch.where(keep, flux, changed)
    return changed


def _shift_and_smooth(flux: torch.Tensor, shift: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    margin = min(_MARGIN, flux.shape[1] - 1)
    padded = torch.nn.functional.pad(flux[:, None], (margin, margin), mode="reflect")[:, 0]
    n_padded = padded.shape[1]
    frequency = torch.fft.rfftfreq(n_padded, dtype=flux.dtype, device=flux.device) * (2 * math.pi)
    # Pixels increase with wavelength, so that a positive velocity moves lines to higher pixels.
    response = torch.polar(torch.exp(-0.5 * (sigma * frequency).square_()), -shift * frequency)
    moved = torch.fft.irfft(torch.fft.rfft(padded).mul_(response), n=n_padded)
    return moved[:, margin : margin + flux.shape[1]].contiguous()


def _legendre(order: int, n_pixels: int, device: torch.device) -> torch.Tensor:
    x = torch.linspace(-1, 1, n_pixels, dtype=torch.float64, device=device)
    rows = [torch.ones_like(x), x]
    for degree in range(1, order):
        rows.append(((2 * degree + 1) * x * rows[degree] - degree * rows[degree - 1]) / (degree + 1))
    return torch.stack(rows[: order + 1]).float()

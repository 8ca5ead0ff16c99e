"""The emulator: stellar labels to a synthetic spectrum, differentiable."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import nn

from ...errors import InputError, SettingsError
from .grid_range import LABEL_NAMES, GridRange, check_labels
from .heads import Head, features

HEADS = ("flux", "continuum", "sed")
OUTSIDE = ("raise", "clip", "allow")


class Emulator(nn.Module):
    """Spectra of stars from six labels, columns in the order of `LABEL_NAMES`: teff, logg, feh, alphafe, vmic, cfe.

    `flux`, `log_continuum` and `log_sed` take and give arrays; `forward` is the flux as a differentiable function of a
    tensor of labels, and checks nothing.

    Parameters
    ----------
    heads : dict of str to Head
        'flux', 'continuum' and 'sed'.
    waves : dict of str to ndarray
        Vacuum wavelengths in Angstrom of each head, float64.
    grid_range : GridRange
        The region in which the emulator is to be trusted.
    info : dict, optional
        What else config.json is to say (the training).

    Attributes
    ----------
    wave, continuum_wave, sed_wave : ndarray, float64
        Vacuum wavelength in Angstrom.
    resolution : float
        Resolving power lambda/FWHM of the flux.
    """

    label_names = LABEL_NAMES
    resolution = 12_000.0

    def __init__(
        self, heads: dict[str, Head], waves: dict[str, np.ndarray], grid_range: GridRange, info: dict | None = None
    ):
        super().__init__()
        self.heads = nn.ModuleDict({name: heads[name] for name in HEADS})
        self.wave, self.continuum_wave, self.sed_wave = (waves[name] for name in HEADS)
        self.grid_range = grid_range
        self.info: dict[str, Any] = dict(info or {})
        # Only the labels are to be differentiated by.
        self.requires_grad_(False)

    def head(self, name: str) -> Head:
        """The network of one output: 'flux', 'continuum' or 'sed'."""
        return cast(Head, self.heads[name])

    def forward(self, labels: torch.Tensor) -> torch.Tensor:
        """Flux over the true continuum, (n, P), of a tensor of labels (n, 6); autograd goes through it."""
        return self.head("flux")(features(labels))

    def flux(
        self, labels: np.ndarray, batch_size: int = 256, device: str | None = None, outside: str = "raise"
    ) -> np.ndarray:
        """Spectra, normalised by their true continuum, at R = 12,000.

        Parameters
        ----------
        labels : ndarray, shape (n, 6)
        batch_size : int
            Spectra at a time; one takes 44 kB.
        device : str, optional
            Where to compute; the weights move there and stay. Default: where they are.
        outside : {'raise', 'clip', 'allow'}
            What to do with stars outside the range of the grid: refuse, move them to its edge, or extrapolate.

        Returns
        -------
        ndarray, shape (n, P), float32
            On `wave`.

        Raises
        ------
        InputError
            If the shape is wrong, a label is not finite, or a star lies outside and `outside` is 'raise'.
        SettingsError
            If `outside` or `batch_size` is not one of those possible.
        """
        return self._evaluate("flux", labels, batch_size, device, outside)

    def log_continuum(
        self, labels: np.ndarray, batch_size: int = 4096, device: str | None = None, outside: str = "raise"
    ) -> np.ndarray:
        """Continuum at the surface: log10 of F_lambda in erg/s/cm2/A, (n, 96) float32, on `continuum_wave`.

        Parameters and errors as `flux`.
        """
        return self._evaluate("continuum", labels, batch_size, device, outside)

    def log_sed(
        self, labels: np.ndarray, batch_size: int = 2048, device: str | None = None, outside: str = "raise"
    ) -> np.ndarray:
        """Broad energy distribution, continuum and hydrogen lines only: log10 of F_lambda in erg/s/cm2/A at the surface.

        (n, 1421) float32, means over the 5 A bins centred on `sed_wave` (3300-10400 A); multiply by the metal lines of
        `flux` where those are known. Parameters and errors as `flux`.
        """
        return self._evaluate("sed", labels, batch_size, device, outside)

    def inside(self, labels: np.ndarray) -> np.ndarray:
        """Whether each star lies in the region covered by the grid, (n,) bool; see `GridRange.inside`."""
        return self.grid_range.inside(labels)

    def clip(self, labels: np.ndarray) -> np.ndarray:
        """Labels (n, 6) moved to the nearest edge of the grid; see `GridRange.clip`."""
        return self.grid_range.clip(labels)

    def _evaluate(self, name: str, labels, batch_size: int, device: str | None, outside: str) -> np.ndarray:
        if outside not in OUTSIDE:
            raise SettingsError(f"emulator: outside must be one of {', '.join(OUTSIDE)}, not '{outside}'")
        if batch_size < 1:
            raise SettingsError(f"emulator: batch_size must be positive, not {batch_size}")
        labels = check_labels(labels)
        if outside == "raise":
            problem = self.grid_range.describe_outside(labels)
            if problem is not None:
                raise InputError(f"emulator: {problem}; clip() moves stars to the edge, outside='allow' extrapolates")
        elif outside == "clip":
            labels = self.clip(labels)
        if device is not None:
            self.to(device)
        head = self.head(name)
        result = np.empty((len(labels), head.shape.outputs), dtype=np.float32)
        with torch.inference_mode():
            inputs = torch.from_numpy(labels).to(head.mean)
            for start in range(0, len(labels), batch_size):
                part = head(features(inputs[start : start + batch_size]))
                result[start : start + batch_size] = part.cpu().numpy()
        return result

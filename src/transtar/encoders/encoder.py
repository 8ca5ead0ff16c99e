"""Encoder: a network that turns prepared spectra into embeddings, with all that is needed to apply it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from ..preprocess import Preprocessing
from ..summary import Summarised, Summary, span
from ..tables.seen_stars import check_trained_on

BLOCK = 4096
"""Spectra encoded at a time."""


@dataclass(frozen=True, eq=False, repr=False)
class Encoder(Summarised):
    """A network that makes an embedding of prepared spectra.

    Parameters
    ----------
    name : str
        Name under which networks take the embedding as input.
    network : nn.Module
        Maps standardised flux (n, n_grid) to embeddings (n, width), float32, on the CPU.
    flux_mean, flux_std : ndarray, shape (n_grid,), float32
        Scalers of the flux.
    preprocessing : Preprocessing
        How the spectra must be prepared.
    decoder : nn.Module, optional
        Maps embeddings to standardised spectra without noise, (n, n_grid).
    target_mean, target_std : ndarray, shape (n_grid,), float32, optional
        Scalers of the decoder's output.
    provenance : tuple of dict
        One step per training: settings, numbers of stars, seed, versions.
    trained_on : dict of str to ndarray
        The real stars that the encoder saw in training or validation, as in `transtar.models.Estimator.trained_on`.
    sha256 : str
        Hash of the stored weights and description; '' for an encoder that has not been stored.
    place : str
        Name or folder from which it was loaded; '' if it was not loaded.

    Raises
    ------
    InputError
        If a scaler does not fit the grid, is not finite, or divides by zero.
    SettingsError
        If `trained_on` does not identify these stars.

    Examples
    --------
    >>> import transtar as ts
    >>> encoder = ts.load_encoder("through")
    >>> encoder.encode(ts.read_set("sets/miles").flux).shape
    (30, 128)
    """

    name: str
    network: nn.Module
    flux_mean: np.ndarray
    flux_std: np.ndarray
    preprocessing: Preprocessing
    decoder: nn.Module | None = None
    target_mean: np.ndarray | None = None
    target_std: np.ndarray | None = None
    provenance: tuple[dict, ...] = ()
    trained_on: dict[str, np.ndarray] = field(default_factory=dict)
    sha256: str = ""
    place: str = ""

    def __post_init__(self) -> None:
        size = self.preprocessing.wavelengths.size
        names = ("flux_mean", "flux_std", *(("target_mean", "target_std") if self.decoder is not None else ()))
        for name in names:
            scaler = getattr(self, name)
            if scaler is None or scaler.shape != (size,):
                shape = None if scaler is None else scaler.shape
                raise InputError(f"encoder '{self.name}': {name} has shape {shape}, its grid needs ({size},)")
            if not np.isfinite(scaler).all() or (name.endswith("std") and not (scaler > 0).all()):
                raise InputError(
                    f"encoder '{self.name}': {name} must be finite{', and positive' * name.endswith('std')}"
                )
        check_trained_on(self.trained_on, f"encoder '{self.name}'")
        for network in (self.network, self.decoder):
            if network is not None:
                network.eval()

    def _summary(self) -> Summary:
        settings = self.preprocessing
        weights = sum(p.numel() for p in self.network.parameters())
        return Summary(
            f"Encoder '{self.name}'",
            {
                "takes": f"grid '{settings.grid}', {span(settings.wavelengths.wave)}, {settings.frame} frame",
                "gives": f"{self.width:,} values per star",
                "network": f"{type(self.network).__name__}, {weights:,} weights",
                "gives back": None if self.decoder is None else "spectra without noise",
                "hash": self.sha256[:16] or None,
                "from": self.place or None,
            },
        )

    @cached_property
    def width(self) -> int:
        """Values per star."""
        with torch.inference_mode():
            return int(self.network(torch.zeros(1, len(self.flux_mean))).shape[1])

    def encode(self, flux: np.ndarray) -> np.ndarray:
        """Make embeddings.

        Parameters
        ----------
        flux : ndarray, shape (n, n_grid)
            Prepared as `preprocessing` says.

        Returns
        -------
        ndarray, shape (n, width), float32
            NaN in rows with a flux that is not finite. A row does not depend on the others.

        Raises
        ------
        InputError
            If the spectra are not on the encoder's grid.
        """
        return self._run(flux, self.network)

    def reconstruct(self, flux: np.ndarray) -> np.ndarray:
        """Reconstruct spectra as they would be without noise and instrument.

        Parameters
        ----------
        flux : ndarray, shape (n, n_grid)

        Returns
        -------
        ndarray, shape (n, n_grid), float32
            Flux over continuum; NaN in rows with a flux that is not finite.

        Raises
        ------
        InputError
            If the encoder has no decoder, or as in `encode`.
        """
        if self.decoder is None or self.target_mean is None or self.target_std is None:
            raise InputError(f"encoder '{self.name}' gives no spectra back: it has no decoder")
        given = self._run(flux, nn.Sequential(self.network, self.decoder))
        return given * self.target_std + self.target_mean

    @torch.inference_mode()
    def _run(self, flux: np.ndarray, network: nn.Module) -> np.ndarray:
        flux = np.asarray(flux)
        if flux.ndim != 2 or flux.shape[1] != len(self.flux_mean):
            raise InputError(
                f"encoder '{self.name}' takes spectra of shape (stars, {len(self.flux_mean)}), got {flux.shape}"
            )
        parts = []
        # One block at least, so that of no spectra the width is right, too.
        for start in range(0, max(len(flux), 1), BLOCK):
            # Of numbers too large for single precision, infinity says all.
            with np.errstate(over="ignore", invalid="ignore"):
                block = (flux[start : start + BLOCK].astype(np.float32) - self.flux_mean) / self.flux_std
            block[~np.isfinite(block).all(axis=1)] = np.nan
            parts.append(network(torch.from_numpy(block)).numpy())
        given = parts[0] if len(parts) == 1 else np.concatenate(parts)
        given[~np.isfinite(given).all(axis=1)] = np.nan
        return given

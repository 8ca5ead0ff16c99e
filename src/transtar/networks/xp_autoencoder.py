"""The autoencoder of Gaia's XP spectra, SpecCLIP's.

Source: Zhao et al. 2025 (SpecCLIP); numbers of its public configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ..checks import MOST_WEIGHTS, check_whole
from ..errors import SettingsError, shown
from .lrs import mean_and_std, settings_text
from .mlp import build_linear
from .transformer_blocks import build_norm

_MOST = {"hidden": 20_000, "latent": 20_000, "blocks": 100}


@dataclass(frozen=True)
class XPSettings:
    """Shape of the autoencoder, the paper's by default: 42,846,129 weights at 343 pixels.

    Parameters
    ----------
    hidden : int
        Width between the blocks; three times that within them.
    latent : int
        Values of the embedding.
    blocks : int
        Blocks before the embedding, and as many behind it.
    reference : int or None
        Number, from 0, of the pixel whose flux all others are divided by: 550 nm on the grid 'xp'. None divides by nothing.

    Raises
    ------
    SettingsError
        If a value is out of bounds.
    """

    hidden: int = 1290
    latent: int = 768
    blocks: int = 2
    reference: int | None = 107

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            check_whole(getattr(self, name), f"xp-autoencoder: {name}", 1, most)
        if self.reference is not None:
            check_whole(self.reference, "xp-autoencoder: reference", 0)
        if 12 * self.hidden**2 * self.blocks + 2 * self.hidden * self.latent > MOST_WEIGHTS:
            raise SettingsError(f"xp-autoencoder: {self.blocks} blocks of width {self.hidden} are too many weights")


XP_SIZES: dict[str, XPSettings] = {"paper": XPSettings(), "small": XPSettings(hidden=192, latent=128)}
"""Sizes by name: the paper's, and one that trains on two CPU cores."""


def xp_settings(size: str = "paper") -> XPSettings:
    """Settings by the name of their size.

    Raises
    ------
    SettingsError
        If there is no such size.
    """
    if size not in XP_SIZES:
        raise SettingsError(f"xp-autoencoder: size must be one of {', '.join(XP_SIZES)}, not '{shown(size)}'")
    return XP_SIZES[size]


class XPAutoencoder(nn.Module):
    """From XP spectra to embeddings and back.

    Parameters
    ----------
    n_grid : int
        Pixels of a spectrum.
    settings : XPSettings, optional
    device : str
        A torch device; on 'meta' the weights take no memory, and are none.

    Raises
    ------
    SettingsError
        If the reference lies outside the spectrum.
    """

    BEHIND = ("decode",)
    """What lies behind the embedding, which does not depend on it."""

    def __init__(self, n_grid: int, settings: XPSettings | None = None, device: str = "cpu"):
        super().__init__()
        self.settings = settings = settings or XPSettings()
        if settings.reference is not None and settings.reference >= n_grid:
            raise SettingsError(f"xp-autoencoder: reference is pixel {settings.reference} of {n_grid}")
        self.n_inputs, self.n_outputs = n_grid, settings.latent
        pixels, width, latent = n_grid + 2, settings.hidden, settings.latent
        self.encode = nn.Sequential(
            build_linear(pixels, width, device),
            *self._blocks(device),
            build_linear(width, latent, device),
            build_norm(latent, device),
        )
        self.decode = nn.Sequential(
            build_linear(latent, width, device), *self._blocks(device), build_linear(width, pixels, device)
        )
        if device != "meta":
            self.reset_parameters()

    def _blocks(self, device: str) -> list[nn.Sequential]:
        width = self.settings.hidden
        return [
            nn.Sequential(
                build_norm(width, device),
                build_linear(width, 3 * width, device),
                nn.GELU(),
                build_linear(3 * width, width, device),
            )
            for _ in range(self.settings.blocks)
        ]

    def reset_parameters(self) -> None:
        """Draw all weights anew, as the public network does: normal after Kaiming, for ReLU; biases zero."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.LayerNorm):
                layer.reset_parameters()

    def extra_repr(self) -> str:
        """What no layer within tells."""
        return settings_text(self.n_inputs, self.settings)

    def forward(self, flux: torch.Tensor) -> torch.Tensor:
        """Map spectra to embeddings.

        Parameters
        ----------
        flux : Tensor, shape (n, n_grid)
            In any unit: it is divided by that of the reference.

        Returns
        -------
        Tensor, shape (n, latent)
            NaN in rows with a NaN, or where the flux of the reference is not positive.
        """
        return self.encode(self.standardised(flux))

    def divided(self, flux: torch.Tensor) -> torch.Tensor:
        """Spectra (n, n_grid) over their flux at the reference; NaN where that is not positive."""
        if self.settings.reference is None:
            return flux
        reference = flux[:, self.settings.reference, None]
        return flux / torch.where(reference > 0, reference, torch.nan)

    def standardised(self, flux: torch.Tensor) -> torch.Tensor:
        """What the network takes, and what it is asked to give back.

        Parameters
        ----------
        flux : Tensor, shape (n, n_grid)

        Returns
        -------
        Tensor, shape (n, n_grid + 2)
            Mean and standard deviation of the divided flux, the latter at least `transtar.networks.lrs.STD_FLOOR`; then that flux
            less the one, over the other.
        """
        flux = self.divided(flux)
        mean, std = mean_and_std(flux)
        return torch.cat([mean, std, (flux - mean) / std], dim=1)

    def give_back(self, latent: torch.Tensor) -> torch.Tensor:
        """Map embeddings (n, latent) to what `standardised` gave, as the network takes it to be (n, n_grid + 2)."""
        return self.decode(latent)

    def spectra(self, latent: torch.Tensor) -> torch.Tensor:
        """Map embeddings (n, latent) to spectra (n, n_grid) over the flux of the reference."""
        given = self.give_back(latent)
        return given[:, 2:] * given[:, 1:2] + given[:, :1]

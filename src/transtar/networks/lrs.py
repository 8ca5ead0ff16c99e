"""The transformer of low-resolution spectra: SpecCLIP's, with the mean kept and every pixel seen, or exactly as it is public.

Source of the public form: Zhao et al. 2025 (SpecCLIP); numbers of its public configuration.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import sqrt
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..checks import MOST_WEIGHTS, check_whole
from ..errors import InputError, SettingsError, shown
from .mlp import build_linear
from .transformer_blocks import AttentionBlock, build_norm, check_heads, draw_block, draw_linear, draw_normal

POOLINGS = ("mean", "flux-mean", "parts")
"""Means over all output tokens, as is public, over those of the flux alone, or over each of several parts of the spectrum."""

STD_FLOOR = 1e-6
"""Standard deviation of the flux that is divided by at least; noise alone is a thousand times that."""

TOGETHER = 1 << 23
"""Values of tokens in one layer that go through `LRSTransformer.forward` at a time: 74 spectra at the paper's size. Between
the layers these take some 4 GB while gradients are formed, however many spectra there are."""

_MOST = {"width": 8192, "layers": 128, "heads": 256, "token": 4096, "stride": 4096, "chunks": 4096, "chunk_tokens": 4096,
         "positions": 16384}  # fmt: skip


@dataclass(frozen=True)
class LRSSettings:
    """Shape of the transformer, the paper's by default: 42,677,013 weights.

    Parameters
    ----------
    width : int
        Values per token, and of the embedding, of which 'parts' has as many for each part.
    layers, heads : int
        Blocks, and attention heads in each.
    token, stride : int
        Pixels in a slice of the spectrum, and from the start of one to that of the next.
    chunks, chunk_tokens : int
        How many runs of how many tokens are hidden in training; and how many 'parts' there are.
    positions : int
        Rows of the table of positions: the most tokens that it can take.
    keeps_mean : bool
        Write the mean flux beside its scatter into the first token; the public network drops it.
    doubly_scaled : bool
        As of `AttentionBlock`; True in the public network.
    covers_end : bool
        Add a slice that ends with the last pixel where the others stop short of it; the public network does not see those pixels.
    pooling : {'mean', 'flux-mean', 'parts'}
        The embedding is the mean over all output tokens, or over those of the flux; of 'parts' the means over `chunks` equal
        parts of the tokens, one after another, which keep where in the spectrum something is.

    Raises
    ------
    SettingsError
        If a value is out of bounds, or the heads do not share the width evenly.
    """

    width: int = 768
    layers: int = 6
    heads: int = 6
    token: int = 20
    stride: int = 10
    chunks: int = 6
    chunk_tokens: int = 10
    positions: int = 150
    keeps_mean: bool = True
    doubly_scaled: bool = False
    covers_end: bool = True
    pooling: str = "mean"

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            check_whole(getattr(self, name), f"lrs-transformer: {name}", 1, most)
        check_heads(self.width, self.heads)
        for name in ("keeps_mean", "doubly_scaled", "covers_end"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(
                    f"lrs-transformer: {name} must be true or false, not {shown(repr(getattr(self, name)))}"
                )
        if self.pooling not in POOLINGS:
            raise SettingsError(
                f"lrs-transformer: pooling must be one of {', '.join(POOLINGS)}, not '{shown(self.pooling)}'"
            )
        if self.keeps_mean and self.token < 2:
            raise SettingsError("lrs-transformer: token must be at least 2 pixels, for the mean to find a place")
        if 12 * self.width**2 * self.layers > MOST_WEIGHTS:
            raise SettingsError(f"lrs-transformer: {self.layers} layers of width {self.width} are too many weights")

    @property
    def embedding_width(self) -> int:
        """Values of the embedding."""
        return self.width * (self.chunks if self.pooling == "parts" else 1)

    def n_tokens(self, n_grid: int) -> int:
        """Tokens of a spectrum of `n_grid` pixels, that of its mean and scatter included.

        Raises
        ------
        SettingsError
            If the spectrum is shorter than a slice, or the table of positions too short.
        """
        if n_grid < self.token:
            raise SettingsError(f"lrs-transformer: {n_grid} pixels are fewer than a slice of {self.token}")
        n_tokens = 1 + len(self.starts(n_grid))
        if n_tokens > self.positions:
            raise SettingsError(
                f"lrs-transformer: {n_grid} pixels make {n_tokens} tokens; positions is {self.positions}"
            )
        if self.pooling == "parts" and self.chunks > n_tokens:
            raise SettingsError(
                f"lrs-transformer: {n_tokens} tokens cannot be shared by {self.chunks} parts; set chunks"
            )
        return n_tokens

    def starts(self, n_grid: int) -> list[int]:
        """First pixels of the slices of a spectrum of `n_grid` pixels."""
        starts = list(range(0, n_grid - self.token + 1, self.stride))
        last = n_grid - self.token
        return [*starts, last] if self.covers_end and starts[-1] != last else starts


LRS_SIZES: dict[str, LRSSettings] = {
    "paper": LRSSettings(),
    "small": LRSSettings(width=128, layers=3, heads=4, token=40, stride=20, chunk_tokens=5, positions=75),
}
"""Sizes by name: the paper's, and one that trains on two CPU cores."""

PUBLIC: dict[str, Any] = {"keeps_mean": False, "doubly_scaled": True, "covers_end": False}
"""What is odd in the public network."""


def lrs_settings(size: str = "paper", public: bool = False) -> LRSSettings:
    """Settings by the name of their size.

    Parameters
    ----------
    size : {'paper', 'small'}
    public : bool
        Odd as the public network is.

    Raises
    ------
    SettingsError
        If there is no such size.
    """
    if size not in LRS_SIZES:
        raise SettingsError(f"lrs-transformer: size must be one of {', '.join(LRS_SIZES)}, not '{shown(size)}'")
    return replace(LRS_SIZES[size], **PUBLIC) if public else LRS_SIZES[size]


class LRSTransformer(nn.Module):
    """From spectra to embeddings, by tokens that overlap; and from tokens back to what they were.

    `forward` takes any number of spectra at a time. Of more than `TOGETHER` allows, it computes again what gradients need.

    Parameters
    ----------
    n_grid : int
        Pixels of a spectrum.
    settings : LRSSettings, optional
    device : str
        A torch device; on 'meta' the weights take no memory, and are none.

    Raises
    ------
    SettingsError
        If the spectra are too short or too long for the settings.
    """

    BEHIND = ("back",)
    """What lies behind the embedding, which does not depend on it."""

    def __init__(self, n_grid: int, settings: LRSSettings | None = None, device: str = "cpu"):
        super().__init__()
        self.settings = settings = settings or LRSSettings()
        self.n_inputs, self.n_outputs, self.n_tokens = n_grid, settings.embedding_width, settings.n_tokens(n_grid)
        self.token_width = settings.width
        self.embed = build_linear(settings.token + 1, settings.width, device)
        self.position = nn.Parameter(
            torch.empty(settings.positions, settings.width, dtype=torch.float32, device=device)
        )
        self.blocks = nn.ModuleList(
            AttentionBlock(settings.width, settings.heads, settings.doubly_scaled, device)
            for _ in range(settings.layers)
        )
        self.last = build_norm(settings.width, device)
        self.back = build_linear(settings.width, settings.token + 1, device)
        if device != "meta":
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights anew, as the public network does."""
        deviation = 1 / sqrt(self.settings.width)
        draw_normal(self.embed.weight, deviation)
        nn.init.zeros_(self.embed.bias)
        draw_normal(self.position, deviation)
        draw_block(self.blocks, self.settings.layers)
        self.last.reset_parameters()
        draw_linear(self.back, 1 / 2)

    def extra_repr(self) -> str:
        """What no layer within tells."""
        return settings_text(self.n_inputs, self.settings)

    def forward(self, flux: torch.Tensor) -> torch.Tensor:
        """Map spectra to embeddings.

        Parameters
        ----------
        flux : Tensor, shape (n, n_grid)
            Divided by the continuum.

        Returns
        -------
        Tensor, shape (n, n_outputs)
            NaN in rows with a NaN.
        """
        together = max(1, TOGETHER // (self.n_tokens * self.settings.width))
        if len(flux) <= together:
            return self._embedded(flux)
        parts = flux.split(together)
        if not torch.is_grad_enabled():
            return torch.cat([self._embedded(part) for part in parts])
        # What is between the layers is computed again for the gradient, part by part.
        return torch.cat([checkpoint(self._embedded, part, use_reentrant=False) for part in parts])

    def _embedded(self, flux: torch.Tensor) -> torch.Tensor:
        return self.pooled(self.tokens(flux))

    def pooled(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map output tokens (n, n_tokens, width) to embeddings (n, n_outputs)."""
        if self.settings.pooling == "parts":
            return torch.cat([part.mean(dim=1) for part in tokens.tensor_split(self.settings.chunks, dim=1)], dim=1)
        return (tokens if self.settings.pooling == "mean" else tokens[:, 1:]).mean(dim=1)

    def tokens(self, flux: torch.Tensor) -> torch.Tensor:
        """Map spectra (n, n_grid) to output tokens (n, n_tokens, width)."""
        return self.run(self.slices(flux))

    def slices(self, flux: torch.Tensor) -> torch.Tensor:
        """Cut standardised spectra into input tokens.

        Parameters
        ----------
        flux : Tensor, shape (n, n_grid)

        Returns
        -------
        Tensor, shape (n, n_tokens, token + 1)
            The first token has log10 of the standard deviation of the flux, at least that of `STD_FLOOR`, its mean where that is
            kept, and zeros; each other one a zero and a slice of the spectrum less its mean, over its standard deviation.

        Raises
        ------
        InputError
            If the spectra have another number of pixels.
        """
        settings = self.settings
        # Their slices would go through the layers just as well, at positions that were learnt for others.
        if flux.ndim != 2 or flux.shape[1] != self.n_inputs:
            raise InputError(f"lrs-transformer: takes spectra of shape (n, {self.n_inputs}), got {tuple(flux.shape)}")
        mean, std = mean_and_std(flux)
        scaled = (flux - mean) / std
        slices = scaled.unfold(1, settings.token, settings.stride)
        if slices.shape[1] < self.n_tokens - 1:
            slices = torch.cat([slices, scaled[:, None, -settings.token :]], dim=1)
        first = [std.log10(), *([mean] if settings.keeps_mean else [])]
        statistics = nn.functional.pad(torch.cat(first, dim=1), (0, settings.token + 1 - len(first)))
        return torch.cat([statistics[:, None], nn.functional.pad(slices, (1, 0))], dim=1)

    def run(self, slices: torch.Tensor) -> torch.Tensor:
        """Map input tokens, some of them hidden or not, to output tokens.

        Parameters
        ----------
        slices : Tensor, shape (n, n_tokens, token + 1)

        Returns
        -------
        Tensor, shape (n, n_tokens, width)
            Behind the last layer normalisation.
        """
        tokens = self.embed(slices) + self.position[: slices.shape[1]]
        for block in self.blocks:
            tokens = block(tokens)
        return self.last(tokens)

    def give_back(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map output tokens (n, n_tokens, width) to input tokens as the network takes them to be (n, n_tokens, token + 1)."""
        return self.back(tokens)


def settings_text(n_grid: int, settings: Any) -> str:
    """Pixels and settings of a network, a dataclass, in a line."""
    return ", ".join(f"{name}={value}" for name, value in {"n_grid": n_grid, **asdict(settings)}.items())


def mean_and_std(flux: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each spectrum.

    Parameters
    ----------
    flux : Tensor, shape (n, n_grid)

    Returns
    -------
    mean, std : Tensor, shape (n, 1)
        With n - 1 under the root, and at least `STD_FLOOR`: a spectrum that is constant has no NaN, nor has its gradient.
    """
    mean = flux.mean(dim=1, keepdim=True)
    variance = (flux - mean).square().sum(dim=1, keepdim=True) / max(flux.shape[1] - 1, 1)
    return mean, variance.clamp(min=STD_FLOOR**2).sqrt()

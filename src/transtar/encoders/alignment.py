"""An alignment: two encoders brought together, so that an LRS and an XP spectrum of one star have embeddings alike."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from ..checks import MOST_SEED, check_whole
from ..errors import InputError, MismatchError
from ..grids import XP
from ..networks.aligned import AlignedNetwork, given_width, has_tokens
from ..networks.alignment_heads import AttentionHead, Head, LatentHead
from ..networks.alignment_settings import AlignmentSettings
from ..networks.crossing import SIDES, Crossings, other_side
from ..preprocess import Preprocessing, require_same
from ..summary import Summarised, Summary
from .encoder import BLOCK, Encoder
from .specclip import reference_pixel

INPUTS = {"base": "embed-align", "pr": "embed-align", "split": "embed-split"}
"""Under which name networks take the embeddings of an aligned LRS encoder; those of XP end in '-xp'."""

_COSINES = 1 << 24
"""Computed at a time."""


@dataclass(frozen=True, eq=False, repr=False)
class Alignment(Summarised):
    """Two aligned encoders, and what translates between their spectra.

    Parameters
    ----------
    lrs, xp : Encoder
        Each with an `AlignedNetwork`; of these embeddings the first `settings.width` values are compared.
    settings : AlignmentSettings
    crossings : Crossings or None
        Decoders; None in the variant 'base'.

    Raises
    ------
    InputError
        If these do not go together.
    """

    lrs: Encoder
    xp: Encoder
    settings: AlignmentSettings
    crossings: Crossings | None = None

    def __post_init__(self) -> None:
        for name in SIDES:
            network = self.side(name).network
            if not isinstance(network, AlignedNetwork):
                raise InputError(
                    f"alignment: its encoder '{self.side(name).name}' ({name}) has no heads of an alignment"
                )
            widths = [head.width for head in network.heads]
            wanted = [width for width in (self.settings.width, self.settings.private_width) if width]
            if widths != wanted:
                raise InputError(
                    f"alignment: its {name} encoder has heads of {widths} values, its settings say {wanted}"
                )
        check_grids(self.lrs, self.xp)
        if (self.crossings is not None) != self.settings.has_decoders:
            what = "needs" if self.settings.has_decoders else "has no"
            raise InputError(f"alignment: the variant '{self.settings.variant}' {what} decoders")
        if self.crossings is not None:
            self.crossings.eval()

    def _summary(self) -> Summary:
        return Summary(
            f"Alignment '{self.settings.variant}'",
            {
                "lrs": f"encoder '{self.lrs.name}', grid '{self.lrs.preprocessing.grid}'",
                "xp": f"encoder '{self.xp.name}', grid '{self.xp.preprocessing.grid}'",
                "shared": f"{self.settings.width:,} values",
                "private": f"{self.settings.private_width:,} values" if self.settings.private_width else None,
                "translates": "yes" if self.crossings is not None else "no",
            },
        )

    def side(self, name: str) -> Encoder:
        """The encoder of a side, 'lrs' or 'xp'.

        Raises
        ------
        InputError
            If there is no such side.
        """
        other_side(name)
        return self.lrs if name == "lrs" else self.xp

    def side_of(self, preprocessing: Preprocessing, where: str) -> str:
        """The side that takes spectra prepared in a certain way.

        Parameters
        ----------
        preprocessing : Preprocessing
        where : str
            What is prepared so, for the message.

        Raises
        ------
        MismatchError
            If neither does.
        """
        for name in SIDES:
            if self.side(name).preprocessing.hash == preprocessing.hash:
                return name
        alike = [name for name in SIDES if self.side(name).preprocessing.grid == preprocessing.grid]
        if alike:
            require_same(
                self.side(alike[0]).preprocessing, f"the {alike[0]} side of the alignment", preprocessing, where
            )
        raise MismatchError(
            f"{where}: on the grid '{preprocessing.grid}'; the alignment takes LRS spectra on '{self.lrs.preprocessing.grid}' "
            f"and XP spectra on '{self.xp.preprocessing.grid}'"
        )

    def shared(self, flux: np.ndarray, side: str) -> np.ndarray:
        """What embeddings of both sides have in common: by its cosine, spectra are compared.

        Parameters
        ----------
        flux : ndarray, shape (n, n_grid)
            Prepared as the side's encoder wants it.
        side : {'lrs', 'xp'}

        Returns
        -------
        ndarray, shape (n, settings.width), float32
            NaN in rows of which the encoder makes nothing.
        """
        return self.side(side).encode(flux)[:, : self.settings.width]

    def translate(self, flux: np.ndarray, from_: str, to: str) -> np.ndarray:
        """Predict the spectrum of the other kind.

        Parameters
        ----------
        flux : ndarray, shape (n, n_grid)
            Prepared as the encoder of `from_` wants it.
        from_, to : {'lrs', 'xp'}

        Returns
        -------
        ndarray, shape (n, n_grid of the other), float32
            XP: flux over that at 550 nm. LRS: flux over continuum. NaN in rows of which the encoder makes nothing.

        Raises
        ------
        InputError
            If the variant has no decoders, or the two sides are no pair.
        """
        if to != other_side(from_):
            raise InputError(f"a translation goes from one side to the other, not from '{from_}' to '{to}'")
        crossings = self._decoders()
        return self._decode(flux, from_, lambda embedding: crossings.cross(embedding, to))

    def give_back(self, flux: np.ndarray, side: str) -> np.ndarray:
        """Give spectra back from their own embeddings.

        Parameters
        ----------
        flux : ndarray, shape (n, n_grid)
        side : {'lrs', 'xp'}

        Returns
        -------
        ndarray, shape (n, n_grid), float32
            XP: flux over that at 550 nm. LRS: flux over continuum less its mean, over its standard deviation.

        Raises
        ------
        InputError
            If the variant has no decoders.
        """
        crossings = self._decoders()
        return self._decode(flux, side, lambda embedding: crossings.give_back(embedding, side))

    def _decoders(self) -> Crossings:
        if self.crossings is None:
            raise InputError(
                f"an alignment of the variant '{self.settings.variant}' gives no spectra: it has no decoders; train one of "
                "--variant pr or split"
            )
        return self.crossings

    @torch.inference_mode()
    def _decode(self, flux: np.ndarray, side: str, decode: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
        embedding = self.side(side).encode(flux)
        parts = [
            decode(torch.from_numpy(embedding[start : start + BLOCK])).numpy()
            for start in range(0, max(len(embedding), 1), BLOCK)
        ]
        given = np.concatenate(parts)
        given[~np.isfinite(given).all(axis=1)] = np.nan
        return given


def check_grids(lrs: Encoder, xp: Encoder) -> None:
    """Refuse two encoders of which the second takes no XP spectra, or the first does.

    Raises
    ------
    InputError
        Naming the grids.
    """
    grids = {"lrs": lrs.preprocessing.grid, "xp": xp.preprocessing.grid}
    if grids["lrs"] == XP.name or grids["xp"] != XP.name:
        raise InputError(
            f"alignment: needs an LRS encoder and one of Gaia XP spectra (grid '{XP.name}'), in this order; '{lrs.name}' takes "
            f"spectra on the grid '{grids['lrs']}', '{xp.name}' on '{grids['xp']}'"
        )


def reference_of(alignment: Alignment) -> int:
    """The pixel, from 0, by whose flux the XP spectra that it gives are divided: that at 550 nm."""
    return reference_pixel(alignment.xp.preprocessing)


def new_alignment(lrs: Encoder, xp: Encoder, settings: AlignmentSettings, seed: int = 0) -> Alignment:
    """Two encoders with freshly drawn heads, and decoders where the variant has them, to be trained.

    Parameters
    ----------
    lrs, xp : Encoder
        Left as they are; copies of their networks are inside. Where one gives tokens, its heads look at them.
    settings : AlignmentSettings
    seed : int
        Of the weights.

    Returns
    -------
    Alignment

    Raises
    ------
    InputError
        If the encoders are of one grid, or the second takes no XP spectra.
    SettingsError
        If the settings do not fit.
    """
    check_whole(seed, "alignment: seed", 0, MOST_SEED)
    check_grids(lrs, xp)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = {name: _with_heads(encoder, settings) for name, encoder in (("lrs", lrs), ("xp", xp))}
        crossings = None
        if settings.has_decoders:
            crossings = Crossings(settings, len(lrs.flux_mean), len(xp.flux_mean))
    sides = {
        name: replace(
            encoder,
            name=INPUTS[settings.variant] + ("-xp" if name == "xp" else ""),
            network=networks[name],
            decoder=None,
            target_mean=None,
            target_std=None,
            sha256="",
            place="",
        )
        for name, encoder in (("lrs", lrs), ("xp", xp))
    }
    return Alignment(sides["lrs"], sides["xp"], settings, crossings)


def _with_heads(encoder: Encoder, settings: AlignmentSettings) -> AlignedNetwork:
    backbone: nn.Module = copy.deepcopy(encoder.network)
    shapes = [(settings.width, settings.heads), (settings.private_width, settings.private_heads)]
    heads: list[Head] = []
    for width, n_heads in shapes:
        if width and has_tokens(backbone):
            heads.append(AttentionHead(given_width(backbone, encoder.width), width, n_heads, settings.dropout))
        elif width:
            heads.append(LatentHead(encoder.width, width, settings.block, settings.dropout))
    return AlignedNetwork(backbone, heads)


def partner_ranks(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Among how many spectra of the other kind a star's own one comes, in the order of their cosines with it.

    Parameters
    ----------
    one, other : ndarray, shape (n, width), float32
        What embeddings of both kinds share, of the same stars in the same order.

    Returns
    -------
    ndarray, shape (n,), int64
        From 0, that of the nearest; those as near as the partner count as nearer, so that embeddings all alike gain nothing.
    """
    units = [
        array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), np.float32(1e-12)) for array in (one, other)
    ]
    ranks = np.empty(len(one), np.int64)
    block = max(_COSINES // max(len(one), 1), 1)
    for start in range(0, len(one), block):
        cosines = units[0][start : start + block] @ units[1].T
        partner = cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))]
        ranks[start : start + block] = (cosines >= partner[:, None]).sum(axis=1) - 1
    return ranks

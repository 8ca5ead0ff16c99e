"""What the training of an encoder minimises: sums and counts that processes add up, so that a loss is that of the whole batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor, nn

from ...networks.lrs import LRSTransformer
from ...networks.masking import draw_masks, hide, masked_loss
from ...networks.xp_autoencoder import XPAutoencoder

Batch = Mapping[str, Tensor]
"""Arrays of some stars by name, each of shape (n, n_grid), float32: 'flux', or 'lrs' and 'xp', and then `STAR`, (n,), int64."""

STAR = "star"
"""A number for each star, in a batch of pairs: visits of one star have the same."""


class Objective(nn.Module):
    """A loss, with the networks whose weights it trains; a subclass has them as modules.

    The loss of a step is, of each term, the sum over all its spectra (of all processes, and of all parts of an accumulated batch)
    divided by the count over all of them, and these means added up with `weights`. Its gradients are those of one process that
    has the whole batch, however many there are. Weights that are not to train have ``requires_grad`` False; a frozen
    network that must stay in `eval` says so by overriding `train`.

    Attributes
    ----------
    weights : dict of str to float
        The terms of the loss, and the weight of each.
    """

    weights: Mapping[str, float] = {"loss": 1.0}

    def forward(self, batch: Batch, row_seeds: Tensor) -> dict[str, Tensor]:
        """Sums of the terms over some spectra.

        Parameters
        ----------
        batch : mapping of str to Tensor, shape (n, n_grid), float32
        row_seeds : Tensor, shape (n,), int64
            A number for each spectrum that decides whatever is drawn for it, so that it does not matter which process has it; in
            training another one in every epoch, in validation always the same.

        Returns
        -------
        dict of str to Tensor, shape ()
            With the keys of `weights`.
        """
        raise NotImplementedError

    def counts(self, batch: Batch, row_seeds: Tensor) -> dict[str, Tensor | int]:
        """What the sums of `forward` are divided by; asked for before it, without gradients.

        Returns
        -------
        dict of str to Tensor, shape (), or int
            With the keys of `weights`; the number of spectra unless a subclass says otherwise.
        """
        return dict.fromkeys(self.weights, len(row_seeds))

    def accepts(self, name: str, flux: np.ndarray) -> np.ndarray:
        """Which spectra can be learnt from.

        Parameters
        ----------
        name : str
            As in `batch`.
        flux : ndarray, shape (n, n_grid), float32
            Finite.

        Returns
        -------
        ndarray, shape (n,), bool
        """
        return np.ones(len(flux), bool)

    def describe(self) -> dict:
        """What decides the loss, as plain data: a training goes on only with the same."""
        return {"kind": type(self).__name__, "weights": dict(self.weights)}


class MaskedSegments(Objective):
    """Give back the tokens of masked segments of a spectrum: SpecCLIP's pre-training of its LRS encoder.

    Parameters
    ----------
    network : LRSTransformer
    """

    def __init__(self, network: LRSTransformer):
        super().__init__()
        self.network = network

    def forward(self, batch: Batch, row_seeds: Tensor) -> dict[str, Tensor]:
        """Squared errors of what is masked; see `Objective.forward`."""
        slices, mask = self._masked(batch, row_seeds)
        tokens = self.network.run(hide(slices, mask))
        return {"loss": masked_loss(self.network.give_back(tokens), slices, mask)[0]}

    @torch.no_grad()
    def counts(self, batch: Batch, row_seeds: Tensor) -> dict[str, Tensor | int]:
        """Entries of the tokens that masking changes."""
        slices, mask = self._masked(batch, row_seeds)
        return {"loss": ((slices != 0) & mask[..., None]).sum()}

    def _masked(self, batch: Batch, row_seeds: Tensor) -> tuple[Tensor, Tensor]:
        slices, settings = self.network.slices(batch["flux"]), self.network.settings
        return slices, draw_masks(row_seeds, slices.shape[1], settings.chunks, settings.chunk_tokens)

    def accepts(self, name: str, flux: np.ndarray) -> np.ndarray:
        """Spectra that are not constant: there is nothing to learn from those."""
        return flux.std(axis=1) > 0

    def describe(self) -> dict:
        """See `Objective.describe`; also the settings of the network, for whoever changed one."""
        return super().describe() | {"network": asdict(self.network.settings)}


class Autoencoding(Objective):
    """Give back a spectrum from a narrow embedding: SpecCLIP's pre-training of its XP encoder.

    Parameters
    ----------
    network : XPAutoencoder
    """

    def __init__(self, network: XPAutoencoder):
        super().__init__()
        self.network = network

    def forward(self, batch: Batch, row_seeds: Tensor) -> dict[str, Tensor]:
        """Squared errors over all values of the standardised spectrum; see `Objective.forward`."""
        values = self.network.standardised(batch["flux"])
        given = self.network.give_back(self.network.encode(values))
        return {"loss": (given.float() - values).square().sum()}

    def counts(self, batch: Batch, row_seeds: Tensor) -> dict[str, Tensor | int]:
        """All values of all spectra."""
        return {"loss": len(row_seeds) * (batch["flux"].shape[1] + 2)}

    def accepts(self, name: str, flux: np.ndarray) -> np.ndarray:
        """Spectra that are not constant, and that are positive where they are divided."""
        standardised = self.network.standardised(torch.from_numpy(flux))
        return torch.isfinite(standardised).all(dim=1).numpy() & (flux.std(axis=1) > 0)

    def describe(self) -> dict:
        """See `Objective.describe`; also the settings of the network, for whoever changed one."""
        return super().describe() | {"network": asdict(self.network.settings)}

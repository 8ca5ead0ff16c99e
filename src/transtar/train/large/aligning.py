"""What the training of an alignment minimises: a contrast of partners, and errors of what the decoders give."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ...encoders.alignment import Alignment, reference_of
from ...encoders.encoder import Encoder
from ...errors import SettingsError, shown
from ...networks.aligned import AlignedNetwork
from ...networks.crossing import SIDES, other_side
from ...networks.lrs import STD_FLOOR
from .batch_statistics import with_joint_statistics
from .contrast import contrast, mean_absolute, over_reference, standardised_spectra, unit
from .objectives import STAR, Batch, Objective
from .ranks import Ranks, gather_rows
from .run_key import weights_hash

NEGATIVES = ("all", "process")
"""Whom a star's partner is told from: the other stars of the whole batch, or, as in the public training, all other spectra of its
process, visits of the same star among them."""

TERMS = ("contrast", "lrs_back", "xp_back", "to_lrs", "to_xp")
"""Of the loss: of 'base' only the first."""

GIVEN = "_given"
"""Behind the name of a side, in a batch: what its encoder makes of the spectra, where that was made before."""


class Aligning(Objective):
    """Embeddings of both spectra of a star close to each other, and spectra that the decoders give close to the true ones.

    The encoders stay as they are: no gradients go through them, and they are never in training mode. Batch normalisation in the
    decoders takes its statistics over the whole batch, whatever the number of processes, unless `negatives` is 'process'.

    Parameters
    ----------
    alignment : Alignment
        Its heads and decoders are trained in place.
    negatives : {'all', 'process'}
        See `NEGATIVES`.
    weights : mapping of str to float, optional
        Of `TERMS`; 1 by default, as in the public training.

    Raises
    ------
    SettingsError
        If there is no such choice, or no such term in this variant.
    """

    def __init__(self, alignment: Alignment, negatives: str = "all", weights: Mapping[str, float] | None = None):
        super().__init__()
        if negatives not in NEGATIVES:
            raise SettingsError(f"alignment: negatives must be one of {', '.join(NEGATIVES)}, not '{shown(negatives)}'")
        terms = TERMS if alignment.crossings is not None else TERMS[:1]
        if unknown := sorted(set(weights or {}) - set(terms)):
            raise SettingsError(
                f"alignment: no loss '{shown(unknown[0])}' in the variant '{alignment.settings.variant}'; it has "
                f"{', '.join(terms)}"
            )
        self.weights = {name: float((weights or {}).get(name, 1.0)) for name in terms}
        self.negatives, self.reference = negatives, reference_of(alignment)
        self.settings, self.width = alignment.settings, alignment.settings.width
        self.lrs, self.xp, self.crossings = alignment.lrs.network, alignment.xp.network, alignment.crossings
        for name in SIDES:
            self._side(name).backbone.requires_grad_(False)
            self._scalers(name, alignment.side(name))
        if self.crossings is not None and negatives == "all":
            with_joint_statistics(self.crossings)

    def _scalers(self, name: str, encoder: Encoder) -> None:
        for scaler in ("flux_mean", "flux_std"):
            self.register_buffer(f"{name}_{scaler}", torch.from_numpy(getattr(encoder, scaler)))

    def _side(self, name: str) -> AlignedNetwork:
        network = getattr(self, name)
        assert isinstance(network, AlignedNetwork)
        return network

    def train(self, mode: bool = True) -> Aligning:
        """Put heads and decoders into training mode, and never the encoders."""
        super().train(mode)
        for name in SIDES:
            self._side(name).backbone.eval()
        return self

    def forward(self, batch: Batch, row_seeds: Tensor) -> dict[str, Tensor]:
        """Sums of the terms over pairs of spectra 'lrs' and 'xp'; see `Objective.forward`."""
        embeddings = {name: self._embedding(batch, name) for name in SIDES}
        terms = {"contrast": self._contrast(embeddings, batch.get(STAR)).sum()}
        if self.crossings is not None:
            targets = self.targets(batch)
            for name in SIDES:
                back = self.crossings.give_back(embeddings[name], name)
                across = self.crossings.cross(embeddings[other_side(name)], name)
                terms[f"{name}_back"] = mean_absolute(back, targets[f"{name}_back"]).sum()
                terms[f"to_{name}"] = mean_absolute(across, targets[f"to_{name}"]).sum()
        return terms

    def _embedding(self, batch: Batch, name: str) -> Tensor:
        held = batch.get(name + GIVEN)
        return self._side(name).of_given(self.given(batch[name], name) if held is None else held)

    @torch.no_grad()
    def given(self, flux: Tensor, name: str) -> Tensor:
        """What the encoder of a side makes of spectra (n, n_grid), which never changes: tokens or a vector of each."""
        return self._side(name).given((flux - getattr(self, f"{name}_flux_mean")) / getattr(self, f"{name}_flux_std"))

    def _contrast(self, embeddings: dict[str, Tensor], stars: Tensor | None) -> Tensor:
        one, other = (unit(embeddings[name][:, : self.width]) for name in SIDES)
        if self.negatives == "process":
            return contrast(one, other)
        start = Ranks.current().rank * len(one)
        all_stars = None if stars is None else gather_rows(stars)
        return contrast(one, other, gather_rows(one), gather_rows(other), start, stars=stars, all_stars=all_stars)

    def targets(self, batch: Batch) -> dict[str, Tensor]:
        """What the decoders are to give: XP over the flux at 550 nm; LRS standardised from its embedding, as it is from XP's."""
        xp = over_reference(batch["xp"], self.reference)
        return {
            "xp_back": xp, "to_xp": xp, "lrs_back": standardised_spectra(batch["lrs"]), "to_lrs": batch["lrs"],
        }  # fmt: skip

    @torch.no_grad()
    def begin_at_median(self, batch: Batch) -> None:
        """Let the decoders begin at the median of what they are to give, over some pairs, and not at zero.

        An offset moves by no more than the learning rate in a step: a short training would not bring it to the flux.
        """
        if self.crossings is not None:
            medians = {name: target.median(dim=0).values for name, target in self.targets(batch).items()}
            back, across = ({side: medians[name.format(side)] for side in SIDES} for name in ("{}_back", "to_{}"))
            self.crossings.begin_at(back, across)

    def accepts(self, name: str, flux: np.ndarray) -> np.ndarray:
        """Spectra that are not constant and, of XP, whose flux at 550 nm is positive."""
        good = flux.std(axis=1) > STD_FLOOR
        return good & (flux[:, self.reference] > 0) if name == "xp" else good

    def describe(self) -> dict:
        """See `Objective.describe`; also hashes of both encoders, so that another one goes by its side."""
        encoders = {name: weights_hash(self._side(name).backbone)[:16] for name in SIDES}
        return super().describe() | {
            "alignment": self.settings.to_dict(), "negatives": self.negatives, "encoders": encoders,
        }  # fmt: skip

"""Estimator: a network together with everything needed to apply it to spectra and to judge the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ..arrays import real_array
from ..encoder_notes import check_notes
from ..errors import InputError
from ..networks.building import network_sizes
from ..networks.lora import keep_factor_outputs
from ..networks.outputs import keep_outputs
from ..summary import Summarised, Summary
from .error_table import ErrorTable

if TYPE_CHECKING:
    from pathlib import Path

    from ..preprocess import Preprocessing

DOMAIN_CLIP = 10.0
"""A standardised pixel beyond this counts as this, so that a single wild pixel cannot decide."""

DOMAIN_QUANTILE = 0.999
"""Quantile of the training set's distances from which the limit is derived."""

DOMAIN_FACTOR = 2.0
"""The limit is this times that quantile."""

# Rows standardised at a time: a block of this many grid spectra stays in the processor's cache between passes.
_BLOCK = 128


@dataclass(frozen=True, eq=False, repr=False)
class Estimator(Summarised):
    """A trained model of stellar labels.

    Parameters
    ----------
    network : nn.Module
        On the CPU, float32; maps standardised inputs to standardised labels.
    input_mean, input_std : ndarray, shape (n_inputs,), float32
        Scalers of the inputs, from the model's own pre-training set.
    label_names : tuple of str
        Canonical labels, in the order of the outputs.
    label_mean, label_std, label_min, label_max : ndarray, shape (n_labels,), float64
        Scalers of the labels, and the range of the training labels (for LABEL_EXTRAPOLATED), in physical units.
    preprocessing : Preprocessing or None
        How spectra become inputs; None where inputs are not prepared spectra.
    surveys : tuple of str
        Every survey the model was trained on, in order.
    provenance : tuple of dict
        One step per pre-training or fine-tuning: settings, survey, numbers of stars, seed, versions, hash of the set.
    trained_on : dict of str to ndarray
        The stars that the model or its encoders saw, in any step, in training or in validation; columns
        `transtar.tables.seen_stars.TRAINED_ON_COLUMNS`.
    domain_limit : float
        Spectra at a larger distance (see `domain_distance`) are OUT_OF_DOMAIN.
    label_error : ndarray, shape (n_labels,), float64, or None
        One number for all stars, in models of older versions of transtar: 1 sigma of each label, bias included, as measured
        on real stars that the model has not seen; NaN where it was not measured. It is not the error of a star, and no
        catalog has it as one.
    adapter : dict of str to ndarray, float32, or None
        The low-rank matrices of the LoRA update of the last fine-tuning, which is merged into the network, as
        `transtar.networks.lora.lora_factors` returns them. They are for inspection; predictions do not use them. None if the
        last fine-tuning used another strategy.
    input : str
        Name of the input that the model takes: 'flux', or that of an encoder; several are joined by '+'.
    encoders : dict of str to dict
        For each part of the input, by name, the encoder that makes it: ``name``, ``sha256`` and ``place``, as
        `transtar.encoders.note_of` gives them. The flux, and inputs that no encoder makes, have no entry.
    error_tables : dict of str to ErrorTable
        By label, the errors of the predictions for each kind of star, calibrated on stars that the model has not seen
        (`transtar.trust`). A fine-tuned model does not inherit those of its base model.

    Examples
    --------
    >>> import transtar as ts
    >>> model = ts.Estimator.load("mock-feh")
    >>> model.label_names, model.n_inputs
    (('feh',), 1462)
    >>> model.predict(ts.read_set("sets/miles").flux).shape
    (30, 1)
    """

    network: nn.Module
    input_mean: np.ndarray
    input_std: np.ndarray
    label_names: tuple[str, ...]
    label_mean: np.ndarray
    label_std: np.ndarray
    label_min: np.ndarray
    label_max: np.ndarray
    preprocessing: Preprocessing | None = None
    surveys: tuple[str, ...] = ()
    provenance: tuple[dict, ...] = ()
    trained_on: dict[str, np.ndarray] = field(default_factory=dict)
    domain_limit: float = float("inf")
    label_error: np.ndarray | None = None
    adapter: dict[str, np.ndarray] | None = None
    input: str = "flux"
    encoders: dict[str, dict] = field(default_factory=dict)
    error_tables: dict[str, ErrorTable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_inputs, n_labels = network_sizes(self.network, (len(self.input_mean), len(self.label_names)))
        for name, size in (("input_mean", n_inputs), ("input_std", n_inputs), ("label_mean", n_labels)):
            if getattr(self, name).shape != (size,):
                raise InputError(f"model: {name} has shape {getattr(self, name).shape}, the network needs ({size},)")
        kinds = {str(p.dtype) for p in self.network.parameters() if p.dtype != torch.float32}
        if kinds:
            raise InputError(f"model: the network must be float32, not {', '.join(sorted(kinds))}")
        if len(self.label_names) != n_labels:
            raise InputError(f"model: {len(self.label_names)} label names for a network of {n_labels} outputs")
        check_notes(self.encoders, self.input.split("+"), "model: encoders")
        if strange := set(self.error_tables) - set(self.label_names):
            raise InputError(f"model: has errors of {', '.join(sorted(strange))}, which it does not predict")
        self.network.eval()

    def _summary(self) -> Summary:
        from .naming import in_lines

        return in_lines(self)

    @property
    def wave(self) -> np.ndarray:
        """Vacuum wavelengths in Angstrom of the spectra that the model takes, shape (grid.size,), float64.

        Raises
        ------
        InputError
            If its inputs are not prepared spectra.
        """
        if self.preprocessing is None:
            raise InputError("the inputs of this model are no prepared spectra, so they have no wavelengths")
        return self.preprocessing.wavelengths.wave

    @property
    def n_inputs(self) -> int:
        """Number of inputs per star."""
        return len(self.input_mean)

    def only(self, *labels: str) -> Estimator:
        """The same model, for some of its labels only.

        Raises
        ------
        InputError
            If it does not predict one of them.
        """
        for label in labels:
            if label not in self.label_names:
                raise InputError(f"the model predicts {', '.join(self.label_names)}, not {label}")
        rows = [self.label_names.index(label) for label in labels]
        parts = {name: getattr(self, name)[rows] for name in ("label_mean", "label_std", "label_min", "label_max")}
        error = None if self.label_error is None else self.label_error[rows]
        error = None if error is None or np.isnan(error).all() else error
        adapter = None if self.adapter is None else keep_factor_outputs(self.network, self.adapter, rows)
        network = keep_outputs(self.network, rows)
        tables = {label: table for label, table in self.error_tables.items() if label in labels}
        return replace(
            self, network=network, label_names=labels, label_error=error, error_tables=tables, adapter=adapter, **parts
        )

    def standardise(self, flux: np.ndarray) -> torch.Tensor:
        """Standardise inputs, shape (n, n_inputs), to a new float32 tensor."""
        flux = self._checked(flux)
        inputs = np.empty(flux.shape, dtype=np.float32)
        _standardise(flux, self.input_mean, 1 / self.input_std, inputs)
        return torch.from_numpy(inputs)

    def standardise_with_distance(self, flux: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
        """Do what `standardise` and `domain_distance` do, in one pass over `flux`."""
        flux = self._checked(flux)
        inputs, distance = np.empty(flux.shape, dtype=np.float32), np.empty(len(flux), dtype=np.float32)
        _standardise(flux, self.input_mean, 1 / self.input_std, inputs, distance)
        return torch.from_numpy(inputs), distance

    def predict(self, flux: np.ndarray, batch_size: int = 8192) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        flux : ndarray, shape (n, n_inputs)
            Inputs prepared with the model's own preprocessing.
        batch_size : int
            Rows handled at a time; bounds the memory.

        Returns
        -------
        ndarray, shape (n, n_labels), float32
            Labels in physical units; NaN in rows with an input that is not finite.

        Raises
        ------
        InputError
            If `flux` has another number of inputs per star.
        """
        return self._run(flux, batch_size, want_distance=False)[0]

    def predict_with_distance(self, flux: np.ndarray, batch_size: int = 8192) -> tuple[np.ndarray, np.ndarray]:
        """Do what `predict` and `domain_distance` do, in one pass over `flux`."""
        return self._run(flux, batch_size, want_distance=True)

    def domain_distance(self, flux: np.ndarray, batch_size: int = 8192) -> np.ndarray:
        """Measure how far spectra are from the training set.

        The distance is the mean over pixels of the squared standardised input, each clipped at `DOMAIN_CLIP`
        standard deviations: about 1 for a spectrum like those of the training set, whatever its labels. Rows beyond
        `domain_limit` (`DOMAIN_FACTOR` times the `DOMAIN_QUANTILE` quantile of the distances of the training set, the
        largest of all steps) are OUT_OF_DOMAIN. It does not detect strange spectra of ordinary amplitude.

        Returns
        -------
        ndarray, shape (n,), float32
            NaN in rows with an input that is not finite.
        """
        return self._run(flux, batch_size, want_distance=True, want_labels=False)[1]

    @torch.inference_mode()
    def _run(
        self, flux: np.ndarray, batch_size: int, *, want_distance: bool, want_labels: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        flux = self._checked(flux)
        n = len(flux)
        inverse = 1 / self.input_std
        scale = torch.from_numpy(self.label_std).float()
        shift = torch.from_numpy(self.label_mean).float()
        labels = np.empty((n, len(self.label_names)), dtype=np.float32)
        distance = np.empty(n if want_distance else 0, dtype=np.float32)
        # One buffer for all batches. Folding the scalers into the first layer would save this pass, about 3 % of the
        # time, but lose a decimal digit: fluxes near 1 have standard deviations of a few per cent.
        buffer = np.empty((min(batch_size, n), self.n_inputs), dtype=np.float32)
        for start in range(0, n, batch_size):
            rows = slice(start, min(start + batch_size, n))
            inputs = buffer[: rows.stop - start]
            _standardise(flux[rows], self.input_mean, inverse, inputs, distance[rows] if want_distance else None)
            if want_labels:
                # NaN runs through matrix products and ReLU into its own row only.
                labels[rows] = self.network(torch.from_numpy(inputs)).mul_(scale).add_(shift).numpy()
        labels[~np.isfinite(labels)] = np.nan
        return labels, distance

    def _checked(self, flux: np.ndarray) -> np.ndarray:
        flux = (
            flux if type(flux) is np.ndarray and flux.dtype.kind in "fiu" else real_array(flux, "inputs of the model")
        )
        if flux.ndim != 2 or flux.shape[1] != self.n_inputs:
            raise InputError(
                f"the model needs inputs of shape (stars, {self.n_inputs}), of its input '{self.input}', got {flux.shape}"
            )
        return flux

    def save(self, folder: str | Path, dtype: str = "float32") -> None:
        """Write the model to a folder; see `transtar.models.storage.save_estimator`."""
        from .storage import save_estimator

        save_estimator(self, folder, dtype)

    @classmethod
    def load(cls, folder: str | Path) -> Estimator:
        """Read a model from a folder; see `transtar.models.storage.load_estimator`."""
        from .storage import load_estimator

        return load_estimator(folder)


def _standardise(
    flux: np.ndarray, mean: np.ndarray, inverse_std: np.ndarray, out: np.ndarray, distance: np.ndarray | None = None
) -> None:
    # numpy rather than torch: it takes any dtype, byte order and read-only memory without a copy of the whole.
    for start in range(0, len(flux), _BLOCK):
        block = out[start : start + _BLOCK]
        np.subtract(flux[start : start + _BLOCK], mean, out=block, casting="same_kind")
        np.multiply(block, inverse_std, out=block)
        # ReLU makes a number of an infinite input; of NaN it makes none.
        block[np.isinf(block.sum(axis=1))] = np.nan
        if distance is not None:
            clipped = np.clip(block, -DOMAIN_CLIP, DOMAIN_CLIP)
            distance[start : start + _BLOCK] = np.einsum("ij,ij->i", clipped, clipped) / flux.shape[1]


def input_scalers(flux: np.ndarray, common: bool = False, sizes: Sequence[int] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every input over a set of stars.

    Parameters
    ----------
    flux : ndarray, shape (n, n_inputs)
    common : bool
        Give all inputs one standard deviation, the root mean square of their own.
    sizes : sequence of int, optional
        Inputs of each part where several are joined; each part has a common deviation of its own.

    Returns
    -------
    mean, std : ndarray, shape (n_inputs,), float32
        Accumulated in float64; an input that does not vary gets a standard deviation of 1.
    """
    mean = flux.mean(axis=0, dtype=np.float64)
    std = np.sqrt(np.maximum(np.einsum("ij,ij->j", flux, flux, dtype=np.float64) / len(flux) - mean**2, 0.0))
    if common:
        parts = np.split(std, np.cumsum(sizes)[:-1]) if len(sizes) > 1 else [std]
        std = np.concatenate([np.full_like(part, np.sqrt(np.mean(part**2))) for part in parts])
    constant = std <= 1e-6 * np.maximum(np.abs(mean), 1e-30)
    return mean.astype(np.float32), np.where(constant, 1.0, std).astype(np.float32)


def domain_limit(distance: np.ndarray) -> float:
    """Limit of OUT_OF_DOMAIN from the distances of a training set, shape (n,)."""
    return float(DOMAIN_FACTOR * np.quantile(distance, DOMAIN_QUANTILE))

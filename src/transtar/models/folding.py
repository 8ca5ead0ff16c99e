"""A model of what encoders make of spectra as one of the spectra themselves: the encoders become part of its network."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from ..datasets.inputs import FLUX, input_parts
from ..encoder_notes import require_same_encoder
from ..encoders import Encoder, OutsideEncoder, find_encoder, note_of
from ..errors import InputError, shown
from ..networks.encoded import Affine, EncodedNetwork, EncoderPart
from ..networks.residual import innermost
from ..preprocess import require_same
from .estimator import Estimator


def folded(estimator: Estimator, encoders: Encoder | Mapping[str, Encoder] | None = None) -> Estimator:
    """A model of the flux that predicts what a model of embeddings predicts of them.

    Its network holds the encoders with the rest, all in its own copy: it can be differentiated by the flux, trained as a whole,
    and saved, and needs no encoder beside it any more.

    Parameters
    ----------
    estimator : Estimator
        Of an input such as 'through' or 'flux+through'; one of the flux alone is returned as it is.
    encoders : Encoder or mapping of str to Encoder, optional
        What makes the parts of the input, by name; by default the model's own are loaded.

    Returns
    -------
    Estimator
        With the input 'flux'. Its distances are those of the flux, of which the model knows no limit: `domain_limit` is infinite.

    Raises
    ------
    InputError
        If a part of the input has no such encoder, or the encoder is another than the model's, or does not fit.
    MismatchError
        If an encoder wants its spectra prepared otherwise.
    """
    parts = input_parts(estimator.input)
    if parts == (FLUX.name,):
        return estimator
    given = {encoders.name: encoders} if isinstance(encoders, Encoder) else dict(encoders or {})
    makers = {name: _encoder(estimator, name, given) for name in parts if name != FLUX.name}
    assert estimator.preprocessing is not None  # as that of an encoder
    n_pixels = estimator.preprocessing.wavelengths.size
    widths = [n_pixels if name == FLUX.name else makers[name].width for name in parts]
    if sum(widths) != estimator.n_inputs:
        made = ", ".join(f"{width:,} of '{name}'" for name, width in zip(parts, widths, strict=True))
        raise InputError(f"the model takes {estimator.n_inputs:,} values per star, its encoders make others: {made}")
    ends = np.cumsum(widths)
    scalers = {
        name: (estimator.input_mean[end - width : end], estimator.input_std[end - width : end])
        for name, width, end in zip(parts, widths, ends, strict=True)
    }
    first = next(iter(makers.values()))
    mean, std = scalers.get(FLUX.name, (first.flux_mean, first.flux_std))
    modules = [nn.Identity() if name == FLUX.name else _part(makers[name], mean, std, *scalers[name]) for name in parts]
    return replace(
        estimator,
        network=EncodedNetwork(modules, copy.deepcopy(estimator.network)),
        input_mean=mean.copy(),
        input_std=std.copy(),
        input=FLUX.name,
        encoders={},
        adapter=_adapter(estimator),
        domain_limit=float("inf"),
    )


def _encoder(estimator: Estimator, name: str, given: Mapping[str, Encoder]) -> Encoder:
    """What makes a part of the input of a model."""
    note = estimator.encoders.get(name)
    encoder: Encoder | OutsideEncoder | None = given.get(name)
    if encoder is None:
        if note is None:
            raise InputError(
                f"the model takes the input '{estimator.input}', and no encoder that is known makes '{shown(name)}' of the flux: "
                "it has no wavelengths, and no gradient goes through it"
            )
        encoder = find_encoder(note)
    elif note is not None:
        require_same_encoder(note, "the model", note_of(encoder), "what was given", "give the model's own")
    if not isinstance(encoder, Encoder):
        raise InputError(
            f"the encoder '{shown(name)}' is a function of another package, which cannot be part of a network: no gradient goes "
            "through it, and nothing in it can be trained"
        )
    require_same(estimator.preprocessing, "the model", encoder.preprocessing, f"encoder '{name}'")
    return encoder


def _part(
    encoder: Encoder, mean: np.ndarray, std: np.ndarray, made_mean: np.ndarray, made_std: np.ndarray
) -> EncoderPart:
    """An encoder that takes flux standardised by `mean` and `std` and gives embeddings standardised by the other two."""
    before = _affine(std, mean, encoder.flux_std, encoder.flux_mean)
    one, zero = np.ones_like(made_std), np.zeros_like(made_mean)
    return EncoderPart(copy.deepcopy(encoder.network), before, _affine(one, zero, made_std, made_mean))


def _affine(std: np.ndarray, mean: np.ndarray, new_std: np.ndarray, new_mean: np.ndarray) -> Affine:
    """From values standardised one way to values standardised another way; formed in float64 and rounded once."""
    scalers = Affine(len(std))
    old, new = (
        (std.astype(np.float64), mean.astype(np.float64)),
        (new_std.astype(np.float64), new_mean.astype(np.float64)),
    )
    scalers.scale = torch.from_numpy((old[0] / new[0]).astype(np.float32))
    scalers.shift = torch.from_numpy(((old[1] - new[1]) / new[0]).astype(np.float32))
    return scalers


def _adapter(estimator: Estimator) -> dict[str, np.ndarray] | None:
    """LoRA factors by their places in the folded network."""
    if estimator.adapter is None:
        return None
    core, heads = innermost(estimator.network)
    root = ".".join(["head", *["base"] * len(heads)])
    return {
        name if name == "scale" else f"{root}.{name.removeprefix('0.') if isinstance(core, nn.Linear) else name}": array
        for name, array in estimator.adapter.items()
    }

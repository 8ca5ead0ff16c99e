"""AION-1 as an encoder of native spectra: the package polymathic-aion, with weights that lie in a folder.

A spectrum goes through AION's codec of spectra, which makes 273 tokens of it, these through AION's encoder, and the embedding is
the mean over the tokens that come out.

Source: package polymathic-aion 0.0.2 (Parker et al. 2025, AION-1), whose functions are called; nothing is fetched.
"""

from __future__ import annotations

import hashlib
import os
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputError, SettingsError, TranstarError, missing_package, said, shown
from ..files import read_json
from ..networks.weights import read_header
from ..regular import check_regular
from ..seal import file_hash
from .outside import OutsideEncoder

FOLDER_VARIABLE = "TRANSTAR_AION"
"""Environment variable with the folder of the weights; where it is set, the encoders of `AION_NAMES` go by name."""

MODALITIES = ("desi", "sdss")
"""What AION may take a spectrum for: it has learnt the two kinds apart."""

AION_NAMES = {f"aion-{modality}": modality for modality in MODALITIES}

PACKAGE = "polymathic-aion"

ROWS = 8
"""Spectra that go through together: they are laid out on 8704 points, some hundred values each."""

_PARTS = ("", "codecs/spectrum/")
"""Where the folder has AION and its codec of spectra, each with a description and its weights."""


def aion_encoder(folder: str | Path, modality: str = "desi", name: str = "") -> OutsideEncoder:
    """AION as an encoder of native spectra.

    Parameters
    ----------
    folder : path
        As it is published: ``config.json``, ``model.safetensors``, ``codecs/spectrum/config.json`` and
        ``codecs/spectrum/model.safetensors``.
    modality : {'desi', 'sdss'}
        What AION takes the spectra for. It knows fluxes in 1e-17 erg/s/cm2/Angstrom, vacuum wavelengths in the observed frame.
    name : str
        By default 'aion-desi' or 'aion-sdss'.

    Returns
    -------
    OutsideEncoder
        A spectrum without errors, which AION needs, or without good pixels has no embedding: NaN. Its hash changes with the
        weights, their descriptions, the modality and the version of the package.

    Raises
    ------
    InputError
        If the folder lacks a file, or the weights do not fit their description.
    SettingsError
        If there is no such modality.
    TranstarError
        If the package is not installed.
    """
    if modality not in MODALITIES:
        raise SettingsError(f"AION: modality must be one of {', '.join(MODALITIES)}, not '{shown(modality)}'")
    folder = Path(folder)
    files = [
        check_regular(folder / f"{part}{file}") for part in _PARTS for file in ("config.json", "model.safetensors")
    ]
    model, codec, kind = _loaded(folder, modality)

    def encode(flux: np.ndarray, ivar: np.ndarray | None, wave: np.ndarray) -> np.ndarray:
        given = np.full((len(flux), model.dim), np.nan, np.float32)
        if ivar is None:
            return given
        usable = np.flatnonzero((ivar > 0).any(axis=1))
        for start in range(0, len(usable), ROWS):
            rows = usable[start : start + ROWS]
            given[rows] = _embeddings(model, codec, kind, flux[rows], ivar[rows], wave)
        return given

    digest = hashlib.sha256(f"AION {modality} {metadata.version(PACKAGE)}".encode())
    for file in files:
        digest.update(file_hash(file).encode())
    return OutsideEncoder(name or f"aion-{modality}", encode, digest.hexdigest(), native=True)


def aion_by_name(name: str) -> OutsideEncoder | None:
    """The encoder of one of `AION_NAMES`, of the weights in the folder that the environment names; None for another name.

    Raises
    ------
    SettingsError
        If the environment names no folder.
    InputError, TranstarError
        As `aion_encoder`.
    """
    if name not in AION_NAMES:
        return None
    if not os.environ.get(FOLDER_VARIABLE):
        raise SettingsError(
            f"the encoder '{name}' needs the folder of AION's weights: set {FOLDER_VARIABLE} to it (config.json, "
            "model.safetensors, codecs/spectrum)"
        )
    return aion_encoder(os.environ[FOLDER_VARIABLE], AION_NAMES[name])


def aion_names() -> list[str]:
    """Names that `aion_by_name` has an encoder for in this environment."""
    return list(AION_NAMES) if os.environ.get(FOLDER_VARIABLE) else []


def _loaded(folder: Path, modality: str) -> tuple[Any, Any, type]:
    """AION, its codec of spectra, and the class of the spectra that it takes."""
    try:
        from aion import AION
        from aion.codecs.spectrum import SpectrumCodec
        from aion.modalities import DESISpectrum, SDSSSpectrum
    except ImportError:
        raise missing_package(PACKAGE, "aion") from None
    model = _filled(folder, lambda config: AION(config))
    codec = _filled(folder / "codecs/spectrum", lambda config: SpectrumCodec(**config))
    kind = {"desi": DESISpectrum, "sdss": SDSSSpectrum}[modality]
    if kind.token_key not in model.encoder_embeddings:
        raise InputError(f"{shown(folder, 300)}: this AION has not learnt spectra of {modality} ({kind.token_key})")
    return model, codec, kind


def _filled(folder: Path, build: Any) -> Any:
    """A network as its folder describes it, with its weights, all of them and no others."""
    from safetensors.torch import load_model

    config, weights = read_json(folder / "config.json"), folder / "model.safetensors"
    if not isinstance(config, dict):
        raise InputError(f"{shown(folder, 300)}/config.json: not the description of a network of AION")
    read_header(weights)
    try:
        network = build(config)
        load_model(network, weights, strict=True)
    except TranstarError:
        raise
    except Exception as error:
        # A foreign package can fail in any way at all of a description that it was not made for.
        raise InputError(f"{shown(folder, 300)}: no network of AION can be made of it ({said(error)})") from error
    for name, values in network.state_dict().items():
        if values.is_floating_point() and not bool(torch.isfinite(values).all()):
            raise InputError(f"{weights}: {name} has values that are not finite; fetch it again")
    return network.eval()


@torch.inference_mode()
def _embeddings(model: Any, codec: Any, kind: type, flux: np.ndarray, ivar: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """Embeddings of some spectra, shape (n, dim)."""
    bad = ~(ivar > 0)
    spectra: Any = kind(
        flux=torch.from_numpy(np.where(bad & ~np.isfinite(flux), 0, flux).astype(np.float32)),
        ivar=torch.from_numpy(np.where(bad, 0, ivar).astype(np.float32)),
        mask=torch.from_numpy(bad),
        wavelength=torch.from_numpy(np.broadcast_to(wave, flux.shape).astype(np.float32, order="C")),
    )
    tokens = codec.encode(spectra)
    # All tokens, where the package takes 256 unless told otherwise.
    given = model.encode({spectra.token_key: tokens}, num_encoder_tokens=tokens.shape[1])
    return given.mean(dim=1).numpy()

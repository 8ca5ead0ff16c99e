"""Encoders on disk: encoder.safetensors + config.json + trained_on.parquet + README.md, as models are. Nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ..checks import DESCRIPTION_FAULTS, check_list, check_mapping, check_whole, no_description
from ..errors import InputError, SettingsError, shown
from ..files import Marker, atomic_folder, check_replaceable, read_json, write_json
from ..names import check_name
from ..networks.building import build_network, describe
from ..networks.weights import (
    PRECISIONS,
    check_numbers,
    check_shapes,
    fill_network,
    network_tensors,
    read_header,
    read_weights,
)
from ..preprocess import Preprocessing
from ..regular import check_regular
from ..seal import SEAL, check_file, check_seal, file_hash, is_as_noted, sealed
from ..tables.seen_stars import TRAINED_ON, read_trained_on, write_trained_on
from .encoder import Encoder

FORMAT, FORMAT_VERSION = "transtar-encoder", 1
REMEDY = "fetch the encoder again, or train it again"
WEIGHTS, CONFIG, CARD = "encoder.safetensors", "config.json", "README.md"
SET = "set.json"
"""What describes a prepared set, which is no encoder."""

ALIGNMENT = "alignment.json"
"""What describes a folder of two aligned encoders; see `transtar.encoders.alignment_storage`."""

_KEYS = (
    "format", "format_version", "transtar_version", "name", "network", "width", "decoder", "preprocessing",
    "preprocessing_hash", "provenance", "content_sha256", "files", SEAL,
)  # fmt: skip


def _vouched(folder: Path, config: dict) -> Iterable[str]:
    yield from (name for name in (WEIGHTS, TRAINED_ON) if is_as_noted(folder / name, config["files"].get(name)))
    if (folder / CARD).is_file() and (folder / CARD).read_bytes() == encoder_card(config).encode():
        yield CARD


ENCODER = Marker(
    CONFIG, "an encoder", files=(WEIGHTS, CONFIG, TRAINED_ON, CARD), says={"format": FORMAT}, vouched=_vouched
)
"""How such a folder is known."""


def encoder_hash(encoder: Encoder) -> str:
    """SHA-256 of what an encoder gives: networks, weights, scalers and preprocessing, not its name or history.

    Weights count as the numbers that they are in single precision, however a file holds them.

    Raises
    ------
    InputError
        If its network can only be used, not described.
    """
    content = {
        "network": describe(encoder.network),
        "decoder": None if encoder.decoder is None else describe(encoder.decoder),
        "preprocessing": encoder.preprocessing.hash,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name, tensor in sorted(_tensors(encoder, torch.float32).items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _tensors(encoder: Encoder, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    tensors = network_tensors("network", encoder.network, dtype)
    scalers = ["flux_mean", "flux_std"]
    if encoder.decoder is not None:
        tensors |= network_tensors("decoder", encoder.decoder, dtype)
        scalers += ["target_mean", "target_std"]
    # As of models, scalers stay float32.
    return tensors | {name: torch.from_numpy(getattr(encoder, name)).float() for name in scalers}


def save_encoder(encoder: Encoder, folder: str | Path, dtype: str = "float16") -> Encoder:
    """Write an encoder to a folder, atomically; an encoder that stood there is replaced.

    Parameters
    ----------
    encoder : Encoder
    folder : str or path
    dtype : {'float16', 'float32'}
        How the weights are stored. float16 rounds them, once: saved again, an encoder keeps its hash.

    Returns
    -------
    Encoder
        As it is stored, with hash and place.

    Raises
    ------
    InputError
        If something else than an encoder stands there, or the network is none that can be stored.
    SettingsError
        If the name can be none.
    TranstarError
        If the disk is full.
    """
    from safetensors.torch import save

    if dtype not in PRECISIONS:
        raise SettingsError(f"dtype of an encoder must be one of {', '.join(PRECISIONS)}, not '{shown(dtype)}'")
    check_replaceable(folder, ENCODER)
    tensors = _tensors(encoder, PRECISIONS[dtype])
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            remedy = (
                "train it again, or, if they are too large for half precision, store it as float32 (dtype='float32')"
            )
            raise InputError(f"encoder '{shown(encoder.name)}': {name} has values that are not finite; {remedy}")
    config: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "transtar_version": metadata.version("transtar"),
        "name": check_name(encoder.name, "encoder"),
        "network": describe(encoder.network),
        "width": encoder.width,
        "decoder": None if encoder.decoder is None else describe(encoder.decoder),
        "preprocessing": encoder.preprocessing.to_dict(),
        "preprocessing_hash": encoder.preprocessing.hash,
        "provenance": list(encoder.provenance),
        "content_sha256": "",
    }
    with atomic_folder(folder, marker=ENCODER) as temporary:
        (temporary / WEIGHTS).write_bytes(save(tensors))
        write_trained_on(encoder.trained_on, temporary / TRAINED_ON)
        config["files"] = {name: file_hash(temporary / name) for name in (WEIGHTS, TRAINED_ON)}
        # Of the numbers as rounded, which are read back.
        stored = _built(temporary, config)
        config["content_sha256"] = encoder_hash(stored)
        write_json(temporary / CONFIG, sealed(config), ours=True)
        (temporary / CARD).write_text(encoder_card(config), encoding="utf-8")
    return replace(stored, sha256=config["content_sha256"], place=str(Path(folder).resolve()))


def read_encoder(folder: str | Path) -> Encoder:
    """Read an encoder from a folder, onto the CPU.

    Raises
    ------
    InputError
        If the folder is no encoder, was written by a newer transtar, lacks a file, or holds one that is damaged or does not fit
        the others.
    """
    folder = Path(folder)
    if (folder / ALIGNMENT).is_file() and not (folder / CONFIG).exists():
        raise InputError(
            f"{folder}: is an alignment of two encoders; name one of them, {folder / 'lrs'} or {folder / 'xp'}"
        )
    if (folder / SET).is_file() and not (folder / CONFIG).exists():
        raise InputError(
            f"{folder}: is a prepared set, not an encoder; give the name or the folder of an encoder or an alignment in its "
            "place, and the set as --data"
        )
    for name in (CONFIG, WEIGHTS, TRAINED_ON):
        if not (folder / name).exists():
            raise InputError(f"{folder}: not a complete encoder, {name} is missing; {REMEDY}")
        check_regular(folder / name)
    config = read_config_of_encoder(folder)
    for name in (WEIGHTS, TRAINED_ON):
        check_file(folder / name, config["files"].get(name), REMEDY)
    encoder = _built(folder, config)
    if encoder_hash(encoder) != config["content_sha256"]:
        raise InputError(f"{folder}: its hash is not the one noted in {CONFIG}; {REMEDY}")
    return replace(encoder, sha256=config["content_sha256"], place=str(folder.resolve()))


def read_config_of_encoder(folder: Path) -> dict:
    """The description of an encoder.

    Raises
    ------
    InputError
        If it is none, is of a version that is not known, or is not as it was written.
    """
    return read_described(folder / CONFIG, "encoder", FORMAT_VERSION, _KEYS, REMEDY)


def read_described(path: Path, what: str, version: int, keys: Iterable[str], remedy: str) -> dict:
    """The description of an encoder or an alignment, intact and of a version that is known.

    Parameters
    ----------
    path : Path
        Of its file.
    what : {'encoder', 'alignment'}
    version : int
        Of the layout that is read.
    keys : iterable of str
        What it must have, and nothing else.
    remedy : str
        What to do, for the message.

    Raises
    ------
    InputError
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != f"transtar-{what}":
        raise InputError(f"{path}: not the description of a transtar {what}")
    written = content.get("format_version")
    if type(written) is not int or written != version:
        raise InputError(
            f"{path.parent}: {what} format {shown(written)} is not known to this transtar, which reads {version}; it was written "
            f"by transtar {shown(content.get('transtar_version'))}"
        )
    if wrong := sorted({*keys} ^ {*content}):
        raise InputError(f"{path}: missing or unknown {', '.join(map(shown, wrong))}; {remedy}")
    check_seal(content, path, remedy)
    if not isinstance(content["files"], dict):
        raise InputError(f"{path}: has no checksums of the other files; {remedy}")
    return content


def _built(folder: Path, config: dict) -> Encoder:
    path = folder / WEIGHTS
    try:
        settings = Preprocessing.from_stored(config["preprocessing"])
        size, width = settings.wavelengths.size, check_whole(config["width"], "width")
        sizes = {"network": (size, width), "decoder": (width, size)}
        # Without memory at first, as models are read.
        networks = {
            name: build_network(check_mapping(config[name], name), *sizes[name], device="meta")
            for name in sizes
            if name == "network" or config[name] is not None
        }
        names = ("flux_mean", "flux_std", *(("target_mean", "target_std") if "decoder" in networks else ()))
        expected = dict.fromkeys(names, torch.empty(size, dtype=torch.float32, device="meta"))
        for name, network in networks.items():
            expected |= network_tensors(name, network)
        tensors = read_header(path)
        check_shapes(path, tensors, expected)
        weights = read_weights(path, tensors)
        check_numbers(path, weights, {name: weights[name] for name in names if name.endswith("_std")})
        for name, network in networks.items():
            fill_network(name, network, weights)
        scalers: dict[str, Any] = {name: weights[name].numpy() for name in names}
        return Encoder(
            name=check_name(config["name"], "encoder"),
            network=networks["network"],
            decoder=networks.get("decoder"),
            preprocessing=settings,
            provenance=tuple(
                check_mapping(step, "each step") for step in check_list(config["provenance"], "provenance")
            ),
            trained_on=read_trained_on(folder / TRAINED_ON, REMEDY),
            **scalers,
        )
    except DESCRIPTION_FAULTS as error:
        raise no_description(folder / CONFIG, "an encoder", error) from error


def encoder_card(config: dict) -> str:
    """README.md of an encoder.

    Parameters
    ----------
    config : dict
        The content of its config.json.

    Returns
    -------
    str
        Markdown.
    """
    settings = config["preprocessing"]
    lines = [
        f"# transtar encoder: {config['name']}",
        "",
        f"Makes {config['width']} values of each spectrum, the input '{config['name']}' of networks; "
        f"written by transtar {config['transtar_version']}",
        "",
        f"SHA-256: {config['content_sha256']}",
        "",
        f"Network: `{json.dumps(config['network'])}`",
    ]
    if config["decoder"] is not None:
        lines += ["", f"Gives spectra back, without noise: `{json.dumps(config['decoder'])}`"]
    lines += ["", "## Training", ""]
    for number, step in enumerate(config["provenance"], start=1):
        facts = (f"{shown(name, 60)} {shown(value, 200)}" for name, value in step.items())
        lines.append(f"{number}. {'; '.join(facts)}")
    lines += [
        "",
        "## Use",
        "",
        f"Spectra must be prepared as `preprocessing` in config.json says (grid '{settings['grid']}', {settings['frame']} frame, "
        f"hash {config['preprocessing_hash']}), which is checked.",
        "A model that was trained with this encoder finds it by name or folder and takes no other: its SHA-256 is compared.",
        "Real stars that decided something are in trained_on.parquet; models that take its embeddings count them as seen.",
        "",
    ]
    return "\n".join(lines)

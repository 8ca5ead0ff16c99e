"""Models on disk: model.safetensors + config.json + trained_on.parquet + README.md. Nothing is ever unpickled.

A model that LoRA fine-tuned has adapter.safetensors beside them, its thin matrices; a folder without it is as complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import metadata
from math import isfinite
from pathlib import Path

import numpy as np
import torch

from .. import files
from ..checks import DESCRIPTION_FAULTS, check_list, check_mapping, check_text, check_whole, no_description
from ..encoder_notes import check_notes
from ..errors import InputError, SettingsError, shown
from ..files import Marker, atomic_folder, read_json, write_json
from ..glossary import check_label
from ..names import check_names
from ..networks.building import build_network, describe
from ..networks.lora import adapted_layers
from ..networks.weights import (
    PRECISIONS,
    check_numbers,
    check_shapes,
    fill_network,
    network_tensors,
    read_header,
    read_weights,
)
from ..regular import check_regular
from ..seal import SEAL, check_file, check_seal, file_hash, is_as_noted, sealed
from ..tables.seen_stars import TRAINED_ON, read_trained_on, write_trained_on
from ..telling import tell
from .card import model_card
from .error_table import ErrorTable
from .estimator import DOMAIN_CLIP, DOMAIN_FACTOR, DOMAIN_QUANTILE, Estimator
from .named import find_model, joint_network, named_models

FORMAT_VERSION = 5
"""Version of the layout written now."""

MIGRATIONS: dict[int, Callable[[dict], dict]] = {
    1: lambda config: config | {"format_version": 2, "files": None},
    2: lambda config: config | {"format_version": 3, "input": "flux"},
    3: lambda config: config | {"format_version": 4, "encoders": {}},
    4: lambda config: config | {"format_version": 5, "errors": {}},
}
"""Per version, the function that turns its config.json into that of the next version."""

SEALED_SINCE = 2
"""Since this version config.json holds hashes of the other files and of itself."""

_KEYS_1 = (
    "format", "format_version", "transtar_version", "network", "n_inputs", "labels", "preprocessing", "preprocessing_hash",
    "surveys", "domain", "provenance",
)  # fmt: skip
_KEYS_2 = (*_KEYS_1, "files", SEAL)
_KEYS_3 = (*_KEYS_2, "input")
_KEYS_4 = (*_KEYS_3, "encoders")
_KEYS = {
    version: frozenset(keys)
    for version, keys in enumerate((_KEYS_1, _KEYS_2, _KEYS_3, _KEYS_4, (*_KEYS_4, "errors")), start=1)
}
"""What config.json of each version holds: a version with other keys is another one whose number was damaged."""

REMEDY = "fetch the model again, or train it again"

ADAPTER = "adapter.safetensors"
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
FILES = (WEIGHTS, CONFIG, TRAINED_ON, CARD, ADAPTER)
"""All that a model's folder may hold of transtar's; whatever else lies there is the user's."""

FORMAT = "transtar-estimator"


def _vouched(folder: Path, config: dict) -> Iterable[str]:
    """Files that config.json has fitting hashes of, and the card if it is the one made of it."""
    yield from (
        name for name in (WEIGHTS, ADAPTER, TRAINED_ON) if is_as_noted(folder / name, config["files"].get(name))
    )
    if (folder / CARD).is_file() and (folder / CARD).read_bytes() == model_card(config).encode():
        yield CARD


MODEL = Marker(CONFIG, "a model", files=FILES, says={"format": FORMAT}, vouched=_vouched)
"""How such a folder is known."""

_FLOAT32 = np.finfo(np.float32)
_LABEL_FIELDS = ("mean", "std", "min", "max")


def save_estimator(estimator: Estimator, folder: str | Path, dtype: str = "float32", card: str | None = None) -> None:
    """Write a model to a folder, atomically; a model that stood there is replaced.

    Parameters
    ----------
    estimator : Estimator
    folder : str or path
    dtype : {'float32', 'float16'}
        How the weights are stored. float32 gives predictions back bit for bit; float16 halves the file.
    card : str, optional
        Markdown of README.md, instead of the card that is written from the description.

    Raises
    ------
    InputError
        If something else than a model stands there.
    TranstarError
        If the disk is full.
    """
    from safetensors.torch import save

    check_replaceable(folder)
    labels = [
        {"name": name} | {part: float(getattr(estimator, f"label_{part}")[index]) for part in _LABEL_FIELDS}
        for index, name in enumerate(estimator.label_names)
    ]
    if estimator.label_error is not None:
        for label, error in zip(labels, estimator.label_error.tolist(), strict=True):
            label |= {"error": error} if error == error else {}
    config = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "transtar_version": metadata.version("transtar"),
        "network": describe(estimator.network),
        "n_inputs": estimator.n_inputs,
        "input": estimator.input,
        "encoders": estimator.encoders,
        "labels": labels,
        "errors": {label: table.to_dict() for label, table in estimator.error_tables.items()},
        "preprocessing": None if estimator.preprocessing is None else estimator.preprocessing.to_dict(),
        "preprocessing_hash": None if estimator.preprocessing is None else estimator.preprocessing.hash,
        "surveys": list(estimator.surveys),
        "domain": {
            "limit": estimator.domain_limit,
            "clip": DOMAIN_CLIP,
            "quantile": DOMAIN_QUANTILE,
            "factor": DOMAIN_FACTOR,
        },
        "provenance": list(estimator.provenance),
    }
    with atomic_folder(folder, marker=MODEL) as temporary:
        (temporary / WEIGHTS).write_bytes(_weights(estimator, dtype))
        if estimator.adapter is not None:
            (temporary / ADAPTER).write_bytes(save(_adapter_tensors(estimator.adapter, dtype)))
        write_trained_on(estimator.trained_on, temporary / TRAINED_ON)
        hashed = [name for name in (WEIGHTS, ADAPTER, TRAINED_ON) if (temporary / name).is_file()]
        config["files"] = {name: file_hash(temporary / name) for name in hashed}
        write_json(temporary / CONFIG, sealed(config), ours=True)
        (temporary / CARD).write_text(card or model_card(config), encoding="utf-8")


def _weights(estimator: Estimator, dtype: str) -> bytes:
    """Content of model.safetensors."""
    from safetensors.torch import save

    weights = network_tensors("network", estimator.network, PRECISIONS[dtype])
    # The scalers stay float32: they are small, and rounding them would move every prediction.
    weights["input_mean"] = torch.from_numpy(estimator.input_mean)
    weights["input_std"] = torch.from_numpy(estimator.input_std)
    return save(weights)


def content_of(folder: Path) -> bytes:
    """Content of the files that decide what a model predicts: its weights and its description.

    Parameters
    ----------
    folder : path
        As `find_model` gives it. Of a shipped model that shares its network, the content is that of its whole copy.

    Raises
    ------
    InputError
        If it is no readable model.
    """
    if joint_network(folder) is None:
        return (folder / WEIGHTS).read_bytes() + (folder / CONFIG).read_bytes()
    return _weights(load_estimator(folder), "float16") + (folder / CONFIG).read_bytes()


def check_replaceable(folder: str | Path, inputs: Iterable[str | Path | None] = ()) -> None:
    """Refuse to write a model where something else stands: it would be lost.

    Parameters
    ----------
    folder : path
    inputs : iterable of path, optional
        What is read, and therefore must not be written over.

    Raises
    ------
    InputError
        If `folder` exists and is neither a model nor empty, is read, or cannot be written.
    """
    files.check_replaceable(folder, MODEL, inputs)


def load_estimator(folder: str | Path) -> Estimator:
    """Read a model from a folder, or by the name of a shipped or imported one, onto the CPU.

    Raises
    ------
    InputError
        If the folder is no model, was written by a newer transtar, lacks a file, or holds one that is damaged or does
        not fit the others.
    """
    folder = find_model(folder)
    joint = joint_network(folder)
    for name in (CONFIG, WEIGHTS, TRAINED_ON) if joint is None else (CONFIG,):
        if not (folder / name).exists():
            shipped = folder.name in named_models() and name == WEIGHTS
            remedy = f"; transtar models export {folder.name} --out FOLDER makes a complete copy" if shipped else ""
            raise InputError(f"{folder}: not a complete model, {name} is missing{remedy}")
        check_regular(folder / name)
    config = read_config(folder)
    if joint is not None:
        return load_estimator(joint).only(*(label["name"] for label in _labels(config["labels"])))
    tensors = read_header(folder / WEIGHTS)
    _check_files(folder, config["files"])
    try:
        n_inputs, labels = check_whole(config["n_inputs"], "n_inputs"), _labels(config["labels"])
        # Without memory at first: a description of a few bytes may ask for any amount, the file of weights has what it has.
        network = build_network(config["network"], n_inputs, len(labels), device="meta")
        expected = network_tensors("network", network)
        expected |= dict.fromkeys(
            ("input_mean", "input_std"), torch.empty(n_inputs, dtype=torch.float32, device="meta")
        )
        check_shapes(folder / WEIGHTS, tensors, expected)
        weights = read_weights(folder / WEIGHTS, tensors)
        check_numbers(folder / WEIGHTS, weights, {"input_std": weights["input_std"]})
        scalers = {name: weights[name].numpy() for name in ("input_mean", "input_std")}
        fill_network("network", network, weights)
        ranges = {
            f"label_{part}": np.array([label[part] for label in labels], dtype=np.float64) for part in _LABEL_FIELDS
        }
        return Estimator(
            network=network,
            label_names=check_names((check_label(label["name"], "label") for label in labels), "labels"),
            preprocessing=_read_preprocessing(config["preprocessing"]),
            surveys=check_names(check_list(config["surveys"], "surveys"), "surveys"),
            provenance=_provenance(config["provenance"]),
            trained_on=read_trained_on(folder / TRAINED_ON, REMEDY),
            domain_limit=_limit(config["domain"]["limit"]),
            label_error=_errors(labels),
            error_tables=_error_tables(config["errors"], labels),
            input=_input(config["input"]),
            encoders=check_notes(config["encoders"], _input(config["input"]).split("+"), "encoders"),
            adapter=_read_adapter(folder / ADAPTER, network),
            **scalers,
            **ranges,
        )
    except DESCRIPTION_FAULTS as error:
        raise no_description(folder / CONFIG, "a model", error) from error


def read_config(folder: Path) -> dict:
    """The description of a model, as the version of the layout that is written now has it.

    Parameters
    ----------
    folder : path

    Returns
    -------
    dict
        Content of config.json; ``files`` is None where an older version noted no hashes.

    Raises
    ------
    InputError
        If it is none, is of a version that is not known, or is not as it was written.
    """
    path = folder / CONFIG
    config = read_json(path)
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise InputError(f"{path}: not the description of a transtar model")
    version = config.get("format_version")
    if type(version) is not int or (version != FORMAT_VERSION and version not in MIGRATIONS):
        raise InputError(
            f"{folder}: model format {shown(version)} is not known to this transtar, which reads up to {FORMAT_VERSION}; "
            f"it was written by transtar {shown(config.get('transtar_version'))}"
        )
    _check_keys(path, config, version)
    if version < SEALED_SINCE:
        tell(f"{folder}: a model of an older transtar, without checksums; saved again it has them")
    else:
        check_seal(config, path, REMEDY)
        if not isinstance(config["files"], dict):
            raise InputError(f"{path}: has no checksums of the other files; {REMEDY}")
    while config["format_version"] != FORMAT_VERSION:
        config = MIGRATIONS[config["format_version"]](config)
    return config


def _check_keys(path: Path, config: dict, version: int) -> None:
    known = _KEYS.get(version)
    if known is not None and known != set(config):
        wrong = ", ".join(shown(name) for name in sorted(known ^ set(config)))
        raise InputError(
            f"{path}: not the description of a model of format {version}: missing or unknown {wrong}; {REMEDY}"
        )


def _check_files(folder: Path, hashes: dict | None) -> None:
    """Compare the files beside config.json with the hashes in it, of which an older version has none."""
    if hashes is None:
        return
    for name in (WEIGHTS, TRAINED_ON, ADAPTER):
        # Without its adapter a model is as complete; one that came from elsewhere is none of it.
        if name != ADAPTER or (folder / name).exists():
            check_file(folder / name, hashes.get(name), REMEDY)


def _labels(labels) -> list[dict]:
    """Descriptions of labels, of which each number is one."""
    for label in check_list(labels, "labels"):
        for part in (*_LABEL_FIELDS, "error"):
            value = check_mapping(label, "each label").get(part, 0.0)
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise SettingsError(f"{part} of a label must be a number, not '{shown(value)}'")
            # float32 is what predictions are computed in.
            if part in ("mean", "std") and not abs(value) <= float(_FLOAT32.max):
                raise SettingsError(f"{part} of a label is too large: {shown(value)}")
            if part == "std" and not value >= float(_FLOAT32.tiny):
                raise SettingsError(f"std of a label must be positive, not {shown(value)}")
            if part == "error" and value < 0:
                raise SettingsError(f"error of a label must not be negative, as {shown(value)} is")
        if label.get("min", 0) > label.get("max", 0):
            raise SettingsError(f"min of a label is above its max: {shown(label['min'])}, {shown(label['max'])}")
    if not labels:
        raise SettingsError("it has no labels")
    return labels


def _limit(value) -> float:
    """Limit of the domain; infinite if there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise SettingsError(f"limit of the domain must be a positive number, not {shown(value)}")
    return float(value)


def _input(name) -> str:
    """Name of the input, of which each part can be one."""
    check_names(check_text(name, "input").split("+"), "input")
    return name


def _provenance(steps) -> tuple[dict, ...]:
    """Steps of training: what is looked up in them is of the kind that it is taken for."""
    for step in check_list(steps, "provenance"):
        for name in ("step", "strategy", "survey"):
            check_text(check_mapping(step, "each step of the provenance").get(name) or "", f"provenance: {name}")
        mock = check_mapping(step.get("mock") or {}, "provenance: mock")
        check_text(mock.get("lines") or "", "provenance: mock, lines")
    return tuple(steps)


def _errors(labels: list[dict]) -> np.ndarray | None:
    if not any("error" in label for label in labels):
        return None
    return np.array([label.get("error", np.nan) for label in labels], dtype=np.float64)


def _error_tables(errors, labels: list[dict]) -> dict[str, ErrorTable]:
    names = [label["name"] for label in labels]
    for name in check_mapping(errors, "errors"):
        if name not in names:
            raise SettingsError(f"errors: of {shown(name)}, which is not one of its labels")
    return {name: ErrorTable.from_dict(table) for name, table in errors.items()}


def _adapter_tensors(adapter: dict[str, np.ndarray], dtype: str) -> dict[str, torch.Tensor]:
    # The scale stays float32, as the scalers do.
    return {
        name: torch.from_numpy(np.array(array, order="C")).to(PRECISIONS["float32" if name == "scale" else dtype])
        for name, array in adapter.items()
    }


def _read_adapter(path: Path, network: torch.nn.Module) -> dict[str, np.ndarray] | None:
    if not path.exists():
        return None
    adapter = {name: tensor.float().numpy() for name, tensor in read_weights(path).items()}
    try:
        adapted_layers(network, adapter)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return adapter


def _read_preprocessing(settings):
    if settings is None:
        return None
    from ..preprocess import Preprocessing

    return Preprocessing.from_stored(settings, "model")

"""Emulators on disk: model.safetensors + config.json + README.md. Nothing is ever unpickled."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import torch

from ...errors import InputError, SettingsError, shown
from ...files import Marker, atomic_folder, check_replaceable, discard_temporaries, read_json, write_json
from ...networks.weights import check_shapes, read_header, read_weights
from ...seal import SEAL, check_file, check_seal, file_hash, is_as_noted, sealed
from ...telling import tell
from .emulator import HEADS, Emulator
from .grid_range import LABEL_NAMES, GridRange
from .heads import FEATURES, Head, HeadShape

FORMAT, FORMAT_VERSION = "transtar-emulator", 2
"""The first version had no hashes; it is read, too."""

REMEDY = "install transtar again, or train the emulator again"
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
EMULATOR = Marker(
    CONFIG,
    "an emulator",
    files=(WEIGHTS, CONFIG, CARD),
    says={"format": FORMAT},
    vouched=lambda folder, config: [
        name
        for name, expected in config["files"].items()
        if name in (WEIGHTS, CARD) and is_as_noted(folder / name, expected)
    ],
)
"""How such a folder is known."""


def save_emulator(emulator: Emulator, folder: str | Path, card: str) -> None:
    """Write model.safetensors, config.json and the model card, atomically; what stood at `folder` before is replaced.

    Networks and bases are stored as float16, wavelengths and mean spectra as they are.

    Parameters
    ----------
    emulator : Emulator
    folder : str or path
    card : str
        Markdown.

    Raises
    ------
    InputError
        If something else than an emulator stands there.
    TranstarError
        If the disk is full.
    """
    from safetensors.torch import save

    folder = Path(folder)
    check_replaceable(folder, EMULATOR)
    weights = {
        name: (tensor if name.endswith(".mean") else tensor.to(torch.float16)).cpu().contiguous()
        for name, tensor in emulator.state_dict().items()
    }
    waves = (emulator.wave, emulator.continuum_wave, emulator.sed_wave)
    weights |= {f"wave.{name}": torch.from_numpy(wave) for name, wave in zip(HEADS, waves, strict=True)}
    config = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "labels": list(LABEL_NAMES),
        "features": list(FEATURES),
        "resolution": emulator.resolution,
        "range": emulator.grid_range.to_dict(),
        "heads": {name: emulator.head(name).shape.to_dict() for name in HEADS},
        **emulator.info,
    }
    with atomic_folder(folder, marker=EMULATOR) as temporary:
        # Through Python, for the permissions a user's files have: safetensors keeps its own files private.
        (temporary / WEIGHTS).write_bytes(save(weights))
        (temporary / CARD).write_text(card, encoding="utf-8")
        config["files"] = {name: file_hash(temporary / name) for name in (WEIGHTS, CARD)}
        write_json(temporary / CONFIG, sealed(config), ours=True)


def load_emulator(folder: str | Path | None = None) -> Emulator:
    """Read an emulator, float32 on the CPU.

    Parameters
    ----------
    folder : str or path, optional
        Default: the one that ships with transtar.

    Raises
    ------
    InputError
        If the folder holds no emulator, or one that is damaged or of another version.
    """
    if folder is None:
        with resources.as_file(resources.files("transtar.simulate") / "data" / "emulator") as shipped:
            return _load(shipped)
    return _load(Path(folder))


def _load(folder: Path) -> Emulator:
    discard_temporaries(folder.parent, folder.name)
    config = _read_config(folder)
    tensors = read_header(folder / WEIGHTS)
    if "files" in config:
        check_file(folder / WEIGHTS, config["files"].get(WEIGHTS), REMEDY)
    try:
        # Features and labels are code: a file that names others was written by another version of it.
        if (tuple(config["labels"]), tuple(config["features"])) != (LABEL_NAMES, FEATURES):
            raise ValueError("other labels or features than this transtar knows")
        # Without memory at first, as the description may ask for any amount.
        heads = {name: Head(HeadShape.from_dict(config["heads"][name]), device="meta") for name in HEADS}
        info = {"training": config["training"]} if "training" in config else {}
        nowhere = {name: np.empty(0) for name in HEADS}
        emulator = Emulator(heads, nowhere, GridRange.from_dict(config["range"]), info)
        expected = emulator.state_dict() | {
            f"wave.{name}": torch.empty(heads[name].shape.outputs, dtype=torch.float64, device="meta") for name in HEADS
        }
        check_shapes(folder / WEIGHTS, tensors, expected)
        weights = read_weights(folder / WEIGHTS, tensors, dtype=None)
        waves = [weights.pop(f"wave.{name}").numpy() for name in HEADS]
        emulator.wave, emulator.continuum_wave, emulator.sed_wave = waves
        emulator.load_state_dict({name: tensor.float() for name, tensor in weights.items()}, assign=True)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, SettingsError) as error:
        reason = " ".join(str(error).split()) or repr(error)
        raise InputError(
            f"{folder}: {WEIGHTS} and {CONFIG} are not those of an emulator ({shown(reason, 300)})"
        ) from error
    return emulator.requires_grad_(False).eval()


def _read_config(folder: Path) -> dict:
    path = folder / CONFIG
    config = read_json(path)
    version = config.get("format_version") if isinstance(config, dict) and config.get("format") == FORMAT else None
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise InputError(f"{path}: not an emulator of format version {FORMAT_VERSION}")
    if version == 1:
        if "files" in config or SEAL in config:
            raise InputError(f"{path}: not an emulator of format version 1: it has checksums; {REMEDY}")
        tell(f"{folder}: an emulator of an older transtar, without checksums; saved again it has them")
        return config
    check_seal(config, path, REMEDY)
    if not isinstance(config.get("files"), dict):
        raise InputError(f"{path}: has no checksums of its files; {REMEDY}")
    return config

"""Emulators on disk: model.safetensors + config.json + README.md. Nothing is ever unpickled."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import torch

from ..errors import InputError
from ..files import Marker, atomic_folder, check_replaceable, discard_temporaries, read_json, write_json
from .emulator import HEADS, Emulator
from .emulator_network import FEATURES, Head, HeadShape
from .emulator_range import LABEL_NAMES, GridRange

FORMAT, FORMAT_VERSION = "transtar-emulator", 1
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
EMULATOR = Marker(CONFIG, "an emulator", own=(WEIGHTS, CONFIG, CARD), says={"format": FORMAT})
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
        write_json(temporary / CONFIG, config, ours=True)
        (temporary / CARD).write_text(card, encoding="utf-8")


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
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    discard_temporaries(folder.parent, folder.name)
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict) or (config.get("format"), config.get("format_version")) != (FORMAT, FORMAT_VERSION):
        raise InputError(f"{folder / CONFIG}: not an emulator of format version {FORMAT_VERSION}")
    try:
        weights = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{folder / WEIGHTS}: missing, damaged or not a safetensors file ({error})") from error
    try:
        # Features and labels are code: a file that names others was written by another version of it.
        if (tuple(config["labels"]), tuple(config["features"])) != (LABEL_NAMES, FEATURES):
            raise ValueError("other labels or features than this transtar knows")
        heads = {name: Head(HeadShape.from_dict(config["heads"][name])) for name in HEADS}
        waves = {name: weights.pop(f"wave.{name}").numpy() for name in HEADS}
        info = {"training": config["training"]} if "training" in config else {}
        emulator = Emulator(heads, waves, GridRange.from_dict(config["range"]), info)
        emulator.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or repr(error)
        raise InputError(f"{folder}: {WEIGHTS} and {CONFIG} are not those of an emulator ({reason})") from error
    return emulator.eval()

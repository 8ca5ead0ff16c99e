"""Models called by name: those that ship with transtar, and those a user has imported."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..errors import InputError, shown
from ..files import discard_temporaries

STORE_VARIABLE = "TRANSTAR_MODELS"
"""Environment variable that names the folder of imported models."""

SHIPPED = Path(__file__).parent / "shipped"
JOINT = SHIPPED.with_name("joint")
"""Networks of which several shipped models are one output each."""


def store_folder() -> Path:
    """Folder of imported models: `TRANSTAR_MODELS`, or transtar/models in the user's data folder."""
    if os.environ.get(STORE_VARIABLE):
        return Path(os.environ[STORE_VARIABLE])
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "transtar" / "models"


def named_models() -> dict[str, Path]:
    """Folders of all models that have a name, those that ship first."""
    named: dict[str, Path] = {}
    for folder in (SHIPPED, store_folder()):
        for config in sorted(folder.glob("*/config.json")):
            named.setdefault(config.parent.name, config.parent)
    return named


def find_model(name: str | Path) -> Path:
    """Folder of a model given by folder or by name; a folder comes first.

    Raises
    ------
    InputError
        If there is neither; the message lists the names.
    """
    folder = Path(name)
    # A name that no folder can have is one that there is not.
    with suppress(OSError, ValueError):
        discard_temporaries(folder.parent, folder.name)
        if folder.is_dir():
            return folder
    from ..encoders import encoder_names

    named = named_models()
    if str(name) in named:
        return named[str(name)]
    if str(name) in encoder_names():
        raise InputError(f"{name}: is an encoder, no model; transtar embed --model {name} and --input {name} take it")
    known = f"; models by name: {', '.join(named)}" if named else ""
    raise InputError(f"{shown(folder, 300)}: no such model folder{known}")


def joint_network(folder: Path) -> Path | None:
    """Folder of the shipped network of which a shipped model is one output; None for any other model.

    Such a model has its description and card in a folder of its own, while the network, which several of them share, is
    stored once: shipped/mock-feh is the output feh of joint/mock. No folder elsewhere leads to another one.

    Parameters
    ----------
    folder : path
        Of a model, as `find_model` gives it.
    """
    if folder.resolve().parent != SHIPPED.resolve():
        return None
    network = JOINT / folder.resolve().name.rpartition("-")[0]
    return network if network != JOINT and network.is_dir() else None

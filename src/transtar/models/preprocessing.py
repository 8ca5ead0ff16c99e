"""Taking the preprocessing from a file of settings, a model or a prepared set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..datasets import describe_set
from ..datasets.defaults import default_settings
from ..encoders.encoder_storage import FORMAT as FORMAT_OF_ENCODERS
from ..encoders.encoder_storage import read_config_of_encoder
from ..errors import InputError, SettingsError, shown
from ..files import read_json
from ..plain_yaml import read_yaml
from ..preprocess import Preprocessing
from ..quality import Quality, take_thresholds
from ..surveys import Survey
from ..telling import tell
from .storage import read_config


def read_preprocessing(path: str | Path | None, survey: Survey | str) -> tuple[Preprocessing, dict[str, Any]]:
    """Settings from a YAML or JSON file, or the folder of a model, encoder or prepared set; the survey's own for all it lacks.

    Parameters
    ----------
    path : path or None
    survey : Survey or str

    Returns
    -------
    settings : Preprocessing
    thresholds : dict of str to float
        Those of `Quality` that a file of settings holds, as they once belonged there; that is told.

    Raises
    ------
    InputError
        If the file is missing or holds something else.
    SettingsError
        On an unknown key or an impossible value in it.
    """
    if path is None:
        return default_settings(survey), {}
    path = Path(path)
    for name in ("config.json", "set.json"):
        if (path / name).is_file():
            path = path / name
    if not path.is_file():
        raise InputError(f"{path}: no such file of settings, model, encoder or prepared set")
    content = read_json(path) if path.suffix == ".json" else read_yaml(path, not_yaml="neither YAML nor JSON")
    settings = content.get("preprocessing", content) if isinstance(content, dict) else content
    stored = settings is not content and path.name in ("config.json", "set.json")
    if stored and content.get("format") == FORMAT_OF_ENCODERS:
        settings = read_config_of_encoder(path.parent)["preprocessing"]
    elif stored and path.name == "config.json":
        settings = read_config(path.parent)["preprocessing"]
        if settings is None:
            raise InputError(f"{path.parent}: has no preprocessing: its inputs are no prepared spectra")
    elif stored:
        settings = describe_set(path.parent)["preprocessing"]
    if not isinstance(settings, dict):
        raise InputError(f"{path}: holds no settings (expected 'name: value' lines)")
    plain, thresholds = take_thresholds(settings)
    try:
        Quality.from_dict(thresholds)
        if stored:
            # Of an older transtar, with thresholds that nobody will use: told.
            Preprocessing.from_stored(settings, str(path.parent))
            thresholds = {}
        elif thresholds:
            given = " ".join(f"{name}={shown(value)}" for name, value in thresholds.items())
            tell(f"{path}: {' and '.join(thresholds)}: thresholds of a run, which belong to it now: --quality {given}")
        return default_settings(survey, plain), thresholds
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None

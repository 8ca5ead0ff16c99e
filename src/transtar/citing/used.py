"""What a result used, from what models, catalogs, sets and studies say of themselves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..catalog.readers import read_metadata
from ..datasets import describe_set, read_set
from ..errors import InputError, TranstarError, shown
from ..files import read_json
from ..models import find_model
from ..models.storage import read_config
from ..plain_yaml import read_yaml
from ..selections import load_selection
from ..shards import read_manifest
from ..tables import read_table

WORDS = {
    "survey": "spectra of survey {}", "catalog": "catalog {}", "labels": "labels of {}", "calibration": "calibration {}",
    "encoder": "encoder {}", "release": "spectra of release {}", "lines": "line correction {}, learnt from that survey's spectra",
    "gate": "the gate, which tells ordinary stars from others", "astropy": "files, tables and coordinates",
}  # fmt: skip


@dataclass(frozen=True)
class Use:
    """Something that a result used.

    Parameters
    ----------
    kind : str
        A key of `WORDS`, or 'method' or 'software'.
    name : str
        Which of that kind.
    """

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return WORDS.get(self.kind, self.kind).format(self.name)


def uses_of(result: str | os.PathLike) -> list[Use]:
    """What a model, catalog, prepared set, study or run in shards used.

    Parameters
    ----------
    result : str or path
        A folder, a file, or the name of a model.

    Returns
    -------
    list of Use
        Each once, in the order in which it was found.

    Raises
    ------
    InputError
        If it is none of these, or cannot be read.
    """
    path = Path(result)
    if path.is_file():
        uses = _of_catalog(path)
    elif (path / "set.json").is_file():
        uses = _of_set(path)
    elif (path / "settings" / "default.yaml").is_file():
        uses = _of_study(path)
    elif (path / "manifest.json").is_file():
        uses = _of_run(path)
    elif path.is_dir() and not (path / "config.json").is_file():
        raise InputError(f"{shown(path, 300)}: neither a model, a prepared set, a study nor a run in shards")
    else:
        uses = _of_model(path)
    return list(dict.fromkeys(uses))


def _of_model(path: Path) -> Iterator[Use]:
    config = read_config(find_model(path))
    yield from in_metadata({"provenance": config.get("provenance"), "surveys": config.get("surveys")})
    yield from _encoders(config.get("encoders"))
    surveys = {step.get("survey") for step in config.get("provenance") or () if isinstance(step, Mapping)} - {
        "mock",
        None,
    }
    if surveys:
        yield Use("labels", f"the stars of {', '.join(sorted(map(str, surveys)))} that {path.name} learnt from")


def _encoders(encoders: Any) -> Iterator[Use]:
    """Encoders by the kind of their network, which their folder tells; else by name."""
    for name, about in encoders.items() if isinstance(encoders, Mapping) else ():
        place = Path(str(about.get("place", ""))) / "config.json"
        kind = read_json(place).get("network", {}).get("kind", name) if place.is_file() else name
        yield Use("encoder", "aion" if name.startswith("aion-") else "mlp" if name == "through" else str(kind))


def _of_catalog(path: Path) -> Iterator[Use]:
    metadata = read_metadata(path)
    if not metadata:
        raise InputError(f"{path}: no catalog of transtar with its provenance (parquet, FITS, VOTable or ECSV)")
    if "selection" in metadata:
        yield from _of_labels(path)
        return
    yield from _in_rows(path, "survey", "survey")
    yield from in_metadata(metadata)
    yield from _encoders(metadata.get("encoders"))
    yield Use("gate", "shipped")


def _in_rows(path: Path, column: str, kind: str) -> list[Use]:
    """What a table names row by row in a column; nothing where it has none."""
    _, columns = read_table(path, wanted=lambda name: name == column, empty=True)
    values = {str(value) for value in columns[column].text()} if column in columns else set()
    return [Use(kind, value) for value in sorted(values - {""})]


def _of_set(path: Path) -> Iterator[Use]:
    description = describe_set(path)
    origin = description.get("provenance") or {}
    yield from in_metadata(origin)
    columns = read_set(path).columns
    if origin.get("survey") == "sparcl" and "release" in columns:
        yield from (Use("release", str(name)) for name in sorted(set(columns["release"].tolist()) - {""}))
    yield from _of_labels(origin.get("labels"))


def _of_labels(table: Any) -> Iterator[Use]:
    """Sources of a table of labels: of one that transtar selected, its catalogs; of any other, whatever its rows name."""
    if not table:
        return
    path = Path(str(table))
    try:
        metadata = read_metadata(path)
        named = _in_rows(path, "label_source", "labels")
    except (TranstarError, OSError):
        metadata, named = {}, []
    if "selection" in metadata:
        yield from _of_selection(metadata["selection"], metadata.get("settings"))
    yield from named
    if not named and "selection" not in metadata:
        yield Use("labels", f"{path.parent.name}/{path.name}" if path.parent.name else path.name)


def _of_selection(name: Any, settings: Any) -> Iterator[Use]:
    try:
        kinds = load_selection(str(name), settings or {}).kinds
    except TranstarError:
        yield Use("labels", f"selection {name}")
        return
    yield from (Use("catalog", kind) for kind in sorted(kinds - {"selection", "spectra", "compilation"}))


def _of_study(path: Path) -> Iterator[Use]:
    for file in sorted((path / "settings").glob("*.yaml")):
        content = read_yaml(file)
        if isinstance(content, Mapping):
            yield from in_metadata(content)
            for name, settings in (content.get("selections") or {}).items():
                yield from _of_selection(name, settings)
            yield from _models_of_study(content)
            for one in (content.get("encoders") or {}).values():
                kind = {"masked": "lrs-transformer", "autoencoder": "xp-autoencoder", "aligned": "aligned"}.get(
                    one.get("kind")
                )
                yield from ([Use("encoder", kind)] if kind else [])
    for file in sorted((path / "sets").glob("*/set.json")):
        yield from _of_set(file.parent)


def _models_of_study(content: Mapping) -> Iterator[Use]:
    named = [*(content.get("prior") or {}).values(), *(content.get("shipped") or {}).values()]
    named += [content["element"]["model"]] if content.get("element") else []
    for name in dict.fromkeys(named):
        yield from _of_model(Path(str(name)))


def _of_run(path: Path) -> Iterator[Use]:
    yield from in_metadata(read_manifest(path).get("what") or {})
    shards = sorted((path / "shards").glob("*.parquet"))
    if not shards:
        raise InputError(f"{path}: a run in shards of which none is done yet")
    # Shards of one run have the same models; their stars may be of several surveys.
    yield from _of_catalog(shards[0])
    for shard in shards[1:]:
        yield from _in_rows(shard, "survey", "survey")


def in_metadata(content: Any) -> Iterator[Use]:
    """Surveys, line corrections and calibrations that plain data name anywhere.

    Parameters
    ----------
    content : object
        Nested mappings and lists, as in provenance and settings.

    Yields
    ------
    Use
    """
    if isinstance(content, list | tuple):
        for each in content:
            yield from in_metadata(each)
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if key in ("survey", "surveys"):
            yield from (Use("survey", name) for name in _names(value))
        elif key == "lines" and isinstance(value, str):
            yield Use("lines", value)
        elif key == "calibration" and isinstance(value, Mapping) and "name" in value:
            yield Use("calibration", Path(str(value["name"])).stem)
        else:
            yield from in_metadata(value)


def _names(value: Any) -> Iterable[str]:
    given = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []
    return [name for each in given for name in str(each).split("+") if name]

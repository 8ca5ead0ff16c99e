"""Alignments on disk: a folder with the two encoders in `lrs` and `xp`, and what belongs to both beside them.

`alignment.json` says which variant it is, and vouches for both encoders and for `crossing.safetensors`, the decoders.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ..checks import check_mapping
from ..errors import InputError, MismatchError, SettingsError, shown
from ..files import Marker, atomic_folder, check_replaceable, discard_temporaries, write_json
from ..networks.alignment_settings import AlignmentSettings
from ..networks.crossing import SIDES, Crossings
from ..networks.weights import (
    check_numbers,
    check_shapes,
    fill_network,
    network_tensors,
    read_header,
    read_weights,
)
from ..preprocess import Preprocessing
from ..regular import check_regular
from ..seal import SEAL, check_file, file_hash, is_as_noted, sealed
from .alignment import Alignment
from .encoder import Encoder
from .encoder_storage import ALIGNMENT, ENCODER, read_config_of_encoder, read_described, read_encoder, save_encoder

FORMAT, FORMAT_VERSION = "transtar-alignment", 1
REMEDY = "align the encoders again, or fetch the alignment again"
CROSSING = "crossing.safetensors"

_KEYS = ("format", "format_version", "transtar_version", "settings", "encoders", "files", SEAL)


def _vouched(folder: Path, description: dict) -> Iterator[str]:
    yield from (name for name, noted in description["files"].items() if is_as_noted(folder / name, noted))


MARKER = Marker(
    ALIGNMENT, "an alignment", files=(ALIGNMENT, CROSSING), says={"format": FORMAT}, vouched=_vouched,
    folders=dict.fromkeys(SIDES, ENCODER),
)  # fmt: skip
"""How such a folder is known."""


def is_alignment(folder: str | os.PathLike) -> bool:
    """Whether a folder looks like an alignment; a place that no folder can have is none."""
    try:
        return (Path(folder) / ALIGNMENT).is_file()
    except (OSError, ValueError):
        return False


def check_alignment_out(folder: str | os.PathLike, inputs: Iterable[str | os.PathLike] = ()) -> None:
    """Refuse a place where no alignment can be written.

    Raises
    ------
    InputError
        As `transtar.files.check_replaceable`.
    """
    check_replaceable(folder, MARKER, inputs)


def check_encoder_out(folder: str | os.PathLike, inputs: Iterable[str | os.PathLike] = ()) -> None:
    """Refuse a place where no encoder can be written, or where it would be put into an alignment that it is not of.

    Raises
    ------
    InputError
        As `transtar.files.check_replaceable`.
    """
    check_replaceable(folder, ENCODER, inputs)
    parent = Path(folder).resolve().parent
    if is_alignment(parent):
        raise InputError(
            f"{folder}: is within the alignment {parent}, whose encoders belong together; choose another name for --out"
        )


def save_alignment(alignment: Alignment, folder: str | os.PathLike, dtype: str = "float16") -> Alignment:
    """Write an alignment to a folder, atomically; one that stood there is replaced as a whole.

    Parameters
    ----------
    alignment : Alignment
    folder : str or path
    dtype : {'float16', 'float32'}
        How the weights of the encoders are stored; decoders are stored in single precision.

    Returns
    -------
    Alignment
        As it is stored, with hashes and places.

    Raises
    ------
    InputError
        If something else than an alignment stands there, or a weight is not finite.
    SettingsError
        If the dtype is none of these.
    TranstarError
        If the disk is full.
    """
    folder = Path(folder)
    check_alignment_out(folder)
    _check_decoders(alignment)
    with atomic_folder(folder, marker=MARKER) as temporary:
        stored = {name: save_encoder(alignment.side(name), temporary / name, dtype) for name in SIDES}
        _write(alignment, stored, temporary)
    place = folder.resolve()
    lrs, xp = (replace(stored[name], place=str(place / name)) for name in SIDES)
    return replace(alignment, lrs=lrs, xp=xp)


def _check_decoders(alignment: Alignment) -> None:
    if alignment.crossings is None:
        return
    for name, tensor in alignment.crossings.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"alignment: {name} of its decoders has values that are not finite; train it again")


def _write(alignment: Alignment, stored: dict[str, Encoder], folder: Path) -> None:
    from safetensors.torch import save

    files = {}
    if alignment.crossings is not None:
        (folder / CROSSING).write_bytes(save(network_tensors("crossing", alignment.crossings, torch.float32)))
        files[CROSSING] = file_hash(folder / CROSSING)
    description: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "transtar_version": metadata.version("transtar"),
        "settings": alignment.settings.to_dict(),
        "encoders": {name: encoder.sha256 for name, encoder in stored.items()},
        "files": files,
    }
    write_json(folder / ALIGNMENT, sealed(description), ours=True)


def load_alignment(folder: str | os.PathLike) -> Alignment:
    """Read an alignment from a folder, onto the CPU.

    Parameters
    ----------
    folder : str or path

    Returns
    -------
    Alignment

    Raises
    ------
    InputError
        If the folder is no alignment, was written by a newer transtar, lacks a file, or holds one that is damaged.
    MismatchError
        If one of its encoders is another than that which was aligned.
    """
    folder = Path(folder)
    discard_temporaries(folder.parent, folder.name)
    description = _read_description(folder)
    sides = {}
    for name in SIDES:
        if not (folder / name).is_dir():
            raise InputError(f"{folder}: not a complete alignment, {name} is missing; {REMEDY}")
        sides[name] = read_encoder(folder / name)
        _check_side(folder / name, sides[name].sha256, description["encoders"].get(name))
    try:
        settings = AlignmentSettings(**check_mapping(description["settings"], "settings"))
        crossings = _read_crossings(folder, description, settings, sides)
    except SettingsError as error:
        raise InputError(f"{folder / ALIGNMENT}: not the description of an alignment ({error})") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
        raise InputError(
            f"{folder / ALIGNMENT}: not the description of an alignment ({shown(repr(error), 200)})"
        ) from error
    return Alignment(sides["lrs"], sides["xp"], settings, crossings)


def _check_side(folder: Path, sha256: str, noted: Any) -> None:
    if sha256 != noted:
        raise MismatchError(
            f"{folder}: is another encoder (sha256 {sha256[:16]}) than the one that was aligned ({shown(noted, 16)}); {REMEDY}"
        )


def _read_description(folder: Path) -> dict:
    path = folder / ALIGNMENT
    if not is_alignment(folder):
        raise InputError(f"{folder}: is no alignment (no {ALIGNMENT}); make one with 'transtar align'")
    description = read_described(path, "alignment", FORMAT_VERSION, _KEYS, REMEDY)
    if not isinstance(description["encoders"], dict):
        raise InputError(f"{path}: encoders must be names and hashes; {REMEDY}")
    return description


def _read_crossings(
    folder: Path, description: dict, settings: AlignmentSettings, sides: dict[str, Encoder]
) -> Crossings | None:
    if not settings.has_decoders:
        return None
    path = folder / CROSSING
    if not path.exists():
        raise InputError(f"{folder}: not a complete alignment, {CROSSING} is missing; {REMEDY}")
    check_regular(path)
    check_file(path, description["files"].get(CROSSING), REMEDY)
    n_lrs, n_xp = (len(sides[name].flux_mean) for name in SIDES)
    # Without memory at first, as encoders are read.
    network = Crossings(settings, n_lrs, n_xp, device="meta")
    tensors = read_header(path)
    check_shapes(path, tensors, network_tensors("crossing", network))
    weights = read_weights(path, tensors)
    check_numbers(path, weights, {})
    fill_network("crossing", network, weights)
    return network


def side_folder(folder: str | os.PathLike, preprocessing: Preprocessing, where: str) -> Path:
    """The folder of that encoder of an alignment which takes spectra prepared in a certain way; no weights are read.

    Parameters
    ----------
    folder : str or path
        Of the alignment.
    preprocessing : Preprocessing
    where : str
        What is prepared so, for the message.

    Raises
    ------
    InputError
        If it cannot be read.
    MismatchError
        If neither takes them, or it has another encoder than the one that was aligned.
    """
    folder = Path(folder)
    description = _read_description(folder)
    grids = {}
    for name in SIDES:
        config = read_config_of_encoder(folder / name)
        _check_side(folder / name, str(config["content_sha256"]), description["encoders"].get(name))
        try:
            grids[name] = Preprocessing.from_stored(config["preprocessing"], str(folder / name)).grid
        except SettingsError as error:
            raise InputError(f"{folder / name}: {error}") from error
        if grids[name] == preprocessing.grid:
            return folder / name
    check = " and ".join(f"{name} spectra on the grid '{grid}'" for name, grid in grids.items())
    raise MismatchError(f"{where}: on the grid '{preprocessing.grid}'; the alignment {folder} takes {check}")

"""Checkpoints of a training: tensors as safetensors, numbers as JSON beside them. Nothing is unpickled.

`checkpoint.json` names the file of the tensors, and has its hash; it is replaced in one step when that file is on the disk. So a
kill at any moment leaves a checkpoint that is whole, the last or the one before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from ...errors import InputError, TranstarError, said
from ...files import atomic_path, read_json, write_json
from ...networks.weights import check_shapes, read_header, read_weights
from ...seal import check_file, check_seal, file_hash, sealed

STATE = "checkpoint.json"

TENSORS = "checkpoint-*.safetensors"

REMEDY = "delete the folder, and the training starts again"

_NAME = re.compile(r"checkpoint-[0-9]{1,12}\.safetensors")

_KEYS = {"step", "file", "sha256_of_file", "state", "sha256"}


def save_checkpoint(folder: Path, step: int, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint, and delete the one before.

    Parameters
    ----------
    folder : Path
    step : int
        Steps that are done.
    state : mapping
        Plain data, fit for JSON.
    tensors : mapping of str to Tensor

    Raises
    ------
    TranstarError
        If the disk is full; the checkpoint before stays, if there is one.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    name = TENSORS.replace("*", str(step))
    with atomic_path(folder / name, ours=True) as temporary:
        try:
            save_file({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}, temporary)
        except SafetensorError as error:
            before = "the checkpoint before stays" if (folder / STATE).is_file() else "there is no checkpoint before it"
            raise TranstarError(f"{folder / name}: not written ({said(error)}); {before}") from error
    content = {"step": step, "file": name, "sha256_of_file": file_hash(folder / name), "state": dict(state)}
    write_json(folder / STATE, sealed(content), ours=True)
    for path in folder.glob(TENSORS):
        if path.name != name:
            with suppress(OSError):
                path.unlink()


def load_checkpoint(
    folder: Path, expected: Callable[[dict[str, Any]], Mapping[str, Tensor]]
) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Read the checkpoint of a folder; None if there is none.

    Parameters
    ----------
    folder : Path
    expected : callable
        Takes the state; returns tensors of the names, shapes and types that it must come with.

    Returns
    -------
    state : dict
    tensors : dict of str to Tensor
        On the CPU.

    Raises
    ------
    InputError
        If it is damaged, or of another network.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    content = read_noted(path)
    # Nothing outside the folder is ever opened.
    if not isinstance(content, dict) or set(content) != _KEYS or not _NAME.fullmatch(str(content["file"])):
        raise InputError(f"{path}: not a checkpoint of this transtar; {REMEDY}")
    check_seal(content, path, REMEDY)
    file = folder / content["file"]
    if not file.is_file():
        raise InputError(f"{file}: is missing, but {STATE} names it; {REMEDY}")
    check_file(file, content["sha256_of_file"], REMEDY)
    header = read_header(file)
    check_shapes(file, header, dict(expected(content["state"])))
    return content["state"], read_weights(file, header, dtype=None)


def read_noted(path: Path) -> Any:
    """Read a JSON file of the folder of a training.

    Raises
    ------
    InputError
        If it is none, saying how to get on.
    """
    try:
        return read_json(path)
    except InputError as error:
        raise InputError(f"{error}; {REMEDY}") from error


def delete_checkpoints(folder: Path) -> None:
    """Delete whatever checkpoint there is."""
    for path in (folder / STATE, *folder.glob(TENSORS)):
        with suppress(OSError):
            path.unlink()

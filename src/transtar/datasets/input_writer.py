"""Adding an input to a prepared set."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..arrays import real_array
from ..errors import InputError, SettingsError, said
from ..files import atomic_folder, check_replaceable, write_json
from ..seal import file_hash, sealed
from .input_files import file_name
from .inputs import FLUX, check_input_name
from .set_files import DESCRIPTION, FORMAT_OF_INPUTS, REMEDY, SET, SPECTRA, STARS, describe_set


def add_input(folder, name: str, array: np.ndarray, provenance: Mapping | None = None) -> None:
    """Write an input into a prepared set, beside its spectra; one of that name that the set has is replaced.

    The set is replaced by one that has the input, in one step: a kill at any moment leaves the one or the other.

    Parameters
    ----------
    folder : path
        Of the prepared set.
    name : str
        Such as 'embedding'.
    array : array-like, shape (n_spectra, n)
        A row per spectrum in the order of the set, NaN or masked where a spectrum has none; stored as float32.
    provenance : mapping, optional
        How it was made: plain data, fit for JSON.

    Raises
    ------
    InputError
        If there is no set, it was changed since transtar wrote it, or the array does not fit.
    SettingsError
        If the name cannot be one of an input.
    TranstarError
        If the disk is full.
    """
    if check_input_name(name) in (FLUX.name, "ivar"):
        raise SettingsError(f"input: '{name}' is what every prepared set has; choose another name")
    folder = Path(folder)
    description = describe_set(folder)
    values = real_array(array, f"{folder}: input '{name}'", np.float32)
    n = description["n_spectra"]
    if values.ndim != 2 or len(values) != n or not values.shape[1]:
        raise InputError(
            f"{folder}: input '{name}' has shape {values.shape}, expected ({n}, n): a row for each spectrum of the set"
        )
    if "stars_sha256" not in description:
        raise InputError(f"{folder}: a set of an older transtar cannot take further inputs; {REMEDY}")
    how = _plain(provenance or {}, f"{folder}: input '{name}'")
    check_replaceable(folder, SET)
    file = file_name(name)
    others = {other: noted for other, noted in description.get("inputs", {}).items() if other != name}
    for other, noted in others.items():
        if not (folder / noted["file"]).is_file():
            raise InputError(f"{folder / noted['file']}: is missing; add the input '{other}' again first")
    with atomic_folder(folder, marker=SET) as new:
        for kept in (SPECTRA, STARS, *(noted["file"] for noted in others.values())):
            _same_file(folder / kept, new / kept)
        np.save(new / file, np.ascontiguousarray(values), allow_pickle=False)
        noted = {
            "file": file,
            "sha256": file_hash(new / file),
            "n_inputs": values.shape[1],
            "provenance": how,
        }
        more = {"format": FORMAT_OF_INPUTS, "inputs": {**others, name: noted}}
        write_json(new / DESCRIPTION, sealed(description | more), ours=True)


def _plain(provenance: Mapping, where: str) -> dict:
    """A provenance as JSON gives it back."""
    try:
        return json.loads(json.dumps(dict(provenance), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{where}: its provenance must be a mapping of plain data, fit for JSON ({said(error, 100)})"
        ) from None


def _same_file(source: Path, target: Path) -> None:
    """Another name of a file, or a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)

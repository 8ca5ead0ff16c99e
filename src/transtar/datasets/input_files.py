"""Further inputs of a prepared set on disk: a file ``input-NAME.npy`` each, which `set.json` names and vouches for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import InputError, SettingsError, shown
from ..files import atomic_folder, check_replaceable, write_json
from ..regular import check_regular
from ..seal import check_file, file_hash, sealed
from .inputs import FLUX, check_input_name

OWN = "input-*.npy"
"""Names of such files."""

_NOTED = {"file": str, "sha256": str, "n_inputs": int, "provenance": dict}
"""What set.json notes of each, and of which kind it is."""


class InputFile:
    """One input on disk: checked when it is first asked for, and read as far as its rows are used.

    Parameters
    ----------
    path : Path
    sha256 : str
        Its hash, as noted.
    shape : (int, int)
        Spectra and inputs of each.
    """

    def __init__(self, path: Path, sha256: str, shape: tuple[int, int]):
        self.path, self.sha256, self.shape = path, sha256, shape

    def __call__(self) -> np.ndarray:
        """The array, mapped from the file.

        Raises
        ------
        InputError
            If the file is missing, damaged, or of another set.
        """
        return self._array

    @cached_property
    def _array(self) -> np.ndarray:
        remedy = "add the input again"
        if not self.path.exists():
            raise InputError(f"{self.path}: is missing; {remedy}")
        check_regular(self.path)
        check_file(self.path, self.sha256, remedy)
        try:
            array = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path}: cannot be read ({shown(error, 200)}); {remedy}") from None
        if array.dtype != np.float32 or array.shape != self.shape:
            raise InputError(
                f"{self.path}: is {array.dtype} of shape {array.shape}, expected float32 of {self.shape}; {remedy}"
            )
        return array


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
        A row per spectrum in the order of the set, NaN where a spectrum has none; stored as float32.
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
    from .set_files import DESCRIPTION, FORMAT_OF_INPUTS, REMEDY, SET, SPECTRA, STARS, describe_set

    if check_input_name(name) in (FLUX.name, "ivar"):
        raise SettingsError(f"input: '{name}' is what every prepared set has; choose another name")
    folder = Path(folder)
    description = describe_set(folder)
    values = np.asarray(array, dtype=np.float32)
    n = description["n_spectra"]
    if values.ndim != 2 or len(values) != n or not values.shape[1]:
        raise InputError(
            f"{folder}: input '{name}' has shape {values.shape}, expected ({n}, n): a row for each spectrum of the set"
        )
    if "stars_sha256" not in description:
        raise InputError(f"{folder}: a set of an older transtar cannot take further inputs; {REMEDY}")
    check_replaceable(folder, SET)
    file = f"input-{name}.npy"
    others = {other: noted for other, noted in description.get("inputs", {}).items() if other != name}
    with atomic_folder(folder, marker=SET) as new:
        for kept in (SPECTRA, STARS, *(noted["file"] for noted in others.values())):
            _same_file(folder / kept, new / kept)
        np.save(new / file, np.ascontiguousarray(values), allow_pickle=False)
        noted = {
            "file": file,
            "sha256": file_hash(new / file),
            "n_inputs": values.shape[1],
            "provenance": dict(provenance or {}),
        }
        more = {"format": FORMAT_OF_INPUTS, "inputs": {**others, name: noted}}
        write_json(new / DESCRIPTION, sealed(description | more), ours=True)


def check_described(inputs, folder: Path, remedy: str) -> None:
    """Refuse a description of inputs that would lead out of the set or is of other kinds.

    Raises
    ------
    InputError
    """
    try:
        for name, noted in inputs.items():
            wrong = [key for key, kind in _NOTED.items() if type(noted[key]) is not kind]
            if wrong or set(noted) != set(_NOTED) or noted["file"] != f"input-{check_input_name(name)}.npy":
                raise InputError(f"{folder}: the input '{shown(name)}' is described wrongly; {remedy}")
    except (AttributeError, KeyError, TypeError, SettingsError) as error:
        raise InputError(f"{folder}: its inputs are described wrongly ({shown(error, 100)}); {remedy}") from None


def _same_file(source: Path, target: Path) -> None:
    """Another name of a file, or a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)

"""Adding an input to a prepared set."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..arrays import real_array
from ..errors import InputError, SettingsError, said
from ..files import atomic_folder, check_replaceable, locked, make_parent, write_json
from ..seal import SEAL, file_hash, sealed
from .input_files import file_name
from .inputs import FLUX, check_input_name
from .set_files import DESCRIPTION, FORMAT_OF_INPUTS, REMEDY, SET, SPECTRA, STARS, describe_set


def add_input(folder, name: str, array: np.ndarray, provenance: Mapping | None = None) -> None:
    """Write an input into a prepared set, beside its spectra; an existing input of that name is replaced.

    The set is replaced by one with the input in a single step: if the process is killed, either the old or the new set
    remains.

    Parameters
    ----------
    folder : path
        Of the prepared set.
    name : str
        Such as 'embedding'.
    array : array-like, shape (n_spectra, n)
        One row per spectrum in the order of the set, NaN or masked where a spectrum has none; stored as float32.
    provenance : mapping, optional
        How it was made: plain data that JSON can hold.

    Raises
    ------
    InputError
        If there is no set, the set was changed since transtar wrote it, or the array does not fit.
    SettingsError
        If the name is not allowed for an input.
    TranstarError
        If the disk is full.

    Examples
    --------
    >>> import transtar as ts
    >>> prepared = ts.read_set("sets/miles")
    >>> ts.add_input("sets/miles", "blue-half", prepared.flux[:, :731])
    >>> ts.read_set("sets/miles").stars("feh", input="blue-half").inputs.shape
    (30, 731)
    """
    folder = Path(folder)
    check_new_input(name)
    description = describe_set(folder)
    values = real_array(array, f"{folder}: input '{name}'", np.float32)
    n = description["n_spectra"]
    if values.ndim != 2 or len(values) != n or not values.shape[1]:
        raise InputError(
            f"{folder}: input '{name}' has shape {values.shape}, expected ({n}, n): a row for each spectrum of the set"
        )
    noted = {"n_inputs": values.shape[1], "provenance": _plain(provenance or {}, f"{folder}: input '{name}'")}
    put_input(
        folder, folder, description, name, noted,
        lambda path: np.save(path, np.ascontiguousarray(values), allow_pickle=False),
    )  # fmt: skip


def put_input(
    source: Path, target: Path, description: dict, name: str, noted: Mapping, write: Callable[[Path], None]
) -> None:
    """Write a set that has an input more, in one step.

    Parameters
    ----------
    source : Path
        The set whose spectra, stars and other inputs it has, shared by hard links where the file system has them.
    target : Path
        `source` itself, or where there is no other set.
    description : dict
        Of the source, as it was when the input was made.
    name : str
    noted : mapping
        ``n_inputs`` and ``provenance``.
    write : callable
        Given the path of the file of the input, writes it.

    Raises
    ------
    InputError
        If the source has other spectra by now, lacks a file, is of an older transtar, or the target cannot be replaced.
    TranstarError
        If the disk is full.
    """
    check_takes_inputs(source, description)
    check_replaceable(target, SET)
    make_parent(target)
    # Two that are added at once would else replace each other's set.
    with locked(target.parent):
        now = describe_set(source)
        if not same_spectra(description, now):
            raise InputError(f"{source}: was changed while the input '{name}' was made; give the command again")
        others = {other: of_it for other, of_it in now.get("inputs", {}).items() if other != name}
        for other, of_it in others.items():
            if not (source / of_it["file"]).is_file():
                raise InputError(f"{source / of_it['file']}: is missing; add the input '{other}' again first")
        with atomic_folder(target, marker=SET) as new:
            for kept in (SPECTRA, STARS, *(of_it["file"] for of_it in others.values())):
                same_file(source / kept, new / kept)
            file = file_name(name)
            write(new / file)
            inputs = {**others, name: {"file": file, "sha256": file_hash(new / file), **noted}}
            more = {"format": FORMAT_OF_INPUTS, "inputs": inputs}
            write_json(new / DESCRIPTION, sealed(now | more), ours=True)


def check_new_input(name: str) -> str:
    """Refuse the name of an input that cannot be added.

    Raises
    ------
    SettingsError
        If it can be none of an input, or is one that every set has.
    """
    if check_input_name(name) in (FLUX.name, "ivar"):
        raise SettingsError(f"input: '{name}' is what every prepared set has; choose another name")
    return name


def check_takes_inputs(folder: Path, description: Mapping) -> None:
    """Refuse a set of the first layout, which has no hash of its stars.

    Raises
    ------
    InputError
    """
    if "stars_sha256" not in description:
        raise InputError(f"{folder}: a set of an older transtar cannot take further inputs; {REMEDY}")


def same_spectra(one: Mapping, other: Mapping) -> bool:
    """Whether two descriptions are of sets that differ in nothing but their further inputs."""
    return all(one.get(key) == other.get(key) for key in {*one, *other} - {"format", "inputs", SEAL})


def same_file(source: Path, target: Path) -> None:
    """Another name of a file, or a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _plain(provenance: Mapping, where: str) -> dict:
    """A provenance as JSON gives it back."""
    try:
        return json.loads(json.dumps(dict(provenance), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{where}: its provenance must be a mapping of plain data, fit for JSON ({said(error, 100)})"
        ) from None

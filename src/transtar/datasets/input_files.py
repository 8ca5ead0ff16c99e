"""Further inputs of a prepared set on disk: a file ``input-NAME.npy`` each, which `set.json` names and vouches for."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from ..encoder_notes import Note, check_note
from ..errors import InputError, SettingsError, shown
from ..regular import check_regular
from ..seal import check_file
from .inputs import check_input_name

OWN = "input-*.npy"
"""Names of such files."""

_NOTED = {"file": str, "sha256": str, "n_inputs": int, "provenance": dict}
"""What set.json notes of each, and of which kind it is."""


def file_name(name: str) -> str:
    """Name of the file of an input."""
    return OWN.replace("*", check_input_name(name))


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


def check_described(inputs, folder: Path, remedy: str) -> None:
    """Refuse a description of inputs that would lead out of the set or is of other kinds.

    Raises
    ------
    InputError
    """
    try:
        for name, noted in inputs.items():
            wrong = [key for key, kind in _NOTED.items() if type(noted[key]) is not kind]
            if wrong or set(noted) != set(_NOTED) or noted["file"] != file_name(name):
                raise InputError(f"{folder}: the input '{shown(name)}' is described wrongly; {remedy}")
    except (AttributeError, KeyError, TypeError, SettingsError) as error:
        raise InputError(f"{folder}: its inputs are described wrongly ({shown(error, 100)}); {remedy}") from None


def noted_encoders(inputs, folder: Path, remedy: str) -> dict[str, Note]:
    """Which encoders made the inputs of a set, as far as their provenance has a note of one under ``encoder``.

    Parameters
    ----------
    inputs : mapping
        What set.json notes of each input.
    folder : path
        Of the set, for the message.
    remedy : str

    Returns
    -------
    dict of str to dict

    Raises
    ------
    InputError
        If a note with a ``sha256`` is none.
    """
    notes = {}
    for name, noted in inputs.items():
        note = noted["provenance"].get("encoder")
        # A provenance is anybody's: an encoder that is a text, say, is no note.
        if isinstance(note, dict) and "sha256" in note:
            try:
                notes[name] = check_note(note, "its encoder")
            except SettingsError as error:
                raise InputError(
                    f"{folder}: the input '{shown(name)}' is described wrongly ({error}); {remedy}"
                ) from None
    return notes

"""Files of inputs written rows by rows, byte for byte as numpy writes the whole array."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputError


def npy_header(n: int, width: int) -> bytes:
    """What stands before the values of a float32 array of shape (n, width) in a file; of the same length for every n."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (n, width)})
    return header.getvalue()


class InputRows:
    """A file of an input whose rows come one batch after the other, until there are no more.

    Parameters
    ----------
    path : Path
        Is written.
    name : str
        Of the input, for messages.

    Attributes
    ----------
    n, n_without, width : int
        Rows so far, those without the input, and values of each.
    """

    def __init__(self, path: Path, name: str):
        self.path, self.name = path, name
        self.n = self.n_without = self.width = 0
        self._file: BinaryIO | None = None

    def append(self, values: np.ndarray) -> None:
        """Add rows.

        Parameters
        ----------
        values : ndarray, shape (n, width), float32
            NaN where a spectrum has none; of width 0 if none of them has any.

        Raises
        ------
        InputError
            If there are other numbers of values per star than before.
        """
        if not values.shape[1]:
            values = _missing(len(values), self.width)
        elif not self.width:
            self._begin(values.shape[1])
        elif values.shape[1] != self.width:
            raise InputError(
                f"input '{self.name}' has {self.width} values per star for some spectra, {values.shape[1]} for others"
            )
        if self._file is not None:
            self._file.write(np.ascontiguousarray(values, dtype="<f4").data)
        known = np.isfinite(values).all(axis=1) & (values.shape[1] > 0)
        self.n, self.n_without = self.n + len(values), self.n_without + int((~known).sum())

    def finish(self) -> None:
        """Complete the file. An input that no spectrum has is one NaN for each."""
        if self._file is None:
            self._begin(1)
        assert self._file is not None
        self._file.seek(0)
        self._file.write(npy_header(self.n, self.width))
        self.close()

    def close(self) -> None:
        """Leave the file as it is."""
        if self._file is not None:
            self._file.close()

    def _begin(self, width: int) -> None:
        self.width = width
        self._file = self.path.open("wb")
        self._file.write(npy_header(self.n, width))
        self._file.write(_missing(self.n, width).data)


def _missing(n: int, width: int) -> np.ndarray:
    return np.full((n, width), np.nan, "<f4")

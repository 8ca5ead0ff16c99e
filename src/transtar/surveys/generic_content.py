"""What a file of spectra holds, before anybody asks what it means: columns, and what the file says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError, shown
from ..tables import Column


@dataclass
class Content:
    """Columns of one file, or of those of its spectra that have equally many pixels.

    Parameters
    ----------
    where : str
        File, and HDU, for messages.
    columns : dict of str to Column
        One row per pixel; or, with `vectors`, one row per spectrum: pixels have shape (n_spectra, n_pixels), wavelengths that
        all spectra share (1, n_pixels).
    says : dict of str to list of (str, str)
        What the file states of its spectra in comments, metadata or headers (medium, frame, unit, id, velocity, star, class, ra
        and so on), each value with the place where it stands.
    how : str
        How such a file states its medium, for messages.
    vectors : bool
    stars : dict of str to ndarray
        Further columns of the stars, that mean nothing here.
    utypes : dict of str to str
        Of the columns that have one.
    media : dict of str to str
        What the UCDs of columns say of their medium.
    roles : dict of str to str, optional
        Name of a column by what it is, where the format, not the names, has settled it.
    keys : tuple of str
        As in `SpectrumBatch`.
    left_out : str
        Why its spectra are none of targets, if they are not.
    empty : int
        Rows without values, that are none of its columns any more.
    """

    where: str
    columns: dict[str, Column]
    says: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    how: str = ""
    vectors: bool = False
    stars: dict[str, np.ndarray] = field(default_factory=dict)
    utypes: dict[str, str] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] | None = None
    keys: tuple[str, ...] = ()
    left_out: str = ""
    empty: int = 0

    def say(self, what: str, value: object, place: str) -> None:
        """Note what the file says; blank is nothing."""
        text = "" if value is None else str(value).strip()
        if text:
            self.says.setdefault(what, []).append((text, place))

    def said(self, what: str) -> str:
        """What the file says, '' if nothing.

        Raises
        ------
        InputError
            If it says two things.
        """
        values = self.says.get(what, [])
        for value, place in values[1:]:
            if value != values[0][0]:
                raise InputError(
                    f"{self.where}: says two things of {what}: '{shown(values[0][0])}' ({values[0][1]}) and "
                    f"'{shown(value)}' ({place})"
                )
        return values[0][0] if values else ""


def pixels(column: Column, vectors: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Numbers of a column, of shape (n_spectra, n_pixels), and where there are none (None: everywhere is one).

    Raises
    ------
    InputError
        If a value is no number.
    """
    if column.is_text:
        values = column.numbers("")
        return values[None, :], np.isnan(values)[None, :]
    values = column.values
    if values.dtype.kind not in "fiub":
        raise InputError(f"{column.where}: holds no numbers ({values.dtype})")
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    gone = column.gone
    if not vectors:
        values, gone = values.reshape(1, -1), None if gone is None else np.asarray(gone).reshape(1, -1)
    return values, None if gone is None or not np.any(gone) else np.broadcast_to(gone, values.shape)


SDSS_BAD = sum(1 << bit for bit in (0, 1, 2, 3, 18, 22, 23, 24, 26))
"""Of SDSS's SPPIXMASK (https://www.sdss4.org/dr17/algorithms/bitmasks/): NOPLUG, BADTRACE, BADFLAT, BADARC, FULLREJECT,
NOSKY, BRIGHTSKY, NODATA, BADFLUXFACTOR. The others tell of a neighbour, or of a fibre whose pixels are
good, such as WHOPPER, a bright star."""


def bad_pixels(column: Column, vectors: bool) -> np.ndarray:
    """Where a mask marks pixels as bad: true or not zero, or missing. Of SDSS's and_mask some bits are harmless (`SDSS_BAD`)."""
    if column.is_text:
        text = np.char.lower(column.text())
        words = np.isin(text, ("true", "false", "t", "f", "yes", "no"))
        if words.any():
            if not (words | (text == "")).all():
                raise InputError(f"{column.where}: neither words such as true and false, nor numbers")
            return ~np.isin(text, ("false", "f", "no"))[None, :]
    values, gone = pixels(column, vectors)
    number = np.nan_to_num(values.astype(np.float64), nan=1.0)
    if column.name.lower().replace("_", "") == "andmask" and (number == np.rint(number)).all():
        number = (number.astype(np.int64) & SDSS_BAD).astype(np.float64)
    return (number != 0) if gone is None else (number != 0) | gone

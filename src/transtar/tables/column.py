"""One column of a table: its values exactly as the file has them, and what they are by the rules that hold for all tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError
from .angles import to_degrees
from .ids import MISSING_TEXT, UNSIGNED, to_int64
from .names import meaning
from .quantities import clean, conversion, quantity


@dataclass(frozen=True)
class Column:
    """Values of one dtype, and where there are none.

    Parameters
    ----------
    data : ndarray, shape (n,) or (n, ...), or pyarrow.ChunkedArray of strings
        Text of large files stays with Arrow, which needs a fraction of the memory.
    gone : ndarray of bool, shape (n,), optional
        Where the file itself says that there is no value.
    unit : str
        As the file states it.
    name : str
        In the file.
    where : str
        File and column, for messages.
    chosen : str
        What the user said that the column is; else its name tells.
    """

    data: Any
    gone: np.ndarray | None = None
    unit: str = ""
    name: str = ""
    where: str = "the table"
    chosen: str = ""

    def __len__(self) -> int:
        return len(self.data)

    @property
    def is_text(self) -> bool:
        """Whether the values are strings, numbers among them perhaps."""
        return not isinstance(self.data, np.ndarray) or self.data.dtype.kind in "OSU"

    @property
    def is_vector(self) -> bool:
        """Whether each row has several values."""
        return isinstance(self.data, np.ndarray) and self.data.ndim > 1

    @cached_property
    def values(self) -> np.ndarray:
        """Values as numpy has them; strings as str, not stripped."""
        if not isinstance(self.data, np.ndarray):
            return np.array(self.data.fill_null("").to_pylist(), dtype=str)
        if self.data.dtype.kind == "S":
            return _decode(self.data)
        return self.data

    @cached_property
    def missing(self) -> np.ndarray:
        """Where there is no value: bool, shape (n,). Blank text and NaN count, and so does what reads null, nan, none or --."""
        gone = np.zeros(len(self), bool) if self.gone is None else np.asarray(self.gone, bool)
        if not isinstance(self.data, np.ndarray):
            import pyarrow as pa
            import pyarrow.compute as pc

            text = pc.utf8_lower(pc.utf8_trim_whitespace(self.data))
            blank = pc.fill_null(pc.is_in(text, pa.array(sorted(MISSING_TEXT))), True)
            return gone | np.asarray(blank.to_numpy(zero_copy_only=False) if hasattr(blank, "chunks") else blank)
        if self.data.dtype.kind in "SUO":
            return gone | np.isin(np.char.lower(np.char.strip(self.values.astype(str))), list(MISSING_TEXT))
        if self.data.dtype.kind == "f" and self.data.ndim == 1:
            return gone | np.isnan(self.data)
        return gone

    def take(self, rows: np.ndarray) -> Column:
        """The column of some rows."""
        data = self.values[rows]
        return Column(data, self.missing[rows], self.unit, self.name, self.where, self.chosen)

    def text(self) -> np.ndarray:
        """As stripped strings, empty where missing; leading zeros stay."""
        values = self.values
        if not self.is_text:
            values = values.astype(str)
        return np.where(self.missing, "", np.char.strip(values.astype(str)))

    def any_text(self, pattern: str) -> bool:
        """Whether any text has this pattern in it, a regular expression, whatever the case."""
        if not self.is_text:
            return False
        if not isinstance(self.data, np.ndarray):
            import pyarrow.compute as pc

            return bool(pc.any(pc.match_substring_regex(self.data, pattern, ignore_case=True)).as_py())
        return any(re.search(pattern, entry, re.IGNORECASE) for entry in self.values.astype(str).tolist())

    def numbers(self, what: str | None = None, *, keep: bool = False) -> np.ndarray:
        """As float64 in our unit, NaN where missing, where a number stands for 'missing' and where it cannot be.

        Parameters
        ----------
        what : str, optional
            What the numbers are, a key of `transtar.tables.quantities.QUANTITIES` or a label; if not given the name of the
            column tells, and '' says that nothing is known. Of a column that nothing is known of no number counts as 'missing',
            and no unit is converted.
        keep : bool
            Whether numbers that cannot be stay (see `transtar.tables.quantities.clean`).

        Raises
        ------
        InputError
            If a value is no number, or the unit cannot be converted.
        """
        what = (self.chosen or meaning(self.name)) if what is None else what
        known = quantity(what)
        if what in ("ra", "dec") and self.is_text and known is not None:
            factor = round(conversion(self.unit, known, self.where)[0], 9) if self.unit else 0.0
            unit = {0.0: "", 1.0: "deg", 15.0: "hourangle"}.get(factor)
            text = self.text()
            if unit is not None and any(_sexagesimal(entry) for entry in text.tolist()):
                return clean(to_degrees(text, what == "ra", unit, self.where), known, "", self.where)
        raw = self._floats()
        return raw if known is None else clean(raw, known, self.unit, self.where, keep=keep)

    def _floats(self) -> np.ndarray:
        if self.is_vector:
            raise InputError(f"{self.where} holds {self.data.shape[1:]} values in a row; only one can be used")
        if not self.is_text:
            return np.where(self.missing, np.nan, self.data.astype(np.float64))
        if not isinstance(self.data, np.ndarray):
            import pyarrow as pa

            try:
                return self._cast(pa.float64()).to_numpy()
            except pa.ArrowInvalid:
                pass
        text = self.text()
        # A new array: where all strings are short, the old one has no room for three letters.
        text = np.where(text == "", "nan", text)
        try:
            return text.astype(np.float64)
        except ValueError:
            pass
        # Fortran writes 1.0D+03.
        mended = np.array([re.sub(r"(?<=[\d.])[dD](?=[+-]?\d)", "e", entry) for entry in text.tolist()], dtype=str)
        try:
            return mended.astype(np.float64)
        except ValueError:
            bad = next(entry for entry in mended.tolist() if not _is_number(entry))
        hint = ""
        if re.fullmatch(r"[+-]?\d*,\d+", bad):
            hint = "; write decimal points, not commas"
        elif re.fullmatch(r"[<>~≤≥]\s*[\d.+-]+", bad):
            hint = "; limits are no values: leave them out, or blank"
        raise InputError(f"{self.where}: could not convert '{bad[:40]}' to a number{hint}")

    def _cast(self, kind: Any) -> Any:
        """Text that Arrow holds as numbers, null where missing; fails if a value is none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        filled = pc.if_else(pa.chunked_array([pa.array(self.missing)]), None, pc.utf8_trim_whitespace(self.data))
        return pc.cast(filled, kind)

    def ids(self) -> np.ndarray:
        """As int64, exactly, -1 where missing; see `transtar.tables.ids.to_int64`.

        Raises
        ------
        InputError
            If a value is no integer, or has lost digits.
        """
        unsigned = (self.chosen or self.name).rpartition(".")[2].lower() in UNSIGNED or self.name.lower() in UNSIGNED
        if not isinstance(self.data, np.ndarray):
            import pyarrow as pa

            try:
                return to_int64(self._cast(pa.int64()).fill_null(-1).to_numpy(), self.where)
            except pa.ArrowInvalid:
                pass
        return to_int64(self.values, self.where, self.missing, unsigned=unsigned)

    def truths(self) -> np.ndarray:
        """As bool, False where missing; text is true if it reads true, t, yes or 1, and a number if it is not zero."""
        if self.is_text:
            return np.isin(np.char.lower(self.text()), ("true", "t", "1", "1.0", "yes", "y"))
        return (np.nan_to_num(self.data.astype(float)) != 0) & ~self.missing

    def natural(self) -> np.ndarray:
        """In the type that the values have: int64, float64, bool, or str; NaN, -1, False or '' where missing.

        Text is a number only if every value is one, and an integer only if none has leading zeros.
        """
        if self.is_vector:
            return self.values
        if not self.is_text:
            kind = self.data.dtype.kind
            if not self.missing.any():
                return self.data
            return np.where(
                self.missing, self.data.dtype.type({"f": np.nan, "b": False, "u": 0}.get(kind, -1)), self.data
            )
        text = self.text()
        filled = text[text != ""]
        if not len(filled) or any(re.match(r"[+-]?0\d", entry) for entry in filled.tolist()):
            return text if len(filled) else np.full(len(text), np.nan)
        if np.isin(np.char.lower(filled), ("true", "false")).all():
            return np.char.lower(text) == "true"
        for kind, blank in ((np.int64, "-1"), (np.float64, "nan")):
            try:
                if kind is np.int64 and not all(re.fullmatch(r"[+-]?\d{1,19}", entry) for entry in filled.tolist()):
                    continue
                return np.where(text == "", blank, text).astype(kind)
            except (ValueError, OverflowError):
                continue
        return text


def _decode(values: np.ndarray) -> np.ndarray:
    """Bytes of FITS and of old files as text."""
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError:
        return np.char.decode(values, "latin-1")


def _sexagesimal(entry: str) -> bool:
    return any(mark in entry for mark in ":hHdD°") or " " in entry


def _is_number(entry: str) -> bool:
    try:
        float(entry)
    except ValueError:
        return False
    return True

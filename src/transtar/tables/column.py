"""One column of a table: its values exactly as the file has them, and what they are by the rules that hold for all tables."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np

from ..errors import InputError, shown
from .angles import to_degrees
from .cells import to_text
from .column_names import meaning
from .ids import MISSING_SPELLINGS, MISSING_TEXT, UNSIGNED, to_int64
from .quantities import FREE, clean, clean_free, conversion, quantity
from .text import is_number

_ANGLE = r"[:hd°]|\S\s+\S|^\s*[+-]?0\d{5}"
"""What only sexagesimal text has, or hours, minutes and seconds in one number."""


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
    frame : str
        What its coordinates are of, where the file says something else than ICRS or J2000.
    untyped : bool
        Whether the format has no types, so that text may be numbers.
    """

    data: Any
    gone: np.ndarray | None = None
    unit: str = ""
    name: str = ""
    where: str = "the table"
    chosen: str = ""
    frame: str = ""
    untyped: bool = False

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
            return to_text(self.data, self.where)
        if self.data.dtype.kind == "S":
            return _decode(self.data)
        return self.data

    @cached_property
    def _trimmed(self) -> Any:
        """Text that Arrow holds, without blanks around it."""
        import pyarrow.compute as pc

        return pc.utf8_trim_whitespace(self.data)

    @cached_property
    def missing(self) -> np.ndarray:
        """Where there is no value: bool, shape (n,). Blank text and NaN count, and so does what reads null, nan, none or --."""
        gone = np.zeros(len(self), bool) if self.gone is None else np.asarray(self.gone, bool)
        if not isinstance(self.data, np.ndarray):
            import pyarrow.compute as pc

            blank = pc.is_in(self._trimmed, _missing_spellings())
            return gone | blank.fill_null(True).to_numpy()
        if self.data.dtype.kind in "SUO":
            return gone | np.isin(np.char.lower(np.char.strip(self.values.astype(str))), list(MISSING_TEXT))
        if self.data.dtype.kind == "f" and self.data.ndim == 1:
            return gone | np.isnan(self.data)
        return gone

    def take(self, rows: np.ndarray) -> Column:
        """The column of some rows."""
        data = self.values[rows]
        return replace(self, data=data, gone=self.missing[rows])

    def text(self) -> np.ndarray:
        """As stripped strings, empty where missing; leading zeros stay."""
        if not isinstance(self.data, np.ndarray):
            import pyarrow as pa
            import pyarrow.compute as pc

            filled = pc.if_else(pa.chunked_array([pa.array(self.missing)]), "", self._trimmed)
            return to_text(filled, self.where)
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
            and no unit is converted; with `FREE` -9999 and the like are missing all the same.
        keep : bool
            Whether numbers that cannot be stay (see `transtar.tables.quantities.clean`).

        Raises
        ------
        InputError
            If a value is no number, or the unit cannot be converted.
        """
        what = (self.chosen or meaning(self.name)) if what is None else what
        known = quantity(what)
        if what in ("ra", "dec", "pmra", "pmdec") and self.frame:
            raise InputError(
                f"{self.where}: coordinates of {self.frame}, not ICRS; convert them first, as with SkyCoord of astropy"
            )
        if what in ("ra", "dec") and self.is_text and known is not None:
            factor = round(conversion(self.unit, known, self.where)[0], 9) if self.unit else 0.0
            unit = {0.0: "", 1.0: "deg", 15.0: "hourangle"}.get(factor)
            if unit is not None and self.any_text(_ANGLE):
                return clean(to_degrees(self.text(), what == "ra", unit, self.where), known, "", self.where)
        raw = self._floats()
        if what == FREE:
            return clean_free(raw, self.where)
        return raw if known is None else clean(raw, known, self.unit, self.where, keep=keep)

    def _floats(self) -> np.ndarray:
        if self.is_vector:
            many = self.data.shape[1:] if self.data.shape[1] else "several"
            raise InputError(f"{self.where} holds {many} values in a row; only one can be used")
        if not self.is_text:
            return np.where(self.missing, np.nan, self.data.astype(np.float64))
        if not isinstance(self.data, np.ndarray):
            import pyarrow as pa

            try:
                return self._cast(pa.float64()).to_numpy()
            except pa.ArrowInvalid:
                pass
        text = self.text()
        bad = next((entry for entry in text.tolist() if "_" in entry), None)
        if bad is not None:
            # Python reads 5_000 as a number; nobody else does.
            raise InputError(f"{self.where}: could not convert '{shown(bad, 40)}' to a number")
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
            bad = next(entry for entry in mended.tolist() if not is_number(entry))
        hint = ""
        if re.fullmatch(r"[+-]?\d*,\d+", bad):
            hint = "; write decimal points, not commas"
        elif re.fullmatch(r"[<>~≤≥]\s*[\d.+-]+", bad):
            hint = "; limits are no values: leave them out, or blank"
        raise InputError(f"{self.where}: could not convert '{shown(bad, 40)}' to a number{hint}")

    def _cast(self, kind: Any) -> Any:
        """Text that Arrow holds as numbers, null where missing; fails if a value is none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        return pc.cast(pc.if_else(pa.chunked_array([pa.array(self.missing)]), None, self._trimmed), kind)

    def ids(self) -> np.ndarray:
        """As int64, exactly, -1 where missing; see `transtar.tables.ids.to_int64`.

        Raises
        ------
        InputError
            If a value is no integer, or has lost digits.
        """
        # A column keeps its own name in messages, whatever it was chosen for.
        spelt = (self.chosen, self.name, self.where.rpartition("column ")[2])
        unsigned = any(name.rpartition(".")[2].lower() in UNSIGNED for name in spelt)
        if not isinstance(self.data, np.ndarray):
            import pyarrow as pa

            # Arrow reads 0x10 as 16.
            if not self.any_text("x"):
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

    def _is_logical(self) -> bool:
        return bool(np.isin(np.char.lower(self.text()), ("true", "false", "")).all())

    def natural(self) -> np.ndarray:
        """In the type that the values have: int64, float64, bool, or str; NaN, -1, False or '' where missing.

        What a format without types has is a number only if every value is one, and none has leading zeros.
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
        if not self.untyped:
            return self.text()
        if self.missing.all():
            return np.full(len(self), np.nan)
        # 007, 0x10 and 5_000 are names, and so are numbers with more digits than a float holds.
        if self.any_text(r"^\s*[+-]?0\d|x|_"):
            return self.text()
        import pyarrow as pa

        try:
            return self._cast(pa.int64()).fill_null(-1).to_numpy()
        except pa.ArrowInvalid:
            pass
        # Behind the point they are those of a number in double precision, which has up to 17.
        if self.any_text(r"^\s*[+-]?\d{17}"):
            return self.text()
        try:
            return self._cast(pa.float64()).to_numpy()
        except pa.ArrowInvalid:
            return self.text() if self.any_text(r"^\s*[^tf\s]|[^a-z\s]") or not self._is_logical() else self.truths()


@cache
def _missing_spellings() -> Any:
    import pyarrow as pa

    return pa.array(MISSING_SPELLINGS)


def _decode(values: np.ndarray) -> np.ndarray:
    """Bytes of FITS and of old files as text."""
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError:
        return np.char.decode(values, "latin-1")

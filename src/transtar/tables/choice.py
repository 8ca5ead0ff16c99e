"""Which column of a table is which, where its names do not tell, or tell it twice: the user says."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from ..errors import SettingsError
from ..glossary import LABELS
from .column_names import SPELLINGS

OF_SPECTRA = ("wave", "loglam", "flux", "ivar", "error", "variance", "mask", "hdu")
"""What columns of spectra are chosen for, and the HDU of FITS that holds them; id, star and velocity are of tables, too."""

CHOOSABLE = (
    *LABELS, *(f"{label}_err" for label in LABELS), *SPELLINGS, "id", "file", "star", "split", "source_id", "flags", "survey",
    "snr", "cluster",
    *OF_SPECTRA,
)  # fmt: skip
"""What a column can be chosen for."""


class Choice(dict[str, str]):
    """Which column of a table is which, as the user says (``--columns feh=FE_H``), and which of it was of use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.used: set[str] = set()

    @classmethod
    def parse(cls, texts: Iterable[str], free: bool = False) -> Choice:
        """Read ``name=COLUMN`` texts.

        Parameters
        ----------
        texts : iterable of str
        free : bool
            Whether names that mean nothing to transtar are allowed.

        Raises
        ------
        SettingsError
            If a text has no '=', or the name is unknown or given twice.
        """
        choice = cls()
        for entry in texts:
            name, equals, column = (part.strip() for part in entry.partition("="))
            if not (equals and name and column):
                raise SettingsError(f"--columns takes name=COLUMN, such as feh=FE_H, not '{entry}'")
            if not free and name not in CHOOSABLE and column.partition("#")[0] != name:
                known = ", ".join(one for one in CHOOSABLE if not re.fullmatch(r"\w+_fe(_err)?", one) or one == "mg_fe")
                raise SettingsError(f"--columns: unknown name {name}; known names: {known}, and the other elements")
            if name in choice:
                raise SettingsError(f"--columns: {name} is given twice")
            choice[name] = column
        return choice

    def require_used(self, tables: Sequence[str | os.PathLike], later: Collection[str] = ()) -> None:
        """Refuse a choice that no table had a column for.

        Parameters
        ----------
        tables : sequence of path
            That were read, for the message.
        later : collection of str
            What may be of use for something that is read later.

        Raises
        ------
        SettingsError
        """
        unused = sorted(set(self) - self.used - set(later))
        if unused:
            told = ", ".join(f"{name}={self[name]}" for name in unused)
            if not tables:
                raise SettingsError(f"--columns {told}: no table is read here that has columns to choose")
            raise SettingsError(f"--columns {told}: no such column in {', '.join(str(table) for table in tables)}")

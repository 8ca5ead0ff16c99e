"""The cards of a FITS header, those in the plain form of the standard read without astropy.

astropy takes a millisecond to read the few cards that say where the data of an HDU lie, and a DESI coadd with its redrock file
has two dozen HDUs. What is not plain (long strings, HIERARCH, lower case, numbers in odd forms) is left to astropy, and so is
everything but looking up values. Form of cards: FITS standard 4.0, 4.1 and 4.2, https://fits.gsfc.nasa.gov/fits_standard.html.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.io.fits import Header

CARD, KEYWORD = 80, 8
"""Bytes of a card, and of its keyword."""

_KEYWORD = re.compile(rb"[A-Z0-9_-]+ *")
_NAME = re.compile("[A-Z0-9_-]+")
_SEVERAL = ("COMMENT", "HISTORY", "CONTINUE", "END")
_WITHOUT_VALUE = (b"COMMENT ", b"HISTORY ", b"        ", b"END     ")
_NUMBER = rb"(?P<whole>[+-]?\d{1,18})|(?P<real>[+-]?\d{1,18}\.\d{0,18}(?:E[+-]?\d{1,3})?)"
_VALUE = re.compile(rb" *(?:'(?P<text>[ -%(-9;-~]*)'|(?P<truth>[TF])|" + _NUMBER + rb") *(?:/[ -~]*)?")


class Cards:
    """A header, of which values can be looked up as in one of astropy; all else is asked of one that astropy makes.

    Parameters
    ----------
    content : bytes
        All blocks of the header, with END.

    Raises
    ------
    Exception
        What astropy raises if it cannot make a header of cards that are not plain; values are parsed when they are asked for.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._cards: dict[str, bytes] | None = _split(content)
        if self._cards is None:
            _ = self.header

    @cached_property
    def header(self) -> Header:
        """The header that astropy makes."""
        from astropy.io import fits

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fits.Header.fromstring(self._content)

    def __contains__(self, key: str) -> bool:
        return key in self.header if self._cards is None or not _is_keyword(key) else key in self._cards

    def __getitem__(self, key: Any) -> Any:
        if self._cards is None or not _is_keyword(key):
            return self.header[key]
        if key not in self._cards:
            raise KeyError(f"Keyword {key!r} not found.")
        value = _value(self._cards[key])
        return self.header[key] if value is None else value

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a card, or `default`."""
        if key not in self:
            return default
        return self[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.header if self._cards is None else self._cards)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.header, name)


def _split(content: bytes) -> dict[str, bytes] | None:
    """The part behind the keyword of each card with a value, the first of each keyword; None unless all keywords are plain."""
    cards: dict[str, bytes] = {}
    for start in range(0, len(content), CARD):
        name = _keyword(content[start : start + KEYWORD + 2])
        if name == "END":
            return cards
        if name is None:
            return None
        if name and name not in cards:
            cards[name] = content[start + KEYWORD + 2 : start + CARD]
    return None


# All files of a survey have the same keywords, and most values are the same, too.
@lru_cache(maxsize=1 << 14)
def _keyword(start: bytes) -> str | None:
    """The keyword that a card with a value starts with; '' of one without, None if it is not plain."""
    keyword = start[:KEYWORD]
    if keyword in _WITHOUT_VALUE:
        return "END" if keyword == _WITHOUT_VALUE[-1] else ""
    if start[KEYWORD:] != b"= " or _KEYWORD.fullmatch(keyword) is None or keyword == b"CONTINUE":
        return None
    return keyword.decode("ascii").rstrip()


def _is_keyword(key: Any) -> bool:
    """Whether a value is asked for, not places, wildcards, or what stands in several cards."""
    return isinstance(key, str) and len(key) <= KEYWORD and _NAME.fullmatch(key) is not None and key not in _SEVERAL


@lru_cache(maxsize=1 << 14)
def _value(rest: bytes) -> Any:
    """The value in what follows ``= `` on a card; None if it is not plain."""
    match = _VALUE.fullmatch(rest)
    if match is None:
        return None
    kind = match.lastgroup
    given = match[str(kind)]
    if kind == "text":
        return given.decode("ascii").rstrip()
    if kind == "truth":
        return given == b"T"
    return int(given) if kind == "whole" else float(given)

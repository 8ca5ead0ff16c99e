"""What stands in a FITS file where nothing should: behind the data, behind the last HDU, and between the letters of a header.

Files that were cut, shifted or joined show it there, and so do harmless ones whose writer left something lying. The one thing
that must not happen is that a damaged header cuts data off and the file passes for a shorter one.
"""

from __future__ import annotations

import re
from pathlib import Path

from .errors import InputError
from .telling import tell

BLOCK = 2880
"""Bytes of a FITS block."""

_AT_ONCE = 64
"""Bytes behind the data in which data that were cut off show: several numbers, for each may begin with zeros."""
_MOST_KEYWORDS = 2
"""Keywords that dirt may have hit; where there are more, something else lies in the place of cards."""
_CARD = re.compile(rb"(?:SIMPLE  |XTENSION|BITPIX  |NAXIS   |NAXIS1  |PCOUNT  )=")
_BLANK, _BLANK_LINES = b"\0 ", b"\0 \r\n"
_TEXT = bytes(range(32, 127))


def check_padding(padding: bytes, wanted: int, path: Path) -> None:
    """Look at what fills up the last block of the data.

    Parameters
    ----------
    padding : bytes
        What stands there, of `wanted` bytes that should.
    wanted : int
    path : Path

    Raises
    ------
    InputError
        If data go on where the header says that they end.
    """
    if padding.strip(_BLANK) and padding not in (b"\n", b"\r\n"):
        if padding[:_AT_ONCE].strip(_BLANK):
            raise more_than_said(path)
        tell(f"{path}: behind data of this FITS file stands something that is no part of them; it is passed over")
    if len(padding) < wanted:
        tell(
            f"{path}: this FITS file ends {wanted - len(padding)} bytes before its last block does; if they were lost within the "
            "data, these are shifted: compare it with its source"
        )


class Rest:
    """What follows the last HDU, taken piece by piece.

    Parameters
    ----------
    path : Path
    joined : bool
        Whether the data before end with their block, so that whatever follows may belong to them.
    """

    def __init__(self, path: Path, joined: bool) -> None:
        self._path, self._joined = path, joined
        self._size = 0
        self._dirty = False
        self._last = b""

    def add(self, content: bytes) -> None:
        """Take what comes next.

        Raises
        ------
        InputError
            If it is what a damaged header has cut off, or a header whose beginning is damaged.
        """
        if (not self._size and b"XTENSION".startswith(content[:8])) or _CARD.search(self._last + content):
            raise truncated(self._path)
        plain = content.lstrip(_BLANK_LINES)
        # Data that were cut off may begin with zeros, but then they do not begin with a block.
        if plain and not self._dirty and (self._joined or (self._size + len(content) - len(plain)) % BLOCK):
            raise more_than_said(self._path)
        self._dirty |= bool(plain)
        self._size += len(content)
        self._last = content[-16:]

    def close(self) -> None:
        """Tell of it, if there was anything."""
        if self._dirty:
            tell(
                f"{self._path}: the {self._size} bytes behind the last HDU of this FITS file are no part of it; passed over"
            )


def check_letters(cards: bytes, where: str) -> None:
    """Look for what is no text in a header.

    Parameters
    ----------
    cards : bytes
        Up to END.
    where : str

    Raises
    ------
    InputError
        If it is not a letter here and there.
    """
    dirt = len(cards.translate(None, _TEXT))
    if not dirt:
        return
    keywords = sum(bool(cards[at : at + 8].translate(None, _TEXT)) for at in range(0, len(cards), 80))
    if keywords > _MOST_KEYWORDS:
        raise InputError(f"{where} has a damaged header ({keywords} of its keywords are no text); fetch the file again")
    tell(f"{where}: {dirt} bytes of its header are no ASCII text; what they were is unknown")


def more_than_said(path: Path) -> InputError:
    """The error for data that go on where their header says that they end."""
    return InputError(f"{path}: damaged FITS file: it holds more data than its headers say; fetch it again")


def truncated(path: Path) -> InputError:
    """The error for a file that ends too early."""
    return InputError(f"{path}: truncated or damaged FITS file; fetch it again")

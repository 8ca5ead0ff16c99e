"""Headers of FITS files, one after the other, checked before anything is done on their word.

astropy reads the cards. It believes them, too: a header of NAXIS = 10^9 or TFIELDS = 10^9 keeps it busy for hours, one without
END takes the whole file for a header, and what is damaged behind the first HDU is no part of the file. Format: Pence et al.
2010, A&A 524, A42; FITS standard 4.0, https://fits.gsfc.nasa.gov/fits_standard.html.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .content import EXPANSION, FREE, open_bytes, too_large
from .errors import InputError, shown
from .fits_behind import BLOCK, Rest, check_letters, check_padding, truncated
from .fits_cards import Cards
from .telling import tell

if TYPE_CHECKING:
    from astropy.io.fits import Header

MAGIC = b"SIMPLE  ="
MOST_HEADER = 4_000_000
"""Bytes of one header, 50,000 cards. Files with the history of a whole pipeline have a tenth of that."""
MOST_FIELDS = 999
"""Axes of an array and columns of a table, by the standard."""

_BITPIX = (8, 16, 32, 64, -32, -64)
_WIDTH = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}
_FORMAT = re.compile(r"(\d*)([LXBIJKAEDCMPQ])")
_TFORM = re.compile(rb"TFORM(\d{1,3}) *= *'([^']*)'", re.IGNORECASE)
_END = re.compile(rb"(?:.{80})*?END {77}", re.DOTALL)
_CHUNK = 1 << 22
_AGAIN = "; fetch the file again"


@dataclass
class Source:
    """A file read from front to back, which knows where it stands.

    Parameters
    ----------
    path : Path
    file : file object
    size : int or None
        Bytes of the file; None where it is compressed, and nobody knows.
    place : int
    """

    path: Path
    file: BinaryIO
    size: int | None
    place: int = 0

    def read(self, n: int) -> bytes:
        """Up to `n` bytes."""
        content = self.file.read(n)
        self.place += len(content)
        return content

    def exactly(self, n: int) -> bytes:
        """`n` bytes.

        Raises
        ------
        InputError
            If the file ends before.
        """
        content = self.read(n)
        if len(content) < n:
            raise truncated(self.path)
        return content

    def fill(self, array: np.ndarray) -> None:
        """Fill an array.

        Raises
        ------
        InputError
            If the file ends before.
        """
        if array.size and self.file.readinto(array.data.cast("B")) != array.nbytes:  # type: ignore[attr-defined]
            raise truncated(self.path)
        self.place += array.nbytes

    def skip_to(self, place: int) -> None:
        """Go on to a place, or to the end if it comes before; what is compressed is read to pass over it."""
        if self.size is not None:
            self.place = self.file.seek(min(place, self.size))
        while self.place < place and self.read(min(place - self.place, _CHUNK)):
            pass


@dataclass(frozen=True)
class Head:
    """The header of one HDU and where its data lie.

    Parameters
    ----------
    name : str
        EXTNAME in capitals; 'PRIMARY' for the first.
    header : Cards
    offset : int
        First byte of the data.
    size : int
        Bytes of data, without what fills up the last block.
    primary : bool
        Whether a file begins with it.
    problem : str
        What makes its data unreadable, though it is certain where they lie.
    """

    name: str
    header: Cards
    offset: int
    size: int
    primary: bool = False
    problem: str = ""

    def check(self) -> None:
        """Whoever asks for the data asks this first.

        Raises
        ------
        InputError
            If the header is damaged.
        """
        if self.problem:
            raise InputError(self.problem + _AGAIN)

    @property
    def kind(self) -> str:
        """XTENSION; 'IMAGE' for the first."""
        return str(self.header.get("XTENSION", "IMAGE")).strip().upper()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image, in the order of NumPy; of a table, (rows, bytes of a row)."""
        return tuple(int(self.header[f"NAXIS{axis}"]) for axis in range(int(self.header["NAXIS"]), 0, -1))


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a FITS file, compressed or not (told by content).

    Raises
    ------
    InputError
        If the file is empty, damaged, no regular file, or not there.
    """
    path = Path(path)
    with open_bytes(path) as file:
        yield Source(path, file, path.stat().st_size if file.seekable() else None)


def heads(source: Source) -> Iterator[Head]:
    """Headers of all HDUs of a file, in their order; the source then stands at the data.

    What stands behind the data is looked at, too (`transtar.fits_behind`), and told where it is neither data nor blank. Another
    FITS file behind the first is passed over.

    Yields
    ------
    Head
        Its data can be read until the next one is asked for.

    Raises
    ------
    InputError
        If the file is not FITS, ends too early, or a header says what cannot be.
    """
    empty, another = True, False
    following = _head(source, None)
    while following is not None:
        head = following
        end = head.offset + head.size
        empty &= not head.size
        limit = source.size if source.size is not None else max(FREE, EXPANSION * source.path.stat().st_size)
        if end > limit:
            if source.size is None:
                raise InputError(too_large(source.path, end))
            raise InputError(f"{source.path}: truncated FITS file ({limit} bytes of {end}); fetch it again")
        if not another:
            yield head
        source.skip_to(end)
        if source.place < end:
            raise truncated(source.path)
        try:
            if source.place == end:
                check_padding(source.read(-end % BLOCK), -end % BLOCK, source.path)
            else:
                source.skip_to(-(-end // BLOCK) * BLOCK)
            following = _head(source, head)
        except InputError:
            # Where a header is damaged, what does not fit behind its data is on its account.
            head.check()
            raise
        if head.problem and not another:
            tell(f"{head.problem}; nothing of that HDU is needed, and it is passed over")
        if following is not None and following.primary and not another:
            another = not empty
            what = "another FITS file follows it; the first one is read" if another else "its first header comes twice"
            tell(f"{source.path}: {what}")


def _head(source: Source, before: Head | None) -> Head | None:
    """The next header; None at the end of the file."""
    content = _cards(source, before)
    if content is None:
        return None
    where = f"{source.path}: HDU at byte {source.place - len(content)}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = Cards(content)
            size, problem = _size(header, content, where)
            primary = content.startswith(MAGIC)
            name = "PRIMARY" if before is None else str(header.get("EXTNAME", "")).strip().upper()
            return Head(name, header, source.place, size, primary, problem)
    except InputError:
        raise
    except Exception as error:
        # Cards that astropy cannot make sense of.
        raise InputError(f"{where} has a damaged header ({shown(error, 200)}); fetch the file again") from None


def _cards(source: Source, before: Head | None) -> bytes | None:
    """All blocks of a header; None at the end of the file."""
    content = b""
    while True:
        block = source.read(BLOCK)
        if before is None and not content and not block.startswith(MAGIC):
            kind = "blank (only zero bytes)" if not block.strip(b"\0") else "not a FITS file"
            raise InputError(f"{source.path}: {kind}; fetch it again, or is --survey right?")
        if before is not None and not content and not block.startswith((b"XTENSION", MAGIC)):
            _pass_over(block, source, before)
            return None
        if len(block) < BLOCK:
            raise truncated(source.path)
        content += block
        end = _END.match(content, len(content) - BLOCK)
        if end:
            check_letters(content[: end.end()], f"{source.path}: HDU at byte {source.place - len(content)}")
            if content[end.end() :].strip(b" \0"):
                tell(
                    f"{source.path}: something follows the END of a header, and is ignored; fetch it again if in doubt"
                )
            return content
        if len(content) > MOST_HEADER:
            raise InputError(
                f"{source.path}: a header without END, or of more than {MOST_HEADER} bytes; fetch it again"
            )


def _pass_over(block: bytes, source: Source, before: Head) -> None:
    """Look at what follows the last HDU."""
    # Behind a damaged header nothing is certain.
    rest = Rest(source.path, bool(before.problem) or (before.offset + before.size) % BLOCK == 0)
    while block:
        rest.add(block)
        block = source.read(_CHUNK)
    rest.close()


def _size(header: Cards, content: bytes, where: str) -> tuple[int, str]:
    """Bytes of the data, if the header says what can be; and what it says wrong of the columns, which does not change that."""
    bits, axes = _whole(header, "BITPIX", where), _whole(header, "NAXIS", where)
    _require(bits in _BITPIX, where, f"BITPIX = {bits}")
    _require(0 <= axes <= MOST_FIELDS, where, f"NAXIS = {axes}")
    lengths = [_whole(header, f"NAXIS{axis}", where) for axis in range(1, axes + 1)]
    _require(all(length >= 0 for length in lengths), where, f"axes of {shown(lengths)}")
    spare, groups = _whole(header, "PCOUNT", where, 0), _whole(header, "GCOUNT", where, 1)
    _require(groups == 1 and header.get("GROUPS") is not True, where, f"GCOUNT = {groups}")
    _require(spare >= 0, where, f"PCOUNT = {spare}")
    kind = str(header.get("XTENSION", "IMAGE")).strip().upper()
    problem = ""
    if kind in ("BINTABLE", "TABLE"):
        _require(bits == 8 and axes == 2, where, f"a table of BITPIX = {bits}, NAXIS = {axes}")
        try:
            _check_fields(header, content, where, lengths[0] if kind == "BINTABLE" else None)
        except InputError as error:
            problem = str(error).removesuffix(_AGAIN)
    return abs(bits) // 8 * (math.prod(lengths) + spare) if axes else 0, problem


def _check_fields(header: Cards, content: bytes, where: str, width: int | None) -> None:
    n = _whole(header, "TFIELDS", where)
    _require(0 <= n <= MOST_FIELDS, where, f"TFIELDS = {n}")
    if width is not None:
        # astropy takes a while for each card, and a catalog has hundreds.
        forms = {int(i): form.decode("ascii", "replace") for i, form in _TFORM.findall(content)}
        size = sum(column_size(forms.get(i, ""), f"{where}: TFORM{i}") for i in range(1, n + 1))
        _require(size == width, where, f"columns of {size} bytes in rows of {width}")


def column_size(form: str, where: str) -> int:
    """Bytes of a column in each row of a binary table, by its TFORM.

    Raises
    ------
    InputError
        If that is none of the standard.
    """
    match = _FORMAT.match(form.strip().upper())
    if match is None:
        raise InputError(f"{where} = '{shown(form)}' is no format of FITS{_AGAIN}")
    repeat = int(match[1] or 1)
    return (repeat + 7) // 8 if match[2] == "X" else repeat * _WIDTH[match[2]]


def _whole(header: Cards, key: str, where: str, default: int | None = None) -> int:
    value: Any = header.get(key, default)
    _require(isinstance(value, int) and not isinstance(value, bool), where, f"{key} = {shown(value)}")
    return value


def _require(good: bool, where: str, what: str) -> None:
    if not good:
        raise InputError(f"{where} has a damaged header ({what}){_AGAIN}")


def check_sum(header: Header | Cards, content: Any, where: str) -> None:
    """Compare data with the checksum that the header gives for them, if it gives one.

    Parameters
    ----------
    header : astropy.io.fits.Header
    content : bytes-like
        The data, with what fills up the last block or without.
    where : str

    Raises
    ------
    InputError
        If they differ (FITS standard 4.0, 4.4.2.7 and appendix J).
    """
    if stated := stated_sum(header):
        compare_sums(ones_complement_sum(content), stated, where)


def stated_sum(header: Header | Cards) -> int:
    """DATASUM of a header; 0 if it gives none."""
    stated = str(header.get("DATASUM", "")).strip()
    # 0 is what an HDU without data has: headers are copied from one to another.
    return int(stated) if stated.isdecimal() and len(stated) <= 10 else 0


def check_own_header(header: Header | Cards, where: str) -> None:
    """Compare the header of a table that transtar wrote with its CHECKSUM; those of others are often edited without it.

    Raises
    ------
    InputError
        If header and DATASUM do not fit it.
    """
    if header.get("CREATOR") != "transtar" or "CHECKSUM" not in header:
        return
    if ones_complement_sum(header.tostring().encode("latin-1"), stated_sum(header)) != 0xFFFFFFFF:
        raise InputError(
            f"{where}: damaged header (CHECKSUM does not fit it); fetch or make the file again, or remove CHECKSUM if you have "
            "changed the header yourself"
        )


def compare_sums(checksum: int, stated: int, where: str) -> None:
    """Refuse data whose checksum is not the one stated; 0 states none.

    Raises
    ------
    InputError
    """
    if stated and checksum != stated:
        raise InputError(
            f"{where}: damaged data (their sum is {checksum}, DATASUM says {stated}); fetch the file again, or remove DATASUM if "
            "you have changed the data yourself"
        )


def ones_complement_sum(content: Any, total: int = 0) -> int:
    """32-bit ones' complement sum of big-endian words, the last filled up with zeros; added to `total`."""
    flat = np.frombuffer(content, np.uint8)
    whole = len(flat) // 4 * 4
    total += int(flat[:whole].view(">u4").sum(dtype=np.uint64))
    total += int.from_bytes(flat[whole:].tobytes().ljust(4, b"\0"), "big")
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total

"""Tables as text: names in the first line, then rows, separated by commas, semicolons, bars, tabs or blanks.

Answers of VizieR (asu-tsv: comments, names, units, dashes) and ECSV are read, too. pyarrow splits the rows; every
value stays text until it is known what the column is, so that identifiers and names keep all their digits.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from ..content import open_bytes
from ..errors import InputError, shown
from ..telling import tell
from .ids import MISSING_SPELLINGS

_LONGEST = 1 << 20
"""Bytes of a first line at most; what is longer is no line of names."""
_SAMPLE = 50
"""Rows that tell the separator."""
_RULE = re.compile(r"[-+|\t; ,:]*--[-+|\t; ,:]*")
"""A line drawn with dashes, at least two of them together: a lone one stands for 'missing'."""
_ODD = re.compile(rb'(?m)^[^"\n]*"(?:[^"\n]*"[^"\n]*")*[^"\n]*$')
"""A line in which a quote is not closed."""
_SEPARATORS = ("\t", "|", ";", ",")


@dataclass(frozen=True)
class Layout:
    """How a file of text is laid out.

    Parameters
    ----------
    names : tuple of str
    separator : str
        One of the four of `_SEPARATORS`, or ' ' for any number of blanks.
    first : int
        Lines before the first row.
    units : dict of str to str
        By name, as far as the file states them.
    encoding : str
    numeric : frozenset of str
        Columns that the file itself says hold numbers.
    """

    names: tuple[str, ...]
    separator: str
    first: int
    units: dict[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    numeric: frozenset[str] = frozenset()


def read_layout(path: Path, nameless: bool = False, plain: bool = False) -> Layout:
    """Find names, separator and units of a table of text.

    Parameters
    ----------
    path : Path
    nameless : bool
        Whether a table without a line of names is allowed: its columns are then called 1, 2, 3 and so on.
    plain : bool
        Whether an ECSV header is no more than comments.

    Raises
    ------
    InputError
        If it has no line of names, or is no text.
    """
    with open_bytes(path) as file:
        comments, lines, places = _head(path, file)
    if not lines:
        raise InputError(f"{path}: the table has no rows; columns found: none")
    if not plain and any("%ECSV" in comment for comment in comments):
        raise InputError(
            f"{path}: an ECSV header that does not begin the file; units would be lost: write the file again"
        )
    text, encoding = _decode(lines)
    header, rows = text[0], text[1:]
    if "\r" in header:
        raise InputError(
            f"{path}: its lines end in CR alone, as on old Macintoshes; save it with Unix or Windows line ends"
        )
    separator = _separator(header, [row for row in rows if row.strip() and not _RULE.fullmatch(row)])
    names = split_line(header, separator)
    units: dict[str, str] = {}
    above = split_line(rows[0], separator) if rows else []
    first = places[0] + 1
    if len(rows) > 1 and _RULE.fullmatch(rows[1]) and len(above) == len(names) and not any(map(is_number, above)):
        # VizieR: names, units, dashes.
        units = {name: unit for name, unit in zip(names, above, strict=True) if unit}
        first = places[2] + 1
    elif rows and _RULE.fullmatch(rows[0]):
        first = places[1] + 1
    if all(name == "" or is_number(name) for name in names):
        # Without a line of names, or with one that is a comment, as numpy and TOPCAT write it.
        named = split_line(comments[-1].lstrip("#").strip(), separator) if comments else []
        if nameless:
            return Layout(tuple(str(n) for n in range(1, len(names) + 1)), separator, places[0], {}, encoding)
        if len(named) != len(names) or any(map(is_number, named)):
            raise InputError(
                f"{path}: the first line, '{shown(header, 60)}', names no columns; begin with a line such as "
                "'obsid,teff,logg,feh'"
            )
        names, first, units = named, places[0], {}
    return Layout(tuple(names), separator, first, units, encoding)


def _head(path: Path, file: BinaryIO) -> tuple[list[str], list[bytes], list[int]]:
    """The last comment before the table, its first lines, and how many lines of the file stand before each of them."""
    comments: list[str] = []
    lines: list[bytes] = []
    places: list[int] = []
    number = -1
    while len(lines) <= _SAMPLE:
        line = file.readline(_LONGEST + 1)
        number += 1
        if not line:
            break
        if number == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")
        too_long = len(line) > _LONGEST
        if line.startswith(b"#") and not lines:
            comment = line[:10000].decode("utf-8", "replace").rstrip("\r\n")
            # The last one may hold the names.
            comments = [*(c for c in comments if "%ECSV" in c), comment]
        while len(line) > _LONGEST and not line.endswith(b"\n") and line.startswith(b"#"):
            line = b"#" + file.readline(_LONGEST)
        if line.startswith(b"#") or not line.strip(b"\r\n") or (not lines and not line.strip()):
            continue
        if too_long:
            if not lines:
                raise InputError(f"{path}: the first line has more than {_LONGEST} bytes; is it a table?")
            break
        lines.append(line.rstrip(b"\r\n"))
        places.append(number)
    return comments, lines, places


def _decode(lines: Sequence[bytes]) -> tuple[list[str], str]:
    try:
        return [line.decode("utf-8") for line in lines], "utf-8"
    except UnicodeDecodeError:
        return [line.decode("latin-1") for line in lines], "latin-1"


def split_line(line: str, separator: str) -> list[str]:
    """Fields of a line of text, without quotes and blanks around them.

    Parameters
    ----------
    line : str
    separator : str
        One letter; any number of blanks separates like one.

    Returns
    -------
    list of str
        None of an empty line.
    """
    if '"' not in line:
        # csv takes no cell of more than 131,072 letters, which a line is until the right separator is tried.
        cells = line.split(separator) if separator != " " else [cell for cell in line.strip().split(" ") if cell]
        return [cell.strip() for cell in cells] if line else []
    if separator == " ":
        return [name.strip() for name in next(csv.reader([line.strip()], delimiter=" ", skipinitialspace=True), [])]
    return [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]


def _separator(header: str, rows: Sequence[str]) -> str:
    """The one that cuts names and rows into equally many fields; the most of them where several do."""
    best, most = ",", 1
    for separator in (*_SEPARATORS, " "):
        number = len(split_line(header, separator))
        # Blanks stand in names of stars, too: they separate only where nothing else does.
        if number <= most or (separator == " " and most > 1):
            continue
        if all(len(split_line(row, separator)) == number for row in rows[:20]):
            best, most = separator, number
    if most > 1:
        return best
    # No separator fits every row: the commonest in the line of names, so that the message names the row that differs.
    counts = {separator: header.count(separator) for separator in _SEPARATORS}
    commonest = max(counts, key=lambda separator: counts[separator])
    return commonest if counts[commonest] else ","


def is_number(name: str) -> bool:
    """Whether a text is a number, as Python reads it."""
    try:
        float(name)
    except ValueError:
        return False
    return True


def read_rows(
    path: Path, layout: Layout, wanted: Sequence[str], names: Sequence[str], numbers: Sequence[str] = ()
) -> Any:
    """Read some columns, as text.

    Parameters
    ----------
    path : Path
    layout : Layout
    wanted : sequence of str
        Some of `names`.
    names : sequence of str
        Of all columns, each once.
    numbers : sequence of str
        Columns, among those wanted, that are read as float64 if all their values are numbers or stand for 'missing'.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    InputError
        If a row has more or fewer fields than the line of names.
    """
    import pyarrow as pa

    # At first with numbers as numbers; then as text, which tells what stands where numbers are the rule; then with other letters.
    for encoding, quick in dict.fromkeys(((layout.encoding, tuple(numbers)), (layout.encoding, ()), ("latin-1", ()))):
        try:
            arrow_table = _parse(path, layout, wanted, names, encoding, quick)
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            if quick or (encoding != "latin-1" and "utf" in str(error).lower()):
                continue
            raise InputError(f"{path}: cannot be read as a CSV table ({_reason(error)})") from None
        if encoding == "latin-1":
            tell(f"{path}: not UTF-8; its letters are read as Latin-1")
        return arrow_table
    raise AssertionError("latin-1 decodes anything")


def _parse(
    path: Path,
    layout: Layout,
    wanted: Sequence[str],
    names: Sequence[str],
    encoding: str,
    numbers: Sequence[str] = (),
) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    strange: list[str] = []
    skipped = 0

    def on_invalid(row: Any) -> str:
        nonlocal skipped
        text = (row.text or "").strip()
        if _RULE.fullmatch(text) or not text:
            skipped += 1
            return "skip"
        strange.append(f"row {text[:40]!r} has {row.actual_columns} fields, the line of names {row.expected_columns}")
        return "error"

    with open_bytes(path) as file:
        for _ in islice(file, layout.first):
            pass
        lines = _Lines(file, len(names) - 1, layout.separator)
        rest = io.BufferedReader(lines, 1 << 20)
        stream: Any = _single_blanks(rest) if layout.separator == " " else rest
        reading = arrow_csv.ReadOptions(
            column_names=list(names), block_size=1 << 26, encoding=encoding, use_threads=False
        )
        parsing = arrow_csv.ParseOptions(
            delimiter=layout.separator,
            invalid_row_handler=on_invalid,
            newlines_in_values=False,
            ignore_empty_lines=True,
        )
        converting = arrow_csv.ConvertOptions(
            include_columns=list(wanted), strings_can_be_null=False, null_values=MISSING_SPELLINGS,
            column_types={name: pa.float64() if name in numbers else pa.string() for name in wanted},
        )  # fmt: skip
        try:
            parsed = arrow_csv.read_csv(stream, reading, parsing, converting)
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return pa.table({name: pa.array([], pa.string()) for name in wanted})
            if strange:
                raise pa.ArrowInvalid(strange[0]) from None
            raise
    if lines.quoted and lines.number != parsed.num_rows + skipped:
        # A quote that is not closed swallows rows up to the next one, and their cells with them.
        raise pa.ArrowInvalid(
            f'{lines.number} lines make {parsed.num_rows} rows: a quote (") is not closed, or a cell has a line feed in quotes'
        )
    if lines.broken:
        raise pa.ArrowInvalid(f"row '{shown(lines.broken, 40)}' has something behind the quote that closes a cell")
    if lines.rows:
        tell(f"{path}: {lines.rows} rows that begin with # are taken for comments; the first: {lines.first[:40]!r}")
    return parsed


class _Lines(io.RawIOBase):
    """A stream without the lines that begin with #, which counts the others and looks at their quotes.

    Parameters
    ----------
    file : file object
    separators : int
        That a row has; a comment with as many was a row once.
    separator : str
    """

    def __init__(self, file: BinaryIO, separators: int, separator: str) -> None:
        self._file, self._ready, self._separator = file, b"", separator.encode()
        self._separators = separators
        self.number = self.rows = 0
        self.first = self.broken = ""
        self.quoted = False
        self._sound = _sound_lines(separator)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self._ready:
            block = self._file.read(1 << 20)
            if not block:
                return 0
            # Whole lines only, so that each begins where the block or a line feed says.
            block += self._file.readline()
            if block.startswith(b"#") or b"\n#" in block:
                block = re.sub(rb"(?m)^#[^\n]*(?:\n|\Z)", self._comment, block)
            if b'"' in block:
                self.quoted = True
                sound = self._sound.match(block)
                end = sound.end() if sound else 0
                self.broken = self.broken or block[end : end + 200].partition(b"\n")[0].decode("utf-8", "replace")
            if b"\n\n" in block or b"\n\r" in block or block.startswith((b"\n", b"\r")):
                self.number += sum(1 for line in block.split(b"\n") if line.strip(b"\r"))
            else:
                self.number += block.count(b"\n") + (not block.endswith(b"\n"))
            self._ready = block
        part, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def _comment(self, comment: re.Match[bytes]) -> bytes:
        if self._separators and comment[0].count(self._separator) >= self._separators:
            self.first = self.first or comment[0].decode("utf-8", "replace").strip()
            self.rows += 1
        return b""


def _sound_lines(separator: str) -> re.Pattern[bytes]:
    """Lines in which each cell that begins with a quote ends with the one that closes it: as many as there are.

    Of others readers take what stands behind that quote for part of the cell, and the cells that follow are others than were
    written.
    """
    between = b" \\t" if separator == " " else re.escape(separator.encode())
    # One that is not closed in its line shows in the number of rows.
    quoted = b'(?<![^%b\n])"(?:[^"\n]++|"")*+(?:"(?=[%b\r\n]|\\Z)|(?=\n|\\Z))' % (between, between)
    amid = b'(?<=[^%b\n])"[^%b\n]*+' % (between, between)
    return re.compile(b'(?:[^"\n]*+(?:(?:%b|%b)[^"\n]*+)*+(?:\n|\\Z))*+' % (quoted, amid))


def _single_blanks(file: BinaryIO) -> BinaryIO:
    """The same rows with one blank between any two fields."""
    content = file.read()
    # Most files are tidy: looking is far faster than replacing.
    wide = b"  " in content or b"\t" in content
    edges = content.startswith(b" ") or content.endswith(b" ") or any(s in content for s in (b"\n ", b" \n", b" \r"))
    quoted = b'"' in content
    if not (wide or edges or (quoted and _ODD.search(content))):
        return io.BytesIO(content)
    if not quoted:
        if wide:
            content = re.sub(rb"[ \t]+", b" ", content)
        # A tab may have stood at the edge.
        return io.BytesIO(re.sub(rb"(?m)^ +| +(?=\r?$)", b"", content))
    out = io.StringIO()
    write = csv.writer(out, delimiter=" ", lineterminator="\n")
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        # Line by line: a quote that is not closed must not swallow those that follow.
        if line.strip():
            write.writerow(split_line(line, " "))
    return io.BytesIO(out.getvalue().encode("utf-8", "surrogateescape"))


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).removeprefix("CSV parse error: ")[:300]

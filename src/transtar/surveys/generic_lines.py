"""Lines of text that are neither names nor numbers: which one, why, and what to do."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from ..errors import InputError, shown
from ..tables import Column, text
from .generic_names import role

_COMMENTS = ("!", "%", ";", "//")
"""What begins comments elsewhere."""
_FORTRAN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[dD][+-]?\d+")
_NO_VALUE = ("indef", "nan", "null", "--")
_HASH = "begin such lines with #"


def mended_layout(layout: text.Layout, whole: bytes, path: Path, chosen: Mapping[str, str]) -> text.Layout:
    """The layout of a file whose first line names no columns that are known, if it can be told; else a refusal that says why.

    Numbers as Fortran writes them (1.0D+03), and INDEF, are no names.

    Raises
    ------
    InputError
        If the first line is a comment of another kind, a title, a count, or holds numbers that nobody can read.
    """
    roles = {role(name) for name in layout.names}
    numbered = tuple(str(n + 1) for n in range(len(layout.names)))
    named = layout.names != numbered
    known = {name.lower() for name in layout.names if name}
    settled = any(chosen.get(what, "").lower() in known for what in ("wave", "loglam", "flux"))
    if named and (("flux" in roles and {"wave", "loglam"} & roles) or settled):
        return layout
    # The rest of a long file does not matter here.
    lines = list(_data_lines(whole[: 1 << 20], max(layout.first - named, 0), 2))
    if not lines:
        return layout
    number, line = lines[0]
    follow = lines[1][1].replace(",", " ").split() if len(lines) > 1 else []
    at = f"{path}: line {number}"
    if not named:
        if len(layout.names) == 1 and len(follow) > 1:
            raise InputError(f"{at}, '{shown(line, 40)}', has one number, the next line {len(follow)}; {_HASH}")
        return layout
    comment = next((mark for mark in _COMMENTS if line.startswith(mark)), None)
    if comment is not None:
        raise InputError(f"{at} begins with '{comment}'; {_HASH} instead, if it is a comment")
    words = line.split()
    fields = [name.strip() for name in layout.names]
    if all(_is_value(field) for field in fields):
        return replace(layout, names=numbered, first=layout.first - 1, units={})
    commas = [word for word in words if "," in word]
    if len(words) > 1 and commas and all(_problem(word) or _is_value(word) for word in words):
        raise InputError(f"{at}: {_problem(commas[0])}")
    odd = [field for field in fields if not _is_value(field)]
    if len(odd) < len(fields) and all(_problem(field) for field in odd):
        raise InputError(f"{at}: {_problem(odd[0])}")
    if follow and all(map(text.is_number, follow)):
        if len(words) != len(follow) and len(fields) != len(follow):
            raise InputError(f"{at}, '{shown(line, 40)}', names no columns; if it is a title, {_HASH}")
        if not {"wave", "loglam", "flux"} & roles:
            listing = ", ".join(shown(name) for name in fields[:40])
            raise InputError(
                f"{at} names no column of wavelengths or fluxes; columns found: {listing}; if it is a title, {_HASH}; if it has "
                "other names, say --columns wave=NAME flux=NAME"
            )
    return layout


def check_numbers(
    columns: Mapping[str, Column], names: Iterable[str], layout: text.Layout, whole: bytes, path: Path
) -> None:
    """Refuse what is no number among numbers, with the line where it stands.

    Raises
    ------
    InputError
    """
    for name in names:
        column = columns[name]
        if not column.is_text:
            continue
        try:
            column.numbers("")
        except InputError as error:
            entries = column.text().tolist()
            row = next((row for row, entry in enumerate(entries) if entry and not _is_value(entry)), None)
            lines = [number for number, _ in _data_lines(whole, layout.first)]
            if row is None or len(lines) != len(entries):
                raise
            bad = entries[row]
            problem = _problem(bad)
            if not problem and row == 0 and re.match(r"[^\W\d]|[(\[]", bad):
                problem = f"'{shown(bad, 40)}' is no number"
                problem += f"; if these are units, {_HASH}, and write them into the names: wave [nm]"
            if not problem:
                raise InputError(f"{error} (line {lines[row]})") from None
            raise InputError(f"{path}: line {lines[row]}: {problem}") from None


def _data_lines(whole: bytes, skipped: int, most: int | None = None) -> Iterator[tuple[int, str]]:
    """Lines with rows, each with its number in the file; without comments, blank lines and the first ones."""
    lines = enumerate(io.BytesIO(whole.removeprefix(b"\xef\xbb\xbf")), 1)
    rows = ((n, line) for n, line in lines if n > skipped and line.strip() and not line.startswith(b"#"))
    for number, line in islice(rows, most):
        yield number, line.decode("utf-8", "replace").strip()


def _is_value(word: str) -> bool:
    return text.is_number(word) or word.lower() in _NO_VALUE or _FORTRAN.fullmatch(word) is not None


def _problem(word: str) -> str:
    """What is wrong with a word that was meant as a number, and what to do; '' if nobody knows."""
    quoted = f"'{shown(word, 40)}'"
    if "*" in word:
        return f"{quoted} is a number that had no room for its digits; write nan"
    if re.fullmatch(r"[+-]?\d*,\d+([eEdD][+-]?\d+)?", word):
        return f"{quoted} has a decimal comma; write decimal points, not commas"
    if re.fullmatch(r"[+-]?\d*\.?\d*[+-]\d{2,3}", word):
        return f"{quoted} is a number without the E of its exponent; write 0, or 1.0E-101"
    return ""

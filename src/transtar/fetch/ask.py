"""What is asked for: identifiers, positions or the rows of a table, in the order in which they were given."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError, SettingsError
from ..labels.places import named_places
from ..tables import Column, Table, key_parts, read_table, to_int64
from ..tables.column_names import SPELLINGS, two_columns
from .sparcl import whole

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)

ID_FIELDS = ("specid", "targetid")


@dataclass(frozen=True)
class Ask:
    """Stars whose spectra are wanted.

    Parameters
    ----------
    by : {'sparcl_id', 'specid', 'targetid', 'position'}
        What `values` are.
    values : list
        sparcl_ids (str), whole numbers (int), or positions (right ascension and declination in degrees). None twice.
    keys : dict of str to list of str
        SURVEY, PROGRAM and HEALPIX that the spectrum must have, one for each value; '' for any.
    """

    by: str
    values: list
    keys: dict[str, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)


def from_ids(given: Sequence[str], id_field: str | None = None) -> Ask:
    """Read identifiers from the command line: each is one, or ``FILE[:COLUMN]``.

    Parameters
    ----------
    given : sequence of str
        A file is a table, or plain text with one identifier a line.
    id_field : {'specid', 'targetid'}, optional
        What whole numbers are; if not given, what the column is called, else specid.

    Raises
    ------
    InputError
        If a file cannot be read or holds something else.
    SettingsError
        If there is none, or sparcl_ids and numbers are mixed.
    """
    asks = []
    loose: list[str] = []
    for text in given:
        if is_identifier(text):
            loose.append(text)
            continue
        path, column = _split(text)
        asks.append(_from_file(path, column, id_field))
    if loose:
        asks.insert(0, _of_texts(loose, "--ids", id_field or "specid"))
    if len({ask.by for ask in asks}) > 1:
        raise SettingsError("--ids takes sparcl_ids or numbers, not both at once")
    return _joined(asks)


def from_table(path: Path, id_field: str | None = None, choice: Mapping[str, str] | None = None) -> Ask:
    """Read a label table: by its identifiers, where it has a column of them, else by ra and dec (degrees).

    Parameters
    ----------
    path : Path
    id_field : {'specid', 'targetid', 'position'}, optional
        What the identifiers are, if the column does not say; 'position' passes them over.
    choice : mapping of str to str, optional
        Which column is which, where names do not tell (see `transtar.tables.open_table`).

    Raises
    ------
    InputError
        If it has neither, or is no table.
    """
    table, columns = read_table(path, choice)
    places = [table.find(*SPELLINGS[what], what=what) for what in ("ra", "dec")]
    if id_field != "position":
        name = _id_column(table, id_field, bare=None in places)
        if name is not None:
            return _of_column(path, columns, name, id_field)
    if None in places:
        raise InputError(
            f"{path}: no column of identifiers (sparcl_id, specid, targetid, id) nor ra and dec; columns found: "
            f"{', '.join(columns)}"
        )
    positions = named_places(columns, str(path))
    pairs = zip(positions["ra"].tolist(), positions["dec"].tolist(), strict=True)
    return from_positions([pair for pair in pairs if np.isfinite(pair).all()], str(path))


def from_positions(pairs: Sequence[tuple[float, float]], where: str = "--position") -> Ask:
    """Positions in degrees (ICRS).

    Raises
    ------
    InputError
        If there is none, or one is not on the sky.
    """
    for ra, dec in pairs:
        if not (0 <= ra <= 360 and -90 <= dec <= 90):
            raise InputError(f"{where}: {ra} {dec} is no right ascension and declination in degrees")
    if not pairs:
        raise InputError(f"{where}: no position given")
    return Ask("position", list(dict.fromkeys((float(ra), float(dec)) for ra, dec in pairs)))


def is_identifier(text: str) -> bool:
    """Whether it is a number or a sparcl_id, and not the name of a file."""
    return bool(re.fullmatch(r"-?\d+", text.strip()) or UUID.fullmatch(text.strip()))


def _split(text: str) -> tuple[Path, str | None]:
    if os.path.exists(text):
        return Path(text), None
    before, colon, after = text.rpartition(":")
    if colon and before and os.path.exists(before):
        return Path(before), after
    if os.sep in text or "." in text:
        raise InputError(f"{text}: no such file")
    raise SettingsError(f"--ids: '{text}' is neither a whole number, nor a sparcl_id, nor a file")


def _from_file(path: Path, column: str | None, id_field: str | None) -> Ask:
    if column is None and (texts := plain_list(path)) is not None:
        return _of_texts(texts, str(path), id_field or "specid")
    table, columns = read_table(path)
    if column is not None:
        table_column = table.find(column)
        if table_column is None:
            raise InputError(f"{path}: no column {column}; {table.found}")
        column = table_column
    name = column or _id_column(table, id_field, bare=True)
    if name is None:
        raise InputError(
            f"{path}: no column of identifiers; name it as FILE:COLUMN; columns found: {', '.join(columns)}"
        )
    return _of_column(path, columns, name, id_field)


def plain_list(path: Path) -> list[str] | None:
    """Identifiers of a text file with one a line; None if it is another kind of file.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            if b"\0" in file.read(4096):
                return None
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    texts = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return texts if texts and is_identifier(texts[0]) else None


def _id_column(table: Table, id_field: str | None, bare: bool) -> str | None:
    """The column of SPARCL's identifiers; those of other archives (obsid, source_id) are numbers of other things.

    A bare ``id`` may be a running number: it is taken only where nothing else tells which stars are meant.
    """
    names = (
        ("specid", "specobjid")
        if id_field == "specid"
        else (id_field,)
        if id_field
        else ("specid", "specobjid", "targetid")
    )
    candidates = [name for name in (table.find(one) for one in names) if name is not None]
    sparcl_id = table.find("sparcl_id")
    if sparcl_id is None and len(candidates) > 1:
        raise two_columns(str(table.path), candidates[0], candidates[1], "id")
    return sparcl_id or next(iter(candidates), None) or (table.find("id") if bare else None)


def _of_column(path: Path, columns: dict[str, Column], name: str, id_field: str | None) -> Ask:
    column = columns[name]
    keys = {part: columns[spelt].text().tolist() for part, spelt in key_parts(columns).items()}
    if column.is_text and UUID.fullmatch(str(column.text()[0])):
        return _distinct("sparcl_id", [text.lower() for text in column.text().tolist()], keys, f"{path}: {name}")
    by = id_field or (name.lower() if name.lower() in ID_FIELDS else "specid")
    # SPARCL's specids of SDSS are unsigned, whatever the column is called.
    values = to_int64(column.values, column.where, column.missing, unsigned=by == "specid").tolist()
    return _distinct(by, values, keys, f"{path}: {name}")


def _of_texts(texts: list[str], where: str, by: str) -> Ask:
    if UUID.fullmatch(texts[0]):
        bad = next((text for text in texts if not UUID.fullmatch(text)), None)
        if bad is not None:
            raise InputError(f"{where}: '{bad}' is not a sparcl_id, as the first is")
        return _distinct("sparcl_id", [text.lower() for text in texts], {}, where)
    bad = next((text for text in texts if not re.fullmatch(r"-?\d+", text)), None)
    if bad is not None:
        raise InputError(f"{where}: '{bad}' is not a whole number, as the first is")
    return _distinct(by, [whole(text, where) for text in texts], {}, where)


def _distinct(by: str, values: list, keys: dict[str, list[str]], where: str) -> Ask:
    """Without what is missing, and what stands there twice."""
    rows: dict[tuple, int] = {}
    for row, value in enumerate(values):
        if value not in (-1, ""):
            rows.setdefault((value, *(keys[part][row] for part in keys)), row)
    if not rows:
        raise InputError(f"{where}: no identifier in it")
    kept = list(rows.values())
    return Ask(by, [values[row] for row in kept], {part: [texts[row] for row in kept] for part, texts in keys.items()})


def _joined(asks: list[Ask]) -> Ask:
    if not asks:
        raise SettingsError("no identifiers given")
    if len(asks) == 1:
        return asks[0]
    parts = {part for ask in asks for part in ask.keys}
    keys = {part: [text for ask in asks for text in ask.keys.get(part, [""] * len(ask))] for part in sorted(parts)}
    return _distinct(asks[0].by, [value for ask in asks for value in ask.values], keys, "--ids")

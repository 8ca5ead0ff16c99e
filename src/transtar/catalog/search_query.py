"""What is searched by: the spectra of a prepared set, one of them, one of a file, or that of an identifier."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets import Report, open_flow, tell_no_velocities
from ..datasets.gathering import embed
from ..datasets.input_writer import same_spectra
from ..datasets.set_files import DESCRIPTION, describe_set
from ..datasets.set_reader import columns_of, read_stars
from ..datasets.set_vectors import Progress, SetVectors, row_vector
from ..datasets.sides import Side, Sides
from ..errors import InputError, SettingsError, shown
from ..flags import BAD, count
from ..preprocess import Preprocessing
from ..surveys import Stated, Survey, get_survey
from ..tables.ids import NO_ID
from ..telling import tell

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}")


@dataclass(frozen=True)
class Native:
    """How a file of spectra is read, if one is searched by.

    Parameters
    ----------
    survey : Survey or str, optional
    how : mapping of str to value
        Arguments of `transtar.datasets.open_flow`: `velocities`, `columns`, `stated`, `threads`.
    """

    survey: Survey | str | None = None
    how: Mapping[str, Any] = field(default_factory=dict)

    def refuse(self, what: str) -> None:
        """Refuse what was said of files, where none is read.

        Raises
        ------
        SettingsError
        """
        stated = self.how.get("stated") or Stated()
        said = {
            "survey": self.survey,
            **stated.as_dict(),
            **{name: self.how.get(name) for name in ("velocities", "columns")},
        }
        given = [name for name, value in said.items() if value]
        if given:
            raise SettingsError(f"{given[0]}: is for files of spectra, and the query is {what}; leave it out")


@dataclass(frozen=True)
class Query:
    """A query as it was given.

    Parameters
    ----------
    path : Path, optional
        Of a set or file.
    row : int, optional
        Of the spectrum in it, from 0.
    id : int, optional
        Identifier of a spectrum of the set that is searched.
    """

    path: Path | None = None
    row: int | None = None
    id: int | None = None

    @property
    def is_set(self) -> bool:
        """Whether it is of a prepared set."""
        return self.path is not None and (self.path / DESCRIPTION).exists()


@dataclass(frozen=True)
class Queries:
    """The spectra searched by.

    Parameters
    ----------
    where : str
        For messages.
    n : int
    values : callable
        Given the first and that after the last, their vectors, shape (n, width), float32.
    columns : callable
        Given the same, what is known of them.
    side : Side
        That made them.
    first : int, optional
        Row of the first in the set that is searched, if they are of it; the others follow.
    """

    where: str
    side: Side
    n: int
    values: Callable[[int, int], np.ndarray]
    columns: Callable[[int, int], dict[str, np.ndarray]]
    first: int | None = None


def read_query(query: object) -> Query:
    """What is meant by ``SET``, ``SET:ROW``, ``FILE``, ``FILE:ROW`` or an identifier.

    Parameters
    ----------
    query : str, path or int

    Returns
    -------
    Query

    Raises
    ------
    InputError
        If it is none of these, or may be two.
    """
    if isinstance(query, int | np.integer) and not isinstance(query, bool):
        return Query(id=_identifier(int(query)))
    text = str(query)
    number = _NUMBER.fullmatch(text)
    if _exists(text):
        if number:
            raise InputError(
                f"query {text}: is the name of a file or folder, and may be an identifier; write ./{text} for the file"
            )
        return _of_path(Path(text), None)
    if number:
        return Query(id=_identifier(int(text)))
    head, colon, row = text.rpartition(":")
    if colon and _exists(head):
        if not re.fullmatch("[0-9]{1,12}", row):
            raise InputError(f"query {shown(text, 300)}: a row is a whole number from 0, not '{shown(row)}'")
        return _of_path(Path(head), int(row))
    raise InputError(
        f"query {shown(text, 300)}: is no prepared set, no file and no identifier; give SET, SET:ROW, FILE, FILE:ROW, or the "
        "identifier of a spectrum of the set that is searched"
    )


def _exists(path: str) -> bool:
    try:
        return bool(path) and Path(path).exists()
    except (OSError, ValueError):
        return False


def _of_path(path: Path, row: int | None) -> Query:
    query = Query(path, row)
    if path.is_dir() and not query.is_set:
        raise InputError(f"{path}: is no prepared set (no {DESCRIPTION}); a query is one, or a single file")
    return query


def _identifier(number: int) -> int:
    if number == NO_ID or not -(2**63) <= number < 2**63:
        raise InputError(
            f"query {shown(number)}: is the identifier of no spectrum: {NO_ID} stands for none, and none is beyond 64 bits"
        )
    return number


@contextmanager
def open_queries(
    query: Query, data: SetVectors, sides: Sides, native: Native, progress: Progress | None = None
) -> Iterator[Queries]:
    """The vectors of a query, and what is known of its spectra.

    Parameters
    ----------
    query : Query
    data : SetVectors
        Of the set that is searched.
    sides : Sides
    native : Native
    progress : callable, optional
        As of `SetVectors`.

    Yields
    ------
    Queries

    Raises
    ------
    InputError
        If there is no such spectrum, more than one, or it has no vector.
    MismatchError
        If a set was prepared otherwise than the encoder takes its spectra, or has its input from another encoder.
    SettingsError
        If a file comes without a survey, or a survey without a file.
    """
    if query.path is None or query.is_set:
        native.refuse("an identifier" if query.path is None else "a prepared set")
    if query.id is not None:
        at = _row_of(query.id, data)
        yield _of_searched(f"identifier {query.id}", at, data)
    elif query.path is not None and not query.is_set:
        yield _of_file(query.path, query.row, sides, native, data)
    elif query.path is not None:
        description = describe_set(query.path)
        row, n = query.row, description["n_spectra"]
        if row is not None and row >= n:
            raise _no_row(query.path, row, n)
        if same_spectra(description, data.description):
            yield _all(query.path, data, 0) if row is None else _of_searched(f"{query.path}:{row}", row, data)
        elif row is not None:
            stars = read_stars(query.path, description).slice(row, 1)
            known = columns_of(query.path, stars, description)
            yield _single(f"{query.path}:{row}", *row_vector(query.path, sides, row), known)
        else:
            with SetVectors(query.path, sides, progress) as vectors:
                yield _all(query.path, vectors)


def _all(path: Path, vectors: SetVectors, first: int | None = None) -> Queries:
    return Queries(
        str(path),
        vectors.side,
        len(vectors),
        vectors.rows,
        lambda start, stop: vectors.columns(np.arange(start, min(stop, len(vectors)))),
        first,
    )


def _of_searched(where: str, row: int, data: SetVectors) -> Queries:
    return _single(where, data.rows(row, row + 1), data.side, data.columns(np.array([row])), row)


def _single(
    where: str, vector: np.ndarray, side: Side, known: dict[str, np.ndarray], first: int | None = None
) -> Queries:
    if not np.isfinite(vector).all() or not vector.any():
        flags = ", ".join(count(known["flags"])) or "none"
        raise InputError(f"{where}: has no embedding to search by; its flags: {flags}")
    return Queries(where, side, 1, lambda start, stop: vector, lambda start, stop: known, first)


def _no_row(path: Path, row: int | None, n: int) -> InputError:
    return InputError(f"{path}: has no row {row}; its spectra are counted from 0 to {n - 1}")


def _row_of(identifier: int, data: SetVectors) -> int:
    ids = data.stars.column("id").to_numpy()
    rows = np.flatnonzero(ids == identifier)
    if not len(rows):
        raise InputError(f"{data.folder}: has no spectrum of the identifier {identifier}")
    if len(rows) > 1:
        named = ", ".join(f"{data.folder}:{row}" for row in rows[:3])
        more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        raise InputError(
            f"{data.folder}: has {len(rows)} spectra of the identifier {identifier}; say which one by its row: {named}{more}"
        )
    return int(rows[0])


def _of_file(path: Path, row: int | None, sides: Sides, native: Native, data: SetVectors) -> Queries:
    """One spectrum of a file, prepared as the encoder takes it."""
    if native.survey is None:
        raise SettingsError(f"{path}: a file is searched by with the survey that it is of: --survey NAME")
    survey = get_survey(native.survey)
    side = sides.for_survey(survey)
    encoder = side.encoder
    prepared = Preprocessing.from_stored(data.description["preprocessing"], str(data.folder))
    settings = encoder.preprocessing or prepared
    flow = open_flow(survey, [path], settings, **native.how)
    report, n, chosen = Report(), 0, None
    # Reading in a thread may leave the filters of warnings changed; they become the caller's again.
    with warnings.catch_warnings(), closing(flow.batches(report)) as batches:
        for batch, spectra in batches:
            if n <= (row or 0) < n + len(batch):
                at = slice((row or 0) - n, (row or 0) - n + 1)
                chosen = batch.select(at), spectra.select(at)
            n += len(batch)
    if not n:
        why = f" ({report.skipped[0][1]})" if report.skipped else ""
        raise InputError(f"{path}: has no spectrum to search by{why}")
    if row is None and n > 1:
        raise InputError(f"{path}: has {n:,} spectra; say which one, counted from 0: {path}:0")
    if row is not None and report.left_out:
        left_out = ", ".join(f"{number} {reason}" for reason, number in report.left_out.items())
        tell(f"{path}: rows of the file that are no spectra of targets are not counted: {left_out}")
    if chosen is None:
        raise _no_row(path, row, n)
    batch, spectra = chosen
    for line in report.lines:
        tell(line)
    flags = count(spectra.flags)
    tell_no_velocities(flow.survey, flags, 1, native.how.get("velocities"))
    if bad := count(spectra.flags & int(BAD)):
        tell(
            f"{path}: the spectrum searched by has the flags {', '.join(bad)}; what is near it may be so for that reason"
        )
    known = {"file": batch.meta["file"], "id": batch.ids, "flags": spectra.flags}
    if "star" in batch.meta:
        known["star"] = batch.meta["star"]
    return _single(str(path), side.compared(embed(encoder, spectra, settings, batch)), side, known)

"""From what is asked for to records of SPARCL: searches by identifier, position or release, in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .ask import Ask
from .sparcl import FAILURES_IN_A_ROW, MOST_RECORDS, Sparcl, whole
from .transport import Refused, TooMuch

ARCSEC = 1 / 3600

NARROWEST = 1e-6
"""Degrees of right ascension that a search is not divided below."""


@dataclass(frozen=True)
class Match:
    """One record that a search gave for what was asked.

    Parameters
    ----------
    row : int
        Which value of the ask.
    fields : dict
        Fields by public name.
    separation : float
        Arcsec from the position asked for; NaN where identifiers were.
    """

    row: int
    fields: dict[str, Any]
    separation: float = float("nan")

    @property
    def name(self) -> str:
        """Its sparcl_id."""
        return self.fields["sparcl_id"]

    @property
    def release(self) -> str:
        """Its data release."""
        return self.fields["data_release"]


@dataclass
class Matches:
    """Records in the order of the ask, and what has none.

    Parameters
    ----------
    matches : list of Match
    failed : dict of int to str
        Rows of the ask for which the search itself failed, and why.
    """

    matches: list[Match] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)


def find_ids(
    sparcl: Sparcl, ask: Ask, constraints: Mapping[str, Sequence[Any]], page: int, on_page: Callable[[int], None]
) -> Matches:
    """Records of identifiers; those of one identifier by release and sparcl_id.

    Parameters
    ----------
    sparcl : Sparcl
    ask : Ask
        Of identifiers.
    constraints : mapping
        What the records must fulfil besides, as `Sparcl.find` takes it.
    page : int
        Identifiers of one question.
    on_page : callable
        Called with the number of identifiers settled.

    Raises
    ------
    Unreachable
        If the connection is lost for good.
    TooMuch, Refused
        If several single identifiers in a row fail.
    """
    # With a compound key, several rows may have one identifier.
    place: dict[Any, list[int]] = {}
    for row, value in enumerate(ask.values):
        place.setdefault(value, []).append(row)
    values = list(place)
    by_row: dict[int, list[dict[str, Any]]] = {}
    result = Matches()
    in_a_row = 0
    stack = [values[start : start + page] for start in range(0, len(values), page)][::-1]
    while stack:
        part = stack.pop()
        try:
            records = sparcl.find({**constraints, ask.by: part}, MOST_RECORDS)
        except (TooMuch, Refused) as error:
            if len(part) == 1:
                result.failed |= dict.fromkeys(place[part[0]], str(error))
                in_a_row += 1
                if in_a_row >= FAILURES_IN_A_ROW or len(values) == 1:
                    raise
                on_page(len(place[part[0]]))
                continue
            records = None
        if records is None or (len(records) >= MOST_RECORDS and len(part) > 1):
            middle = len(part) // 2
            stack += [part[middle:], part[:middle]]
            continue
        in_a_row = 0
        for record in records:
            value = record["sparcl_id"] if ask.by == "sparcl_id" else whole(record.get(ask.by), ask.by)
            for row in place.get(value, ()):
                by_row.setdefault(row, []).append(record)
        on_page(sum(len(place[value]) for value in part))
    for row in sorted(by_row):
        several = sorted(by_row[row], key=lambda record: (record["data_release"], record["sparcl_id"]))
        result.matches += [Match(row, record) for record in several]
    return result


def find_positions(
    sparcl: Sparcl, ask: Ask, constraints: Mapping[str, Sequence[Any]], radius: float, on_page: Callable[[int], None]
) -> Matches:
    """Records within `radius` arcsec of positions, the nearest first; one question for each position.

    SPARCL searches boxes in ra and dec that may not cross ra 0; what a box holds beyond the circle is dropped here.

    Raises
    ------
    Unreachable
        If the connection is lost for good.
    TooMuch, Refused
        If several positions in a row fail.
    """
    result = Matches()
    in_a_row = 0
    for row, (ra, dec) in enumerate(ask.values):
        near: dict[str, Match] = {}
        try:
            for box in boxes(ra, dec, radius * ARCSEC):
                for record in sparcl.find({**constraints, **box}, MOST_RECORDS):
                    apart = separation(ra, dec, float(record["ra"]), float(record["dec"])) / ARCSEC
                    if apart <= radius:
                        near[record["sparcl_id"]] = Match(row, record, apart)
        except (TooMuch, Refused) as error:
            result.failed[row] = str(error)
            in_a_row += 1
            if in_a_row >= FAILURES_IN_A_ROW or len(ask) == 1:
                raise
            on_page(1)
            continue
        in_a_row = 0
        result.matches += sorted(near.values(), key=lambda match: (match.separation, match.release, match.name))
        on_page(1)
    return result


def find_release(sparcl: Sparcl, constraints: Mapping[str, Sequence[Any]], limit: int | None) -> Matches:
    """Records that fulfil constraints, whichever they are, in the service's own order.

    Where more are wanted than one answer may hold, the sky is divided in right ascension until each part fits.

    Parameters
    ----------
    sparcl : Sparcl
    constraints : mapping
        As `Sparcl.find` takes them.
    limit : int or None
        At most so many; all if None.
    """
    records: dict[str, dict[str, Any]] = {}
    for record in _divided(sparcl, constraints, limit, None):
        records[record["sparcl_id"]] = record
        if limit is not None and len(records) >= limit:
            break
    return Matches([Match(row, record) for row, record in enumerate(records.values())])


def _divided(
    sparcl: Sparcl, constraints: Mapping[str, Sequence[Any]], limit: int | None, span: tuple[float, float] | None
) -> Iterator[dict[str, Any]]:
    most = MOST_RECORDS if limit is None else min(limit, MOST_RECORDS)
    records = sparcl.find({**constraints, **({} if span is None else {"ra": span})}, most)
    start, end = span or (0.0, 360.0)
    if len(records) < most or most == limit or end - start < NARROWEST:
        yield from records
        return
    middle = (start + end) / 2
    yield from _divided(sparcl, constraints, limit, (start, middle))
    yield from _divided(sparcl, constraints, limit, (middle, end))


def boxes(ra: float, dec: float, radius: float) -> list[dict[str, list[float]]]:
    """Ranges of ra and dec that hold a circle; two where it crosses ra 0. All in degrees."""
    low, high = max(dec - radius, -90.0), min(dec + radius, 90.0)
    ranges = {"dec": [low, high]}
    if low <= -90 or high >= 90:
        return [ranges]
    # Half the width of a small circle in right ascension.
    ratio = np.sin(np.radians(radius)) / np.cos(np.radians(dec))
    half = float(np.degrees(np.arcsin(ratio))) if ratio < 1 else 180.0
    if half >= 180:
        return [ranges]
    first, last = ra - half, ra + half
    if first < 0:
        return [{"ra": [0.0, last], **ranges}, {"ra": [first + 360, 360.0], **ranges}]
    if last > 360:
        return [{"ra": [first, 360.0], **ranges}, {"ra": [0.0, last - 360], **ranges}]
    return [{"ra": [first, last], **ranges}]


def separation(ra: float, dec: float, other_ra: float, other_dec: float) -> float:
    """Angle between two positions, all in degrees (haversine, exact for small angles)."""
    a, b, c, d = np.radians([ra, dec, other_ra, other_dec])
    half = np.sin((d - b) / 2) ** 2 + np.cos(b) * np.cos(d) * np.sin((c - a) / 2) ** 2
    return float(np.degrees(2 * np.arcsin(np.sqrt(min(half, 1.0)))))

"""Validation of a catalog without labels: all checks of all labels, on tables that are read already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...catalog import plain_columns
from ...errors import InputError, TooFew
from ...glossary import LABELS, plain
from ...simulate.mocks.label_bounds import LabelBounds
from ...summary import text_html
from ..catalog import read_flags
from ..regimes import regimes
from ..three_corners import ThreeCorners, three_corners
from .bound import Bound, bound, bounds_of, instrument_of
from .cluster_members import FEWEST_MEMBERS, TREND_UNITS, Clusters, clusters
from .counted_rows import Counted, counted, has_keys, stars_of
from .spread import N_BOOT
from .visits import Scatter, repeats, visits
from .wide_pairs import Pairs, pairs

OWN = ("teff", "logg")
"""Labels that each star has for itself: stars of one birth share abundances only."""

Rows = Callable[[Sequence[str]], np.ndarray]
"""Takes labels and gives the row of a further table for each row of the catalog, -1 for none."""


@dataclass(frozen=True)
class Further:
    """A further table, and which of its rows is of which row of the catalog.

    Parameters
    ----------
    name : str
        For messages.
    table : mapping of str to ndarray
    rows : callable
        See `Rows`.
    """

    name: str
    table: Mapping[str, np.ndarray]
    rows: Rows


@dataclass
class LabelChecks:
    """What the checks say of one label.

    Parameters
    ----------
    rows : Counted
        What they are of.
    repeats : dict of str to Scatter
    clusters : Clusters or None
    pairs : Pairs or None
    noise : ThreeCorners or None
        `reference` is the first further catalog, `second` the second, `predicted` the catalog.
    bound : Bound or None
    constant : bool
        Whether the stated error is one number for all stars.
    """

    rows: Counted
    repeats: dict[str, Scatter] = field(default_factory=dict)
    clusters: Clusters | None = None
    pairs: Pairs | None = None
    noise: ThreeCorners | None = None
    bound: Bound | None = None
    constant: bool = False


@dataclass(frozen=True, repr=False)
class Validation:
    """Checks of a catalog; prints as the lines that `transtar validate` shows.

    Parameters
    ----------
    labels : dict of str to LabelChecks
    n_rows : int
        Rows of the catalog.
    columns : mapping of str to ndarray
        The catalog.
    notes : list of str
        What a reader should know, and which checks could not be made.
    seconds : tuple of str
        Names of the two further catalogs.
    """

    labels: dict[str, LabelChecks]
    n_rows: int
    columns: Mapping[str, np.ndarray]
    notes: list[str] = field(default_factory=list)
    seconds: tuple[str, ...] = ()

    def __repr__(self) -> str:
        from .validation_lines import format_validation

        return format_validation(self)

    def _repr_html_(self) -> str:
        return text_html(repr(self))


@dataclass(frozen=True)
class Wanted:
    """Which checks are made, beside repeats, which are made wherever there are any.

    Parameters
    ----------
    repeats : bool
        Whether it is an error if there are none.
    members : Further or None
        With the column ``cluster``.
    pairs : (ndarray, ndarray) or None
        Rows of the catalog in any visit, of either star of each pair, -1 where it is not in the catalog.
    seconds : tuple of Further
        Two, or none.
    bound : str or None
        Instrument, '' for that of the survey, None for no bound.
    """

    repeats: bool = False
    members: Further | None = None
    pairs: tuple[np.ndarray, np.ndarray] | None = None
    seconds: tuple[Further, ...] = ()
    bound: str | None = None


def validate_catalog(
    catalog: Mapping[str, np.ndarray],
    wanted: Wanted | None = None,
    labels: Sequence[str] | None = None,
    *,
    keep_bad: bool = False,
    n_boot: int = N_BOOT,
    seed: int = 0,
    progress: Callable[[int], object] = lambda n: None,
) -> Validation:
    """Check the errors of a catalog without any label from outside.

    Parameters
    ----------
    catalog : mapping of str to ndarray, or astropy.table.QTable
        As from `transtar.catalog.read_columns`.
    wanted : Wanted, optional
        Repeats alone if not given.
    labels : sequence of str, optional
        All that the catalog has, if not given.
    keep_bad : bool
        Count rows with a flag of `transtar.flags.BAD` as well.
    n_boot, seed : int
        As for `transtar.evaluate.validation.spread.spread`.
    progress : callable
        Is told the number of spectra made for the bound.

    Returns
    -------
    Validation

    Raises
    ------
    InputError
        If the catalog has no labels or tells no stars apart, a further table fits nowhere, or a check that was asked for could be
        made of no label; the message says why.
    """
    catalog, wanted = plain_columns(catalog), wanted or Wanted()
    chosen = list(labels) if labels else [name for name in LABELS if name in catalog]
    if not chosen:
        raise InputError(f"the catalog has no label ({', '.join(LABELS[:4])}, ...); it has {', '.join(catalog)}")
    if unknown := [name for name in chosen if name not in LABELS]:
        raise InputError(f"'{unknown[0]}' is no label; those are {', '.join(LABELS)}")
    notes = list(read_flags(catalog, len(next(iter(catalog.values()))))[1])
    if not has_keys(catalog):
        raise InputError(
            "the catalog has no column id or star, which tell its stars apart; choose one, as with --columns star=NAME; "
            f"it has {', '.join(catalog)}"
        )
    star = stars_of(catalog)
    result = Validation(
        {name: LabelChecks(counted(catalog, name, keep_bad, star)) for name in chosen},
        len(star),
        catalog,
        notes,
        tuple(further.name for further in wanted.seconds),
    )
    nothing_else = not (wanted.members or wanted.pairs or wanted.seconds or wanted.bound is not None)
    _each(result, "repeats", _repeats, None, n_boot, seed, needed=wanted.repeats or nothing_else)
    if wanted.members is not None:
        _each(result, "clusters", _clusters, wanted.members, n_boot, seed)
    if wanted.pairs is not None:
        _each(result, "pairs", _pairs, wanted.pairs, n_boot, seed)
    if wanted.seconds:
        _each(result, "noise", _noise, wanted.seconds, n_boot, seed)
    if wanted.bound is not None:
        _each(result, "bound", _bound, _bounds(result, wanted, seed, progress), n_boot, seed)
    for name, checks in result.labels.items():
        known = checks.rows.errors[np.isfinite(checks.rows.errors)]
        checks.constant = len(known) > 1 and float(np.ptp(known)) <= 1e-6 * float(known.max())
        if not len(known):
            notes.append(f"{plain(name)}: no errors are stated ({name}_err), so that there are no pulls")
        elif checks.constant:
            notes.append(f"{plain(name)}: the stated error is one number for all stars, {known[0]:.3g}")
    return result


def _each(result: Validation, what: str, check, given, n_boot: int, seed: int, needed: bool = True) -> None:
    """Make a check of each label; what too few stars forbid becomes a note, or an error if it holds for all labels."""
    of_birth = what in ("clusters", "pairs")
    reasons = [
        f"{what}: {plain(name)}: no label that stars of one birth share"
        for name in result.labels
        if name in OWN and of_birth
    ]
    for name, checks in result.labels.items():
        if name in OWN and of_birth:
            continue
        try:
            setattr(checks, what, check(result, name, checks.rows, given, n_boot, seed))
        except TooFew as error:
            reasons.append(f"{what}: {plain(name)}: {error}")
    if needed and len(reasons) == len(result.labels):
        raise InputError("; ".join(reasons))
    result.notes.extend(reasons)


def _repeats(result: Validation, name: str, rows: Counted, given: None, n_boot: int, seed: int) -> dict[str, Scatter]:
    known = visits(rows.values, rows.star, rows.snr)
    note = "repeats: the catalog has no column snr, so that nothing is said by S/N"
    if "snr" not in result.columns and note not in result.notes:
        result.notes.append(note)
    return repeats(known, rows.errors, _kinds(result, rows), n_boot, seed)


def _kinds(result: Validation, rows: Counted) -> dict[str, np.ndarray]:
    """Kinds of stars, by the labels of the best visit of each, so that all visits of a star are of one kind."""
    best = rows.best()
    place = np.full(result.n_rows, -1)
    numbers, first = np.unique(rows.star[best], return_index=True)
    where = np.minimum(np.searchsorted(numbers, rows.star), max(len(numbers) - 1, 0))
    if len(numbers):
        place = np.where(numbers[where] == rows.star, best[first][where], -1)
    of_best = {
        name: np.where(place >= 0, np.asarray(result.columns[name], np.float64)[place], np.nan)
        for name in ("teff", "logg", "feh")
        if name in result.columns
    }
    return {name: mask for name, mask in regimes(of_best).items() if "-" not in name} if of_best else {}


def _along(result: Validation) -> dict[str, np.ndarray]:
    return {name: np.asarray(result.columns[name], np.float64) for name in TREND_UNITS if name in result.columns}


def _once(rows: Counted) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best rows, and values and errors that are NaN in all others."""
    best = rows.best()
    values, errors = np.full((2, len(rows.values)), np.nan)
    values[best], errors[best] = rows.values[best], rows.errors[best]
    return best, values, errors


def _clusters(result: Validation, name: str, rows: Counted, members: Further, n_boot: int, seed: int) -> Clusters:
    place = members.rows(["cluster"])
    names = np.where(place >= 0, np.asarray(members.table["cluster"]).astype(str)[place], "")
    _, values, errors = _once(rows)
    literature = None
    if name in members.table:
        literature = np.where(place >= 0, np.asarray(members.table[name], np.float64)[place], np.nan)
    known = clusters(names, values, errors, _along(result), literature, n_boot, seed)
    if known.too_small:
        result.notes.append(
            f"clusters: {plain(name)}: clusters of fewer than {FEWEST_MEMBERS} members, which say nothing: {known.too_small}"
        )
    return known


def _pairs(result: Validation, name: str, rows: Counted, given, n_boot: int, seed: int) -> Pairs:
    best, values, errors = _once(rows)
    of_star = dict(zip(rows.star[best].tolist(), best.tolist(), strict=True))
    present = (given[0] >= 0) & (given[1] >= 0)
    first, second = (
        np.array([of_star.get(number, -1) for number in rows.star[side[present]].tolist()], np.int64) for side in given
    )
    usable = (first >= 0) & (second >= 0) & (first != second)
    absent = int((~present).sum())
    try:
        known = pairs(first[usable], second[usable], values, errors, _along(result), best, n_boot, seed)
    except TooFew as error:
        raise TooFew(f"{error}; of {len(given[0])} pairs {absent} have a star that is not in the catalog") from None
    lost = len(given[0]) - len(known.differences)
    if lost:
        result.notes.append(
            f"pairs: {plain(name)}: {lost} of {len(given[0])} pairs left out: of {absent} a star is not in the catalog, of "
            f"{lost - absent} one has no value that counts, or both are one star"
        )
    if known.strangers is None:
        result.notes.append(f"pairs: {plain(name)}: too few stars for pairs of unrelated stars")
    return known


def _noise(result: Validation, name: str, rows: Counted, seconds, n_boot: int, seed: int) -> ThreeCorners:
    if lack := [further.name for further in seconds if name not in further.table]:
        raise TooFew(f"{' and '.join(lack)}: no column {name}, so that nothing is said of its noise")
    best, values, _ = _once(rows)
    others = []
    for further in seconds:
        place = further.rows([name])
        others.append(np.where(place >= 0, np.asarray(further.table[name], np.float64)[place], np.nan)[best])
    try:
        return three_corners(others[0], others[1], values[best], n_boot, seed)
    except TooFew:
        raise
    except InputError as error:
        # Copies, of one label of several: the others are measured all the same.
        first, second = (further.name for further in seconds)
        raise TooFew(f"{error} (reference: {first}, second: {second}, prediction: the catalog)") from None


def _bounds(result: Validation, wanted: Wanted, seed: int, progress) -> LabelBounds:
    instrument = instrument_of(result.columns, wanted.bound or "")
    every = [checks.rows for checks in result.labels.values()]
    counts = np.any([np.isfinite(rows.values) for rows in every], axis=0)
    numbers, times = np.unique(every[0].star[counts], return_counts=True)
    repeated = np.flatnonzero(counts & np.isin(every[0].star, numbers[times > 1]))
    known, line = bounds_of(
        result.columns, np.flatnonzero(counts), instrument, None, repeated, seed=seed, progress=progress
    )
    result.notes.append(line)
    return known


def _bound(result: Validation, name: str, rows: Counted, known: LabelBounds, n_boot: int, seed: int) -> Bound:
    return bound(name, known, rows, n_boot, seed)

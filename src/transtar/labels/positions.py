"""Positions on the sky, moved to one epoch, and the nearest of one list to each of another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, SettingsError

AMBIGUOUS = ("drop", "nearest")
"""What becomes of a row with several candidates: it has no match, or the nearest of them."""

_ARCSEC = np.pi / 648000
_KM_YEAR_PER_SECOND = 4.740470464
"""Kilometres a second that one astronomical unit (IAU 2012) a Julian year is."""
_PAIRS = 1 << 22
"""Pairs looked at in one go, which bounds the memory."""


@dataclass(frozen=True)
class Positions:
    """Places of n stars on the sky (ICRS), and their motion where it is known.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        In degrees; NaN where unknown.
    epoch : float or ndarray, shape (n,)
        Julian year in which the stars were there.
    pmra, pmdec : ndarray, shape (n,), optional
        Proper motion in mas/yr, `pmra` with the factor cos(dec). NaN counts as no motion.
    parallax : ndarray, shape (n,), optional
        In mas; matters only with `radial_velocity`. What is not positive counts as zero.
    radial_velocity : ndarray, shape (n,), optional
        In km/s; NaN counts as zero.
    """

    ra: np.ndarray
    dec: np.ndarray
    epoch: float | np.ndarray
    pmra: np.ndarray | None = None
    pmdec: np.ndarray | None = None
    parallax: np.ndarray | None = None
    radial_velocity: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ra)

    @property
    def moves(self) -> bool:
        """Whether proper motions are given at all."""
        return self.pmra is not None and self.pmdec is not None

    @property
    def moving(self) -> np.ndarray:
        """Rows whose proper motion is known: bool, shape (n,)."""
        if self.pmra is None or self.pmdec is None:
            return np.zeros(len(self), dtype=bool)
        return np.isfinite(self.pmra) & np.isfinite(self.pmdec)

    @property
    def known(self) -> np.ndarray:
        """Rows that have a position: bool, shape (n,)."""
        return np.isfinite(self.ra) & np.isfinite(self.dec) & (np.abs(self.dec) <= 90)

    def take(self, rows: np.ndarray) -> Positions:
        """Those of some rows."""
        epoch = self.epoch[rows] if isinstance(self.epoch, np.ndarray) else self.epoch
        columns = (self.pmra, self.pmdec, self.parallax, self.radial_velocity)
        return Positions(self.ra[rows], self.dec[rows], epoch, *(None if c is None else c[rows] for c in columns))

    def at(self, epoch: float) -> np.ndarray:
        """Directions at an epoch, by uniform motion along a straight line in space (ESA 1997, SP-1200, vol. 1, 1.5.5).

        Without parallax or radial velocity the line is taken to be square to the line of sight.

        Parameters
        ----------
        epoch : float
            Julian year.

        Returns
        -------
        ndarray, shape (n, 3), float64
            Unit vectors; NaN where there is no position.
        """
        ra, dec = np.radians(np.asarray(self.ra, float)), np.radians(np.asarray(self.dec, float))
        ra, dec = (np.where(self.known, angle, np.nan) for angle in (ra, dec))
        here = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
        if self.pmra is None or self.pmdec is None:
            return here
        years = np.broadcast_to(epoch - np.asarray(self.epoch, float), self.ra.shape)
        east = np.stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)], axis=-1)
        north = np.stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)], axis=-1)
        step = years * self.moving * _ARCSEC / 1000
        eastward, northward = np.nan_to_num(self.pmra) * step, np.nan_to_num(self.pmdec) * step
        directions = here + east * eastward[:, None] + north * northward[:, None]
        if self.parallax is not None and self.radial_velocity is not None:
            parallax = np.maximum(np.nan_to_num(self.parallax), 0)
            outward = np.nan_to_num(self.radial_velocity) * parallax / _KM_YEAR_PER_SECOND * step
            directions = directions + here * outward[:, None]
        return directions / np.linalg.norm(directions, axis=-1, keepdims=True)

    def moved(self, epoch: float) -> tuple[np.ndarray, np.ndarray]:
        """Right ascension (0 to 360) and declination at an epoch, in degrees; see `at`."""
        vectors = self.at(epoch)
        return np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])) % 360, np.degrees(_latitude(vectors))


@dataclass(frozen=True)
class PositionReport:
    """What became of every row of both lists.

    Parameters
    ----------
    radius : float
        In arcsec.
    epoch : float
        Julian year at which positions were compared.
    matched, alone, ambiguous, contested, placeless : int
        Our rows with a match; with nothing within the radius; with several candidates; whose match went to a row of ours
        that is nearer to it; without position.
    unused, placeless_theirs : int
        Rows of theirs that are no one's match; those without position, which are among them.
    still, still_theirs : int
        Rows without proper motion, which are taken to stand still.
    median : float
        Separation of the matches in arcsec; NaN if there are none.
    dropped : bool
        Whether ambiguous rows have no match; else they are among the matched.
    """

    radius: float
    epoch: float
    matched: int
    alone: int
    ambiguous: int
    contested: int
    placeless: int
    unused: int
    placeless_theirs: int
    still: int
    still_theirs: int
    median: float
    dropped: bool = True

    def describe(self, name: str, other_name: str) -> str:
        """One line to show; `name` and `other_name` name both lists."""
        choice = "dropped" if self.dropped else "the nearest taken"
        near = f" (median separation {self.median:.2f} arcsec)" if self.matched else ""
        return (
            f"{name} and {other_name} by position within {self.radius:g} arcsec at epoch {self.epoch:g}: {self.matched} rows "
            f"matched{near}; of {name} {self.alone} have none near, {self.ambiguous} are ambiguous ({choice}), "
            f"{self.contested} gave way to a nearer one and {self.placeless} have no position; of {other_name} {self.unused} "
            f"rows are unused, {self.placeless_theirs} of them without position; taken to stand still for want of a proper "
            f"motion: {self.still} of {name}, {self.still_theirs} of {other_name}"
        )


def common_epoch(stars: Positions, others: Positions) -> float:
    """Epoch at which two lists are best compared: of the one that cannot be moved; of the first if both can or neither."""
    fixed = others if stars.moves and not others.moves else stars
    epochs = np.atleast_1d(np.asarray(fixed.epoch, float))
    return float(np.median(epochs[np.isfinite(epochs)])) if np.isfinite(epochs).any() else 2000.0


def check_radius(radius: float) -> None:
    """Refuse a radius, in arcsec, that is not above 0 and below one degree.

    Raises
    ------
    SettingsError
    """
    if not 0 < radius < 3600:
        raise SettingsError(f"radius must be above 0 and below 3600 arcsec, not {radius}")


def match_positions(
    ours: Positions,
    theirs: Positions,
    radius: float = 1.0,
    *,
    epoch: float | None = None,
    ambiguous: str = "drop",
    one_to_one: bool = True,
) -> tuple[np.ndarray, PositionReport]:
    """Find the star of another list at the place of each of ours.

    Both lists are moved to one epoch. The match is the nearest within the radius. A row of ours with a second candidate
    within the radius is ambiguous. Where several rows of ours have the same match, the nearest to it keeps it, and the
    others have none. Neither depends on the order of rows.

    Parameters
    ----------
    ours, theirs : Positions, of n and m stars
    radius : float
        In arcsec.
    epoch : float, optional
        Julian year at which positions are compared; see `common_epoch` for the default.
    ambiguous : str
        'drop' leaves ambiguous rows without match, 'nearest' takes the nearest candidate.
    one_to_one : bool
        False lets rows of ours share a match, as repeated observations of one star do.

    Returns
    -------
    rows : ndarray of int64, shape (n,)
        Place in `theirs`, -1 where there is no match.
    report : PositionReport

    Raises
    ------
    SettingsError
        If the radius is not positive and finite, or `ambiguous` is something else.
    InputError
        If one of the lists has no position at all.
    """
    check_radius(radius)
    if ambiguous not in AMBIGUOUS:
        raise SettingsError(f"ambiguous must be {' or '.join(AMBIGUOUS)}, not '{ambiguous}'")
    for stars, name in ((ours, "first"), (theirs, "second")):
        if len(stars) and not stars.known.any():
            raise InputError(f"none of the {len(stars)} rows of the {name} list has a position")
    epoch = common_epoch(ours, theirs) if epoch is None else float(epoch)
    rows, separation, candidates = nearest_rows(ours, theirs, radius, epoch)
    unclear = candidates > 1
    if ambiguous == "drop":
        rows[unclear] = -1
    contested = _contested(rows, separation, ours) if one_to_one else np.zeros(len(ours), dtype=bool)
    rows[contested] = -1
    matched = rows >= 0
    return rows, PositionReport(
        radius=radius,
        epoch=epoch,
        matched=int(matched.sum()),
        alone=int((ours.known & (candidates == 0)).sum()),
        ambiguous=int(unclear.sum()),
        contested=int(contested.sum()),
        placeless=int((~ours.known).sum()),
        unused=len(theirs) - len(np.unique(rows[matched])),
        placeless_theirs=int((~theirs.known).sum()),
        still=int((ours.known & ~ours.moving).sum()),
        still_theirs=int((theirs.known & ~theirs.moving).sum()),
        median=float(np.median(separation[matched])) if matched.any() else float("nan"),
        dropped=ambiguous == "drop",
    )


def nearest_rows(
    stars: Positions, others: Positions, radius: float, epoch: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the nearest of other stars to each of some, both moved to one epoch; neither list's order matters.

    Parameters
    ----------
    stars, others : Positions, of n and m stars
    radius : float
        In arcsec.
    epoch : float
        Julian year.

    Returns
    -------
    rows : ndarray of int64, shape (n,)
        Place in `others`, -1 where none is within the radius.
    separation : ndarray of float64, shape (n,)
        In arcsec; infinite where there is none.
    candidates : ndarray of int64, shape (n,)
        How many are within the radius.
    """
    rows = np.full(len(stars), -1, dtype=np.int64)
    separation = np.full(len(stars), np.inf)
    candidates = np.zeros(len(stars), dtype=np.int64)
    for i, j, distance in near_pairs(stars.at(epoch), others.at(epoch), radius):
        order = np.lexsort((others.dec[j], others.ra[j], distance, i))
        i, j, distance = i[order], j[order], distance[order]
        first = np.append(True, i[1:] != i[:-1])
        rows[i[first]], separation[i[first]] = j[first], distance[first]
        candidates += np.bincount(i, minlength=len(stars))
    return rows, separation, candidates


def _contested(rows: np.ndarray, separation: np.ndarray, stars: Positions) -> np.ndarray:
    """Rows whose match is nearer to another row."""
    matched = np.flatnonzero(rows >= 0)
    order = matched[np.lexsort((stars.dec[matched], stars.ra[matched], separation[matched], rows[matched]))]
    lost = np.zeros(len(rows), dtype=bool)
    lost[order[1:]] = rows[order][1:] == rows[order][:-1]
    return lost


def near_pairs(
    directions: np.ndarray, others: np.ndarray, radius: float
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of directions within a radius, all those of one row of the first list together.

    The others are sorted by declination, and of each of the first only the strip of the sky within the radius is looked at.

    Parameters
    ----------
    directions, others : ndarray, shapes (n, 3) and (m, 3)
        Unit vectors; NaN is near nothing.
    radius : float
        In arcsec.

    Yields
    ------
    i, j : ndarray of int64
        Rows of both.
    separation : ndarray
        In arcsec.
    """
    rows, other_rows = (np.flatnonzero(np.isfinite(vectors[:, 0])) for vectors in (directions, others))
    latitude, other = _latitude(directions[rows]), _latitude(others[other_rows])
    order = np.argsort(other, kind="stable")
    other_rows, other = other_rows[order], other[order]
    # A little wider than the radius, for the rounding of angles.
    reach = radius * _ARCSEC * (1 + 1e-9) + 1e-14
    first = np.searchsorted(other, latitude - reach, side="left")
    number = np.searchsorted(other, latitude + reach, side="right") - first
    block = np.cumsum(number) // _PAIRS
    for value in np.unique(block):
        these = np.flatnonzero((block == value) & (number > 0))
        if not len(these):
            continue
        n = number[these]
        start = np.repeat(first[these] - np.append(0, np.cumsum(n)[:-1]), n)
        i, j = np.repeat(rows[these], n), other_rows[start + np.arange(n.sum())]
        chord = np.linalg.norm(directions[i] - others[j], axis=1)
        near = chord <= 2 * np.sin(radius * _ARCSEC / 2)
        if near.any():
            yield i[near], j[near], 2 * np.arcsin(chord[near] / 2) / _ARCSEC


def _latitude(vectors: np.ndarray) -> np.ndarray:
    # Not by arcsin, which loses digits at the poles.
    return np.arctan2(vectors[:, 2], np.hypot(vectors[:, 0], vectors[:, 1]))

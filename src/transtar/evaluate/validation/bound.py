"""Repeats and stated errors against the Cramer-Rao bound of the same spectra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ...errors import InputError, TooFew
from ...preprocess import Preprocessing
from ...simulate import load_emulator
from ...simulate.instruments.instrument import INSTRUMENTS
from ...simulate.mocks.label_bounds import LabelBounds, label_bounds
from ...simulate.mocks.moved import NEEDED, STEPS
from .counted_rows import Counted
from .spread import FEWEST, N_BOOT, Pulls, pulls
from .visits import Visits, bins, name_of, visits

MOST_STARS = 1000
"""Spectra whose bound is told; of more a part is drawn, those with repeats first. Each takes 10 ms."""


@dataclass(frozen=True)
class BoundBin:
    """Stars of one range of S/N.

    Parameters
    ----------
    n : int
    snr : float
        Median.
    bound, alone : float
        Median Cramer-Rao bound with all labels taken from the spectrum, and with the others known.
    stated : float
        Median stated error; NaN if none.
    repeats : Pulls or None
        Repeats over the bounds of their visits: by how much visits scatter more than the bound. None where too few.
    """

    n: int
    snr: float
    bound: float
    alone: float
    stated: float
    repeats: Pulls | None


@dataclass(frozen=True)
class Bound:
    """Bounds of one label.

    Parameters
    ----------
    bins : dict of str to BoundBin
        'all' first.
    rows : ndarray, shape (n,), int
        Rows of the catalog.
    bounds, alone : ndarray, shape (n,), float64
        As in `transtar.simulate.mocks.label_bounds.LabelBounds`.
    """

    bins: dict[str, BoundBin]
    rows: np.ndarray
    bounds: np.ndarray
    alone: np.ndarray


def instrument_of(catalog: Mapping[str, np.ndarray], name: str = "") -> str:
    """The instrument of the stars of a catalog: the one named, or that of its survey.

    Raises
    ------
    InputError
        If it cannot be simulated, or the catalog tells no survey, or several.
    """
    if not name:
        surveys = sorted(set(np.asarray(catalog.get("survey", ())).astype(str).tolist()))
        if len(surveys) != 1:
            told = f"is of several surveys ({', '.join(surveys)})" if surveys else "does not tell its survey"
            raise InputError(
                f"the Cramer-Rao bound: the catalog {told}; name the instrument, as with --bound {next(iter(INSTRUMENTS))}"
            )
        name = surveys[0]
    if name not in INSTRUMENTS:
        raise InputError(f"the Cramer-Rao bound: '{name}' is not one of the instruments {', '.join(INSTRUMENTS)}")
    return name


def bounds_of(
    catalog: Mapping[str, np.ndarray],
    candidates: np.ndarray,
    instrument: str,
    settings: Preprocessing | None = None,
    preferred: np.ndarray | None = None,
    most: int = MOST_STARS,
    seed: int = 0,
    progress: Callable[[int], object] = lambda n: None,
) -> tuple[LabelBounds, str]:
    """Tell the bounds of rows of a catalog, at the labels that it gives them.

    Parameters
    ----------
    catalog : mapping of str to ndarray, shape (n_rows,)
        With teff, logg, feh and snr; alphafe and velocity if known.
    candidates : ndarray, int
        Rows that count.
    instrument : str
    settings : Preprocessing, optional
        Of the spectra; that of 'blue', in the rest frame, if not given.
    preferred : ndarray, int, optional
        Rows that go first where there are too many.
    most, seed : int
        Rows at most, and what draws them.
    progress : callable
        Is told the number of spectra made.

    Returns
    -------
    LabelBounds
        Its `rows` are those of the catalog.
    str
        A line on what was left out.

    Raises
    ------
    InputError
        If a column is missing, or no star is left.
    """
    if absent := [name for name in (*NEEDED, "snr") if name not in catalog]:
        raise InputError(
            f"the Cramer-Rao bound needs the columns {', '.join((*NEEDED, 'snr'))}; the catalog has no {', '.join(absent)}"
        )
    rng = np.random.default_rng(seed)
    first = np.intersect1d(candidates, np.empty(0, np.int64) if preferred is None else preferred)
    order = np.concatenate([rng.permutation(first), rng.permutation(np.setdiff1d(candidates, first))])
    rows = np.sort(order[:most].astype(np.int64))
    labels = {name: np.asarray(catalog[name], np.float64)[rows] for name in (*NEEDED, "alphafe") if name in catalog}
    velocity = np.asarray(catalog["velocity"], np.float64)[rows] if "velocity" in catalog else None
    known = label_bounds(
        labels,
        np.asarray(catalog["snr"], np.float64)[rows],
        load_emulator(),
        INSTRUMENTS[instrument],
        settings or Preprocessing(),
        velocity,
        progress,
    )
    reasons = dict(known.left_out)
    if len(candidates) > len(rows):
        reasons["not drawn"] = len(candidates) - len(rows)
    said = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
    line = f"Cramer-Rao bounds of {len(known.rows)} spectra of {instrument}" + (f"; left out: {said}" if said else "")
    return LabelBounds(rows[known.rows], known.left_out, known.bounds, known.alone), line


def bound(label: str, known: LabelBounds, rows: Counted, n_boot: int = N_BOOT, seed: int = 0) -> Bound:
    """Set stated errors and repeats of a label against its bounds.

    Parameters
    ----------
    label : str
        One of `STEPS`.
    known : LabelBounds
        As from `bounds_of`.
    rows : Counted
    n_boot, seed : int
        As for `spread`.

    Returns
    -------
    Bound

    Raises
    ------
    TooFew
        If the label has no derivatives, or fewer than ten of its stars have a bound.
    """
    if label not in STEPS:
        raise TooFew(f"no Cramer-Rao bound, for the emulator has derivatives of {', '.join(STEPS)} only")
    usable = np.isfinite(rows.values[known.rows]) & np.isfinite(known.bounds[label])
    if usable.sum() < FEWEST:
        raise TooFew(f"{usable.sum()} of its stars have a Cramer-Rao bound, and {FEWEST} are needed")
    places = known.rows[usable]
    least, alone = known.bounds[label][usable], known.alone[label][usable]
    every = np.full(len(rows.values), np.nan)
    every[places] = least
    repeated = _repeated(rows, every)
    snr, stated = rows.snr[places], rows.errors[places]
    out = {}
    for name, low, high in (("all", 0.0, np.inf), *((name_of(*ends), *ends) for ends in bins())):
        mask = (snr >= low) & (snr < high)
        if mask.sum() < FEWEST and name != "all":
            continue
        middle = np.nanmedian(stated[mask]) if np.isfinite(stated[mask]).any() else np.nan
        out[name] = BoundBin(
            int(mask.sum()),
            float(np.median(snr[mask])),
            float(np.median(least[mask])),
            float(np.median(alone[mask])),
            float(middle),
            _over(repeated, every, low, high, n_boot, seed),
        )
    return Bound(out, places, least, alone)


def _repeated(rows: Counted, least: np.ndarray) -> Visits | None:
    try:
        return visits(np.where(np.isfinite(least), rows.values, np.nan), rows.star, rows.snr)
    except TooFew:
        return None


def _over(known: Visits | None, least: np.ndarray, low: float, high: float, n_boot: int, seed: int) -> Pulls | None:
    if known is None:
        return None
    inside = (known.snr >= low) & (known.snr < high)
    if not inside.any():
        return None
    carried = known.errors(least[known.rows])
    return pulls(known.residuals[inside], carried[inside], known.star[inside], least[known.rows][inside], n_boot, seed)

"""What a page to look into shows of a catalog: its rows, the labels of others beside them, and the spectra of some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..catalog import plain_columns
from ..checks import check_whole
from ..datasets.prepared import star_names
from ..errors import InputError, shown
from ..evaluate import Evaluation, evaluate_catalog
from ..evaluate.catalog import match, read_flags
from ..flags import BAD, has
from ..glossary import LABELS
from .shown_spectra import ShownSpectra, SpectraOfSet

MOST_SPECTRA, MOST_ROWS = 500, 100_000
"""Stars with spectra, and rows of the catalog, that a page holds if nothing else is asked for."""

CHOSEN, FLAGGED, FAR, MISFIT, RANDOM = "chosen", "flagged", "far from its reference", "highest misfit", "random"
"""Why the spectrum of a star is shown."""

PARTS = {
    "flags": "flags",
    "one-to-one": "the one-to-one plot",
    "spectra": "spectra",
    "error": "errors of the flux",
    "twin": "spectra of the emulator",
    "gradients": "gradients",
    "neighbours": "labelled stars beside each star",
}
"""What a page may lack, in words."""

N_BOOT = 200
"""Bootstrap samples of the errors of R2."""


@dataclass(frozen=True, eq=False)
class Inspected:
    """A catalog as a page shows it.

    Parameters
    ----------
    columns : dict of str to ndarray, shape (n,)
        ``name`` (star, else id, else file), ``file``, ``id``, ``snr``, ``misfit``, ``flags`` (int64), labels and their errors;
        those that the catalog has.
    labels : tuple of str
        Labels among them.
    reference : dict of str to ndarray, shape (n,), float64
        Labels of others, NaN where there is none.
    n_rows : int
        Rows of the whole catalog, of which the columns may be a sample.
    evaluation : Evaluation or None
        Scores over the whole catalog.
    spectra : ShownSpectra or None
        Their `rows` are those of `columns`.
    why : ndarray, shape (n_shown,), str
        Why each spectrum is shown: 'chosen', 'flagged', 'far from its reference', 'highest misfit' or 'random'.
    absent : dict of str to str
        What of `PARTS` is left out, and why.
    notes : list of str
        What a reader should know.
    """

    columns: dict[str, np.ndarray]
    labels: tuple[str, ...]
    reference: dict[str, np.ndarray]
    n_rows: int
    evaluation: Evaluation | None = None
    spectra: ShownSpectra | None = None
    why: np.ndarray = field(default_factory=lambda: np.zeros(0, "U1"))
    absent: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def inspect(
    catalog: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray] | None = None,
    source: SpectraOfSet | None = None,
    *,
    stars: Sequence[str] = (),
    most: int = MOST_SPECTRA,
    most_rows: int = MOST_ROWS,
    seed: int = 0,
) -> Inspected:
    """Gather what a page shows of a catalog.

    Parameters
    ----------
    catalog : mapping of str to ndarray, shape (n,)
        As from `transtar.catalog.read_columns` or `transtar.read_catalog`.
    reference : mapping of str to ndarray, optional
        Labels of the same stars, as from `transtar.labels.read_labels`; those of the set if not given.
    source : SpectraOfSet, optional
        Where spectra are from; without it none are shown.
    stars : sequence of str
        Identifiers, names or files of stars whose spectra are wanted in any case.
    most : int
        Stars with spectra at most: those of `stars`, then two fifths flagged bad, two fifths with the greatest difference from
        the reference or the greatest misfit, and the others at random.
    most_rows : int
        Rows shown at most; of more a sample, drawn at random, with all that have a spectrum.
    seed : int
        Of the draws.

    Returns
    -------
    Inspected

    Raises
    ------
    InputError
        If the catalog has no rows, a star of `stars` is not in it, or the set or the reference has none of its stars.
    MismatchError
        If a model wants its spectra otherwise than the set has them.
    SettingsError
        If a number of stars or rows is impossible.
    """
    check_whole(most, "most", 1)
    check_whole(most_rows, "most_rows", 1)
    catalog = plain_columns(catalog)
    n = len(next(iter(catalog.values()), ()))
    if not n:
        raise InputError("the catalog has no rows")
    columns, labels = _columns(catalog, n)
    columns["flags"], notes = read_flags(catalog, n)
    absent: dict[str, str] = {}
    if "flags" not in catalog:
        absent["flags"] = "the catalog has no column 'flags'"
    wanted = _rows_of(stars, catalog, columns)
    where = source.places(catalog) if source is not None else np.full(n, -1)
    if reference is None and source is not None and source.has_labels:
        reference = source.stars
    of_others, evaluation = _compared(catalog, reference, labels, absent)
    rows, why = np.zeros(0, np.int64), np.zeros(0, "U1")
    if source is None:
        absent["spectra"] = "no prepared set was given (--data)"
        if len(stars):
            raise InputError(
                "spectra of stars are wanted (--stars), and no prepared set is given that has them (--data)"
            )
    else:
        without = wanted[where[wanted] < 0]
        if len(without):
            raise InputError(f"{source.folder}: has no spectrum of {shown(str(columns['name'][without[0]]))} (--stars)")
        ranks = _ranks(columns, labels, of_others, evaluation)
        rows, why = _choose(wanted, np.flatnonzero(where >= 0), columns["flags"], ranks, most, seed)
    kept = _kept_rows(n, rows, most_rows, seed)
    if len(kept) < n:
        notes.append(
            f"{len(kept):,} of {n:,} rows are shown: all that have a spectrum here, and the others drawn at random; "
            "scores are those of all rows"
        )
    spectra = None
    if source is not None:
        predicted = {name: columns[name][rows].astype(np.float64) for name in labels}
        spectra = source.read(where[rows], np.searchsorted(kept, rows), predicted)
        has_flux = np.isfinite(spectra.flux).any(axis=1)
        spectra, why = spectra.select(has_flux), why[has_flux]
        absent |= spectra.absent
    return Inspected(
        {name: values[kept] for name, values in columns.items()},
        labels,
        {name: values[kept] for name, values in of_others.items()},
        n,
        evaluation,
        spectra,
        why,
        absent,
        notes,
    )


def _columns(catalog: Mapping[str, np.ndarray], n: int) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The columns that pages know, and the labels among them."""
    labels = tuple(name for name in LABELS if name in catalog and np.asarray(catalog[name]).ndim == 1)
    columns = {"file": np.asarray(catalog.get("file", np.full(n, ""))).astype(str)}
    columns["id"] = np.asarray(catalog.get("id", np.full(n, -1, np.int64)))
    columns["star"] = np.asarray(catalog.get("star", np.full(n, ""))).astype(str)
    columns["name"] = star_names(columns)
    errors = [f"{name}_err" for name in labels if f"{name}_err" in catalog]
    for name in ("snr", "misfit", *labels, *errors):
        if name in catalog:
            columns[name] = np.asarray(catalog[name], np.float32)
    return columns, labels


def _rows_of(stars: Sequence[str], catalog: Mapping, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows of stars that were asked for by identifier, name or file."""
    rows: list[np.ndarray] = []
    for wanted in stars:
        by_id = columns["id"] == int(wanted) if wanted.lstrip("+-").isdigit() and len(wanted) < 20 else False
        here = np.flatnonzero(by_id | (columns["star"] == wanted) | (columns["file"] == wanted))
        if not len(here):
            raise InputError(f"no row of the catalog has the id, star or file {shown(wanted)} (--stars)")
        rows.append(here)
    return np.unique(np.concatenate(rows)) if rows else np.zeros(0, np.int64)


def _compared(
    catalog: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray] | None,
    labels: Sequence[str],
    absent: dict[str, str],
) -> tuple[dict[str, np.ndarray], Evaluation | None]:
    """Reference labels row by row, and scores of those that the catalog has, too."""
    if reference is None:
        absent["one-to-one"] = "no labels to compare with were given (--labels, or a set that has labels)"
        return {}, None
    known = [
        name for name in LABELS if name in reference and np.isfinite(np.asarray(reference[name], np.float64)).any()
    ]
    both = [name for name in known if name in labels]
    places = match(
        catalog, {name: values for name, values in reference.items() if name not in LABELS or name in known}, known
    )
    of_others = {name: np.where(places >= 0, np.asarray(reference[name], np.float64)[places], np.nan) for name in known}
    if not both:
        absent["one-to-one"] = "catalog and reference labels have no label in common"
        return of_others, None
    return of_others, evaluate_catalog(catalog, reference, both, N_BOOT)


def _ranks(
    columns: Mapping[str, np.ndarray],
    labels: Sequence[str],
    reference: Mapping[str, np.ndarray],
    evaluation: Evaluation | None,
) -> dict[str, np.ndarray]:
    """By what the worst stars are told: difference from the reference in sigma, greatest of all labels, and the misfit."""
    ranks = {}
    if evaluation is not None:
        off = np.full(len(columns["flags"]), -np.inf)
        for name, scores in evaluation.metrics.items():
            sigma = scores.get("all", {}).get("sigma", np.nan)
            if np.isfinite(sigma) and sigma > 0:
                difference = np.abs(columns[name].astype(np.float64) - reference[name]) / sigma
                off = np.fmax(off, difference)
        ranks[FAR] = off
    if "misfit" in columns:
        ranks[MISFIT] = np.nan_to_num(columns["misfit"].astype(np.float64), nan=-np.inf)
    return ranks


def _choose(
    wanted: np.ndarray, usable: np.ndarray, flags: np.ndarray, ranks: Mapping[str, np.ndarray], most: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose spectra are shown, in the order of the catalog, and why."""
    random = np.random.default_rng(seed)
    reasons: dict[int, str] = dict.fromkeys(wanted.tolist(), CHOSEN)
    share = max(most - len(reasons), 0) * 2 // 5

    def take(candidates: np.ndarray, many: int, reason: str) -> None:
        new = [row for row in candidates.tolist() if row not in reasons]
        reasons.update(dict.fromkeys(new[:many], reason))

    take(random.permutation(usable[has(flags[usable], BAD)]), share, FLAGGED)
    for reason, rank in ranks.items():
        ordered = usable[np.argsort(-rank[usable], kind="stable")]
        take(ordered[np.isfinite(rank[ordered])], share // len(ranks), reason)
    take(random.permutation(usable), most - len(reasons), RANDOM)
    rows = np.array(sorted(reasons), np.int64)
    return rows, np.array([reasons[row] for row in rows.tolist()], np.str_)


def _kept_rows(n: int, rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Rows that are shown, in the order of the catalog."""
    if n <= most:
        return np.arange(n)
    others = np.setdiff1d(np.arange(n), rows)
    drawn = np.random.default_rng(seed).permutation(others)[: max(most - len(rows), 0)]
    return np.union1d(rows, drawn)

"""Scoring a catalog against reference labels, never on stars its model saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..catalog import plain_columns
from ..errors import InputError, TooFew
from ..flags import BAD, NO_LABEL, Flag, count, has
from ..glossary import LABELS, decimals, plain
from ..labels import compound_key, join
from ..quality import Quality
from ..summary import text_html
from .asked import why_not_asked
from .coverage import coverage
from .metrics import CLIP, METRICS, PASSES, r2, sigma
from .nulls import Scores, null_scores
from .regimes import ALWAYS, MIN_STARS, evaluate, regimes
from .three_corners import Noise, ThreeCorners, three_corners

FLAGGED_BAD = "flagged bad"
"""Reason for which rows with a flag of `BAD` are left out."""

HOT = Quality().hot
"""Teff in K above which models of cool stars have nothing to say."""

SIGMA_SAID = (
    f"standard deviation of predicted minus reference, clipped at {CLIP:g} sigma about the median in at most {PASSES} passes "
    "(as astropy does); 'clipped' counts the stars that this took"
)

WIDTH = 26
"""Characters of the first column."""


@dataclass(frozen=True)
class Scored:
    """The stars that one label was scored on, for figures.

    Parameters
    ----------
    reference, predicted : ndarray, shape (n_scored,), float64
    poor : ndarray, shape (n_scored,), bool
        Whether the reference [Fe/H] is below -1; False where it is not known.
    rows : ndarray, shape (n_rows,), bool
        Which rows of the catalog they are.
    """

    reference: np.ndarray
    predicted: np.ndarray
    poor: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Scores of a catalog; prints as the table that `transtar evaluate` shows.

    Parameters
    ----------
    metrics : dict
        {label: {regime: {r2, r2_err, sigma, bias, n, n_clipped}}}
    n_rows : int
        Rows of the catalog.
    left_out : dict
        {label: {reason: rows}}; each row counts under one reason.
    scored_flags : dict
        {label: {flag: rows}} of rows that were scored in spite of a flag.
    notes : list of str
        What a reader of the scores should know.
    bad_flags : dict
        {label: {flag: rows}} of rows that were left out as `BAD`; a row may carry several of them.
    nulls : dict
        {label: {null model: {regime: scores}}}, see `transtar.evaluate.nulls.null_scores`.
    noise : dict
        {label: ThreeCorners}, where there is a second catalog of labels.
    stars : dict
        {label: Scored}
    coverage : dict
        {label: {regime: (n, share within the stated error, within the 95 % interval)}} of labels with an error, see
        `transtar.evaluate.coverage`.
    """

    metrics: dict[str, dict[str, dict[str, float]]]
    n_rows: int
    left_out: dict[str, dict[str, int]]
    scored_flags: dict[str, dict[str, int]]
    notes: list[str] = field(default_factory=list)
    bad_flags: dict[str, dict[str, int]] = field(default_factory=dict)
    nulls: dict[str, dict[str, Scores]] = field(default_factory=dict)
    noise: dict[str, ThreeCorners] = field(default_factory=dict)
    stars: dict[str, Scored] = field(default_factory=dict)
    coverage: dict[str, dict[str, tuple[int, float, float]]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return format_table(self)

    def _repr_html_(self) -> str:
        return text_html(format_table(self))


def evaluate_catalog(
    catalog: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray],
    labels: Sequence[str] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    *,
    keep_bad: bool = False,
    second: Mapping[str, np.ndarray] | None = None,
    split: Mapping[str, np.ndarray] | None = None,
    within: Mapping[str, tuple[float, float]] | None = None,
) -> Evaluation:
    """Score all rows that have a finite label and no bad flag, and that no model of the catalog has seen.

    Parameters
    ----------
    catalog : astropy.table.QTable, or mapping of str to ndarray
        As from `transtar.read_catalog`, or `transtar.catalog.read_columns`.
    reference : mapping of str to ndarray
        Label table, as from `transtar.labels.read_labels`. Its labels decide the regimes.
    labels : sequence of str, optional
        By default all labels that both tables have.
    n_boot, seed : int
        As for `evaluate`.
    keep_bad : bool
        Score rows with a flag of `transtar.flags.BAD` as well.
    second : mapping of str to ndarray, optional
        An independent label table of the same stars: it gives the `noise` (see `three_corners`) of the labels that it has.
    split : mapping of str to ndarray, optional
        As from `transtar.labels.read_split`: only test stars are scored.
    within : mapping of str to (float, float), optional
        For a reference label the range, ends included, in which stars are scored.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If a label is missing in either table, no label is in both, the tables cannot be joined (see `match`), the second
        table has none of the labels, or the very same ones for all labels, or `split` names none of the rows as a test star.

    Examples
    --------
    >>> import transtar as ts
    >>> scores = ts.evaluate_catalog(ts.read_catalog("catalog.parquet"), ts.read_labels("miles/labels.csv"), ["feh"])
    >>> scores.metrics["feh"]["all"]["r2"] > 0.9
    True
    """
    catalog, reference = plain_columns(catalog), plain_columns(reference)
    second = None if second is None else plain_columns(second)
    chosen = list(labels) if labels else [name for name in LABELS if name in catalog and name in reference]
    for name in chosen:
        for table, what in ((catalog, "catalog"), (reference, "label table")):
            if name not in table:
                raise InputError(f"the {what} has no column '{name}'; it has {', '.join(table)}")
        if name not in LABELS:
            raise InputError(f"'{name}' is no label that can be scored; those are {', '.join(LABELS)}")
    if not chosen:
        raise InputError("catalog and label table have no label in common")
    rows = match(catalog, reference, chosen)
    flags, notes = read_flags(catalog, len(rows))
    # Row -1 stands for "no entry": it is taken like any other and then blanked.
    truth = {
        name: np.where(rows >= 0, np.asarray(reference[name], np.float64)[rows], np.nan)
        for name in LABELS
        if name in reference
    }
    not_asked = why_not_asked(catalog, truth, split, within)
    masks = regimes(truth)
    stars = _stars(catalog, rows)
    result = Evaluation({}, len(rows), {}, {}, notes)
    for name in chosen:
        predicted = np.asarray(catalog[name], np.float64)
        reasons = np.where(not_asked == "", _reasons(flags, predicted, truth[name], rows, keep_bad), not_asked)
        scored = reasons == ""
        values, counts = np.unique(reasons[~scored], return_counts=True)
        result.left_out[name] = dict(zip(values.tolist(), counts.tolist(), strict=True))
        result.bad_flags[name] = count(flags[reasons == FLAGGED_BAD] & int(BAD))
        result.scored_flags[name] = count(flags[scored])
        result.metrics[name] = evaluate(np.where(scored, predicted, np.nan), truth[name], masks, n_boot, seed)
        result.nulls[name], more = null_scores(name, truth, scored, stars, masks, n_boot, seed)
        notes += more + _hot_note(name, predicted, truth, scored, has(flags, BAD))
        if f"{name}_err" in catalog:
            error = np.where(scored, np.asarray(catalog[f"{name}_err"], np.float64), np.nan)
            shown = {regime: masks[regime] for regime in result.metrics[name]}
            noise = reference.get(f"{name}_err")
            noise = None if noise is None else np.where(rows >= 0, np.asarray(noise, np.float64)[rows], np.nan)
            if shares := coverage(predicted, error, truth[name], shown, _ends(catalog, name), noise):
                result.coverage[name] = shares
        poor = masks.get("poor", np.zeros(len(rows), bool))
        result.stars[name] = Scored(truth[name][scored], predicted[scored], poor[scored], scored)
    if second is not None:
        _add_noise(result, catalog, second, truth, stars, n_boot, seed)
    return result


def _ends(catalog: Mapping[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Ends of the 95 % intervals of a label, if the catalog has them."""
    low, high = f"{name}_lo", f"{name}_hi"
    if low not in catalog or high not in catalog:
        return None
    return np.asarray(catalog[low], np.float64), np.asarray(catalog[high], np.float64)


def _stars(catalog: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Number the stars: rows of the catalog are of one if they share the row of the label table, or survey and `star`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(rows)
    star, survey = (
        np.asarray(catalog[name]).astype(str) if name in catalog else np.full(n, "") for name in ("star", "survey")
    )
    # What has no name, or no entry, is one of its own.
    names, entries = -1 - np.arange(n), np.where(rows >= 0, rows, -1 - np.arange(n))
    named = star != ""
    of_star, of_survey = (np.unique(values[named], return_inverse=True)[1].ravel() for values in (star, survey))
    names[named] = of_star * (of_survey.max(initial=0) + 1) + of_survey
    name, entry = (np.unique(values, return_inverse=True)[1].ravel() for values in (names, entries))
    # Names and entries are the nodes of a graph, and each row ties one of either.
    size = int(name.max(initial=-1)) + 1
    ties = coo_array((np.ones(n), (name, size + entry)), shape=(size + n, size + n))
    return connected_components(ties, directed=False)[1][name]


def _add_noise(result: Evaluation, catalog, second, truth, stars: np.ndarray, n_boot: int, seed: int) -> None:
    """Tell the noise of the labels that a second table has, too; of each star its first row that is scored counts."""
    if not any(name in second for name in result.metrics):
        raise InputError(
            f"the second table has none of the labels that are scored ({', '.join(result.metrics)}); "
            "name its column, as with --second FILE:COLUMN and --label"
        )
    refused: list[str] = []
    for name, scored in result.stars.items():
        if name not in second:
            result.notes.append(f"{plain(name)}: the second table has none, so that nothing is said of its noise")
            continue
        try:
            second_rows = match(catalog, second, [name])
        except InputError as error:
            raise InputError(f"the second table: {error}") from None
        other = np.where(second_rows >= 0, np.asarray(second[name], np.float64)[second_rows], np.nan)
        usable = np.flatnonzero(scored.rows & np.isfinite(other))
        chosen = np.sort(usable[np.unique(stars[usable], return_index=True)[1]])
        predicted = np.asarray(catalog[name], np.float64)
        try:
            noise = three_corners(truth[name][chosen], other[chosen], predicted[chosen], n_boot, seed)
        except TooFew as error:
            result.notes.append(f"{plain(name)}: {error}")
        except InputError as error:
            refused.append(f"{plain(name)}: {error}")
        else:
            result.noise[name] = noise
    # Of one label it is a mistake, of some of several what tables are like.
    if refused and not result.noise:
        raise InputError(refused[0])
    result.notes.extend(f"{line}; nothing is said of its noise" for line in refused)


def _hot_note(
    name: str, predicted: np.ndarray, truth: Mapping[str, np.ndarray], scored: np.ndarray, bad: np.ndarray
) -> list[str]:
    """A line on stars that are hot by their reference labels, if any are scored."""
    hot = scored & (truth["teff"] > HOT) if "teff" in truth else np.zeros(len(scored), bool)
    rest = scored & ~hot
    if not hot.any() or rest.sum() < MIN_STARS:
        return []
    pair = truth[name][rest], predicted[rest]
    digits = decimals(name) or 1
    told = f"{n_bad} of them flagged bad" if (n_bad := int((hot & bad).sum())) else "and not flagged"
    return [
        f"{plain(name)}: {hot.sum()} scored rows are hotter than {HOT:g} K by the label table, {told}; without "
        f"them R2 is {r2(*pair):.3f}, sigma {sigma(*pair):.{digits}f} (N {rest.sum()})"
    ]


def match(catalog: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], labels: Sequence[str]) -> np.ndarray:
    """Find for each row of a catalog the row of a label table, by `transtar.labels.join`.

    Parameters
    ----------
    catalog, reference : mapping of str to ndarray
        With `file`, `id` or `star`.
    labels : sequence of str
        Labels to be scored: rows of the label table that repeat a key must agree in them.

    Returns
    -------
    ndarray, shape (n_catalog,), int64
        Row of the label table, -1 for none.

    Raises
    ------
    InputError
        If nothing matches, or repeated rows disagree.
    """
    n = len(next(iter(catalog.values())))
    rows, _ = join(
        reference,
        file=np.asarray(catalog.get("file", np.full(n, ""))),
        ids=np.asarray(catalog.get("id", np.full(n, -1))),
        labels=[*labels, *(name for name in ("teff", "logg", "feh") if name in reference and name not in labels)],
        star=catalog.get("star"),
        keys=compound_key(catalog),
    )
    return rows


def read_flags(catalog: Mapping[str, np.ndarray], n: int) -> tuple[np.ndarray, list[str]]:
    """Quality flags of a catalog of `n` rows, int64, none set if it has no such column, and what a reader should know of them.

    Raises
    ------
    InputError
        If the column holds bits that no flag has.
    """
    if "flags" in catalog:
        flags = np.asarray(catalog["flags"]).astype(np.int64)
        others = flags[(flags & ~sum(Flag)) != 0]
        if len(others):
            raise InputError(
                f"the column 'flags' is not one that predict writes: {len(others)} rows have bits that no flag has, the first "
                f"{others[0]}; if it is of another origin, give it another name"
            )
        if "survey" not in catalog and flags.any():
            told = ", ".join(f"{n} {name}" for name, n in count(flags).items())
            return flags, [f"the column 'flags' is taken for one that predict wrote: {told}"]
        return flags, []
    note = (
        "the catalog has no column 'flags': whether a model saw its stars is not known, nor which of its rows are bad"
    )
    return np.zeros(n, np.int64), [note]


def _reasons(
    flags: np.ndarray, predicted: np.ndarray, truth: np.ndarray, rows: np.ndarray, keep_bad: bool
) -> np.ndarray:
    """Why each row is left out, the empty string where it is not; the first reason that holds."""
    why = np.full(len(flags), "", dtype=object)
    if not keep_bad:
        # Only where nothing else holds: the number is what the flags cost.
        why[has(flags, BAD)] = FLAGGED_BAD
    why[~np.isfinite(truth)] = "no reference value"
    why[rows < 0] = "no entry in the label table"
    missing = ~np.isfinite(predicted)
    why[missing] = "no predicted value"
    for flag in reversed(list(NO_LABEL)):
        why[missing & has(flags, flag)] = f"no predicted value ({flag.name})"
    why[has(flags, Flag.TRAINED_ON)] = f"seen by a model ({Flag.TRAINED_ON.name})"
    return why


def format_table(evaluation: Evaluation) -> str:
    """Print scores and null models, the noise, and what was left out and why, as text of fixed width."""
    lines = []
    metrics = [name for name in METRICS if name != "r2"]
    for label, scores in evaluation.metrics.items():
        head = "".join(f"{name:>10}" for name in metrics)
        lines.append(f"{plain(label):<{WIDTH}}{'N':>7}{'clipped':>9}{'R2':>9}{'+-':>8}{head}")
        lines += [_row(label, regime, row, metrics) for regime, row in scores.items()]
        for null, rows in evaluation.nulls.get(label, {}).items():
            lines += [_row(label, f"{null}, {regime}", rows[regime], metrics) for regime in ALWAYS if regime in rows]
        if label in evaluation.coverage:
            lines.append(
                f"  within {label}_err and the 95% interval (twice {label}_err without ends); should be 68 and 95%"
            )
            lines += [
                f"    {regime:<{WIDTH - 4}}{n:>7}{once:>9.0%}{wide:>9.0%}"
                for regime, (n, once, wide) in evaluation.coverage[label].items()
            ]
        if label in evaluation.noise:
            lines += _noise_lines(label, evaluation.noise[label])
        left = evaluation.left_out[label]
        scored = evaluation.n_rows - sum(left.values())
        lines.append(f"  {scored} of {evaluation.n_rows} rows scored, {sum(left.values())} left out")
        for reason, n in left.items():
            bad = evaluation.bad_flags.get(label, {}) if reason == FLAGGED_BAD else {}
            told = (
                f": {', '.join(f'{some} {flag}' for flag, some in bad.items())} (--all scores them, too)" if bad else ""
            )
            lines.append(f"    left out: {n:>7}  {reason}{told}")
        lines += [f"    scored nevertheless: {n} with {flag}" for flag, n in evaluation.scored_flags[label].items()]
    lines.append(f"sigma: {SIGMA_SAID}")
    if any(evaluation.nulls.values()):
        lines.append("mean, line: null models, which know the reference labels of the stars and no spectrum")
    lines += [f"note: {note}" for note in evaluation.notes]
    return "\n".join(lines)


def _row(label: str, name: str, row: Mapping[str, float], metrics: Sequence[str]) -> str:
    digits = 1 if label == "teff" else 3
    error = f"{row['r2_err']:>8.3f}" if np.isfinite(row["r2_err"]) else f"{'':>8}"
    numbers = f"{row['n']:>7}{row['n_clipped']:>9}{row['r2']:>9.3f}{error}"
    # What rounds to zero has no sign.
    values = ((metric, round(row[metric], digits) + 0.0) for metric in metrics)
    signed = (f"{value:>{'+' if metric == 'bias' else ''}10.{digits}f}" for metric, value in values)
    return f"  {name:<{WIDTH - 2}}{numbers}{''.join(signed)}"


def _noise_lines(label: str, noise: ThreeCorners) -> list[str]:
    digits = 1 if label == "teff" else 3
    lines = [
        f"  noise by the three-cornered hat: {noise.n} stars, {noise.n_clipped} clipped; errors assumed to be independent"
    ]
    for name in ("reference", "second", "predicted"):
        one: Noise = getattr(noise, name)
        if one.variance < 0:
            said = f"none to be told: its variance is negative, {one.variance:.3g} +- {one.variance_err:.2g}"
        else:
            said = f"{one.sigma:.{digits}f} +- {one.sigma_err:.{digits}f}"
            if one.negative > 0.005:
                said += f"   (variance negative in {one.negative:.0%} of bootstrap samples)"
        lines.append(f"    {name:<{WIDTH - 4}}{said}")
    return lines

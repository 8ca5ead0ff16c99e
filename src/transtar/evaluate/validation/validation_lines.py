"""A validation as text, as rows of a table, and as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ...glossary import COLUMNS, decimals, plain
from .counted_rows import FLAGGED
from .spread import Pulls, Spread
from .validation import LabelChecks, Validation
from .visits import Scatter

MEASURED = (
    "n", "n_stars", "n_clipped", "snr", "sigma", "sigma_err", "mad", "mad_err", "pull_sigma", "pull_sigma_err", "pull_mad",
    "pull_mad_err", "within_err", "within_2err", "stated", "value", "value_err",
)  # fmt: skip
"""Columns of `validation_rows` that hold numbers; see `MEANINGS`."""

MEANINGS = {
    "check": "repeats, clusters, pairs, strangers (pairs of stars that are none), three corners, bound, or over the bound",
    "label": "the label",
    "subset": "all, a kind of star, a range of S/N, a cluster, a catalog",
    "what": "what `value` is",
    "n": "values",
    "n_stars": "stars, or pairs, that they are of",
    "n_clipped": "values that the clip at 3 sigma took",
    "snr": "median S/N",
    "sigma": "standard deviation after the clip, of one star or visit, in the unit of the label",
    "mad": "1.48 median absolute deviations",
    "pull_sigma": "standard deviation of differences over their stated errors, 1 if these are right",
    "pull_mad": "the same by 1.48 median absolute deviations",
    "within_err": "share within the stated error, 0.68 if right and Gaussian",
    "within_2err": "share within twice the stated error, 0.95 if right and Gaussian",
    "stated": "median stated error",
    "value": "a mean, a slope or a bound, see `what`",
}
"""What the columns of the table are; those that end in _err are errors of the one before them."""

Row = dict[str, Any]


def validation_rows(validation: Validation) -> list[Row]:
    """One row for each check, label and subset: `check`, `label`, `subset`, `what`, and those of `MEASURED` that it has."""
    rows: list[Row] = []
    for label, checks in validation.labels.items():
        for row in _rows_of(checks, validation):
            rows.append({"label": label, **row})
    return rows


def _rows_of(checks: LabelChecks, validation: Validation) -> Iterator[Row]:
    for subset, scatter in checks.repeats.items():
        yield {"check": "repeats", "subset": subset, **_scatter(scatter)}
    yield from _of_clusters(checks)
    if checks.pairs is not None:
        for subset, scatter in checks.pairs.scatter.items():
            value, error = checks.pairs.means[subset]
            mean = {"what": "mean of hotter minus cooler star", "value": value, "value_err": error}
            yield {"check": "pairs", "subset": subset, **_scatter(scatter), **mean}
        if checks.pairs.strangers is not None:
            yield {"check": "strangers", "subset": "all", **_scatter(checks.pairs.strangers)}
    if checks.noise is not None:
        for name, member in zip(("catalog", *validation.seconds), ("predicted", "reference", "second"), strict=True):
            one = getattr(checks.noise, member)
            yield {
                "check": "three corners",
                "subset": name,
                "n": checks.noise.n,
                "n_stars": checks.noise.n,
                "n_clipped": checks.noise.n_clipped,
                "sigma": one.sigma,
                "sigma_err": one.sigma_err,
                "what": "variance",
                "value": one.variance,
                "value_err": one.variance_err,
            }
    if checks.bound is not None:
        for subset, part in checks.bound.bins.items():
            known = {"n": part.n, "n_stars": part.n, "snr": part.snr, "stated": part.stated}
            what = {"what": "median Cramer-Rao bound", "value": part.bound, "value_err": math.nan}
            yield {"check": "bound", "subset": subset, **known, **what}
            if part.repeats is not None:
                over = {"n": part.repeats.spread.n, "n_stars": part.repeats.spread.n_groups, "snr": part.snr}
                yield {"check": "over the bound", "subset": subset, **over, **_pulls(part.repeats)}


def _of_clusters(checks: LabelChecks) -> Iterator[Row]:
    known = checks.clusters
    if known is None:
        return
    yield {
        "check": "clusters",
        "subset": "all",
        **_scatter(known.pooled),
        "what": "scatter beyond the stated errors",
        "value": known.beyond,
        "value_err": known.beyond_err,
    }
    for name, (slope, error) in known.trends.items():
        yield {
            "check": "clusters",
            "subset": "all",
            "what": f"slope per {_per(name)}",
            "value": slope,
            "value_err": error,
        }
    if known.n_literature > 1:
        offset = {"n": known.n_literature, "value": known.offset, "value_err": known.offset_err}
        yield {"check": "clusters", "subset": "all", "what": "mean of clusters minus literature", **offset}
    for one in known.each:
        mean = {"what": "mean", "value": one.mean, "value_err": one.mean_err}
        yield {"check": "clusters", "subset": one.name, **_scatter(Scatter(one.spread, one.pulls)), **mean}


def _per(name: str) -> str:
    return "1000 K" if name == "teff" else "dex of log g"


def _scatter(scatter: Scatter) -> Row:
    measured: Spread = scatter.spread
    row = {
        "n": measured.n,
        "n_stars": measured.n_groups,
        "n_clipped": measured.n_clipped,
        "snr": scatter.snr,
        "sigma": measured.sigma,
        "sigma_err": measured.sigma_err,
        "mad": measured.mad,
        "mad_err": measured.mad_err,
    }
    return row if scatter.pulls is None else {**row, **_pulls(scatter.pulls), "stated": scatter.pulls.stated}


def _pulls(against: Pulls) -> Row:
    return {
        "pull_sigma": against.spread.sigma,
        "pull_sigma_err": against.spread.sigma_err,
        "pull_mad": against.spread.mad,
        "pull_mad_err": against.spread.mad_err,
        "within_err": against.within,
        "within_2err": against.within_twice,
    }


def validation_metrics(validation: Validation) -> dict[str, Any]:
    """Plain numbers for ``metrics.json``: {label: {check: {subset: numbers}}}, and which rows were left out; NaN is None."""
    out: dict[str, Any] = {}
    for label, checks in validation.labels.items():
        by_check: dict[str, Any] = {}
        for row in _rows_of(checks, validation):
            numbers = {
                name: _number(row[name]) for name in MEASURED if name in row and name not in ("value", "value_err")
            }
            place = by_check.setdefault(row["check"], {}).setdefault(row["subset"], {})
            place |= {name: value for name, value in numbers.items() if name not in place}
            if "what" in row:
                place[row["what"]] = [_number(row["value"]), _number(row["value_err"])]
        out[label] = {**by_check, "left_out": checks.rows.left_out, "bad_flags": checks.rows.flags}
    return out


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def format_validation(validation: Validation) -> str:
    """One line for each check of each label, what was left out, and the notes."""
    lines: list[str] = []
    for label, checks in validation.labels.items():
        unit = COLUMNS[label].unit
        lines.append(f"{plain(label)}{f' ({unit})' if unit else ''}")
        lines += [f"  {line}" for line in _lines_of(label, checks, validation)]
        counts = sum(checks.rows.left_out.values())
        lines.append(f"  {validation.n_rows - counts} of {validation.n_rows} rows count, {counts} left out")
        for reason, n in checks.rows.left_out.items():
            told = ""
            if reason == FLAGGED:
                told = f": {', '.join(f'{some} {flag}' for flag, some in checks.rows.flags.items())} (--all counts them, too)"
            lines.append(f"    left out: {n:>7}  {reason}{told}")
    return "\n".join([*lines, *(f"note: {note}" for note in validation.notes)])


def _lines_of(label: str, checks: LabelChecks, validation: Validation) -> Iterator[str]:
    digits = decimals(label) or 1
    if checks.repeats:
        every = checks.repeats["all"]
        of = f"{every.spread.n} visits of {every.spread.n_groups} stars"
        yield _line("repeats", of, every, digits)
    if checks.clusters is not None:
        known = checks.clusters
        yield _line("clusters", f"{known.pooled.spread.n} members of {len(known.each)}", known.pooled, digits)
        said = [
            f"slope {slope:+.{digits}f} +- {error:.{digits}f} per {_per(name)}"
            for name, (slope, error) in known.trends.items()
        ]
        if math.isfinite(known.beyond):
            said.insert(0, f"beyond the stated errors {known.beyond:.{digits}f} +- {known.beyond_err:.{digits}f}")
        elif math.isfinite(known.beyond_variance):
            said.insert(0, "the stated errors explain it all")
        if known.n_literature > 1:
            said.append(
                f"minus literature {known.offset:+.{digits}f} +- {known.offset_err:.{digits}f} ({known.n_literature} clusters)"
            )
        if said:
            yield f"{'':14}{'; '.join(said)}"
    if checks.pairs is not None:
        every = checks.pairs.scatter["all"]
        yield _line("pairs", f"{every.spread.n} pairs", every, digits)
        if checks.pairs.strangers is not None:
            yield _line("strangers", f"{checks.pairs.strangers.spread.n} pairs", checks.pairs.strangers, digits)
    if checks.noise is not None:
        noise = checks.noise
        parts = []
        for name, member in zip(("catalog", *validation.seconds), ("predicted", "reference", "second"), strict=True):
            one = getattr(noise, member)
            told = (
                f"{one.sigma:.{digits}f} +- {one.sigma_err:.{digits}f}"
                if one.variance >= 0
                else "none (negative variance)"
            )
            parts.append(f"{name} {told}")
        yield f"{'three corners':14}{f'{noise.n} stars':32}{'; '.join(parts)}"
    if checks.bound is not None:
        part = checks.bound.bins["all"]
        said = [f"median {part.bound:.{digits}f} ({part.alone:.{digits}f} with the other labels known)"]
        if math.isfinite(part.stated):
            said.append(f"stated {part.stated:.{digits}f}")
        if part.repeats is not None:
            spread = part.repeats.spread
            said.append(f"repeats scatter {spread.mad:.2f} +- {spread.mad_err:.2f} times the bound")
        yield f"{'bound':14}{f'{part.n} spectra':32}{'; '.join(said)}"


def _line(check: str, of: str, scatter: Scatter, digits: int) -> str:
    measured, against = scatter.spread, scatter.pulls
    text = (
        f"{check:14}{of:32}sigma {measured.sigma:.{digits}f} +- {measured.sigma_err:.{digits}f}, "
        f"1.48 MAD {measured.mad:.{digits}f} +- {measured.mad_err:.{digits}f}"
    )
    if against is not None:
        text += (
            f"; over stated errors {against.spread.mad:.2f} +- {against.spread.mad_err:.2f}, within once {against.within:.0%}, "
            f"twice {against.within_twice:.0%}"
        )
    return text

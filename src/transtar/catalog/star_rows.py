"""One recommended row per star: repeats combined with weights from their photon noise.

All spectra of a star have its systematic error in common, so the weights are those of the noise alone, ``w = 1 / noise^2``, and
only the noise falls with the number of spectra. The noise of a spectrum comes from a gradient at that spectrum, and that of a
poor spectrum may come out far too small, by which it would get most of the weight: so none counts as less noisy than the best
one of its star, that of the highest S/N, makes it, ``noise_best S/N_best / S/N`` (docs/recommended-rows.md).

The interval of one spectrum is ``err^2 = q^2 (noise^2 + systematic^2)`` with q and the systematic part of its kind of stars (see
`transtar.models.error_table`), of which a catalog holds err and noise. With shares ``p = w / sum w`` and the part that is
common, ``c^2 = err^2 - q^2 noise^2``, that of the mean is ``(sum p c)^2 + q^2 / sum w``: exact where the systematic parts are the
same error, and an upper bound however they are correlated (Cauchy-Schwarz). Where the noise stands as it is told it falls with
every q, so the smallest q of a model, which its catalogs note, gives an upper bound; without it q is 0, and the error is the
weighted mean of those of the spectra.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.repeats import star_numbers
from ..errors import InputError
from ..files import check_files
from ..flags import BAD, Flag, has
from ..glossary import LABELS
from ..summary import Summarised, Summary
from ..tables import Choice
from ..telling import tell
from .astropy_table import plain_columns
from .catalog_columns import first_columns
from .readers import read_columns, read_metadata
from .writers import SUFFIXES, check_suffix, write_catalog

RULE = (
    "one row per star (same survey and star, or id where star is empty); rows with a bad flag left out unless all have one, then "
    "the best; labels weighted by 1/noise^2, no row being less noisy than its S/N and the noise of the best row make it, without "
    "noise by S/N^2, without S/N alike; the noise is that of the mean, what is systematic stays in err, lo and hi; flags are "
    "those of any row used, LOW_SNR that of the best; snr the root of the sum of squares; all else is of the best row, which has "
    "the highest S/N"
)

_ENDINGS = ("_err", "_lo", "_hi", "_noise", "_ens_std", "_std", "_chi2")


@dataclass(frozen=True, repr=False)
class Recommended(Summarised):
    """A catalog of one row per star.

    Parameters
    ----------
    columns : dict of str to ndarray, shape (n_stars,)
    metadata : dict
        Of the catalog, with the rule and the counts under ``recommended``.
    n_rows, n_repeated, n_left_out, n_bad : int
        Rows of the catalog; stars with several rows used; rows left out, flagged bad or without a label; stars of which every
        row is flagged bad.
    chi2 : dict of str to float
        Of each label, the mean of its reduced chi2 over stars, weighted by degrees of freedom; 1 if the noise alone scatters
        them.
    """

    columns: dict[str, np.ndarray]
    metadata: dict[str, Any]
    n_rows: int
    n_repeated: int
    n_left_out: int
    n_bad: int
    chi2: dict[str, float] = field(default_factory=dict)

    def _summary(self) -> Summary:
        return Summary(
            f"Recommended: {len(self.columns['n_rows']):,} stars", {"": str(self)}, first_columns(self.columns)
        )

    def __str__(self) -> str:
        chi2 = ", ".join(f"{label} {value:.2f}" for label, value in self.chi2.items())
        told = f"; chi2 of repeats against their noise: {chi2}" if chi2 else ""
        return (
            f"{len(self.columns['n_rows'])} stars of {self.n_rows} rows; {self.n_repeated} have several rows that are used; "
            f"{self.n_left_out} rows are left out (flagged bad, or no label); of {self.n_bad} stars every row is flagged bad: "
            f"the best stands for them{told}"
        )


def recommend(
    catalog: str | os.PathLike | Mapping[str, Any],
    out: str | os.PathLike | None = None,
    *,
    columns: Mapping[str, str] | None = None,
) -> Recommended:
    """Combine the rows of each star of a catalog into one.

    Parameters
    ----------
    catalog : path, or mapping of str to array_like, shape (n,)
        As written by ``transtar predict``; a mapping may have the metadata of its catalog as `meta`, as tables of astropy do.
    out : path, optional
        Catalog to write, with a suffix of `transtar.catalog.SUFFIXES`.
    columns : mapping of str to str, optional
        Which column of the file is which, where names do not tell.

    Returns
    -------
    Recommended
        Rows in the order in which stars come first. Labels (K, dex) with the noise, error and interval of the mean; `snr`;
        `flags` (int32) without DUPLICATE; `n_rows`, `n_used` (int32); ``<label>_std`` and ``<label>_chi2``, NaN for a single
        spectrum. All else is of the row with the highest S/N.

    Raises
    ------
    InputError
        If the catalog cannot be read, has no labels or nothing that stars are known by, or has one row per star already.
    SettingsError
        If `out` has another suffix, or nothing had use for a chosen column.

    Examples
    --------
    >>> two = {"survey": np.array(["desi"] * 2), "id": np.array([5, 5]), "snr": np.array([15.0, 30.0]), "flags": np.zeros(2, int),
    ...        "feh": np.array([-1.0, -1.3]), "feh_noise": np.array([0.2, 0.1])}
    >>> one = recommend(two).columns
    >>> one["feh"].round(3), one["feh_noise"].round(4), one["n_used"]
    (array([-1.24]), array([0.0894]), array([2], dtype=int32))
    """
    metadata: dict[str, Any] = {}
    where = "the catalog"
    if isinstance(catalog, Mapping) or hasattr(catalog, "colnames"):
        metadata = dict(getattr(catalog, "meta", {}))
        values = plain_columns(catalog)  # type: ignore[arg-type]
    else:
        path = Path(catalog)
        where = str(path)
        if out is not None:
            check_suffix(out)
            check_files([out], [path])
        values = read_columns(path, columns)
        if isinstance(columns, Choice):
            columns.require_used([path])
        metadata = read_metadata(path) if path.suffix.lower() in SUFFIXES else {}
    if "recommended" in metadata or "n_used" in values:
        raise InputError(f"{where}: has one row per star already")
    result = _combine(values, metadata, where)
    if out is not None:
        write_catalog(out, result.columns, result.metadata)
    return result


def _combine(values: dict[str, np.ndarray], metadata: Mapping[str, Any], where: str) -> Recommended:
    labels = [name for name in LABELS if name in values]
    if not labels:
        raise InputError(f"{where}: no labels to combine; it has {', '.join(values)}")
    if "id" not in values and "star" not in values:
        raise InputError(
            f"{where}: no id and no star, by which rows of one star are known; choose one, as --columns id=NAME"
        )
    n = len(values[labels[0]])
    star = star_numbers({"survey": np.full(n, ""), "id": np.full(n, -1)} | values)
    if "flags" not in values:
        tell(f"{where}: has no flags: no row is left out as bad")
    flags = np.asarray(values.get("flags", np.zeros(n)), np.int64)
    snr = np.asarray(values.get("snr", np.full(n, np.nan)), np.float64)
    labelled = np.any([np.isfinite(np.asarray(values[label], np.float64)) for label in labels], axis=0)
    usable = ~has(flags, BAD) & labelled
    lead = _lead(star, usable, labelled, snr)
    n_stars = len(lead)
    bad_only = ~usable[lead]
    used = usable.copy()
    used[lead[bad_only]] = True
    rows = _Rows(star, used, snr, n_stars)
    combined: dict[str, np.ndarray] = {}
    chi2 = {}
    scales = {label: _least_scales(metadata, label) for label in labels}
    for label in labels:
        made, count = rows.mean(label, values, scales[label])
        combined |= made
        known = np.isfinite(made[f"{label}_chi2"])
        if known.any():
            chi2[label] = float(np.average(made[f"{label}_chi2"][known], weights=count[known] - 1))
    out = {name: array[lead] for name, array in values.items()}
    for name, array in combined.items():
        like = values.get(name, values[name.rpartition("_")[0] if name not in values else name])
        out[name] = array.astype(like.dtype)
    if "snr" in values:
        out["snr"] = np.sqrt(rows.total(np.where(np.isfinite(snr), snr, 0.0) ** 2)).astype(values["snr"].dtype)
        out["snr"][rows.count(used & np.isfinite(snr)) == 0] = np.nan
    if "flags" in values:
        out["flags"] = rows.warnings(flags, lead).astype(values["flags"].dtype)
    out = _in_order(out, labels)
    out["n_rows"] = np.bincount(star, minlength=n_stars).astype(np.int32)
    out["n_used"] = rows.count(used & labelled).astype(np.int32)
    recommended = {"rule": RULE, "n_rows": n, "n_stars": n_stars, "least_scale": scales}
    return Recommended(
        out, dict(metadata) | {"recommended": recommended}, n, int((out["n_used"] > 1).sum()), int((~used).sum()),
        int((has(flags, BAD)[lead] & bad_only).sum()), chi2,
    )  # fmt: skip


def _lead(star: np.ndarray, usable: np.ndarray, labelled: np.ndarray, snr: np.ndarray) -> np.ndarray:
    """The best row of each star: one that is usable, or at least has a label, of the highest S/N; of equal ones the first."""
    worst_first = np.where(np.isfinite(snr), snr, -np.inf)
    order = np.lexsort((np.arange(len(star)), -worst_first, ~labelled, ~usable, star))
    return order[np.append(True, np.diff(star[order]) != 0)] if len(order) else order


def _least_scales(metadata: Mapping[str, Any], label: str) -> list[float]:
    """Smallest q of the 68 and the 95 % interval of all models of a label; 0 where the catalog does not say."""
    errors = metadata.get("errors")
    tables = errors.get(label) if isinstance(errors, Mapping) else None
    scales = [one.get("least_scale") or [0.0, 0.0] for one in tables or () if isinstance(one, Mapping)]
    return [float(min((one[place] for one in scales), default=0.0)) for place in (0, 1)]


@dataclass(frozen=True)
class _Rows:
    """Rows of stars: the star of each, int64, shape (n,), whether it is used, its S/N, and how many stars there are."""

    star: np.ndarray
    used: np.ndarray
    snr: np.ndarray
    n_stars: int

    def total(self, values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Sum over the rows of each star, of those used or of others; shape (n_stars,)."""
        rows = self.used if rows is None else rows
        return np.bincount(self.star[rows], values[rows], minlength=self.n_stars)

    def count(self, rows: np.ndarray) -> np.ndarray:
        """How many of some rows each star has."""
        return np.bincount(self.star[rows], minlength=self.n_stars)

    def least_noise(self, known: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """The noise that each row has at least, by its S/N and the best row of its star; 0 where the S/N is not known."""
        bright = known & np.isfinite(self.snr) & (self.snr > 0)
        rows = np.flatnonzero(bright)
        order = rows[np.lexsort((rows, -self.snr[rows], self.star[rows]))]
        best = order[np.append(True, np.diff(self.star[order]) != 0)] if len(order) else order
        product = np.zeros(self.n_stars)
        product[self.star[best]] = noise[best] * self.snr[best]
        return np.divide(product[self.star], self.snr, out=np.zeros(len(noise)), where=bright)

    def weights(self, rows: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weight of each row, and of which stars it is that of the noise."""
        known = rows & np.isfinite(noise) & (noise > 0)
        by_noise = self.count(known) > 0
        noise = np.maximum(noise, self.least_noise(known, noise))
        # Where one row of a star has noise, those without cannot be weighed against it.
        weight = np.divide(1.0, noise**2, out=np.zeros(len(rows)), where=known)
        unknown = rows & ~by_noise[self.star]
        bright = np.isfinite(self.snr) & (self.snr > 0)
        all_bright = self.count(unknown & ~bright) == 0
        weight[unknown] = np.where(all_bright[self.star], self.snr**2, 1.0)[unknown]
        return weight, by_noise

    def mean(self, label: str, values: Mapping[str, np.ndarray], scales: list[float]) -> tuple[dict, np.ndarray]:
        """The weighted mean of a label and all columns that go with it, and of how many rows it is."""
        nothing = np.full(len(self.star), np.nan)
        given = {
            end: np.asarray(values.get(f"{label}{end}", nothing), np.float64)
            for end in ("", "_noise", "_err", "_lo", "_hi", "_ens_std")
        }
        value, noise = given[""], given["_noise"]
        rows = self.used & np.isfinite(value)
        weight, by_noise = self.weights(rows, noise)
        rows &= weight > 0
        total = self.total(weight, rows)
        share = np.divide(weight, total[self.star], out=np.zeros(len(weight)), where=rows)
        count = self.count(rows)
        some = count > 0
        mean = np.where(some, self.total(share * value, rows), np.nan)
        off = value - mean[self.star]
        noise = np.where(by_noise[self.star], noise, 0.0)
        many = count > 1
        plain = np.divide(self.total(value, rows), count, out=np.full(self.n_stars, np.nan), where=some)
        spread = self.total((value - plain[self.star]) ** 2, rows)
        out = {label: mean}
        sigma = np.divide(1.0, np.sqrt(total), out=np.full(self.n_stars, np.nan), where=some & by_noise)

        def interval(half: np.ndarray, scale: float) -> np.ndarray:
            common = np.sqrt(np.maximum(half**2 - (scale * noise) ** 2, 0.0))
            variance = self.total(share * common, rows) ** 2 + np.where(by_noise, (scale * sigma) ** 2, 0.0)
            return np.where(some, np.sqrt(variance), np.nan)

        if f"{label}_err" in values:
            out[f"{label}_err"] = interval(given["_err"], scales[0])
        if f"{label}_lo" in values:
            out[f"{label}_lo"] = mean - interval(value - given["_lo"], scales[1])
        if f"{label}_hi" in values:
            out[f"{label}_hi"] = mean + interval(given["_hi"] - value, scales[1])
        if f"{label}_noise" in values:
            out[f"{label}_noise"] = sigma
        if f"{label}_ens_std" in values:
            # What models of one ensemble disagree in is common to the spectra of a star.
            out[f"{label}_ens_std"] = np.where(some, self.total(share * given["_ens_std"], rows), np.nan)
        freedom = np.maximum(count - 1, 1)
        out[f"{label}_std"] = np.where(many, np.sqrt(spread / freedom), np.nan)
        out[f"{label}_chi2"] = np.where(many & by_noise, self.total(weight * off**2, rows) / freedom, np.nan)
        return out, count

    def warnings(self, flags: np.ndarray, lead: np.ndarray) -> np.ndarray:
        """Flags of any row used, but LOW_SNR of the best alone and no DUPLICATE."""
        out = np.zeros(self.n_stars, np.int64)
        for flag in Flag:
            if flag not in (Flag.LOW_SNR, Flag.DUPLICATE):
                out[self.count(self.used & has(flags, flag)) > 0] |= int(flag)
        return out | (flags[lead] & int(Flag.LOW_SNR))


def _in_order(columns: dict[str, np.ndarray], labels: list[str]) -> dict[str, np.ndarray]:
    """The columns of each label together, where the first of them stands."""
    of = {f"{label}{end}": label for label in labels for end in ("", *_ENDINGS)}
    out: dict[str, np.ndarray] = {}
    for name, array in columns.items():
        if name in of:
            out |= {one: columns[one] for one in of if of[one] == of[name] and one in columns}
        else:
            out[name] = array
    return out

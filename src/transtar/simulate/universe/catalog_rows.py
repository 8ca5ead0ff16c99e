"""Rows of the catalogs of a mock universe: one an observation, faults included."""

from __future__ import annotations

import numpy as np
from astropy.table import Table, vstack

from ..native.lamost import fiber_places
from ..native.targets import mock_targetids
from ..pipelines.desi_pipeline import simulate_pipeline
from ..pipelines.lasp import simulate_lasp
from ..stars.healpix import nested_index
from .scales import Scale

APOGEE_FAULTS = ("starflag", "fe_h_flag", "mg_fe_flag", "low_apogee_snr")
"""Each fails one cut of the paper on the side of APOGEE."""

DESI_FAULTS = ("rvs_warn", "not_primary")
"""Each fails one cut on the side of DESI DR1."""

CLEAN_FAULTS = ("bestgrid", "feh_err", "snr_10", "not_star")
"""Each fails one of the stricter cuts of Appendix D."""

CLEAN_SHARES = (0.50, 0.32, 0.15, 0.03)
"""How often each does: redrock rarely takes a star for a galaxy, and few stars of these magnitudes have an S/N below 10."""

EDR_FAULTS = ("rvs_warn", "not_primary", "not_star", "low_snr")
"""Each fails one of the initial cuts of the EDR sample."""

FINAL_FAULTS = ("nan_feh", "nan_alphafe", "bad_normalisation", "cool")
"""Each fails one of its final cuts."""

RELATED = ("cluster", "pair")
"""Roles of stars that were born together."""

NO_PRIMARY = b""
"""PRIMARY of a row that lacks the flag: an undefined logical, which astropy reads as False unless asked for bytes."""


def _rows(stars: Table, star: np.ndarray, fault: np.ndarray) -> Table:
    rows = stars[star]
    rows["star"], rows["fault"] = star.astype(np.int64), fault.astype("U24")
    return rows


def _after(role: np.ndarray, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """Stars whose role begins with `prefix`, and what follows it."""
    star = np.flatnonzero(np.char.startswith(role, prefix))
    return star, np.array([name.removeprefix(prefix) for name in role[star].tolist()], dtype="U24")


def apogee_rows(stars: Table, role: np.ndarray, scale: Scale, rng: np.random.Generator) -> Table:
    """Common stars, LAMOST's stars, and those that fail; some stars twice."""
    common, _ = _after(role, "common:")
    failed, why = _after(role, "fail:")
    why = np.where(np.isin(why, (*APOGEE_FAULTS, "no_gaia")), why, "")
    lamost = np.flatnonzero(role == "lamost:apogee")
    star = np.concatenate([common, failed, lamost])
    fault = np.concatenate([np.full(len(common), ""), why, np.full(len(lamost), "")])
    again = rng.choice(common, min(scale.faults, len(common)), replace=False)
    rows = _rows(stars, np.concatenate([star, again]), np.concatenate([fault, np.full(len(again), "duplicate")]))
    bad = rows["fault"] == "low_apogee_snr"
    rows["apogee_snr"][bad] = rng.uniform(10, 38, bad.sum())
    twice = rows["fault"] == "duplicate"
    rows["apogee_snr"][twice] = rng.uniform(40.5, 41.9, twice.sum())
    rows["apogee_fe_h"][twice] += rng.normal(0, 0.03, twice.sum())
    return rows[rng.permutation(len(rows))]


def desi_rows(stars: Table, role: np.ndarray, scale: Scale, rng: np.random.Generator) -> Table:
    """One row for each star of both releases, a second one for repeated stars, and stuck positioners."""
    common, kind = _after(role, "common:")
    failed, why = _after(role, "fail:")
    why = np.where(np.isin(why, (*DESI_FAULTS, "no_match")), why, "")
    clean = np.full(len(common), "", dtype="U24")
    chosen = rng.choice(np.flatnonzero(kind != "cool"), scale.clean_removed, replace=False)
    number = np.searchsorted(np.cumsum(CLEAN_SHARES), (np.arange(len(chosen)) + 0.5) / len(chosen))
    clean[chosen] = np.array(CLEAN_FAULTS)[number]
    # However few they are, each is there.
    clean[chosen[-len(CLEAN_FAULTS) :]] = CLEAN_FAULTS[: len(chosen)]
    edr, form = _after(role, "edr:")
    form = np.array([name.removeprefix("clean#").removeprefix("fail_") for name in form.tolist()], dtype="U24")
    fault = np.where(np.isin(form, ("clean", "other", "not_in_dr1")), "", form)
    # Without a match in Gaia, which none of the cuts on EDR asks for.
    fault[rng.choice(np.flatnonzero(form == "clean"), scale.faults, replace=False)] = "no_match"
    star = np.concatenate([common, failed, edr])
    rows = _rows(stars, star, np.concatenate([clean, why, fault]))
    n_dr1 = len(common) + len(failed)
    is_edr = np.arange(len(rows)) >= n_dr1
    rows["in_edr"], rows["in_dr1"] = is_edr, ~is_edr
    rows["in_dr1"][n_dr1:] = form != "not_in_dr1"
    rows["survey"] = np.where(is_edr, "sv3", "main").astype("U7")
    rows["program"] = np.full(len(rows), "bright", dtype="U6")
    rows["healpix"] = nested_index(np.asarray(rows["ra"]), np.asarray(rows["dec"]))
    rows["targetid"] = mock_targetids(np.asarray(rows["healpix"]), 1 + np.arange(len(rows)) % (2**22 - 1))
    rows["primary"] = np.where(rows["fault"] == "not_primary", b"F", b"T").astype("S1")
    lack = rng.choice(len(common), max(3, scale.faults // 4), replace=False)
    rows["primary"][lack] = NO_PRIMARY
    # Some are observed twice: the worse observation, of another program, is not the primary one.
    twice = np.flatnonzero((np.asarray(rows["primary"]) == b"T") & (rows["fault"] == ""))
    second = rows[np.sort(rng.choice(twice, max(scale.faults, len(rows) // 50), replace=False))]
    second["program"], second["primary"], second["fault"] = "backup", b"F", "duplicate"
    second["snr_b"] = rng.uniform(5, 20, len(second))
    for name, values in simulate_pipeline(second, np.asarray(second["snr_b"]), int(rng.integers(2**31))).items():
        second[name] = values
    rows["visit"], second["visit"] = 0, 1
    rows = vstack([rows, second], metadata_conflicts="silent")
    for name, low, high in (("low_snr", 6, 19), ("snr_10", 2, 6)):
        bad = np.asarray(rows["fault"]) == name
        rows["snr_b"][bad] = rng.uniform(low, high, bad.sum())
    stuck = np.flatnonzero(rows["fault"] == "negative")
    rows["targetid"][stuck] = -(20000 * 10000 + 1 + np.arange(len(stuck), dtype=np.int64))
    rows["primary"][stuck] = b"F"
    return apply_faults(rows)


def related_rows(stars: Table, role: np.ndarray, before: int) -> Table:
    """One row of DESI DR1 for each member of a cluster and each star of a wide pair: none of the samples has them.

    Parameters
    ----------
    stars : Table
    role : ndarray of str
    before : int
        Rows of DESI of other stars, after which these are numbered.
    """
    star = np.flatnonzero(np.isin(role, RELATED))
    rows = _rows(stars, star, np.full(len(star), ""))
    rows["in_edr"], rows["in_dr1"] = np.zeros(len(rows), bool), np.ones(len(rows), bool)
    rows["survey"] = np.full(len(rows), "main", dtype="U7")
    rows["program"] = np.full(len(rows), "bright", dtype="U6")
    rows["healpix"] = nested_index(np.asarray(rows["ra"]), np.asarray(rows["dec"]))
    rows["targetid"] = mock_targetids(np.asarray(rows["healpix"]), 1 + (before + np.arange(len(rows))) % (2**22 - 1))
    rows["primary"] = np.full(len(rows), b"T", dtype="S1")
    rows["visit"] = np.zeros(len(rows), np.int64)
    return apply_faults(rows)


def lamost_rows(stars: Table, role: np.ndarray, scale: Scale, seed: int, rng: np.random.Generator) -> Table:
    """LAMOST's own stars, the common ones it has seen, and repeat visits."""
    star, fault = _after(role, "lamost:")
    fault = np.where(np.isin(fault, ("poor", "apogee")), "", fault)
    common, _ = _after(role, "common:")
    fit = common[(np.asarray(stars["feh"][common]) >= -2) & (np.asarray(stars["apogee_fe_h"][common]) > -2)]
    overlap = rng.choice(fit, scale.overlap, replace=False)
    again = rng.choice(star[fault == ""], max(scale.faults, len(star) // 50), replace=False)
    star = np.concatenate([star, overlap, again])
    fault = np.concatenate([fault, np.full(len(overlap), ""), np.full(len(again), "repeat")])
    order = rng.permutation(len(star))
    rows = _rows(stars, star[order], fault[order])
    rows["visit"] = (rows["fault"] == "repeat").astype(np.int64)
    snr = 15 + rng.exponential(40, len(rows))
    rows["snrg"] = np.where(rows["fault"] == "low_snr", rng.uniform(2, 8, len(rows)), snr)
    for name, values in {**fiber_places(len(rows)), **simulate_lasp(rows, np.asarray(rows["snrg"]), seed)}.items():
        rows[name] = values
    return rows


def apply_faults(rows: Table) -> Table:
    """Put the faults that `rows` names into its columns.

    Parameters
    ----------
    rows : Table
        With ``fault`` and the columns of `simulate_pipeline`, ``snr_b`` and ``primary`` (bytes).

    Returns
    -------
    Table
        A copy with ``rvs_warn``, ``rr_spectype`` and, for ``nan_feh``, ``nan_alphafe``, ``bestgrid``, ``feh_err``,
        ``low_snr``, ``snr_10`` and ``cool``-like classes, the values that make the row fail its one cut. A stuck
        positioner ('negative') has no signal.
    """
    rows = rows.copy()
    fault = np.asarray(rows["fault"])
    rows["snr_b"] = np.where(fault == "negative", 0.0, rows["snr_b"])
    rows["rvs_warn"] = np.where(np.isin(fault, ("rvs_warn", "negative")), 1, 0).astype(np.int64)
    rows["rr_spectype"] = np.where(fault == "not_star", "GALAXY", "STAR")
    rows["sp_feh"] = np.where(fault == "nan_feh", np.nan, rows["sp_feh"])
    rows["sp_alphafe"] = np.where(fault == "nan_alphafe", np.nan, rows["sp_alphafe"])
    rows["bestgrid"] = np.where(fault == "bestgrid", "s_rdesi1", rows["bestgrid"]).astype("U8")
    error = np.asarray(rows["rv_feh_err"])
    rows["rv_feh_err"] = np.where(fault == "feh_err", np.maximum(error, 0.15), np.minimum(error, 0.095))
    rows["sp_success"] = np.where(np.isfinite(rows["sp_feh"]) & np.isfinite(rows["sp_alphafe"]), 1, 0).astype(np.int64)
    return rows

"""Who is observed by which survey, so that counting the paper's cuts gives the counts of a scale exactly.

Stars are drawn until each class of the cuts (cool, poor, ...) is full; the class is told by the simulated catalog
labels, since cuts are made on those. Each row that fails a cut fails that one only, and its ``fault`` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from astropy.table import Table, vstack

from ...errors import InputError
from ..pipelines.aspcap import simulate_aspcap
from ..pipelines.desi_pipeline import SP, simulate_pipeline
from ..stars import epochs
from ..stars.epochs import at_epoch
from .catalog_rows import (
    APOGEE_FAULTS,
    DESI_FAULTS,
    EDR_FAULTS,
    FINAL_FAULTS,
    RELATED,
    apogee_rows,
    desi_rows,
    lamost_rows,
    related_rows,
)
from .disk_space import estimate
from .scales import Scale

Draw = Callable[[int, int], Table]
"""Takes a number of stars and a seed; gives as many rows of a truth table (columns of `TRUTH` at least)."""

Related = Callable[[int], Mapping[str, Table]]
"""Takes a seed; gives members of clusters (with ``cluster``) and stars of wide pairs (with ``pair``), by role of `RELATED`."""

TRUTH = ("source_id", "ra", "dec", "teff", "logg", "feh", "alphafe", "cfe", "mg_fe", "radial_velocity",
         "g_mag", "bp_mag", "rp_mag")  # fmt: skip
BLOCK = 20_000
MOST_BLOCKS = 400

XP_LIMIT = 17.65
"""Faintest G magnitude of a star with an XP spectrum in Gaia DR3 (De Angeli et al. 2023, A&A 674, A2)."""


@dataclass(frozen=True)
class Plan:
    """The stars of a mock universe and its observations.

    Parameters
    ----------
    scale : Scale
    stars : Table
        Truth, one row a star, with ``role``, ``cluster`` ('' for none) and ``pair`` (0 for none).
    lamost, desi, apogee : Table
        One row an observation or catalog row: truth of its star, ``star`` (row in `stars`), ``fault`` ('' for none),
        identifiers and simulated labels. `desi` also has in_edr, in_dr1 (bool), primary (bytes), survey, program,
        healpix, snr_b.
    miles, compilation, xp : ndarray of int
        Rows of `stars`.
    """

    scale: Scale
    stars: Table
    lamost: Table
    desi: Table
    apogee: Table
    miles: np.ndarray
    compilation: np.ndarray
    xp: np.ndarray

    def size(self, catalogs_only: bool = False, resolution: bool = False, xp_continuous: int = 0) -> int:
        """Bytes that writing it all takes (see `disk_space.estimate`), `xp_continuous` XP spectra as coefficients, too."""
        rows = {"lamost": len(self.lamost), "apogee": len(self.apogee), "truth": len(self.stars)}
        rows["desi"] = int(self.desi["in_edr"].sum() + self.desi["in_dr1"].sum())
        rows["compilations"] = 2 * len(self.compilation)
        if catalogs_only:
            return estimate({}, rows)
        spectra = {"lamost": len(self.lamost), "desi": len(self.desi), "miles": len(self.miles), "xp": len(self.xp)}
        spectra["xp_continuous"] = min(len(self.xp), xp_continuous)
        names = ("survey", "program", "healpix")
        files = len({*zip(*(np.asarray(self.desi[name]).tolist() for name in names), strict=True)})
        return estimate(spectra, rows, {"desi": files}, resolution)


def plan(
    draws: Mapping[str, Draw],
    scale: Scale,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
    xp_lamost: bool = False,
    related: Related | None = None,
) -> Plan:
    """Choose stars and observations.

    Parameters
    ----------
    draws : mapping of str to callable
        How to draw stars of each survey's population: 'lamost', 'desi', 'miles'.
    scale : Scale
    seed : int
        One seed, one plan.
    progress : callable, optional
        Told the number of stars chosen and the number wanted, again and again.
    xp_lamost : bool
        Stars of LAMOST have XP spectra, too, and not those of APOGEE and DESI alone.
    related : callable, optional
        Gives stars that were born together, see `Related`, which DESI observes beside its samples. All else stays what it is
        without them.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If a population does not have enough stars of a class within 8 million draws, or a truth table lacks a column.
    """
    samples: list[tuple[str, dict[str, int], Classify, str]] = [
        ("desi", _common_quotas(scale), _common_class, "APOGEE-DESI"),
        ("desi", _edr_quotas(scale), _edr_class, "DESI EDR"),
        ("lamost", _lamost_quotas(scale), _lamost_class, "LAMOST"),
        ("miles", {"miles": scale.miles}, lambda t, s: (t, np.full(len(t), "miles")), "MILES"),
    ]
    wanted = sum(sum(quotas.values()) for _, quotas, _, _ in samples)
    parts: list[Table] = []
    for stream, (survey, quotas, classify, what) in enumerate(samples, 1):
        before = sum(len(part) for part in parts)
        tell = None if progress is None else lambda n, before=before: progress(before + n, wanted)
        if any(quotas.values()):
            parts.append(_collect(draws[survey], quotas, classify, seed, stream, what, tell))
    stars = vstack(parts, metadata_conflicts="silent")
    stars["cluster"], stars["pair"] = np.full(len(stars), "", dtype="U16"), np.zeros(len(stars), np.int64)
    if related is not None:
        stars = _with_related(stars, related, seed)
    ids, first = np.unique(stars["source_id"], return_index=True)
    if len(ids) != len(stars):
        # Populations may number their stars from the same place on the sky: give the later one a number of its own.
        again = np.setdiff1d(np.arange(len(stars)), first)
        stars["source_id"][again] = _free_ids(np.asarray(stars["source_id"]), again)
    rng = np.random.default_rng([seed, 5])
    role = np.asarray(stars["role"])
    apogee = apogee_rows(stars, role, scale, rng)
    desi = desi_rows(stars, role, scale, rng)
    if np.isin(role, RELATED).any():
        desi = vstack([desi, related_rows(stars, role, len(desi))], metadata_conflicts="silent")
    roles = ("common", "fail", "lamost") if xp_lamost else ("common", "fail")
    with_xp = np.isin(np.char.partition(role, ":")[:, 0], roles) & (np.asarray(stars["g_mag"]) < XP_LIMIT)
    return Plan(
        scale=scale,
        stars=stars,
        lamost=at_epoch(lamost_rows(stars, role, scale, seed, rng), epochs.LAMOST),
        desi=desi,
        apogee=at_epoch(apogee, epochs.APOGEE),
        miles=np.flatnonzero(role == "miles"),
        compilation=np.flatnonzero(role == "lamost:poor"),
        xp=np.flatnonzero(with_xp),
    )


def _with_related(stars: Table, related: Related, seed: int) -> Table:
    """Stars with those that were born together after them, with simulated labels of random streams of their own."""
    parts = [stars]
    own_seed = int(np.random.SeedSequence([seed, 10]).generate_state(1)[0])
    for stream, (role, table) in enumerate(related(own_seed).items()):
        _check(table)
        table, _ = _labelled(table, (seed, 10, stream))
        table["role"] = np.full(len(table), role, dtype="U32")
        table["cluster"] = np.asarray(
            table["cluster"] if "cluster" in table.colnames else np.full(len(table), ""), "U16"
        )
        table["pair"] = np.asarray(table["pair"] if "pair" in table.colnames else np.zeros(len(table)), np.int64)
        parts.append(table)
    return vstack(parts, metadata_conflicts="silent")


def _free_ids(ids: np.ndarray, rows: np.ndarray) -> np.ndarray:
    taken = set(ids.tolist())
    fresh = []
    for number in ids[rows].tolist():
        while number in taken:
            number += 1
        taken.add(number)
        fresh.append(number)
    return np.array(fresh, dtype=np.int64)


Classify = Callable[[Table, tuple[int, ...]], tuple[Table, np.ndarray]]


def _collect(
    draw: Draw,
    quotas: Mapping[str, int],
    classify: Classify,
    seed: int,
    stream: int,
    what: str,
    progress: Callable[[int], object] | None = None,
) -> Table:
    """Draw until every class has its number of stars; 'any' takes whatever no other class needs."""
    missing = {name: number for name, number in quotas.items() if number}
    chosen: list[Table] = []
    for block in range(MOST_BLOCKS):
        if not missing:
            break
        number = min(BLOCK, max(500, 3 * sum(missing.values())))
        table = draw(number, int(np.random.SeedSequence([seed, stream, block]).generate_state(1)[0]))
        _check(table)
        table, classes = classify(table, (seed, stream, block))
        free = np.ones(len(table), bool)
        for name in sorted(missing, key=lambda name: name.startswith("any")):
            fits = free if name.startswith("any") else free & (classes == name.split("#")[0])
            taken = np.flatnonzero(fits)[: missing[name]]
            free[taken] = False
            if len(taken):
                part = table[taken]
                part["role"] = np.full(len(taken), name.removeprefix("any#"), dtype="U32")
                chosen.append(part)
                missing[name] -= len(taken)
        missing = {name: number for name, number in missing.items() if number}
        if progress is not None:
            progress(sum(len(part) for part in chosen))
    if missing:
        lack = ", ".join(f"{number} of class {name}" for name, number in missing.items())
        raise InputError(
            f"the population of {what} lacks {lack}; draw it with more such stars (poor_share, lowest_teff)"
        )
    return vstack(chosen, metadata_conflicts="silent")


def _check(table: Table) -> None:
    absent = [name for name in TRUTH if name not in table.colnames]
    if absent:
        raise InputError(f"the truth table has no column {', '.join(absent)}")
    if table["source_id"].dtype != np.int64:
        raise InputError(f"the truth table's source_id must be int64, not {table['source_id'].dtype}")


def _labelled(table: Table, seed: tuple[int, ...]) -> tuple[Table, np.random.Generator]:
    """Truth with simulated APOGEE and DESI labels; S/N 41 to 300 and 21 to 80."""
    rng = np.random.default_rng([*seed, 6])
    table = table.copy()
    table["apogee_snr"] = 42 + rng.exponential(80, len(table))
    table["snr_b"] = 21 + rng.exponential(18, len(table))
    for part in (
        simulate_aspcap(table, np.asarray(table["apogee_snr"]), [*seed, 7]),
        simulate_pipeline(table, np.asarray(table["snr_b"]), [*seed, 8]),
    ):
        for name in part.colnames:
            table[name] = part[name]
    return table, rng


def _common_class(table: Table, seed: tuple[int, ...]) -> tuple[Table, np.ndarray]:
    table, _ = _labelled(table, seed)
    teff, feh = np.asarray(table["apogee_teff"]), np.asarray(table["apogee_fe_h"])
    warm = teff > 4500
    names = ["common:cool", "common:train_poor", "common:test_poor"]
    classes = np.select([teff <= 4000, warm & (feh < -0.7), ~warm & (feh < -1)], names, "common:rest")
    return table, np.where((classes == "common:rest") & warm, "common:warm", classes)


def _common_quotas(scale: Scale) -> dict[str, int]:
    special = {
        "common:cool": scale.common_cool,
        "common:train_poor": scale.train_poor,
        "common:test_poor": scale.test_poor,
    }
    rest = scale.common - sum(special.values())
    # Enough stars above 4500 K for the fine-tuning sample; the others as they come, 4000 to 4500 K among them.
    warm = max(scale.train_rich, int(0.8 * rest))
    quotas = {**special, "common:warm": warm, "common:rest": rest - warm}
    fails = (*APOGEE_FAULTS, *DESI_FAULTS, "no_gaia", "no_match")
    return {**quotas, **{f"any#fail:{fault}": scale.faults for fault in fails}}


def _edr_class(table: Table, seed: tuple[int, ...]) -> tuple[Table, np.ndarray]:
    table, _ = _labelled(table, seed)
    teff, logg = np.asarray(table["sp_teff"]), np.asarray(table["sp_logg"])
    published = SP.published()
    calibrated = (teff < published.teff[1]) & (logg < published.logg[1]) & (teff > 4000)
    return table, np.select([teff <= 4000, calibrated], ["edr:cool", "edr:clean"], "edr:other")


def _edr_quotas(scale: Scale) -> dict[str, int]:
    lost = scale.edr - scale.edr_final
    quotas = {"edr:cool": lost // 4, "edr:clean": scale.edr_clean}
    # Of those that Appendix D drops some are too hot to be calibrated; the others are of the wrong grid or not in DR1.
    dropped = scale.edr_final - scale.edr_clean
    quotas["edr:other"] = dropped // 20
    quotas["edr:clean#bestgrid"] = dropped // 3
    quotas["edr:clean#not_in_dr1"] = dropped - dropped // 20 - dropped // 3
    rest = lost - lost // 4
    for place, fault in enumerate(FINAL_FAULTS[:3]):
        quotas[f"edr:clean#{fault}"] = rest // 3 + (place < rest % 3)
    quotas |= {f"edr:clean#fail_{fault}": max(scale.faults, scale.edr // 50) for fault in EDR_FAULTS}
    return {**quotas, "edr:clean#negative": scale.faults}


def _lamost_class(table: Table, seed: tuple[int, ...]) -> tuple[Table, np.ndarray]:
    table, _ = _labelled(table, seed)
    # Stars that noise carries across the line at -2, where labels change from compilations to APOGEE, are neither.
    poor, rich = np.asarray(table["feh"]) < -2, np.asarray(table["apogee_fe_h"]) > -2
    return table, np.select([poor, rich], ["lamost:poor", "lamost:apogee"], "lamost:neither")


def _lamost_quotas(scale: Scale) -> dict[str, int]:
    quotas = {"lamost:poor": scale.lamost - scale.lamost_apogee, "lamost:apogee": scale.lamost_apogee - scale.overlap}
    return {**quotas, **{f"any#lamost:{fault}": scale.faults for fault in ("no_labels", "no_match", "low_snr")}}

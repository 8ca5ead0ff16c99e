"""The catalogs of a mock universe, the truth among them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from ...files import atomic_path
from ..instruments.observe import lost_arms
from ..native import apogee, compilations, lamost, miles, mws
from ..stars.sky import unit_vectors
from ..stars.truth import COLUMNS, spectrum_labels
from .samples import Plan
from .spectrum_groups import DESI_ARMS, shipped_emulator
from .universe_settings import UniverseSettings


def catalogs(plan: Plan, settings: UniverseSettings) -> dict[str, tuple[int, Callable[[Path], Any]]]:
    """What makes each catalog: part to its number of rows and a function that writes it to a path.

    A part is named by its path within the universe.
    """
    seed = settings.seed
    library = plan.stars[plan.miles]
    numbers = np.arange(1, len(library) + 1)
    poor = plan.stars[plan.compilation]
    makers: dict[str, tuple[int, Callable[[Path], Any]]] = {
        "truth.parquet": (len(plan.stars), partial(write_truth, plan)),
        "lamost/labels.csv": (len(plan.lamost), partial(lamost.write_labels, plan.lamost)),
        "miles/labels.csv": (len(library), partial(miles.write_labels, library, numbers, seed=seed)),
        "miles/split.csv": (len(library), partial(miles.write_split, library, numbers, seed=seed)),
        "apogee/allStar-dr17-synspec_rev1.fits": (len(plan.apogee), partial(apogee.write_allstar, plan.apogee)),
        "compilations": (len(poor), partial(compilations.write_compilations, poor, seed=seed)),
    }
    if (number := int((np.asarray(plan.stars["cluster"]) != "").sum())) > 0:
        makers["clusters.csv"] = (number, partial(write_clusters, plan))
    if (number := int(np.asarray(plan.stars["pair"]).max(initial=0))) > 0:
        makers["pairs.csv"] = (number, partial(write_pairs, plan))
    observed = desi_snr(plan.desi, settings)
    for release, name in mws.RELEASES.items():
        rows = observed[np.asarray(observed[f"in_{release}"])]
        makers[f"desi/{name}"] = (len(rows), partial(mws.write_mwsall, rows))
    return makers


def desi_snr(rows: Table, settings: UniverseSettings) -> Table:
    """Rows with the S/N of the red arms, zero where one is lost.

    The blue arm is never lost: a star without it has no labels, and the counts of the samples are of stars that have.
    """
    rows = rows.copy(copy_data=False)
    for arm in ("r", "z"):
        snr = mws.ARM_SNR[arm] * np.asarray(rows["snr_b"])
        if settings.effects.missing_arms:
            ids, visits = np.asarray(rows["source_id"]), np.asarray(rows["visit"])
            snr = np.where(lost_arms(DESI_ARMS, arm, ids, visits, settings.seed), 0.0, snr)
        rows[f"snr_{arm}"] = snr
    return rows


def write_truth(plan: Plan, path: Path) -> None:
    """Write the truth of each star: its properties, its role, where it is found, and how its spectrum was made.

    Columns beside those of `truth.COLUMNS`: ``role``; ``cluster`` ('' for none) and ``pair`` (0 for none) of stars that were born
    together; ``in_lamost`` and so on (bool); ``spectrum_teff`` and so on, the labels from which the spectrum was made; ``moved``,
    names of those that had to be moved to the emulator's edge, separated by commas, and ``outside`` (bool), whether any had.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    emulator = shipped_emulator()
    names = emulator.label_names
    columns: dict[str, np.ndarray] = {name: np.asarray(plan.stars[name]) for name in COLUMNS}
    columns |= {name: np.asarray(plan.stars[name]) for name in ("role", "cluster", "pair")}
    places = {
        "lamost": np.asarray(plan.lamost["star"]),
        "apogee": np.asarray(plan.apogee["star"]),
        "edr": np.asarray(plan.desi["star"])[np.asarray(plan.desi["in_edr"])],
        "dr1": np.asarray(plan.desi["star"])[np.asarray(plan.desi["in_dr1"])],
        "miles": plan.miles,
        "compilations": plan.compilation,
        "xp": plan.xp,
    }
    for name, stars in places.items():
        columns[f"in_{name}"] = np.isin(np.arange(len(plan.stars)), stars)
    wanted = spectrum_labels(plan.stars, names)
    made = np.where(emulator.inside(wanted)[:, None], wanted, emulator.clip(wanted))
    moved = ~np.isclose(made, wanted, rtol=1e-6, atol=1e-6)
    columns |= {f"spectrum_{name}": made[:, place] for place, name in enumerate(names)}
    columns["moved"] = np.array([",".join(np.array(names)[row]) for row in moved])
    columns["outside"] = moved.any(axis=1)
    described = {**COLUMNS, **{f"spectrum_{name}": (COLUMNS[name][0], "As in the spectrum") for name in names}}
    described |= {
        "cluster": ("", "Cluster whose stars share age, distance and abundances; empty for none"),
        "pair": ("", "Number of the wide pair whose two stars share them; 0 for none"),
    }
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    fields = [
        field.with_metadata(dict(zip(("unit", "description"), described.get(field.name, ("", "")), strict=True)))
        for field in table.schema
    ]
    with atomic_path(path, ours=True) as temporary:
        pq.write_table(table.cast(pa.schema(fields)), temporary, compression="zstd")


def write_clusters(plan: Plan, path: Path) -> None:
    """Write the members of clusters by DESI's TARGETID, with [Fe/H] and [alpha/Fe] of the cluster as the literature would say."""
    rows = plan.desi[np.asarray(plan.desi["cluster"]) != ""]
    names = ("cluster", "targetid", "source_id", "ra", "dec", "feh", "alphafe")
    lines = zip(*(np.asarray(rows[name]).tolist() for name in names), strict=True)
    write_table(path, ("cluster", "TARGETID", "source_id", "ra", "dec", "feh", "alphafe"), lines)


def write_pairs(plan: Plan, path: Path) -> None:
    """Write the wide pairs by DESI's TARGETIDs and Gaia's identifiers, with their separation in arcsec."""
    rows = plan.desi[np.asarray(plan.desi["pair"]) > 0]
    rows = rows[np.argsort(np.asarray(rows["pair"]), kind="stable")]
    first, second = rows[::2], rows[1::2]
    ends = [unit_vectors(np.asarray(side["ra"]), np.asarray(side["dec"])) for side in (first, second)]
    apart = np.degrees(2 * np.arcsin(np.linalg.norm(ends[0] - ends[1], axis=1) / 2)) * 3600
    columns = [np.asarray(side[name]).tolist() for name in ("targetid", "source_id") for side in (first, second)]
    head = ("TARGETID_1", "TARGETID_2", "source_id_1", "source_id_2", "separation_arcsec")
    write_table(path, head, zip(*columns, apart.round(2).tolist(), strict=True))


def write_table(path: Path, head: Sequence[str], rows: Iterable[Iterable]) -> None:
    """Write a CSV table whole, or not at all."""
    with atomic_path(path, ours=True) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)

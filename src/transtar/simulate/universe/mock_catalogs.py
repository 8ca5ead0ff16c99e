"""The catalogs of a mock universe, the truth among them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from ...files import atomic_path
from ..instruments.observe import lost_arms
from ..native import apogee, compilations, lamost, miles, mws
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

    Columns beside those of `truth.COLUMNS`: ``role``; ``in_lamost`` and so on (bool); ``spectrum_teff`` and so on, the labels
    from which the spectrum was made; ``moved``, names of those that had to be moved to the emulator's edge, separated by
    commas, and ``outside`` (bool), whether any had.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    emulator = shipped_emulator()
    names = emulator.label_names
    columns: dict[str, np.ndarray] = {name: np.asarray(plan.stars[name]) for name in COLUMNS}
    columns["role"] = np.asarray(plan.stars["role"])
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
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    fields = [
        field.with_metadata(dict(zip(("unit", "description"), described.get(field.name, ("", "")), strict=True)))
        for field in table.schema
    ]
    with atomic_path(path, ours=True) as temporary:
        pq.write_table(table.cast(pa.schema(fields)), temporary, compression="zstd")

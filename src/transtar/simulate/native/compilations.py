"""Mock compilations of metal-poor stars with labels from high-resolution spectra, in the manner of PASTEL and SAGA.

PASTEL: Soubiran et al. 2016, A&A 591, A118; SAGA: Suda et al. 2008, PASJ 60, 1159. Both list a star once for every
author, so stars repeat.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from astropy.table import Table

from ...files import atomic_path
from ..stars import epochs
from ..stars.epochs import at_epoch

PASTEL = ("ID", "RA", "DEC", "Teff", "e_Teff", "logg", "e_logg", "[Fe/H]", "e_[Fe/H]", "author", "gaia_source_id")
SAGA = ("Object", "RA", "DEC", "Reference", "Teff", "log_g", "[Fe/H]", "[C/Fe]", "[Mg/Fe]", "gaia_source_id")
AUTHORS = ("Mock2008", "Mock2013", "Mock2019")


def write_compilations(stars: Table, folder: Path, seed: int = 0) -> list[Path]:
    """Write pastel.csv with all stars, and saga.csv with those below [Fe/H] = -2; one star in twelve has two entries.

    Parameters
    ----------
    stars : Table
        source_id (int64), ra, dec, teff, logg, feh, cfe, mg_fe: the truth.
    folder : Path
    seed : int

    Returns
    -------
    list of Path
    """
    rng = np.random.default_rng(seed)
    # Authors differ from each other by zero points as well as by noise.
    zero = {author: rng.normal(0, (40, 0.08, 0.05)) for author in AUTHORS}
    pastel, saga = [], []
    for place, star in enumerate(at_epoch(stars, epochs.COMPILATIONS)):
        authors = [AUTHORS[place % 3]] + ([AUTHORS[(place + 1) % 3]] if place % 12 == 0 else [])
        identifier = str(int(star["source_id"]))
        where = [f"{star['ra']:.6f}", f"{star['dec']:.6f}"]
        for author in authors:
            teff, logg, feh = (
                np.array([star["teff"], star["logg"], star["feh"]]) + zero[author] + rng.normal(0, (60, 0.12, 0.08))
            )
            if star["feh"] < -2:
                # Such stars are in compilations because they were measured to be that poor.
                feh = -2 - abs(feh + 2)
            name = f"MOCK {place + 1:05d}"
            pastel.append(
                [name, *where, f"{teff:.0f}", 80, f"{logg:.2f}", 0.15, f"{feh:.2f}", 0.10, author, identifier]
            )
            if star["feh"] < -2:
                carbon, magnesium = star["cfe"] + rng.normal(0, 0.15), star["mg_fe"] + rng.normal(0, 0.1)
                labels = [f"{teff:.0f}", f"{logg:.2f}", f"{feh:.2f}", f"{carbon:.2f}", f"{magnesium:.2f}"]
                saga.append([name, *where, author, *labels, identifier])
    return [
        _write(Path(folder) / "pastel.csv", PASTEL, pastel),
        _write(Path(folder) / "saga.csv", SAGA, saga),
    ]


def _write(path: Path, names: tuple[str, ...], rows: list) -> Path:
    with atomic_path(path, ours=True) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
    return path

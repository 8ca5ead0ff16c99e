"""Catalogs of a made-up universe, written by the mock surveys' own writers in the layout of `transtar simulate`."""

from types import SimpleNamespace

import numpy as np
from astropy.table import Table

from transtar.simulate.native import apogee, compilations, lamost, mws
from transtar.simulate.universe.samples import plan
from transtar.simulate.universe.scales import get_scale

from .simulate import made_samples as made


def write_catalogs(folder, scale="small"):
    """Write them all; gives folder, scale and the plan, whose roles and faults tell what each cut must do."""
    planned = plan(dict.fromkeys(("lamost", "desi", "miles"), made.draw), get_scale(scale))
    apogee.write_allstar(planned.apogee, folder / "apogee" / "allStar-dr17.fits")
    for release, name in mws.RELEASES.items():
        mws.write_mwsall(planned.desi[planned.desi[f"in_{release}"]], folder / "desi" / name)
    lamost.write_labels(planned.lamost, folder / "lamost" / "labels.csv")
    compilations.write_compilations(planned.stars[planned.compilation], folder / "compilations")
    # The true labels lie beside the catalogs, and no selection may find them.
    planned.stars["source_id", "teff", "logg", "feh", "alphafe"].write(folder / "truth.parquet")
    return SimpleNamespace(folder=folder, scale=planned.scale, plan=planned)


def write_flags(world, path):
    """What a prepared set or a catalog of predictions knows of the EDR spectra: their flags."""
    rows = world.plan.desi[world.plan.desi["in_edr"] & (world.plan.desi["targetid"] > 0)]
    Table({
        "id": rows["targetid"], "survey": np.full(len(rows), "desi"), "SURVEY": rows["survey"],
        "PROGRAM": rows["program"], "flags": np.where(rows["fault"] == "bad_normalisation", 1, 2),
    }).write(path)  # fmt: skip
    return path

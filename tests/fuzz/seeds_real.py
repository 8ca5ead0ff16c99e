"""Seeds that are real files, where they are at hand; they are copied for the run and go nowhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

from .seeds import Seed

FILES = (
    ("lamost", "fits", "gz", "lamost_dr10/spectra/*.fits.gz", 1.0),
    ("lamost", "fits", "gz", "lamost_formats/spec-55915-*.fits.gz", 1.0),
    ("lamost", "fits", "", "lamost_formats/spec-58397-*.fits", 1.0),
    ("lamost", "fits", "", "lamost_dr1/spectra/*.fits*", 1.0),
    ("miles", "fits", "", "miles/spectra/*.fits", 1.0),
    ("desi", "fits", "", "desi/coadd-special-dark-27247.fits", 0.4),
    ("gaia-xp", "xml", "", "gaia_xp/xp_sampled.xml", 0.5),
    ("gaia-xp", "text", "", "gaia_xp/XP_CONTINUOUS_RAW.csv", 0.4),
    ("gaia-xp", "text", "", "gaia_xp/XP_CONTINUOUS_RAW.ecsv", 0.4),
    ("gaia-xp", "text", "", "gaia_xp/XP_CONTINUOUS_RAW_with_missing_BP.csv", 0.3),
    ("gaia-xp", "fits", "", "gaia_xp/XP_CONTINUOUS_RAW.fits", 0.4),
    ("gaia-xp", "fits", "", "gaia_xp/XP_CONTINUOUS_RAW_with_missing_BP.fits", 0.3),
    ("gaia-xp", "xml", "", "gaia_xp/XP_CONTINUOUS_RAW.xml", 0.4),
    ("generic", "fits", "", "public/sdss/spec-2942-*.fits", 0.4),
    ("generic", "text", "", "public/text/spec-0275-*.txt", 0.3),
    ("table", "xml", "", "public/tables/1710099405832VAL-result.vot", 0.6),
    ("table", "text", "", "public/tables/vizier_asu.tsv", 0.6),
    ("table", "text", "", "public/tables/lamost_bar.csv", 0.4),
    ("table", "fits", "", "public/tables/GALAH_gbs_lbol.fits", 0.4),
    ("table", "fits", "", "desi/redrock-4-80613-thru20210324.fits", 0.4),
)
"""Kind, format, codec, pattern below the folder of data, share."""


def write(root: Path, data: Path, kinds: tuple[str, ...]) -> list[Seed]:
    """The first file of each pattern that there is."""
    seeds = []
    for kind, form, codec, pattern, share in FILES:
        found = sorted(data.glob(pattern))
        if not found or (kinds and kind not in kinds):
            continue
        folder = root / f"real-{kind}-{len(seeds):02d}"
        folder.mkdir(parents=True)
        shutil.copyfile(found[0], folder / found[0].name)
        codec = "gz" if found[0].name.endswith(".gz") else codec
        seeds.append(Seed(folder.name, kind, form, folder, found[0].name, found[0].name, codec, share))
    return seeds

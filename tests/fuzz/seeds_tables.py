"""Seeds of tables: one of each format in which catalogs come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.table import Table

from .seeds import Seed, one_file, pack

N = 12


def stars() -> dict[str, np.ndarray]:
    """A small catalog."""
    rng = np.random.default_rng(3)
    return {
        "obsid": 2**62 + 1 + np.arange(N), "file": np.array([f"spec-{i:03d}.fits" for i in range(N)]),
        "star": np.array([f"HD {100 + i}" for i in range(N)]), "teff": rng.uniform(4000, 6900, N).round(1),
        "logg": rng.uniform(1, 5, N).round(3), "feh": rng.uniform(-2, 0.4, N).round(4), "feh_err": np.full(N, 0.05),
        "ra": rng.uniform(0, 360, N).round(6), "dec": rng.uniform(-80, 80, N).round(6), "nobs": np.arange(N, dtype=np.int32),
    }  # fmt: skip


def as_text(separator: str, holes: bool = True) -> str:
    """The catalog as text, with two cells that are empty."""
    columns = {name: [str(v) for v in values.tolist()] for name, values in stars().items()}
    if holes:
        columns["feh"][3] = columns["logg"][5] = ""
    rows = zip(*columns.values(), strict=True)
    return "\n".join(separator.join(row) for row in [list(columns), *rows]) + "\n"


def vizier() -> str:
    """Names, units, dashes."""
    head, *rows = as_text("\t", False).splitlines()
    units = dict.fromkeys(head.split("\t"), "") | {"teff": "K", "ra": "deg", "dec": "deg"}
    lines = ["#RESOURCE=yCat", "#Name: J/A", head, "\t".join(units[n] or " " for n in head.split("\t"))]
    return "\n".join([*lines, "\t".join("-" * 5 for _ in units), *rows]) + "\n"


def write(root: Path, kinds: tuple[str, ...]) -> list[Seed]:
    """All of them."""
    if kinds and "table" not in kinds:
        return []
    texts = {
        "csv": (as_text(","), "csv", ""), "tsv": (as_text("\t"), "tsv", ""), "bars": (as_text("|"), "csv", ""),
        "semicolons": (as_text(";"), "csv", ""), "vizier": (vizier(), "tsv", ""), "csv-gz": (as_text(","), "csv", "gz"),
        "csv-bz2": (as_text(","), "csv", "bz2"), "csv-xz": (as_text(","), "csv", "xz"),
        "commented": ("# from nowhere\n#\n" + as_text(","), "csv", ""),
    }  # fmt: skip
    seeds = []
    for name, (text, suffix, codec) in texts.items():
        path, seed = one_file(root, f"table-{name}", "table", "text", f"labels.{suffix}", codec, 0.8)
        path.write_text(text)
        seeds.append(pack(path, seed))
    table = Table(stars())
    table["teff"].unit, table["ra"].unit, table["dec"].unit = "K", "deg", "deg"
    for name, form, codec in (
        ("fits", "fits", ""), ("fits-gz", "fits", "gz"), ("votable", "votable", ""), ("ecsv", "ascii.ecsv", ""),
    ):  # fmt: skip
        suffix = {"fits": "fits", "votable": "vot", "ascii.ecsv": "ecsv"}[form]
        kind = {"fits": "fits", "votable": "xml", "ascii.ecsv": "text"}[form]
        path, seed = one_file(root, f"table-{name}", "table", kind, f"labels.{suffix}", codec, 1.5)
        table.write(path, format=form)
        seeds.append(pack(path, seed))
    path, seed = one_file(root, "table-binary2", "table", "xml", "labels.vot")
    table.write(path, format="votable", tabledata_format="binary2")
    seeds.append(seed)
    path, seed = one_file(root, "table-fits-sums", "table", "fits", "labels.fits")
    fits.BinTableHDU(table).writeto(path, checksum=True)
    seeds.append(seed)
    path, seed = one_file(root, "table-fits-scaled", "table", "fits", "labels.fits")
    scaled = [
        fits.Column("obsid", "K", array=stars()["obsid"]), fits.Column("teff", "E", array=stars()["teff"], unit="K"),
        fits.Column("feh", "I", array=np.arange(-500, 700, 100)),
        fits.Column("nobs", "J", null=-99, array=np.where(np.arange(N) == 4, -99, np.arange(N))),
        fits.Column("spectrum", "5E", array=np.ones((N, 5))), fits.Column("good", "L", array=np.arange(N) % 2 == 0),
    ]  # fmt: skip
    fits.BinTableHDU.from_columns(scaled).writeto(path)
    for key, value in (("TSCAL3", 0.001), ("TZERO3", -1.0)):
        fits.setval(path, key, value=value, ext=1)
    seeds.append(seed)
    for name, options in (("parquet", {}), ("parquet-sums", {"write_page_checksum": True, "compression": "zstd"})):
        path, seed = one_file(root, f"table-{name}", "table", "parquet", "labels.parquet", "", 1.5)
        pq.write_table(pa.table({k: pa.array(v.tolist()) for k, v in stars().items()}), path, **options)
        seeds.append(seed)
    return seeds

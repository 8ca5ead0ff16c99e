"""Seeds of the surveys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.io.votable.tree import Param
from astropy.table import Table

from ..surveys.desi_files import arms, fibermap, write_coadd, write_redrock
from ..surveys.fits_files import GRID, write_lamost_image, write_lamost_table, write_miles
from .seeds import Seed, one_file, pack

N = 60
"""Pixels of a spectrum of 'generic'."""


def write(root: Path, kinds: tuple[str, ...]) -> list[Seed]:
    """All of them."""
    parts = {
        "lamost": _lamost, "miles": _miles, "desi": _desi, "desi-brz": _desi_brz, "generic": _generic,
        "gaia-xp": _gaia, "sparcl": _sparcl, "page": _page,
    }  # fmt: skip
    return [seed for kind, part in parts.items() if not kinds or kind in kinds for seed in part(root)]


def _lamost(root: Path) -> list[Seed]:
    seeds = []
    for codec in ("", "gz", "bz2", "xz"):
        path, seed = one_file(root, f"lamost-table-{codec or 'plain'}", "lamost", "fits", "spec-1.fits", codec)
        seeds.append(pack(write_lamost_table(path), seed))
    for codec in ("", "gz"):
        path, seed = one_file(root, f"lamost-image-{codec or 'plain'}", "lamost", "fits", "spec-2.fits", codec)
        seeds.append(pack(write_lamost_image(path), seed))
    path, seed = one_file(root, "lamost-dr1", "lamost", "fits", "spec-3.fits")
    write_lamost_image(path, GRID[:3904], third=np.full(3904, 1.0, np.float32), OBSID=None)
    seeds.append(seed)
    path, seed = one_file(root, "lamost-sums", "lamost", "fits", "spec-4.fits")
    write_lamost_table(path)
    _with_sums(path)
    return [*seeds, seed, _fpacked(root, "lamost-fpack", "lamost", "spec-5.fits", write_lamost_image)]


def _fpacked(root: Path, name: str, kind: str, file: str, write: Callable[[Path], Path]) -> Seed:
    """As fpack leaves a file: its first image compressed by tiles in the second HDU, behind an empty one."""
    path, seed = one_file(root, name, kind, "fits", f"{file}.fz")
    write(path)
    with fits.open(path) as hdus:
        image, header = hdus[0].data, hdus[0].header.copy()
    packed = fits.CompImageHDU(image, header, compression_type="GZIP_2", quantize_level=0)
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto(path, overwrite=True)
    # A card of the convention that astropy keeps to itself.
    with fits.open(path, mode="update", disable_image_compression=True, checksum=True) as hdus:
        hdus[1].header.set("ZSIMPLE", True, after="TFIELDS")
        for hdu in hdus:
            hdu.add_checksum()
    return seed


def _with_sums(path: Path) -> None:
    with fits.open(path) as hdus:
        hdus.writeto(path.with_suffix(".tmp"), checksum=True)
    path.with_suffix(".tmp").replace(path)


def _miles(root: Path) -> list[Seed]:
    seeds = []
    for codec in ("", "gz", "bz2"):
        path, seed = one_file(
            root, f"miles-{codec or 'plain'}", "miles", "fits", "MILES_res2.50_star_m0250V.fits", codec
        )
        seeds.append(pack(write_miles(path), seed))
    path, seed = one_file(root, "miles-sums", "miles", "fits", "s0251.fits")
    write_miles(path, BUNIT="erg/s/cm2/A")
    _with_sums(path)
    return [*seeds, seed, _fpacked(root, "miles-fpack", "miles", "MILES_res2.50_star_m0252V.fits", write_miles)]


def _desi(root: Path) -> list[Seed]:
    name = "coadd-main-bright-9850.fits"
    seeds = []
    for codec in ("", "gz"):
        path, seed = one_file(root, f"desi-{codec or 'plain'}", "desi", "fits", name, codec)
        write_coadd(path, 3, arms(3, pixels=200), fibermap(3, OBJTYPE=["TGT", "SKY", "TGT"]))
        write_redrock(path.with_name("redrock-main-bright-9850.fits"), fibermap(3)["TARGETID"])
        seeds.append(pack(path, seed))
    path, seed = one_file(root, "desi-redrock", "desi", "fits", name)
    write_coadd(path, 3, arms(3, "B", pixels=200), resolution=False)
    write_redrock(path.with_name("redrock-main-bright-9850.fits"), fibermap(3)["TARGETID"][::-1])
    seeds.append(Seed(seed.name, "desi", "fits", seed.folder, "redrock-main-bright-9850.fits", name))
    path, seed = one_file(root, "desi-sums", "desi", "fits", "coadd-1-80605-thru20210205.fits")
    write_coadd(path, 2, arms(2, "BR", pixels=150), resolution=False, HPXPIXEL=None, SURVEY=None, PROGRAM=None)
    _with_sums(path)
    return [*seeds, seed]


def _desi_brz(root: Path) -> list[Seed]:
    path, seed = one_file(root, "desi-brz", "desi-brz", "fits", "coadd-main-dark-77.fits")
    write_coadd(path, 2, arms(2), resolution=False, HPXPIXEL=77, PROGRAM="dark")
    return [seed]


def _made(scale: float = 1.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    wave = np.linspace(4000, 5500, N).round(3)
    return {
        "wave": wave,
        "flux": scale * rng.uniform(1, 2, N).round(5),
        "ivar": rng.uniform(50, 90, N).round(4) / scale**2,
    }


def text_spectrum(separator: str = ",", names: str = "wave,flux,ivar", top: str = "# medium: vacuum\n") -> str:
    """A spectrum as text."""
    columns = _made()
    rows = zip(columns["wave"], columns["flux"], columns["ivar"], strict=True)
    lines = [separator.join(map(str, map(float, row))) for row in rows]
    return top + "\n".join([names.replace(",", separator), *lines]) + "\n"


def _generic(root: Path) -> list[Seed]:
    stated = f"# medium: air\n# frame: observed\n# id: {2**62 + 1}\n# velocity: -12.5\n# star: HD 101\n"
    texts = {
        "csv": ("star.csv", text_spectrum(), ""), "blanks": ("star.txt", text_spectrum(" "), ""),
        "stated": ("star.csv", text_spectrum(",", "wavelength,flux,error", stated), ""),
        "tabs": ("star.txt", text_spectrum("\t"), ""), "semicolons": ("star.csv", text_spectrum(";"), ""),
        "csv-gz": ("star.csv", text_spectrum(top=stated), "gz"), "csv-bz2": ("star.csv", text_spectrum(), "bz2"),
        "csv-xz": ("star.csv", text_spectrum(), "xz"),
    }  # fmt: skip
    seeds = []
    for name, (file, text, codec) in texts.items():
        path, seed = one_file(root, f"generic-{name}", "generic", "text", file, codec, 0.7)
        path.write_text(text)
        seeds.append(pack(path, seed))
    path, seed = one_file(root, "generic-ecsv", "generic", "text", "star.ecsv")
    Table(_made(), meta={"medium": "vacuum"}).write(path, format="ascii.ecsv")
    seeds.append(seed)
    path, seed = one_file(root, "generic-votable", "generic", "xml", "star.vot")
    votable = from_table(Table(_made()))
    (table,) = votable.iter_tables()
    table.params.append(Param(votable, name="medium", datatype="char", arraysize="*", value="vacuum"))
    votable.to_xml(str(path))
    seeds.append(seed)
    two = {name: np.stack([values, values]) for name, values in _made().items()}
    several = {"wave": two["wave"][0], "flux": two["flux"] * [[1], [1e-17]], "ivar": two["ivar"] * [[1], [1e34]]}
    for name, save in (("npz", np.savez), ("npz-packed", np.savez_compressed)):
        path, seed = one_file(root, f"generic-{name}", "generic", "npz", "stars.npz")
        save(path, **several, medium="vacuum", id=2**62 + np.arange(2), mask=several["flux"] < 0, velocity=[1.5, -3.0])
        seeds.append(seed)
    path, seed = one_file(root, "generic-pixels", "generic", "parquet", "star.parquet")
    pq.write_table(pa.table(_made()).replace_schema_metadata({"medium": "vacuum"}), path)
    seeds.append(seed)
    path, seed = one_file(root, "generic-lists", "generic", "parquet", "stars.parquet")
    rows = {name: list(values) for name, values in {**several, "wave": two["wave"]}.items()}
    lists = pa.table({**rows, "id": 2**62 + np.arange(2), "star": ["HD 1", "HD 2"], "velocity": [1.0, 2.0]})
    pq.write_table(lists.replace_schema_metadata({"medium": "vacuum"}), path, write_page_checksum=True)
    seeds.append(seed)
    return [*seeds, *_generic_fits(root)]


def _generic_fits(root: Path) -> list[Seed]:
    columns = _made(1e-15)
    path, seed = one_file(root, "generic-fits-table", "generic", "fits", "star.fits")
    table = fits.BinTableHDU.from_columns([fits.Column(name, "D", array=values) for name, values in columns.items()])
    table.header["MEDIUM"] = table.header["AIRORVAC"] = "vacuum"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    seeds = [seed]
    path, seed = one_file(root, "generic-fits-image", "generic", "fits", "star.fits")
    header = fits.Header([("CRPIX1", 1), ("CRVAL1", 4000.0), ("CDELT1", 25.0), ("CTYPE1", "WAVE"), ("CUNIT1", "Angstrom"),
                          ("AIRORVAC", "vac"), ("MEDIUM", "vacuum")])  # fmt: skip
    fits.PrimaryHDU(columns["flux"], header).writeto(path)
    return [*seeds, seed]


def _gaia(root: Path) -> list[Seed]:
    from transtar.simulate.native import gaia

    from ..simulate import made_samples
    from ..surveys.individual_xp import write_individual

    wave = 10 * np.arange(336.0, 1021.0, 2.0)
    batch = made_samples.batch(wave, [2**62 + 1, 422596679964513792], "gaia-xp", level=2000.0)
    batch.mask[:] = False
    seeds = []
    for suffix, codec in ((".csv", ""), (".fits", ""), (".csv", "gz"), (".fits", "gz"), (".csv", "xz")):
        name = f"gaia-sampled{suffix.replace('.', '-')}-{codec or 'plain'}"
        path, seed = one_file(
            root, name, "gaia-xp", "fits" if suffix == ".fits" else "text", f"XP_SAMPLED_RAW{suffix}", codec
        )
        gaia.write_sampled(batch, path)
        seeds.append(pack(path, seed))
    (root / "gaia-xml").mkdir()
    written = write_individual(batch, root / "gaia-xml")
    written[1].unlink()
    seeds.append(Seed("gaia-xml", "gaia-xp", "xml", root / "gaia-xml", written[0].name, written[0].name))
    path, seed = one_file(root, "gaia-individual-csv", "gaia-xp", "text", f"XP_SAMPLED-Gaia DR3 {2**62 + 1}.csv")
    lines = [f"{w / 10},{f * 1e-19},{f * 1e-20}" for w, f in zip(wave, batch.flux[0].tolist(), strict=True)]
    path.write_text("\n".join(["wavelength,flux,flux_error", *lines]) + "\n")
    seeds.append(seed)
    path, seed = one_file(root, "gaia-ecsv", "gaia-xp", "text", "XpSampledMeanSpectrum_000000-003111.csv")
    path.write_text(_bulk(batch.ids.tolist(), 1e-19 * batch.flux))
    return [*seeds, seed]


def _bulk(ids: list[int], flux: np.ndarray) -> str:
    """A bulk file of the archive: ECSV, its arrays in brackets, null where a value is missing."""
    types = {"source_id": "int64", "solution_id": "int64", "flux": "string", "flux_error": "string"}
    head = [
        "%ECSV 1.0",
        "---",
        "delimiter: ','",
        "datatype:",
        *(f"- {{name: {k}, datatype: {t}}}" for k, t in types.items()),
    ]
    rows = []
    for star, values in zip(ids, flux.tolist(), strict=True):
        arrays = [[f"{v:.6e}" for v in values], [f"{v / 20:.6e}" for v in values]]
        arrays[0][7] = "null"
        rows.append(f"{star},1," + ",".join(f'"[{",".join(one)}]"' for one in arrays))
    return "\n".join([*(f"# {line}" for line in head), ",".join(types), *rows]) + "\n"


def _sparcl(root: Path) -> list[Seed]:
    path, seed = one_file(root, "sparcl", "sparcl", "parquet", "sparcl-00000.parquet")
    several = {name: [values.tolist()] * 3 for name, values in _made().items() if name != "wave"}
    table = pa.table({
        "sparcl_id": ["a-1", "a-2", "a-3"], "data_release": ["DESI-DR1", "SDSS-DR16", "DESI-DR1"],
        "spectype": ["STAR", "STAR", "GALAXY"], "subtype": ["", "F9", ""], "survey": ["main", "sdss", "main"],
        "program": ["bright", None, "dark"], "specid": pa.array([2**62 + i for i in range(3)]),
        "targetid": pa.array([2**62 + 7, None, 2**62 + 9]), "redshift_warning": pa.array([0, 0, 4]),
        "healpix": pa.array([7, None, 9]), "coadd_fiberstatus": pa.array([0, None, 512]),
        "ra": [1.0, 2.0, 3.0], "dec": [4.0, 5.0, 6.0], "redshift": [1e-4, -2e-4, 0.3],
        "flux": pa.array(several["flux"], pa.list_(pa.float32())), "ivar": pa.array(several["ivar"], pa.list_(pa.float32())),
        "mask": pa.array([[False] * (N - 1) + [True]] * 3, pa.list_(pa.bool_())),
    })  # fmt: skip
    about = {"wave": json.dumps(_made()["wave"].tolist()), "medium": "vacuum", "frame": "observed"}
    pq.write_table(table.replace_schema_metadata(about), path, compression="zstd", write_page_checksum=True)
    return [seed]


def _page(root: Path) -> list[Seed]:
    """What `transtar fetch` keeps of the answers of SPARCL."""
    from transtar.fetch.cache import Pages, Record

    made = _made()
    records = {
        f"a-{i}": Record(
            {"specid": 2**62 + i, "redshift": 1e-4 * i, "spectype": "STAR", "ra": None},
            made["wave"], made["flux"].astype(np.float32), made["ivar"].astype(np.float32) if i else None, made["flux"] < 0,
        )
        for i in range(3)
    }  # fmt: skip
    folder = root / "page"
    folder.mkdir(parents=True)
    Pages(folder).add(records, {})
    (path,) = folder.glob("page-*.parquet")
    return [Seed("page", "page", "parquet", folder, path.name, path.name)]

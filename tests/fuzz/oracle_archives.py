"""What files of Gaia XP and of SPARCL say, by csv, astropy and pyarrow."""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from .oracle_fits import Broken, card, content_of, read_fits
from .oracle_generic import _ids, decode, is_utf8, parquet, split_rows, table_of, to_number
from .values import pixels

SAMPLING = np.arange(336.0, 1021.0, 2.0)


def gaia_xp(path: Path) -> dict[str, Any]:
    """All spectra of the file: sampled, one a row or one a table; of continuous ones the coefficients, by GaiaXPy."""
    content = content_of(path)
    start = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    odd, bad_sum = "", False
    if start.startswith(b"SIMPLE"):
        hdus, odd, bad_sum = read_fits(path)
        tables = []
        for hdu in hdus:
            if hasattr(hdu, "columns"):
                table = {name.lower(): hdu.data[name] for name in hdu.columns.names}
                for key in ("SOURCE_ID", "SOURCEID"):
                    if card(hdu.header, key) is not None:
                        table.setdefault("source_id", card(hdu.header, key))
                tables.append(table)
    elif start.startswith((b"<?xml", b"<VOTABLE", b"<!--")):
        tables = [xml_columns(table) for table in votables(content)]
    else:
        tables = [_csv(content)]
    ids, found, snr = [], [], []
    for table in tables:
        if not {"flux", "flux_error"} <= set(table):
            if "bp_coefficients" in table or "rp_coefficients" in table:
                return _continuous(table) | {"_odd": odd, "_sum": bad_sum}
            raise Broken("no fluxes")
        if "wavelength" in table:
            planes = [[_vector(table[name])] for name in ("wavelength", "flux", "flux_error")]
            given = table.get("source_id")
            name = re.search(r"(\d{6,19})(?=\D*$)", re.sub(r"\.(gz|bz2)$", "", path.name))
            own = [None if given is None else np.atleast_1d(np.asarray(given)).tolist()[0]]
            own = own if given is not None else [int(name[1]) if name else None]
        else:
            flux, error = ([_vector(cell) for cell in table[name]] for name in ("flux", "flux_error"))
            planes = [[SAMPLING] * len(flux), flux, error]
            own = list(np.asarray(table["source_id"], dtype=object))
        ids += own
        for wave, flux, error in zip(*planes, strict=True):
            if not len(wave) == len(flux) == len(error) or not (np.diff(wave) > 0).all() or not np.isfinite(wave).all():
                raise Broken("lengths or wavelengths")
            with np.errstate(all="ignore"):
                ivar = (error * 1e19) ** -2.0
                good = np.isfinite(flux) & np.isfinite(ivar) & (error > 0)
                found.append(pixels(10 * wave, flux * 1e19, ivar, ~good))
                snr.append(np.median((flux / error)[good]) if good.any() else np.nan)
    numbers = _ids(np.array(ids, dtype=object), len(ids))
    return {
        "n": len(ids), "id": numbers, "frame": "observed", "pixels": found, "snr_survey": np.array(snr),
        "velocity": np.full(len(ids), np.nan), "_odd": odd, "_sum": bad_sum,
        "_doubt": not start.startswith(b"SIMPLE") and not is_utf8(content), "_infos": infos_of(content),
    }  # fmt: skip


def _vector(cell: Any) -> np.ndarray:
    if isinstance(cell, str):
        inner = cell.strip().strip("()[]").strip()
        parts = [part for part in (inner.split(",") if "," in inner else inner.split())]
        return np.array([to_number(part) for part in parts])
    if isinstance(cell, list | tuple) and cell and isinstance(cell[0], str):
        return np.array([to_number(part) for part in cell])
    return np.asarray(np.ma.filled(np.ma.asarray(cell, np.float64), np.nan), np.float64)


def _csv(content: bytes) -> dict[str, Any]:
    csv.field_size_limit(10**8)
    lines = [line.rstrip("\r") for line in decode(content).split("\n")]
    body = [line for line in lines if line.strip() and not line.startswith("#")]
    if not body or any("\r" in line for line in body):
        raise Broken("no rows")
    rows = split_rows(body)
    names = [name.lower() for name in rows[0]]
    if any(len(row) != len(names) for row in rows) or len(rows) < 2 or len(set(names)) != len(names):
        raise Broken("rows differ in length, or a name twice")
    return {name: list(column) for name, column in zip(names, zip(*rows[1:], strict=True), strict=True)}


def votables(content: bytes) -> list[Any]:
    """Tables of a VOTable by astropy; entities and outside data are none of its business here."""
    from astropy.io.votable import parse

    if b"<!ENTITY" in content or re.search(rb"href\s*=", content) or content.count(b"<") > 10**6:
        raise Broken("entities, or data elsewhere")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return list(parse(io.BytesIO(content.removeprefix(b"\xef\xbb\xbf")), verify="ignore").iter_tables())
        except Exception as error:
            raise Broken(f"{type(error).__name__}: {error}") from None


def infos_of(content: bytes) -> list[bytes]:
    """What a service says of its answer."""
    return re.findall(rb"<INFO[^>]*QUERY_STATUS[^>]*>", content)


def xml_columns(table: Any) -> dict[str, Any]:
    found: dict[str, Any] = {str(param.name).lower(): param.value for param in table.params}
    for one in table.fields:
        found[str(one.name).lower()] = table.array[one.ID]
    return found


def _continuous(table: dict[str, Any]) -> dict[str, Any]:
    """Only what was read, not what follows from it."""
    # Every number: an array of a thousand shows but a few of them as text.
    return {"_" + name: str([np.asarray(cell).tolist() for cell in column]) for name, column in table.items()} | {
        "n": len(table["source_id"]), "id": _ids(np.array([str(v) for v in table["source_id"]], dtype=object), 0),
    }  # fmt: skip


def sparcl(path: Path) -> dict[str, Any]:
    """As transtar fetch writes them: one row a spectrum; velocities of stars without a warning."""
    content = content_of(path, False)
    table = table_of(content)
    found = parquet(content, path)
    n = table.num_rows

    def column(name: str, filler: Any) -> list:
        cells = table.column(name).to_pylist() if name in table.column_names else [filler] * n
        return [filler if cell is None else cell for cell in cells]

    if not {"sparcl_id", "specid", "data_release"} <= set(table.column_names):
        raise Broken("no columns of SPARCL")
    desi = [str(name).upper().startswith("DESI") for name in column("data_release", "")]

    def numbers(name: str) -> list[int]:
        # Whole numbers that stand there as text are no others.
        return _ids(np.array([None if cell == -1 else cell for cell in column(name, -1)], dtype=object), n).tolist()

    targets, own, warned = numbers("targetid"), numbers("specid"), numbers("redshift_warning")
    kinds = [
        str(kind).upper() if warning in (0, -1) else ""
        for kind, warning in zip(column("spectype", ""), warned, strict=True)
    ]
    speeds = [299792.458 * float(z) for z in column("redshift", np.nan)]
    found["id"] = np.array([t if d and t != -1 else s for d, t, s in zip(desi, targets, own, strict=True)], np.int64)
    found["velocity"] = np.array(
        [v if k == "STAR" and abs(v) <= 3000 else np.nan for v, k in zip(speeds, kinds, strict=True)]
    )
    found["class"] = np.array(kinds)
    for name in ("ra", "dec"):
        found[name] = np.array(column(name, np.nan), np.float64)
    found["sparcl_id"] = np.array(column("sparcl_id", ""))
    sure = [warning in (0, -1) for warning in warned]
    found["subclass"] = np.array([kind if ok else "" for kind, ok in zip(column("subtype", ""), sure, strict=True)])
    for name, filler in (("survey", ""), ("program", ""), ("healpix", -1)):
        cells = zip(numbers(name) if name == "healpix" else column(name, filler), desi, strict=True)
        found[name.upper()] = np.array([cell if ok else filler for cell, ok in cells])
    found["specid"] = np.array(own, np.int64)
    found["release"] = np.array(column("data_release", ""))
    names = [str(name).split("-")[0] for name in column("data_release", "")]
    found["star"] = np.array([f"{a} {t if t > 0 else s}" for a, t, s in zip(names, targets, own, strict=True)])
    status = [max(cell, 0) & ~8 for cell in numbers("coadd_fiberstatus")]
    found["bad_fiber"] = np.array([bool(cell) and ok for cell, ok in zip(status, desi, strict=True)])
    return found


def page(path: Path) -> dict[str, Any]:
    """A page of the cache: arrays, and the other fields as JSON."""
    table = table_of(content_of(path, False))
    kinds = {"wave": float, "flux": np.float32, "ivar": np.float32, "mask": bool}
    try:
        several = [table.column(name).to_pylist() for name in ("sparcl_id", "fields", *kinds)]
        rows = sorted(zip(*several, strict=True), key=lambda row: row[0])
        arrays: dict[str, list] = {
            name: [None if row[place] is None else np.array(row[place], kind) for row in rows]
            for place, (name, kind) in enumerate(kinds.items(), 2)
        }
        fields = [json.loads(row[1]) for row in rows]
    except (TypeError, ValueError, KeyError) as error:
        raise Broken(str(error)) from None
    if len({row[0] for row in rows}) != len(rows) or any(
        one is not None and len(one) != len(arrays["wave"][k])
        for cells in arrays.values()
        for k, one in enumerate(cells)
    ):
        raise Broken("a record twice, or lengths differ")
    return {"n": len(rows), "names": [row[0] for row in rows], "fields": fields, **arrays}

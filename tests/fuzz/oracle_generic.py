"""What files of the survey 'generic', of Gaia XP and of SPARCL say, by csv, numpy, pyarrow and astropy."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from transtar.surveys.air import air_to_vacuum

from .oracle_fits import Broken, card, content_of, read_fits, words
from .values import pixels

NAMES = {
    "wavelength": "wave", "lambda": "wave", "log_wave": "loglam", "loglambda": "loglam", "inverse_variance": "ivar",
    "invvar": "ivar", "ids": "id",
    **dict.fromkeys(("sigma", "err", "uncertainty", "flux_err", "flux_error", "e_flux"), "error"),
}  # fmt: skip
STATED = ("medium", "frame", "id", "velocity", "star", "class", "subclass")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?", re.ASCII)
UNITS = {"": 1.0, "angstrom": 1.0, "aa": 1.0, "a": 1.0, "nm": 10.0, "um": 1e4, "micron": 1e4, "m": 1e10}


def canonical(name: str) -> str:
    name = name.strip().lower()
    return NAMES.get(name, name)


def to_number(text: str, blank: float = np.nan) -> float:
    """A number as CSV has it; other spellings are none.

    Raises
    ------
    Broken
    """
    text = text.strip()
    if text.lower() in ("", "nan", "null", "none", "--", "+nan", "-nan"):
        return blank
    if text.lower() in ("inf", "+inf", "-inf", "infinity", "-infinity"):
        return float(text)
    if not NUMBER.fullmatch(text):
        raise Broken(f"no number: {text[:30]!r}")
    # Fortran writes 1.0D+03.
    return float(text.lower().replace("d", "e"))


def decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise Broken("UTF-16, or NULs")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def is_utf8(content: bytes) -> bool:
    """Whether it is; what is not may be read as Latin-1, or refused."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def check_ecsv(content: bytes) -> None:
    """Have astropy read what says that it is ECSV.

    Raises
    ------
    Broken
        If it cannot.
    """
    from astropy.table import Table

    if content.startswith(b"# %ECSV"):
        try:
            Table.read(content.decode("utf-8").split("\n"), format="ascii.ecsv")
        except Exception as error:
            if re.search(
                r"could not convert string to float: '(-{1,3}|n/a|null|none|nil)'\Z", str(error), re.IGNORECASE
            ):
                # What stands for 'missing' in any table of text does so in this one, too.
                return
            raise Broken(f"{type(error).__name__}: {error}"[:200]) from None


def split_rows(lines: list[str]) -> list[list[str]]:
    """Rows at the separator that the first line has; a quote left open is an error."""
    separator = next((s for s in (",", ";", "\t") if s in lines[0]), None)
    try:
        if separator is None:
            rows = [
                [cell for cell in row if cell]
                for row in csv.reader(lines, delimiter=" ", skipinitialspace=True, strict=True)
            ]
        else:
            rows = list(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error as error:
        raise Broken(str(error)) from None
    if len(rows) != len(lines):
        raise Broken("a cell of several lines")
    return [[cell.strip() for cell in row] for row in rows]


def text(content: bytes, path: Path) -> dict[str, Any]:
    """Comments ``# key: value``, a line of names, one pixel a row."""
    check_ecsv(content)
    lines = [line.rstrip("\r") for line in decode(content).split("\n")]
    if any("\r" in line for line in lines):
        raise Broken("lines that end in CR")
    comments = [line[1:].strip() for line in lines if line.startswith("#")]
    body = [line for line in lines if line.strip() and not line.startswith("#")]
    if not body:
        raise Broken("no rows")
    rows = split_rows(body)
    if NUMBER.fullmatch(rows[0][0]) and comments:
        names = split_rows(comments[-1:])[0]
    else:
        names, rows = rows[0], rows[1:]
    named = [re.fullmatch(r"(.*?)(?:\s*[\[(]([^\[\]()]*)[\])])?", name) for name in names]
    units = {canonical(one[1]): one[2].strip() for one in named if one and one[2]}
    names = [canonical(one[1]) for one in named if one]
    if any(len(row) != len(names) for row in rows) or not rows:
        raise Broken("rows differ in length")
    stated: dict[str, str] = {}
    for comment in comments:
        found = re.match(r"(?i)(medium|frame|unit|id|velocity|star|class|subclass)\s*[:=]\s*(.*\S)", comment)
        if found:
            if found[1].lower() in stated:
                raise Broken(f"{found[1]} twice")
            stated[found[1].lower()] = found[2].strip("'\"")
        # ECSV keeps them in its meta.
        for key, value in re.findall(r"\{(medium|frame|id|velocity|star): ['\"]?([^'\"}]+)['\"]?\}", comment):
            stated[key] = value
    if len(set(names)) != len(names):
        raise Broken("a name twice")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    units |= {
        canonical(name): unit for name, unit in re.findall(r"\{name: (\w+), unit: ([\w.\^/*-]+)", "\n".join(comments))
    }
    planes = {}
    for name in ("wave", "loglam", "flux", "ivar", "error", "mask"):
        if name in columns:
            spelt = {"true": "1", "false": "0"} if name == "mask" else {}
            planes[name] = np.array([to_number(spelt.get(cell.lower(), cell)) for cell in columns[name]])
    for name in ("medium", "frame", "id", "velocity", "star"):
        if name in columns:
            if len(set(columns[name])) != 1:
                raise Broken(f"{name} differs between rows")
            stated.setdefault(name, columns[name][0])
    downwards = len(planes.get("wave", ())) > 1 and planes["wave"][0] > planes["wave"][-1]
    if downwards:
        planes = {name: values[::-1] for name, values in planes.items()}
    return _spectra(planes, stated, units, 1) | {"_doubt": not is_utf8(content), "_downwards": str(downwards)}


def _spectra(planes: dict[str, Any], stated: dict[str, Any], units: dict[str, str], n: int) -> dict[str, Any]:
    if "flux" not in planes or ("wave" in planes) == ("loglam" in planes):
        raise Broken("no flux, or no wavelengths, or two")
    wave = planes["wave"] if "wave" in planes else 10.0 ** np.asarray(planes["loglam"], float)
    unit = str(units.get("wave") or stated.get("unit") or "").lower()
    if unit == "hz":
        unit, wave = "", 2.99792458e18 / np.asarray(wave, np.float64)[..., ::-1]
        planes = {name: np.asarray(values)[..., ::-1] for name, values in planes.items()}
    if unit not in UNITS:
        raise Broken(f"unit {unit}")
    wave = np.atleast_2d(np.asarray(wave, np.float64) * UNITS[unit])
    medium, frame = str(stated.get("medium", "")).strip().lower(), str(stated.get("frame", "observed")).strip().lower()
    if medium not in ("vacuum", "air") or frame not in ("observed", "rest"):
        raise Broken("no medium, or no frame")
    flux = np.atleast_2d(np.asarray(planes["flux"], np.float64))
    n = len(flux)
    if len(wave) == 1:
        wave = np.repeat(wave, n, axis=0)
    if wave.shape != flux.shape or any(
        np.atleast_2d(planes[k]).shape != flux.shape for k in planes if k not in ("wave", "loglam")
    ):
        raise Broken("shapes differ")
    if not np.isfinite(wave).all() or wave.min() <= 0 or not (np.diff(wave, axis=1) > 0).all() or wave.shape[1] < 2:
        raise Broken("wavelengths are none")
    if medium == "air":
        wave = np.stack([air_to_vacuum(one) for one in wave])
    ivar = None
    if "ivar" in planes:
        ivar = np.atleast_2d(np.asarray(planes["ivar"], np.float64))
    elif "error" in planes:
        error = np.atleast_2d(np.asarray(planes["error"], np.float64))
        good = np.isfinite(error) & (error > 0)
        with np.errstate(divide="ignore", over="ignore"):
            ivar = np.where(good, np.where(good, error, 1.0) ** -2.0, 0.0)
    mask = np.zeros(flux.shape, bool)
    if "mask" in planes:
        mask = np.nan_to_num(np.atleast_2d(np.asarray(planes["mask"], np.float64)), nan=1.0) != 0
    out: dict[str, Any] = {
        "n": n, "frame": frame, "_units": units, "_medium": medium,
        "pixels": [pixels(wave[i], flux[i], None if ivar is None else ivar[i], mask[i]) for i in range(n)],
        "id": _ids(stated.get("id"), n),
    }  # fmt: skip
    velocity = stated.get("velocity")
    if velocity is None:
        out["velocity"] = np.full(n, 0.0 if frame == "rest" else np.nan)
    else:
        out["velocity"] = np.array(
            [v if isinstance(v, float) else to_number(str(v)) for v in np.atleast_1d(velocity).tolist()]
        )
    for name in ("star", "class", "subclass"):
        if name in stated:
            out[name] = np.atleast_1d(np.asarray(stated[name]).astype(str))
    return out


def _ids(given: Any, n: int) -> np.ndarray:
    if given is None:
        return np.full(n, -1)
    found = []
    for value in np.atleast_1d(given).tolist():
        spelt = "" if value is None else str(value).strip()
        if spelt.lower() in ("", "nan", "none", "null", "--"):
            found.append(-1)
        elif re.fullmatch(r"[+-]?\d+", spelt, re.ASCII) and -(2**63) <= int(spelt) < 2**63:
            found.append(int(spelt))
        elif isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            found.append(int(value))
        else:
            raise Broken("an identifier that is no whole number")
    return np.array(found, dtype=np.int64)


def npz(content: bytes, path: Path) -> dict[str, Any]:
    """Arrays by name, of which ``meta_`` marks columns of stars."""
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if len(set(archive.namelist())) != len(archive.namelist()):
                raise Broken("a name twice")
            if sum(info.file_size for info in archive.infolist()) > 1 << 27 or archive.testzip() is not None:
                raise Broken("too large, or a damaged entry")
            arrays = {}
            for info in archive.infolist():
                if info.filename.endswith(".npy"):
                    arrays[info.filename.removesuffix(".npy")] = _npy(archive.read(info))
    except Broken:
        raise
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {error}") from None
    planes = {canonical(name): array for name, array in arrays.items() if not name.startswith("meta_")}
    stated = {name.removeprefix("meta_"): array for name, array in arrays.items() if name.startswith("meta_")}
    stated |= {name: planes.pop(name) for name in ("id", "velocity", "star", "class", "subclass") if name in planes}
    stated |= {name: str(planes.pop(name)) for name in ("medium", "frame") if name in planes}
    known = {name: planes[name] for name in ("wave", "loglam", "flux", "ivar", "error", "mask") if name in planes}
    if any(array.dtype.kind not in "fiub" for array in known.values()):
        raise Broken("planes that are no numbers")
    return _spectra(known, stated, {}, 1)


def _npy(content: bytes) -> np.ndarray:
    if int.from_bytes(content[8:10], "little") > 10000:
        raise Broken("a long header")
    shape = re.search(rb"'shape': \(([\d, ]*)\)", content[:300])
    size = 1
    for length in re.findall(rb"\d+", shape[1] if shape else b""):
        size *= int(length)
    if size > len(content):
        raise Broken("claims more values than there are bytes")
    return np.load(io.BytesIO(content), allow_pickle=False)


def table_of(content: bytes) -> Any:
    """A parquet table, with the sums of its pages verified."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = pq.ParquetFile(pa.BufferReader(content)).metadata
        if (
            about.num_rows > 10**6
            or sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups)) > 1 << 28
        ):
            raise Broken("too large")
        if not _counts_agree(about):
            # Arrow reads as many as one of them says, whichever it is.
            raise Broken("counts in the footer that contradict each other")
        # Not by read_table, which has no use for two columns of one name.
        table = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True).read(use_threads=False)
        table.validate(full=True)
    except Broken:
        raise
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {error}") from None
    return table


def _counts_agree(about: Any) -> bool:
    """Whether the rows of the file are those of its groups, and these those of their columns."""
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    flat = [about.schema.column(k).max_repetition_level == 0 for k in range(about.num_columns)]
    for group in groups:
        values = [group.column(k).num_values for k in range(group.num_columns)]
        if any(n < group.num_rows or (one and n != group.num_rows) for n, one in zip(values, flat, strict=True)):
            return False
    return about.num_rows == sum(group.num_rows for group in groups)


def parquet(content: bytes, path: Path) -> dict[str, Any]:
    """One row a spectrum, with lists; or one row a pixel."""
    import pyarrow as pa

    table = table_of(content)
    metadata = {
        k.decode("utf-8", "replace"): v.decode("utf-8", "replace") for k, v in (table.schema.metadata or {}).items()
    }
    if len({canonical(name) for name in table.column_names}) != table.num_columns:
        raise Broken("a name twice")
    lists = any(pa.types.is_nested(field.type) for field in table.schema)
    planes: dict[str, Any] = {}
    stated: dict[str, Any] = {name: metadata[name] for name in ("medium", "frame") if name in metadata}
    units = {"wave": metadata["unit"]} if "unit" in metadata else {}
    if "wave" in metadata:
        try:
            planes["wave"] = np.array(json.loads(metadata["wave"]), dtype=np.float64)
        except ValueError as error:
            raise Broken(str(error)) from None
    for spelt in table.column_names:
        name, cells = canonical(spelt), table.column(spelt).to_pylist()
        if "string" in str(table.schema.field(spelt).type) and name in (
            "wave",
            "loglam",
            "flux",
            "ivar",
            "error",
            "mask",
        ):
            raise Broken(f"{name} is text")
        if name in ("wave", "loglam", "flux", "ivar", "error", "mask"):
            blank = True if name == "mask" else np.nan
            try:
                if lists:
                    planes[name] = np.array([[blank if v is None else v for v in cell] for cell in cells], np.float64)
                else:
                    planes[name] = np.array([blank if v is None else v for v in cells], np.float64)
            except (TypeError, ValueError) as error:
                raise Broken(str(error)) from None
        elif name in ("medium", "frame"):
            if len(set(cells)) != 1:
                raise Broken(f"{name} differs")
            stated[name] = cells[0]
        elif name in ("id", "velocity", "star", "class", "subclass"):
            blank = np.nan if name == "velocity" else None if name == "id" else ""
            cells = [blank if v is None else v for v in cells]
            if lists or len(set(map(str, cells))) == 1:
                stated[name] = cells if lists else cells[:1]
    if lists:
        for name in ("velocity", "star", "class", "subclass"):
            if name in stated:
                stated[name] = np.array(stated[name])
    return _spectra(planes, stated, units, 1)


def fits(path: Path) -> dict[str, Any]:
    """A table of pixels or of vectors, or a one-dimensional image with a linear scale; the medium is in a card."""
    hdus, odd, bad_sum = read_fits(path)
    stated, units = {}, {}
    for hdu in hdus[:2]:
        for key in ("MEDIUM", "FRAME", "VELOCITY", "STAR", "ID"):
            value = card(hdu.header, key)
            if value is not None:
                stated.setdefault(key.lower(), value)
        if card(hdu.header, "VACUUM") in (True, "T") or words(hdu.header, "AIRORVAC").lower().startswith("vac"):
            stated.setdefault("medium", "vacuum")
    tables = [hdu for hdu in hdus if hasattr(hdu, "columns") and hdu.data is not None and len(hdu.data)]
    if sum("flux" in map(canonical, table.columns.names) for table in tables) > 1:
        # Which one is meant only the user knows.
        raise Broken("two tables of spectra")
    if tables:
        names = [canonical(name) for name in tables[0].columns.names]
        if len(set(names)) != len(names):
            raise Broken("a name twice")
        planes = {}
        for spelt, name in zip(tables[0].columns.names, names, strict=True):
            if name in ("wave", "loglam", "flux", "ivar", "error", "mask"):
                planes[name] = np.asarray(tables[0].data[spelt], np.float64)
                units[name] = str(tables[0].columns[spelt].unit or "")
                if planes[name].ndim == 2 and name in ("wave", "loglam"):
                    planes[name] = planes[name] if len(planes[name]) > 1 else planes[name][0]
    else:
        image = hdus[0].data
        header = hdus[0].header
        if image is None or image.ndim != 1:
            raise Broken("neither table nor spectrum")
        values = [card(header, key) for key in ("CRVAL1", "CDELT1", "CRPIX1")]
        if any(value is None or isinstance(value, str | bool) for value in values[:2]):
            raise Broken("no scale")
        start, step, reference = float(values[0]), float(values[1]), float(1 if values[2] is None else values[2])
        wave = start + step * (np.arange(len(image)) + 1 - reference)
        kind = words(header, "CTYPE1").upper()
        log = "LOG" in kind or card(header, "DC-FLAG") in (1, True)
        planes = {"loglam" if log else "wave": wave, "flux": image}
        units["wave"] = words(header, "CUNIT1")
    units = {name: unit for name, unit in units.items() if name == "wave"}
    # Whether CLASS is of the spectrum depends on its value.
    classes = sorted({words(hdu.header, key) for hdu in hdus[:2] for key in ("CLASS", "SUBCLASS")} - {""})
    return _spectra(planes, stated, units, 1) | {"_odd": odd, "_sum": bad_sum, "_classes": classes}


def votable(content: bytes) -> dict[str, Any]:
    """The columns of the first table with rows, one pixel a row; what holds for all of them in its PARAMs."""
    from .oracle_archives import infos_of, votables, xml_columns

    tables = [table for table in votables(content) if len(table.array)]
    if not tables:
        raise Broken("no rows")
    names = [canonical(str(field.name)) for field in tables[0].fields]
    if len(set(names)) != len(names):
        raise Broken("a name twice")
    given = {canonical(name): cells for name, cells in xml_columns(tables[0]).items()}
    units = {canonical(str(field.name)): str(field.unit or "") for field in tables[0].fields}
    units = {"wave": units.get("wave", "")}
    params = {str(param.name).lower(): str(param.value) for param in tables[0].params}
    stated = {name: params[name] for name in ("medium", "frame", "id", "velocity", "star") if name in params}
    planes = {}
    for name in ("wave", "loglam", "flux", "ivar", "error", "mask"):
        if name in given and name not in params:
            try:
                planes[name] = np.ma.filled(np.ma.asarray(given[name]).astype(np.float64), np.nan)
            except (TypeError, ValueError) as error:
                raise Broken(f"{name}: {error}") from None
    return _spectra(planes, stated, units, 1) | {"_infos": infos_of(content)}


def generic(path: Path) -> dict[str, Any]:
    """Any format of 'generic', told by content."""
    content = content_of(path)
    if content.startswith(b"SIMPLE"):
        return fits(path)
    if content.startswith(b"PK"):
        return npz(content_of(path, False), path)
    if content.startswith(b"PAR1"):
        return parquet(content_of(path, False), path)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<?xml", b"<VOTABLE")):
        return votable(content)
    return text(content, path)

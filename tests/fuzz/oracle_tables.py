"""Cells of tables by csv, astropy and pyarrow; and transtar's own folders by json, pyarrow and a reader of safetensors."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from .oracle_archives import infos_of, votables
from .oracle_fits import Broken, content_of, read_fits
from .oracle_generic import check_ecsv, decode, is_utf8, table_of

MISSING = {"", "-", "--", "---", "...", "nan", "none", "null", "n/a", "na", "<na>", "nil", "\\n", "masked"}


def table(path: Path) -> dict[str, Any]:
    """Columns in the order of the file: ``cells`` is a list of (name, list of text, number or None), ``_units`` beside it."""
    content = content_of(path)
    start = content[:512].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"SIMPLE"):
        hdus, odd, bad_sum = read_fits(path)
        tables = [hdu for hdu in hdus if hasattr(hdu, "columns") and hdu.data is not None]
        hdu = next((one for one in tables if len(one.data)), None)
        if hdu is None:
            raise Broken("no table")
        columns = [(name, *_fits_cells(hdu, place)) for place, name in enumerate(hdu.columns.names)]
        extra: dict[str, Any] = {"_odd": odd, "_sum": bad_sum}
    elif start.startswith(b"PAR1"):
        found = table_of(content_of(path, False))
        columns = [
            (name, column.to_pylist(), "") for name, column in zip(found.column_names, found.columns, strict=True)
        ]
        extra = {
            "_meta": str(found.schema.metadata), "_types": sorted(map(str, found.schema)), "_doubt": _miscounted(content),
        }  # fmt: skip
    elif start.startswith(b"<"):
        tables = [one for one in votables(content) if len(one.array)]
        if not tables:
            raise Broken("no table with rows")
        columns = [
            (str(f.name), [_plain(v) for v in tables[0].array[f.ID]], str(f.unit or "")) for f in tables[0].fields
        ]
        extra = {"_infos": infos_of(content)}
    else:
        check_ecsv(content)
        columns = _text(content)
        extra = {
            "_doubt": not is_utf8(content),
            "_announced": re.findall(r"(?m)^# - \{name: ([^,}]+)", decode(content)),
        }
    rows = len(columns[0][1])
    columns.sort(key=lambda column: column[0])
    return {
        "n": rows,
        "cells": [(name, [_plain(cell) for cell in cells]) for name, cells, _ in columns],
        "_units": [unit for _, _, unit in columns],
        **extra,
    }


def _miscounted(content: bytes) -> bool:
    """Whether a column claims another number of values than there are rows, which pyarrow does not look at."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = pq.ParquetFile(pa.BufferReader(content)).metadata
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    return any(
        group.column(j).num_values < group.num_rows for group in groups for j in range(group.num_columns)
    ) or any(
        group.column(j).num_values > group.num_rows and "." not in group.column(j).path_in_schema
        for group in groups
        for j in range(group.num_columns)
    )


def _fits_cells(hdu: Any, place: int) -> tuple[list, str]:
    column = hdu.columns[place]
    values = hdu.data.field(place)
    null = column.null
    cells = values.tolist() if values.ndim == 1 and values.dtype.kind != "O" else [None] * len(values)
    if null is not None and not isinstance(null, str):
        cells = [None if cell == null else cell for cell in cells]
    if column.format.strip().upper().lstrip("1") == "L" and isinstance(cells, list):
        # A zero byte is undefined (FITS standard 4.0, 7.3.3.2), which astropy takes for False.
        raw = np.asarray(hdu.data).view(np.recarray)[hdu.data.dtype.names[place]].tolist()
        cells = [None if byte == 0 else cell for cell, byte in zip(cells, raw, strict=True)]
    return cells, str(column.unit or "")


def _plain(value: Any) -> Any:
    if value is np.ma.masked or value is None or (not isinstance(value, str) and np.ndim(value) > 0):
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and np.isnan(value):
        return None
    if isinstance(value, str):
        value = value.strip()
        return None if value.lower() in MISSING else value
    return value


def _text(content: bytes) -> list[tuple[str, list, str]]:
    import csv

    csv.field_size_limit(10**8)
    lines = [line.rstrip("\r") for line in decode(content).split("\n")]
    if any("\r" in line for line in lines):
        raise Broken("lines that end in CR")
    units = dict(re.findall(r"# - \{name: ([^,}]+), unit: ([^,}]+)", "\n".join(lines)))
    body = [line for line in lines if line.strip() and not line.startswith("#")]
    separators = [s for s in ("\t", "|", ";", ",") if body and s in body[0]] or [" "]
    for separator in separators:
        try:
            rows = list(csv.reader(body, delimiter=separator, strict=True, skipinitialspace=separator == " "))
        except csv.Error:
            continue
        if len(rows) == len(body) and len({len(row) for row in rows}) == 1 and len(rows) > 1 and len(rows[0]) > 1:
            break
    else:
        raise Broken("no separator cuts all rows alike")
    names, rows = [name.strip() for name in rows[0]], rows[1:]
    # Names, units and a rule, which columns without a name do not have.
    drawn = len(rows) > 2 and all(re.fullmatch(r"\s*(-{2,})?\s*", cell) for cell in rows[1])
    if drawn and any(cell.strip() for cell in rows[1]):
        units, rows = dict(zip(names, (cell.strip() for cell in rows[0]), strict=True)), rows[2:]
    return [
        (name, list(cells), units.get(name, "")) for name, cells in zip(names, zip(*rows, strict=True), strict=True)
    ]


def agree(cell: Any, ours: Any, missing: bool) -> bool:
    """Whether one of our cells is what the file says."""
    if isinstance(cell, str) and ("\0" in cell or "\ufffd" in cell):
        # FITS ends a text at the first NUL; letters that are none have no right reading.
        return "\ufffd" in cell or agree(_plain(cell.split("\0")[0]), ours, missing)
    if cell is None or missing:
        return missing and cell is None
    if isinstance(ours, bool | np.bool_):
        return bool(ours) == (str(cell).lower() in ("true", "t", "1", "yes"))
    if isinstance(ours, str):
        if isinstance(cell, str):
            return ours.strip() == cell.strip()
        try:
            return float(ours) == float(cell)
        except ValueError:
            return ours.lower() == str(cell).lower()
    try:
        if (isinstance(ours, int) and isinstance(cell, int)) or (
            isinstance(cell, str) and re.fullmatch(r"[+-]?\d+", cell)
        ):
            return float(ours) == float(cell) and (not isinstance(ours, int) or int(ours) == int(cell))
        return bool(np.isclose(float(ours), float(cell), 1e-7, 0))
    except (TypeError, ValueError):
        return False


def prepared_set(folder: Path) -> dict[str, Any]:
    """The three files of a set; `_sum` is whether the sum of the fluxes is another than it says."""
    description = _json(folder / "set.json")
    spectra, stars = (table_of(content_of(folder / name, False)) for name in ("spectra.parquet", "stars.parquet"))
    if "flux" not in spectra.column_names or spectra.num_rows != stars.num_rows:
        raise Broken("rows differ, or no flux")
    try:
        flux = np.array(spectra.column("flux").to_pylist(), dtype=np.float32)
        ivar = (
            np.array(spectra.column("ivar").to_pylist(), dtype=np.float32) if "ivar" in spectra.column_names else None
        )
        sum_ = hashlib.sha256(np.ascontiguousarray(flux).tobytes()).hexdigest()
        columns = {f"column {name}": stars.column(name).to_pylist() for name in stars.column_names}
        out: dict[str, Any] = {
            "n": stars.num_rows, "flux": flux, **{name: np.array(cells) for name, cells in columns.items()},
            "labels": list(description["labels"]), "preprocessing": description["preprocessing"],
        }  # fmt: skip
    except (TypeError, ValueError, KeyError) as error:
        raise Broken(str(error)) from None
    types = [sorted(str(field) for field in one.schema) for one in (spectra, stars)]
    out |= seals(folder, "set.json", "spectra.parquet", "stars.parquet")
    return out | {
        "_types": types,
        "_ivar": ivar,
        "_sum": sum_ != description.get("flux_sha256"),
        "_description": description,
    }


def seals(folder: Path, description: str, *files: str) -> dict[str, Any]:
    """Sums of the files, if the description notes sums of any kind: whoever writes a file anew has to note its sum."""
    said = re.sub(rb'"flux_sha256": *"[^"]*"', b"", (folder / description).read_bytes())
    if not re.search(rb'"[0-9a-f]{32,}"', said):
        return {}
    there = [name for name in files if (folder / name).is_file()]
    return {f"_{name}": hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in there}


def model(folder: Path) -> dict[str, Any]:
    """Configuration, weights and training stars of a model."""
    config = _json(folder / "config.json")
    weights = _safetensors(content_of(folder / "model.safetensors", False))
    thin = folder / "adapter.safetensors"
    adapter = _safetensors(content_of(thin, False)) if thin.exists() else {}
    stars = table_of(content_of(folder / "trained_on.parquet", False))
    try:
        labels = config["labels"]
        sums = seals(folder, "config.json", "model.safetensors", "trained_on.parquet", "adapter.safetensors")
        return sums | {
            "n": len(labels), "labels": [label["name"] for label in labels],
            **{f"label_{part}": np.array([float(label[part]) for label in labels]) for part in ("mean", "std", "min", "max")},
            **{f"weight {name}": array for name, array in weights.items()},
            "trained_on": {name: np.array([v for v in stars.column(name).to_pylist()]) for name in stars.column_names},
            "limit": float(config["domain"]["limit"]), "surveys": list(config["surveys"]),
            "preprocessing": config["preprocessing"], "adapter": adapter, "_config": config,
        }  # fmt: skip
    except (TypeError, ValueError, KeyError) as error:
        raise Broken(str(error)) from None


def encoder(folder: Path) -> dict[str, Any]:
    """Configuration, weights and training stars of an encoder."""
    config = _json(folder / "config.json")
    weights = _safetensors(content_of(folder / "encoder.safetensors", False))
    stars = table_of(content_of(folder / "trained_on.parquet", False))
    try:
        return seals(folder, "config.json", "encoder.safetensors", "trained_on.parquet") | {
            "n": int(config["width"]), "name": str(config["name"]),
            **{f"weight {name}": array for name, array in weights.items()},
            "trained_on": {name: np.array([v for v in stars.column(name).to_pylist()]) for name in stars.column_names},
            "preprocessing": config["preprocessing"], "_config": config,
        }  # fmt: skip
    except (TypeError, ValueError, KeyError) as error:
        raise Broken(str(error)) from None


def _safetensors(content: bytes) -> dict[str, np.ndarray]:
    kinds = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8", "BOOL": "?"}
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > len(content) - 8:
        raise Broken("header is longer than the file")
    header = parse_json(content[8 : 8 + size])
    found, used = {}, 0
    if not isinstance(header, dict):
        raise Broken("no header")
    for name, about in header.items():
        if name == "__metadata__":
            continue
        try:
            first, last = about["data_offsets"]
            data = content[8 + size + first : 8 + size + last]
            if len(data) != last - first or first < 0:
                raise Broken("offsets beyond the file")
            found[name] = np.frombuffer(data, kinds[about["dtype"]]).reshape(about["shape"])
            used += last - first
        except (KeyError, TypeError, ValueError) as error:
            raise Broken(str(error)) from None
    if used != len(content) - 8 - size:
        raise Broken("bytes of no tensor")
    return found


def parse_json(content: bytes) -> Any:
    """JSON, each key once.

    Raises
    ------
    Broken
    """

    def once(pairs: list[tuple[str, Any]]) -> dict:
        if len({name for name, _ in pairs}) < len(pairs):
            raise Broken("a key twice")
        return dict(pairs)

    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Broken(str(error)) from None


def _json(path: Path) -> Any:
    found = parse_json(content_of(path, False))
    if not isinstance(found, dict):
        raise Broken("no mapping")
    return found


class _Plain(yaml.BaseLoader):
    """Every scalar is text; a key that stands twice is an error."""


def _mapping(loader: Any, node: Any) -> dict:
    found: dict = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str) or key in found:
            raise Broken("a key twice, or none")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Plain.add_constructor("tag:yaml.org,2002:map", _mapping)


def settings(path: Path) -> dict[str, Any]:
    """Every leaf of a YAML or JSON file by its dotted path, as text."""
    content = content_of(path, False)
    if path.suffix == ".json" and not content.lstrip().startswith(b"{"):
        raise Broken("no JSON")
    if len(content) > 1 << 20 or content.count(b"*") > 10 or b"<<" in content or b"!" in content:
        raise Broken("too large, or more than plain values")
    try:
        found = yaml.load(content.decode("utf-8-sig"), Loader=_Plain)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Broken(str(error).split("\n")[0]) from None
    if not isinstance(found, dict):
        raise Broken("no mapping")
    return {"n": 1, "leaves": {path: _spelt(text) for path, text in leaves(found)}}


def _spelt(text: Any) -> Any:
    """One of several spellings of nothing and of a number."""
    if isinstance(text, str) and text.strip().lower() in ("", "~", "null"):
        return "null"
    if isinstance(text, str) and re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", text):
        return repr(float(text))
    return text


def leaves(content: Any, path: str = "") -> Any:
    """Dotted path and value of every leaf of nested plain data; an empty list or mapping is a leaf."""
    if isinstance(content, dict) and content:
        for key, value in content.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(content, list | tuple) and content:
        for place, value in enumerate(content):
            yield from leaves(value, f"{path}.{place}" if path else str(place))
    else:
        yield path, content


def same_leaf(text: Any, value: Any) -> bool:
    """Whether a value is what a scalar of YAML says."""
    if isinstance(text, list | dict) or not isinstance(text, str):
        return not text and not value
    text = text.strip()
    if isinstance(value, bool):
        return text.lower() in (("true", "yes", "on", "y") if value else ("false", "no", "off", "n"))
    if value is None or value == [] or value == {}:
        return text.lower() in ("", "null", "~")
    if isinstance(value, str):
        return " ".join(text.split()) == " ".join(value.split())
    try:
        return bool(
            np.isclose(
                float(text.lower().replace(".inf", "inf").replace(".nan", "nan")),
                float(value),
                1e-12,
                0,
                equal_nan=True,
            )
        )
    except ValueError:
        return False

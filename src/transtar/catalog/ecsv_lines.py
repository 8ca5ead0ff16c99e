"""Catalogs as ECSV: text that says types, units and descriptions of its columns, and how it was made.

Source: https://github.com/astropy/astropy-APEs/blob/main/APE6.rst.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from ..glossary import Column
from ..tables.ecsv import parse_header
from .catalog_columns import yaml_header

KEY = "transtar"
"""Under which the metadata stand in ``meta``, as JSON."""


def write_ecsv(
    path: Path, batches: Iterable[Mapping[str, np.ndarray]], columns: Sequence[Column], metadata: Mapping[str, Any]
) -> None:
    """Write batches of columns as one file.

    Parameters
    ----------
    path : Path
        Overwritten; give a temporary file.
    batches : iterable of mapping of str to ndarray, shape (n,)
    columns : sequence of Column
    metadata : mapping
        What JSON can hold.
    """
    # astropy reads True and False, Arrow writes true and false.
    schema = pa.schema(
        [
            (one.name, pa.string() if one.dtype in ("str", "bool") else pa.from_numpy_dtype(np.dtype(one.dtype)))
            for one in columns
        ]
    )
    lines = ["%ECSV 1.0", "---", "delimiter: ','"]
    lines += yaml_header(columns, {KEY: json.dumps(dict(metadata))} if metadata else None)
    options = pa.csv.WriteOptions(include_header=False)
    with path.open("wb") as file:
        file.write("".join(f"# {line}\n" for line in lines).encode())
        file.write((",".join(_quoted(one.name) for one in columns) + "\n").encode())
        with pa.csv.CSVWriter(file, schema, write_options=options) as sink:
            for batch in batches:
                arrays = [batch[one.name] for one in columns]
                sink.write_table(pa.table([_arrow(values) for values in arrays], schema=schema))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(letter in name for letter in ',"') else name


def _arrow(values: np.ndarray) -> pa.Array:
    return pa.array(np.where(values, "True", "False") if values.dtype.kind == "b" else values, from_pandas=False)


def ecsv_metadata(path: Path) -> dict:
    """What `write_ecsv` was given as metadata; nothing of other files."""
    with path.open(encoding="utf-8") as file:
        head = list(itertools.takewhile(lambda line: line.startswith("#"), file))
    header = parse_header("".join(line[2:] for line in head).encode(), str(path))
    # An ordered mapping of YAML is read as pairs.
    return json.loads(dict(header.get("meta") or []).get(KEY, "{}"))

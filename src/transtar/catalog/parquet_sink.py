"""Parquet that says more of its columns than Arrow does, so that readers of astropy and of the Virtual Observatory know them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


class ParquetSink:
    """Write tables into a parquet file, whose metadata are completed at the end.

    astropy wants the lengths of texts among the metadata of the schema, which are known when all rows are written. The schema
    that Arrow keeps in the footer is therefore written here, as Arrow writes it: a message of Arrow's IPC format in base64.

    Parameters
    ----------
    file : binary file
        Open for writing.
    schema : pyarrow.Schema
    """

    def __init__(self, file: IO[bytes], schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True, store_schema=False)
        self._letters = {field.name: 1 for field in schema if pa.types.is_string(field.type)}

    def write_table(self, table: pa.Table) -> None:
        """Write rows, one group of them."""
        for name, letters in self._letters.items():
            longest = pc.max(pc.utf8_length(table.column(name))).as_py()
            self._letters[name] = max(letters, longest or 1)
        self._writer.write_table(table)

    def close(self) -> None:
        """Write the footer."""
        lengths = {f"table::len::{name}".encode(): str(n).encode() for name, n in self._letters.items()}
        schema = self._schema.with_metadata({**(self._schema.metadata or {}), **lengths})
        self._writer.add_key_value_metadata({**_texts(schema.metadata), "ARROW:schema": _encoded(schema)})
        self._writer.close()


def _texts(metadata: Mapping[bytes, bytes]) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in metadata.items()}


def _encoded(schema: pa.Schema) -> str:
    return base64.b64encode(schema.serialize().to_pybytes()).decode()

"""A catalog that is gathered in memory, with the columns that the same catalog has in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from .catalog_columns import arrow_schema, as_numpy, check_columns, columns_of, to_arrow


class CatalogInMemory:
    """Gather a catalog batch by batch, as `CatalogWriter` writes it."""

    def __init__(self) -> None:
        self._batches: list[pa.Table] = []

    def __enter__(self) -> CatalogInMemory:
        return self

    def __exit__(self, *_) -> None:
        """Nothing to put away."""

    def append(self, columns: Mapping[str, np.ndarray]) -> None:
        """Add a batch of rows; see `CatalogWriter.append`."""
        checked = check_columns(columns, "the catalog")
        schema = self._batches[0].schema if self._batches else arrow_schema(columns_of(checked), {})
        self._batches.append(to_arrow(checked, schema, "the catalog"))

    def revise(self, change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> None:
        """Change rows that were appended; see `CatalogWriter.revise`."""
        batches = [{name: as_numpy(table.column(name)) for name in table.column_names} for table in self._batches]
        self._batches = [
            to_arrow(change(columns), table.schema, "the catalog")
            for columns, table in zip(batches, self._batches, strict=True)
        ]

    def columns(self) -> dict[str, np.ndarray]:
        """All columns so far, as `read_columns` gives them: dict of str to ndarray, shape (n,)."""
        table = pa.concat_tables(self._batches)
        return {name: as_numpy(table.column(name)) for name in table.column_names}

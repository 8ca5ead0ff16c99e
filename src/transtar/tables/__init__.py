"""Every tabular file: opened in one way, by rules that hold for all. The only code that knows a table format."""

from .choice import CHOOSABLE, OF_SPECTRA, Choice
from .column import Column
from .column_names import KEY_PARTS, canonical_label, key_column, key_columns, key_parts, meaning
from .formats import from_arrow
from .ids import NO_ID, to_int64
from .opening import FORMATS, open_table, read_table
from .table import Table, find, once

__all__ = [
    "CHOOSABLE",
    "FORMATS",
    "KEY_PARTS",
    "NO_ID",
    "OF_SPECTRA",
    "Choice",
    "Column",
    "Table",
    "canonical_label",
    "find",
    "from_arrow",
    "key_column",
    "key_columns",
    "key_parts",
    "meaning",
    "once",
    "open_table",
    "read_table",
    "to_int64",
]

"""Every tabular file: opened in one way, by rules that hold for all. The only code that knows a table format."""

from .column import Column
from .ids import NO_ID, to_int64
from .names import KEY_PARTS, canonical_label, key_column, key_columns, meaning
from .table import CHOOSABLE, FORMATS, Choice, Table, find, from_arrow, once, open_table, read_table

__all__ = [
    "CHOOSABLE",
    "FORMATS",
    "KEY_PARTS",
    "NO_ID",
    "Choice",
    "Column",
    "Table",
    "canonical_label",
    "find",
    "from_arrow",
    "key_column",
    "key_columns",
    "meaning",
    "once",
    "open_table",
    "read_table",
    "to_int64",
]

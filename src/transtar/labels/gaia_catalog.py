"""Lists of stars of Gaia: source_ids, positions, proper motions."""

from __future__ import annotations

from ..tables.column_names import canonical_label

KIND = "gaia"
GAIA_ID = ("source_id", "gaia_source_id")
COLUMNS = ("source_id", "gaia_source_id", "ra", "dec", "pmra", "pmdec", "parallax", "radial_velocity", "ref_epoch")
"""Those that are read, where they exist, beside the ones asked for."""


def recognise(names: set[str]) -> bool:
    """Tell it by identifier, position and proper motion (lower case), and no labels of stars."""
    return {"source_id", "ra", "dec", "pmra", "pmdec"} <= names and not any(canonical_label(name) for name in names)

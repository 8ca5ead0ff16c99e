"""Label tables: reading them with canonical names and exact identifiers, and joining them to spectra."""

from ..glossary import LABELS
from ..tables import KEY_PARTS, canonical_label
from .join import JoinReport, compound_key, join, look_up
from .label_tables import Keyed, file_and_column, read_gaia_ids, read_labels, read_split, read_stars, read_velocities
from .places import match_spectra, table_positions
from .positions import PositionReport, Positions, match_positions
from .star_list import StarList
from .velocities import VelocityReport, find_velocities

__all__ = [
    "KEY_PARTS",
    "LABELS",
    "JoinReport",
    "Keyed",
    "PositionReport",
    "Positions",
    "StarList",
    "VelocityReport",
    "canonical_label",
    "compound_key",
    "file_and_column",
    "find_velocities",
    "join",
    "look_up",
    "match_positions",
    "match_spectra",
    "read_gaia_ids",
    "read_labels",
    "read_split",
    "read_stars",
    "read_velocities",
    "table_positions",
]

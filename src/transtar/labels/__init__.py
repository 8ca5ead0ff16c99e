"""Label tables: reading them with canonical names and exact identifiers, and joining them to spectra."""

from .join import JoinReport, join, look_up
from .names import LABELS, canonical_label
from .tables import read_labels, read_split, read_velocities

__all__ = ["LABELS", "JoinReport", "canonical_label", "join", "look_up", "read_labels", "read_split", "read_velocities"]

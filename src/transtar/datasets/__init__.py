"""Prepared sets: spectra on the wavelength grid with their labels and split, on disk; and the flow from files that fills them."""

from .defaults import tell_no_velocities
from .flow import Flow, Report
from .gridding import grid_spectra, preprocess_batch
from .opening import open_flow
from .prepare import PrepareReport, prepare, star_columns
from .prepared import PreparedSet, SetWriter, describe_set, join_sets, read_set, stream_set
from .select import star_names, training_arguments, usable

__all__ = [
    "Flow",
    "PrepareReport",
    "PreparedSet",
    "Report",
    "SetWriter",
    "describe_set",
    "grid_spectra",
    "join_sets",
    "open_flow",
    "prepare",
    "preprocess_batch",
    "read_set",
    "star_columns",
    "star_names",
    "stream_set",
    "tell_no_velocities",
    "training_arguments",
    "usable",
]

"""Prepared sets: spectra on the wavelength grid with their labels and split, on disk."""

from .prepare import PrepareReport, prepare, preprocess_batch, star_columns, tell_no_velocities
from .prepared import PreparedSet, SetWriter, describe_set, join_sets, read_set, stream_set
from .select import star_names, training_arguments, usable

__all__ = [
    "PrepareReport",
    "PreparedSet",
    "SetWriter",
    "describe_set",
    "join_sets",
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

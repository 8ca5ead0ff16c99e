"""Prepared sets: spectra on the wavelength grid with labels and split; the flow that fills them; the stars to learn from."""

from .defaults import tell_no_velocities
from .embed import embed_set
from .flow import Flow, Report
from .flow_opening import open_flow
from .gathering import gather_input
from .gridding import grid_spectra, preprocess_batch, star_columns
from .input_writer import add_input
from .inputs import Input, Inputs, input_names, register_input
from .pool import pool_stars
from .prepare import PrepareReport, prepare
from .prepared import PreparedSet, join_sets, star_names, usable
from .repeats import Repeats
from .set_files import SetWriter, describe_set
from .set_reader import SetReader, read_set, stream_set
from .split import folds, matched_split, nested_subsets, regime, validation_split
from .stars import Stars
from .velocity_source import given_table

__all__ = [
    "Flow",
    "Input",
    "Inputs",
    "PrepareReport",
    "PreparedSet",
    "Repeats",
    "Report",
    "SetReader",
    "SetWriter",
    "Stars",
    "add_input",
    "describe_set",
    "embed_set",
    "folds",
    "gather_input",
    "given_table",
    "grid_spectra",
    "input_names",
    "join_sets",
    "matched_split",
    "nested_subsets",
    "open_flow",
    "pool_stars",
    "prepare",
    "preprocess_batch",
    "read_set",
    "regime",
    "register_input",
    "star_columns",
    "star_names",
    "stream_set",
    "tell_no_velocities",
    "usable",
    "validation_split",
]

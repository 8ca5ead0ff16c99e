"""Training on sets larger than memory, by one process or many: encoders, and what aligns them."""

from .encoder_runs import EncoderRun, pretrain_encoder, training_of
from .engine import train_large
from .large_history import LargeHistory
from .large_settings import TRAINING_SIZES, EncoderTraining
from .objectives import Autoencoding, Batch, MaskedSegments, Objective
from .ranks import Ranks, gather_rows, joined_processes
from .run_folder import RunFolder, run_folder_of
from .spectra_source import SpectraSource, open_source
from .streams import PairedStream, SetStream, Stream

__all__ = [
    "TRAINING_SIZES",
    "Autoencoding",
    "Batch",
    "EncoderRun",
    "EncoderTraining",
    "LargeHistory",
    "MaskedSegments",
    "Objective",
    "PairedStream",
    "Ranks",
    "RunFolder",
    "SetStream",
    "SpectraSource",
    "Stream",
    "gather_rows",
    "joined_processes",
    "open_source",
    "pretrain_encoder",
    "run_folder_of",
    "train_large",
    "training_of",
]

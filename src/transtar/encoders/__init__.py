"""Encoders: what makes embeddings of spectra, which networks take as inputs."""

from .alignment import Alignment, new_alignment
from .alignment_storage import is_alignment, load_alignment, save_alignment
from .baselines import principal_components, untrained
from .encoder import Encoder
from .encoder_storage import encoder_hash, save_encoder
from .outside import OutsideEncoder
from .registry import (
    encoder_names,
    encoder_origin,
    find_encoder,
    load_encoder,
    named_encoder,
    note_of,
    register_encoder,
    use_encoders,
)
from .specclip import new_encoder

__all__ = [
    "Alignment",
    "Encoder",
    "OutsideEncoder",
    "encoder_hash",
    "encoder_names",
    "encoder_origin",
    "find_encoder",
    "is_alignment",
    "load_alignment",
    "load_encoder",
    "named_encoder",
    "new_alignment",
    "new_encoder",
    "note_of",
    "principal_components",
    "register_encoder",
    "save_alignment",
    "save_encoder",
    "untrained",
    "use_encoders",
]

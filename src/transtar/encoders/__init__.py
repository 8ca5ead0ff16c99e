"""Encoders: what makes embeddings of spectra, which networks take as inputs."""

from .encoder import Encoder

__all__ = ["Encoder"]

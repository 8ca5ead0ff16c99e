"""Networks, and nothing else: what they are built of, how they are described as plain data, and tensors on disk."""

from .building import build_network, describe
from .encoded import Affine, EncodedNetwork, EncoderPart
from .lora import LoRALinear, LoRASettings, add_lora, merge_lora
from .mlp import MLPSettings, build_mlp, count_weights
from .residual import ResidualNetwork, ResidualSettings, build_head

__all__ = [
    "Affine",
    "EncodedNetwork",
    "EncoderPart",
    "LoRALinear",
    "LoRASettings",
    "MLPSettings",
    "ResidualNetwork",
    "ResidualSettings",
    "add_lora",
    "build_head",
    "build_mlp",
    "build_network",
    "count_weights",
    "describe",
    "merge_lora",
]

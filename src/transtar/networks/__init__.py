"""Networks, and nothing else: what they are built of, how they are described as plain data, and tensors on disk."""

from .building import build_network, describe
from .encoded import Affine, EncodedNetwork, EncoderPart
from .lora import LoRALinear, LoRASettings, add_lora, merge_lora
from .lrs import LRS_SIZES, LRSSettings, LRSTransformer, lrs_settings
from .mlp import MLPSettings, build_mlp, count_weights
from .residual import ResidualNetwork, ResidualSettings, build_head
from .xp_autoencoder import XP_SIZES, XPAutoencoder, XPSettings, xp_settings

__all__ = [
    "LRS_SIZES",
    "XP_SIZES",
    "Affine",
    "EncodedNetwork",
    "EncoderPart",
    "LRSSettings",
    "LRSTransformer",
    "LoRALinear",
    "LoRASettings",
    "MLPSettings",
    "ResidualNetwork",
    "ResidualSettings",
    "XPAutoencoder",
    "XPSettings",
    "add_lora",
    "build_head",
    "build_mlp",
    "build_network",
    "count_weights",
    "describe",
    "lrs_settings",
    "merge_lora",
    "xp_settings",
]

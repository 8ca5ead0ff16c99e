"""Networks, and the Estimator that carries one together with its scalers, preprocessing and history."""

from .copies import export_model, import_model
from .ensemble import check_ensemble, load_models, predict_ensemble
from .estimator import Estimator
from .lora import LoRALinear, LoRASettings, add_lora, merge_lora
from .mlp import MLPSettings, build_mlp, count_weights
from .named import find_model, named_models
from .naming import describe_last_step, name_models
from .networks import build_network, describe
from .preprocessing import read_preprocessing
from .residual import ResidualNetwork, ResidualSettings, build_head
from .storage import check_replaceable, content_of, load_estimator, read_config, save_estimator

__all__ = [
    "Estimator",
    "LoRALinear",
    "LoRASettings",
    "MLPSettings",
    "ResidualNetwork",
    "ResidualSettings",
    "add_lora",
    "build_head",
    "build_mlp",
    "build_network",
    "check_ensemble",
    "check_replaceable",
    "content_of",
    "count_weights",
    "describe",
    "describe_last_step",
    "export_model",
    "find_model",
    "import_model",
    "load_estimator",
    "load_models",
    "merge_lora",
    "name_models",
    "named_models",
    "predict_ensemble",
    "read_config",
    "read_preprocessing",
    "save_estimator",
]

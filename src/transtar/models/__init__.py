"""The Estimator, which carries a network together with its scalers, preprocessing and history; models by name and on disk."""

from .copies import export_model, import_model, share_model
from .ensemble import check_ensemble, load_models, predict_ensemble
from .estimator import Estimator
from .folding import folded
from .hub_card import Scores
from .named import find_model, named_models
from .naming import describe_last_step, name_models, needs
from .preprocessing import read_preprocessing
from .storage import check_replaceable, content_of, load_estimator, read_config, save_estimator

__all__ = [
    "Estimator",
    "Scores",
    "check_ensemble",
    "check_replaceable",
    "content_of",
    "describe_last_step",
    "export_model",
    "find_model",
    "folded",
    "import_model",
    "load_estimator",
    "load_models",
    "name_models",
    "named_models",
    "needs",
    "predict_ensemble",
    "read_config",
    "read_preprocessing",
    "save_estimator",
    "share_model",
]

"""transtar: carry stellar labels from one spectroscopic survey to another.

The public names below are loaded when they are first used, so that ``import transtar`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

# `preprocess` and `evaluate` are subpackages: their functions go by other names here, for one name cannot be both.
_MODULES = {
    "SpectrumBatch": "spectra",
    "Stated": "surveys",
    "Survey": "surveys",
    "get_survey": "surveys",
    "register": "surveys",
    "stream": "surveys",
    "Preprocessing": "preprocess",
    "Quality": "quality",
    "preprocess_batch": "datasets",
    "PreparedSet": "datasets",
    "prepare": "datasets",
    "read_set": "datasets",
    "Stars": "datasets",
    "add_input": "datasets",
    "embed_set": "datasets",
    "read_labels": "labels",
    "measure_velocities": "velocity",
    "Encoder": "encoders",
    "load_encoder": "encoders",
    "Estimator": "models",
    "Augmentation": "train",
    "TrainSettings": "train",
    "choose": "train",
    "finetune": "train",
    "make_strategy": "train",
    "pretrain": "train",
    "predict_batches": "catalog",
    "predict_files": "catalog",
    "predict_set": "catalog",
    "read_catalog": "catalog",
    "flag_names": "flags",
    "from_spectrum": "surveys.specutils_bridge",
    "plot_spectrum": "report",
    "predict_spectra": "catalog",
    "write_catalog": "catalog",
    "evaluate_catalog": "evaluate",
    "Flag": "flags",
    "TranstarError": "errors",
    "load_study": "studies",
    "redraw": "studies",
    "run_study": "studies",
}

_PACKAGES = ("plot",)
"""Sub-packages that are there without an import of their own: ``ts.plot.spectrum``."""

if TYPE_CHECKING:
    from . import plot as plot
    from .catalog import predict_batches, predict_files, predict_set, predict_spectra, read_catalog, write_catalog
    from .datasets import PreparedSet, Stars, add_input, embed_set, read_set
    from .datasets.gridding import preprocess_batch
    from .datasets.prepare import prepare
    from .encoders import Encoder, load_encoder
    from .errors import TranstarError
    from .evaluate import evaluate_catalog
    from .flags import Flag, flag_names
    from .labels import read_labels
    from .models import Estimator
    from .preprocess import Preprocessing
    from .quality import Quality
    from .report import plot_spectrum
    from .spectra import SpectrumBatch
    from .studies import load_study, redraw, run_study
    from .surveys import Stated, Survey, get_survey, register, stream
    from .surveys.specutils_bridge import from_spectrum
    from .train import Augmentation, TrainSettings, finetune, make_strategy, pretrain
    from .train.choose import choose
    from .velocity import measure_velocities

__all__ = [
    "Augmentation",
    "Encoder",
    "Estimator",
    "Flag",
    "PreparedSet",
    "Preprocessing",
    "Quality",
    "SpectrumBatch",
    "Stars",
    "Stated",
    "Survey",
    "TrainSettings",
    "TranstarError",
    "add_input",
    "choose",
    "embed_set",
    "evaluate_catalog",
    "finetune",
    "flag_names",
    "from_spectrum",
    "get_survey",
    "load_encoder",
    "load_study",
    "make_strategy",
    "measure_velocities",
    "plot_spectrum",
    "predict_batches",
    "predict_files",
    "predict_set",
    "predict_spectra",
    "prepare",
    "preprocess_batch",
    "pretrain",
    "read_catalog",
    "read_labels",
    "read_set",
    "redraw",
    "register",
    "run_study",
    "stream",
    "write_catalog",
]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f".{name}", __name__)
    if name not in _MODULES:
        raise AttributeError(f"module 'transtar' has no attribute '{name}'")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES, "__version__"])

"""Training: one loop, and strategies that only say what trains."""

from .augment import Augmentation, augment_flux
from .choose import candidates_of_auto, choose
from .end_to_end import training_input
from .finetuning import finetune, pretrain
from .fleet import Member, finetune_fleet
from .grouping import group_members
from .loop import History, train
from .new_label import check_new_labels
from .settings import Pretrain, TrainSettings, default_learning_rate, settings_from_dict
from .strategies import (
    Auto,
    FineTuning,
    Full,
    LoRA,
    Recalibrate,
    Residual,
    Ridge,
    Scratch,
    Strategy,
    Trainable,
    ZeroShot,
    command_strategies,
    find_strategy,
    get_strategy,
    make_strategy,
    null_models,
    register_strategy,
    strategy_names,
    trained_strategies,
)

__all__ = [
    "Augmentation",
    "Auto",
    "FineTuning",
    "Full",
    "History",
    "LoRA",
    "Member",
    "Pretrain",
    "Recalibrate",
    "Residual",
    "Ridge",
    "Scratch",
    "Strategy",
    "TrainSettings",
    "Trainable",
    "ZeroShot",
    "augment_flux",
    "candidates_of_auto",
    "check_new_labels",
    "choose",
    "command_strategies",
    "default_learning_rate",
    "find_strategy",
    "finetune",
    "finetune_fleet",
    "get_strategy",
    "group_members",
    "make_strategy",
    "null_models",
    "pretrain",
    "register_strategy",
    "settings_from_dict",
    "strategy_names",
    "train",
    "trained_strategies",
    "training_input",
]

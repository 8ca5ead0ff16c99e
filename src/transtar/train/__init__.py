"""Training: one loop, and strategies that only say which weights train."""

from .augment import Augmentation, augment_flux
from .choose import CANDIDATES, choose
from .fleet import Member, finetune_fleet
from .grouping import group_members
from .loop import History, train
from .settings import (
    STRATEGIES,
    Full,
    LoRA,
    Pretrain,
    Recalibrate,
    Residual,
    Ridge,
    Scratch,
    Strategy,
    TrainSettings,
    ZeroShot,
    default_learning_rate,
    make_strategy,
    settings_from_dict,
)
from .split import folds, matched_split, nested_subsets, regime, validation_split
from .strategies import finetune, pretrain

__all__ = [
    "CANDIDATES",
    "STRATEGIES",
    "Augmentation",
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
    "ZeroShot",
    "augment_flux",
    "choose",
    "default_learning_rate",
    "finetune",
    "finetune_fleet",
    "folds",
    "group_members",
    "make_strategy",
    "matched_split",
    "nested_subsets",
    "pretrain",
    "regime",
    "settings_from_dict",
    "train",
    "validation_split",
]

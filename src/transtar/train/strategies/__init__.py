"""Fine-tuning strategies, one file each; each says all there is to know of itself, and others register theirs."""

from .auto import Auto
from .full import Full
from .gradient import FineTuning, Trainable, chain
from .lora import LoRA
from .recalibrate import Recalibrate
from .residual import Residual
from .ridge import Ridge
from .scratch import Scratch
from .strategy import (
    Moved,
    Strategy,
    command_strategies,
    find_strategy,
    get_strategy,
    make_strategy,
    null_models,
    register_strategy,
    strategies,
    strategy_names,
    trained_strategies,
)
from .zero_shot import ZeroShot

# In the order of tables and legends.
for _kind in (ZeroShot, Recalibrate, Ridge, Residual, LoRA, Full, Scratch, Auto):
    register_strategy(_kind)

__all__ = [
    "Auto",
    "FineTuning",
    "Full",
    "LoRA",
    "Moved",
    "Recalibrate",
    "Residual",
    "Ridge",
    "Scratch",
    "Strategy",
    "Trainable",
    "ZeroShot",
    "chain",
    "command_strategies",
    "find_strategy",
    "get_strategy",
    "make_strategy",
    "null_models",
    "register_strategy",
    "strategies",
    "strategy_names",
    "trained_strategies",
]

"""Full fine-tuning: all weights train on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .gradient import FineTuning


@dataclass(frozen=True)
class Full(FineTuning):
    """Train all weights on, from where they are: with a low learning rate, lest a small set undo what they know."""

    name: ClassVar[str] = "full"
    colour: ClassVar[str] = "#009E73"
    marker: ClassVar[str] = "^"
    candidate: ClassVar[bool] = True

"""What networks of a study take as input, and settings that differ by input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from ..errors import shown
from ..names import name_fault
from ..schema import Name, Section, Text, must, rule, stands_as, whole

Size = Annotated[int, whole()]
Options = dict[Text, Any]

FLUX, JOINT = "flux", "+"
"""The input that every set has, and what joins several, as `transtar.datasets.inputs` has them."""

OTHERS = "others"
"""Stands for all inputs but flux that settings by input do not name."""


def _input_fault(name: str) -> str:
    parts = name.split(JOINT)
    fault = next(filter(None, map(name_fault, parts)), "")
    return fault or (f"'{shown(name)}' has an input twice" if len(set(parts)) < len(parts) else "")


def _part_fault(name: str) -> str:
    if name in (FLUX, OTHERS) or JOINT in name:
        return f"'{shown(name)}' cannot be the name of an encoder: {FLUX} and {OTHERS} are taken, and a '{JOINT}' joins inputs"
    return ""


InputName = Annotated[str, must("text", lambda cs: cs.str_schema(strict=True)), rule(_input_fault)]
Part = Annotated[Name, rule(_part_fault)]


@dataclass(frozen=True)
class OfInput(Section):
    """Settings of a strategy for one input.

    Parameters
    ----------
    by_size : dict of int to dict
        Settings for one number of fine-tuning stars.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "allow"}

    by_size: dict[Size, Options] = field(default_factory=dict)


@dataclass(frozen=True)
class StrategySettings(Section):
    """What stands beside the settings of a strategy itself, which `transtar.train.make_strategy` checks.

    Parameters
    ----------
    by_size : dict of int to dict
        Settings for one number of fine-tuning stars.
    by_model : dict of str to dict
        Settings for one model.
    by_input : dict of str to dict
        Settings for one input, which count more than the others and may have a `by_size` of their own; those under `others` are
        for all inputs but flux that are not named.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "allow"}

    by_size: dict[Size, Options] = field(default_factory=dict)
    by_model: dict[Text, Options] = field(default_factory=dict)
    by_input: dict[Text, Annotated[Options, stands_as(OfInput)]] = field(default_factory=dict)


@dataclass(frozen=True)
class PretrainSettings(Section):
    """What stands beside the settings of the pre-training itself, which `transtar.train.Pretrain` checks.

    Parameters
    ----------
    by_input : dict of str to dict
        Settings for one input; those under `others` are for all inputs but flux that are not named.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "allow"}

    by_input: dict[Text, Options] = field(default_factory=dict)


def of_input(by_input: dict[str, dict], input: str) -> dict[str, Any]:
    """What settings by input say of one of them."""
    others = {} if input == FLUX else by_input.get(OTHERS, {})
    return dict(by_input.get(input, others))

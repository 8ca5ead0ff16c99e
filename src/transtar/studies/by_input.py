"""What networks of a study take as input, what makes that of spectra, and settings that differ by input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from ..checks import MOST_EPOCHS, MOST_MOCKS, MOST_SEED, MOST_WIDTH
from ..errors import shown
from ..names import name_fault
from ..schema import Name, Section, Text, must, null_is, one_of, real, rule, stands_as, whole

Size = Annotated[int, whole()]
Options = dict[Text, Any]

FLUX, JOINT = "flux", "+"
"""The input that every set has, and what joins several, as `transtar.datasets.inputs` has them."""

OTHERS = "others"
"""Stands for all inputs but flux that settings by input do not name."""

PCA, RANDOM, STORED, WITH_REAL = ENCODER_KINDS = ("pca", "random", "stored", "with-real")
"""Kinds of encoders: principal components of the source, one of random weights, one by name or folder, and one that is trained as
`through` with the spectra of the study beside mock stars."""


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


@dataclass(frozen=True)
class StudyEncoder(Section):
    """What makes an input of the spectra.

    Parameters
    ----------
    kind : {'stored', 'pca', 'random', 'with-real'}, optional
        'stored' is an encoder by name or folder, 'pca' the principal components of the source's pool, 'random' an encoder with
        the layers of a stored one and weights that the study draws, 'with-real' one trained as `through` that sees, beside mock
        stars, spectra of the pools of source and target without their labels. By default 'pca' and 'random' for inputs of these
        names.
    encoder : str
        Name or folder of the encoder, or of the one whose layers a random one has; by default the name of the input, and of a
        random one `through`.
    components : int
        Of principal components, at most as many as the pool has stars.
    seed : int
        Of random weights, and of training.
    stars : int
        Mock stars that are drawn for 'with-real'; 40,000 for each seed of views made `through`, which had two.
    epochs : int
        Of 'with-real'.
    share : float
        Part of the stars of an epoch of 'with-real' that are real; none makes what it is to be compared with.
    """

    kind: Annotated[str, one_of(ENCODER_KINDS, "kind")] | None = None
    encoder: Annotated[Text, null_is(str)] = ""
    components: Annotated[int, whole(1, MOST_WIDTH)] = 128
    seed: Annotated[int, whole(0, MOST_SEED)] = 0
    stars: Annotated[int, whole(1, MOST_MOCKS)] = 40_000
    epochs: Annotated[int, whole(1, MOST_EPOCHS)] = 25
    share: Annotated[float, real(0, 0.9)] = 0.15


def of_input(by_input: dict[str, dict], input: str) -> dict[str, Any]:
    """What settings by input say of one of them."""
    others = {} if input == FLUX else by_input.get(OTHERS, {})
    return dict(by_input.get(input, others))

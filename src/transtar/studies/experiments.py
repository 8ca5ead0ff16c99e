"""The paper's ablations, each as variants of a study: sample size, trainable weights, learning rate, a matched split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from ..checks import MOST_SEED, MOST_STARS, MOST_WIDTH, check_list
from ..errors import SettingsError, check_keys, shown
from .check import check_numbers, check_rates

if TYPE_CHECKING:
    from .spec import Study

SIZES, MATCHED = "sizes", "teff-matched"
"""Names of the variants with several sample sizes, and of that on the split matched in Teff."""


@dataclass(frozen=True)
class Experiments:
    """What is run beside the study itself, which stands for Table 1; an empty list leaves an experiment out.

    Parameters
    ----------
    seeds : list of int
        Of all of them, but for the matched split.
    sizes : list of int
        Numbers of fine-tuning stars (Tables A1 and A2, Figures 4, A1 and A2); zero-shot, 0, is always there.
    hidden : list of int
        Hidden sizes of residual heads (Figure A3).
    ranks : list of int
        Of LoRA, alpha being twice the rank (Figure A3).
    weights_of : str
        Model whose number of trainable weights is varied.
    rates : list of float
        Learning rates of networks from scratch (Figures A4 and A5).
    matched : list of str
        Models that are adapted and judged once more on a split in which fine-tuning and test stars of every regime have
        one distribution of Teff, with the seeds of the study; see `transtar.train.matched_split`.
    """

    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])
    sizes: list[int] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    weights_of: str = "feh"
    rates: list[float] = field(default_factory=list)
    matched: list[str] = field(default_factory=list)


def build_experiments(content: Any, where: str) -> Experiments:
    """Check plain data and make `Experiments` of it.

    Raises
    ------
    SettingsError
        On an unknown key, or a value that is not a list of numbers (names, for `matched`).
    """
    if not isinstance(content, Mapping):
        raise SettingsError(f"{where}: expected settings, got '{content}'")
    check_keys(content, (f.name for f in fields(Experiments)), where)
    for name, value in content.items():
        what = f"{where}: {name}"
        if name in ("weights_of", "matched"):
            names = [value] if name == "weights_of" else value
            if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
                raise SettingsError(f"{what} must be a list of names, not '{shown(value)}'")
        elif name == "rates":
            check_rates(value, what)
        else:
            low, high = {"seeds": (0, MOST_SEED), "sizes": (1, MOST_STARS)}.get(name, (1, MOST_WIDTH))
            check_numbers(check_list(value, what, "a list of numbers"), what, low, high)
    return Experiments(**content)


def hidden_name(hidden: int) -> str:
    """Name of the variant with residual heads of that size."""
    return f"hidden-{hidden}"


def rank_name(rank: int) -> str:
    """Name of the variant with LoRA of that rank."""
    return f"rank-{rank}"


def rate_name(rate: float) -> str:
    """Name of the variant that learns from scratch at that rate."""
    return f"rate-{rate:g}"


def experiment_studies(study: Study) -> dict[str, Study]:
    """The study as each experiment deviates from it, by the name of the variant.

    Raises
    ------
    SettingsError
        If a strategy or model that an experiment needs is not part of the study.
    """
    wanted = study.experiments
    if wanted is None:
        return {}
    largest = [max(study.sizes)] if study.sizes else []
    plain = replace(
        study,
        experiments=None,
        explain=None,
        adapter={},
        variants={},
        subset=None,
        pipeline={},
        element=None,
        seeds=wanted.seeds,
    )
    found = {}
    if wanted.sizes:
        found[SIZES] = replace(plain, rest=True, sizes=sorted(wanted.sizes))
    # The plane stays everywhere: what the pre-training labels is part of its key, and all are to begin with the same one.
    weights = replace(plain, sizes=largest, models=_models(study, [wanted.weights_of]))
    for hidden in wanted.hidden:
        found[hidden_name(hidden)] = _with(weights, "residual", head={"hidden": hidden})
    for rank in wanted.ranks:
        found[rank_name(rank)] = _with(weights, "lora", adapter={"rank": rank, "alpha": 2.0 * rank})
    for rate in wanted.rates:
        found[rate_name(rate)] = _with(replace(plain, sizes=largest), "scratch", learning_rate=float(rate))
    if wanted.matched:
        # Zero-shot is judged on stars of both parts of the study's own split.
        models = _models(study, wanted.matched)
        found[MATCHED] = replace(plain, split="matched", rest=True, sizes=largest, models=models, seeds=study.seeds)
    taken = sorted(set(found) & set(study.variants))
    if taken:
        raise SettingsError(f"study: variants {', '.join(taken)} have names of experiments")
    return found


def _with(study: Study, strategy: str, **changes: Any) -> Study:
    """The study with one strategy alone, whose settings differ; as they are where they say the same."""
    if strategy not in study.strategies:
        raise SettingsError(f"study, experiments: {strategy} is not among the strategies")
    # Where it is used: settings of training need torch.
    from ..train import make_strategy

    given = dict(study.strategies[strategy] or {})
    # What is varied is varied for every size and model.
    special = {
        name: {key: {k: v for k, v in own.items() if k not in changes} for key, own in given[name].items()}
        for name in ("by_size", "by_model")
        if given.get(name)
    }
    settings = given | special
    plain = {name: value for name, value in settings.items() if name not in ("by_size", "by_model")}
    alike = make_strategy(strategy, **plain) == make_strategy(strategy, **(plain | changes))
    if alike and settings == given:
        # One key for one run, however its settings are spelt.
        changes = {}
    return replace(study, strategies={strategy: settings | changes})


def _models(study: Study, names: list[str]) -> dict[str, list[str]]:
    check_keys(names, study.models, "study, experiments, models")
    return {name: study.models[name] for name in names}

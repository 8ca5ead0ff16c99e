"""The paper's ablations, each as variants of a study: sample size, trainable weights, learning rate, a matched split."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import SettingsError, check_keys
from .by_input import FLUX
from .spec import Study

SIZES, MATCHED = "sizes", "teff-matched"
"""Names of the variants with several sample sizes, and of that on the split matched in Teff."""


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
    """The study as each experiment deviates from it, by the name of the variant; all but that of sizes have the flux alone.

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
        shipped={},
        element=None,
        seeds=wanted.seeds,
    )
    studies = {}
    if wanted.sizes:
        studies[SIZES] = replace(plain, rest=True, sizes=sorted(wanted.sizes))
    # The plane stays everywhere: what the pre-training labels is part of its key, and all are to begin with the same one.
    of_flux = replace(plain, inputs=[FLUX])
    of_weights = [wanted.weights_of] if wanted.hidden or wanted.ranks else []
    weights = replace(of_flux, sizes=largest, models=_models(study, of_weights, "weights_of"))
    for hidden in wanted.hidden:
        studies[hidden_name(hidden)] = _with(weights, "residual", head={"hidden": hidden})
    for rank in wanted.ranks:
        studies[rank_name(rank)] = _with(weights, "lora", adapter={"rank": rank, "alpha": 2.0 * rank})
    for rate in wanted.rates:
        if rate_name(rate) in studies:
            raise SettingsError(f"study, experiments.rates: two rates are {rate:g} to six digits; give one of them")
        studies[rate_name(rate)] = _with(replace(of_flux, sizes=largest), "scratch", learning_rate=float(rate))
    if wanted.matched:
        # Zero-shot is judged on stars of both parts of the study's own split.
        models = _models(study, wanted.matched, "matched")
        studies[MATCHED] = replace(of_flux, split="matched", rest=True, sizes=largest, models=models, seeds=study.seeds)
    taken = sorted(set(studies) & set(study.variants))
    if taken:
        raise SettingsError(f"study: variants {', '.join(taken)} have names of experiments")
    return studies


def _with(study: Study, strategy: str, **changes: Any) -> Study:
    """The study with one strategy alone, whose settings differ; as they are where they say the same."""
    if strategy not in study.strategies:
        raise SettingsError(f"study, experiments: {strategy} is not among the strategies")
    # Where it is used: settings of training need torch.
    from ..train import make_strategy

    given = dict(study.strategies[strategy] or {})
    # What is varied is varied for every size and model.
    special = {
        name: {key: {k: v for k, v in nested.items() if k not in changes} for key, nested in given[name].items()}
        for name in ("by_size", "by_model", "by_input")
        if given.get(name)
    }
    settings = given | special
    plain = {name: value for name, value in settings.items() if name not in ("by_size", "by_model", "by_input")}
    alike = make_strategy(strategy, **plain) == make_strategy(strategy, **(plain | changes))
    if alike and settings == given:
        # One key for one run, however its settings are spelt.
        changes = {}
    return replace(study, strategies={strategy: settings | changes})


def _models(study: Study, names: list[str], key: str) -> dict[str, list[str]]:
    check_keys(names, study.models, f"study, experiments.{key}")
    return {name: study.models[name] for name in names}

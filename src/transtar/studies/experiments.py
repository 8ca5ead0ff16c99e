"""The paper's ablations, each as variants of a study: sample size, trainable weights, learning rate, a matched split."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import SettingsError, check_keys
from .by_input import FLUX
from .spec import Experiments, Study

SIZES, MATCHED, LABELS, RESPONSES = "sizes", "teff-matched", "labels", "responses"
"""Names of the variants with several sample sizes, on the split matched in Teff, with further labels, and with the networks that
are asked how they answer to each label."""

TOGETHER, FULL = "together", "full"
"""The model of all labels of `RESPONSES`, and the strategy by which its networks are fine-tuned."""


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

    Those of sizes and of further labels have all inputs, the others the flux alone.

    Raises
    ------
    SettingsError
        If a strategy or model that an experiment needs is not part of the study.
    """
    studies = {} if study.experiments is None else _ablations(study, study.experiments)
    if study.explain is not None and study.explain.labels:
        studies[RESPONSES] = _of_labels(study, study.explain.labels)
    taken = sorted(set(studies) & set(study.variants))
    if taken:
        raise SettingsError(f"study: variants {', '.join(taken)} have names of experiments")
    return studies


def _of_labels(study: Study, labels: list[str]) -> Study:
    """Networks of one label that the study itself does not have, and one of all labels, by one seed."""
    known = [names[0] for names in study.models.values() if len(names) == 1]
    alone = {label: [label] for label in labels if label not in known}
    return replace(
        study, experiments=None, adapter={}, variants={}, subset=None, pipeline={}, shipped={}, element=None, plane=None,
        inputs=[FLUX], seeds=study.seeds[:1], sizes=[max(study.sizes)], models=alone | {TOGETHER: labels},
        strategies={name: settings for name, settings in study.strategies.items() if name == FULL},
    )  # fmt: skip


def _ablations(study: Study, wanted: Experiments) -> dict[str, Study]:
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
    if wanted.labels:
        known = {label for names in study.models.values() for label in names}
        if twice := [label for label in wanted.labels if label in known]:
            raise SettingsError(
                f"study, experiments.labels: {', '.join(twice)} are labels of the study itself; leave them out here"
            )
        models = {label: [label] for label in wanted.labels}
        studies[LABELS] = replace(plain, sizes=largest, models=models, plane=None)
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

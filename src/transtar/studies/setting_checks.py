"""Finding impossible settings of a study before hours are spent on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import product
from typing import Any

from ..devices import check_device
from ..errors import SettingsError, check_keys, shown, unknown_text
from ..models import find_model
from ..preprocess import Preprocessing
from ..surveys import get_survey
from ..train import Pretrain, get_strategy, make_strategy, settings_from_dict, strategy_names
from .element_check import LABEL
from .embeddings import check_encoders, check_prior
from .jobs import further_training, load_prior
from .reporters import check_reporters, get_reporter
from .shipped import SHIPPED, named_model
from .spec import Study, adapters, pretraining_for, settings_for
from .study_files import samples_of


def check_settings(study: Study, where: str) -> None:
    """Find impossible settings.

    Parameters
    ----------
    study : Study
    where : str
        For messages: the study and its variant.

    Raises
    ------
    SettingsError
        Naming the unknown or impossible setting, and the part of the study that it stands in.
    """
    check_reporters(study.reporters, f"{where}: reporters")
    for name in study.reporters:
        # A package that offers one and is broken is found now, not after the training.
        get_reporter(name)
    for sample in samples_of(study):
        if sample.mock is None:
            get_survey(sample.survey)
    preprocessing = Preprocessing.from_dict(study.preprocessing)
    check_encoders(study, where)
    for model, labels in study.models.items():
        if model in study.prior:
            prior = load_prior(str(find_model(study.prior[model])), tuple(labels), preprocessing)
            check_prior(study, model, prior, where)
    _check_pretraining(study, where)
    _check_strategies(study, where)
    if study.element is not None:
        named_model(study.element.model, LABEL, preprocessing, "element")
    for label, name in study.shipped.items():
        named_model(name, label, preprocessing, SHIPPED)
    for size in study.adapter:
        for label, adapter in adapters(study, size).items():
            if adapter not in study.strategies:
                raise SettingsError(
                    f"{where}: adapter: {size}: {label}: {unknown_text([adapter], study.strategies, 'adapter')}"
                )


def _check_pretraining(study: Study, where: str) -> None:
    for key, settings in _parts("pretrain", study.pretrain):
        check_keys(settings, [field.name for field in fields(Pretrain)], f"{where}: {key}")
    for model, name in product(study.models, study.inputs):
        settings = pretraining_for(study, name)
        try:
            check_device(settings.get("device", "cpu"))
            further_training(settings) if model in study.prior else settings_from_dict(Pretrain, settings)
        except SettingsError as error:
            raise SettingsError(f"{where}: {error}") from error


def _check_strategies(study: Study, where: str) -> None:
    check_keys(study.strategies, strategy_names(), f"{where}: strategies")
    for strategy, given in study.strategies.items():
        kind: Any = get_strategy(strategy)
        known = [field.name for field in fields(kind)]
        for key, settings in _parts(f"strategies: {strategy}", given or {}):
            check_keys(settings, known, f"{where}: {key}")
        for model, name, size in product(study.models, study.inputs, study.sizes):
            try:
                made = make_strategy(strategy, **settings_for(study, strategy, model, size, name))
                check_device(getattr(made, "device", "cpu"))
            except SettingsError as error:
                raise SettingsError(f"{where}: strategies: {error}") from error


def _parts(key: str, given: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Settings of a strategy or a pre-training, those for one size, model or input apart, each with where it stands."""
    for name in ("by_size", "by_model", "by_input"):
        for one, settings in (given.get(name) or {}).items():
            yield from _parts(f"{key}: {name}: {shown(one)}", settings)
    yield key, {name: value for name, value in given.items() if name not in ("by_size", "by_model", "by_input")}

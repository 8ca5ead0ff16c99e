"""Models that are there already, shown as they are beside the networks of a study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..catalog.trained import trained_on
from ..datasets import PreparedSet
from ..errors import InputError
from ..models import Estimator, find_model
from ..preprocess import Preprocessing, require_same
from .predictions import Predicted, select
from .rows import load_model, rows_of_split
from .spec import Study

SHIPPED = "shipped"
"""Strategy of their rows in results.csv."""


def named_model(name: str, label: str, preprocessing: Preprocessing, key: str) -> Estimator:
    """The output of a model for one label.

    Parameters
    ----------
    name : str
        By name or folder.
    label : str
    preprocessing : Preprocessing
        Of the study.
    key : str
        Of the study file, for messages.

    Raises
    ------
    InputError
        If there is no such model, or it does not predict the label.
    MismatchError
        If it was trained on spectra prepared otherwise.
    """
    model = load_model(str(find_model(name)))
    if label not in model.label_names:
        raise InputError(f"study, {key}: {name} predicts {', '.join(model.label_names)}, not {label}")
    require_same(model.preprocessing, name, preprocessing, "the study")
    return model.only(label)


def check_shipped(study: Study, target: PreparedSet) -> None:
    """Find models that have seen a star that they would be judged on, or take an input that the set does not have.

    Raises
    ------
    InputError
        Naming the model.
    """
    for label, name in study.shipped.items():
        model = named_model(name, label, target.preprocessing, SHIPPED)
        if model.input != "flux":
            target.input(model.input, model.encoders)
        _, judged = rows_of_split(target, study.split, study.seeds[0], len(study.seeds))
        columns = {key: column[judged] for key, column in target.columns.items()}
        seen = int(trained_on(columns, [model.trained_on]).sum())
        if seen:
            raise InputError(
                f"study, {SHIPPED}: {name} has seen {seen} of the {len(judged)} stars of {target.survey} that the study "
                "judges on; name another model"
            )


def shipped_predictions(study: Study, predictions: list[Predicted], target: PreparedSet) -> Iterator[Predicted]:
    """What they say of the stars that the networks of the study itself were judged on.

    Parameters
    ----------
    study : Study
    predictions : list of Predicted
        Of the networks.
    target : PreparedSet
    """
    for label, name in study.shipped.items():
        judged = select(predictions, label=label, target=study.target.survey, variant="default")
        judged = [one for one in judged if study.split == "test" or one.seed == study.seeds[0]]
        if judged:
            model = named_model(name, label, target.preprocessing, SHIPPED)
            values = model.predict(target.input(model.input, model.encoders)[judged[0].row])[:, 0]
            yield replace(
                judged[0], source="+".join(model.surveys), strategy=SHIPPED, n_finetune=0, seed=study.seeds[0],
                n_train=int(model.provenance[-1].get("n_train", 0)), predicted=np.asarray(values, np.float64),
            )  # fmt: skip

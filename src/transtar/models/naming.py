"""What models are called in tables, and what is said of their training in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..encoder_notes import Note, of_note
from ..errors import InputError, shown
from ..glossary import COLUMNS
from ..summary import Summary, span
from .estimator import Estimator


def name_models(names: Sequence[str | Path]) -> list[str]:
    """Names of models for tables and figures: what the user called them.

    Parameters
    ----------
    names : sequence of str or path
        Names, or folders, of which the last part is enough where it tells them apart.

    Returns
    -------
    list of str
        All different.

    Raises
    ------
    InputError
        If a model is given twice: tables could not tell one from the other.
    """
    for shorten in (lambda name: Path(name).name or str(name), str):
        short = [shorten(name) for name in names]
        if len(set(short)) == len(short):
            return short
    twice = next(name for name in short if short.count(name) > 1)
    raise InputError(f"the model {shown(twice, 300)} is given twice; give each once")


def describe_last_step(model: Estimator) -> str:
    """One line on how the last step of a model's training went."""
    step = model.provenance[-1] if model.provenance else {}
    text = f"{', '.join(model.label_names)} by {step.get('strategy')}{learnt_from(step)} on {step.get('n_train')} star"
    text += "" if step.get("n_train") == 1 else "s"
    if step.get("n_validation"):
        text += f", {step['n_validation']} held out"
    best = step.get("best_epoch")
    if best is not None and (loss := step["validation_loss"][best]) is not None:
        text += f"; best validation loss {loss:.4f} after epoch {best} of {step['epochs_run']}"
    elif best is not None:
        text += f", nothing held out; training loss {step['train_loss'][-1]:.4f} after {step['epochs_run']} epoch"
        text += "" if step["epochs_run"] == 1 else "s"
    return text


def in_lines(model: Estimator) -> Summary:
    """What a model is in a few lines: labels, input, network, the stars it learnt from, and its last step.

    Parameters
    ----------
    model : Estimator

    Returns
    -------
    Summary
    """
    labels = {}
    for index, name in enumerate(model.label_names):
        unit = COLUMNS[name].unit if name in COLUMNS else ""
        constant = np.nan if model.label_error is None else model.label_error[index]
        if (table := model.error_tables.get(name)) is not None:
            stated = f"errors star by star, calibrated on {table.n:,} stars"
        elif np.isfinite(constant):
            stated = f"no errors of stars; 68 % of those it was measured on are within {constant:.3g} {unit}".rstrip()
        else:
            stated = "errors not calibrated"
        labels[name] = f"{model.label_min[index]:.4g} to {model.label_max[index]:.4g} {unit}".rstrip() + f"; {stated}"
    settings = model.preprocessing
    prepared = "" if settings is None else f"; grid '{settings.grid}', {span(model.wave)}, {settings.frame} frame"
    steps = [
        f"{step.get('n_train')} of {shown(step.get('survey'), 40)} ({shown(step.get('strategy'), 40)})"
        for step in model.provenance
    ]
    weights = sum(parameter.numel() for parameter in model.network.parameters())
    return Summary(
        f"Estimator of {', '.join(model.label_names)}",
        {
            **labels,
            "input": f"{model.input}, {model.n_inputs:,} values per star{prepared}",
            "encoder": "; ".join(needs(note) for note in model.encoders.values()),
            "network": f"{type(model.network).__name__}, {weights:,} weights",
            "surveys": ", ".join(model.surveys),
            "trained on": ", then ".join(steps),
            "remembers": f"{len(model.trained_on.get('id', ())):,} spectra seen in training",
            "last step": describe_last_step(model) if model.provenance else None,
        },
    )


def needs(note: Note) -> str:
    """Which encoder a model needs, by its note: ``'through' (sha256 0123456789abcdef), known by its name``."""
    place = {"": "of the session that trained it", note["name"]: "known by its name"}
    return f"{of_note(note)}, {place.get(note['place'], 'in ' + shown(note['place'], 300))}"


def learnt_from(step: Mapping) -> str:
    """Which label a step of the provenance learnt in the place of which: ', mg_fe from alphafe'; empty for most steps.

    Parameters
    ----------
    step : mapping

    Returns
    -------
    str
    """
    old, new = (step.get(name) for name in ("from_label", "label"))
    if not isinstance(old, list) or not isinstance(new, list):
        return ""
    changed = [f", {shown(b, 60)} from {shown(a, 60)}" for a, b in zip(old, new, strict=False) if a != b]
    return "".join(changed)

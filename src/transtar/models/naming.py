"""What models are called in tables, and what is said of their training in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import shown
from .estimator import Estimator


def name_models(names: Sequence[str | Path], models: Sequence[Estimator], survey: str) -> list[str]:
    """Short names of models for tables: by the strategy of their last step; by their folders where that tells none apart.

    Parameters
    ----------
    names : sequence of str or path
        Their folders, or names, as from `load_models`.
    models : sequence of Estimator
    survey : str
        Of the prepared set: what was pre-trained on it is 'scratch', what was pre-trained elsewhere 'zero-shot'.

    Returns
    -------
    list of str
        All different, unless `names` are not.
    """
    short = []
    for name, model in zip(names, models, strict=True):
        step = model.provenance[-1] if model.provenance else {}
        strategy = shown(step.get("strategy") or Path(name).name, 60)
        if step.get("step") == "pretrain" and strategy == "mlp":
            strategy = "scratch" if step.get("survey") == survey else "zero-shot"
        short.append(strategy)
    final = [one if short.count(one) == 1 else Path(name).name for one, name in zip(short, names, strict=True)]
    return final if len(set(final)) == len(final) else [str(name) for name in names]


def describe_last_step(model: Estimator) -> str:
    """One line on how the last step of a model's training went."""
    step = model.provenance[-1] if model.provenance else {}
    text = f"{', '.join(model.label_names)} by {step.get('strategy')}{learnt_from(step)} on {step.get('n_train')} stars"
    if step.get("n_validation"):
        text += f", {step['n_validation']} held out"
    if step.get("best_epoch") is not None:
        loss = step["validation_loss"][step["best_epoch"]]
        text += f"; best validation loss {loss:.4f} after epoch {step['best_epoch']} of {step['epochs_run']}"
    return text


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

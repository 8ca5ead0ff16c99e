"""What models are called in tables, and what is said of their training in one line."""

from __future__ import annotations

from collections.abc import Sequence
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
    text = f"{', '.join(model.label_names)} by {step.get('strategy')} on {step.get('n_train')} stars"
    if step.get("n_validation"):
        text += f", {step['n_validation']} held out"
    best = step.get("best_epoch")
    if best is not None and (loss := step["validation_loss"][best]) is not None:
        text += f"; best validation loss {loss:.4f} after epoch {best} of {step['epochs_run']}"
    elif best is not None:
        text += f", nothing held out; training loss {step['train_loss'][-1]:.4f} after {step['epochs_run']} epochs"
    return text

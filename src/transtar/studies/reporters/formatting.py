"""What several reporters print: panels of predicted against reference labels, numbers with errors."""

from __future__ import annotations

import numpy as np

from ...evaluate import evaluate
from ...report import Panel
from ..predictions import Predicted
from ..spec import Study


def panel(title: str, one: Predicted) -> Panel:
    """One panel of predicted against reference labels, with its scores."""
    reference = one.reference[one.label]
    everyone = {"all": np.ones(len(one.predicted), bool)}
    scores = evaluate(one.predicted, reference, everyone, n_boot=0)["all"]
    poor = one.reference["feh"] < -1 if "feh" in one.reference else None
    return Panel(title, one.label, reference, one.predicted, scores, poor)


def which_seed(study: Study) -> str:
    """Of which seed a figure of single stars is, where tables have means."""
    of_tables = f" (the tables have means over {len(study.seeds)} seeds)" if len(study.seeds) > 1 else ""
    return f"seed {study.seeds[0]}{of_tables}"


def with_error(value: float, error: float) -> str:
    """A number and its error, with three digits."""
    return f"{value:.3f} ± {error:.3f}".replace("-", "−")

"""What several reporters print: panels of predicted against reference labels, and of which seeds they are."""

from __future__ import annotations

from collections.abc import Sequence

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


def mean_of(seeds: Sequence[int]) -> str:
    """Of which seeds a number is: 'mean of seeds 0, 1', 'mean of seeds 0 to 4' or, where there is one, 'seed 0'."""
    first, last = seeds[0], seeds[-1]
    if len(seeds) == 1:
        return f"seed {first}"
    in_a_row = len(seeds) > 2 and list(seeds) == list(range(first, last + 1))
    return f"mean of seeds {f'{first} to {last}' if in_a_row else ', '.join(map(str, seeds))}"


def mean_and_spread(seeds: Sequence[int], spread: str = "bars are") -> str:
    """The same, and for several seeds what shows their spread."""
    return mean_of(seeds) + (f" ({spread} the standard deviation over them)" if len(seeds) > 1 else "")


def which_seed(study: Study) -> str:
    """Of which seed a figure of single stars is, where tables have means."""
    of_tables = f" (the tables have the {mean_of(study.seeds)})" if len(study.seeds) > 1 else ""
    return f"seed {study.seeds[0]}{of_tables}"

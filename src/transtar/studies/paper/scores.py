"""Scores that the paper's tables and curves show."""

from __future__ import annotations

from typing import Any

from ...evaluate import Results, summarise
from ..context import Context


def scores_of_target(results: Results, context: Context, input: str | None = None) -> list[dict[str, Any]]:
    """Means over seeds of the scores of test stars of the target, by whatever network; `source` is 'any'.

    Parameters
    ----------
    results : Results
    context : Context
    input : str, optional
        Of the networks; by default whatever they take.
    """
    of_target = results.select(target=context.study.target.survey, split="test")
    of_input = of_target if input is None else of_target.select(input=input)
    return [row | {"source": "any"} for row in summarise(of_input)]

"""Figures of a validation without labels."""

from __future__ import annotations

from matplotlib.figure import Figure

from ..evaluate.validation.validation import Validation


def figures(validation: Validation) -> dict[str, tuple[Figure, str]]:
    """Figures by name, each with its caption."""
    return {}

"""Compiling what is done pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(sums_in_any_order: bool = False) -> Callable[[Callable], Any]:
    """Compile with numba, and keep the result on disk where there is a place for it."""
    # Without leave to reorder, sums and maxima cannot be done eight numbers at a time. NaNs have been filled by then.
    fastmath: Any = {"nnan", "nsz", "reassoc", "contract"} if sums_in_any_order else False

    def compile_it(function: Callable) -> Any:
        settings = {"nogil": True, "fastmath": fastmath, "error_model": "numpy"}
        try:
            return njit(cache=True, **settings)(function)
        except RuntimeError:  # nowhere to write
            return njit(**settings)(function)

    return compile_it

"""What an object is, in a few lines: for `print` and the last line of a notebook's cell."""

from __future__ import annotations

from collections.abc import Mapping

from .errors import shown

WIDEST = 110
"""Characters of a line; what is longer is cut."""


def summary(title: str, facts: Mapping[str, object]) -> str:
    """A title and a line for each fact.

    Parameters
    ----------
    title : str
    facts : mapping of str to object
        Shown as text on one line each, cut where it is long; those that are empty or None are passed over.

    Returns
    -------
    str
    """
    facts = {name: str(value) for name, value in facts.items() if value is not None and str(value) != ""}
    width = max((len(name) for name in facts), default=0)
    return "\n".join([title, *(f"  {name:{width}}  {shown(text, WIDEST)}" for name, text in facts.items())])


def counted(counts: Mapping[str, int]) -> str:
    """Numbers by name in one line: '12 LOW_SNR, 3 NO_IVAR'."""
    return ", ".join(f"{n:,} {name}" for name, n in counts.items())


def span(wave) -> str:
    """First, last and number of wavelengths, shape (n,), in words."""
    return f"{wave[0]:.0f} to {wave[-1]:.0f} A (vacuum), {len(wave):,} points"

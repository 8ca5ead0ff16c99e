"""What an object is, in a few lines: for `print`, and as a small table for the last line of a notebook's cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from numbers import Integral, Real
from typing import Any

from .errors import shown

WIDEST = 110
"""Characters of a line; what is longer is cut."""

ROWS = 5
"""Rows of a table that a notebook shows; what is meant to be small never shows all of a catalog."""

_LEFT = ' style="text-align:left"'


@dataclass(frozen=True)
class Summary:
    """A title, facts, and perhaps the first rows of a table.

    Parameters
    ----------
    title : str
    facts : mapping of str to object
        Shown as text on one line each, cut where it is long; those that are empty or None are passed over.
    rows : mapping of str to sequence or ndarray
        Columns of a table, of which a notebook shows the first `ROWS` rows, and text none.
    n_rows : int, optional
        Rows of that table, if `rows` has only the first of them.
    """

    title: str
    facts: Mapping[str, object] = field(default_factory=dict)
    rows: Mapping[str, Any] = field(default_factory=dict)
    n_rows: int | None = None

    def lines(self) -> dict[str, str]:
        """The facts as they are shown, without those that are empty."""
        texts = {name: str(value) for name, value in self.facts.items() if value is not None}
        return {name: shown(text, WIDEST) for name, text in texts.items() if text}

    def __str__(self) -> str:
        lines = self.lines()
        width = max((len(name) for name in lines), default=0)
        return "\n".join([self.title, *(f"  {name:{width}}  {text}" for name, text in lines.items())])

    def html(self) -> str:
        """The same as HTML, without colours of its own, so that it can be read in light and dark notebooks."""
        facts = "".join(
            f"<tr><th{_LEFT}>{escape(name)}</th><td{_LEFT}>{escape(text)}</td></tr>"
            for name, text in self.lines().items()
        )
        return (
            f"<div><strong>{escape(shown(self.title, WIDEST))}</strong>"
            + (f"<table>{facts}</table>" if facts else "")
            + (_first_rows(self.rows, self.n_rows) if self.rows else "")
            + "</div>"
        )


def _first_rows(columns: Mapping[str, Any], n_rows: int | None) -> str:
    total = len(next(iter(columns.values()))) if n_rows is None else n_rows
    head = "".join(f"<th>{escape(shown(name, 40))}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(values[row]))}</td>" for values in columns.values()) + "</tr>"
        for row in range(min(ROWS, total))
    )
    more = f"<div>{total - ROWS:,} more rows</div>" if total > ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: Any) -> str:
    if isinstance(value, Real) and not isinstance(value, Integral):
        return f"{float(value):.5g}"
    return shown(value, 40)


class Summarised:
    """What shows itself by its summary: ``repr`` and ``print`` as text, a notebook as HTML."""

    __slots__ = ()

    def _summary(self) -> Summary:
        raise NotImplementedError

    def __repr__(self) -> str:
        return str(self._summary())

    def _repr_html_(self) -> str:
        return self._summary().html()


def text_html(text: str) -> str:
    """Text of fixed width as HTML, for what prints as a table of its own."""
    return f'<pre style="font-family:monospace">{escape(text)}</pre>'


def counted(counts: Mapping[str, int]) -> str:
    """Numbers by name in one line: '12 LOW_SNR, 3 NO_IVAR'."""
    return ", ".join(f"{n:,} {name}" for name, n in counts.items())


def span(wave) -> str:
    """First, last and number of wavelengths, shape (n,), in words."""
    return f"{wave[0]:.0f} to {wave[-1]:.0f} A (vacuum), {len(wave):,} points"

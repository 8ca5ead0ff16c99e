"""Text for LaTeX."""

from __future__ import annotations

import re

_REPLACED = {
    "\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    ">=": r"$\geq$", "<=": r"$\leq$", ">": "$>$", "<": "$<$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip

_WORDS = ((r"±", r"$\\pm$"), (r"\bR2\b", r"$R^2$"), (r"\bsigma\b", r"$\\sigma$"), (r"\balpha\b", r"$\\alpha$"),
          (r"(?<![\w-])-(?=\d)", r"$-$"))  # fmt: skip


def escape(text: str) -> str:
    """Replace the characters that LaTeX takes for commands."""
    out, place = [], 0
    while place < len(text):
        key = next((key for key in (text[place : place + 2], text[place]) if key in _REPLACED), None)
        out.append(_REPLACED[key] if key else text[place])
        place += len(key) if key else 1
    return "".join(out)


def sentence(text: str) -> str:
    """Escape a sentence, in which R2, sigma and alpha become symbols and a hyphen before a number a minus."""
    text = escape(text)
    for pattern, command in _WORDS:
        text = re.sub(pattern, command, text)
    return text

"""Text that LaTeX prints as it is."""

from __future__ import annotations

_REPLACED = {
    "\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    ">=": r"$\geq$", "<=": r"$\leq$", ">": "$>$", "<": "$<$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def escape(text: str) -> str:
    """Replace the characters that LaTeX takes for commands."""
    out, place = [], 0
    while place < len(text):
        key = next((key for key in (text[place : place + 2], text[place]) if key in _REPLACED), None)
        out.append(_REPLACED[key] if key else text[place])
        place += len(key) if key else 1
    return "".join(out)

"""The entries of `references.bib`, and which of them go with what was used."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from importlib.resources import files as package_files

from ..surveys import get_survey, survey_names
from ..telling import tell
from ..version import __version__
from .used import Use, uses_of

ALWAYS = (Use("method"), Use("software"))

NOTHING = frozenset({
    ("survey", "mock"), ("survey", "generic"), ("encoder", "mlp"), ("encoder", "pca"), ("encoder", "random"),
})  # fmt: skip
"""What needs no citation of its own: synthetic stars of transtar's emulator, files of nobody's format, networks of our own."""

_USED_FOR = re.compile(r"^ *usedfor = \{(.*)\},\n", re.MULTILINE)


def entries() -> dict[Use, list[str]]:
    """Entries of `references.bib` by what they are cited for.

    Returns
    -------
    dict of Use to list of str
        Of BibTeX, each entry as it is printed.
    """
    text = (package_files(__package__) / "references.bib").read_text(encoding="utf-8")
    out: dict[Use, list[str]] = {}
    for entry in re.findall(r"^@.*?^\}\n", text, re.MULTILINE | re.DOTALL):
        (used_for,) = _USED_FOR.findall(entry)
        printed = _USED_FOR.sub("", entry).replace("{VERSION}", f"{{{__version__}}}")
        for use in used_for.split("; "):
            kind, _, name = use.partition(" ")
            out.setdefault(Use(kind, name), []).append(printed)
    return out


def cite(result: str | os.PathLike | None = None) -> str:
    """BibTeX of the paper and the software, and of what a result used.

    Parameters
    ----------
    result : str or path, optional
        A model (folder or name), a catalog, or a folder: a prepared set, a study, or a run in shards.

    Returns
    -------
    str
        Each entry once; a line of comment before those of a result says what they are for. What was used and has no entry stands
        there as a comment, too, and is told.

    Raises
    ------
    InputError
        If `result` is none of these, or cannot be read.
    """
    known = entries()
    uses = [*ALWAYS, *([] if result is None else [Use("astropy"), *uses_of(result)])]
    return "\n".join(_lines(uses, known, "" if result is None else str(result)))


def _lines(uses: Iterable[Use], known: dict[Use, list[str]], result: str) -> list[str]:
    lines: list[str] = []
    printed: set[str] = set()
    for use in dict.fromkeys(uses):
        if use in known:
            new = [entry for entry in known[use] if entry not in printed]
            lines += [f"% {use}" for _ in new[:1] if use not in ALWAYS] + new
            printed.update(new)
        elif (use.kind, use.name) not in NOTHING:
            text = _without_entry(use)
            tell(f"{result}: {text}")
            lines.append(f"% {text}\n")
    return lines


def _without_entry(use: Use) -> str:
    """What to do about what has no entry: a survey of another package may say itself how it is cited."""
    if use.kind == "survey" and use.name in survey_names() and (citation := get_survey(use.name).citation):
        return f"{use}: cite {citation}"
    return f"no citation known for {use}; add its source by hand"

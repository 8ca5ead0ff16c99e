"""The page beside a catalog: what each column and flag means, what the labels are from, and whom to cite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files import atomic_path
from ..flags import BAD, DESCRIPTIONS, NO_LABEL, Flag
from ..glossary import Column


def readme_path(catalog: str | Path) -> Path:
    """Where the page of a catalog is: ``stars.fits`` has ``stars.README.md``."""
    return Path(catalog).with_suffix(".README.md")


def write_readme(
    catalog: str | Path, columns: Sequence[Column], n_rows: int, metadata: Mapping[str, Any], flags: Mapping[str, int]
) -> Path:
    """Write the page of a catalog beside it, in Markdown.

    Parameters
    ----------
    catalog : path
        The catalog.
    columns : sequence of Column
        As `Prediction.described` has them.
    n_rows : int
    metadata : mapping
        As `read_metadata` gives it.
    flags : mapping of str to int
        Rows that carry each flag.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If something that transtar did not make stands there.
    """
    out = readme_path(catalog)
    with atomic_path(out) as temporary:
        temporary.write_text(_page(Path(catalog).name, columns, n_rows, metadata, flags), encoding="utf-8")
    return out


def _page(
    name: str, columns: Sequence[Column], n_rows: int, metadata: Mapping[str, Any], flags: Mapping[str, int]
) -> str:
    lines = [
        f"# {name}",
        "",
        f"Stellar labels of {n_rows:,} spectra, one row for each, by transtar {metadata.get('transtar', '')}.",
    ]
    lines += [
        "",
        "A real number that is missing is NaN, an integer -1, a text empty. `flags` has one bit for each flag.",
        "",
    ]
    lines += ["## Columns", "", "| column | type | unit | UCD | description |", "|---|---|---|---|---|"]
    for one in columns:
        lines.append(f"| `{one.name}` | {one.dtype} | {one.unit} | {one.ucd} | {one.description} |")
    lines += ["", "## Flags", "", "| bit | flag | weight | rows | meaning |", "|---|---|---|---|---|"]
    for flag in Flag:
        weight = "bad, no label" if flag in NO_LABEL else "bad" if flag in BAD else "warning"
        number = flags.get(str(flag.name), 0)
        lines.append(f"| {int(flag).bit_length() - 1} | {flag.name} | {weight} | {number:,} | {DESCRIPTIONS[flag]} |")
    lines += ["", "A NaN label always comes with a flag that says why; *bad* means: do not use without looking.", ""]
    lines += ["## How it was made", ""]
    shown = [key for key in metadata if key not in ("provenance", "errors", "encoders")]
    lines += [f"- {key}: {_text(metadata[key])}" for key in shown]
    lines += [f"- encoders: {_text(metadata['encoders'])}"] if "encoders" in metadata else []
    for model, steps in zip(metadata.get("models", []), metadata.get("provenance", []), strict=False):
        for step in steps:
            told = {
                key: step.get(key) for key in ("step", "strategy", "survey", "n_train") if step.get(key) is not None
            }
            lines.append(f"- {Path(str(model)).name}: {', '.join(f'{key} {value}' for key, value in told.items())}")
    lines += [
        "",
        "## How to cite",
        "",
        "The paper that the method is from, transtar (its CITATION.cff), the surveys whose spectra these are,",
    ]
    return "\n".join([*lines, "and those whose labels the models learnt from.", ""])


def _text(value: Any) -> str:
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value, ensure_ascii=False)}`"

"""What a report says beside scores and stars: cuts, counts, comparisons; `study.json` in the folder of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import read_json, write_json
from .layout import RECORD

FORMAT = 1

KINDS: dict[str, type] = {
    "finetuning_stars": list,
    "selections": list,
    "element": list,
    "element_stars": int,
    "explained": dict,
}
"""Keys of a record: metal-poor and metal-rich fine-tuning stars by size, the cuts of each selection, what a model knows of an
element, and where landscapes and gradients are."""


def write_record(out: Path, content: dict[str, Any]) -> None:
    """Write what is known; keys without a value are left out."""
    write_json(
        out / RECORD, {"format": FORMAT, **{name: value for name, value in content.items() if value is not None}}
    )


def read_record(out: Path) -> dict[str, Any]:
    """Read ``study.json``; empty where there is none, as in folders of older versions.

    Raises
    ------
    InputError
        If it is damaged, or of another format.
    """
    path = out / RECORD
    if not path.is_file():
        return {}
    record = read_json(path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise InputError(f"{path}: not the record of a study, or of another version; delete it and run the study again")
    wrong = [name for name, kind in KINDS.items() if not isinstance(record.get(name, kind()), kind)]
    if wrong:
        raise InputError(f"{path}: {wrong[0]} is damaged; delete it and run the study again")
    return record


def counts_of(record: dict[str, Any]) -> dict[int, tuple[int, int]]:
    """Metal-poor and metal-rich stars among those that runs of each size learn from."""
    try:
        return {int(size): (int(poor), int(rich)) for size, poor, rich in record.get("finetuning_stars", ())}
    except (TypeError, ValueError):
        raise InputError(f"{RECORD}: finetuning_stars is damaged; delete it and run the study again") from None

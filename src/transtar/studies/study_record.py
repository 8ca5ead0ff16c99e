"""What a report says beside scores and stars: cuts, counts, comparisons; `study.json` in the folder of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import read_json, write_json
from ..seal import check_seal, sealed
from .layout import RECORD

FORMAT = 1

REMEDY = "delete it and run the study again"


def write_record(out: Path, content: dict[str, Any]) -> None:
    """Write what is known, with a checksum.

    Parameters
    ----------
    out : Path
    content : dict
        Plain data; keys whose value is None are left out: ``finetuning_stars`` (lists of a size and its metal-poor and metal-rich
        stars), ``selections`` (name, title and cuts of each), ``element`` and ``element_stars`` (rows of a comparison, and of how
        many stars), ``explained`` (where landscapes and gradients are, and of how many stars), ``responses`` (where those of the
        networks of several labels are), ``too_few`` (what was left out for want of stars, and why).
    """
    known = {name: value for name, value in content.items() if value is not None}
    write_json(out / RECORD, sealed({"format": FORMAT, **known}))


def read_record(out: Path) -> dict[str, Any]:
    """Read ``study.json``; empty where there is none, as in folders of older versions.

    Raises
    ------
    InputError
        If it is damaged, changed by hand, or of another format.
    """
    path = out / RECORD
    if not path.is_file():
        return {}
    record = read_json(path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise InputError(f"{path}: not the record of a study, or of another version; {REMEDY}")
    check_seal(record, path, REMEDY)
    return record


def counts_of(record: dict[str, Any]) -> dict[int, tuple[int, int]]:
    """Metal-poor and metal-rich stars among those that runs of each size learn from."""
    return {size: (poor, rich) for size, poor, rich in record.get("finetuning_stars", ())}

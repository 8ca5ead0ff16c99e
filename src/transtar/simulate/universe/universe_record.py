"""universe.json: what a mock universe is, and which of its parts are complete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import InputError, MismatchError
from ...files import discard_temporaries, read_json, write_json
from ...seal import SEAL, check_seal, sealed
from ...version import __version__
from .universe_settings import UniverseSettings

RECORD = "universe.json"
FORMAT, FORMAT_VERSION = "transtar-universe", 1
REMEDY = "delete the folder and simulate again"


def open_record(folder: Path, settings: UniverseSettings) -> dict[str, Any]:
    """The record of a universe that was begun before, or a new one.

    Parameters
    ----------
    folder : Path
    settings : UniverseSettings

    Returns
    -------
    dict
        With ``parts``: for each its numbers of ``files`` and ``rows``, ``bytes``, and the groups ``done`` of ``groups``.

    Raises
    ------
    InputError
        If the folder holds something else, or the record is damaged.
    MismatchError
        If the universe there was begun with other settings or by another version.
    """
    if not (folder / RECORD).exists():
        # What a call that was killed before the record was written has left.
        discard_temporaries(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder}: exists and is no mock universe (no {RECORD}); give a new folder")
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "transtar": __version__,
            "scale": settings.scale.name,
            "settings": settings.to_dict(),
            "counts": settings.scale.counts(),
            "description": settings.scale.describe().splitlines(),
            "complete": False,
            "begun": [],
            "parts": {},
        }
    record = read_json(folder / RECORD)
    if not isinstance(record, dict) or (record.get("format"), record.get("format_version")) != (FORMAT, FORMAT_VERSION):
        raise InputError(f"{folder / RECORD}: not a record of a mock universe of version {FORMAT_VERSION}")
    if not isinstance(record.get("settings"), dict) or not isinstance(record.get("parts"), dict):
        raise InputError(f"{folder / RECORD}: damaged; {REMEDY}")
    # The first ones had no seal.
    if SEAL in record:
        check_seal(record, folder / RECORD, REMEDY)
        del record[SEAL]
    # Universes of before these settings have no XP spectra of LAMOST's stars, no clusters and no wide pairs.
    related = dict.fromkeys(("clusters", "cluster_members", "wide_pairs"), 0)
    before = {"xp_lamost": False, **related, "scale": record.get("scale"), **record["settings"]}
    before["version of transtar"] = record.get("transtar")
    now = {"scale": settings.scale.name, **settings.to_dict(), "version of transtar": __version__}
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if changed:
        first = "; ".join(f"{name} {before.get(name)}, not {now.get(name)}" for name in changed[:3])
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise MismatchError(
            f"{folder}: begun with other settings ({first}{more}); give those again to complete it, "
            "or another --out, or delete the folder"
        )
    # What somebody has deleted is to be made again.
    kept = {name: part for name, part in record["parts"].items() if (folder / name).exists()}
    _check_sizes(folder, kept)
    if kept != record["parts"]:
        record |= {"parts": kept, "complete": False}
    return record


def _check_sizes(folder: Path, parts: dict[str, Any]) -> None:
    """Refuse parts of which files were deleted, cut off or edited: they are not made again, for an edit would be lost.

    Raises
    ------
    InputError
        Naming all of them.
    """
    wrong = []
    for name, part in parts.items():
        # Of a part that is not complete more may lie there than is noted.
        if len(part["done"]) < part["groups"]:
            continue
        path = folder / name
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        size = (len(files), sum(file.stat().st_size for file in files))
        if size != (part["files"], part["bytes"]):
            wrong.append(f"{name} ({size[0]} files of {size[1]} bytes, not {part['files']} of {part['bytes']})")
    if wrong:
        raise InputError(
            f"{folder}: not as it was made: {', '.join(wrong)}; move or delete what is named, and the same command makes it again"
        )


def save_record(folder: Path, record: dict[str, Any]) -> None:
    """Write the record, with a checksum of itself."""
    write_json(folder / RECORD, sealed(record), ours=True)


def begin_part(folder: Path, record: dict[str, Any], part: str) -> None:
    """Note that a part is about to be written, unless that was noted before.

    Raises
    ------
    InputError
        If something stands there that no earlier run began, or a link leads elsewhere.
    """
    path = folder / part
    for place in (path, *path.parents):
        if place == folder:
            break
        if place.is_symlink():
            raise InputError(f"{place}: is a link; a universe is written into its own folder only")
    if part in record.get("begun", (part,)):
        return
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise InputError(f"{path}: exists and was not written by this simulation; move it, or give another --out")
    record["begun"].append(part)
    save_record(folder, record)


def is_done(record: dict[str, Any], part: str, group: int) -> bool:
    """Whether a group of a part was written before."""
    return group in record["parts"].get(part, {}).get("done", ())


def add_group(record: dict[str, Any], part: str, group: int, groups: int, written: dict[str, int]) -> None:
    """Note that a group of a part has been written."""
    entry = record["parts"].setdefault(part, {"files": 0, "rows": 0, "bytes": 0, "groups": groups, "done": []})
    for name in ("files", "rows", "bytes"):
        entry[name] += written[name]
    entry["done"] = sorted([*entry["done"], group])


def discard_unfinished(folder: Path) -> None:
    """Delete what killed processes left half written anywhere in the universe."""
    for place in ("", "lamost", "miles", "desi", "apogee", "compilations", "gaia"):
        top = folder / place
        discard_temporaries(top)
        if place:
            for path in top.rglob("*"):
                if path.is_dir():
                    discard_temporaries(path)

"""The folder of a training: what decides it, how it goes, and its checkpoint; the same command goes on from there."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError, MismatchError, shown
from ...files import (
    Marker,
    check_replaceable,
    discard_temporaries,
    lock_folder,
    make_parent,
    write_json,
    write_text,
)
from ...seal import check_seal, sealed
from ...telling import tell
from .checkpoints import REMEDY, STATE, TENSORS, delete_checkpoints, read_noted

RECORD, LOSSES = "run.json", "losses.csv"

FORMAT, FORMAT_VERSION = "transtar-training", 1

RUN = Marker(
    RECORD, "the folder of a training", files=(RECORD, LOSSES, STATE, TENSORS, "losses.*"), says={"format": FORMAT}
)
"""How such a folder is known."""


def run_folder_of(out: str | os.PathLike) -> Path:
    """The folder of the training that makes `out`: beside it, with ``.training`` at the end of its name."""
    out = Path(out)
    return out.with_name(f"{out.name}.training")


def check_run_folder(folder: Path, inputs: Iterable[str | os.PathLike]) -> None:
    """Refuse to train in a folder that holds what is read.

    Raises
    ------
    InputError
    """
    if any(folder.resolve() in (Path(path).resolve(), *Path(path).resolve().parents) for path in inputs):
        raise InputError(f"{folder}: is for the training, and holds what is read; choose another name for --out")


def result_of(folder: Path, what: Mapping[str, Any]) -> dict[str, Any]:
    """What `RunFolder.finish` noted of the result of this very training; empty if it has not ended, or was another."""
    record = read_record(folder)
    return record["finished"] or {} if record is not None and record["what"] == what else {}


class RunFolder:
    """The folder of a training; a context in which no other process trains in it.

    Parameters
    ----------
    path : path
    what : mapping
        All that decides what comes out, as plain data, in parts by name: a training goes on only with the same.
    execution : mapping
        What changes the last digits at most: that it was another is told.

    Raises
    ------
    InputError
        If another process trains in it, something else stands there, or it is damaged.
    MismatchError
        If a training stopped in it that was of something else, naming what.
    """

    def __init__(self, path: str | os.PathLike, what: Mapping[str, Any], execution: Mapping[str, Any]):
        self.path, self.what, self.execution = Path(path), dict(what), dict(execution)
        self._lock: int | None = None

    def __enter__(self) -> RunFolder:
        if not RUN.fits(self.path):
            check_replaceable(self.path, RUN)
        make_parent(self.path / RECORD)
        is_free, self._lock = lock_folder(self.path)
        if not is_free:
            raise InputError(f"{self.path}: another command trains in it; let it end first")
        discard_temporaries(self.path)
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *raised) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _begin(self) -> None:
        before = read_record(self.path)
        if before is not None and before["finished"] is None and (self.path / STATE).is_file():
            if changed := differences(before["what"], self.what):
                more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
                raise MismatchError(
                    f"{self.path}: a training stopped here that was of other settings: {'; '.join(changed[:3])}{more}; give the "
                    f"command as it was to go on, or delete the folder to start again"
                )
            if moved := differences(before["execution"], self.execution):
                tell(f"{self.path}: goes on elsewhere, so that losses agree up to rounding: {'; '.join(moved)}")
        else:
            delete_checkpoints(self.path)
        self._write(None)

    def _write(self, finished: Mapping[str, Any] | None) -> None:
        content = {
            "format": FORMAT, "format_version": FORMAT_VERSION, "what": self.what, "execution": self.execution,
            "finished": finished,
        }  # fmt: skip
        write_json(self.path / RECORD, sealed(content), ours=True)

    def write_losses(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write losses.csv, all of it; None is an empty cell."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(["" if value is None else value for value in row] for row in rows)
        write_text(self.path / LOSSES, text.getvalue(), ours=True)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Note that the result of the training is where it belongs, and delete the checkpoint.

        Parameters
        ----------
        result : mapping
            By which a later command knows the result, as plain data.
        """
        self._write(dict(result))
        delete_checkpoints(self.path)


def read_record(path: Path) -> dict[str, Any] | None:
    """What run.json says; None if there is none.

    Raises
    ------
    InputError
        If it is damaged, or of another transtar.
    """
    file = path / RECORD
    if not file.is_file():
        return None
    record = read_noted(file)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise InputError(f"{file}: not the record of a training; {REMEDY}")
    if record.get("format_version") != FORMAT_VERSION:
        raise InputError(f"{file}: of another version of transtar; {REMEDY}")
    check_seal(record, file, REMEDY)
    return record


def read_losses(path: Path) -> list[dict[str, float | None]]:
    """The rows of losses.csv in the folder of a training, as of `LargeHistory.rows`."""
    with (path / LOSSES).open(newline="", encoding="utf-8") as file:
        return [{name: float(cell) if cell else None for name, cell in row.items()} for row in csv.DictReader(file)]


def differences(before: Mapping[str, Any], now: Mapping[str, Any], within: str = "") -> list[str]:
    """What differs in two records, such as ``settings.batch_size was 64, is 32``."""
    lines: list[str] = []
    for name in dict.fromkeys((*before, *now)):
        one, other, where = before.get(name), now.get(name), f"{within}{name}"
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            lines += differences(one, other, f"{where}.")
        elif one != other:
            lines.append(f"{where} was {shown(one, 40)}, is {shown(other, 40)}")
    return lines

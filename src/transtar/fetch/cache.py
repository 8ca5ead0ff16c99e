"""What a service has answered, on disk: a question that was answered once is not asked again.

Layout, below the folder of the cache::

    HOST-HASH/                      one service; the hash is of its address and of the version of this layout
      about.json
      answers/HASH.json             tables of fields and results of searches: question and answer
      RELEASE-HASH/                 one release and list of fields
        about.json
        page-HASH.parquet           records, complete, one row each
        absent.json                 sparcl_ids that the service did not deliver, and why

Every file is written atomically, so that an interrupted run leaves only complete ones.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ..errors import InputError, SettingsError, shown
from ..files import atomic_path, content_hash, discard_temporaries, read_json, write_json
from ..seal import check_seal, sealed
from ..tables.parquet import read_bounded

VERSION = 1

REMEDY = "delete it and run again"

PAGES_IN_MEMORY = 4


@dataclass(frozen=True)
class Record:
    """One spectrum as the service gave it.

    Parameters
    ----------
    fields : dict
        Scalar fields by their names in SPARCL; None where there is no value.
    wave : ndarray, shape (n_pixels,), float64
        Vacuum Angstrom, increasing.
    flux : ndarray, shape (n_pixels,), float32
    ivar : ndarray, shape (n_pixels,), float32, or None
    mask : ndarray, shape (n_pixels,), bool
        True where bad.
    """

    fields: dict[str, Any]
    wave: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray | None
    mask: np.ndarray


class Answers:
    """Answers of one service to questions of any kind.

    Parameters
    ----------
    folder : Path
        Of the cache; created if need be.
    address : str
        Of the service.
    refresh : bool
        Forget the answers to searches and what was absent; spectra are kept.

    Raises
    ------
    InputError
        If the folder cannot be made.
    """

    def __init__(self, folder: Path, address: str, refresh: bool = False) -> None:
        about = {"service": address, "layout": VERSION}
        host = urlsplit(address).netloc.replace(":", "-")
        if folder.exists() and not folder.is_dir():
            raise SettingsError(f"{folder}: not a folder, so it cannot hold the cache")
        self.folder = folder / f"{host}-{content_hash(about)}"
        self.refresh = refresh
        self._known: set[Path] = set()
        discard_temporaries(self.folder)
        discard_temporaries(self.folder / "answers")
        if not _is_ours(self.folder, about):
            write_json(self.folder / "about.json", about, ours=True)

    def get(self, question: Mapping[str, Any], ask: Callable[[], Any]) -> Any:
        """Answer a question from disk, or by `ask`, whose result is kept."""
        path = self.folder / "answers" / f"{content_hash(question)}.json"
        if path.is_file() and (not self.refresh or path in self._known):
            try:
                return _read_sealed(path)["answer"]
            except (InputError, KeyError):
                pass  # damaged: asked for again, and replaced
        answer = ask()
        with atomic_path(path, ours=True) as temporary:
            temporary.write_text(json.dumps(sealed({"question": question, "answer": answer})), encoding="utf-8")
        self._known.add(path)
        return answer

    def pages(self, release: str, fields: Sequence[str]) -> Pages:
        """The records of one release, with these fields."""
        about = {"release": release, "fields": sorted(fields)}
        name = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in release)
        folder = self.folder / f"{name.lstrip('.')}-{content_hash(about)}"
        discard_temporaries(folder)
        if not _is_ours(folder, about):
            write_json(folder / "about.json", about, ours=True)
        return Pages(folder, self.refresh)


class Pages:
    """Records of one release, looked up by their sparcl_id.

    Parameters
    ----------
    folder : Path
    refresh : bool
        Forget what was absent.

    Attributes
    ----------
    absent : dict of str to str
        Records that the service did not deliver, and why.
    """

    def __init__(self, folder: Path, refresh: bool = False) -> None:
        self.folder = folder
        self._place: dict[str, tuple[Path, int]] = {}
        self._open: OrderedDict[Path, Any] = OrderedDict()
        for path in sorted(folder.glob("page-*.parquet")):
            try:
                names = read_bounded(path, ["sparcl_id"]).column("sparcl_id").to_pylist()
            except (InputError, KeyError):
                continue  # damaged: its records are fetched again
            self._place.update({name: (path, row) for row, name in enumerate(names)})
        self.absent: dict[str, str] = {}
        if not refresh and (folder / "absent.json").is_file():
            with suppress(InputError, KeyError):  # damaged: asked for again
                self.absent = _read_sealed(folder / "absent.json")["absent"]

    def __contains__(self, name: str) -> bool:
        return name in self._place

    def __iter__(self) -> Iterator[str]:
        return iter(self._place)

    def add(self, records: Mapping[str, Record], absent: Mapping[str, str]) -> None:
        """Keep records, and the news that others do not exist."""
        if records:
            path = self.folder / f"page-{content_hash(sorted(records))}.parquet"
            with atomic_path(path, ours=True) as temporary:
                _write(temporary, records)
            self._open.pop(path, None)
            self._place.update({name: (path, row) for row, name in enumerate(records)})
        if absent:
            self.absent |= absent
            write_json(self.folder / "absent.json", sealed({"absent": self.absent}), ours=True)

    def read(self, name: str) -> Record:
        """One record.

        Raises
        ------
        InputError
            If its file is damaged.
        """
        path, row = self._place[name]
        table = self._open.get(path)
        if table is None:
            try:
                table = read_bounded(path)
            except InputError as error:
                raise InputError(f"{path}: damaged ({error}); {REMEDY}") from None
            self._open[path] = table
            while len(self._open) > PAGES_IN_MEMORY:
                self._open.popitem(last=False)

        try:
            return _record(table, row)
        # Whatever stands where a page was: columns that are missing or of other kinds, text that is no JSON.
        except Exception as error:
            what = shown(f"{type(error).__name__.removesuffix('Error')}: {error}", 200)
            raise InputError(f"{path}: damaged ({what}); delete it and run again") from None


def _record(table: Any, row: int) -> Record:
    def array(name: str, dtype: Any) -> np.ndarray | None:
        cell = table.column(name)[row]
        if not cell.is_valid:
            return None
        if cell.values.null_count:
            raise ValueError(f"a null in {name}")
        return cell.values.to_numpy(zero_copy_only=False).astype(dtype)

    arrays = [array("wave", np.float64), array("flux", np.float32), array("ivar", np.float32), array("mask", bool)]
    wave, flux, ivar, mask = arrays
    if wave is None or flux is None or mask is None or len({len(one) for one in arrays if one is not None}) > 1:
        raise ValueError("arrays that are missing, or differ in length")
    fields = json.loads(table.column("fields")[row].as_py())
    if not isinstance(fields, dict):
        raise ValueError("fields that are none")
    return Record(fields, wave, flux, ivar, mask)


def _read_sealed(path: Path) -> dict[str, Any]:
    """What was kept, if it is as it was written.

    Raises
    ------
    InputError
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: damaged; {REMEDY}")
    check_seal(content, path, REMEDY)
    return content


def _is_ours(folder: Path, about: Mapping[str, Any]) -> bool:
    """Whether a folder of the cache is there and says so; False if there is none.

    Raises
    ------
    InputError
        If it is something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if not (folder / "about.json").is_file() or read_json(folder / "about.json") != about:
        raise InputError(f"{folder}: not a folder of this cache; move it, or give another --cache")
    return True


def _write(path: Path, records: Mapping[str, Record]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    several = list(records.values())
    table = pa.table({
        "sparcl_id": pa.array(list(records), pa.string()),
        "fields": pa.array([json.dumps(record.fields) for record in several], pa.string()),
        "wave": pa.array([record.wave for record in several], pa.list_(pa.float64())),
        "flux": pa.array([record.flux for record in several], pa.list_(pa.float32())),
        "ivar": pa.array([record.ivar for record in several], pa.list_(pa.float32())),
        "mask": pa.array([record.mask for record in several], pa.list_(pa.bool_())),
    })  # fmt: skip
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)

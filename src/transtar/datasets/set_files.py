"""Prepared sets on disk: folders with `spectra.parquet` and, row by row beside it, `stars.parquet`.

`set.json` says how the set was made, and names and vouches for the files of further inputs, which `add_input` writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError, MismatchError, SettingsError, shown
from ..files import Marker, atomic_folder, check_replaceable, discard_temporaries, read_json, write_json
from ..flags import Flag, has
from ..glossary import DESI_KEYS, check_label
from ..names import check_names
from ..preprocess import GridSpectra, Preprocessing
from ..regular import check_regular
from ..seal import SEAL, check_file, check_seal, file_hash, is_as_noted, sealed
from ..tables.cells import to_text
from ..tables.parquet import footer_hash, opened, read_bounded
from ..telling import tell
from .input_files import OWN, InputFile, check_described, file_name, noted_encoders
from .input_rows import InputRows
from .inputs import Inputs
from .prepared import PreparedSet, join_columns, join_sets

FORMAT = 2
"""Version of the layout of a set with no input but the flux. The first had a hash of the flux alone."""

FORMAT_OF_INPUTS = 3
"""Version of one with further inputs."""

_KEYS_1 = ("format", "n_spectra", "labels", "preprocessing", "flux_sha256", "provenance")
_KEYS_2 = (*_KEYS_1, "ivar_sha256", "spectra_footer_sha256", "stars_sha256", SEAL)
_KEYS = {1: {*_KEYS_1}, 2: {*_KEYS_2}, 3: {*_KEYS_2, "inputs"}}
"""What set.json of each format holds: a format with other keys is another one whose number was damaged."""

REMEDY = "prepare the set again, or fetch it again"

SPECTRA, STARS, DESCRIPTION = "spectra.parquet", "stars.parquet", "set.json"


def _vouched(folder: Path, description: dict) -> Iterator[str]:
    """Files of which the description has fitting hashes; that of the spectra is of their footer and length."""
    if is_as_noted(folder / STARS, description["stars_sha256"]):
        yield STARS
    spectra = folder / SPECTRA
    with suppress(InputError):
        if not spectra.is_symlink() and footer_hash(spectra) == description["spectra_footer_sha256"]:
            yield SPECTRA
    for noted in description.get("inputs", {}).values():
        if is_as_noted(folder / noted["file"], noted["sha256"]):
            yield noted["file"]


SET = Marker(
    DESCRIPTION,
    "a prepared set",
    files=(SPECTRA, STARS, DESCRIPTION, OWN),
    keys=("format", "n_spectra", "labels", "preprocessing", "provenance"),
    vouched=_vouched,
)
"""How such a folder is known."""
SPLITS = ("pool", "test")


class SetWriter:
    """Write a prepared set batch by batch; nothing appears at `path` unless the block ends well.

    Spectra go to disk as they come; the columns of the stars, which are small, are kept until the end, so that labels can
    be joined to all stars at once.

    Parameters
    ----------
    path : path
        Folder to create or replace. A folder that is not a prepared set is never replaced, and files in it that are not of a
        set are kept.
    preprocessing : Preprocessing
    provenance : dict
    inputs : mapping of str to dict, optional
        Further inputs that come with the spectra, and the provenance of each.

    Raises
    ------
    InputError
        If `path` exists and is something else than a prepared set.
    """

    def __init__(
        self, path, preprocessing: Preprocessing, provenance: dict, inputs: Mapping[str, dict[str, Any]] | None = None
    ):
        self.path = Path(path)
        check_replaceable(self.path, SET)
        self.preprocessing = preprocessing
        self.provenance = provenance
        self.inputs = dict(inputs or {})
        self._rows: dict[str, InputRows] = {}
        self._batches: list[dict[str, np.ndarray]] = []
        self._sums = {"flux": hashlib.sha256(), "ivar": hashlib.sha256()}
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> SetWriter:
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(atomic_folder(self.path, marker=SET))
        self._rows = {name: InputRows(self._folder / file_name(name), name) for name in self.inputs}
        return self

    def append(
        self, spectra: GridSpectra, columns: dict[str, np.ndarray], inputs: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Add spectra with their columns, and with the further inputs that were announced (see `InputRows.append`)."""
        ivar = np.zeros_like(spectra.flux) if spectra.ivar is None else spectra.ivar
        arrays = {"flux": _float32(spectra.flux), "ivar": _float32(ivar)}
        table = pa.table({name: _fixed_list(array) for name, array in arrays.items()})
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._folder / SPECTRA,
                table.schema,
                compression="zstd",
                use_dictionary=False,
                use_byte_stream_split=["flux.list.element", "ivar.list.element"],
                write_page_checksum=True,
            )
        self._writer.write_table(table)
        for name, array in arrays.items():
            self._sums[name].update(array)
        for name, rows in self._rows.items():
            rows.append((inputs or {})[name])
        self._batches.append(columns)

    def columns(self) -> dict[str, np.ndarray]:
        """All columns of all spectra so far."""
        return join_columns(self._batches)

    def finish(self, columns: dict[str, np.ndarray], labels: Sequence[str]) -> None:
        """Complete the set; needed once, before the block ends.

        Parameters
        ----------
        columns : dict of str to ndarray
            Those of `columns`, with labels and split.
        labels : sequence of str
            Which of them are labels.
        """
        if self._writer is None:
            raise InputError(f"{self.path}: no spectrum could be prepared, so nothing was written")
        self._writer.close()
        before = read_json(self.path / DESCRIPTION).get("inputs", {}) if (self.path / DESCRIPTION).is_file() else {}
        if gone := ", ".join(name for name in before if name not in self.inputs):
            tell(
                f"{self.path}: inputs of the set that stood there are not of these spectra and go: {gone}; add them again"
            )
        stars = pa.table({name: pa.array(_plain(column)) for name, column in columns.items()})
        pq.write_table(stars, self._folder / STARS, compression="zstd", write_page_checksum=True)
        description = {
            "format": FORMAT,
            "n_spectra": stars.num_rows,
            "labels": list(labels),
            "preprocessing": self.preprocessing.to_dict(),
            "flux_sha256": self._sums["flux"].hexdigest(),
            "ivar_sha256": self._sums["ivar"].hexdigest(),
            "spectra_footer_sha256": footer_hash(self._folder / SPECTRA),
            "stars_sha256": file_hash(self._folder / STARS),
            "provenance": self.provenance,
        }
        if self.inputs:
            description |= {"format": FORMAT_OF_INPUTS, "inputs": {name: self._noted(name) for name in self.inputs}}
        write_json(self._folder / DESCRIPTION, sealed(description), ours=True)

    def _noted(self, name: str) -> dict[str, Any]:
        """Complete the file of an input, and describe it."""
        rows = self._rows[name]
        rows.finish()
        if rows.n_without:
            tell(f"{self.path}: {rows.n_without:,} of {rows.n:,} spectra are without the input '{name}' (NaN)")
        return {
            "file": rows.path.name,
            "sha256": file_hash(rows.path),
            "n_inputs": rows.width,
            "provenance": self.inputs[name],
        }

    def __exit__(self, kind, error, trace) -> bool | None:
        for rows in self._rows.values():
            with suppress(OSError):
                rows.close()
        if self._writer is not None and self._writer.is_open:
            with suppress(OSError, pa.ArrowException):
                self._writer.close()
        return self._stack.__exit__(kind, error, trace)


def read_set(path) -> PreparedSet:
    """Read a prepared set.

    Parameters
    ----------
    path : path
        Its folder.

    Returns
    -------
    PreparedSet

    Raises
    ------
    InputError
        If there is none at `path`, or it is damaged.
    MismatchError
        If it was written by a newer transtar.

    Examples
    --------
    >>> import transtar as ts
    >>> prepared = ts.read_set("sets/miles")
    >>> prepared.survey, prepared.preprocessing.frame
    ('miles', 'rest')
    """
    batches = list(stream_set(path, batch_size=1 << 30))
    return batches[0] if len(batches) == 1 else join_sets(batches)


def stream_set(path, batch_size: int = 8192) -> Iterator[PreparedSet]:
    """Read a prepared set in batches of at most `batch_size` spectra.

    Checksums of its pages are compared batch by batch, those of all fluxes and errors before the last batch is given: what is
    made of a set is to be kept only if this ends without an error.

    Raises
    ------
    InputError, MismatchError
        As `read_set`.
    """
    path = Path(path)
    description = describe_set(path)
    if not (path / SPECTRA).exists():
        raise InputError(f"{path}: has no file {SPECTRA}; {REMEDY}")
    check_regular(path / SPECTRA)
    stars = read_stars(path, description)
    if "stars_sha256" in description and footer_hash(path / SPECTRA) != description["spectra_footer_sha256"]:
        raise InputError(f"{path / SPECTRA}: damaged, or of another set (its footer is not the one noted); {REMEDY}")
    try:
        further = Inputs(
            {name: InputFile(path / noted["file"], noted["sha256"], (stars.num_rows, noted["n_inputs"]))
             for name, noted in description.get("inputs", {}).items()},
            encoders=noted_encoders(description.get("inputs", {}), path, REMEDY),
        )  # fmt: skip
        sums = {name: hashlib.sha256() for name in ("flux", "ivar") if f"{name}_sha256" in description}
        start = 0
        with opened(path / SPECTRA) as file:
            if file.metadata.num_rows != stars.num_rows:
                raise InputError(f"{path}: {SPECTRA} and {STARS} differ in rows; {REMEDY}")
            _check_spectra(path, file, description)
            for batch in file.iter_batches(min(batch_size, stars.num_rows)):
                arrays = {name: _from_fixed_list(batch.column(name)) for name in ("flux", "ivar")}
                for name, running in sums.items():
                    running.update(arrays[name])
                rows, start = stars.slice(start, len(batch)), start + len(batch)
                if start == stars.num_rows:
                    _check_sums(path, sums, description)
                part = _to_set(path, arrays, rows, description)
                yield replace(part, further=further.select(slice(start - len(batch), start)))
        if start != stars.num_rows:
            raise InputError(f"{path / SPECTRA}: ends after {start} of {stars.num_rows} spectra; {REMEDY}")
    except (OSError, pa.ArrowException, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({_first_line(error)}); {REMEDY}") from None


def read_stars(path: Path, description: Mapping) -> pa.Table:
    """What is known of each spectrum of a set, as Arrow keeps it; `columns_of` gives it, or some rows, as arrays.

    Parameters
    ----------
    path : Path
        Folder of the set.
    description : mapping
        As `describe_set` gives it.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    InputError
        If the file is missing, damaged, or of another set.
    """
    if not (path / STARS).exists():
        raise InputError(f"{path}: has no file {STARS}; {REMEDY}")
    check_regular(path / STARS)
    if "stars_sha256" in description:
        check_file(path / STARS, description["stars_sha256"], REMEDY)
    try:
        stars = read_bounded(path / STARS)
    except (OSError, pa.ArrowException, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({_first_line(error)}); {REMEDY}") from None
    if stars.num_rows != description["n_spectra"]:
        raise InputError(
            f"{path}: {STARS} has {stars.num_rows} rows, {DESCRIPTION} says {description['n_spectra']}; {REMEDY}"
        )
    return stars


def _check_sums(path: Path, sums: dict, description: dict) -> None:
    for name, running in sums.items():
        if running.hexdigest() != description[f"{name}_sha256"]:
            raise InputError(
                f"{path / SPECTRA}: {name} is damaged, or of another set (its checksum does not fit); {REMEDY}"
            )


def describe_set(path) -> dict:
    """The description of a prepared set: content of its set.json, of which the kinds are checked.

    Parameters
    ----------
    path : path
        Folder of the set.

    Raises
    ------
    InputError
        If there is none, or it is not as it was written.
    MismatchError
        If it was written by a newer transtar.
    """
    path = Path(path)
    discard_temporaries(path.parent, path.name)
    file = path / DESCRIPTION
    if not file.exists():
        raise InputError(f"{path}: is not a prepared set (no {DESCRIPTION}); make one with 'transtar prepare'")
    description = read_json(file)
    kinds = {
        "format": int,
        "n_spectra": int,
        "labels": list,
        "preprocessing": dict,
        "provenance": dict,
        "flux_sha256": str,
    }
    known = description if isinstance(description, dict) else {}
    # True is a whole number to Python.
    damaged = [
        name for name, kind in kinds.items() if not isinstance(known.get(name), kind) or isinstance(known[name], bool)
    ]
    if damaged:
        raise InputError(f"{path}: {DESCRIPTION} lacks a usable {', '.join(damaged)}; {REMEDY}")
    version = description["format"]
    if version > FORMAT_OF_INPUTS:
        raise MismatchError(f"{path}: format {version} is newer than this transtar ({FORMAT_OF_INPUTS}); upgrade")
    if set(description) != _KEYS.get(version):
        wrong = ", ".join(shown(name) for name in sorted(_KEYS.get(version, set()) ^ set(description))[:5])
        raise InputError(f"{file}: no description of format {shown(version)}: missing or unknown {wrong}; {REMEDY}")
    if SEAL in description:
        check_seal(description, file, REMEDY)
    else:
        tell(
            f"{path}: a set of an older transtar, with a checksum of its fluxes only; prepared again it has them for all"
        )
    check_described(description.get("inputs", {}), path, REMEDY)
    try:
        check_names((check_label(label, "labels") for label in description["labels"]), "labels")
    except SettingsError as error:
        raise InputError(f"{file}: {error}") from None
    return description


def _check_spectra(path: Path, file: pq.ParquetFile, description: dict) -> None:
    """Whether flux and ivar are what `_to_set` takes them for, and fit into memory."""
    size = _preprocessing(path, description["preprocessing"]).wavelengths.size
    for name in ("flux", "ivar"):
        if file.schema_arrow.names.count(name) != 1:
            raise InputError(f"{path}: {SPECTRA} has no column {name}; {REMEDY}")
        kind = file.schema_arrow.field(name).type
        if not (pa.types.is_fixed_size_list(kind) and pa.types.is_float32(kind.value_type) and kind.list_size == size):
            raise InputError(f"{path}: {name} in {SPECTRA} is no float32 on {size} pixels; {REMEDY}")


def _to_set(path: Path, spectra: dict[str, np.ndarray], stars: pa.Table, description: dict) -> PreparedSet:
    columns = columns_of(path, stars, description)
    has_ivar = not has(columns["flags"], Flag.NO_IVAR).all()
    return PreparedSet(
        flux=spectra["flux"],
        ivar=spectra["ivar"] if has_ivar else None,
        columns=columns,
        labels=tuple(description["labels"]),
        preprocessing=_preprocessing(path, description["preprocessing"]),
        provenance=description["provenance"],
        hash=description["flux_sha256"],
    )


def columns_of(path: Path, stars: pa.Table, description: Mapping) -> dict[str, np.ndarray]:
    """Rows of what `read_stars` gives, as the columns of a `PreparedSet`.

    Raises
    ------
    InputError
        If a column is missing, or of another kind.
    """
    absent = [
        name
        for name in ("file", "id", "survey", "flags", "split", "snr", "good_fraction", *description["labels"])
        if name not in stars.column_names
    ]
    if absent:
        raise InputError(f"{path}: has no column {', '.join(absent)}; {REMEDY}")
    # Of an older transtar, which kept DESI's names of the parts of its key.
    columns = {DESI_KEYS.get(name, name): _to_numpy(stars.column(name)) for name in stars.column_names}
    kinds = {"file": "U", "survey": "U", "id": "i", "flags": "i", "split": "U", "star": "U"}
    kinds |= dict.fromkeys(("snr", "good_fraction", "noise_correlation", "velocity", *description["labels"]), "fi")
    wrong = [name for name, kind in kinds.items() if name in columns and columns[name].dtype.kind not in kind]
    if wrong:
        raise InputError(f"{path}: column {', '.join(wrong)} of {STARS} is of another kind; {REMEDY}")
    return columns


def _preprocessing(path: Path, content: dict) -> Preprocessing:
    try:
        return Preprocessing.from_stored(content)
    except SettingsError as error:
        raise MismatchError(f"{path}: {error}; prepare the set again") from None


def _plain(column: np.ndarray) -> np.ndarray:
    return column.astype(str).astype(object) if column.dtype.kind in "US" else column


def _to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_string(column.type):
        return to_text(column, STARS)
    values = column.to_numpy()
    return values.astype(str) if values.dtype == object else values


def _float32(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=np.float32)


def _fixed_list(array: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), array.shape[1])


def _from_fixed_list(column: pa.FixedSizeListArray) -> np.ndarray:
    if column.null_count:
        raise ValueError("spectra without values")
    # A copy, which may be written to.
    return np.array(column.flatten().to_numpy(zero_copy_only=False)).reshape(-1, column.type.list_size)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

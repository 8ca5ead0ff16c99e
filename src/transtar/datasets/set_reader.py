"""Reading prepared sets: as a whole, batch by batch, or some of their rows; whatever is read is compared with its checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError, MismatchError, SettingsError
from ..flags import Flag, has
from ..glossary import DESI_KEYS
from ..preprocess import Preprocessing
from ..regular import check_regular
from ..seal import check_file
from ..tables.cells import to_text
from ..tables.parquet import footer_hash, opened, read_bounded
from .input_files import InputFile, noted_encoders
from .inputs import Inputs
from .prepared import PreparedSet, join_sets
from .set_files import DESCRIPTION, REMEDY, SPECTRA, STARS, describe_set


def read_set(path) -> PreparedSet:
    """Read a prepared set.

    Parameters
    ----------
    path : path
        Folder of the set.

    Returns
    -------
    PreparedSet

    Raises
    ------
    InputError
        If there is no set at `path`, or it is damaged.
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


class SetReader:
    """A prepared set to be read in batches, all of it or some rows; what is small has been read and checked.

    Parameters
    ----------
    path : path
        Folder of the set.

    Attributes
    ----------
    path : Path
    description : dict
        As `describe_set` gives it.
    stars : pyarrow.Table
        What is known of each spectrum, as `read_stars` gives it.

    Raises
    ------
    InputError, MismatchError
        As `read_set`.
    """

    def __init__(self, path):
        self.path = path = Path(path)
        self.description = description = describe_set(path)
        if not (path / SPECTRA).exists():
            raise InputError(f"{path}: has no file {SPECTRA}; {REMEDY}")
        check_regular(path / SPECTRA)
        self.stars = read_stars(path, description)
        self._inputs = {
            name: InputFile(path / noted["file"], noted["sha256"], (self.stars.num_rows, noted["n_inputs"]))
            for name, noted in description.get("inputs", {}).items()
        }

    def __len__(self) -> int:
        return self.stars.num_rows

    def batches(self, batch_size: int = 8192, rows: tuple[int, int] | None = None) -> Iterator[PreparedSet]:
        """Read in batches of at most `batch_size` spectra.

        Parameters
        ----------
        batch_size : int
        rows : (int, int), optional
            The first, and the one behind the last; all if not given. Checksums of pages are compared batch by batch; those of all
            fluxes and errors, before the last batch is given, only where all rows are read.

        Yields
        ------
        PreparedSet

        Raises
        ------
        InputError
            If the set is damaged.
        """
        path, description, stars = self.path, self.description, self.stars
        if "stars_sha256" in description and footer_hash(path / SPECTRA) != description["spectra_footer_sha256"]:
            raise InputError(
                f"{path / SPECTRA}: damaged, or of another set (its footer is not the one noted); {REMEDY}"
            )
        try:
            further = Inputs(self._inputs, encoders=noted_encoders(description.get("inputs", {}), path, REMEDY))
            sums = {} if rows else {one: hashlib.sha256() for one in ("flux", "ivar") if f"{one}_sha256" in description}
            first, end = rows or (0, stars.num_rows)
            with opened(path / SPECTRA) as file:
                if file.metadata.num_rows != stars.num_rows:
                    raise InputError(f"{path}: {SPECTRA} and {STARS} differ in rows; {REMEDY}")
                _check_spectra(path, file, description)
                start, groups = _groups(file, first, end)
                for batch in file.iter_batches(min(batch_size, stars.num_rows), row_groups=groups):
                    # A group may begin before the rows that are wanted, and end behind them.
                    low, high = max(first - start, 0), min(end - start, len(batch))
                    here, start = start + low, start + len(batch)
                    if low >= high:
                        continue
                    n = high - low
                    arrays = {one: _from_fixed_list(batch.column(one).slice(low, n)) for one in ("flux", "ivar")}
                    for one, running in sums.items():
                        running.update(arrays[one].data)
                    if start == stars.num_rows:
                        _check_sums(path, sums, description)
                    part = _to_set(path, arrays, stars.slice(here, n), description)
                    yield replace(part, further=further.select(slice(here, here + n)))
            if start < end:
                raise InputError(f"{path / SPECTRA}: ends after {start} of {stars.num_rows} spectra; {REMEDY}")
        except (OSError, pa.ArrowException, ValueError, TypeError) as error:
            raise InputError(f"{path}: cannot be read ({_first_line(error)}); {REMEDY}") from None


def _groups(file: pq.ParquetFile, first: int, end: int) -> tuple[int, list[int]]:
    """The row groups that hold some rows, and the row with which they begin."""
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    ends = np.cumsum([0, *sizes])
    groups = [number for number in range(len(sizes)) if ends[number] < end and ends[number + 1] > first]
    return int(ends[groups[0]]) if groups else end, groups


def stream_set(path, batch_size: int = 8192) -> Iterator[PreparedSet]:
    """Read a prepared set in batches of at most `batch_size` spectra.

    Checksums of its pages are compared batch by batch, those of all fluxes and errors before the last batch is given: what is
    made of a set is to be kept only if this ends without an error.

    Raises
    ------
    InputError, MismatchError
        As `read_set`.
    """
    yield from SetReader(path).batches(batch_size)


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


def _to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_string(column.type):
        return to_text(column, STARS)
    values = column.to_numpy()
    return values.astype(str) if values.dtype == object else values


def _from_fixed_list(column: pa.FixedSizeListArray) -> np.ndarray:
    if column.null_count:
        raise ValueError("spectra without values")
    # A copy, which may be written to.
    return np.array(column.flatten().to_numpy(zero_copy_only=False)).reshape(-1, column.type.list_size)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

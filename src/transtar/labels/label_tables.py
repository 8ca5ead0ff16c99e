"""Label tables, splits and velocities: files to columns with canonical names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError, SettingsError, shown
from ..grids import MOST_VELOCITY, SPEED_OF_LIGHT
from ..tables import Column, Table, canonical_label, key_column, key_parts, open_table, read_table
from ..tables.column_names import SPELLINGS, two_columns
from ..tables.quantities import FREE
from ..telling import tell
from .catalogs import to_gaia_ids
from .lamost_catalog import GAIA_ID

SPLITS = ("pool", "test")
_KEYS = ("id", "file", "star")


class Keyed(dict[str, np.ndarray]):
    """Columns of a table whose rows are told by keys (id, file, star).

    Parameters
    ----------
    columns : dict of str to Column
        As the file has them, with units.
    unusable : dict of str to str
        Keys that the file has and that cannot be used, and why: it matters only if no other key will do.
    source : str
        The file, for messages.
    """

    def __init__(
        self, values: Mapping[str, np.ndarray] = {}, columns: Mapping[str, Column] = {}, source: str = ""
    ) -> None:
        super().__init__(values)
        self.columns = dict(columns)
        self.unusable: dict[str, str] = {}
        self.source = source


LIKE = {
    "feh": re.compile(r"metal|fe_?/?h", re.IGNORECASE),
    "alphafe": re.compile(r"alpha_?/?fe", re.IGNORECASE),
    "teff": re.compile(r"t_?eff|temperature", re.IGNORECASE),
    "logg": re.compile(r"log_?g\b|gravity", re.IGNORECASE),
}
"""Names that may be those of a label, where no column is read as it: they are asked about, not guessed."""

ABOUT = re.compile(r"err|flag|std|sig|unc|warn|ref|_?n$|^e_|^r_", re.IGNORECASE)
"""What is said about a label rather than the label."""


def read_labels(
    path: str | os.PathLike,
    extra: Sequence[str] = (),
    *,
    keyless: bool = False,
    columns: Mapping[str, str] | None = None,
    ids: Sequence[str] | None = None,
) -> Keyed:
    """Read a table of stellar labels.

    Parameters
    ----------
    path : path
        CSV, ECSV, FITS, VOTable or parquet; see `transtar.tables.open_table`.
    extra : sequence of str
        Further columns that are labels under their own names (``age``, for example).
    keyless : bool
        Whether the table may do without a key.
    columns : mapping of str to str, optional
        Which column is which, if names do not say, or say it twice: ``{"feh": "FE_H"}``.
    ids : sequence of str, optional
        Names that the survey uses for its own identifier (`transtar.surveys.Survey.id_columns`), which takes precedence over
        a bare ``id``; None if the survey is not known.

    Returns
    -------
    dict of str to ndarray, each of shape (n_rows,)
        The keys that exist: ``id`` (int64, -1 where missing; the survey's own, else obsid, TARGETID, miles_id,
        specobjid or specid, else id, else Gaia's source_id), ``file`` (str, base name), ``star`` (str, designation without
        'LAMOST'). Labels under canonical names and their errors with ``_err`` (float64, in K and dex whatever the unit in
        the file). Other columns keep name and type; where they have no value they hold NaN, -1 or the empty string.

        Missing values are NaN: values that are not finite; -9999, -999, 99.99 and similar numbers where they lie outside the
        range of the label; a Teff of 0. So are numbers that cannot be a value of the label at all; a message counts them.

    Raises
    ------
    InputError
        If the file cannot be read, has no rows, no key or no label column (the message lists those found), two columns
        for the same label, a unit that cannot be converted, or values that are not numbers.

    Examples
    --------
    >>> import transtar as ts
    >>> labels = ts.read_labels("miles/labels.csv")
    >>> len(labels["feh"])
    30
    """
    table, table_columns = read_table(path, columns)
    out, used = read_keys(table, table_columns, ids, keyless)
    sources: dict[str, str] = {}
    for name in table_columns:
        if name in used:
            continue
        label = name.lower() if name in extra else canonical_label(name.rpartition("#")[0] or name)
        if label in sources and label is not None:
            raise two_columns(str(path), sources[label], name, label)
        if label is not None and table_columns[name].is_vector:
            tell(f"{table_columns[name].where} holds several values in a row and is passed over")
        elif label is not None:
            sources[label] = name
    if not any(not label.endswith("_err") for label in sources):
        raise InputError(
            f"{path}: no label column (teff, logg, feh, alphafe, mg_fe, ...); choose one, as with --columns teff=NAME; "
            f"{table.found}"
        )
    unread = [one for one in table_columns if one not in used and one not in sources.values() and not ABOUT.search(one)]
    for label, like in LIKE.items():
        if label not in sources and (names := [one for one in unread if like.search(one)]):
            tell(
                f"{path}: no column is read as {label}, though '{shown(names[0])}' looks like it; if it is, give "
                f"--columns {label}={shown(names[0])}"
            )
    for label, name in sources.items():
        column = table_columns[name]
        out[label] = column.numbers(FREE) if label in extra else column.numbers(label)
    if "teff" in sources:
        blank_stars(out, table_columns[sources["teff"]], sources)
    for name, column in table_columns.items():
        if name in used or name in sources.values() or name.startswith("#") or name in out:
            continue
        if column.is_vector and (canonical_label(name) or not column.values.size):
            continue
        try:
            out[name] = column.natural()
        except InputError as error:
            # A column that nobody asked for does not stop the others.
            tell(f"{error}; the column is passed over")
    return out


def read_split(
    path: str | os.PathLike, *, columns: Mapping[str, str] | None = None, ids: Sequence[str] | None = None
) -> Keyed:
    """Read which spectra may be learnt from and which are kept for the test.

    Parameters
    ----------
    path : path
        Table with a key column (file, id or star, as in `read_labels`) and ``split``, each 'pool' or 'test'.
    columns, ids
        As in `read_labels`.

    Returns
    -------
    dict of str to ndarray
        The key columns (``SURVEY``, ``PROGRAM``, ``HEALPIX`` too, if there) and ``split``; `transtar.labels.look_up`
        gives the split of each spectrum.

    Raises
    ------
    InputError
        If a column is missing, or a value is neither 'pool' nor 'test'.
    """
    table = open_table(path, columns)
    name = table.find("split")
    table_columns = _some(table, ids, ["split"] if name is None else [name])
    out, _ = read_keys(table, table_columns, ids)
    out |= _key_parts(table_columns)
    if name is None:
        raise InputError(f"{path}: no column split; {table.found}")
    split = table_columns[name].text()
    if "" in split:
        raise InputError(f"{path}: row {int(np.argmax(split == '')) + 1} has no split; it must be pool or test")
    strange = sorted(set(split.tolist()) - set(SPLITS))
    if strange:
        raise InputError(f"{path}: split must be pool or test, found {', '.join(repr(value) for value in strange[:5])}")
    out["split"] = split
    return out


def file_and_column(source: str | os.PathLike) -> tuple[Path, str | None]:
    """Part ``FILE:COLUMN``; of ``FILE`` alone the column is None, and ``FILE:`` is an error."""
    name = str(source)
    if not os.path.exists(name):
        before, colon, after = name.rpartition(":")
        if colon and before and (os.sep not in after or os.path.exists(before)):
            if not after.strip():
                raise SettingsError(f"{name}: no column is named after the colon")
            return Path(before), after
    return Path(name), None


def read_velocities(
    source: str | os.PathLike, *, columns: Mapping[str, str] | None = None, ids: Sequence[str] | None = None
) -> Keyed:
    """Read radial velocities from ``FILE`` or ``FILE:COLUMN``.

    Parameters
    ----------
    source : str or path
        Table with a key column (as in `read_labels`) and a velocity, in km/s or the unit that the file states: the
        column named, or the first of velocity, rv, vrad, radial_velocity, rv_adop (case does not matter), or Z of redrock.
        Columns z and rr_z are redshifts: the velocity is c z, where there are columns SPECTYPE and ZWARN of stars without
        warning only. In FITS files of DESI the column may stand in any table that matches the first row by row (RV_ADOP of
        SPTAB beside RVTAB).
    columns, ids
        As in `read_labels`.

    Returns
    -------
    dict of str to ndarray
        The key columns and ``velocity`` (float64, km/s; NaN where missing or not between -3000 and 3000, and for -999,
        9999 and the like); ``SURVEY``, ``PROGRAM``, ``HEALPIX`` if there. Rows are sorted by ``id``, so that
        `find_velocities` is quick in large tables.

    Raises
    ------
    InputError
        If the file or a column is missing, or the unit is none of a velocity.
    """
    path, wanted = file_and_column(source)
    table = open_table(path, columns, also=wanted)
    if wanted is not None:
        match = table.find(wanted, exact=True) or table.find(re.sub(r"\s*[\[(][^\])]*[\])]$", "", wanted), exact=True)
    else:
        # A column z alone may be anything; beside redrock's own it is a redshift.
        redrock = ("z",) if table.find("zwarn") and table.find("spectype") else ()
        candidates = [name for name in (table.find(one) for one in SPELLINGS["velocity"]) if name is not None]
        if len(candidates) > 1 and candidates[0] not in table.chosen:
            raise two_columns(str(path), candidates[0], candidates[1], "velocity")
        match = next(iter(candidates), None) or table.find(*redrock)
    if match is None:
        raise InputError(f"{path}: no velocity column {wanted or '(give it as FILE:COLUMN)'}; {table.found}")
    table_columns = _some(table, ids, [match, *filter(None, (table.find("zwarn"), table.find("spectype")))])
    out, _ = read_keys(table, table_columns, ids)
    column = table_columns[match]
    if match.lower() in SPELLINGS["redshift"] and match not in table.chosen:
        out["velocity"] = _of_stars(SPEED_OF_LIGHT * column.numbers("redshift"), table_columns, table)
        fast = np.abs(out["velocity"]) > MOST_VELOCITY
        if fast.any():
            tell(f"{path}: {match}: {fast.sum()} velocities beyond {MOST_VELOCITY:g} km/s count as missing")
        out["velocity"][fast] = np.nan
    else:
        out["velocity"] = column.numbers("velocity")
    out |= _key_parts(table_columns)
    if "id" in out:
        order = np.argsort(out["id"], kind="stable")
        for key, values in out.items():
            out[key] = values[order]
    return out


def read_gaia_ids(
    path: str | os.PathLike, *, columns: Mapping[str, str] | None = None, ids: Sequence[str] | None = None
) -> Keyed:
    """Read by which identifier Gaia knows the stars of a survey, as the survey's own catalogs say it.

    Parameters
    ----------
    path : path
        Table with a key column (as in `read_labels`) and Gaia's: gaia_source_id, gaia_id or source_id.
    columns, ids
        As in `read_labels`.

    Returns
    -------
    dict of str to ndarray
        The key columns and ``gaia`` (int64, -1 where there is none).

    Raises
    ------
    InputError
        If a column is missing, or identifiers are those of another release than DR3 or have lost digits.
    """
    table = open_table(path, columns)
    name = table.find(*GAIA_ID)
    if name is None:
        raise InputError(f"{path}: no column of Gaia's identifiers ({', '.join(GAIA_ID)}); {table.found}")
    table_columns = _some(table, ids, [name])
    out, _ = read_keys(table, table_columns, ids)
    out["gaia"] = to_gaia_ids(table_columns[name])
    return out


def read_stars(
    path: str | os.PathLike, *, columns: Mapping[str, str] | None = None, ids: Sequence[str] | None = None
) -> Keyed:
    """Read which stars, or spectra, are meant.

    Parameters
    ----------
    path : path
        Table with a key column (as in `read_labels`).
    columns, ids
        As in `read_labels`.

    Returns
    -------
    dict of str to ndarray
        The key columns; ``SURVEY``, ``PROGRAM``, ``HEALPIX`` if there. Sorted by ``id``, if there; no row twice.

    Raises
    ------
    InputError
        If the file cannot be read or has no key.
    """
    table = open_table(path, columns)
    table_columns = _some(table, ids, [])
    out, _ = read_keys(table, table_columns, ids)
    out |= _key_parts(table_columns)
    # Sorted by the first key, which is the id wherever there is one.
    rows = np.unique(np.rec.fromarrays(list(out.values())), return_index=True)[1]
    for key, values in out.items():
        out[key] = values[rows]
    return out


def _some(table: Table, ids: Sequence[str] | None, names: Iterable[str]) -> dict[str, Column]:
    """The columns named, and all that may be keys: a large table has many others."""
    wanted = set(names)
    for key in _KEYS:
        try:
            name = key_column(key, table.names, ids, table.chosen)
        except InputError:
            continue
        if name is not None:
            wanted.add(name)
    wanted |= set(key_parts(table.names).values())
    return table.columns(lambda name: name in wanted)


def _of_stars(velocity: np.ndarray, columns: dict[str, Column], table: Table) -> np.ndarray:
    """NaN where redrock says that it is no star or that its redshift is doubtful."""
    keep = np.isfinite(velocity)
    warning, kind = table.find("zwarn"), table.find("spectype")
    if warning is not None:
        keep &= columns[warning].numbers() == 0
    if kind is not None:
        keep &= columns[kind].text() == "STAR"
    return np.where(keep, velocity, np.nan)


def _key_parts(columns: dict[str, Column]) -> dict[str, np.ndarray]:
    """Columns that with an id make the compound key of a survey."""
    return {part: columns[name].natural() for part, name in key_parts(columns).items()}


def read_keys(
    table: Table, columns: dict[str, Column], ids: Sequence[str] | None, keyless: bool = False
) -> tuple[Keyed, set[str]]:
    """Read the key columns of a table in canonical form, and tell the names they had in the file.

    Raises
    ------
    InputError
        If there is none that can be used, and `keyless` does not allow that.
    """
    out, used = Keyed(columns=columns, source=str(table.path)), set()
    for key in _KEYS:
        try:
            name = key_column(key, table.names, ids, table.chosen, str(table.path))
            if name is not None and name in columns:
                out[key] = _key(key, columns[name])
                used.add(name)
        except InputError as error:
            out.unusable[key] = str(error)
    if not out and not keyless:
        if out.unusable:
            raise InputError(next(iter(out.unusable.values())))
        raise InputError(
            f"{table.path}: no column tells which spectrum a row is for (file, id, obsid, TARGETID, miles_id, specobjid, "
            f"source_id or designation); choose one, as with --columns file=NAME or --columns id=NAME, or match by "
            f"position with --match-radius where that is possible; {table.found}"
        )
    return out, used


def _key(key: str, column: Column) -> np.ndarray:
    if key == "id":
        return column.ids()
    values = column.text()
    if key == "file":
        return np.array([os.path.basename(name) for name in values.tolist()], dtype=str)
    if np.char.startswith(values, "LAMOST").any():
        values = np.array([star.removeprefix("LAMOST").strip() for star in values.tolist()], dtype=str)
    return values


def blank_stars(labels: dict[str, np.ndarray], teff: Column, names: Iterable[str]) -> None:
    """Rows with a Teff of 0 are of stars without labels: their other zeros are no values either. Changes `labels`."""
    gone = teff.numbers("") == 0
    if gone.any():
        for name in names:
            labels[name] = np.where(gone & (labels[name] == 0), np.nan, labels[name])

"""Validating a catalog file: reads the catalog and the further tables, and finds which rows belong together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...catalog import read_columns
from ...errors import InputError, SettingsError
from ...labels import match_spectra, read_labels, table_positions
from ...labels.join import comparable, match_ids
from ...labels.members import StarPairs, read_members, read_pairs
from ...labels.positions import check_radius
from ...surveys import get_survey, survey_names
from ...tables import Choice
from ..catalog import match
from .validation import Further, Validation, Wanted, validate_catalog

PathLike = str | os.PathLike


def validate_files(
    catalog: PathLike,
    *,
    labels: Sequence[str] | None = None,
    repeats: bool = False,
    clusters: PathLike | None = None,
    pairs: PathLike | None = None,
    second: Sequence[PathLike] = (),
    bound: str | None = None,
    match_radius: float | None = None,
    columns: Mapping[str, str] | None = None,
    keep_bad: bool = False,
    seed: int = 0,
    progress: Callable[[int], object] = lambda n: None,
) -> Validation:
    """Check the errors of a catalog file without labels from outside.

    Parameters
    ----------
    catalog : path
        Of transtar or of others, as `transtar.catalog.read_columns` reads it.
    labels : sequence of str, optional
        All that the catalog has, if not given.
    repeats : bool
        Whether it is an error if no star has several visits.
    clusters : path, optional
        Members of clusters, see `transtar.labels.members.read_members`.
    pairs : path, optional
        Pairs of stars, see `transtar.labels.members.read_pairs`.
    second : sequence of path
        Two further catalogs of the same stars, for the three-cornered hat; or none.
    bound : str, optional
        Instrument of the Cramer-Rao bound, '' for that of the catalog's survey.
    match_radius : float, optional
        Arcsec within which further tables are joined by position; by file, id or star if not given. Pairs always are by id.
    columns : mapping of str to str, optional
        Which column of the tables is which, where names do not tell.
    keep_bad, seed, progress
        As for `validate_catalog`.

    Returns
    -------
    Validation

    Raises
    ------
    InputError
        If a file cannot be read, or as `validate_catalog`.
    SettingsError
        If one further catalog is given and not two, or nothing had use for a column that was named.
    """
    if len(second) not in (0, 2):
        raise SettingsError(f"--second takes two further catalogs (three corners in all), not {len(second)}")
    if match_radius is not None:
        check_radius(match_radius)
    table = read_columns(catalog, columns)
    ids, keyless = _id_columns(table), match_radius is not None
    read: list[Path] = [Path(catalog)]
    members, seconds, both = None, [], None
    notes: list[str] = []
    if clusters is not None:
        read.append(Path(clusters))
        members = _further(
            table,
            read_members(clusters, columns=columns, ids=ids, keyless=keyless),
            Path(clusters),
            match_radius,
            notes,
        )
    for path in second:
        read.append(Path(path))
        seconds.append(
            _further(
                table, read_labels(path, columns=columns, ids=ids, keyless=keyless), Path(path), match_radius, notes
            )
        )
    if pairs is not None:
        read.append(Path(pairs))
        both = pair_rows(table, read_pairs(pairs, columns), str(pairs))
    if isinstance(columns, Choice):
        columns.require_used(read)
    wanted = Wanted(repeats, members, both, tuple(seconds), bound)
    result = validate_catalog(table, wanted, labels, keep_bad=keep_bad, seed=seed, progress=progress)
    result.notes.extend(dict.fromkeys(notes))
    return result


def _id_columns(table: Mapping[str, np.ndarray]) -> Sequence[str] | None:
    """What the survey of a catalog calls its own identifiers, if it is of one survey."""
    surveys = set(np.asarray(table.get("survey", ())).astype(str).tolist())
    name = surveys.pop() if len(surveys) == 1 else ""
    return get_survey(name).id_columns if name in survey_names() else None


def _further(catalog: Mapping[str, np.ndarray], table, path: Path, radius: float | None, notes: list[str]) -> Further:
    """A further table with the way in which its rows are found."""
    if radius is None:

        def by_key(labels: Sequence[str]) -> np.ndarray:
            try:
                return match(catalog, table, labels)
            except InputError as error:
                raise InputError(f"{path}: {error}") from None

        return Further(path.name, table, by_key)
    survey = set(np.asarray(catalog.get("survey", ())).astype(str).tolist())
    rows, line = match_spectra(
        table_positions(table.columns, str(path)), catalog, survey.pop() if len(survey) == 1 else "", radius, path.name
    )
    notes.append(line.removeprefix("labels: "))
    return Further(path.name, table, lambda labels: rows)


def pair_rows(catalog: Mapping[str, np.ndarray], given: StarPairs, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a catalog of both stars of each pair, any of their visits; -1 where a star is not in it.

    Raises
    ------
    InputError
        If the catalog does not have what the pairs are told by, or no pair has both stars in it.
    """
    # Gaia's identifier is the id of a catalog that has no other.
    key = "id" if given.what == "source_id" and "source_id" not in catalog else given.what
    if key not in catalog:
        raise InputError(
            f"{where}: tells stars by {given.what}, which the catalog has not; it has {', '.join(catalog)}"
        )
    known = comparable(np.asarray(catalog[key]), key)
    sides = [comparable(side, key) for side in (given.first, given.second)]
    if key == "star":
        known, *sides = (np.char.strip(np.char.replace(names.astype(str), "LAMOST", "")) for names in (known, *sides))
    first, second = (match_ids(side, known) for side in sides)
    if not ((first >= 0) & (second >= 0)).any():
        example, other = (values[0].item() if len(values) else "none" for values in (sides[0], known))
        raise InputError(
            f"{where}: of none of {len(first)} pairs both stars are in the catalog (by {key}: pairs have {example}, the catalog "
            f"has {other})"
        )
    return first, second

"""LAMOST and Gaia: which of the files at hand hold the spectra of a list of stars, and where the others are to be had.

Neither archive is downloaded from here: LAMOST asks for a token and for its terms to be accepted, and of Gaia whole tables of
spectra are served. Names and addresses come from the list itself as far as it tells, else, if asked, from the archives'
catalogs by TAP (through astroquery, the extra ``archives``): VizieR V/164 (LAMOST DR5) and gaiadr3.gaia_source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

from ..errors import InputError, TranstarError, missing_package
from ..labels.label_tables import read_stars
from ..labels.lamost_catalog import FILE_PARTS
from ..labels.lamost_catalog import file_names as lamost_files
from ..surveys import find_files, get_survey, read
from ..surveys.gaia_xp import source_ids
from ..tables import read_table
from ..tables.ids import NO_ID, to_int64
from .ask import is_identifier, plain_list
from .output import write_csv

SURVEYS = {"lamost": "lamost", "gaia": "gaia-xp"}

TAP = {
    "lamost": ("http://tapvizier.cds.unistra.fr/TAPVizieR/tap", 'SELECT * FROM "V/164/dr5" WHERE ObsID IN ({ids})'),
    "gaia": (
        "https://gea.esac.esa.int/tap-server/tap",
        "SELECT source_id, has_xp_continuous, has_xp_sampled FROM gaiadr3.gaia_source WHERE source_id IN ({ids})",
    ),
}
"""Address and question of the catalog that tells more of what is missing."""

PER_QUESTION = 500


@dataclass
class Stars:
    """A list of stars, in its own order.

    Parameters
    ----------
    asked : list of str
        As the list has them.
    ids : ndarray, shape (n,), int64
        obsid or source_id; -1 where unknown.
    star : list of str
        Designation; '' where unknown.
    file : list of str
        Name of the native file; '' where unknown.
    folder : list of str
        Folder of the archive that it is in; '' where unknown.
    """

    asked: list[str]
    ids: np.ndarray
    star: list[str]
    file: list[str]
    folder: list[str]

    def __len__(self) -> int:
        return len(self.asked)


@dataclass
class ArchiveReport:
    """What is where.

    Parameters
    ----------
    found : dict of int to list of Path
        Files of each star that has any.
    missing : list of (str, str, str, str)
        What was asked, name of the file, address, and why it is missing.
    skipped : list of (str, str)
        Files that could not be read, each a line.
    """

    found: dict[int, list[Path]] = field(default_factory=dict)
    missing: list[tuple[str, str, str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def read_list(given: Sequence[str]) -> Stars:
    """Read stars from the command line: identifiers, files with one a line, or tables.

    Raises
    ------
    InputError
        If a file cannot be read, or tells no star.
    """
    parts = []
    loose = [text for text in given if is_identifier(text)]
    if loose:
        parts.append(_from_numbers(loose, "--ids"))
    for text in given:
        if not is_identifier(text):
            path = Path(text)
            if not path.is_file():
                raise InputError(f"{text}: no such file, and no identifier either")
            numbers = plain_list(path)
            parts.append(_from_table(path) if numbers is None else _from_numbers(numbers, text))
    if not parts:
        raise InputError("no stars given; name identifiers or a table")
    return Stars(
        [text for part in parts for text in part.asked],
        np.concatenate([part.ids for part in parts]),
        *([text for part in parts for text in getattr(part, name)] for name in ("star", "file", "folder")),
    )


def _from_numbers(texts: Sequence[str], where: str) -> Stars:
    kept = list(dict.fromkeys(texts))
    empty = [""] * len(kept)
    return Stars(kept, to_int64(np.array(kept, dtype=object), where), empty, empty, empty)


def _from_table(path: Path) -> Stars:
    table, columns = read_table(path)
    lower = {name.lower(): name for name in columns}
    n = len(next(iter(columns.values())))
    file, folder = [""] * n, [""] * n
    if set(FILE_PARTS) <= set(lower):
        parts = [columns[lower[name]].text() for name in FILE_PARTS]
        file = lamost_files(*parts).tolist()
        if "obsdate" in lower:
            days = [text.replace("-", "")[:8] for text in columns[lower["obsdate"]].text().tolist()]
            folder = [
                f"{day}/{plan}" if day and plan else "" for day, plan in zip(days, parts[1].tolist(), strict=True)
            ]
    names = table.keys()
    if names:
        # Checks the columns and says what is wrong; its rows are sorted, those here are not.
        read_stars(path)
    elif not any(file):
        raise InputError(
            f"{path}: no column tells which stars are meant (obsid, source_id, designation, file, or lmjd, planid, spid and "
            f"fiberid); columns found: {', '.join(columns)}"
        )
    ids, star = np.full(n, NO_ID, dtype=np.int64), [""] * n
    if "id" in names:
        ids = columns[names["id"]].ids()
    if "star" in names:
        star = [text.removeprefix("LAMOST").strip() for text in columns[names["star"]].text().tolist()]
    if "file" in names:
        file_names = [Path(text).name for text in columns[names["file"]].text().tolist()]
        file = [name or derived for name, derived in zip(file_names, file, strict=True)]
    asked = [
        str(number) if number != NO_ID else designation or name
        for number, designation, name in zip(ids.tolist(), star, file, strict=True)
    ]
    rows = [row for row, text in enumerate(asked) if text]
    kept = list({asked[row]: row for row in reversed(rows)}.values())[::-1]
    if not kept:
        raise InputError(f"{path}: no star in it")
    asked, star, file, folder = ([values[row] for row in kept] for values in (asked, star, file, folder))
    return Stars(asked, ids[kept], star, file, folder)


def resolve(
    service: str,
    stars: Stars,
    folders: Sequence[str],
    out: Path,
    *,
    release: str = "",
    query: Callable[[str, str], Any] | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> ArchiveReport:
    """Find the files of stars in folders, and write ``OUT/found.csv`` and ``OUT/missing.csv``.

    Files are found by name, where the list tells names; the others are opened one by one until every star is found.

    Parameters
    ----------
    service : {'lamost', 'gaia'}
    stars : Stars
    folders : sequence of str
        Files, folders or patterns; may be empty.
    out : Path
    release : str
        Of LAMOST, as in its addresses, such as ``dr10/v2.0``; without it addresses are left empty.
    query : callable, optional
        Asks a catalog, such as `ask_tap`: takes address and ADQL, returns a table.
    progress : callable
        Called with what is being done, how many are done, and of how many.

    Returns
    -------
    ArchiveReport

    Raises
    ------
    InputError
        If a folder does not exist.
    """
    report = ArchiveReport()
    survey = get_survey(SURVEYS[service])
    files = find_files(survey, folders) if folders else []
    by_name: dict[str, list[Path]] = {}
    for path in files:
        by_name.setdefault(_plain(path.name), []).append(path)
    for row, name in enumerate(stars.file):
        if name and _plain(name) in by_name:
            report.found[row] = by_name[_plain(name)][:1]
    named = {path for paths in report.found.values() for path in paths}
    _open_others(service, stars, [path for path in files if path not in named], report, progress)
    lacking = [row for row in range(len(stars)) if row not in report.found]
    known = _catalog(service, stars, lacking, query) if query is not None and lacking else {}
    for row in lacking:
        name, address, why = _whereabouts(
            service, stars, row, release, known.get(int(stars.ids[row])), query is not None
        )
        where = "not in any file given" if folders else "no files given (--have)"
        report.missing.append((stars.asked[row], name, address, why or where))
    rows = [[stars.asked[row], stars.ids[row], path] for row, paths in sorted(report.found.items()) for path in paths]
    rows = [[asked, "" if number == NO_ID else number, path.name, path] for asked, number, path in rows]
    write_csv(out / "found.csv", ("asked", "id", "file", "path"), rows)
    write_csv(out / "missing.csv", ("asked", "file", "address", "why"), report.missing)
    return report


def _open_others(
    service: str, stars: Stars, files: list[Path], report: ArchiveReport, progress: Callable[[str, int, int], None]
) -> None:
    rows = [row for row in range(len(stars)) if row not in report.found]
    by_id = {int(stars.ids[row]): row for row in rows if stars.ids[row] != NO_ID}
    by_star = {stars.star[row]: row for row in rows if stars.star[row] and stars.ids[row] == NO_ID}
    waiting = set(by_id)
    for done, path in enumerate(files, 1):
        if not waiting and not by_star:
            return
        try:
            ids, names = _contents(service, path)
        except TranstarError as error:
            report.skipped.append((str(path), str(error)))
            continue
        matched = {by_id[number] for number in ids if number in by_id}
        matched |= {by_star[name] for name in names if name in by_star}
        for row in sorted(matched):
            report.found.setdefault(row, []).append(path)
        waiting.difference_update(ids)
        progress("files", done, len(files))


def _contents(service: str, path: Path) -> tuple[list[int], list[str]]:
    """Identifiers and designations of the spectra in a file."""
    if service == "gaia":
        try:
            return source_ids(path).tolist(), []
        except TranstarError:
            raise
        # A broken file can make its parser raise anything.
        except Exception as error:
            raise InputError(f"{path}: cannot be read as Gaia XP spectra ({' '.join(str(error).split())})") from None
    batch = read(get_survey(SURVEYS[service]), path)
    return batch.ids.tolist(), batch.meta["star"].tolist()


def _whereabouts(
    service: str, stars: Stars, row: int, release: str, known: dict[str, Any] | None, asked: bool
) -> tuple[str, str, str]:
    """Name and address of a file that is missing, and why it is, as far as more is known than that it is."""
    number, name, folder = int(stars.ids[row]), stars.file[row], stars.folder[row]
    if service == "gaia":
        if number == NO_ID:
            return name, "", ""
        if known is not None and not _true(known.get("has_xp_continuous")):
            return "", "", "Gaia DR3 has no XP spectrum of it"
        if asked and known is None:
            return "", "", "no such source in Gaia DR3"
        what = {"RETRIEVAL_TYPE": "XP_CONTINUOUS", "ID": f"Gaia DR3 {number}", "DATA_STRUCTURE": "RAW", "FORMAT": "CSV"}
        query = urlencode({**what, "RELEASE": "Gaia DR3"})
        return f"XP_CONTINUOUS-Gaia DR3 {number}.csv", f"https://gea.esac.esa.int/data-server/data?{query}", ""
    if not name and known is not None:
        parts = [_any(known, (part, *spellings)) for part, spellings in zip(FILE_PARTS, _SPELLINGS, strict=True)]
        if all(parts):
            name = lamost_files(*(np.array([part]) for part in parts))[0]
    address = (
        f"https://www.lamost.org/{release.strip('/')}/spectrum/fits/{number}" if release and number != NO_ID else ""
    )
    return f"{folder}/{name}" if folder and name else name, address, ""


_SPELLINGS = (("mjd",), ("plan",), ("sp",), ("fiber", "fib"))


def _any(row: dict[str, Any], names: Iterable[str]) -> str:
    return next((str(row[name]).strip() for name in names if name in row and row[name] is not None), "")


def _true(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "1", "t")


def _catalog(
    service: str, stars: Stars, rows: list[int], query: Callable[[str, str], Any] | None
) -> dict[int, dict[str, Any]]:
    """Rows of the archive's catalog for stars, by identifier; column names in lower case without underscores but Gaia's."""
    assert query is not None
    address, question = TAP[service]
    numbers = [int(stars.ids[row]) for row in rows if stars.ids[row] != NO_ID]
    key = "obsid" if service == "lamost" else "source_id"
    known = {}
    for start in range(0, len(numbers), PER_QUESTION):
        part = numbers[start : start + PER_QUESTION]
        table = query(address, question.format(ids=",".join(map(str, part))))
        for line in table:
            row = {name.lower(): line[name] for name in table.colnames}
            known[int(row[key])] = row
    return known


def ask_tap(address: str, question: str) -> Any:
    """Ask a catalog by TAP.

    Returns
    -------
    astropy.table.Table

    Raises
    ------
    TranstarError
        If astroquery is not installed, or the catalog does not answer.
    """
    try:
        from astroquery.utils.tap.core import TapPlus
    except ImportError:
        raise missing_package("astroquery", "archives") from None
    # Whatever goes wrong in the libraries under it, the user needs the address.
    try:
        return TapPlus(url=address).launch_job(question).get_results()
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise TranstarError(f"{address}: no answer ({what}); without --query nothing is asked") from error


def _plain(name: str) -> str:
    return name.removesuffix(".gz")

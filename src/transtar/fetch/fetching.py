"""Spectra of a list of stars from SPARCL, through the cache, to files that `transtar prepare` reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError, SettingsError, TranstarError
from ..files import atomic_folder
from ..tables.column_names import KEY_PARTS
from .ask import Ask
from .find import Match, Matches, find_ids, find_positions, find_release
from .output import PREFIX, SPECTRA, SpectraWriter, write_csv
from .sparcl import MOST_RECORDS, Sparcl
from .transport import Refused, TooMuch, Unreachable

FOUND_COLUMNS = (
    "asked", "id", "sparcl_id", "specid", "targetid", "release", "SURVEY", "PROGRAM", "HEALPIX", "ra", "dec", "separation",
    "spectype", "redshift", "redshift_warning", "status", "file",
)  # fmt: skip


@dataclass(frozen=True)
class Search:
    """What the spectra must be, besides those of the stars asked for.

    Parameters
    ----------
    releases : tuple of str
        Data releases, such as DESI-DR1; any if none is named.
    spectype : tuple of str
        STAR, GALAXY, QSO; any if none is named.
    primary : bool
        The best spectrum of each object in each release only (specprimary).
    radius : float
        Arcsec around positions.
    limit : int or None
        At most so many spectra; all if None.
    page : int
        Spectra, or identifiers, of one question.
    """

    releases: tuple[str, ...] = ()
    spectype: tuple[str, ...] = ()
    primary: bool = False
    radius: float = 1.0
    limit: int | None = None
    page: int = 100

    def __post_init__(self) -> None:
        if not 1 <= self.page <= MOST_RECORDS:
            raise SettingsError(f"a page holds 1 to {MOST_RECORDS} spectra (the service's own limit), not {self.page}")
        if not 0 < self.radius <= 3600:
            raise SettingsError(f"a radius is between 0 and 3600 arcsec, not {self.radius:g}")

    @property
    def constraints(self) -> dict[str, list[Any]]:
        """As `Sparcl.find` takes them."""
        given: dict[str, list[Any]] = {}
        if self.releases:
            given["data_release"] = list(self.releases)
        if self.spectype:
            given["spectype"] = list(self.spectype)
        if self.primary:
            given["specprimary"] = [1]
        return given


@dataclass
class FetchReport:
    """What became of the ask.

    Parameters
    ----------
    asked : int
        Identifiers or positions; records, where a release was asked for.
    found : int
        Those of them that have at least one spectrum.
    spectra, cached, fetched : int
        Spectra written, those of them that were in the cache before, and those that came now.
    missing : list of (str, str, str)
        What was asked, the sparcl_id if there is one, and why there is no spectrum.
    questions : int
        How often the service was asked.
    """

    asked: int = 0
    found: int = 0
    spectra: int = 0
    cached: int = 0
    fetched: int = 0
    missing: list[tuple[str, str, str]] = field(default_factory=list)
    questions: int = 0


def fetch_sparcl(
    sparcl: Sparcl,
    ask: Ask | None,
    out: Path,
    search: Search | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> FetchReport:
    """Fetch spectra and write ``OUT/spectra``, ``OUT/found.csv`` and ``OUT/missing.csv``.

    Parameters
    ----------
    sparcl : Sparcl
    ask : Ask or None
        The stars; None for whatever `search` describes.
    out : Path
        Folder. Spectra fetched before are replaced when all is there, not before; other files are kept.
    search : Search, optional
    progress : callable
        Called with what is being done, how many are done, and of how many.

    Returns
    -------
    FetchReport

    Raises
    ------
    InputError
        If a release is unknown, or nothing that was asked for has a spectrum.
    TranstarError
        If the service cannot be reached or keeps failing; what came before is in the cache, and the next run goes on from there.
    """
    search = search or Search()
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: not a folder")
    sparcl.check_releases(search.releases)
    matches = _find(sparcl, ask, search, progress)
    ids: dict[str, dict[str, None]] = {}
    for match in matches.matches:
        ids.setdefault(match.release, {})[match.name] = None
    pages = {release: sparcl.pages(release) for release in ids}
    before = {name for release, names in ids.items() for name in names if name in pages[release]}
    total = sum(len(names) for names in ids.values())
    done = len(before)
    failed: dict[str, str] = {}

    def on_page(n: int) -> None:
        nonlocal done
        done += n
        progress("spectra", done, total)

    progress("spectra", done, total)
    for release, names in ids.items():
        try:
            failed |= sparcl.retrieve(release, pages[release], list(names), search.page, on_page)
        except (Unreachable, TooMuch, Refused) as error:
            kept = sum(name in pages[other] for other, names in ids.items() for name in names)
            raise TranstarError(
                f"{error}; {kept} of {total} spectra are in the cache, and the same command resumes from there"
            ) from error
    failed |= {name: why for some in pages.values() for name, why in some.absent.items()}
    report = _write(ask, matches, pages, before, failed, out, search)
    report.questions = sparcl.service.questions
    if not report.spectra:
        first = report.missing[0][2] if report.missing else "the search found no record"
        raise InputError(f"nothing that was asked for has a spectrum in SPARCL; the first: {first}")
    return report


def _find(sparcl: Sparcl, ask: Ask | None, search: Search, progress: Callable[[str, int, int], None]) -> Matches:
    done = 0

    def on_page(n: int) -> None:
        nonlocal done
        done += n
        progress("searches", done, 0 if ask is None else len(ask))

    if ask is None:
        return find_release(sparcl, search.constraints, search.limit)
    if ask.by == "position":
        matches = find_positions(sparcl, ask, search.constraints, search.radius, on_page)
    else:
        matches = find_ids(sparcl, ask, search.constraints, search.page, on_page)
    if search.limit is not None:
        matches.matches = matches.matches[: search.limit]
    return matches


def _write(
    ask: Ask | None,
    matches: Matches,
    pages: Mapping[str, Any],
    before: set[str],
    failed: Mapping[str, str],
    out: Path,
    search: Search,
) -> FetchReport:
    report = FetchReport(asked=len(matches.matches) if ask is None else len(ask))
    found_rows: list[list[Any]] = []
    why: dict[int, str] = dict(matches.failed)
    rows: set[int] = set()
    absent: list[tuple[int, str, str, str]] = []
    delivered = [match for match in matches.matches if match.name in pages[match.release]]
    for match in matches.matches:
        if match.name not in pages[match.release]:
            absent.append((match.row, _asked(ask, match.row), match.name, failed.get(match.name, "not delivered")))
    if ask is not None and ask.keys:
        others = [_other_key(ask, match.row, pages[match.release].read(match.name).fields) for match in delivered]
        for match, other in zip(delivered, others, strict=True):
            if other:
                why.setdefault(match.row, other)
        delivered = [match for match, other in zip(delivered, others, strict=True) if not other]
    if delivered:
        with atomic_folder(out / SPECTRA, files=(f"{PREFIX}*.parquet",)) as folder:
            writer = SpectraWriter(folder)
            for match in delivered:
                record = pages[match.release].read(match.name)
                status = "cached" if match.name in before else "fetched"
                found_rows.append(_found_row(ask, match, record.fields, status, writer.add(record)))
                rows.add(match.row)
                report.cached += status == "cached"
            writer.finish()
            report.spectra = writer.count
    report.fetched, report.found = report.spectra - report.cached, len(rows)
    spoken = {row for row, *_ in absent}
    reached = search.limit is not None and len(matches.matches) == search.limit
    default = f"not among the first {search.limit} spectra (--limit)" if reached else "no such record in the service"
    for row in range(0 if ask is None else len(ask)):
        if row not in rows and row not in spoken:
            absent.append((row, _asked(ask, row), "", why.get(row, default)))
    report.missing = [(asked, name, reason) for _, asked, name, reason in sorted(absent)]
    write_csv(out / "found.csv", FOUND_COLUMNS, found_rows)
    write_csv(out / "missing.csv", ("asked", "sparcl_id", "why"), report.missing)
    return report


def _asked(ask: Ask | None, row: int) -> str:
    if ask is None:
        return ""
    value = ask.values[row]
    return f"{value[0]:.7f} {value[1]:+.7f}" if ask.by == "position" else str(value)


def _other_key(ask: Ask, row: int, fields: Mapping[str, Any]) -> str:
    """Why a record is not that of a row of a table with a compound key; '' if it is."""
    for part in KEY_PARTS:
        wanted = ask.keys.get(part, [""] * len(ask))[row]
        has = fields.get(part.lower())
        if wanted not in ("", "-1") and has is not None and str(has) != wanted:
            return f"has spectra, but none of {part} {wanted} (one of {has})"
    return ""


def _found_row(ask: Ask | None, match: Match, fields: Mapping[str, Any], status: str, file: str) -> list[Any]:
    desi = match.release.upper().startswith("DESI")
    target = fields.get("targetid")
    values = {
        "asked": _asked(ask, match.row),
        "id": target if desi and target is not None else fields.get("specid"),
        "sparcl_id": match.name,
        "release": match.release,
        "SURVEY": fields.get("survey") if desi else None,
        "PROGRAM": fields.get("program") if desi else None,
        "HEALPIX": fields.get("healpix") if desi else None,
        "separation": None if match.separation != match.separation else round(match.separation, 3),
        "status": status,
        "file": file,
    }
    return [values.get(name, fields.get(name)) for name in FOUND_COLUMNS]

"""Fetch spectra of a list of stars from SPARCL, cached; or find them in local files (LAMOST, Gaia) and list what is missing."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..skipped import Skipped
from . import arguments as values
from .common import add_columns, say

HELP = "fetch the spectra of a list of stars from an archive, cached"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--service", required=True, choices=("sparcl", "lamost", "gaia"),
        help="sparcl fetches; lamost and gaia search the files of --have and list what is missing",
    )  # fmt: skip
    parser.add_argument(
        "--ids", nargs="+", metavar="ID|FILE[:COLUMN]",
        help="identifiers (sparcl: specid, targetid or sparcl_id; lamost: obsid; gaia: source_id), or files of them",
    )  # fmt: skip
    parser.add_argument(
        "--table", type=values.path, help="label table: by its identifiers, or by ra and dec if it has none"
    )
    parser.add_argument(
        "--position", nargs=2, type=values.anything, metavar=("RA", "DEC"), help="a position on the sky in degrees"
    )
    parser.add_argument("--out", required=True, type=values.path, help="folder for spectra/, found.csv and missing.csv")
    add_columns(parser)
    sparcl = parser.add_argument_group("sparcl")
    sparcl.add_argument(
        "--radius", type=values.Real(0, 3600, above=True), default=1.0, help="around positions, in arcsec"
    )
    sparcl.add_argument(
        "--id-field", choices=("specid", "targetid", "position"),
        help="what the identifiers are, or 'position' to search by ra and dec; if not given, the name of the "
             "column, else specid",
    )  # fmt: skip
    sparcl.add_argument(
        "--release",
        nargs="+",
        default=[],
        help="data releases, such as DESI-DR1 (lamost: for addresses, such as dr10/v2.0)",
    )
    sparcl.add_argument("--spectype", nargs="+", default=[], help="only these classes, such as STAR")
    sparcl.add_argument("--primary", action="store_true", help="only the best spectrum of each object (specprimary)")
    sparcl.add_argument(
        "--limit",
        type=values.limit,
        metavar="N|all",
        help="largest number of spectra; needed where only a release or class is asked for",
    )
    sparcl.add_argument(
        "--cache", type=values.path, help="folder that keeps the service's answers; OUT/cache if not given"
    )
    sparcl.add_argument(
        "--refresh", action="store_true", help="search again, also for what was missing; spectra are kept"
    )
    sparcl.add_argument("--page", type=values.many, default=100, help="spectra per request; large requests time out")
    sparcl.add_argument(
        "--timeout", type=values.Real(0, 86_400, above=True), default=120.0, help="seconds for one answer"
    )
    sparcl.add_argument(
        "--tries", type=values.Whole(1, 1000), default=5, help="how often a request is tried before giving up"
    )
    sparcl.add_argument("--server", help="address of a SPARCL service other than NOIRLab's")
    sparcl.add_argument(
        "--allow-pickle", action="store_true",
        help="ask for Python pickles, as SPARCL's own client does, instead of JSON: smaller, but a pickle "
             "can carry code, so only plain values and arrays are accepted",
    )  # fmt: skip
    archives = parser.add_argument_group("lamost and gaia")
    archives.add_argument(
        "--have", nargs="+", default=[], metavar="PATH", help="files, folders or quoted patterns at hand"
    )
    archives.add_argument(
        "--query", action="store_true", help="ask the archive's catalog about what is missing (extra 'archives')"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..errors import SettingsError
    from ..fetch.output import check_out

    given = [name for name in ("ids", "table", "position") if getattr(arguments, name) is not None]
    if len(given) > 1:
        raise SettingsError(f"give one of {', '.join(f'--{name}' for name in given)}, not several")
    check_out(arguments.out, [*(arguments.ids or ()), arguments.table, *arguments.have])
    if arguments.service == "sparcl":
        if arguments.have or arguments.query:
            raise SettingsError("--have and --query are for --service lamost and gaia")
        return _sparcl(arguments)
    if arguments.position is not None or not given:
        raise SettingsError(f"--service {arguments.service} takes --ids or --table")
    return _archive(arguments)


def _sparcl(arguments: argparse.Namespace) -> int:
    from ..errors import SettingsError
    from ..fetch import Answers, Patience, Search, Service, Sparcl, fetch_sparcl, from_ids, from_positions, from_table
    from ..fetch.sparcl import SERVER
    from ..tables import Choice

    limit = None if arguments.limit in (None, math.inf) else arguments.limit
    if arguments.ids is not None:
        if arguments.id_field == "position":
            raise SettingsError("--id-field position goes with --table")
        ask = from_ids(arguments.ids, arguments.id_field)
    elif arguments.table is not None:
        columns = Choice.parse(arguments.columns)
        ask = from_table(arguments.table, arguments.id_field, columns)
        columns.require_used([arguments.table])
    elif arguments.position is not None:
        ask = from_positions([tuple(arguments.position)])
    else:
        ask = None
        if not (arguments.release or arguments.spectype):
            raise SettingsError("say which spectra: --ids, --table, --position, or --release with --limit")
        if arguments.limit is None:
            raise SettingsError("a whole release is millions of spectra: give --limit N (or all)")
    search = Search(
        tuple(arguments.release),
        tuple(arguments.spectype),
        arguments.primary,
        arguments.radius,
        limit,
        arguments.page,
    )
    patience = Patience(arguments.timeout, arguments.tries)
    with _bar() as (progress, tell):
        service = Service(arguments.server or SERVER, patience, tell)
        answers = Answers(arguments.cache or arguments.out / "cache", service.address, arguments.refresh)
        report = fetch_sparcl(Sparcl(service, answers, arguments.allow_pickle), ask, arguments.out, search, progress)
    if report.missing:
        say(
            f"{len(report.missing)} have no spectrum here, the first: {_first(report.missing)}; {arguments.out}/missing.csv"
        )
    print(
        f"{arguments.out}: {report.asked} asked for, {report.found} found: {report.spectra} spectra "
        f"({report.cached} from the cache, {report.fetched} fetched); {len(report.missing)} missing"
    )
    print(f"next: transtar prepare --survey sparcl --spectra {arguments.out}/spectra --out sets/sparcl")
    return 0


def _archive(arguments: argparse.Namespace) -> int:
    from ..errors import SettingsError
    from ..fetch.archives import SURVEYS, ask_tap, read_list, resolve

    if len(arguments.release) > 1:
        raise SettingsError("--release takes one release here, such as dr10/v2.0")
    stars = read_list(arguments.ids or [str(arguments.table)])
    with _bar() as (progress, _):
        report = resolve(
            arguments.service, stars, arguments.have, arguments.out,
            release=(arguments.release or [""])[0], query=ask_tap if arguments.query else None, progress=progress,
        )  # fmt: skip
    with Skipped(say) as skipped:
        for file, message in report.skipped:
            skipped.add(file, message)
    if report.missing and not arguments.query:
        say("no archive was asked (--query does): names and addresses are as far as the list tells them")
    files = len({path for paths in report.found.values() for path in paths})
    print(
        f"{arguments.out}: {len(stars)} asked for, {len(report.found)} found in {files} files; {len(report.missing)} missing "
        f"({arguments.out}/missing.csv)"
    )
    if report.found:
        print(
            f"next: transtar prepare --survey {SURVEYS[arguments.service]} --spectra {' '.join(arguments.have)} "
            f"--stars {arguments.out}/found.csv --out sets/{arguments.service}"
        )
    return 0


def _first(missing: list[tuple[str, str, str]]) -> str:
    asked, name, why = missing[0]
    return f"{asked or name} ({why})"


@contextmanager
def _bar() -> Iterator[tuple[Callable[[str, int, int], None], Callable[[str], None]]]:
    """Callbacks that show how far the work is, on a terminal only, and tell a line beside it."""
    from tqdm import tqdm

    with tqdm(disable=None, leave=False, desc="fetch") as bar:

        def progress(what: str, done: int, total: int) -> None:
            if bar.disable:
                return
            if bar.unit != what:
                bar.unit = what
                bar.reset(total)
            bar.total = max(total, done)
            bar.update(done - bar.n)

        def tell(line: str) -> None:
            if bar.disable:
                say(line)
            else:
                bar.write(line, file=sys.stderr)

        yield progress, tell

"""Write a mock universe: simulated surveys of the same stars as native files, together with the true labels."""

from __future__ import annotations

import argparse
from typing import Any

from . import arguments as values
from .common import parse_assignments, say

HELP = "write mock surveys as native files, with known truth"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--scale", default="small", choices=("small", "medium", "paper"), help="how many stars")
    parser.add_argument(
        "--catalogs-only", action="store_true", help="write only the tables; spectra may be added later"
    )
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="settings to override, such as lamost=2000, effects.noise=false, resolution=true; a wrong key lists them all",
    )  # fmt: skip
    parser.add_argument("--seed", type=values.seed, default=0, help="the same seed makes the same universe")
    parser.add_argument("--workers", type=values.workers, help="processes; one per processor if not given")
    parser.add_argument(
        "--out", required=True, type=values.path, help="folder of the universe; an incomplete one is resumed"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from ..simulate.universe.universe import simulate_universe
    from ..simulate.universe.universe_settings import universe_settings

    settings = universe_settings(arguments.scale, arguments.seed, parse_assignments(arguments.set))
    record = simulate_universe(arguments.out, settings, arguments.catalogs_only, arguments.workers, say)
    print("\n".join(table(record)))
    out = arguments.out
    if record["complete"] == "all":
        print(
            f"next: transtar prepare --survey lamost --spectra {out}/lamost/spectra --labels {out}/lamost/labels.csv "
            "--out sets/lamost"
        )
    else:
        print("next: the same command without --catalogs-only adds the spectra")
    return 0


def table(record: dict[str, Any]) -> list[str]:
    """Lines of a table of the parts."""
    from ..simulate.universe.disk_space import readable

    parts = record["parts"]
    width = max(len(name) for name in (*parts, "part"))
    lines = [f"{'part':{width}}  {'files':>6}  {'rows':>7}  {'size':>8}"]
    for name, part in [*parts.items(), ("all", _sum(parts))]:
        rows = part["rows"] if name != "all" else ""
        lines.append(f"{name:{width}}  {part['files']:6}  {rows:>7}  {readable(part['bytes']):>8}")
    return lines


def _sum(parts: dict[str, Any]) -> dict[str, int]:
    return {name: sum(part[name] for part in parts.values()) for name in ("files", "bytes")}

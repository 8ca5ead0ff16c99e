"""What base dependencies alone must do: `python -m tests.base_install`, in an environment that has nothing else.

Not a test of pytest's, which is no base dependency: every module is imported, every verb explains itself, and what needs an
extra says which one.
"""

import contextlib
import io
import pkgutil
import re
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path

import transtar
from transtar.cli import VERBS, main
from transtar.encoders.aion import aion_encoder
from transtar.errors import TranstarError
from transtar.surveys.specutils_bridge import from_spectrum

NOT_OF_USERS = {"all", "test", "docs", "dev"}
"""Extras that no code path needs."""


def run(*arguments: object) -> tuple[int, str]:
    """Exit status and everything printed of one command."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            status = int(stopped.code or 0)
    return status, printed.getvalue()


def aion(folder: Path) -> str:
    """AION, whose weights would lie in a folder."""
    for name in ("config.json", "model.safetensors"):
        for part in (folder, folder / "codecs/spectrum"):
            part.mkdir(parents=True, exist_ok=True)
            (part / name).write_text("{}")
    try:
        aion_encoder(folder)
    except TranstarError as error:
        return str(error)
    raise AssertionError("no error")


def dask(folder: Path) -> str:
    """Workers of Dask."""
    (folder / "spec.fits").write_text("")
    spectra = ("--survey", "lamost", "--spectra", folder / "spec.fits")
    return failure(
        "predict", "--model", "mock-feh", *spectra, "--out", folder / "run", "--scheduler", "tcp://127.0.0.1:1"
    )


def gaia(folder: Path) -> str:
    """Continuous XP spectra."""
    path = folder / "XP_CONTINUOUS_RAW.csv"
    path.write_text('source_id,bp_coefficients,rp_coefficients\n99,"(1,2)","(3,4)"\n')
    return failure("prepare", "--survey", "gaia-xp", "--spectra", path, "--out", folder / "set")


def hats(folder: Path) -> str:
    """A catalog in HATS."""
    catalog = folder / "catalog"
    catalog.mkdir()
    (catalog / "hats.properties").write_text("obs_collection=gaia\n")
    (folder / "lamost.csv").write_text("obsid,designation,ra,dec,z,snrg\n1,J,10.0,20.0,0.0,50.0\n")
    (folder / "own.yaml").write_text(
        "title: t\nsource: s\nrows: lamost\ntables: {lamost: {kind: lamost}, gaia: {kind: gaia}}\n"
        "match: [{tables: [gaia], by: position}]\n"
    )
    catalogs = (folder / "lamost.csv", f"gaia={catalog}")
    return failure("select", folder / "own.yaml", "--catalogs", *catalogs, "--out", folder / "x.csv")


def archives(folder: Path) -> str:
    """A question to a catalog of an archive."""
    return failure("fetch", "--service", "lamost", "--ids", 5, "--query", "--out", folder / "fetched")


def report(folder: Path) -> str:
    """A page to look into a catalog."""
    (folder / "catalog.csv").write_text("id,feh\n1,0.0\n")
    return failure("report", "--catalog", folder / "catalog.csv", "--out", folder / "page.html")


def specutils(folder: Path) -> str:
    """A spectrum of specutils."""
    try:
        from_spectrum(None)
    except TranstarError as error:
        return str(error)
    raise AssertionError("no error")


NEEDS: dict[str, Callable[[Path], str]] = {
    "aion": aion, "archives": archives, "dask": dask, "gaia": gaia, "hats": hats, "report": report, "specutils": specutils
}  # fmt: skip
"""For each extra, what needs it; returns the message."""


def failure(*arguments: object) -> str:
    """The last line that a command prints, which must fail."""
    status, printed = run(*arguments)
    line = printed.strip().splitlines()[-1]
    assert status == 1, f"{arguments}: status {status}: {line}"
    return line


def installed_extras() -> list[str]:
    """Packages of extras that are installed, and should not be."""
    asked = [line for line in metadata.requires("transtar") or () if "extra ==" in line]
    names = sorted({re.split(r"[^\w.-]", line)[0] for line in asked} - {"transtar"})
    # Some come as a dependency of the base, or with Python itself.
    return [name for name in names if any(metadata.distributions(name=name))]


def check() -> str:
    """Check it all, and say what was checked."""
    extra = installed_extras()
    assert not extra, f"not a base installation, for it has {', '.join(extra)}: remove .venv and begin anew"
    modules = [module.name for module in pkgutil.walk_packages(transtar.__path__, "transtar.")]
    for name in modules:
        import_module(name)
    for verb in VERBS:
        status, printed = run(verb, "--help")
        assert (status, printed[:6]) == (0, "usage:"), f"{verb} --help: {printed}"
    for verb in (("info",), ("models", "list"), ("models", "show", "mock-feh")):
        status, printed = run(*verb)
        assert status == 0, printed
    extras = set(metadata.metadata("transtar").get_all("Provides-Extra") or ()) - NOT_OF_USERS
    assert extras == set(NEEDS), f"extras {sorted(extras)}, of which this file knows {sorted(NEEDS)}"
    for name, need in NEEDS.items():
        with tempfile.TemporaryDirectory() as folder:
            line = need(Path(folder))
        assert f"pip install 'transtar[{name}]'" in line, f"{name}: {line}"
    return f"base installation: {len(modules)} modules imported, {len(VERBS)} verbs, {len(NEEDS)} extras named where missing"


if __name__ == "__main__":
    try:
        print(check())
    except AssertionError as error:
        sys.exit(f"base installation: {error}")

"""Reporters: functions that turn the results of a study into sections of its report, chosen by name in the study file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module

from ...errors import SettingsError, shown
from ...evaluate import Results
from ...plugins import load_offered, offered
from ...report import Section
from ..context import Context
from ..spec import Study

ENTRY_POINT_GROUP = "transtar.reporters"

Draw = Callable[[Results, Context], list[Section]]


@dataclass(frozen=True)
class Reporter:
    """A reporter.

    Parameters
    ----------
    name : str
        As study files have it.
    draw : callable
        Called with all rows of results.csv (`transtar.evaluate.Results`) and a `transtar.studies.context.Context`. Writes tables
        and figures into the folder of the study and returns the sections of the report that show them; none where the study
        has nothing of the kind.
    """

    name: str
    draw: Draw


SHIPPED = {
    "summary": "transtar.studies.reporters.summary:summary",
    "labels": "transtar.studies.reporters.labels:labels",
    "inputs": "transtar.studies.reporters.compared_inputs:inputs",
    "auto": "transtar.studies.reporters.auto:auto",
    "variants": "transtar.studies.reporters.variants:variants",
    "plane": "transtar.studies.reporters.plane:plane",
    "element": "transtar.studies.reporters.element:element",
    "selections": "transtar.studies.reporters.selections:selections",
    "interactive": "transtar.studies.reporters.interactive:interactive",
    "settings": "transtar.studies.reporters.settings:settings",
    "findings": "transtar.studies.paper.findings:findings_section",
    "table-1": "transtar.studies.paper.tables:table_1",
    "compared": "transtar.studies.paper.figures:compared",
    "sizes": "transtar.studies.paper.figures:sizes",
    "weights": "transtar.studies.paper.figures:weights",
    "rates": "transtar.studies.paper.figures:rates",
    "matched": "transtar.studies.paper.matched:matched",
    "landscape": "transtar.studies.paper.explained:landscape",
    "saliency": "transtar.studies.paper.explained:gradients",
}
"""Where the functions of the reporters that ship with transtar are; a module is loaded when one of its reporters is used."""

DEFAULT = ("summary", "labels", "variants", "plane", "element", "selections", "interactive", "settings")
"""Reporters of a study that names none."""

OF_EXPERIMENTS = ("findings", "table-1", "compared", "sizes", "weights", "rates", "matched")
OF_EXPLAIN = ("landscape", "saliency")
"""Those that follow the summary if such a study has experiments, or networks to explain."""

_REGISTERED: dict[str, Reporter] = {}


def register_reporter(reporter: Reporter) -> Reporter:
    """Make a reporter known by its name for the rest of the process.

    A package that wants its reporter known wherever it is installed declares an entry point instead::

        [project.entry-points."transtar.reporters"]
        myreporter = "mypackage.report:REPORTER"

    Parameters
    ----------
    reporter : Reporter

    Returns
    -------
    Reporter
        The same.

    Raises
    ------
    SettingsError
        If another reporter has that name.
    """
    if reporter.name in SHIPPED or _REGISTERED.get(reporter.name, reporter) is not reporter:
        raise SettingsError(f"a reporter named '{reporter.name}' is registered already; choose another name")
    _REGISTERED[reporter.name] = reporter
    return reporter


def reporter_names() -> list[str]:
    """Names of all reporters, shipped, registered or offered by an installed package. Loads no package."""
    return list(dict.fromkeys([*SHIPPED, *sorted({*_REGISTERED, *offered(ENTRY_POINT_GROUP)})]))


def check_reporters(names: Iterable[str], where: str) -> None:
    """Refuse names of reporters that do not exist.

    Parameters
    ----------
    names : iterable of str
    where : str
        What names them, for the message.

    Raises
    ------
    SettingsError
        Naming them and those that are known.
    """
    for name in names:
        if name not in reporter_names():
            raise SettingsError(f"{where}: no reporter '{shown(name)}'; known reporters: {', '.join(reporter_names())}")


def get_reporter(name: str) -> Draw:
    """The function of a reporter.

    Parameters
    ----------
    name : str

    Returns
    -------
    callable
        As `Reporter.draw`.

    Raises
    ------
    SettingsError
        If no reporter has that name (the message lists those that exist), or the package that offers it is broken.
    """
    check_reporters([name], "reporters")
    if name in SHIPPED:
        module, _, function = SHIPPED[name].partition(":")
        return getattr(import_module(module), function)
    if name not in _REGISTERED:
        register_reporter(load_offered(ENTRY_POINT_GROUP, name, "reporter", Reporter))
    return _REGISTERED[name].draw


def reporters_of(study: Study) -> tuple[str, ...]:
    """Names of the reporters of a study, in the order of its report."""
    if study.reporters:
        return tuple(study.reporters)
    experiments = OF_EXPERIMENTS if study.experiments is not None else ()
    explain = OF_EXPLAIN if study.explain is not None else ()
    several = ("inputs",) if len(study.inputs) > 1 else ()
    return (DEFAULT[0], *several, *experiments, *explain, *DEFAULT[1:])

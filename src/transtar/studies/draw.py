"""From the tables of a study on disk to its tables, figures and report; nothing else is read, and nothing is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

import pyarrow.parquet as pq

from ..errors import InputError, TooFew, TranstarError, said
from ..evaluate import read_results
from ..files import atomic_path, write_text
from ..report import Section, write_report
from ..report.page import check_sections
from ..telling import note
from ..version import __version__
from .closing import closing_lines
from .context import Context
from .layout import CLOSING, DRAWN, REPORT, RESULTS, SETTINGS, TYPED_RESULTS, check_out
from .load import load_study
from .reporters import Draw, get_reporter, reporters_of
from .spec import Study

DECISIVE = tuple(
    field.name for field in fields(Study) if field.name not in ("title", "description", "notes", "reporters", "scales")
)
"""Settings of a study that decide its results, and not only how they are shown."""


def draw(studies: Mapping[str, Study], out: Path, say: Callable[[str], None] = note) -> Path:
    """Draw tables and figures from what is on disk, and write report.html.

    Parameters
    ----------
    studies : mapping of str to Study
        The study as 'default', its variants and its experiments.
    out : Path
        Folder with ``results.csv``; what lies beside it is drawn, too, and what needs a file that is not there is left out.
    say : callable
        Told what is left out, and where the files contradict each other.

    Returns
    -------
    Path
        report.html.

    Raises
    ------
    TranstarError
        If ``results.csv`` is missing or damaged, as may be what lies beside it; if a reporter does not exist; or if one
        fails, after all others have drawn and the report is written.
    """
    study = studies["default"]
    names = reporters_of(study)
    reporters = {name: get_reporter(name) for name in names}
    results = read_results(out / RESULTS)
    with atomic_path(out / TYPED_RESULTS) as temporary:
        pq.write_table(results.table, temporary, compression="zstd", write_page_checksum=True)
    context = Context(studies, results, out, names)
    mmd = context.mmd() if study.plane is not None else []
    context.lines.extend(closing_lines(study, results.select(input=context.input), context.predictions, mmd))
    write_text(out / CLOSING, "\n".join(context.lines) + "\n")
    sections: list[Section] = []
    failed: list[TranstarError] = []
    for name, reporter in reporters.items():
        sections += _sections(name, reporter, context, failed)
    for file, what in context.missing.items():
        say(f"{out / file}: not there, or of an older version; left out: {', '.join(dict.fromkeys(what))}")
    for name, why in context.few.items():
        say(f"left out: {name}; {why}")
    for doubt in context.doubts():
        say(doubt)
    write_report(out / REPORT, study.title, sections, study.description, f"transtar {__version__}")
    for error in failed[1:]:
        say(f"left out: {error}")
    if failed:
        raise failed[0]
    return out / REPORT


def _sections(name: str, reporter: Draw, context: Context, failed: list[TranstarError]) -> list[Section]:
    """What one reporter has to show; if it fails the others go on, and the report says what is missing."""
    try:
        made = list(reporter(context.results, context))
        check_sections(made)
        return made
    except TooFew as error:
        return [Section(name, context.too_few(name, error))]
    except TranstarError as error:
        failed.append(error)
    except Exception as error:  # whatever a reporter of somebody else may raise
        failed.append(InputError(f"reporter '{name}' failed ({said(error)}); all else is in {context.out / REPORT}"))
        failed[-1].__cause__ = error
    return [Section(name, [f"Left out: {failed[-1]}."], caveat=True)]


def redraw(
    folder: str | Path,
    studies: Mapping[str, Study] | None = None,
    say: Callable[[str], None] = note,
) -> Path:
    """Draw the tables and figures of a study again from its ``results.csv``, which may have been edited or come from elsewhere.

    Runs, models and prepared sets are not needed. Figures of single stars need ``predictions.parquet``, and the plane needs
    the folder ``stars``; if these are missing, the report says what is left out.

    Parameters
    ----------
    folder : path
        Folder of a study, with ``results.csv`` and the settings that the study has written into ``settings``.
    studies : mapping of str to Study, optional
        As from `load_study`; by default the study in ``settings/default.yaml`` in the folder.
    say : callable, optional
        Called with a line about everything that is left out.

    Returns
    -------
    Path
        report.html.

    Raises
    ------
    TranstarError
        If ``results.csv`` or the settings are missing or damaged, or a file that transtar did not write is in the way.

    Examples
    --------
    >>> import transtar as ts
    >>> ts.redraw("runs/lamost-to-miles")  # doctest: +SKIP
    PosixPath('runs/lamost-to-miles/report.html')
    """
    out = Path(folder)
    check_out(out, [out / RESULTS], DRAWN)
    record = out / SETTINGS / "default.yaml"
    if not record.is_file() and studies is None:
        raise InputError(f"{record}: not found, so it is not known which study this is; give the study file")
    if record.is_file():
        recorded = load_study(str(record))
        studies = studies or recorded
        differing = [
            name for name in DECISIVE if getattr(studies["default"], name) != getattr(recorded["default"], name)
        ]
        if differing:
            say(f"{record}: the study that was run has other {', '.join(differing)}; the report shows those given now")
    return draw(studies or {}, out, say)

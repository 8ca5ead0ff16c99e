"""The report of a study: one HTML page that needs no other file."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from ..errors import InputError
from ..files import write_text


@dataclass(frozen=True)
class FigureFile:
    """A picture of the report.

    Parameters
    ----------
    path : path
        A PNG file, which goes into the page.
    caption : str
        Plain text; it also serves readers who cannot see the picture.
    """

    path: str | os.PathLike
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Parameters
    ----------
    heading : str
    paragraphs : sequence of str
        Plain text.
    tables : sequence of str
        HTML fragments, as from `tables.to_html` and `tables.settings_html`; put in as they are.
    figures : sequence of FigureFile
    caveat : bool
        Set the section apart, as something the reader should not miss.
    """

    heading: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[str] = ()
    figures: Sequence[FigureFile] = field(default=())
    caveat: bool = False


def check_sections(sections: Sequence[Section]) -> None:
    """Refuse what is no section, or cannot be part of a page, as code from outside may give.

    Raises
    ------
    InputError
        If something else than sections stands there, or a figure is missing or is not PNG.
    TypeError
        If a part of a section is of the wrong type.
    """
    for section in sections:
        if not isinstance(section, Section):
            raise InputError(f"{type(section).__name__} in place of a section of a report (transtar.report.Section)")
        for name in ("paragraphs", "tables"):
            texts = getattr(section, name)
            if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
                raise TypeError(f"{name} of section '{section.heading}' must be a list of texts")
        for figure in section.figures:
            _embed(figure.path)


def write_report(
    path: str | os.PathLike, title: str, sections: Sequence[Section], summary: str = "", made_with: str = ""
) -> None:
    """Write a report as one self-contained HTML page.

    Parameters
    ----------
    path : path
    title : str
    sections : sequence of Section
    summary : str
        A few sentences under the title.
    made_with : str
        Program, version and the like, for the foot of the page.

    Raises
    ------
    InputError
        If a figure is missing or is not PNG.
    TranstarError
        If the disk is full; what stood there before is untouched.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files(__package__).joinpath("template.html").read_text(encoding="utf-8"))
    shown = [
        {
            "anchor": f"section-{number}",
            "heading": section.heading,
            "paragraphs": section.paragraphs,
            "tables": section.tables,
            "figures": [{"data": _embed(figure.path), "caption": figure.caption} for figure in section.figures],
            "caveat": section.caveat,
        }
        for number, section in enumerate(sections, 1)
    ]
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    write_text(path, template.render(title=title, summary=summary, sections=shown, made_with=made_with, date=date))


def _embed(path: str | os.PathLike) -> str:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: figure cannot be read ({error.strerror})") from None
    if not content.startswith(b"\x89PNG"):
        raise InputError(f"{path}: not a PNG file; the report embeds PNG only")
    return base64.b64encode(content).decode("ascii")

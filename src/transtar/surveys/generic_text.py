"""One spectrum in a file of text: CSV and the like with or without names, ECSV, VOTable; rows are read as those of any table.

Comment lines that begin with a key (``# medium: vacuum``; frame, unit, id, velocity, star, class, subclass) state the rest, each
to the end of its line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..content import first_bytes, read_bytes, what_else
from ..errors import InputError
from ..tables import Column, ecsv, once, text, votable
from ..telling import tell
from .generic_content import Content
from .generic_header import note
from .generic_lines import check_numbers, mended_layout
from .generic_names import assign, listed, role
from .stated import PIXEL_ROLES, Stated

_KEY = re.compile(r"#+\s*(medium|frame|unit|id|velocity|star|class|subclass)\s*[:=]\s*(.*)", re.IGNORECASE)
HOW = "add a line '# medium: vacuum' (or air) at its top"


def parse_text(path: Path, stated: Stated) -> Content:
    """Read one spectrum from delimited text or ECSV.

    Raises
    ------
    InputError
        If nobody can tell which column is which, a row has another number of values, or one is no number.
    """
    start = first_bytes(path, 1 << 16).removeprefix(b"\xef\xbb\xbf")
    other = what_else(start)
    if other is not None:
        raise InputError(f"{path}: no spectrum; it seems to be {other}")
    whole = read_bytes(path)
    content = Content(str(path), {}, how=HOW)
    if start.startswith(ecsv.MAGIC):
        layout = ecsv.read_layout(path)
        note(content, _meta(whole, str(path)), "the ECSV header")
    else:
        comments = [_decode(line).strip() for line in re.findall(rb"(?m)^#[^\n]*", whole.removeprefix(b"\xef\xbb\xbf"))]
        layout = text.read_layout(path, nameless=True)
        _note_comments(content, comments)
        layout = _named(mended_layout(layout, whole, path, stated.columns), comments, path, stated)
    layout = _encoded(layout, whole)
    names = once(layout.names)
    roles = assign(names, str(path), {k: v for k, v in stated.columns.items()})
    masks = {name: f"{name}.mask" for name in roles.values() if f"{name}.mask" in names}
    wanted = list(dict.fromkeys([*roles.values(), *masks.values()]))
    numbers = [name for what, name in roles.items() if what in PIXEL_ROLES and what != "mask"]
    rows: Any = text.read_rows(path, layout, wanted, names, numbers) if wanted else None
    units = dict(zip(names, [layout.units.get(name, "") for name in layout.names], strict=True))
    for name in names:
        content.columns[name] = _column(path, name, None if name not in wanted else rows.column(name), units[name])
    check_numbers(content.columns, numbers, layout, whole, path)
    for name, mask in masks.items():
        content.columns[name] = _hidden(content.columns[name], content.columns.pop(mask))
    if rows is not None and not rows.num_rows:
        raise InputError(f"{path}: no data rows; {listed(names)}")
    _check_end(content, roles, whole, path)
    return content


def parse_votable(path: Path) -> Content:
    """Read one spectrum from a VOTable; its PARAMs and INFOs can say what holds for all of it."""
    parsed, whole = votable.parse_votable(path)
    table = votable.first_table(path, whole)
    names, units, columns, _ = votable.columns_of(parsed, whole, table)
    content = Content(str(path), {}, how="add a PARAM 'medium' of vacuum (or air) to its table")
    statements = [(one, "PARAM") for one in table.params] + [(one, "INFO") for one in table.infos]
    for one, kind in statements:
        value = "" if np.ma.is_masked(one.value) else one.value
        note(content, {str(one.name or one.ID): value}, f"a {kind}", foreign=True)
    for name, unit, (values, gone) in zip(once(names), units, columns, strict=True):
        content.columns[name] = Column(values, gone, unit, name, f"{path}: column {name}")
    return content


def _column(path: Path, name: str, values: Any, unit: str) -> Column:
    import pyarrow as pa

    where = f"{path}: column {name}"
    if values is None:
        # Not asked for; only its name counts.
        return Column(np.empty(0), None, unit, name, where)
    if values.type == pa.float64():
        return Column(values.to_numpy(), values.is_null().to_numpy(), unit, name, where)
    return Column(values, None, unit, name, where, untyped=True)


def _hidden(column: Column, mask: Column) -> Column:
    """A column without what astropy's mask, a column of its own, marks."""
    return replace(column, gone=column.missing | mask.truths())


def _note_comments(content: Content, comments: list[str]) -> None:
    for comment in comments:
        match = _KEY.fullmatch(comment)
        if match:
            value = match[2].strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            key = match[1].lower()
            content.say(key, value.lower() if key in ("medium", "frame") else value, f"a comment '{key}'")


def _named(layout: text.Layout, comments: list[str], path: Path, stated: Stated) -> text.Layout:
    """Names for columns that have none in the first line: of a comment, as numpy and TOPCAT write them, or by what is usual."""
    if layout.names != tuple(str(n) for n in range(1, len(layout.names) + 1)):
        return layout
    for comment in reversed(comments):
        if not _KEY.fullmatch(comment):
            # Names may have blanks between them, whatever separates the numbers.
            for separator in dict.fromkeys((layout.separator, ",", " ")):
                names = text.split_line(comment.lstrip("#").strip(), separator)
                roles = {role(name) for name in names}
                if len(names) == len(layout.names) and "flux" in roles and {"wave", "loglam"} & roles:
                    return replace(layout, names=tuple(names))
    if {"wave", "loglam", "flux"} & set(stated.columns):
        return layout
    if len(layout.names) == 2:
        tell("text of two columns without names: the first is taken for the wavelength, the second for the flux")
        return replace(layout, names=("wave", "flux"))
    raise InputError(
        f"{path}: its {len(layout.names)} columns have no names; begin with a line such as 'wave,flux,ivar', or say which is "
        "which: --columns wave=1 flux=2 error=3"
    )


def _check_end(content: Content, roles: Mapping[str, str], whole: bytes, path: Path) -> None:
    """Without a line feed at its end the last row may be cut short within a number: its pixel is masked, and that is told."""
    if whole.endswith((b"\n", b"\r")) or "flux" not in roles:
        return
    column = content.columns[roles["flux"]]
    gone = np.zeros(len(column), bool) if column.gone is None else np.array(column.gone)
    gone[-1] = True
    content.columns[roles["flux"]] = replace(column, data=np.where(gone, np.nan, column.numbers("")), gone=gone)
    tell(f"{path}: no line feed ends the last row, which may be cut short; its pixel is masked")


def _meta(whole: bytes, where: str) -> dict[str, Any]:
    lines = [line for line in whole.removeprefix(b"\xef\xbb\xbf").splitlines() if line.startswith(b"#")]
    header = ecsv.parse_header(b"\n".join(line[1:].removeprefix(b" ") for line in lines), where)
    meta = header.get("meta") or {}
    # Ordered mappings are lists of one pair each.
    pairs: list[tuple[Any, Any]] = []
    for part in meta if isinstance(meta, list) else [meta]:
        pairs += part.items() if isinstance(part, dict) else [part] if isinstance(part, tuple) else []
    return {str(key): value for key, value in pairs}


def _encoded(layout: text.Layout, whole: bytes) -> text.Layout:
    """With the encoding that all rows have, not the first alone; comments do not matter."""
    for content in (lambda: whole, lambda: re.sub(rb"(?m)^#[^\n]*", b"", whole)):
        try:
            content().decode("utf-8")
        except UnicodeDecodeError:
            continue
        return layout
    return replace(layout, encoding="latin-1")


def _decode(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")

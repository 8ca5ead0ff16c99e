"""What a model of [alpha/Fe] knows of the abundance of one element in real stars."""

from __future__ import annotations

import csv
import io

from ...evaluate import Results
from ...files import write_text
from ...glossary import plain
from ...report import Section, rows_html
from ..context import Context

COLUMNS = ("quantity", "value", "low", "high")


def element(results: Results, context: Context) -> list[Section]:
    """Write ``tables/element.csv`` and show it."""
    check = context.study.element
    if check is None:
        return []
    name = plain(check.column)
    heading = f"{name} against {check.model}"
    if why := context.record.get("too_few", {}).get("element"):
        return [Section(heading, context.too_few("element", why))]
    if "element" not in context.record:
        return [Section(heading, context.left_out("study.json", f"the comparison with {name}"))]
    rows, n_stars = context.record["element"], context.record["element_stars"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for what, *values in rows:
        writer.writerow([what, *("" if value is None else f"{value:.4f}" for value in values)])
    write_text(context.out / "tables" / "element.csv", text.getvalue())
    shown = [
        [what, f"{value:.3f}" + ("" if low is None else f" ({low:.3f} to {high:.3f})")]
        for what, value, low, high in rows
    ]
    caption = f"{name} of {n_stars} stars of {context.study.target.survey}; in brackets 95 % of bootstrap samples"
    paragraph = (
        f"[alpha/Fe] as {check.model} predicts it is that of O, Ne, Mg, Si, S, Ar, Ca and Ti together, and is not "
        f"renamed: it is compared with {name} as a tracer. In the Galaxy {name} falls with [Fe/H], so that a good rank "
        "correlation proves little: what counts is what the model knows beyond [Fe/H] and Teff. All scatters are of stars "
        "that the fits have not seen."
    )
    return [Section(heading, [paragraph], [rows_html(["", caption], shown, caption)])]

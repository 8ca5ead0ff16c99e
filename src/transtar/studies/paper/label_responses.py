"""The question of the paper's Appendix B: whether one network of several labels tells them apart better than one for each."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from ...explain.response import PhysicalTest, Response
from ...explain.saliency import Saliency
from ...explain.stored_results import SALIENCY, read_saliency, read_test
from ...files import write_text
from ...glossary import plain
from ...report import Section, rows_html
from ...report.latex import table as latex_table
from ...simulate.mocks.moved import STEPS
from ..context import Context
from .label_figure import in_label_order, in_steps, label_responses_figure

NAME, HEADING = "response-matrix", "One network, or one for each label"

COLUMNS = ("network", "regime", "label", "moved", "mean", "scatter", "in_steps", "n_stars")


def label_responses(context: Context) -> list[Section]:
    """Write ``response-matrix``, table and figure: how networks answer to each label, and their gradients at known lines."""
    wanted = context.study.explain
    if wanted is None or not wanted.labels:
        return []
    place = context.record.get("responses")
    if place is None:
        return [] if context.record else [Section(HEADING, context.left_out("study.json", NAME))]
    folders = [context.out / place / label for label in wanted.labels]
    if absent := [folder for folder in folders if not (folder / SALIENCY).is_file()]:
        return [Section(HEADING, context.left_out(str(absent[0].relative_to(context.out) / SALIENCY), NAME))]
    tests: list[PhysicalTest] = [read_test(folder) for folder in folders]
    gradients: list[Saliency] = [read_saliency(folder) for folder in folders]
    responses = [one for test in tests for one in test.responses]
    write_responses(responses, context.out / "tables" / f"{NAME}.csv")
    seed = f"seed {context.study.seeds[0]}"
    caption = (
        "Change of a predicted label (rows) when one true label (columns) of synthetic spectra changes by a step "
        f"({_steps()}), in steps of the predicted label: mean over {tests[0].n_stars} stars, {seed}. Ideal are 1 on the "
        "diagonal and 0 elsewhere."
    )
    _write_tex(responses, context.out / "tables" / f"{NAME}.tex", caption)
    paragraphs = [
        "The paper supposes that a network that learns Teff, log g and abundances together would lean less on what merely goes "
        "with [Fe/H] (Appendix B). Here networks of one label each ('alone') stand beside one of all ('together'), as they come "
        "from the source survey (zero-shot) and fine-tuned with all weights (full)."
    ]
    shown = gradients[0]
    drawn = (
        f"Above: the response matrices, of all stars. Below: mean gradients of the fine-tuned networks, {seed}, with their sign, "
        f"of {shown.n_stars} test stars ({shown.stars}) at known lines, and the weights of the unbiased linear estimator of "
        "least variance (dotted)."
    )
    figure = context.figure(label_responses_figure(responses, gradients, tests), NAME, drawn)
    return [Section(HEADING, paragraphs, [_html(responses, caption)], [figure])]


def write_responses(responses: Sequence[Response], path: Path) -> None:
    """Write all responses as CSV: per dex, or per 100 K, of the moved label, and in steps."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in responses:
        values = (f"{value:.6f}" for value in (one.mean, one.scatter, in_steps(one)))
        writer.writerow([one.model, one.regime, one.label, one.moved, *values, one.n_stars])
    write_text(path, text.getvalue())


def matrix(responses: Sequence[Response], network: str, regime: str) -> dict[tuple[str, str], Response]:
    """Responses of one network in one regime, by label predicted and label moved; none where the regime has too few stars."""
    return {(one.label, one.moved): one for one in responses if (one.model, one.regime) == (network, regime)}


def _blocks(responses: Sequence[Response]) -> list[tuple[str, str, dict[tuple[str, str], Response]]]:
    keys = dict.fromkeys((one.regime, one.model) for one in responses)
    return [
        (network, regime, matrix(responses, network, regime)) for regime, network in sorted(keys, key=_regime_first)
    ]


def _regime_first(key: tuple[str, str]) -> int:
    return ("all", "poor", "rich").index(key[0]) if key[0] in ("all", "poor", "rich") else 3


def _rows(cells: dict[tuple[str, str], Response], minus: str) -> list[list[str]]:
    labels = list(dict.fromkeys(label for label, _ in cells))
    moved = in_label_order({name for _, name in cells}, labels)
    return [
        [
            plain(label),
            *(f"{in_steps(cells[label, name]):.2f}".replace("-0.00", "0.00").replace("-", minus) for name in moved),
        ]
        for label in labels
    ]


def _moved(responses: Sequence[Response]) -> list[str]:
    return in_label_order({one.moved for one in responses}, list(dict.fromkeys(one.label for one in responses)))


def _html(responses: Sequence[Response], caption: str) -> str:
    body = [[network, regime, *row] for network, regime, cells in _blocks(responses) for row in _rows(cells, "−")]
    moved = _moved(responses)
    return rows_html(["network", "stars", "predicted", *(plain(name) for name in moved)], body, caption)


def _write_tex(responses: Sequence[Response], path: Path, caption: str) -> None:
    blocks = [
        (f"{network}; {regime} stars", [[row[0], *(f"${cell}$" for cell in row[1:])] for row in _rows(cells, "-")])
        for network, regime, cells in _blocks(responses)
    ]
    heads = ["", *(_tex_name(name) for name in _moved(responses))]
    write_text(path, "\n".join(latex_table(heads, blocks, caption, f"tab:{NAME}")) + "\n")


def _tex_name(label: str) -> str:
    return {"teff": r"$T_\mathrm{eff}$", "logg": r"$\log g$", "feh": "{[Fe/H]}", "alphafe": r"{[$\alpha$/Fe]}"}[label]


def _steps() -> str:
    units = {"teff": " K", "logg": ""}
    return ", ".join(f"{step:g}{units.get(name, ' dex')} in {plain(name)}" for name, step in STEPS.items())

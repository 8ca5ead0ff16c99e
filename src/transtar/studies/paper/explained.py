"""Figures 5 and B6, and the responses to single labels, from what is stored of a study's networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...evaluate import Results, select
from ...explain import read_landscapes, summary_rows
from ...explain.lines import read_lines
from ...explain.saliency import Saliency
from ...explain.stored_results import RESPONSE, SALIENCY, read_saliency, read_test, shares
from ...glossary import plain
from ...preprocess import Preprocessing
from ...report import Section, draw_landscapes, in_order, rows_html
from ...report.response_figure import response_matrix
from ...report.saliency_figure import saliency_maps
from ..context import Context
from ..explaining import FEWEST, LANDSCAPES
from ..reporters.formatting import which_seed
from .label_responses import label_responses


def _folder(context: Context, heading: str, file: str, *names: str) -> tuple[Path | None, list[Section]]:
    """Where the landscapes and gradients are; or, where there are none, what the report says instead."""
    known, wanted = context.record.get("explained"), context.study.explain
    if known is None and context.record:
        return None, []
    if known is None or wanted is None:
        return None, [Section(heading, context.left_out("study.json", *names))]
    if known["n_stars"] < FEWEST:
        few = f"{known['n_stars']} test stars of the regime '{wanted.regime}' are too few to look at networks by."
        # Said once for both.
        told = file != LANDSCAPES and "landscape" in context.reporters
        return None, [] if told else [Section("Loss landscapes and gradients", [few])]
    folder = context.out / known["folder"]
    if not (folder / file).is_file():
        return None, [Section(heading, context.left_out(f"{known['folder']}/{file}", *names))]
    return folder, []


def landscape(results: Results, context: Context) -> list[Section]:
    """Figure 5, and the losses in and around the fine-tuned weights of each strategy."""
    wanted = context.study.explain
    if wanted is None:
        return []
    folder, sections = _folder(context, "Loss landscapes", LANDSCAPES, "figure-5")
    if folder is None:
        return sections
    by_strategy = read_landscapes(folder / LANDSCAPES)
    drawn = {name: by_strategy[name] for name in in_order(list(by_strategy)) if name != "scratch"}
    any_one = next(iter(by_strategy.values()))
    caption = (
        f"Figure 5. Loss (mean squared error of {plain(any_one.label)}, logarithmic) of {any_one.n_stars} {wanted.regime} test "
        f"stars, {which_seed(context.study)}, over a random plane through the fine-tuned weights of each strategy; star: "
        "minimum; the centre is the fine-tuned network."
    )
    figure = context.figure(draw_landscapes(drawn), "figure-5", caption)
    rows = summary_rows(by_strategy)
    header = [
        "",
        "loss at the centre",
        "of zero-shot",
        "lowest loss (over planes)",
        "its distance",
        "planes with it on the edge",
    ]
    body = []
    for name in in_order(list(by_strategy)):
        planes = select(rows, model=name)
        lowest, distance = ([row[key] for row in planes] for key in ("minimum_loss", "distance"))
        zero = planes[0]["zero_shot_loss"]
        body.append(
            [
                name, f"{planes[0]['centre_loss']:.4f}", "–" if zero is None or not np.isfinite(zero) else f"{zero:.4f}",
                _range(lowest, 4), _range(distance, 2), f"{sum(bool(row['on_edge']) for row in planes)} of {len(planes)}",
            ]
        )  # fmt: skip
    paragraphs = [
        "Only the weights that were fine-tuned move: the head's, LoRA's two factors, or all; biases stay. Each plane is spanned "
        "by two random directions whose filters have the length of those of the weights (Li et al. 2018): alpha = 1 adds to each "
        "filter a random vector as long as itself. The paper's text centres on the pre-trained weights; around an adapter that "
        "is zero at its start the surface is flat, and so the centre here is the fine-tuned network.",
        "A minimum away from the centre means that weights other than those found with the fine-tuning stars "
        "would have been better for these stars. All networks are those of one "
        f"seed, {context.study.seeds[0]}.",
    ]
    table = rows_html(header, body, f"Losses in {rows[0]['unit']}^2; distances in units of alpha and beta.")
    return [Section("Loss landscapes", paragraphs, [table], [figure])]


def _range(values: Sequence[float], digits: int) -> str:
    low, high = min(values), max(values)
    return f"{low:.{digits}f}" + (f" to {high:.{digits}f}" if high > low else "")


def gradients(results: Results, context: Context) -> list[Section]:
    """Figure B6, the shares of the elements in it, and the responses of the networks to single labels."""
    if context.study.explain is None:
        return []
    folder, sections = _folder(context, "What the networks look at", SALIENCY, "figure-b6", "response")
    if folder is None:
        return [*sections, *label_responses(context)]
    saliency = read_saliency(folder)
    test = read_test(folder) if (folder / RESPONSE).is_file() else None
    frame, seed = Preprocessing.from_dict(context.study.preprocessing).frame, which_seed(context.study)
    weights = None if test is None else test.weights.get(saliency.stars)
    beside = ""
    if weights is not None:
        beside = " beside the weights of the unbiased linear estimator of least variance"
    caption = (
        f"Figure B6. Normalised spectra of {saliency.n_stars} {saliency.stars} test stars in the {frame} frame, {seed}, the "
        f"absolute gradient of {plain(saliency.label)} with respect to them (median and 1 sigma), and windows with every "
        f"strategy; below, mean signed gradients{beside}."
    )
    figures = [context.figure(saliency_maps(saliency, read_lines(), weights=weights), "figure-b6", caption)]
    tables = [_shares_html(saliency)]
    paragraphs = [
        "The gradient shows what would change the label, not what did change it: where stars do not differ "
        "it is arbitrary. 'Effect' weights it by how much the flux of these stars varies."
    ]
    if test is not None and test.responses:
        figures.append(
            context.figure(
                response_matrix(test.responses),
                "response",
                f"Response of the predicted {plain(saliency.label)} to one label of synthetic spectra at a time, {test.n_stars} "
                f"stars, {seed}, those of other regimes than the metal-poor ones a random sample: a perfect network has 1 "
                "for its own label and 0 for all others.",
            )
        )
        paragraphs.append(
            "The physical test changes one label of synthetic spectra at a time, passes them through the "
            "same preprocessing, and measures the response of the network: one that responds to Teff or "
            "[alpha/Fe] infers its label from quantities that usually correlate with it."
        )
    return [Section("What the networks look at", paragraphs, tables, figures), *label_responses(context)]


def _shares_html(saliency: Saliency) -> str:
    by_model = shares(saliency, read_lines())
    names = in_order(list(by_model))
    elements = [one.name for one in by_model[names[0]] if one.kind == "element"]
    rows = []
    for element in elements:
        of_element = [
            next(one for one in by_model[name] if (one.kind, one.name) == ("element", element)) for name in names
        ]
        values = [f"{one.share:.3f} / {one.effect:.3f}" for one in of_element]
        rows.append([element, f"{of_element[0].chance:.3f}", *values])
    rows.sort(key=lambda row: -float(row[2].split(" / ")[1]))
    header = ["near lines of", "share of pixels", *names]
    return rows_html(header, rows, "Share of the absolute gradient / of its effect near the lines of each element.")

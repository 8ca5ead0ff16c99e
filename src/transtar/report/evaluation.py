"""Tables and the one-to-one figure of an evaluated catalog."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..evaluate import Evaluation
from ..evaluate.metrics import METRICS
from ..evaluate.regimes import ALWAYS
from ..files import write_text
from ..glossary import COLUMNS, decimals, plain
from ..rounding import with_error
from ..telling import tell
from . import latex
from .figures import Panel, one_to_one
from .style import save

FIGURE = "one-to-one"

EVALUATION_FILES = ("scores.csv", "scores.tex", "noise.csv", f"{FIGURE}.pdf", f"{FIGURE}.png")
"""What `write_evaluation` writes."""

PREDICTION = "prediction"
"""Name of what is scored, among the null models."""

SCORES = ("n", "n_clipped", "r2", "r2_err", *(name for name in METRICS if name != "r2"))
WITHIN = ("within_err", "within_95")
NOISE = ("sigma", "sigma_err", "variance", "variance_err", "negative")
MEMBERS = ("reference", "second", "predicted")

_HEADS = {"n": "$N$", "n_clipped": "clipped", "r2": "$R^2$", "sigma": r"$\sigma$"}


def write_evaluation(evaluation: Evaluation, out: str | Path) -> list[Path]:
    """Write ``scores.csv``, ``noise.csv``, ``scores.tex`` and the figure ``one-to-one`` (PDF, PNG) into a folder.

    Parameters
    ----------
    evaluation : Evaluation
        As from `transtar.evaluate.evaluate_catalog` or `evaluate_files`.
    out : path
        Made if missing. Each file appears whole, or not at all.

    Returns
    -------
    list of Path
        The files. The figure is missing where no star was scored, which is told.

    Raises
    ------
    InputError
        If a file of another origin stands there.
    TranstarError
        If the disk is full; older files stay.
    """
    out = Path(out)
    texts = {
        "scores.csv": scores_csv(evaluation),
        "scores.tex": scores_latex(evaluation),
        # Written without rows as well: one of an earlier evaluation must not be taken for this one's.
        "noise.csv": noise_csv(evaluation),
    }
    for name, text in texts.items():
        write_text(out / name, text)
    written = [out / name for name in texts]
    panels = [
        Panel("", label, stars.reference, stars.predicted, evaluation.metrics[label]["all"], stars.poor)
        for label, stars in evaluation.stars.items()
        if len(stars.reference)
    ]
    if not panels:
        tell(f"{out / FIGURE}: not drawn, for no star was scored")
        return written
    return [*written, *save(one_to_one(panels), out, FIGURE).values()]


def _rows(evaluation: Evaluation) -> Iterable[tuple[str, str, str, Mapping[str, float]]]:
    """Label, model, regime and scores: the prediction, then the null models."""
    for label, scores in evaluation.metrics.items():
        for model, regimes in {PREDICTION: scores, **evaluation.nulls.get(label, {})}.items():
            for regime, row in regimes.items():
                yield label, model, regime, row


def scores_csv(evaluation: Evaluation) -> str:
    """One line for each label, model (`PREDICTION` or a null model) and regime; what is no number is empty."""
    return _csv(
        ("label", "model", "regime", *SCORES, *WITHIN),
        (
            (label, model, regime, *(row[name] for name in SCORES), *_within(evaluation, label, model, regime))
            for label, model, regime, row in _rows(evaluation)
        ),
    )


def _within(evaluation: Evaluation, label: str, model: str, regime: str) -> tuple[float, float]:
    """Shares of stars within the stated error; NaN for null models, which state none."""
    _, once, twice = evaluation.coverage.get(label, {}).get(regime, (0, math.nan, math.nan))
    return (once, twice) if model == PREDICTION else (math.nan, math.nan)


def noise_csv(evaluation: Evaluation) -> str:
    """One line for each label and each of its three corners; only the head without a second catalog."""
    return _csv(
        ("label", "of", "n", "n_clipped", *NOISE),
        (
            (label, name, noise.n, noise.n_clipped, *(getattr(getattr(noise, name), one) for one in NOISE))
            for label, noise in evaluation.noise.items()
            for name in MEMBERS
        ),
    )


def _csv(head: Iterable[str], rows: Iterable[Iterable]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([_plain(value) for value in row])
    return text.getvalue()


def _plain(value) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.6g}" if math.isfinite(value) else ""


def scores_latex(evaluation: Evaluation) -> str:
    """Tables for a paper, with captions and labels; they need the package booktabs.

    One of each label (``tab:scores-feh``) has the scores of the prediction, and those of the null models for all, metal-poor and
    metal-rich stars; ``tab:noise`` is there if there is a second catalog of labels.
    """
    metrics = [name for name in METRICS if name != "r2"]
    heads = ["stars", *(_HEADS.get(name, name) for name in ("n", "n_clipped", "r2", *metrics))]
    lines = [r"% needs \usepackage{booktabs}"]
    for label in evaluation.metrics:
        rows = [
            [
                regime if model == PREDICTION else f"{model}, {regime}",
                *(str(row[name]) for name in ("n", "n_clipped")),
                with_error(row["r2"], row["r2_err"], tex=True),
                *(_number(row[name], decimals(label), signed=name == "bias") for name in metrics),
            ]
            for of, model, regime, row in _rows(evaluation)
            # Null models of all kinds of stars would fill the page; scores.csv has them.
            if of == label and (model == PREDICTION or regime in ALWAYS)
        ]
        caption = _scores_caption(label, evaluation.nulls.get(label, {}))
        lines += [*latex.table(heads, [(_title(label), rows)], caption, f"tab:scores-{label}"), ""]
    blocks = [
        (
            _title(label),
            [[name, str(noise.n - noise.n_clipped), _noise(getattr(noise, name), decimals(label))] for name in MEMBERS],
        )
        for label, noise in evaluation.noise.items()
    ]
    if blocks:
        lines += [*latex.table(["labels", "$N$", r"$\sigma$"], blocks, NOISE_CAPTION, "tab:noise"), ""]
    return "\n".join(lines)


NOISE_CAPTION = (
    "Noise of the reference labels, of a second catalog and of the prediction by the three-cornered hat, with bootstrap errors. "
    "The errors of the three are assumed to be independent; N is the number of stars left by a clip at 3 sigma in all three "
    "differences."
)


def _scores_caption(label: str, nulls: Iterable[str]) -> str:
    names = " and the ".join(nulls)
    beside = f", beside null models (the {names} of the reference labels)" if names else ""
    return (
        f"Predicted against reference {plain(label)}{beside}. R2 has bootstrap errors; sigma is the standard deviation of "
        "predicted minus reference after a clip at 3 sigma about the median, which removed the stars counted as clipped; bias is "
        "the mean of predicted minus reference, of all stars."
    )


def _title(label: str) -> str:
    unit = COLUMNS[label].unit if label in COLUMNS else ""
    return f"{plain(label)} ({unit})" if unit else plain(label)


def _number(value: float, digits: int, signed: bool = False) -> str:
    # What rounds to zero has no sign.
    return f"${round(value, digits) + 0.0:{'+' if signed else ''}.{digits}f}$" if math.isfinite(value) else "--"


def _noise(noise, digits: int) -> str:
    if noise.variance < 0:
        return f"negative variance ({with_error(noise.variance, noise.variance_err, 2 * digits, tex=True)})"
    return with_error(noise.sigma, noise.sigma_err, digits, tex=True)

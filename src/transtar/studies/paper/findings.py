"""What the results say, in words: which strategy is best where, and what the numbers cannot tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...evaluate import Results, regimes
from ...evaluate.regimes import MIN_STARS
from ...glossary import plain
from ...report import Section, rows_html
from ...rounding import with_error
from ...train import null_models
from ..by_input import FLUX
from ..context import Context
from ..paired import Scored, on_common_stars, score, score_strategies, usable
from ..pipeline import PIPELINE
from ..predictions import Predicted, select
from ..spec import Study, adapters

REGIMES = {"all": "all test stars", "poor": "metal-poor stars", "rich": "metal-rich stars"}
ADAPTERS = ("residual", "lora", "full")
NO_FOUNDATION_MODEL = (FLUX, "pca", "random", "through")
"""Inputs that are no embeddings of a network that learnt without labels."""

TRAINED = (*ADAPTERS, "zero-shot", "scratch")
"""Rows of the paper's Table 1, which alone compete; the null models are named where they are no worse."""


@dataclass(frozen=True)
class Ranking:
    """The strategies of one label in one regime.

    Parameters
    ----------
    label, regime : str
    scored : dict of str to Scored
        By strategy.
    best : str
        Highest mean R2 of `TRAINED`.
    n_stars : int
    tied : list of str
        Others of them that are not told apart from it: their paired difference is within two standard errors (stars and seeds
        together), or within what the seeds alone scatter.
    """

    label: str
    regime: str
    scored: dict[str, Scored]
    best: str
    n_stars: int
    tied: list[str]


def apart(one: Scored, other: Scored) -> bool:
    """Whether a difference of mean R2 exceeds two standard errors, over stars and seeds, and the scatter over seeds."""
    gain, error = one.minus(other)
    return abs(gain) > 2 * error and one.over_seeds(other)


def rank(predictions: Iterable[Predicted], label: str, regime: str, size: int) -> Ranking | None:
    """Rank the strategies of one label at one number of fine-tuning stars.

    None where fewer than two can be scored, or the regime has fewer than `MIN_STARS` stars.
    """
    of_label = select(predictions, label=label, n_finetune=(0, size), strategy=(*TRAINED, *null_models()))
    n_stars = int(regimes(of_label[0].reference, 0)[regime].sum()) if of_label else 0
    if n_stars < MIN_STARS:
        return None
    scored = {name: one for name, one in score_strategies(of_label, regime).items() if np.isfinite(one.r2).all()}
    competing = [name for name in TRAINED if name in scored]
    if len(competing) < 2:
        return None
    best = max(competing, key=lambda name: scored[name].r2.mean())
    tied = [name for name in competing if name != best and not apart(scored[best], scored[name])]
    return Ranking(label, regime, scored, best, n_stars, tied)


def sentences(ranking: Ranking) -> str:
    """One regime of one label in a sentence or two."""
    scored, best = ranking.scored, ranking.best
    top = scored[best]
    which = f"{REGIMES[ranking.regime]} ({ranking.n_stars})"
    text = f"{plain(ranking.label)}, {which}: {best} has the highest R2, {with_error(top.r2.mean(), top.error)}"
    worse = [name for name in TRAINED if name in scored and name not in (best, *ranking.tied)]
    if worse:
        text += f"; significantly lower: {_gaps(scored, best, worse)}"
    if ranking.tied:
        text += f"; not significantly lower: {_gaps(scored, best, ranking.tied)}"
    text += ". "
    if len(top.r2) < 2:
        text += "One seed only: nothing is known of the scatter over seeds. "
    rivals = [name for name in null_models() if name in scored and not _beats(scored[best], scored[name])]
    if rivals:
        text += (
            f"Not significantly above the null model{'s' if len(rivals) > 1 else ''} {_gaps(scored, best, rivals)}. "
        )
    return text.strip()


def _beats(one: Scored, other: Scored) -> bool:
    return one.r2.mean() > other.r2.mean() and apart(one, other)


def _gaps(scored: dict[str, Scored], best: str, names: Sequence[str]) -> str:
    return ", ".join(f"{name} by {with_error(*scored[best].minus(scored[name]))}" for name in names)


def readings(study: Study, predictions: list[Predicted]) -> list[str]:
    """Sentences on every label and regime at the study's largest number of fine-tuning stars."""
    size = max(study.sizes, default=0)
    labels = list(dict.fromkeys(one.label for one in predictions))
    rankings = {(label, regime): rank(predictions, label, regime, size) for label in labels for regime in REGIMES}
    few = f"too few stars (fewer than {MIN_STARS}) or strategies to compare."
    return [
        f"{plain(label)}, {REGIMES[regime]}: {few}" if ranking is None else sentences(ranking)
        for (label, regime), ranking in rankings.items()
    ]


def findings(
    study: Study, predictions: list[Predicted], of_all_inputs: list[Predicted] | None = None
) -> list[tuple[str, str, str]]:
    """The paper's three findings beside ours: what it says, what these results say, and a verdict.

    Parameters
    ----------
    study : Study
    predictions : list of Predicted
        Of the target's test stars, by the study itself from its first input.
    of_all_inputs : list of Predicted, optional
        The same from all inputs.

    Returns
    -------
    list of (str, str, str)
    """
    size = max(study.sizes, default=0)
    rankings = {
        (label, regime): rank(predictions, label, regime, size) for label in ("feh", "alphafe") for regime in REGIMES
    }
    known = {key: ranking for key, ranking in rankings.items() if ranking is not None}
    return [_first(study, predictions, known), _second(study, of_all_inputs or predictions), *_third(known)]


def _first(study: Study, predictions: list[Predicted], known: dict[tuple[str, str], Ranking]) -> tuple[str, str, str]:
    claim = (
        "Pre-trained networks agree better with APOGEE than networks from scratch and than DESI's pipeline, even without "
        "fine-tuning; some 2,000 stars improve them further."
    )
    differences: list[str] = []
    holds: list[bool] = []
    against: list[bool] = []

    def compare(label: str, one: str, other: str, scored: dict[str, Scored]) -> None:
        differences.append(f"{plain(label)}, {one} minus {other} {with_error(*scored[one].minus(scored[other]))}")
        holds.append(_beats(scored[one], scored[other]))
        against.append(_beats(scored[other], scored[one]))

    for (label, regime), ranking in known.items():
        scored = ranking.scored
        if regime != "all" or not {"zero-shot", "scratch"} <= set(scored):
            continue
        compare(label, "zero-shot", "scratch", scored)
        adapters = [name for name in ADAPTERS if name in scored]
        if adapters:
            compare(label, max(adapters, key=lambda name: scored[name].r2.mean()), "zero-shot", scored)
        of_pipeline = select(predictions, label=label, strategy=PIPELINE)
        if of_pipeline and study.simulate is None:
            # One set of labels has no seeds: it is told apart by its stars alone.
            pipeline = score_strategies(of_pipeline)[PIPELINE]
            gain, error = scored["zero-shot"].minus(pipeline)
            differences.append(f"{plain(label)}, zero-shot minus the survey's pipeline {with_error(gain, error)}")
            holds.append(gain > 2 * error)
            against.append(gain < -2 * error)
    if study.simulate is not None and select(predictions, strategy=PIPELINE):
        differences.append("the pipeline is simulated here, and is not compared")
    return claim, "; ".join(differences) + ".", _verdict(holds, against)


def _second(study: Study, predictions: list[Predicted]) -> tuple[str, str, str]:
    """By the adapter of each label, embeddings against the flux, on stars that both predict."""
    claim = (
        "Embeddings of spectral foundation models help [Fe/H] of metal-rich stars, harm that of metal-poor ones, and do not help "
        "[alpha/Fe]."
    )
    inputs = list(dict.fromkeys(one.input for one in predictions))
    embeddings = [name for name in inputs if name not in NO_FOUNDATION_MODEL]
    if FLUX not in inputs or not embeddings:
        return claim, "No input but the spectra themselves is an embedding of that kind.", "not tested"
    size = max(study.sizes, default=0)
    texts: list[str] = []
    holds: list[bool] = []
    against: list[bool] = []
    for label, regime, helps in (("feh", "rich", True), ("feh", "poor", False), ("alphafe", "all", False)):
        strategy = adapters(study, size).get(label, "")
        by_input = {
            name: select(predictions, label=label, strategy=strategy, n_finetune=size, input=name) for name in inputs
        }
        gaps = []
        for name in embeddings:
            pair = on_common_stars(by_input[name], by_input[FLUX])
            if not pair[0] or (usable(pair[0][0]) & regimes(pair[0][0].reference, 0)[regime]).sum() < MIN_STARS:
                continue
            one, flux = (score(members, regime) for members in pair)
            gaps.append(f"{name} {with_error(*one.minus(flux))}")
            better, worse = _beats(one, flux), _beats(flux, one)
            holds.append(better if helps else worse if label == "feh" else not better)
            against.append(worse if helps else better)
        if gaps:
            texts.append(f"{plain(label)} of {REGIMES[regime]} by {strategy}, minus flux: {', '.join(gaps)}")
    ours = "; ".join(texts) + "." if texts else "Too few stars."
    return claim, ours, _verdict(holds, against)


def _third(known: dict[tuple[str, str], Ranking]) -> list[tuple[str, str, str]]:
    claims = (
        ("feh", "poor", "residual", "The residual head is the best adapter for [Fe/H] of metal-poor stars."),
        ("alphafe", "all", "lora", "LoRA is the best adapter for [alpha/Fe]."),
    )
    rows = []
    for label, regime, claimed, claim in claims:
        ranking = known.get((label, regime))
        if ranking is None or claimed not in ranking.scored:
            rows.append((claim, "Not among these runs.", "not tested"))
            continue
        others = [name for name in ADAPTERS if name in ranking.scored and name != claimed]
        one = ranking.scored[claimed]
        gaps = ", ".join(f"{claimed} minus {name} {with_error(*one.minus(ranking.scored[name]))}" for name in others)
        ahead = [_beats(one, ranking.scored[name]) for name in others]
        behind = [_beats(ranking.scored[name], one) for name in others]
        rows.append((claim, f"R2 of {REGIMES[regime]}: {gaps}.", _verdict(ahead, behind)))
    return rows


def _verdict(holds: list[bool], against: list[bool]) -> str:
    if not holds:
        return "not tested"
    if any(against):
        return "contradicted in part" if any(holds) else "contradicted"
    return "confirmed" if all(holds) else "confirmed in part" if any(holds) else "not confirmed"


def findings_section(results: Results, context: Context) -> list[Section]:
    """Which strategy is best where, and the paper's findings beside that."""
    heading = "Which strategy, where"
    if context.predictions is None:
        return [Section(heading, context.left_out("predictions.parquet", "which strategy is best where"))]
    of_study = select(context.predictions, variant="default", target=context.study.target.survey)
    paragraphs = [
        "Errors are over test stars (bootstrap) and seeds. A difference is called significant if it exceeds two of its standard "
        "errors, star for star and seed for seed, and if the seeds alone tell the two apart (Student's t, 95 %).",
        *readings(context.study, of_study),
    ]
    every = select(context.of_all_inputs or (), variant="default", target=context.study.target.survey)
    table = rows_html(
        ["the paper finds", "here", ""],
        findings(context.study, of_study, every),
        "The findings of Zhao et al. (2026), Section 7, compared with those of these runs.",
    )
    return [Section(heading, paragraphs, [table])]

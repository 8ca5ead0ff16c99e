"""How the [alpha/Fe]-[Fe/H] plane comes out by each strategy, in tables and figures."""

from __future__ import annotations

from ...evaluate import GAMMA, GAMMAS, Results, select
from ...report import FigureFile, Plane, Section, abundance_plane, in_order, rows_html
from ...rounding import MISSING, with_error
from ..context import Context
from ..pipeline import PIPELINE
from ..planes import AXES, DEFAULT, HALVES, REFERENCE, TRUE, TRUTH, PlaneLabels, mean_mmd, with_ending
from ..spec import of_subset_plane
from .formatting import mean_of, which_seed


def plane(results: Results, context: Context) -> list[Section]:
    """The plane of the study, and that of its subset."""
    study = context.study
    if study.plane is None:
        return []
    sections = [_section(context, "")]
    if study.subset is not None and of_subset_plane(study) is not None:
        sections.append(_section(context, study.subset.name))
    return sections


def _section(context: Context, name: str) -> Section:
    study = context.study
    assert study.plane is not None
    heading = f"The [alpha/Fe]-[Fe/H] plane{f', {name} stars' if name else ''}"
    what = f"plane {name}".strip()
    if why := context.record.get("too_few", {}).get(what):
        return Section(heading, context.too_few(what, why))
    rows = context.mmd(name)
    if not rows:
        absent = ("discrepancies from the reference", with_ending("abundance-plane", name))
        return Section(heading, context.left_out(f"{with_ending('mmd', name)}.csv", *absent))
    strategies = [strategy for strategy in (TRUE, PIPELINE) if mean_mmd(rows, strategy)]
    labelled = [row["strategy"] for row in rows if row["strategy"] != HALVES]
    strategies += [strategy for strategy in in_order(labelled) if strategy not in strategies]
    table, paragraphs = _table(context, rows, strategies), _paragraphs(context)
    file = with_ending("abundance-plane", name)
    planes = context.planes(name)
    if planes is None:
        paragraphs += context.left_out(f"stars/{with_ending('plane', name)}.parquet", file)
        return Section(heading, paragraphs, [table])
    few, figures = _figure(context, planes[DEFAULT], rows, strategies, file)
    return Section(heading, [*paragraphs, *few], [table], figures)


def _figure(
    context: Context, labels: PlaneLabels, rows: list[dict], strategies: list[str], file: str
) -> tuple[list[str], list[FigureFile]]:
    study, seed = context.study, context.study.seeds[0]
    assert study.plane is not None
    planes, reference = list(labels.planes()), labels.reference
    panels = []
    for strategy in strategies:
        shown = [(size, stars) for what, size, run, stars in planes if what == strategy and run in (seed, 0)]
        if not shown:
            continue
        size, stars = shown[0]
        of_strategy = select(rows, strategy=strategy, against=REFERENCE)
        mmd = next(((row["mmd2"], row["mmd2_err"]) for row in of_strategy if row["seed"] in (seed, 0)), (None, None))
        title = context.title(strategy) + (f", n = {size}" if size else "")
        panels.append(Plane(title, stars[:, 0], stars[:, 1], *mmd))
    caption = (
        f"[alpha/Fe] against [Fe/H] of the same {len(planes[-1][3])} stars of {study.plane.survey} by every strategy, "
        f"{which_seed(study)}, and of the {len(reference)} reference stars, whose contours "
        "are in all panels. MMD^2 is from the reference."
    )
    all_reference = Plane("reference", reference[:, 0], reference[:, 1])
    columns = 3 if len(panels) < 9 else 4
    return context.drawn(lambda: abundance_plane(all_reference, panels, columns=columns), file, caption)


def _table(context: Context, rows: list[dict], strategies: list[str]) -> str:
    assert context.study.plane is not None
    first, *others = [f"gamma = {gamma:g}" for gamma in GAMMAS]
    kinds = [(REFERENCE, gamma) for gamma in GAMMAS]
    header = ["", f"from the reference, {first}", *others]
    if context.study.plane.truth is not None:
        kinds += [(TRUTH, gamma) for gamma in GAMMAS]
        header += [f"from true labels of the sample, {first}", *others]
    body = [
        [context.title(strategy), *(_printed(mean_mmd(rows, strategy, *kind)) for kind in kinds)]
        for strategy in [*strategies, HALVES]
    ]
    return rows_html(header, body, f"MMD^2, {mean_of(context.study.seeds)}, and its error.")


def _paragraphs(context: Context) -> list[str]:
    study = context.study
    assert study.plane is not None
    paragraphs = [
        "MMD^2 is the unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012) between two samples of "
        "stars; for samples of one distribution its mean is zero, so that it may be negative. Errors are those of the samples "
        "(jackknife), or the scatter over seeds if that is larger. Strategies share stars and reference: their differences are "
        f"better known than each value. The kernel of Zhao et al. (2026), gamma = {GAMMA:g}, is {_width(GAMMA)} dex wide and "
        "compares means and spreads: it hardly sees whether the sequences of the disc, 0.2 dex apart, are told apart. "
        f"{' and '.join(f'gamma = {gamma:g} ({_width(gamma)} dex)' for gamma in GAMMAS[1:])} see it.",
        f"'{HALVES}': random halves of the reference, the scatter that chance alone gives.",
    ]
    if study.plane.truth is not None:
        paragraphs.append(
            f"'{TRUE}' against the reference is the floor, the value of perfect labels. It is not zero because the two samples "
            "were selected differently, and a value below it is no merit: labels that err towards the reference have one. From "
            "the true labels (half of the stars against the other half) perfect labels have zero; only a simulation knows that."
        )
    paragraphs.append(
        "A small MMD^2 does not say that each star's labels are right: labels shuffled among the stars have the same value."
    )
    if study.simulate is not None and set(AXES) <= set(study.pipeline):
        paragraphs.append("The simulated pipeline has the errors that it was given; nothing follows from beating it.")
    return paragraphs


def _width(gamma: float) -> str:
    """Standard deviation of a kernel in dex."""
    return f"{(2 * gamma) ** -0.5:.2g}"


def _printed(value: tuple[float, float] | None) -> str:
    return MISSING if value is None else with_error(*value, digits=4)

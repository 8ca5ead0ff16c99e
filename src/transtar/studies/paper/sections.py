"""The report's part that is the paper's: words, tables and figures by the names they have there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...datasets import read_set
from ...report import Section, rows_html
from ..experiments import MATCHED
from ..job import Job
from ..spec import Study
from . import matched
from .figures import figures_sections, split_figure
from .reading import findings, readings
from .tables import tables_section


def paper_sections(
    study: Study,
    jobs: Sequence[Job],
    predictions: Sequence[dict],
    results: list[dict],
    out: Path,
) -> list[Section]:
    """Write the paper's tables and figures, and say in words what they show.

    Parameters
    ----------
    study : Study
        With `experiments`.
    jobs : sequence of Job
        Of the study and of its experiments, all done.
    predictions : sequence of dict
        Entries of `outputs`.
    results : list of dict
        Rows of results.csv.
    out : Path

    Returns
    -------
    list of Section
    """
    own = [e for e in predictions if e["variant"] == "default" and e["target"] == study.target.survey]
    sections = [_words(study, own), tables_section(study, jobs, results, out)]
    sections += figures_sections(study, jobs, predictions, results, out)
    sections += _confounder(study, jobs, predictions, out)
    return sections


def _words(study: Study, own: list[dict]) -> Section:
    paragraphs = [
        "Errors are over test stars (bootstrap) and seeds. A difference is called significant if it exceeds two of its standard "
        "errors, star for star and seed for seed, and if the seeds alone tell the two apart (Student's t, 95 %).",
        *readings(study, own),
    ]
    table = rows_html(
        ["the paper finds", "here", ""],
        findings(study, own),
        "The findings of Zhao et al. (2026), Section 7, beside those of these runs.",
    )
    return Section("Which strategy, where", paragraphs, [table])


def _confounder(study: Study, jobs: Sequence[Job], predictions: Sequence[dict], out: Path) -> list[Section]:
    """What is poor among the test stars is cool as well: counts, and the poor column on another split."""
    assert study.experiments is not None
    runs = [job for job in jobs if job.variant == MATCHED and job.strategy == "pretrain"]
    if not runs:
        return []
    parts = matched.splits(runs[0], read_set(runs[0].target))
    rows = matched.compare(study, predictions, study.seeds)
    matched.write_comparison(rows, out / "tables" / "teff-matched.csv")
    paragraphs = [
        *(matched.counted(part)[:1].upper() + matched.counted(part)[1:] + "." for part in parts),
        "The paper learns from all stars with Teff > 4500 K and [Fe/H] < -0.7, so that what is left to be judged on below [Fe/H] "
        "= -1 is cooler than any star that was learnt from. Its metal-poor column asks for an extrapolation in Teff.",
        "On the matched split each bin of [Fe/H] is divided evenly in Teff: as many stars to learn from as before, but at most "
        "half of those of each bin below -0.7, which more metal-rich ones make up for. The metal-poor test stars are not the "
        "same ones, nor is the spread of their [Fe/H], by which R2 is measured: sigma and bias can be compared, R2 with care.",
    ]
    figure = split_figure(study, parts, out)
    figures = [] if figure is None else [figure]
    return [Section("Metal-poor, or cool?", paragraphs, [matched.comparison_html(rows)], figures)]

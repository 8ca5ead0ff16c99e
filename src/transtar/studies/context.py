"""What reporters are given beside the results: the study, and what was predicted star by star, read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..errors import TooFew
from ..evaluate import Results, r2, summarise
from ..report import FigureFile, save
from .experiments import experiment_studies
from .layout import CHOSEN, PREDICTIONS, REST, RESULTS, SPLITS, STARS
from .pipeline import PIPELINE, shown
from .planes import PlaneLabels, read_mmd, read_planes, with_ending
from .predictions import IN_RESULTS, Predicted, of_results, read_predictions, read_stars
from .spec import Study
from .study_record import read_record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AGREE = 2e-6
"""Difference between R2 in results.csv, which has six digits, and that of the predictions, that is rounding."""


@dataclass(frozen=True, eq=False)
class Context:
    """A study whose runs are done, as far as it is on disk.

    Parameters
    ----------
    studies : mapping of str to Study
        The study as 'default', its variants and its experiments.
    results : Results
        All rows of results.csv.
    out : Path
        Folder of the study; tables and figures go into it.
    reporters : tuple of str
        Names of all reporters of the study.
    lines : list of str
        What was done and learnt, from `closing_lines`.
    missing : dict of str to list of str
        What reporters have left out, by the file that it needs; `left_out` fills it.
    few : dict of str to str
        What reporters have left out for want of stars, and why; `too_few` fills it.
    """

    studies: Mapping[str, Study]
    results: Results
    out: Path
    reporters: tuple[str, ...] = ()
    lines: list[str] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)
    few: dict[str, str] = field(default_factory=dict)
    _planes: dict[tuple[str, str], dict[str, PlaneLabels] | None] = field(default_factory=dict, repr=False)

    @property
    def study(self) -> Study:
        """The study itself."""
        return self.studies["default"]

    @property
    def labels(self) -> list[str]:
        """Labels of the models of the study, each once."""
        return list(dict.fromkeys(label for names in self.study.models.values() for label in names))

    @cached_property
    def record(self) -> dict[str, Any]:
        """Content of study.json."""
        return read_record(self.out)

    @cached_property
    def of_all_inputs(self) -> list[Predicted] | None:
        """Predictions of test stars by the runs that are in the results; None if there are none on disk."""
        predictions = read_predictions(self.out / PREDICTIONS)
        return None if predictions is None else of_results(predictions, self.results)

    @property
    def predictions(self) -> list[Predicted] | None:
        """Those of them by networks that take the first input of the study."""
        every = self.of_all_inputs
        return None if every is None else [one for one in every if one.input == self.input]

    @cached_property
    def input(self) -> str:
        """The input that is shown where one is: the study's first, or the first of the results if they do not have that."""
        inputs = self.results.distinct("input")
        return self.study.inputs[0] if self.study.inputs[0] in inputs or not inputs else inputs[0]

    @cached_property
    def rest(self) -> list[Predicted] | None:
        """Predictions of the experiment of sizes for stars of the pool; None if there are none on disk."""
        return read_predictions(self.out / STARS / REST)

    @cached_property
    def splits(self) -> pa.Table | None:
        """Stars to learn from and to be judged on, of both splits; None if they are not on disk."""
        return read_stars(self.out / STARS / SPLITS)

    def planes(self, subset: str = "", input: str = "") -> dict[str, PlaneLabels] | None:
        """Labels of the stars of the plane by networks of one input.

        Parameters
        ----------
        subset : str
            Name of a subset of them; all if empty.
        input : str
            By default the first.

        Returns
        -------
        dict of str to PlaneLabels, or None
            By variant; None if they are not on disk.
        """
        key = subset, input or self.input
        if key not in self._planes:
            self._planes[key] = read_planes(self.out / STARS / f"{with_ending('plane', subset)}.parquet", key[1])
        return self._planes[key]

    def mmd(self, subset: str = "") -> list[dict[str, Any]]:
        """Discrepancies between planes.

        Parameters
        ----------
        subset : str
            Name of a subset of the stars; all if empty.

        Returns
        -------
        list of dict
            Rows of ``mmd.csv``.
        """
        return read_mmd(self.out / f"{with_ending('mmd', subset)}.csv")

    @cached_property
    def names(self) -> dict[str, str]:
        """Names of strategies that readers see under another name."""
        return {PIPELINE: shown(PIPELINE, self.study)}

    @cached_property
    def experiments(self) -> set[str]:
        """Variants that are experiments, which have sections of their own, with all that is derived from them."""
        names = experiment_studies(self.study)
        return {f"{name}{ending}" for name in names for ending in ("", "-ensemble", "-joint", "-joint-ensemble")}

    @cached_property
    def compared(self) -> Results:
        """Results by the first input of the study and its variants, without its experiments, strategies as readers see them."""
        return (
            self.results.select(input=self.input).without_variants(self.experiments).with_names("strategy", self.names)
        )

    @cached_property
    def summary(self) -> list[dict[str, Any]]:
        """Means over seeds of `compared`."""
        return summarise(self.compared)

    def title(self, strategy: str) -> str:
        """A strategy by the name that readers see."""
        return self.names.get(strategy, strategy)

    def figure(self, figure: Figure, name: str, caption: str) -> FigureFile:
        """Write a figure as PDF and PNG into the folder of figures.

        Parameters
        ----------
        figure : matplotlib.figure.Figure
        name : str
            File name without suffix.
        caption : str

        Returns
        -------
        FigureFile
            For a `transtar.report.Section`.

        Raises
        ------
        TranstarError
            If the disk is full.
        """
        return FigureFile(save(figure, self.out / "figures", name)["png"], caption)

    def drawn(self, draw: Callable[[], Figure], name: str, caption: str) -> tuple[list[str], list[FigureFile]]:
        """As `figure`, of what `draw` gives; or a paragraph in its place where there are too few stars for it."""
        try:
            return [], [self.figure(draw(), name, caption)]
        except TooFew as error:
            return self.too_few(name, error), []

    def too_few(self, what: str, why: object) -> list[str]:
        """Note that something is left out for want of stars; returns a paragraph that says so."""
        self.few[what] = str(why)
        return [f"Left out: {what}; {why}."]

    def left_out(self, file: str, *what: str) -> list[str]:
        """Note that something is not drawn because a file is missing.

        Parameters
        ----------
        file : str
            The missing file, below the folder of the study.
        *what : str
            What would have been drawn from it.

        Returns
        -------
        list of str
            One paragraph, which says so.
        """
        self.missing.setdefault(file, []).extend(what)
        because = "is not in the folder of the study, or of an older version"
        return [f"Left out: {', '.join(what)}; {file}, which that is drawn from, {because}."]

    def doubts(self) -> list[str]:
        """Lines on what does not fit together: results of another study, and predictions of other runs or other values."""
        target, table = self.study.target.survey, self.results
        lines = []
        # Models of several labels have a variant of their own.
        if not len(table.select(target=target, variant=("default", "joint"))):
            lines.append(
                f"{RESULTS} has no row of variant default or joint and target {target}: is it that of another study?"
            )
        if self.of_all_inputs is not None:
            rows = table.select(regime="all")
            runs = {tuple(row[name] for name in IN_RESULTS) for row in rows if row["variant"] != CHOSEN}
            lacking = len(runs - {tuple(getattr(one, name) for name in IN_RESULTS) for one in self.of_all_inputs})
            if lacking:
                lost = f"{PREDICTIONS} lacks {lacking} of {len(runs)} runs of {RESULTS}"
                lines.append(f"{lost}: what is drawn star by star is without them")
        return [*lines, *filter(None, [self.disagreement()])]

    def disagreement(self) -> str:
        """One line if results.csv says something else than predictions.parquet, because one was edited; empty if not."""
        known: dict[tuple, list[float]] = {}
        for row in self.results.select(regime="all"):
            known.setdefault(tuple(row[name] for name in IN_RESULTS), []).append(row["r2"])
        others = 0
        for one in self.of_all_inputs or ():
            reference = one.reference[one.label]
            usable = np.isfinite(one.predicted) & np.isfinite(reference)
            value = r2(reference[usable], one.predicted[usable])
            stated = known[tuple(getattr(one, name) for name in IN_RESULTS)]
            others += not np.isclose(stated, value, rtol=AGREE, atol=AGREE, equal_nan=True).any()
        if not others:
            return ""
        return (
            f"results.csv has another R2 than {PREDICTIONS} for {others} of {len(self.of_all_inputs or ())} runs: tables and "
            "curves show results.csv, everything that is drawn or compared star by star shows the predictions"
        )

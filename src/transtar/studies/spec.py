"""What a study is: what is trained on what, and measured where."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from ..checks import MOST_PLANES, MOST_SEED, MOST_WIDTH
from ..errors import InputError, shown
from ..schema import (
    Filled,
    Name,
    Section,
    Settings,
    Switch,
    Text,
    listed,
    must,
    null_is,
    one_of,
    real,
    rule,
    stands_as,
    whole,
)  # fmt: skip
from ..summary import Summarised, Summary
from .by_input import FLUX, InputName, Part, PretrainSettings, Size, StrategySettings, of_input
from .sample import Label, PlaneSample, Sample
from .study_encoder import StudyEncoder

DATA_VARIABLE = "TRANSTAR_DATA"

REGIMES = (
    "all",
    "poor",
    "rich",
    "dwarf",
    "giant",
    "cool",
    "warm",
    "poor-dwarf",
    "poor-giant",
    "poor-cool",
    "poor-warm",
)
"""Kinds of stars, as `transtar.evaluate.regimes` tells them apart."""

MOVABLE = ("teff", "logg", "feh", "alphafe")
"""Labels that the physical test moves, as `transtar.simulate.mocks.moved` has them."""

SPLITS = ("test", "validation", "matched")

RESERVED, RESERVED_ENDINGS = ("default", "chosen", "ensemble"), ("-ensemble", "-joint")
"""Names of variants, and their endings, that the results use themselves."""


def _variant_fault(name: str) -> str:
    if name in RESERVED or name.endswith(RESERVED_ENDINGS):
        endings = " or ".join(f"'{ending}'" for ending in RESERVED_ENDINGS)
        return f"'{name}' is taken; none of {', '.join(RESERVED)}, and nothing that ends in {endings}"
    return ""


# What may stand in a study file, beside the types of `transtar.schema`.
Variant = Annotated[Name, rule(_variant_fault)]
Labels = Annotated[list[Label], listed("a list of labels", fewest=1, once=True)]
SomeLabels = Annotated[list[Label], listed("a list of labels", once=True)]
Movable = Annotated[list[Annotated[str, one_of(MOVABLE, "label")]], listed("a list of labels", once=True)]
Columns = dict[Label, Text]
Texts = Annotated[list[Text], listed("a list of texts")]
Seeds = Annotated[list[Annotated[int, whole(0, MOST_SEED)]], listed("a list of whole numbers", once=True)]
Sizes = Annotated[list[Size], listed("a list of whole numbers", once=True)]
Widths = Annotated[list[Annotated[int, whole(1, MOST_WIDTH)]], listed("a list of whole numbers", once=True)]
Rates = Annotated[list[Annotated[float, real(0, above=True)]], listed("a list of numbers", once=True)]
ByName = dict[Name, Settings | None]
Chosen = Annotated[
    str | dict[str, str],
    must(
        "a strategy, or one for each label",
        lambda cs: cs.union_schema([text := cs.str_schema(strict=True), cs.dict_schema(text, text)]),
    ),
]


@dataclass(frozen=True)
class ElementCheck(Section):
    """A named model of [alpha/Fe] against the abundance of one element in stars of the target survey.

    Parameters
    ----------
    model : str
        By name or folder; it must not have seen these stars.
    column : str
        Of the target's labels, such as ``mg_fe``.
    """

    model: Text
    column: Text


@dataclass(frozen=True)
class Subset(Section):
    """Stars that pass stricter cuts, on which the same runs are judged once more.

    Parameters
    ----------
    stars : str
        Table of them, with labels; test stars in it count.
    name : str
        Variant of its rows in results.csv, and ending of its tables and figures.
    pipeline : dict of str to str
        As of the study, with columns of this table.
    plane : str, optional
        Table of the stars of the plane that count.
    plane_pipeline : dict of str to str
        As `pipeline`, with columns of that table.
    """

    stars: Filled
    name: Variant = "clean"
    pipeline: Columns = field(default_factory=dict)
    plane: Text | None = None
    plane_pipeline: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class Experiments(Section):
    """What is run beside the study itself, which stands for Table 1; an empty list leaves an experiment out.

    Parameters
    ----------
    seeds : list of int
        Of all of them, but for the matched split.
    sizes : list of int
        Numbers of fine-tuning stars (Tables A1 and A2, Figures 4, A1 and A2); zero-shot, 0, is always there.
    hidden : list of int
        Hidden sizes of residual heads (Figure A3).
    ranks : list of int
        Of LoRA, alpha being twice the rank (Figure A3).
    weights_of : str
        Model whose number of trainable weights is varied.
    rates : list of float
        Learning rates of networks from scratch (Figures A4 and A5).
    labels : list of str
        Further labels, by a network each from every input, for tables in the form of Table 1.
    matched : list of str
        Models that are adapted and judged once more on a split in which fine-tuning and test stars of every regime have
        one distribution of Teff, with the seeds of the study; see `transtar.train.matched_split`.
    """

    seeds: Annotated[Seeds, listed("a list of whole numbers", fewest=1)] = field(
        default_factory=lambda: [0, 1, 2, 3, 4]
    )
    sizes: Sizes = field(default_factory=list)
    hidden: Widths = field(default_factory=list)
    ranks: Widths = field(default_factory=list)
    weights_of: Text = "feh"
    rates: Rates = field(default_factory=list)
    labels: SomeLabels = field(default_factory=list)
    matched: Annotated[list[Text], listed("a list of names")] = field(default_factory=list)


@dataclass(frozen=True)
class Explain(Section):
    """Stars and models whose gradients and loss landscapes are drawn.

    Parameters
    ----------
    model : str
        One of the study's, of one label.
    regime : str
        Of the test stars.
    seeds : int
        Planes of the landscapes, each through two random directions.
    labels : list of str
        Labels whose networks, one for each, are asked how they answer to each of these labels, beside one network of them all.
    """

    model: Text = "feh"
    regime: Annotated[str, one_of(REGIMES, "key")] = "poor"
    seeds: Annotated[int, whole(1, MOST_PLANES)] = 5
    labels: Movable = field(default_factory=list)


@dataclass(frozen=True, repr=False)
class Study(Summarised, Section):
    """One study: a source, a target, and the grid of runs between them.

    Parameters
    ----------
    title : str
        Of the report.
    description : str
        What is compared, in a few sentences.
    notes : list of str
        Paragraphs for the report.
    simulate : dict or None
        ``scale``, ``seed`` and changes for `simulate.universe.universe_settings`: a mock universe is made before all else.
    catalogs : list of str
        Files and folders that the selections read.
    selections : dict of str to dict
        Selections to be made, in this order, and their settings; each reads the tables of those before it, too.
    source : Sample
        What the models are pre-trained on.
    target : Sample
        What they are carried to, and judged on.
    sources : dict of str to Sample
        Name of a model and what it is pre-trained on in place of `source`; in a file, what differs from it.
    lines : Sample or None
        Real stars on which each pre-training on mock stars learns its `simulate.mocks.line_correction.LineCorrection`; those that
        the run is judged on are left out.
    element : ElementCheck or None
        A named model that is compared with the abundance of one element.
    plane : PlaneSample or None
        Needs models of `feh` and `alphafe`.
    subset : Subset or None
        Stars on which the same runs are judged once more.
    pipeline : dict of str to str
        For a label the column, of the label tables of target and plane, with the value of the survey's own pipeline.
    shipped : dict of str to str
        For a label the model, by name or folder, that is shown as it is beside the networks of the study.
    preprocessing : dict
        Settings of `transtar.preprocess.Preprocessing`.
    quality : dict
        Thresholds of `transtar.Quality`, by which the spectra are flagged.
    models : dict of str to list of str
        Name of each model and the labels it predicts.
    inputs : list of str
        What the networks take: `flux`, what an encoder makes of it, or several joined by `+`; the first is what the usual tables
        and figures show, and that the others are compared with. All share stars, splits, subsets and seeds.
    encoders : dict of str to StudyEncoder
        What makes the inputs that are neither flux nor registered, by their names; one that is not named here is `pca`, `random`,
        or an encoder of that name.
    seeds : list of int
        Each run is made once with each of them.
    sizes : list of int
        Numbers of fine-tuning stars.
    pretrain : dict
        Settings of the pre-training; ``by_input`` holds settings for one input.
    prior : dict of str to str
        Name of each model and the model, by name or folder, that its pre-training goes on from with all weights; one that is not
        named here starts from random weights.
    strategies : dict of str to dict
        Strategy and its settings; ``by_size``, ``by_model`` and ``by_input`` hold settings for one size, model or input.
    adapter : dict of int to str
        For each size the adapter of [Fe/H] that was chosen beforehand, by validation in the pool or from elsewhere; or, for each
        size, a dict of label to adapter.
    split : {'test', 'validation', 'matched'}
        'validation' never touches the test stars: each seed holds out its own share of both pools instead. 'matched' divides
        pool and test stars of the target anew, so that both have one distribution of Teff (`transtar.train.matched_split`).
    rest : bool
        Label the stars of the pool that a run has not learnt from, too; experiments that need it do.
    experiments : Experiments or None
        The ablations of the paper's appendix; with them a study draws the paper's tables and figures.
    explain : Explain or None
        Whose gradients and loss landscapes are drawn.
    reporters : list of str
        Names of the parts of the report, in its order (`transtar.studies.reporters`); empty for the usual ones.
    variants : dict of str to dict
        Deviations from all of the above, each run as well; one of the study that is extended is dropped by null.
    scales : dict of str to dict
        Named smaller or larger forms of the study.
    """

    title: Text
    source: Sample
    target: Sample
    models: dict[Name, Labels]
    description: Text = ""
    notes: Texts = field(default_factory=list)
    simulate: Settings | None = None
    catalogs: Annotated[list[Text], listed("a list of files and folders")] = field(default_factory=list)
    selections: ByName = field(default_factory=dict)
    sources: dict[Name, Sample] = field(default_factory=dict)
    lines: Sample | None = None
    element: ElementCheck | None = None
    plane: PlaneSample | None = None
    subset: Subset | None = None
    pipeline: Columns = field(default_factory=dict)
    shipped: dict[Label, Text] = field(default_factory=dict)
    preprocessing: Settings = field(default_factory=dict)
    quality: Settings = field(default_factory=dict)
    inputs: Annotated[list[InputName], listed("a list of inputs", fewest=1, once=True)] = field(
        default_factory=lambda: [FLUX]
    )
    encoders: Annotated[dict[Part, StudyEncoder], null_is(dict)] = field(default_factory=dict)
    seeds: Seeds = field(default_factory=lambda: [0, 1, 2, 3, 4])
    sizes: Sizes = field(default_factory=lambda: [50, 100, 200, 400])
    pretrain: Annotated[dict[str, Any], stands_as(PretrainSettings)] = field(default_factory=dict)
    prior: dict[Name, Text] = field(default_factory=dict)
    strategies: dict[Name, Annotated[dict[str, Any], stands_as(StrategySettings)] | None] = field(default_factory=dict)
    adapter: dict[Size, Chosen] = field(default_factory=dict)
    split: Annotated[str, one_of(SPLITS, "split")] = "test"
    rest: Switch = False
    experiments: Experiments | None = None
    explain: Explain | None = None
    reporters: Annotated[list[Name], listed("a list of reporters", once=True)] = field(default_factory=list)
    variants: dict[Variant, Settings | None] = field(default_factory=dict)
    scales: ByName = field(default_factory=dict)

    def _summary(self) -> Summary:
        return Summary(
            f"Study: {self.title}",
            {
                "source": self.source.survey,
                "target": self.target.survey,
                "models": ", ".join(self.models),
                "inputs": None if self.inputs == [FLUX] else ", ".join(self.inputs),
                "strategies": ", ".join(self.strategies),
                "sizes": ", ".join(map(str, self.sizes)),
                "seeds": ", ".join(map(str, self.seeds)),
                "variants": ", ".join(self.variants),
                "scales": ", ".join(self.scales),
            },
        )


def of_subset(study: Study) -> Study:
    """The study as its test stars in the subset are judged."""
    assert study.subset is not None
    target = replace(study.target, labels=study.subset.stars)
    return replace(study, target=target, pipeline=study.subset.pipeline)


def of_subset_plane(study: Study) -> Study | None:
    """The study as the plane of its subset is compared, if it has one."""
    if study.plane is None or study.subset is None or study.subset.plane is None:
        return None
    plane = replace(study.plane, labels=study.subset.plane)
    return replace(study, plane=plane, pipeline=study.subset.plane_pipeline)


def adapters(study: Study, size: int) -> dict[str, str]:
    """The adapters that were chosen beforehand for a size, by label."""
    chosen = study.adapter.get(size, {})
    return {"feh": chosen} if isinstance(chosen, str) else dict(chosen)


def settings_for(study: Study, strategy: str, model: str, size: int, input: str = FLUX) -> dict:
    """The settings of a strategy for one model, one number of stars and one input."""
    settings = dict(study.strategies[strategy] or {})
    by_model, by_size, by_input = (settings.pop(name, {}) for name in ("by_model", "by_size", "by_input"))
    settings.update(by_size.get(size, {}))
    settings.update(by_model.get(model, {}))
    further = of_input(by_input, input)
    sized = further.pop("by_size", {})
    return settings | further | sized.get(size, {})


def pretraining_for(study: Study, input: str = FLUX) -> dict:
    """The settings of the pre-training of networks that take one input."""
    settings = dict(study.pretrain)
    return settings | of_input(settings.pop("by_input", {}), input)


def data_path(name: str) -> str:
    """Full name of a file of a study, looked for in the folder that ``TRANSTAR_DATA`` names.

    Raises
    ------
    InputError
        If it is not there.
    """
    folder = Path(os.environ.get(DATA_VARIABLE, "."))
    path = folder / name
    try:
        if path.exists():
            return str(path)
        exists = not Path(name).is_absolute() and any(folder.glob(name))
    except (OSError, ValueError):
        # No file can have such a name.
        exists = False
    if not exists:
        where = "" if Path(name).is_absolute() else f"; set {DATA_VARIABLE} to the folder that holds {shown(name)}"
        raise InputError(f"{shown(path, 300)}: not found{where}")
    return str(path)

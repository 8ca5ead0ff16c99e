"""Whether the tables that a report draws on have what it needs, which is found before anything is trained."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ..datasets import read_set
from ..errors import TooFew
from ..labels import read_labels
from .pipeline import pipeline_values
from .planes import plane_tables
from .shipped import check_shipped
from .spec import Study, of_subset, of_subset_plane
from .study_files import locate, set_folder


def check_tables(study: Study, out: Path) -> None:
    """Read the tables of pipeline, subset, element and plane, and see shipped models; too few stars in them are no fault here.

    Parameters
    ----------
    study : Study
    out : Path
        Of the study; its samples are prepared.

    Raises
    ------
    TranstarError
        If a table or a set lacks a column, or cannot be read.
    """
    target = read_set(set_folder(study.target, study, out))
    pipeline_values(study, out, target)
    check_shipped(study, target)
    if study.subset is not None:
        read_labels(locate(study.subset.stars, study, out))
        pipeline_values(of_subset(study), out, target)
    if study.element is not None:
        target.targets([study.element.column, "feh", "teff"])
    for one in (study, of_subset_plane(study)):
        if one is not None and study.plane is not None:
            with suppress(TooFew):
                plane_tables(one, read_set(set_folder(study.plane, study, out)), out)

"""Spectra of one survey, with what is known of their stars, as a study names them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from ..errors import shown
from ..glossary import LABELS
from ..schema import Name, Section, Settings, Text, listed, null_is, one_of, real, rule
from ..tables import CHOOSABLE


def _range_fault(limits: list) -> str:
    if len(limits) == 2 and limits[0] < limits[1]:
        return ""
    return f"must be a range [low, high], not {shown(limits)}"


Label = Annotated[str, one_of(LABELS, "label")]
Range = Annotated[
    list[Annotated[float, real()]], listed("a range [low, high]"), rule(_range_fault, minItems=2, maxItems=2)
]
Unsaid = Annotated[Text, null_is(str)]


@dataclass(frozen=True)
class Sample(Section):
    """Spectra of one survey with their labels.

    File names that begin with ``universe/`` mean the universe that the study simulates, ``selections/NAME`` the table
    that it makes by that selection; others are relative to the data folder, or absolute.

    Parameters
    ----------
    survey : str
        Registered name of the survey; of mock stars any name.
    spectra, labels : str
        Folder (or file, or pattern) of spectra, and table of labels.
    split : str, optional
        Table that says which stars are `pool` and which `test`.
    velocities : str, optional
        ``FILE`` or ``FILE:COLUMN``, radial velocities in km/s that replace the survey's; or ``measure``.
    stars : str, optional
        Table of the stars whose spectra are read; of all others not even the files are, where their names tell.
    mock : dict, optional
        Settings of `transtar.simulate.mocks.mock_sets.MockSettings`: mock stars in place of files, as a source of labels.
    keep : dict of str to (float, float), optional
        Of the target: ranges of labels; stars outside neither teach nor are judged.
    columns : dict of str to str, optional
        Which column of its tables is which, where names do not tell: ``{feh: FE_H}``, as ``--columns`` of the command line.
    medium, frame, unit : str
        Of the wavelengths, where the files do not say it, as ``--medium``, ``--frame`` and ``--unit`` of the command line.
    """

    survey: Name
    spectra: Unsaid = ""
    labels: Unsaid = ""
    split: Text | None = None
    velocities: Text | None = None
    stars: Text | None = None
    mock: Settings | None = None
    keep: Annotated[dict[Label, Range], null_is(dict)] = field(default_factory=dict)
    columns: Annotated[dict[Annotated[str, one_of(CHOOSABLE, "key")], Text], null_is(dict)] = field(
        default_factory=dict
    )
    medium: Unsaid = ""
    frame: Unsaid = ""
    unit: Unsaid = ""


@dataclass(frozen=True)
class PlaneSample(Sample):
    """Stars of the target survey whose [alpha/Fe]-[Fe/H] plane is drawn; those in the table of labels count.

    Parameters
    ----------
    reference : str
        Table with `feh` and `alphafe` of the stars that the plane is compared with.
    truth : str, optional
        Table with the true `feh` and `alphafe` of the stars of the sample, which only a simulation has.
    """

    reference: Unsaid = ""
    truth: Text | None = None


@dataclass(frozen=True)
class UnlabelledSample(Sample):
    """Spectra that an encoder learns from; labels are not read."""

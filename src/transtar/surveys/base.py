"""What a survey is to transtar, and the registry of surveys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SettingsError, shown
from ..plugins import load_offered, offered
from ..spectra import SpectrumBatch
from ..tables import OF_SPECTRA
from .stated import Stated

ENTRY_POINT_GROUP = "transtar.surveys"


@dataclass(frozen=True)
class Survey:
    """How to read the files of a survey, and what is true of all its spectra.

    Parameters
    ----------
    name : str
        Name on the command line and in `SpectrumBatch.survey`.
    description : str
        One line that says which files, from which telescope.
    read_file : callable
        Takes the path of one native file and returns its spectra as one `SpectrumBatch` in vacuum Angstrom, or a list of several
        where they differ in wavelengths. It may raise any exception for a bad file: `transtar.surveys.read_all` turns
        it into an `InputError` of one line.
    patterns : tuple of str
        File name patterns searched for, recursively, where a folder is given. Case does not matter, ``*.fits`` stands for
        ``*.fit`` and ``*.fts``, too, and all of them may be compressed (.gz, .bz2, .xz, .fz).
    frame : {'observed', 'rest'}
        Frame of the wavelengths unless the file itself states it.
    sky_lines : tuple of (float, float)
        Windows in observed-frame vacuum Angstrom that are interpolated over before the continuum is fitted.
    resolution : float or None
        Nominal resolving power; None if unknown.
    citation : str
        What to cite when these spectra are used.
    file_names : callable, optional
        Takes a list of stars (columns as from `transtar.labels.read_stars`) and returns for each the name of its native file,
        below the root of the archive, '' where unknown; None if the list cannot tell.
    read_stated : callable, optional
        Like `read_file`, with a `Stated` as second argument: what the user states about files that do not say it themselves.
        A survey without it knows all that, and the user cannot state it.
    id_columns : tuple of str
        Names, in lower case, that tables use for the survey's own identifier of a spectrum; it takes precedence over a bare
        ``id``, which may be a running number.
    preprocessing : mapping of str to value
        Settings that `prepare` uses for these spectra in place of the defaults, such as ``{"grid": "xp"}``; they may include
        thresholds of `Quality`.
    judge_unweighted : bool
        Whether pixels with an inverse variance of 0 are judged by their flux (`transtar.surveys.unweighted`), because the
        survey sets the weight of many good pixels to 0. Normally an inverse variance of 0 means a bad pixel, and this is
        False.

    Examples
    --------
    >>> import transtar as ts
    >>> miles = ts.get_survey("miles")
    >>> miles.name, miles.frame
    ('miles', 'rest')
    """

    name: str
    description: str
    read_file: Callable[[Path], SpectrumBatch | Sequence[SpectrumBatch]]
    patterns: tuple[str, ...]
    frame: str = "observed"
    sky_lines: tuple[tuple[float, float], ...] = ()
    resolution: float | None = None
    citation: str = ""
    file_names: Callable[[Mapping[str, np.ndarray]], np.ndarray | None] | None = None
    id_columns: tuple[str, ...] = ()
    read_stated: Callable[..., SpectrumBatch | Sequence[SpectrumBatch]] | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict, hash=False)
    judge_unweighted: bool = False

    @property
    def columns_of_spectra(self) -> tuple[str, ...]:
        """The quantities for which the user can choose a column of the files; none if the format determines the columns."""
        return (*OF_SPECTRA, "id", "star", "velocity") if self.read_stated is not None else ()

    def stating(self, stated: Stated | None) -> Survey:
        """The same survey, with what the user states about its files.

        Parameters
        ----------
        stated : Stated or None

        Returns
        -------
        Survey

        Raises
        ------
        SettingsError
            If the files of this survey say it themselves.
        """
        if stated is None or stated == Stated():
            return self
        if self.read_stated is None:
            for name, value in stated.as_dict().items():
                raise SettingsError(f"{self.name} files state their {name} themselves; leave {name} '{value}' out")
            return self
        return replace(self, read_file=partial(self.read_stated, stated=stated))


_REGISTERED: dict[str, Survey] = {}


def register(survey: Survey) -> Survey:
    """Make a survey known by its name for the rest of the process.

    A package that wants its survey known wherever it is installed declares an entry point instead::

        [project.entry-points."transtar.surveys"]
        mysurvey = "mypackage.reader:SURVEY"

    Parameters
    ----------
    survey : Survey

    Returns
    -------
    Survey
        The same survey.

    Raises
    ------
    SettingsError
        If another survey already has that name.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import transtar as ts
    >>> mine = ts.register(replace(ts.get_survey("miles"), name="my-library"))
    >>> ts.get_survey("my-library").name
    'my-library'
    """
    if _REGISTERED.get(survey.name, survey) is not survey:
        raise SettingsError(f"a survey named '{survey.name}' is registered already; choose another name")
    _REGISTERED[survey.name] = survey
    return survey


def survey_names() -> list[str]:
    """Names of all surveys, registered or offered by an installed package; sorted. Loads no package."""
    return sorted({*_REGISTERED, *offered(ENTRY_POINT_GROUP)})


def get_survey(name: Survey | str) -> Survey:
    """Look up a survey by name; the package that offers it is loaded if necessary.

    Every function that takes a survey calls this one, so a name can be given wherever a `Survey` can.

    Parameters
    ----------
    name : Survey or str
        A `Survey` is returned as it is.

    Returns
    -------
    Survey

    Raises
    ------
    SettingsError
        If no survey has that name (the message lists those that exist), or the package that offers it is broken.

    Examples
    --------
    >>> import transtar as ts
    >>> ts.get_survey("desi").name
    'desi'
    """
    if isinstance(name, Survey):
        return name
    if not isinstance(name, str):
        raise SettingsError(f"not a survey: {shown(repr(name))}; give a name, one of {', '.join(survey_names())}")
    if name in _REGISTERED:
        return _REGISTERED[name]
    survey = load_offered(ENTRY_POINT_GROUP, name, "survey", Survey)
    if survey is not None:
        return register(survey)
    raise SettingsError(f"no survey '{name}'; known surveys: {', '.join(survey_names())}")

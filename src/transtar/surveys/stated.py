"""What is said of spectra beside their files: on the command line, in a study, or in Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import SettingsError, shown
from ..spectra import FRAMES
from ..tables import OF_SPECTRA
from .air import MEDIA
from .wave_units import is_wave_unit

PIXEL_ROLES = tuple(what for what in OF_SPECTRA if what != "hdu")
"""What a column of pixels can be."""


@dataclass(frozen=True)
class Stated:
    """What files do not say about themselves, stated once for all of them.

    A file that says something else is refused.

    Parameters
    ----------
    medium : {'', 'air', 'vacuum'}
        Of the wavelengths in the files.
    frame : {'', 'observed', 'rest'}
    unit : str
        Of the wavelengths: A, nm, um, m, Hz, 1/cm, eV, or another unit that astropy knows; log10(Angstrom) or ln(Angstrom)
        for logarithms.
    columns : mapping of str to str
        Which column of the spectra is which: ``{"flux": "FLUX_CAL"}``; keys are `PIXEL_ROLES`, ``hdu`` (for FITS), id, star
        and velocity. Other keys are for tables and are ignored here.

    Raises
    ------
    SettingsError
        If a medium, frame or unit is not known.

    Examples
    --------
    >>> import transtar as ts
    >>> ts.Stated(medium="air", unit="nm").medium
    'air'
    """

    medium: str = ""
    frame: str = ""
    unit: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, known in (("medium", MEDIA), ("frame", FRAMES)):
            value = getattr(self, name)
            if value and value not in known:
                raise SettingsError(f"{name} '{shown(value)}' is not one of {', '.join(known)}")
        if self.unit and not is_wave_unit(self.unit):
            raise SettingsError(
                f"unit '{shown(self.unit)}' is not a unit of wavelength; say A, nm, um, m, Hz, 1/cm or eV"
            )

    def as_dict(self) -> dict[str, Any]:
        """What was stated, for a provenance: everything that is not empty, except the columns."""
        values = {name: getattr(self, name) for name in ("medium", "frame", "unit")}
        return {name: value for name, value in values.items() if value}

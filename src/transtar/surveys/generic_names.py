"""What the columns of a file of spectra are, by their names: every spelling that 'generic' knows, and the refusal to guess."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..errors import InputError, printable, shown
from ..tables import Choice, find
from .stated import PIXEL_ROLES
from .wave_units import is_wave_unit

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "wave": ("wave", "wavelength", "wavelengths", "lambda", "lam", "wl", "waveobs", "wave_obs", "wavelength_obs", "lambda_obs",
             "spectral_axis", "frequency", "freq", "wavenumber", "energy",
             "wave_air", "wavelength_air", "lambda_air", "air_wave", "air_wavelength", "waveair",
             "wave_vac", "wavelength_vac", "lambda_vac", "vac_wave", "vac_wavelength", "wave_vacuum", "wavelength_vacuum",
             "vacuum_wave", "vacuum_wavelength", "wavevac", "lambdavac"),
    "loglam": ("loglam", "log_wave", "logwave", "loglambda", "log_lambda", "log_lam", "log10_wave", "log10lambda", "log10_lambda",
               "log_wavelength", "loglam_vac"),
    "flux": ("flux", "fluxes", "flam", "f_lambda", "flux_lambda", "flux_cal", "flux_calibrated", "fluxcal", "flux_reduced",
             "flux_norm", "flux_normalized", "flux_normalised", "normalized_flux", "normalised_flux", "norm_flux", "flux_density",
             "f_nu", "fnu", "flux_nu", "intensity", "counts", "spec", "spectrum"),
    "ivar": ("ivar", "inverse_variance", "invvar", "inv_var", "flux_ivar", "ivar_flux"),
    "error": ("error", "errors", "err", "sigma", "uncertainty", "flux_err", "flux_error", "fluxerr", "fluxerror", "e_flux",
              "eflux", "err_flux", "error_flux", "flux_sigma", "flux_unc", "flux_uncertainty", "sigma_flux", "dflux", "unc",
              "noise", "std", "stddev"),
    "variance": ("variance", "var", "flux_var", "flux_variance"),
    "mask": ("mask", "bad", "bad_pixel", "badpix", "bad_pixels", "and_mask", "andmask", "dq", "flux_mask"),
    "id": ("id", "ids"),
    "star": ("star",),
    "velocity": ("velocity",),
    "class": ("class",),
    "subclass": ("subclass",),
    "medium": ("medium",),
    "frame": ("frame",),
}  # fmt: skip
"""Names of columns, keys and HDUs, in lower case, by what they are."""

_ROLES = {spelling: role for role, spellings in SPELLINGS.items() for spelling in spellings}

FREQUENCY = {"frequency": "Hz", "freq": "Hz"}
"""Names that say that a spectral axis is not a unit of wavelength, and the unit that is meant where there is none."""

PER_FREQUENCY = ("f_nu", "fnu", "flux_nu")
"""Names of fluxes that say what they are per, where no unit does."""

UTYPES = {
    "data.spectralaxis.value": "wave",
    "data.fluxaxis.value": "flux",
    "data.fluxaxis.accuracy.staterror": "error",
    "data.fluxaxis.accuracy.qualitystatus": "mask",
}
"""What the data model of the Virtual Observatory, and with it ESO's phase 3, calls columns (TUTYP)."""

DOUBTFUL = ("quality", "qual", "flag", "flags", "good", "goodpix", "good_pixel")
"""Columns that may mark bad pixels, or good ones: nobody knows."""

_UNIT_IN_NAME = re.compile(r"(.+?)\s*[\[(]([^\[\]()]*)[\])]")
_UNIT_BEHIND = re.compile(r"(.+)_(nm|um|mum|micron|microns|a|aa|ang|angs|angstrom|angstroms|hz|ghz)", re.IGNORECASE)


def split_name(name: str) -> tuple[str, str]:
    """A name without the unit that stands in it (wave [nm], lambda_nm), in lower case, and that unit.

    Of a name that occurs twice the number is taken off, too.
    """
    plain = re.sub(r"#\d+$", "", name.strip())
    match = _UNIT_IN_NAME.fullmatch(plain)
    if match:
        return match[1].strip().lower(), match[2].strip()
    behind = _UNIT_BEHIND.fullmatch(plain)
    if behind and _ROLES.get(behind[1].lower()) in ("wave", "loglam") and is_wave_unit(behind[2]):
        return behind[1].lower(), behind[2]
    return plain.lower(), ""


def role(name: str) -> str | None:
    """What a column or key is, by its name; None if nobody knows."""
    return _ROLES.get(re.sub(r"[\s-]+", "_", split_name(name)[0]))


def medium_of(name: str) -> str:
    """The medium that the name of a column of wavelengths states, such as wave_air; '' if none."""
    plain = split_name(name)[0]
    if role(name) not in ("wave", "loglam"):
        return ""
    return "vacuum" if "vac" in plain else "air" if "air" in plain else ""


def assign(
    names: Sequence[str], where: str, chosen: Mapping[str, str] | None = None, utypes: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Find out which column is which.

    Parameters
    ----------
    names : sequence of str
        Each once (see `transtar.tables.once`).
    where : str
        For messages.
    chosen : mapping of str to str, optional
        What the user said; a `Choice` learns which of it was of use.
    utypes : mapping of str to str, optional
        Of columns that have one: `UTYPES` goes before names.

    Returns
    -------
    dict of str to str
        Name by role.

    Raises
    ------
    InputError
        If two columns could be one thing, or one that the user named is not there.
    """
    out: dict[str, str] = {}
    for what, wanted in (chosen or {}).items():
        if what not in SPELLINGS or what == "frame" or what == "medium":
            continue
        column = find(names, wanted, what=what, where=where, exact=True)
        if column is None:
            if what in PIXEL_ROLES:
                raise InputError(
                    f"{where}: no column {shown(wanted)}, which --columns names for {what}; {listed(names)}"
                )
            continue
        if isinstance(chosen, Choice):
            chosen.used.add(what)
        out[what] = column
    taken = set(out.values())
    # Of one thing only one column counts: the wavelengths, and the errors, that the user named go before all others.
    settled = set(out) | ({"wave", "loglam"} if {"wave", "loglam"} & set(out) else set())
    if {"ivar", "error", "variance"} & set(out):
        settled |= {"ivar", "error", "variance"}
    by_utype: dict[str, list[str]] = {}
    for name, utype in (utypes or {}).items():
        prefix, _, rest = utype.strip().lower().rpartition(":")
        if rest in UTYPES and prefix in ("", "spec", "ssa"):
            by_utype.setdefault(UTYPES[rest], []).append(name)
    for what in SPELLINGS:
        candidates = [name for name in names if role(name) == what and name not in taken]
        marked = by_utype.get(what, [])
        candidates = marked if len(marked) == 1 else candidates
        if what in settled or not candidates:
            continue
        if len(candidates) > 1:
            raise two_columns(candidates, what, where)
        out[what] = candidates[0]
    return out


def two_columns(candidates: Sequence[str], what: str, where: str) -> InputError:
    """The refusal to choose among columns."""
    both = " and ".join(printable(name) for name in candidates[:4])
    return InputError(f"{where}: {both} could each be {what}; say which: --columns {what}={printable(candidates[0])}")


def listed(names: Sequence[str]) -> str:
    """The columns, for messages."""
    more = f" and {len(names) - 40} more" if len(names) > 40 else ""
    return f"columns found: {', '.join(shown(name) for name in names[:40]) or 'none'}{more}"


def as_markdown() -> str:
    """The names of columns as the rows of a table, for the documentation."""
    meaning = {
        "wave": "wavelength, or frequency, wavenumber or energy, whose unit must be known",
        "loglam": "log10 of the wavelength",
        "flux": "flux",
        "ivar": "inverse variance of the flux",
        "error": "standard deviation of the flux",
        "variance": "variance of the flux",
        "mask": "bad where true or not zero",
        "id": "identifier of the spectrum",
        "star": "name of the star",
        "velocity": "radial velocity in km/s",
        "class": "STAR, GALAXY, QSO",
        "subclass": "spectral type",
        "medium": "air or vacuum, the same in each row",
        "frame": "observed or rest, the same in each row",
    }
    rows = (f"| {meaning[what]} | {', '.join(f'`{name}`' for name in names)} |" for what, names in SPELLINGS.items())
    return "".join(f"{row}\n" for row in rows)

"""The wavelengths of a file in Angstrom, their medium and their frame, by all who say something of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InputError, shown
from .air import MEDIA
from .generic_content import Content, pixels
from .generic_names import FREQUENCY, medium_of, split_name
from .stated import Stated
from .wave_units import log_base, same_unit, states, to_angstrom

_MEDIUM_SPELLINGS = {"vac": "vacuum"}


def note_constant(content: Content, name: str | None, what: str) -> None:
    """A column of medium or frame says the same in each row."""
    if name is None:
        return
    values = sorted(set(content.columns[name].text().tolist()))
    if len(values) != 1:
        raise InputError(f"{content.where}: column {name} must hold one value throughout, found {shown(values[:3])}")
    content.say(what, values[0], f"column {name}")


def agreed(content: Content, what: str, known: Sequence[str], also: Sequence[tuple[str, str]], option: str) -> str:
    """What all who say something of medium or frame agree on; '' if nobody does."""
    statements = [*content.says.get(what, []), *also]
    values: list[tuple[str, str]] = []
    for value, place in statements:
        spelt = _MEDIUM_SPELLINGS.get(value.strip().lower(), value.strip().lower())
        if spelt not in known:
            raise InputError(f"{content.where}: {what} '{shown(value)}' is not one of {', '.join(known)} ({place})")
        values.append((spelt, place))
    for value, place in values[1:]:
        if value != values[0][0]:
            raise InputError(
                f"{content.where}: {what} is {values[0][0]} by {values[0][1]}, and {value} by {place}; correct the file"
            )
    if option and values and values[0][0] != option:
        raise InputError(
            f"{content.where}: {what} is {values[0][0]} by {values[0][1]}, not {option} as --{what} says; leave --{what} out, "
            "or read such files by themselves"
        )
    return values[0][0] if values else option


def find_medium(content: Content, roles: dict[str, str], stated: Stated, vacuum: bool) -> str:
    """Medium of the wavelengths, by comments, headers, the name of their column, their kind, and the command line.

    Raises
    ------
    InputError
        If nobody says it, or two differ.
    """
    name = roles.get("wave", roles.get("loglam", ""))
    also = [(medium_of(name), f"the name of the column {name}")] if medium_of(name) else []
    if name in content.media:
        also.append((content.media[name], f"the UCD of the column {name}"))
    if vacuum:
        also.append(("vacuum", "its frequencies, wavenumbers or energies"))
    medium = agreed(content, "medium", MEDIA, also, stated.medium)
    if not medium:
        raise InputError(
            f"{content.where}: does not say its medium; give --medium vacuum (or air)"
            + (f", or {content.how}" if content.how else "")
        )
    return medium


def find_wavelengths(content: Content, roles: dict[str, str], stated: Stated) -> tuple[np.ndarray, bool]:
    """Wavelengths in Angstrom, of shape (1 or n_spectra, n_pixels), and whether they are of vacuum by their kind."""
    axes = {what: _converted(content, what, roles[what], stated) for what in ("wave", "loglam") if what in roles}
    wave, vacuum = next(iter(axes.values()))
    if len(axes) == 2:
        other = axes["loglam"][0]
        with np.errstate(invalid="ignore"):
            if wave.shape != other.shape or (np.abs(other / wave - 1) > 2e-5).any():
                raise InputError(
                    f"{content.where}: {roles['wave']} and {roles['loglam']} are different wavelengths; say which: --columns "
                    f"wave={roles['wave']} or --columns loglam={roles['loglam']}"
                )
    return wave, vacuum


def _converted(content: Content, what: str, name: str, stated: Stated) -> tuple[np.ndarray, bool]:
    column = content.columns[name]
    where = f"{content.where}: column {name}"
    units = [(column.unit, "its unit"), (split_name(name)[1], "its name"), *content.says.get("unit", [])]
    units = [(unit, place) for unit, place in units if states(unit)]
    if stated.unit:
        units.append((stated.unit, "--unit"))
    for unit, place in units[1:]:
        # An unknown unit is refused below.
        if not same_unit(unit, units[0][0]):
            raise InputError(
                f"{where}: in '{shown(units[0][0], 40)}' by {units[0][1]}, in '{shown(unit, 40)}' by {place}; which is right?"
            )
    unit = units[0][0] if units else FREQUENCY.get(split_name(name)[0], "")
    base = _base(what, units, where)
    if not unit and split_name(name)[0] in ("wavenumber", "energy"):
        raise InputError(f"{where}: does not say its unit; give --unit (1/cm, eV)")
    values, gone = pixels(column, content.vectors)
    values = values.astype(np.float64)
    if gone is not None:
        values = np.where(gone, np.nan, values)
    given = values[np.isfinite(values)]
    if base is not None:
        if not (np.abs(given) * np.log10(base) < 20).all():
            if not units:
                raise InputError(f"{where}: loglam is not log10 of a wavelength")
            raise InputError(
                f"{where}: {_span(given)} are no logarithms, as {units[-1][1]} says; leave that out, or correct it"
            )
        values = base**values
    wave, vacuum = to_angstrom(values, unit, where)
    finite = wave[np.isfinite(wave)]
    if not units and finite.size and finite.max() < 2500:
        if what == "loglam":
            raise InputError(
                f"{where}: loglam is not log10 of a wavelength in Angstrom, and no unit is stated; give --unit nm (or um, m)"
            )
        raise InputError(
            f"{where}: {_span(finite)} is not Angstrom, and no unit is stated; give --unit nm (or um, m){_if_logarithms(finite)}"
        )
    if not units and what == "loglam" and finite.size and finite.max() > 1e6:
        raise InputError(
            f"{where}: loglam is not log10 of a wavelength in Angstrom; if it is a natural logarithm, say --unit "
            "'ln(Angstrom)'"
        )
    return wave, vacuum


def _base(what: str, units: Sequence[tuple[str, str]], where: str) -> float | None:
    """Base of the logarithms that a column holds; None if it holds none."""
    bases = {base for unit, _ in units if (base := log_base(unit)) is not None}
    plain = what == "wave" and any(log_base(unit) is None for unit, _ in units)
    if len(bases) + plain > 1:
        told = ", ".join(f"'{shown(unit, 40)}' by {place}" for unit, place in units)
        raise InputError(f"{where}: in {told}: are they logarithms, and of which base?")
    return bases.pop() if bases else 10.0 if what == "loglam" else None


def _span(values: np.ndarray) -> str:
    return f"{values.min():.6g} to {values.max():.6g}"


def _if_logarithms(values: np.ndarray) -> str:
    """What to say of numbers that could be logarithms of Angstrom."""
    for base, way, word in ((10.0, "log10", "log10"), (np.e, "ln", "natural logarithms")):
        if values.max() < 20 and 500 < base ** values.min() < base ** values.max() < 1e6:
            return f"; if they are {word} of Angstrom, --unit '{way}(Angstrom)'"
    return ""

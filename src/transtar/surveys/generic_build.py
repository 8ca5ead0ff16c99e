"""From the columns of a file to batches: what the columns are, in which unit, medium and frame, checked and converted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..spectra import FRAMES, SpectrumBatch, check_wave, to_single
from ..tables.ids import NO_ID, to_int64
from ..telling import tell
from .air import MEDIA, air_to_vacuum
from .generic_content import Content, bad_pixels, pixels
from .generic_names import DOUBTFUL, FREQUENCY, assign, listed, medium_of, split_name
from .stated import Stated
from .wave_units import per_frequency, same_unit, states, to_angstrom, unit_ratio

_MEDIUM_SPELLINGS = {"vac": "vacuum"}


@dataclass
class _Planes:
    """Arrays of shape (n_spectra, n_pixels); of wavelengths and factors (1, n_pixels) where all spectra share them."""

    wave: np.ndarray
    flux: np.ndarray
    mask: np.ndarray
    ivar: np.ndarray | None

    def select(self, rows: Any, columns: Any) -> _Planes:
        wave = self.wave if len(self.wave) == 1 else self.wave[rows]
        some = [wave, self.flux[rows], self.mask[rows], None if self.ivar is None else self.ivar[rows]]
        return _Planes(*(None if one is None else one[:, columns] for one in some))  # type: ignore[arg-type]


def build(content: Content, path: Path, stated: Stated | None = None) -> list[SpectrumBatch]:
    """Make batches of what a file holds, one for each array of wavelengths.

    Parameters
    ----------
    content : Content
    path : Path
        Gives the stars the name of their file.
    stated : Stated, optional
        What was said beside the file.

    Returns
    -------
    list of SpectrumBatch
        Masked where the file's own mask says so or there is no flux; ivar is 0 where an error is not positive.

    Raises
    ------
    InputError
        If columns are missing or could each be one thing, shapes differ, a unit is not known, the medium is not stated, or the
        file says something else than `stated`.
    """
    stated = stated or Stated()
    names = list(content.columns)
    roles = assign(names, content.where, stated.columns, content.utypes)
    if "flux" not in roles or not {"wave", "loglam"} & set(roles):
        raise InputError(
            f"{content.where}: needs wave (or loglam) and flux; {listed(names)}; if they have other names, say "
            "--columns wave=NAME flux=NAME"
        )
    _tell_doubtful(content, roles)
    for what in ("medium", "frame"):
        _note_constant(content, roles.get(what), what)
    wave, vacuum = _wavelengths(content, roles, stated)
    medium = _medium(content, roles, stated, vacuum)
    frame = _agreed(content, "frame", FRAMES, [], stated.frame) or "observed"
    planes = _planes(content, roles, wave)
    meta, ids = _stars(content, roles, len(planes.flux), path, frame, stated)
    batches = []
    for rows, part in _one_wave(planes, content.where):
        vacuum_wave = air_to_vacuum(part.wave[0]) if medium == "air" else part.wave[0]
        flux, ivar = to_single(part.flux, part.ivar)
        batch = SpectrumBatch(
            wave=vacuum_wave,
            flux=flux,
            ivar=ivar,
            mask=part.mask | ~np.isfinite(flux),
            ids=ids[rows],
            survey="generic",
            frame=frame,
            medium=content.said("native_medium") or medium,
            meta={name: column[rows] for name, column in meta.items()},
            keys=content.keys,
        )
        if content.left_out:
            left = {content.left_out: len(batch)}
            batch = replace(batch.select(slice(0, 0)), left_out=left)
        batches.append(batch)
    return batches


def _note_constant(content: Content, name: str | None, what: str) -> None:
    """A column of medium or frame says the same in each row."""
    if name is None:
        return
    values = sorted(set(content.columns[name].text().tolist()))
    if len(values) != 1:
        raise InputError(f"{content.where}: column {name} must hold one value throughout, found {shown(values[:3])}")
    content.say(what, values[0], f"column {name}")


def _agreed(content: Content, what: str, known: Sequence[str], also: Sequence[tuple[str, str]], option: str) -> str:
    """What all who say something of medium or frame agree on; '' if nobody does."""
    said = [*content.says.get(what, []), *also]
    values: list[tuple[str, str]] = []
    for value, place in said:
        spelt = _MEDIUM_SPELLINGS.get(value.strip().lower(), value.strip().lower())
        if spelt not in known:
            raise InputError(f"{content.where}: {what} '{shown(value)}' is none of {', '.join(known)} ({place})")
        values.append((spelt, place))
    for value, place in values[1:]:
        if value != values[0][0]:
            raise InputError(
                f"{content.where}: {what} is {values[0][0]} by {values[0][1]}, and {value} by {place}; correct the file"
            )
    if option and values and values[0][0] != option:
        raise InputError(
            f"{content.where}: {what} is {values[0][0]} by {values[0][1]}, not {option} as --{what} says; leave --{what} out, or read "
            "such files by themselves"
        )
    return values[0][0] if values else option


def _medium(content: Content, roles: dict[str, str], stated: Stated, vacuum: bool) -> str:
    name = roles.get("wave", roles.get("loglam", ""))
    also = [(medium_of(name), f"the name of the column {name}")] if medium_of(name) else []
    if vacuum:
        also.append(("vacuum", "its frequencies, wavenumbers or energies"))
    medium = _agreed(content, "medium", MEDIA, also, stated.medium)
    if not medium:
        raise InputError(
            f"{content.where}: does not say its medium; give --medium vacuum (or air)"
            + (f", or {content.how}" if content.how else "")
        )
    return medium


def _wavelengths(content: Content, roles: dict[str, str], stated: Stated) -> tuple[np.ndarray, bool]:
    """Wavelengths in Angstrom, of shape (1 or n_spectra, n_pixels), and whether they are of vacuum by their kind."""
    found = {what: _converted(content, what, roles[what], stated) for what in ("wave", "loglam") if what in roles}
    wave, vacuum = next(iter(found.values()))
    if len(found) == 2:
        other = found["loglam"][0]
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
    if not unit and split_name(name)[0] in ("wavenumber", "energy"):
        raise InputError(f"{where}: does not say its unit; give --unit (1/cm, eV)")
    values, gone = pixels(column, content.vectors)
    values = values.astype(np.float64)
    if gone is not None:
        values = np.where(gone, np.nan, values)
    if what == "loglam":
        if not (np.abs(values[np.isfinite(values)]) < 20).all():
            raise InputError(f"{where}: loglam is not log10 of a wavelength")
        values = 10.0**values
    wave, vacuum = to_angstrom(values, unit, where)
    finite = wave[np.isfinite(wave)]
    if not units and finite.size and finite.max() < 2500:
        is_what = "loglam is not log10 of a wavelength in" if what == "loglam" else f"{finite.min():.6g} to {finite.max():.6g} is not"
        raise InputError(f"{where}: {is_what} Angstrom, and no unit is stated; give --unit nm (or um, m)")
    return wave, vacuum


def _planes(content: Content, roles: dict[str, str], wave: np.ndarray) -> _Planes:
    flux, gone = pixels(content.columns[roles["flux"]], content.vectors)
    shape = (len(flux), wave.shape[1])
    where = content.where

    def checked(values: np.ndarray, name: str) -> np.ndarray:
        if values.shape != shape:
            raise InputError(f"{where}: {name} has shape {values.shape}, expected {shape} (spectra, pixels)")
        return values

    checked(flux, roles["flux"])
    if len(wave) not in (1, len(flux)):
        raise InputError(f"{where}: wavelengths of {len(wave)} spectra for fluxes of {len(flux)}")
    if gone is not None:
        flux = np.where(gone, np.nan, flux)
    ivar = _inverse_variance(content, roles, checked)
    # Of a flux per frequency: the factor is of no consequence, the slope is.
    if per_frequency(content.columns[roles["flux"]].unit, f"{where}: column {roles['flux']}"):
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = (np.nanmedian(wave, axis=1, keepdims=True) / wave) ** 2
        flux = flux * factor
        ivar = None if ivar is None else ivar / factor**2
        tell("fluxes per frequency are converted to fluxes per wavelength")
    mask = ~np.isfinite(flux)
    if "mask" in roles:
        mask |= checked(bad_pixels(content.columns[roles["mask"]], content.vectors), roles["mask"])
    return _Planes(wave, flux, mask, ivar)


def _inverse_variance(content: Content, roles: dict[str, str], checked) -> np.ndarray | None:
    what = next((what for what in ("ivar", "error", "variance") if what in roles), None)
    if what is None:
        return None
    column = content.columns[roles[what]]
    values, gone = pixels(column, content.vectors)
    checked(values, roles[what])
    flux_unit = content.columns[roles["flux"]].unit
    power = {"ivar": -2, "error": 1, "variance": 2}[what]
    ratio = unit_ratio(column.unit, flux_unit, power, f"{content.where}: column {roles[what]}")
    if what == "ivar" and ratio == 1 and gone is None:
        return values
    values = values.astype(np.float64) * ratio
    good = np.isfinite(values) if gone is None else np.isfinite(values) & ~gone
    if what == "ivar":
        return np.where(good, values, 0.0)
    good &= values > 0
    with np.errstate(over="ignore"):
        size = np.where(good, values, 1.0)
        return np.where(good, 1.0 / (size**2 if what == "error" else size), 0.0)


def _one_wave(planes: _Planes, where: str):
    """Rows and planes of the spectra that share wavelengths, these increasing, without pixels that are padding."""
    if len(planes.wave) == 1:
        groups = [np.arange(len(planes.flux))]
    else:
        seen: dict[bytes, list[int]] = {}
        for row, values in enumerate(planes.wave):
            seen.setdefault(values.tobytes(), []).append(row)
        groups = [np.array(rows) for rows in seen.values()]
    for rows in groups:
        every = slice(None) if len(groups) == 1 else rows
        part = planes.select(every, slice(None))
        wave = part.wave[0]
        # Spectra of other lengths are padded in tables of vectors: there is neither wavelength nor flux.
        padding = ~(np.isfinite(wave) & (wave > 0)) & (part.mask | (part.flux == 0)).all(axis=0)
        if padding.any():
            part = part.select(slice(None), ~padding)
            wave = part.wave[0]
        if len(wave) > 1 and wave[0] > wave[-1]:
            part = part.select(slice(None), slice(None, None, -1))
        part.wave = part.wave[:1]
        check_wave(part.wave[0], where)
        yield rows, part


def _stars(
    content: Content, roles: dict[str, str], n: int, path: Path, frame: str, stated: Stated
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Columns of the stars, file and velocity among them, and the identifiers."""
    meta: dict[str, np.ndarray] = {}
    ids = np.full(n, NO_ID, dtype=np.int64)
    velocity = np.full(n, 0.0 if frame == "rest" else np.nan)
    for name, column in content.columns.items():
        what = next((role for role, given in roles.items() if given == name), None)
        if not content.vectors:
            if what not in ("id", "velocity", "star", "class", "subclass"):
                continue
            # One value for all pixels; more of them are those of several spectra.
            if len(set(column.text().tolist())) > 1:
                raise InputError(
                    f"{content.where}: column {name} differs from row to row: several spectra below each other; write one file per "
                    "spectrum, or one row per spectrum in parquet, npz or FITS"
                )
            column = column.take(np.arange(1))
        if len(column) != n:
            if not column.is_vector and what in ("id", "velocity", "star", "class", "subclass"):
                raise InputError(f"{content.where}: {name} has {len(column)} values for {n} spectra")
            continue
        if column.is_vector:
            continue
        if what == "id":
            ids = column.ids()
        elif what == "velocity":
            given = column.numbers("velocity")
            velocity = given if frame == "observed" else np.where(np.isnan(given), velocity, given)
        elif what in (None, "star", "class", "subclass"):
            meta[what or name] = column.text() if what else column.natural()
    for what in ("star", "class", "subclass"):
        if what not in meta and content.said(what):
            meta[what] = np.full(n, content.said(what))
    for what in ("ra", "dec"):
        if what not in meta and content.said(what):
            number = _number(content.said(what), what, content.where)
            meta[what] = np.full(n, number)
    if content.said("id") and "id" not in roles:
        ids = np.repeat(to_int64(np.array([content.said("id")]), f"{content.where}: id", unsigned=True), n)
    if content.said("velocity") and "velocity" not in roles:
        velocity = np.full(n, _number(content.said("velocity").removesuffix("km/s"), "velocity", content.where))
    if "velocity" in content.stars:
        velocity = content.stars["velocity"].astype(np.float64)
    for name, array in content.stars.items():
        if len(array) != n:
            raise InputError(f"{content.where}: {name} has {len(array)} values for {n} spectra")
        meta[name] = array
    file = meta.pop("file", np.full(n, path.name)).astype(str)
    return {"file": file, "velocity": velocity, **{k: v for k, v in meta.items() if k != "velocity"}}, ids


def _number(text: str, what: str, where: str) -> float:
    if not re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?\s*|nan", text, re.IGNORECASE):
        raise InputError(f"{where}: {what} '{shown(text)}' is no number")
    return float(text.upper().replace("D", "E") if text.strip().lower() != "nan" else "nan")


def _tell_doubtful(content: Content, roles: dict[str, str]) -> None:
    """Columns that may mark bad pixels are not used unless the user says what they are."""
    if "mask" in roles:
        return
    for name in content.columns:
        if split_name(name)[0] in DOUBTFUL:
            tell(f"column {shown(name)} is not used; if what is not zero there is bad, say --columns mask={shown(name)}")

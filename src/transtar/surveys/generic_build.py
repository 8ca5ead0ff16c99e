"""From the columns of a file to batches: what the columns are, in which unit, medium and frame, checked and converted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..spectra import FRAMES, SpectrumBatch, check_wave, inverse_variance, to_single
from ..telling import tell
from .air import air_to_vacuum
from .generic_axis import agreed, find_medium, find_wavelengths, note_constant
from .generic_content import Content, bad_pixels, pixels
from .generic_names import DOUBTFUL, PER_FREQUENCY, assign, listed, split_name
from .generic_stars import find_stars
from .stated import Stated
from .wave_units import is_flux_unit, per_frequency, same_flux_unit, states, unit_ratio


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
        Masked where the file's own mask says so or there is no flux; ivar is 0 where an error is not positive, and missing
        where none of a spectrum is.

    Raises
    ------
    InputError
        If columns are missing or could each be one thing, shapes differ, a unit is not known, the medium is not stated, or the
        file says something else than `stated`.
    """
    stated = stated or Stated()
    names = list(content.columns)
    roles = content.roles or assign(names, content.where, stated.columns, content.utypes)
    if "flux" not in roles or not {"wave", "loglam"} & set(roles):
        raise InputError(
            f"{content.where}: needs wave (or loglam) and flux; {listed(names)}; if they have other names, say "
            "--columns wave=NAME flux=NAME"
        )
    _take_units_of_names(content, roles)
    _tell_doubtful(content, roles)
    for what in ("medium", "frame"):
        note_constant(content, roles.get(what), what)
    wave, vacuum = find_wavelengths(content, roles, stated)
    medium = find_medium(content, roles, stated, vacuum)
    frame = agreed(content, "frame", FRAMES, [], stated.frame) or "observed"
    if wave.ndim != 2:
        raise InputError(
            f"{content.where}: wavelengths of {wave.ndim - 1} dimensions in a row; expected one value per pixel"
        )
    planes = _planes(content, roles, wave)
    meta, ids = find_stars(content, roles, len(planes.flux), path, frame, "id" in stated.columns)
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
    if content.empty:
        left = {**batches[0].left_out, "no values": content.empty}
        batches[0] = replace(batches[0], left_out=left)
    return batches


def _take_units_of_names(content: Content, roles: dict[str, str]) -> None:
    """The unit in a name, such as flux [Jy], is that of the column; that of wavelengths is compared in `generic_axis`.

    What else stands in brackets, such as (normalised), is no unit.
    """
    for what, name in roles.items():
        column, unit = content.columns[name], split_name(name)[1]
        if what in ("wave", "loglam") or not is_flux_unit(unit):
            continue
        if states(column.unit) and is_flux_unit(column.unit) and not same_flux_unit(column.unit, unit):
            raise InputError(
                f"{content.where}: column {shown(name)}: in '{shown(column.unit, 40)}' by its unit, in '{shown(unit, 40)}' by "
                "its name; which is right?"
            )
        content.columns[name] = replace(column, unit=column.unit if states(column.unit) else unit)


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
    flux_unit, name = content.columns[roles["flux"]].unit, roles["flux"]
    frequency = per_frequency(flux_unit, f"{where}: column {name}", split_name(name)[0] in PER_FREQUENCY)
    ivar = _inverse_variance(content, roles, checked)
    if frequency:
        # The factor is of no consequence, the slope is.
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
    if gone is not None:
        values = np.where(gone, np.nan, values)
    if what == "ivar":
        return np.where(np.isfinite(values), values, 0.0)
    with np.errstate(invalid="ignore"):
        return inverse_variance(values if what == "error" else np.sqrt(values), "generic")


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


def _tell_doubtful(content: Content, roles: dict[str, str]) -> None:
    """Columns that may mark bad pixels are not used unless the user says what they are."""
    if "mask" in roles:
        return
    for name in content.columns:
        if split_name(name)[0] in DOUBTFUL:
            tell(
                f"column {shown(name)} is not used; if what is not zero there is bad, say --columns mask={shown(name)}"
            )

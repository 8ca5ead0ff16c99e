"""What the lines of real stars have that synthetic ones lack: a correction per pixel, learnt on real stars with labels.

Line lists, model atmospheres and missing molecules (CN, C2) make synthetic lines too deep or too shallow by the same amount
whatever instrument looks at them, so a correction learnt on one survey holds for another. It is::

    corrected = flux - (1 - flux) (a0 + a1 t + a2 s) - z (b0 + b1 t + b2 s)

with t = (Teff - 5500 K) / 1000 K, s rising from 0 for dwarfs to 1 for giants about log g = 3.5, and z = 10^(0.7 [Fe/H]).
The first term scales the depth of lines that are there and vanishes with them in metal-poor stars; the second adds
absorption that is not there at all, and fades with metallicity. The six coefficients of a pixel are a ridge regression on
the differences between real spectra and synthetic ones of the same labels, seen through the same instrument at the same
S/N: noise lifts an upper envelope, and without it real spectra seem to have 0.01 to 0.03 more absorption.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ...errors import InputError, SettingsError, shown
from ...files import atomic_path
from ...preprocess import Preprocessing

TEFF_RANGE = (4300.0, 6900.0)
"""Kelvin; the regressors are held within."""

LABELS = ("teff", "logg", "feh")


@dataclass(frozen=True)
class LineCorrection:
    """Coefficients of the correction.

    Parameters
    ----------
    name : str
    depth, added : ndarray, shape (3, n_grid), float32
        Coefficients of 1, t and s.
    preprocessing : Preprocessing
        How the spectra were prepared from which it was learnt, and those must be that it corrects.
    info : dict
        Where it is from.
    stars : dict of str to ndarray, shape (n_stars,)
        ``survey``, ``id`` (int64), ``file`` and ``star`` of those it was learnt on: what is trained on spectra that it
        corrected has seen them, too.
    """

    name: str
    depth: np.ndarray
    added: np.ndarray
    preprocessing: Preprocessing
    info: dict[str, Any] = field(default_factory=dict)
    stars: dict[str, np.ndarray] = field(default_factory=dict)

    def apply(self, flux: np.ndarray, labels: Mapping[str, np.ndarray], depth: np.ndarray | None = None) -> np.ndarray:
        """Correct synthetic spectra.

        Parameters
        ----------
        flux : ndarray, shape (n, n_grid)
            Continuum-normalised.
        labels : mapping of str to ndarray, shape (n,)
            teff (K), logg and feh (dex).
        depth : ndarray, shape (n, n_grid), optional
            Depth of the lines without noise, if `flux` has some.

        Returns
        -------
        ndarray, shape (n, n_grid), float32
        """
        steps, fading = regressors(labels)
        depth = 1 - flux if depth is None else depth
        scaled = (steps @ self.depth) * depth + ((fading[:, None] * steps) @ self.added)
        return (flux - scaled).astype(np.float32)

    def save(self, path: str | Path) -> Path:
        """Write it as one npz file."""
        with atomic_path(Path(path)) as temporary, open(temporary, "wb") as file:
            np.savez(
                file, name=self.name, depth=self.depth.astype(np.float32), added=self.added.astype(np.float32),
                preprocessing=json.dumps(self.preprocessing.to_dict(), sort_keys=True),
                info=json.dumps(self.info, sort_keys=True),
                **{f"star_{name}": column for name, column in self.stars.items()},  # type: ignore[arg-type]
            )  # fmt: skip
        return Path(path)


def load_lines(name: str | Path) -> LineCorrection:
    """Read a correction: a shipped one by name, or a file.

    Raises
    ------
    InputError
        If there is none, or the file holds something else.
    """
    shipped = package_files("transtar.simulate") / "data" / "lines" / f"{name}.npz"
    path = Path(str(shipped)) if shipped.is_file() else Path(name)
    if not path.is_file():
        raise InputError(f"{name}: neither a file nor a shipped line correction; shipped: {', '.join(shipped_lines())}")
    try:
        with np.load(path, allow_pickle=False) as content:
            return LineCorrection(
                name=str(content["name"]),
                depth=content["depth"],
                added=content["added"],
                preprocessing=Preprocessing.from_stored(json.loads(str(content["preprocessing"]))),
                info=json.loads(str(content["info"])),
                stars={key[5:]: content[key] for key in content.files if key.startswith("star_")},
            )
    except (OSError, KeyError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: not a line correction ({str(error).splitlines()[0]})") from error


def lines_of_model(provenance) -> str | None:
    """Name of the correction of the mock stars that a model has learnt from, as far as it ships with transtar.

    A model says a name, and a stranger's model may say any: no file is read because of it.

    Parameters
    ----------
    provenance : sequence of dict
        Steps of training.

    Returns
    -------
    str or None
        None if there is no correction.

    Raises
    ------
    InputError
        If it does not ship.
    """
    name = next((step["mock"].get("lines") for step in provenance if step.get("mock")), None)
    if name and name not in shipped_lines():
        raise InputError(
            f"the model has learnt with the line correction '{shown(name)}', which does not ship; name its file"
        )
    return name or None


def shipped_lines() -> list[str]:
    """Names of the corrections that ship with transtar."""
    folder = package_files("transtar.simulate") / "data" / "lines"
    return sorted(p.name.removesuffix(".npz") for p in folder.iterdir() if p.name.endswith(".npz"))


def regressors(labels: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """1, t and s, shape (n, 3), and z, shape (n,)."""
    absent = [name for name in LABELS if name not in labels]
    if absent:
        raise SettingsError(f"line correction: needs the labels {', '.join(LABELS)}; missing: {', '.join(absent)}")
    teff, logg, feh = (np.asarray(labels[name], float) for name in LABELS)
    t = (np.clip(teff, *TEFF_RANGE) - 5500) / 1000
    giant = 1 / (1 + np.exp((logg - 3.5) / 0.25))
    return np.stack([np.ones_like(t), t, giant], axis=1), 10 ** (0.7 * np.clip(feh, -3, 0.5))

"""What the gate and the second opinion tell of: hot stars, white dwarfs, galaxies, sky, no spectra; and of ordinary stars.

    python -m benchmarks.strange_stars [--models mock-feh]

prints a row for each kind: how many there are, and the shares that get no label, that are told (without a label, or flagged
bad), and that are only warned of (DOUBTFUL, NO_GATE). Everything goes through native spectra as in ``transtar predict``. Needs
the files in `TRANSTAR_DATA`. No star of MILES or LAMOST has taught the gate; white dwarfs are those that were kept aside.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.table import Table

from benchmarks.common import DATA, lamost_spectra, seconds
from tools import strange_spectra as strange
from transtar.catalog import predict_batches, predict_files, predict_spectra
from transtar.datasets import prepare, read_set
from transtar.errors import TranstarError
from transtar.flags import BAD, Flag, flag_names, has
from transtar.models import load_estimator
from transtar.preprocess import preprocess
from transtar.simulate import load_emulator
from transtar.simulate.emulator.emulator import Emulator
from transtar.simulate.emulator.model_spectra import ModelSpectra
from transtar.simulate.instruments.effects import Effects
from transtar.simulate.instruments.instrument import DESI, LAMOST, Instrument
from transtar.simulate.instruments.observe import observe
from transtar.simulate.mocks.mock_sets import training_stars, within
from transtar.spectra import SpectrumBatch
from transtar.surveys import Stated, get_survey, stream
from transtar.trust import Witnesses, witnesses_for
from transtar.trust.second_opinion import load_second_opinion

PUBLIC = {
    "galaxies of LAMOST": [("lamost", f"lamost_formats/{name}") for name in (
        "spec-55915-F5591503_sp05-112.fits.gz", "spec-57287-KP193637N444141V03_sp10-161.fits.gz",
        "spec-58397-EG014118N254444M01_sp03-031.fits", "spec-58575-HD103621N361936B01_sp03-025.fits",
        "spec-58575-HD103621N361936B01_sp03-062.fits", "spec-58575-HD103621N361936B01_sp03-182.fits",
    )],
    "SDSS": [("generic", f"public/sdss/{name}") for name in (
        "spec-0548-51986-0001.fits", "spec-1947-53431-0184.fits", "spec-2942-54521-0124.fits",
        "spec-3586-55181-0500.fits.gz",
    )],
    "text": [("generic", f"public/text/{name}") for name in (
        "SDSS J115537.98-004614.2.csv", "spec-0266-51630-0015__A0.txt", "spec-0275-51910-0522__K7.fits.txt",
        "spec-3609-55201-0560__G8V_HD101501.fits.txt", "spec-3647-56596-0276__K1III_HD18322.fits.txt",
    )],
    "DESI": [("desi", f"desi/{name}") for name in (
        "coadd-4-80613-thru20210324.fits", "coadd-special-dark-27247.fits", "desihigh-coadd-mws-66003-20200315.fits",
    )],
}  # fmt: skip
"""Single files, by survey; those whose header says galaxy, quasar, sky or hot star are to be told, others not."""


@dataclass(frozen=True)
class Kind:
    """What was told of the spectra of one kind."""

    name: str
    flags: np.ndarray
    labels: np.ndarray

    def row(self) -> str:
        """One line of the table."""
        n = len(self.flags)
        if not n:
            return f"{self.name:44s}     0"
        none = np.isnan(self.labels)
        told = none | has(self.flags, BAD)
        warned = ~told & has(self.flags, Flag.DOUBTFUL | Flag.NO_GATE)
        return f"{self.name:44s} {n:5d} {none.mean():9.3f} {told.mean():7.3f} {warned.mean():7.3f} {(told | warned).mean():7.3f}"


def table_of(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Columns of a label file; numbers as float64, NaN where there is none."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {"file": np.array([row["file"] for row in rows])} | {
        name: np.array([float(row[name] or "nan") for row in rows]) for name in names
    }


def real_stars(models: list[str]) -> list[Kind]:
    """MILES and LAMOST by their labels."""
    kinds = []
    for survey, folder in (("miles", "miles"), ("lamost", "lamost_dr10")):
        catalog = predict_files(models, survey, DATA / folder / "spectra").columns
        assert catalog is not None
        known = table_of(DATA / folder / "labels.csv", "teff", "logg", "feh")
        rows = {file: row for row, file in enumerate(known["file"].tolist())}
        place = np.array([rows.get(file, -1) for file in catalog["file"].tolist()])
        teff, feh = (np.where(place >= 0, known[name][place], np.nan) for name in ("teff", "feh"))
        clear = ~(catalog["snr"] <= 20)
        ordinary = (teff >= 4500) & (teff <= 6800) & clear
        choices = {
            "above 8000 K": teff > 8000, "7500 to 8000 K": (teff > 7500) & (teff <= 8000), "below 4000 K": teff < 4000,
            "4500 to 6800 K": ordinary, "4500 to 6800 K, [Fe/H] < -1": ordinary & (feh < -1),
        }  # fmt: skip
        for name, chosen in choices.items():
            if chosen.any():
                kinds.append(Kind(f"{survey}, {name}", catalog["flags"][chosen], catalog["feh"][chosen]))
        if survey == "lamost":
            poor = ordinary & (feh < -1)
            told = poor & (np.isnan(catalog["feh"]) | has(catalog["flags"], BAD))
            excess, misfit = balmer_excess(DATA / folder, catalog["file"], known, place)
            for row in np.flatnonzero(told):
                print(
                    f"lamost, told: {catalog['file'][row]}, LASP {teff[row]:.0f} K, [Fe/H] {feh[row]:.2f}, S/N "
                    f"{catalog['snr'][row]:.0f}; strange {catalog['strange'][row]:.3f}; with these labels: misfit "
                    f"{misfit[row]:.2f}, Balmer lines too strong by {', '.join(f'{one:.1f}' for one in excess[row])} A"
                )
            low, high = np.nanquantile(excess[poor & ~told], [0.05, 0.95], axis=0)
            between = ", ".join(f"{a:+.1f} to {b:+.1f}" for a, b in zip(low, high, strict=True))
            print(f"lamost, other metal-poor stars: Balmer lines off by {between} A (90 % of them)")
    return kinds


BALMER = {"H-delta": (4102.9, 30.0), "H-gamma": (4341.7, 35.0), "H-beta": (4862.7, 35.0)}
"""Vacuum Angstrom: centre, and half the width over which a line is summed up."""


def balmer_excess(folder: Path, files: np.ndarray, known: dict[str, np.ndarray], place: np.ndarray):
    """Equivalent widths of Balmer lines beyond those of twins of the catalog's labels (n, 3) in Angstrom, and the misfits (n,).

    What is stronger by several Angstrom than in a star of these labels is a hotter star, whatever the catalog says.
    """
    second = load_second_opinion()
    with TemporaryDirectory() as temporary:
        prepare("lamost", folder / "spectra", Path(temporary) / "set")
        prepared = read_set(Path(temporary) / "set")
        flux, ivar = np.asarray(prepared.flux), np.asarray(prepared.ivar)
    rows = {file: row for row, file in enumerate(prepared.columns["file"].tolist())}
    order = np.array([rows[file] for file in files.tolist()])
    labels = {name: known[name][place] for name in ("teff", "logg", "feh")}
    opinion = second.look(flux[order], ivar[order], labels, want_twins=True)
    assert opinion.twin is not None
    step = np.gradient(prepared.wave)
    missing = np.where(ivar[order] > 0, (opinion.twin - flux[order]) * step, 0)
    sums = [missing[:, np.abs(prepared.wave - wave) < half].sum(axis=1) for wave, half in BALMER.values()]
    return np.stack(sums, axis=1), opinion.misfit


def public_files(models: list[str]) -> None:
    """Single files of others, one line each."""
    for title, files in PUBLIC.items():
        for survey, name in files:
            if not (DATA / name).is_file():
                continue
            try:
                stated = Stated(medium="vacuum") if title == "text" else None
                # What the header says of the class is hidden, and the velocity is measured; then taken for 0.
                batches = [hidden(batch) for batch in stream(get_survey(survey).stating(stated), DATA / name)]
                catalog = predict_spectra(models, batches, velocities="measure").columns
                resting = predict_spectra(models, [at_rest(batch) for batch in batches]).columns
            except TranstarError as error:
                print(f"{title}: {Path(name).name}: refused: {error}")
                continue
            assert catalog is not None
            assert resting is not None
            n = len(catalog["feh"])
            also = int((np.isnan(resting["feh"]) | has(resting["flags"], BAD)).sum())
            told = np.isnan(catalog["feh"]) | has(catalog["flags"], BAD)
            words = flag_names(catalog["flags"])
            shown = (
                f"{words[0]}; strange {catalog['strange'][0]:.3f}, misfit {catalog['misfit'][0]:.2f}" if n == 1 else ""
            )
            print(f"{title}: {Path(name).name}: told {int(told.sum())} of {n} {shown}; at velocity 0: {also} of {n}")


def hidden(batch: SpectrumBatch) -> SpectrumBatch:
    """The same without what the survey says it is."""
    return replace(
        batch, meta={name: values for name, values in batch.meta.items() if name not in ("class", "subclass")}
    )


def at_rest(batch: SpectrumBatch) -> SpectrumBatch:
    """The same with a velocity of 0."""
    return replace(batch, meta=batch.meta | {"velocity": np.zeros(len(batch))})


def seen_by(
    instrument: Instrument, model: ModelSpectra, stars: Table, seed: int, snr: tuple[float, float]
) -> SpectrumBatch:
    """Objects as an instrument sees them, all arms working."""
    low, high = np.log(snr)
    drawn = np.exp(np.random.default_rng([seed, 1]).uniform(low, high, len(stars)))
    return observe(instrument, model, stars, seed=seed, snr=drawn, effects=Effects(missing_arms=False))


def mock_stars(emulator: Emulator, n: int, seed: int) -> tuple[ModelSpectra, Table]:
    """Spectra of ordinary stars, and the stars."""
    drawn = training_stars(2 * n, seed)
    drawn = drawn[np.random.default_rng(seed).permutation(len(drawn))]
    drawn["source_id"] = np.arange(1, len(drawn) + 1, dtype=np.int64)
    kept, labels = within(drawn, emulator)
    return ModelSpectra.from_emulator(emulator, labels[:n]), kept[:n]


def made_up(models: list[str], templates: Path, n: int = 300) -> list[Kind]:
    """White dwarfs, and what is done to ordinary mock stars, as LAMOST and DESI see them."""
    emulator = load_emulator()
    generator = np.random.default_rng(11)
    kinds, ordinary = [], mock_stars(emulator, n, 61)
    for instrument in (LAMOST, DESI):
        name = instrument.name
        if templates.is_dir():
            flux = strange.stars(templates, "WD", n, generator, strange.white_dwarf_rows(True))
            batch = seen_by(instrument, strange.as_model(flux), ordinary[1], 51, (10, 50))
            kinds.append(told_of(f"white dwarfs kept aside, {name}, S/N 10 to 50", batch, models))
        stars = seen_by(instrument, *ordinary, 62, (20, 200))
        kinds.append(told_of(f"ordinary mock stars, {name}", stars, models))
        for off in (300.0, -300.0):
            moved = replace(stars, meta=stars.meta | {"velocity": stars.meta["velocity"] + off})
            kinds.append(told_of(f"velocities off by {off:+.0f} km/s, {name}", moved, models))
        kinds.append(told_of(f"air for vacuum, {name}, S/N above 20", replace(stars, wave=air(stars.wave)), models))
        finite = np.nan_to_num(stars.flux)
        level = np.median(finite, axis=1, keepdims=True)
        kinds.append(
            told_of(f"flux reversed, {name}", replace(stars, flux=np.ascontiguousarray(finite[:, ::-1])), models)
        )
        noise = level * (1 + 0.3 * generator.normal(size=finite.shape)).astype(np.float32)
        kinds.append(told_of(f"noise of 0.3 about a level, {name}", replace(stars, flux=noise, ivar=None), models))
        noise = level * generator.normal(size=finite.shape).astype(np.float32)
        kinds.append(told_of(f"noise about zero, {name}", replace(stars, flux=noise, ivar=None), models))
        flat = level * (1 + 1e-3 * generator.normal(size=finite.shape)).astype(np.float32)
        kinds.append(told_of(f"flat lines, {name}", replace(stars, flux=flat, ivar=None), models))
    return kinds


def air(wave: np.ndarray) -> np.ndarray:
    """Wavelengths in air of vacuum ones (Ciddor 1996, as in the VALD wiki), to be taken for vacuum ones."""
    s = (1e4 / wave) ** 2
    return wave / (1 + 8.34254e-5 + 2.406147e-2 / (130 - s) + 1.5998e-4 / (38.9 - s))


def told_of(name: str, batch: SpectrumBatch, models: list[str]) -> Kind:
    """Predict, and keep what was told."""
    catalog = predict_spectra(
        models, replace(batch, meta={k: v for k, v in batch.meta.items() if k != "mask_bits"})
    ).columns
    assert catalog is not None
    return Kind(name, catalog["flags"], catalog["feh"])


def print_speed(models: list[str], n: int = 2048) -> None:
    """How long predicting takes with the witnesses and without them, from prepared spectra."""
    batch = lamost_spectra(n)
    estimators = [load_estimator(model) for model in models]
    spectra = preprocess(batch, estimators[0].preprocessing)

    def run(witnesses: Witnesses) -> float:
        return seconds(lambda: list(predict_batches(estimators, [(batch, spectra)], witnesses=witnesses)))

    without, both = run(Witnesses(None, None)), run(witnesses_for(estimators[0].preprocessing))
    print(
        f"{n} prepared spectra, {len(models)} models: {n / without:,.0f} a second without witnesses, {n / both:,.0f} with them"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["mock-feh"])
    parser.add_argument("--speed", action="store_true", help="only how long it takes")
    given = parser.parse_args()
    if given.speed:
        return print_speed(given.models)
    warnings.simplefilter("ignore", UserWarning)
    kinds = real_stars(given.models)
    public_files(given.models)
    kinds += made_up(given.models, DATA / "redrock_templates")
    print(f"{'':44s}     n  no label    told  warned  either")
    for kind in kinds:
        print(kind.row())


if __name__ == "__main__":
    main()

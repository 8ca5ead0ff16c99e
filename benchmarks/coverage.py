"""How well errors cover, star by star: the tables of docs/errors.md.

Run from the project root, with `TRANSTAR_DATA`: ``python -m benchmarks.coverage [noise] [lamost] [miles] [desi] [widths]``, all
by default; 20 minutes on one core. Shares within the 68 and 95 % intervals, with labels' noise in quadrature, and in brackets by
how many binomial errors they are off. Kinds of stars are told by predicted labels. MILES stars are those of 4000 to 7000 K.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from benchmarks.common import DATA
from tools.error_tables import CENARRO, LABELS, Columns, base_name, labelled, rows_of, told
from transtar.datasets import Stars, nested_subsets, preprocess_batch
from transtar.labels import read_split
from transtar.models import Estimator, load_estimator
from transtar.models.error_table import LEVELS, ErrorTable
from transtar.preprocess import GridSpectra, Preprocessing
from transtar.simulate.emulator.emulator_storage import load_emulator
from transtar.simulate.emulator.model_spectra import ModelSpectra
from transtar.simulate.instruments.effects import Effects
from transtar.simulate.instruments.instrument import DESI, Instrument
from transtar.simulate.instruments.instrument import LAMOST as LAMOST_INSTRUMENT
from transtar.simulate.instruments.observe import observe
from transtar.simulate.mocks.mock_sets import corrections, training_stars, within
from transtar.simulate.mocks.observed_lines import real_lines
from transtar.surveys import read
from transtar.train import Strategy, finetune, make_strategy
from transtar.trust.conformal import bins_of, covered, fit_error_table
from transtar.trust.cross_conformal import with_errors
from transtar.trust.photon_noise import photon_noise

SNR_BINS = ((0.0, 20.0), (20.0, 50.0), (50.0, 1e9))
SEEDS = (0, 1, 2)
COUNTS = (50, 100, 200)
DRAWS = 200
EXACT = (0.0, 0.0)


def head(first: str) -> list[str]:
    """Head of a table of shares."""
    return [f"| {first} | stars | 68 % | 95 % | mean half width 68 % |", "|---|---|---|---|---|"]


def share_rows(residual, halves, noise, bins: dict[str, np.ndarray], runs: int = 1) -> list[str]:
    """A row for each bin; of stars that occur in several runs each counts once in the binomial error."""
    inside, lines = covered(residual, halves, noise), []
    for name, mask in bins.items():
        rows = mask & np.isfinite(residual)
        if rows.any():
            n = rows.sum() / runs
            shares = inside[rows].mean(axis=0)
            off = [
                (share - level) / np.sqrt(level * (1 - level) / n) for share, level in zip(shares, LEVELS, strict=True)
            ]
            cells = " | ".join(f"{share:.1%} ({one:+.1f})" for share, one in zip(shares, off, strict=True))
            lines.append(f"| {name} | {n:.0f} | {cells} | {halves[rows, 0].mean():.3g} |")
    return lines


def snr_masks(snr: np.ndarray) -> dict[str, np.ndarray]:
    """Bins of S/N."""
    names = [f"S/N {low:.0f} to {high:.0f}" if high < 1e9 else f"S/N above {low:.0f}" for low, high in SNR_BINS]
    return {name: (snr >= low) & (snr < high) for name, (low, high) in zip(names, SNR_BINS, strict=True)}


def split_halves(residual, noise, kinds: Columns, snr, label_noise=EXACT, rounds: int = 20) -> np.ndarray:
    """Half widths of every star by tables of ten halves of the others, averaged in the square."""
    total = np.zeros((len(residual), 2))
    counts = np.zeros((len(residual), 1))
    for seed in range(rounds):
        part = np.random.default_rng(seed).permutation(len(residual)) % 2 == 0
        for some in (part, ~part):
            table = fit_error_table(
                residual[some], noise[some], rows_of(kinds, some), snr[some], told_by="mock", stars="half",
                label_noise=label_noise,
            )  # fmt: skip
            total[~some] += table.intervals(noise[~some], rows_of(kinds, ~some), snr[~some])[0] ** 2
            counts[~some] += 1
    return np.sqrt(total / counts)


def bench_noise() -> Iterator[str]:
    """Photon noise against noise drawn anew, on real spectra and on mock stars observed twice."""
    model = load_estimator("mock-feh")
    joint = [load_estimator(f"mock-{label}") for label in (*LABELS, "alphafe")]
    yield f"| LAMOST DR10 spectrum, S/N | scatter of {DRAWS} draws over what is told: feh, teff, logg, alphafe |"
    yield "|---|---|"
    for path, snr_of, teff, feh in _quiet_spectra(model):
        for snr in (60.0, 30.0, 15.0):
            scatter, noise = _drawn(path, snr_of, snr, joint)
            ratios = ", ".join(f"{one:.2f}" for one in scatter / noise)
            yield f"| {teff:.0f} K, {feh:+.1f}; {snr:.0f} | {ratios} |"
    yield ""
    yield "| mock stars, observed twice | stars | rms difference over sqrt 2 and what is told: feh, teff, logg, alphafe |"
    yield "|---|---|---|"
    for instrument in (LAMOST_INSTRUMENT, DESI):
        spectra, _ = mock_spectra(instrument, 1500, seed=5, only=("lsf", "noise"))
        again, _ = mock_spectra(instrument, 1500, seed=6, only=("lsf", "noise"))
        labels = [np.concatenate([one.predict(some.flux) for one in joint], axis=1) for some in (spectra, again)]
        noise = np.stack([photon_noise([one], spectra)[one.label_names[0]] for one in joint], axis=1)
        for name, rows in snr_masks(spectra.snr).items():
            pull = (labels[0] - labels[1])[rows] / noise[rows] / np.sqrt(2)
            usable = np.isfinite(pull).all(axis=1)
            ratios = ", ".join(f"{one:.2f}" for one in np.sqrt(np.mean(np.square(pull[usable]), axis=0)))
            yield f"| {instrument.name}, {name} | {usable.sum()} | {ratios} |"


def _quiet_spectra(model: Estimator) -> Iterator[tuple]:
    """Real spectra of high S/N of several kinds."""
    catalog, _ = labelled("lamost", DATA / "lamost_dr10")
    kinds = {
        "poor": catalog["feh"] < -1, "cool giant": (catalog["logg"] < 3) & (catalog["feh"] > -1),
        "cool dwarf": (catalog["teff"] < 5200) & (catalog["logg"] > 4.2), "hot": catalog["teff"] > 6400,
        "Sun": np.abs(catalog["teff"] - 5800) < 100,
    }  # fmt: skip
    for mask in kinds.values():
        row = int(np.argmax(np.where(mask & (catalog["flags"] & 0x1 == 0), catalog["snr"], 0)))
        path = DATA / "lamost_dr10" / "spectra" / base_name(catalog["file"][row])
        path = path if path.exists() else path.with_name(path.name + ".gz")
        yield path, catalog["snr"][row], catalog["teff"][row], catalog["feh"][row]


def _drawn(path, snr_of: float, snr: float, models: list[Estimator]) -> tuple[np.ndarray, np.ndarray]:
    """Scatter of labels of a spectrum that noise is added to, and the mean of what is told."""
    many = read("lamost", path).select(np.zeros(DRAWS, int))
    good = many.ivar[0] > 0
    sigma = np.where(good, 1 / np.sqrt(np.where(good, many.ivar[0], 1)), 0) * snr_of / snr
    flux = many.flux + np.random.default_rng(0).normal(size=many.flux.shape) * sigma
    ivar = np.broadcast_to(np.where(good, 1 / np.where(good, sigma, 1) ** 2, 0), flux.shape)
    noisy = replace(many, flux=flux.astype(np.float32), ivar=ivar.astype(np.float32))
    spectra = preprocess_batch(noisy, "lamost", models[0].preprocessing or Preprocessing())
    scatter = np.concatenate([one.predict(spectra.flux) for one in models], axis=1).std(axis=0, ddof=1)
    return scatter, np.array([photon_noise([one], spectra)[one.label_names[0]].mean() for one in models])


def mock_spectra(
    instrument: Instrument,
    n: int,
    seed: int,
    stars_seed: int = 77,
    only: tuple[str, ...] = (),
    snr_seed: int | None = None,
) -> tuple[GridSpectra, Columns]:
    """Mock stars as an instrument sees them, S/N of 8 to 150 that `snr_seed` draws, and their labels."""
    emulator = load_emulator()
    stars = training_stars(n, stars_seed)
    stars["source_id"] = np.arange(1, len(stars) + 1, dtype=np.int64)
    stars = stars[np.random.default_rng(stars_seed).permutation(len(stars))]
    stars, labels = within(stars, emulator)
    snr_seed = stars_seed + 1 if snr_seed is None else snr_seed
    snr = np.exp(np.random.default_rng(snr_seed).uniform(np.log(8), np.log(150), len(stars)))
    effects = Effects.only(*only) if only else Effects(missing_arms=False)
    columns = {name: labels[:, place] for place, name in enumerate(emulator.label_names)}
    lines = corrections("lamost-dr10", Preprocessing())
    assert lines is not None
    batch = observe(
        instrument, ModelSpectra.from_emulator(emulator, labels), stars,
        seed=seed, effects=effects, snr=snr, change=real_lines(lines, columns),
    )  # fmt: skip
    return preprocess_batch(batch, instrument.name, Preprocessing()), columns


def bench_lamost() -> Iterator[str]:
    """Real LAMOST stars, half of them judged by tables of the other half."""
    catalog, residual = labelled("lamost", DATA / "lamost_dr10")
    for label in LABELS:
        halves = split_halves(residual[label], catalog[f"{label}_noise"], told(catalog), catalog["snr"])
        yield from head(f"{label}, LAMOST, halves")
        yield from share_rows(
            residual[label], halves, EXACT, bins_of(told(catalog), len(halves)) | snr_masks(catalog["snr"])
        )
        yield ""


def bench_miles() -> Iterator[str]:
    """MILES by the shipped tables, by tables of half of the pool, and after fine-tuning on a few."""
    split = read_split(DATA / "miles" / "split.csv")
    files = np.array([base_name(file) for file in split["file"]])
    catalog, residual = labelled("miles", DATA / "miles", files)
    pool = np.isin([base_name(file) for file in catalog["file"]], files[np.asarray(split["split"]) == "pool"])
    kinds = bins_of(told(catalog), len(pool))
    for label in LABELS:
        table = load_estimator(f"mock-{label}").error_tables[label]
        yield from head(f"{label}, MILES, zero-shot, shipped")
        yield from share_rows(residual[label], _halves(table, catalog, label), CENARRO[label], kinds)
        yield ""
    yield from _few_shot(catalog, residual, pool)


def _halves(table: ErrorTable, catalog: Columns, label: str) -> np.ndarray:
    return table.intervals(catalog[f"{label}_noise"], told(catalog), catalog["snr"], "miles")[0]


def _few_shot(catalog: Columns, residual: Columns, pool: np.ndarray) -> Iterator[str]:
    flux = miles_flux(catalog)
    truth = {label: residual[label] + catalog[label] for label in LABELS}
    for strategy in (make_strategy("recalibrate"), make_strategy("full")):
        for label in LABELS if strategy.name == "recalibrate" else ("feh",):
            model = load_estimator(f"mock-{label}")
            for n in COUNTS:
                runs = list(_tuned(model, strategy, flux, truth, label, pool, n, CENARRO[label], told(catalog)))
                yield from head(f"{label}, MILES test, {strategy.name} on {n} ({len(runs)} seeds)")
                yield from _stacked(runs, CENARRO[label])
                yield ""


def miles_flux(catalog: Columns) -> np.ndarray:
    """Spectra of MILES stars on the grid, in the order of a catalog."""
    spectra = [read("miles", DATA / "miles" / "spectra" / base_name(file)) for file in catalog["file"]]
    return np.concatenate([preprocess_batch(one, "miles", Preprocessing()).flux for one in spectra])


def _tuned(
    model, strategy: Strategy, flux, truth: Columns, label, pool, n, noise, kinds: Columns, spectra=None
) -> Iterator[tuple]:
    """Residuals, half widths and labels that tell kinds of the stars beside the pool, for each seed."""
    places = np.flatnonzero(pool & np.isfinite(truth[label]))
    for seed in SEEDS if strategy.name == "recalibrate" else SEEDS[:2]:
        chosen = places[nested_subsets(places.astype(str), truth["feh"][places], [n], seed)[n]]
        stars = Stars(
            flux[chosen], truth[label][chosen], label, names=chosen.astype(str), survey="made", feh=truth["feh"][chosen],
            preprocessing=model.preprocessing, spectra=None if spectra is None else spectra.select(chosen),
        )  # fmt: skip
        adapted = finetune(model, stars, strategy=strategy, seed=seed)
        judged = with_errors(adapted, model, stars, strategy, seed=seed, label_noise={label: noise})
        rest = ~pool
        own = np.full(rest.sum(), np.nan) if spectra is None else photon_noise([adapted], spectra.select(rest))[label]
        snr = np.full(rest.sum(), np.nan) if spectra is None else spectra.snr[rest]
        halves, _ = judged.error_tables[label].intervals(own, rows_of(kinds, rest), snr)
        yield truth[label][rest] - adapted.predict(flux[rest])[:, 0], halves, rows_of(kinds, rest), snr


def _stacked(runs: list[tuple], noise) -> Iterable[str]:
    """Rows of the shares of all runs together."""
    residual, halves, snr = (np.concatenate([run[place] for run in runs]) for place in (0, 1, 3))
    kinds = {label: np.concatenate([run[2][label] for run in runs]) for label in runs[0][2]}
    bins = bins_of(kinds, len(residual)) | ({} if np.isnan(snr).all() else snr_masks(snr))
    return share_rows(residual, halves, noise, bins, len(runs))


def bench_desi() -> Iterator[str]:
    """Mock DESI stars, whose labels are the truth: zero-shot by the shipped tables, and after fine-tuning."""
    spectra, truth = mock_spectra(DESI, 3000, seed=3, stars_seed=31)
    usable = spectra.usable
    spectra, truth = spectra.select(usable), rows_of(truth, usable)
    models = {label: load_estimator(f"mock-{label}") for label in LABELS}
    kinds = {label: model.predict(spectra.flux)[:, 0] for label, model in models.items()}
    pool = np.arange(len(spectra)) < 600
    for label in ("feh", "teff", "logg"):
        noise = photon_noise([models[label]], spectra)[label]
        halves, _ = models[label].error_tables[label].intervals(noise, kinds, spectra.snr, "desi")
        yield from head(f"{label}, mock DESI, zero-shot, shipped (real LAMOST)")
        yield from share_rows(
            truth[label] - kinds[label], halves, EXACT, bins_of(kinds, len(spectra)) | snr_masks(spectra.snr)
        )
        yield ""
    for label in LABELS:
        for n in COUNTS:
            how = (
                models[label],
                make_strategy("recalibrate"),
                spectra.flux,
                truth,
                label,
                pool,
                n,
                EXACT,
                kinds,
                spectra,
            )
            runs = list(_tuned(*how))
            yield from head(f"{label}, mock DESI, recalibrate on {n} ({len(runs)} seeds)")
            yield from _stacked(runs, EXACT)
            yield ""


def bench_widths() -> Iterator[str]:
    """Mean widths against one constant for each regime, both scaled to hold exactly 68 and 95 % of all stars judged."""
    catalog, residual = labelled("lamost", DATA / "lamost_dr10")
    spectra, truth = mock_spectra(DESI, 3000, seed=3, stars_seed=31)
    yield "| stars | label | mean width over that of constants, 68 % | 95 % | median width, 68 % | 95 % |"
    yield "|---|---|---|---|---|---|"
    for label in LABELS:
        yield _width_row("LAMOST", label, residual[label], catalog[f"{label}_noise"], told(catalog), catalog["snr"])
    models = {label: load_estimator(f"mock-{label}") for label in LABELS}
    kinds = {label: model.predict(spectra.flux)[:, 0] for label, model in models.items()}
    for label, model in models.items():
        noise = photon_noise([model], spectra)[label]
        yield _width_row("mock DESI", label, truth[label] - kinds[label], noise, kinds, spectra.snr)


def _width_row(stars: str, label: str, residual, noise, kinds: Columns, snr) -> str:
    halves, size = split_halves(residual, noise, kinds, snr), np.abs(residual)
    poor, ratios = kinds["feh"] < -1, []
    for place, level in enumerate(LEVELS):
        constant = np.where(poor, np.quantile(size[poor], level), np.quantile(size[~poor], level))
        scaled = [width * np.quantile(size / width, level) for width in (halves[:, place], constant)]
        ratios.append([np.mean(scaled[0]) / np.mean(scaled[1]), np.median(scaled[0]) / np.median(scaled[1])])
    (mean_68, median_68), (mean_95, median_95) = ratios
    return f"| {stars} | {label} | {mean_68:.2f} | {mean_95:.2f} | {median_68:.2f} | {median_95:.2f} |"


BENCHES = {
    "noise": bench_noise,
    "lamost": bench_lamost,
    "miles": bench_miles,
    "desi": bench_desi,
    "widths": bench_widths,
}


def main() -> None:
    """Print the tables asked for."""
    for name in sys.argv[1:] or BENCHES:
        for line in BENCHES[name]():
            print(line, flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()

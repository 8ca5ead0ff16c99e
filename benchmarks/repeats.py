"""What `transtar recommend` makes of repeats: ``python -m benchmarks.repeats [stars]``, 400 by default; a few minutes.

Mock stars are observed sixteen times, with other noise each time, by LAMOST and DESI, at S/N from 8 to 150: of a star always
the same, or another at each visit. Two means of n visits that have none in common differ by their noise alone. Printed are,
for each label, the rms of means of n visits times sqrt(n) over that of single ones; the pull, their rms over the noise that is
told of them; and the pull of the inner two thirds, half the range from 16 to 84 %. Where the S/N is another at each visit,
the first number is the rms over that of means that weigh all visits alike.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from benchmarks.coverage import mock_spectra
from transtar.catalog import recommend
from transtar.models import load_estimator
from transtar.simulate.instruments.instrument import DESI, Instrument
from transtar.simulate.instruments.instrument import LAMOST as LAMOST_INSTRUMENT
from transtar.trust.photon_noise import photon_noise, with_common_parts

LABELS = ("feh", "alphafe", "teff", "logg")
VISITS = 16
COUNTS = (1, 2, 4, 8)
DRAWS = 6
"""Ways to draw the visits of two means."""


def observed(instrument: Instrument, n: int, mixed: bool) -> dict[str, np.ndarray]:
    """A catalog of all visits of all stars, one visit after another; `visit` numbers them."""
    models = with_common_parts([load_estimator(f"mock-{label}") for label in LABELS])
    parts = []
    for visit in range(VISITS):
        spectra, _ = mock_spectra(
            instrument, n, seed=100 + visit, only=("lsf", "noise"), snr_seed=1000 + visit if mixed else None
        )
        names = [name for model in models for name in model.label_names]
        values = np.concatenate([model.predict(spectra.flux) for model in models], axis=1)
        noise = photon_noise(models, spectra)
        part = {name: values[:, place].astype(np.float64) for place, name in enumerate(names)}
        part |= {f"{name}_noise": noise[name] for name in names}
        part |= {
            "id": np.arange(len(values)),
            "visit": np.full(len(values), visit),
            "snr": spectra.snr.astype(np.float64),
        }
        part |= {"flags": np.zeros(len(values), np.int32), "survey": np.full(len(values), instrument.name)}
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def rms(values: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.nanmean(np.square(values))))


def half_range(values: np.ndarray) -> float:
    """Half of the range from 16 to 84 %."""
    low, high = np.nanpercentile(values, (15.865, 84.135))
    return float(high - low) / 2


def differences(catalog: dict[str, np.ndarray], n: int, label: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of pairs of means of `n` visits: their difference, its noise, and the difference of means that weigh all alike."""
    off, noise, plain = [], [], []
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(VISITS)
        means = []
        for visits in (order[:n], order[n : 2 * n]):
            rows = np.isin(catalog["visit"], visits)
            some = {name: values[rows] for name, values in catalog.items()}
            alike = {name: values for name, values in some.items() if not name.endswith("_noise") and name != "snr"}
            means.append((recommend(some).columns, recommend(alike).columns[label]))
        (one, one_alike), (other, other_alike) = means
        off.append(one[label] - other[label])
        noise.append(np.hypot(one[f"{label}_noise"], other[f"{label}_noise"]))
        plain.append(one_alike - other_alike)
    return np.concatenate(off), np.concatenate(noise), np.concatenate(plain)


def table(instrument: Instrument, n: int, mixed: bool) -> Iterator[str]:
    """The rows of one instrument."""
    catalog = observed(instrument, n, mixed)
    how = "another S/N at each visit" if mixed else "one S/N"
    for label in LABELS:
        cells, first = [], None
        # A scale for each star, the same for all n, so that stars of high and of low S/N count alike.
        usual = catalog[f"{label}_noise"].reshape(VISITS, -1).mean(axis=0)
        for count in COUNTS:
            off, noise, plain = differences(catalog, count, label)
            scatter = rms(off if mixed else off / np.tile(usual, DRAWS))
            first = scatter if first is None else first
            share = scatter / rms(plain) if mixed else scatter / first * np.sqrt(count)
            cells.append(f"{share:.2f}, {rms(off / noise):.2f}, {half_range(off / noise):.2f}")
        yield f"| {instrument.name}, {how} | {label} | {' | '.join(cells)} |"


def main() -> None:
    """Print the tables."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print(f"| mock stars ({n}) | label | {' | '.join(f'n = {count}' for count in COUNTS)} |")
    print("|---|---|---|---|---|---|")
    for instrument in (LAMOST_INSTRUMENT, DESI):
        for mixed in (False, True):
            for line in table(instrument, n, mixed):
                print(line, flush=True)


if __name__ == "__main__":
    main()

"""Measure the shipped models on real stars, and put the scores into their cards and into the docs.

    python -m tools.model_scores [--write]

needs `TRANSTAR_DATA`, with `miles/`, `lamost_dr10/` and `labels/hypatia.csv`. It prints the table of each model; with --write it
replaces the table in its card (from the line that begins with ``<!-- scores`` on) and in docs/evaluate.md (``<!-- noise``). To be
run after `tools.train_models`. No model learns from these stars here: it predicts, and `transtar.evaluate` scores.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from transtar import predict_files
from transtar.evaluate import Evaluation, Noise, ThreeCorners, evaluate_catalog
from transtar.evaluate.catalog import match
from transtar.evaluate.element import bootstrap_interval, partial_rank_correlation, rank_correlation
from transtar.flags import Flag
from transtar.glossary import plain
from transtar.labels import read_labels
from transtar.tables import read_table

ROOT = Path(__file__).parents[1]
CARDS = ROOT / "src" / "transtar" / "models" / "shipped"
PAGE = ROOT / "docs" / "evaluate.md"

LABELS = ("feh", "alphafe", "teff", "logg")
ELEMENTS = ("mg_fe", "si_fe", "ca_fe", "ti_fe")

HEAD = ("| stars | N (clipped) | R2 all / poor / rich | sigma (3-sigma clip) | bias |", "|---|---|---|---|---|")

Columns = Mapping[str, np.ndarray]


def hypatia_labels(miles: Columns, data: Path) -> dict[str, np.ndarray]:
    """Labels of the Hypatia catalogue (Hinkel et al. 2014, AJ 148, 54) for MILES stars; NaN where it has none.

    labels.csv of MILES has its [Fe/H] and [X/Fe], but not its Teff and log g: these are those of the one star of the catalogue
    that has the same abundances, to the two decimals that it gives.
    """
    _, columns = read_table(data / "labels" / "hypatia.csv")
    number = {name: columns[name].numbers() for name in ("Fe", "Mg", "Si", "Ca", "Ti", "f_teff", "f_logg")}
    stars: dict[tuple, list[int]] = {}
    for place in range(len(number["Fe"])):
        key = tuple(_hundredths(number[name][place]) for name in ("Fe", "Mg", "Si", "Ca", "Ti"))
        stars.setdefault(key, []).append(place)
    feh = np.asarray(miles["feh_hypatia"], np.float64)
    other = {"feh": feh, "teff": np.full(len(feh), np.nan), "logg": np.full(len(feh), np.nan)}
    for row in np.flatnonzero(np.isfinite(feh)):
        key = tuple(_hundredths(feh[row] + shift) for shift in (0.0, *(miles[name][row] for name in ELEMENTS)))
        if len(match := stars.get(key, [])) == 1:
            other["teff"][row], other["logg"][row] = number["f_teff"][match[0]], number["f_logg"][match[0]]
    return {"file": miles["file"], **other}


def _hundredths(value: float) -> int | None:
    return round(100 * value) if np.isfinite(value) else None


def measure(data: Path) -> dict[str, list[str]]:
    """Lines of Markdown on each model, and on the noise of all (under 'noise').

    Parameters
    ----------
    data : path
        Folder of the real stars.

    Returns
    -------
    dict of str to list of str
    """
    models = [f"mock-{label}" for label in LABELS]
    miles = read_labels(data / "miles" / "labels.csv")
    wanted = (miles["teff"] >= 4000) & (miles["teff"] <= 7000)
    stars = {name: column[wanted] for name, column in miles.items()}
    second = hypatia_labels(stars, data)
    of_miles = predict_files(models, "miles", data / "miles" / "spectra").columns or {}
    table = read_labels(data / "lamost_dr10" / "labels.csv")
    lasp = {name: column[(table["teff"] > 4500) & (table["teff"] < 6800)] for name, column in table.items()}
    of_lamost = predict_files(models, "lamost", data / "lamost_dr10" / "spectra").columns or {}
    # The stars of the line correction are marked as seen: the card says so, and scores them.
    of_lamost = of_lamost | {"flags": of_lamost["flags"] & ~np.int32(Flag.TRAINED_ON)}
    real = [name for name in LABELS if name in stars]
    against = {
        "LAMOST DR10, 4500 to 6800 K, against LASP (*)": evaluate_catalog(of_lamost, lasp, real),
        "MILES, 4000 to 7000 K, against Cenarro et al. (2007)": evaluate_catalog(of_miles, stars, real, second=second),
        "MILES, 4000 to 7000 K, against the Hypatia catalogue": evaluate_catalog(
            of_miles, stars | {name: second[name] for name in real}, real
        ),
    }
    lines = {label: [*HEAD, *(_row(label, what, one) for what, one in against.items())] for label in real}
    noise = against["MILES, 4000 to 7000 K, against Cenarro et al. (2007)"].noise
    for label in real:
        lines[label] += ["", f"Three-cornered hat on {_hat(label, noise)}"]
    lines["alphafe"] = [
        *HEAD,
        *_elements(of_miles, stars),
        "",
        "None of these is the label that the model predicts: ranks say whether it follows them, and sigma and bias hold what "
        "sets the labels apart, too.",
    ]
    lines["noise"] = [
        "The shipped models on MILES, Teff of 4000 to 7000 K, with labels of Cenarro et al. (2007) and, by `--second`, of the "
        "Hypatia catalogue (Hinkel et al. 2014):",
        "",
        "| label | stars (clipped) | Cenarro | Hypatia | model |",
        "|---|---|---|---|---|",
        *(
            f"| {plain(label)} | {one.n} ({one.n_clipped}) | {_noise(label, one.reference)} | {_noise(label, one.second)} | "
            f"{_noise(label, one.predicted)} |"
            for label, one in noise.items()
        ),
        "",
        "Both catalogs compile the literature, and share some of it: their noise is rather a lower limit, that of the models an "
        "upper one. Scores of the same models, which hold the noise of the labels:",
        "",
        HEAD[0].replace("| stars |", "| label, stars |"),
        HEAD[1],
        *(
            _row(label, f"{plain(label)}, {what}", one)
            for label in real
            for what, one in against.items()
            if what.startswith("MILES")
        ),
    ]
    return lines


def _number(label: str, value: float, signed: bool = False) -> str:
    unit, digits = ("K", 0) if label == "teff" else ("dex", 3)
    return f"{round(value, digits) + 0.0:{'+' if signed else ''}.{digits}f} {unit}"


def _row(label: str, what: str, evaluation: Evaluation) -> str:
    scores = evaluation.metrics[label]
    every = scores["all"]
    r2 = " / ".join(f"{scores[name]['r2']:.2f}" if scores[name]["n"] > 9 else "-" for name in ("all", "poor", "rich"))
    return (
        f"| {what} | {every['n']} ({every['n_clipped']}) | {r2} | {_number(label, every['sigma'])} | "
        f"{_number(label, every['bias'], signed=True)} |"
    )


def _elements(catalog: dict[str, np.ndarray], stars: dict[str, np.ndarray]) -> list[str]:
    """Rows of the model of [alpha/Fe] against single elements, which are other labels: ranks say whether it follows them."""
    rows = []
    place = match(catalog, stars, [])
    feh = np.where(place >= 0, stars["feh"][place], np.nan)
    for name in ELEMENTS:
        evaluation = evaluate_catalog(catalog, stars | {"alphafe": stars[name]}, ["alphafe"])
        scored, every = evaluation.stars["alphafe"], evaluation.metrics["alphafe"]["all"]
        triple = scored.predicted, scored.reference, feh[scored.rows]
        low, high = bootstrap_interval(partial_rank_correlation, *triple)
        ranks = (
            f"rank correlation {rank_correlation(*triple[:2]):.2f}, at fixed [Fe/H] {partial_rank_correlation(*triple):.2f} "
            f"(95 %: {low:.2f} to {high:.2f})"
        )
        rows.append(
            f"| MILES, 4000 to 7000 K, against {plain(name)} of the Hypatia catalogue | {every['n']} ({every['n_clipped']}) | "
            f"{ranks} | {_number('alphafe', every['sigma'])} | {_number('alphafe', every['bias'], signed=True)} |"
        )
    return rows


def _noise(label: str, noise: Noise) -> str:
    if noise.variance < 0:
        return f"variance negative ({noise.variance:.2g} ± {noise.variance_err:.1g})"
    return f"{_number(label, noise.sigma).split()[0]} ± {_number(label, noise.sigma_err)}"


def _hat(label: str, noise: Mapping[str, ThreeCorners]) -> str:
    one = noise[label]
    return (
        f"{one.n} stars of MILES ({one.n_clipped} clipped): noise of Cenarro et al. {_noise(label, one.reference)}, of Hypatia "
        f"{_noise(label, one.second)}, of the model {_noise(label, one.predicted)}, errors taken to be independent."
    )


def put(
    path: Path,
    name: str,
    lines: list[str],
    by: str = "tools.model_scores",
    heading: str = "Measured on real stars, as it is",
) -> None:
    """Replace what stands between ``<!-- name`` and ``<!-- end -->`` in a page, or append it where there is no such place."""
    text = path.read_text(encoding="utf-8")
    block = "\n".join([f"<!-- {name}: written by python -m {by} -->", *lines, "<!-- end -->"])
    pattern = re.compile(rf"<!-- {name}\b.*?<!-- end -->", re.DOTALL)
    known = pattern.search(text)
    text = pattern.sub(lambda _: block, text) if known else f"{text.rstrip()}\n\n## {heading}\n\n{block}\n"
    path.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and write on request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    measured = measure(Path(os.environ["TRANSTAR_DATA"]))
    for name, lines in measured.items():
        print("\n".join([f"{name}:", *lines, ""]))
        if given.write and name == "noise":
            put(PAGE, "noise", lines)
        elif given.write:
            put(CARDS / f"mock-{name}" / "README.md", "scores", lines)


if __name__ == "__main__":
    main()

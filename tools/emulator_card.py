"""The model card of the emulator, written from measured figures."""

from __future__ import annotations

from transtar.simulate.emulator.emulator import Emulator
from transtar.simulate.emulator.grid_range import LABEL_NAMES

_NOT_YET = "Not measured yet: run `python -m tools.train_emulator --grid FOLDER --out FOLDER --validate`."


def emulator_card(emulator: Emulator, validation: dict | None = None) -> str:
    """Write the model card.

    Parameters
    ----------
    emulator : Emulator
    validation : dict, optional
        Content of validation.json: 'cross_validation' and 'derivatives'.

    Returns
    -------
    str
        Markdown.
    """
    training = emulator.info["training"]
    shape = emulator.head("flux").shape
    region = emulator.grid_range
    lines = [
        "# Emulator of synthetic stellar spectra",
        "",
        f"From {', '.join(LABEL_NAMES)} to the flux over the true continuum at R = 12,000, 3850-5750 A (vacuum); to the "
        "continuum (log10 of F_lambda, erg/s/cm2/A, at the surface) at 96 wavelengths; and to the energy distribution "
        "3300-10400 A of continuum and hydrogen lines, for low-resolution photometric spectra.",
        "",
        "    from transtar.simulate import load_emulator",
        "    emulator = load_emulator()",
        "    emulator.flux([[5777, 4.44, 0.0, 0.0, 1.07, 0.0]])",
        "",
        f"The mean of {shape.members} networks with hidden layers {list(shape.hidden)} (GELU) gives the coefficients of "
        f"{shape.components} principal components of the spectra. Their weights and the components are stored as float16.",
        "",
        "## Trained on",
        "",
        f"{training['n']['flux']} LTE spectra computed for this project (Turbospectrum, plane-parallel; ATLAS12 structures "
        "from published neural networks; Asplund et al. 2009 abundances; Gaia-ESO lines above 4200 A, linemake below; CH, NH, "
        f"OH, MgH, CN, part of C2), all of the grid; the energy distribution on {training['n']['sed']} of them. "
        "[alpha/Fe] moves O Ne Mg Si S Ar Ca Ti together. No observed spectrum was seen. Made by",
        "",
        "    python -m tools.train_emulator --grid FOLDER --out FOLDER --validate",
        "",
        "## Range",
        "",
        f"Teff {region.teff[0]:g} to {region.teff[1]:g} K; log g between straight lines through "
        f"{_corners(region.logg_low)} and through {_corners(region.logg_high)} (K, log g); [Fe/H] {region.feh[0]:g} to "
        f"{region.feh[1]:g}; [alpha/Fe] {region.alphafe[0]:g} to {region.alphafe[1]:g}; [C/Fe] {region.cfe[0]:g} to "
        f"{region.cfe[1]:g}; microturbulence {region.vmic[0]:g} to {region.vmic[1]:g} times `vmic_relation(teff, logg)`. "
        "Outside, `flux` refuses unless told to clip or to extrapolate.",
        "",
        "## Errors",
        "",
    ]
    lines += [_NOT_YET, ""] if validation is None else _errors(validation)
    return "\n".join(lines + _LIMITS)


def _corners(corners: tuple[tuple[float, float], ...]) -> str:
    return ", ".join(f"({teff:g}, {logg:g})" for teff, logg in corners)


def _errors(validation: dict) -> list[str]:
    checked, derivatives, pairs = (validation[key] for key in ("cross_validation", "derivatives", "pairs_percent"))
    lines = [
        f"{checked['folds']}-fold cross-validation over the grid; mean absolute difference per spectrum in percent of the "
        "continuum, at R = 3000 over 4000-5600 A.",
        "",
        "| part of the grid | spectra | median | 95th percentile | worst |",
        "|---|---|---|---|---|",
    ]
    rows = dict(checked["flux_percent_r3000"]) | {
        "all, at R = 12,000, 3900-5700 A": checked["flux_percent_r12000"],
        "`pairs.npz`, R = 3000 (the shipped model)": pairs["r3000"],
        "`pairs.npz`, R = 12,000 (the shipped model)": pairs["r12000"],
    }
    lines += [
        f"| {name} | {r['n']} | {r['median']:.3f} | {r['p95']:.3f} | {r['max']:.3f} |" for name, r in rows.items()
    ]
    for name, key in (("continuum", "log_continuum_dex"), ("energy distribution", "log_sed_dex")):
        r = checked[key]
        lines += [
            "",
            f"Log {name}, dex, {r['n']} spectra: median {r['median']:.5f}, 95th percentile {r['p95']:.5f}, worst {r['max']:.5f}.",
        ]
    lines += [
        "",
        "The worst corners:",
        "",
        f"| percent | {' | '.join(LABEL_NAMES)} |",
        "|---|" + "---|" * len(LABEL_NAMES),
    ]
    lines += [f"| {w['percent']:.2f} | {' | '.join(f'{x:g}' for x in w['labels'])} |" for w in checked["worst_r3000"]]
    lines += [
        "",
        "Change of the flux over +-0.1 dex against spectra recomputed for 32 plausible stars, never trained on "
        "(R = 3000 over 4000-5600 A; R = 12,000 over 3900-5700 A, against spectra at exactly that resolution). Amplitude: slope "
        "of the emulator's change on the true one.",
        "",
        "| label, resolution | correlation: median | 10th percentile | least | amplitude: median | 10th | 90th percentile |",
        "|---|---|---|---|---|---|---|",
    ]
    for label, name in (("feh", "[Fe/H]"), ("afe", "[alpha/Fe]")):
        for view, power in (("r3000", "3000"), ("r12000", "12,000")):
            c, a = (derivatives[f"{label} {view} {what}"] for what in ("correlation", "amplitude"))
            lines.append(
                f"| {name}, {power} | {c['median']:.4f} | {c['p10']:.4f} | {c['min']:.3f} | {a['median']:.3f} | {a['p10']:.3f} "
                f"| {a['p90']:.3f} |"
            )
    return [*lines, ""]


_LIMITS = [
    "## Limits, inherited from the grid",
    "",
    "- Strong lines are about 5-10 % deeper than in real stars at R = 2000; weak lines agree.",
    "- No TiO: trust dwarfs above about 4500 K, giants above about 4200 K. C2 in part, its head at 5165 A missing.",
    "- Poorer line data below 4200 A. LTE: cores of hydrogen lines too shallow. Plane-parallel at all log g.",
    "- Few model structures behind the hot end at low log g.",
    "- The grid was resampled linearly: its true resolution is about 11,600 and wavers with a period of 5 pixels (rms 0.003 in "
    "flux at full resolution, gone below R = 4000); the emulator repeats that. Below R = 4000 take R = 12,000 as its resolution.",
    "- The energy distribution holds no metal lines: multiply by the blanketing of the flux inside 3850-5750 A.",
    "- No rotation, no macroturbulence.",
    "",
]

"""The card of a model that is shared: front matter in YAML for model hubs, its own card, and what a stranger must know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml

from ..errors import SettingsError, shown
from ..glossary import COLUMNS
from ..rounding import with_error
from .naming import needs

BEGIN, END = "<!-- sharing: written by transtar models export -->", "<!-- end of sharing -->"
"""Around what is added to the model's own card."""

RULE = "---\n"
"""What a card with front matter begins with."""

LIBRARY = "transtar"
TASK = "tabular-regression"
UNKNOWN = "unknown"
"""Identifier of a licence that nobody has stated, as hubs have it."""

LICENCE = "bsd-3-clause"
"""Of the models that ship with transtar."""

MADE_HERE = "mock"
"""Name of the survey whose stars transtar makes."""

TERMS = {
    MADE_HERE: "made by transtar from its own emulator of synthetic spectra, no labels of others",
    "lamost": "the data policy of LAMOST, http://www.lamost.org/policies/data_policy.html",
    "gaia-xp": "free to use with credit to ESA/Gaia/DPAC, "
    "https://gea.esac.esa.int/archive/documentation/GDR3/Miscellaneous/sec_credit_and_citation_instructions/",
}
"""Where the terms of use of a survey's spectra and catalogs stand, for surveys that say so themselves."""

POOR_R2 = 0.5
"""R2 below which a regime is told among the failures: half of the scatter of its labels is not explained."""

FEW_WITHIN = 0.60
"""Share of stars within their 68 % interval below which errors are told to be too small."""

_METRICS = {"r2": "R2", "r2_err": "error of R2", "sigma": "sigma", "bias": "bias", "n": "stars"}


@dataclass(frozen=True)
class Scores:
    """Scores of a model on stars that it has not seen, of one label.

    Parameters
    ----------
    label : str
    survey : str
        Of the spectra; '' where they are of several, or it is not known.
    stars : str
        Catalog and label table, in words.
    regimes : dict
        {regime: {r2, r2_err, sigma, bias, n, n_clipped}}; numbers may be NaN.
    left_out : dict
        {reason: rows}
    coverage : dict
        {regime: (n, share within the 68 % interval, within the 95 % interval)}; empty where nothing is known.
    """

    label: str
    survey: str
    stars: str
    regimes: Mapping[str, Mapping[str, float]]
    left_out: Mapping[str, int] = field(default_factory=dict)
    coverage: Mapping[str, tuple[int, float, float]] = field(default_factory=dict)


def hub_card(
    config: Mapping[str, Any],
    card: str,
    name: str,
    seen: Mapping[str, Mapping[str, int]],
    scores: Sequence[Scores] = (),
    licence: str = UNKNOWN,
    terms: Mapping[str, str] | None = None,
) -> str:
    """Write the card of a model that is shared.

    Parameters
    ----------
    config : mapping
        Content of its config.json.
    card : str
        Its own card, Markdown; front matter and sections of an earlier export are replaced.
    name : str
        That it is called by.
    seen : mapping of str to mapping of str to int
        By each survey that took part in its training, how many spectra of it are in trained_on.parquet, by their role.
    scores : sequence of Scores
    licence : str
        Identifier such as 'bsd-3-clause' or 'cc-by-4.0'.
    terms : mapping of str to str, optional
        By survey, whose labels they were and under which terms.

    Returns
    -------
    str
        Markdown that begins with front matter.

    Raises
    ------
    SettingsError
        If the licence is no identifier, or terms are of a survey that took no part.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,49}", licence):
        raise SettingsError(
            f"'{shown(licence)}' is no identifier of a licence, such as bsd-3-clause or cc-by-4.0 (--license)"
        )
    terms, surveys = dict(terms or {}), list(seen)
    if strange := sorted(set(terms) - set(surveys)):
        raise SettingsError(
            f"terms of {shown(', '.join(strange), 200)}: it learnt from {', '.join(surveys) or 'no survey'} alone (--terms)"
        )
    front = yaml.safe_dump(_front_matter(config, name, surveys, scores, licence), sort_keys=False, allow_unicode=True)
    sections = [
        *_seen_lines(seen), "", *_score_lines(scores), "", *_failures(config, scores), "", *_terms(surveys, terms, licence),
    ]  # fmt: skip
    return "\n".join(["---", front.rstrip(), "---", "", own_card(card).strip(), "", BEGIN, *sections, END, ""])


def own_card(card: str) -> str:
    """A card without what `hub_card` has added, if it is one of those."""
    if not is_shared(card):
        return card
    card = re.sub(r"\A---\n.*?\n---\n", "", card, flags=re.DOTALL)
    return re.sub(re.escape(BEGIN) + ".*?" + re.escape(END) + "\n?", "", card, flags=re.DOTALL)


def is_shared(card: str) -> bool:
    """Whether a card is one of `hub_card`."""
    return card.startswith(RULE) and BEGIN in card


def _front_matter(config, name, surveys, scores, licence) -> dict[str, Any]:
    labels = [label["name"] for label in config["labels"]]
    front: dict[str, Any] = {
        "license": licence,
        "library_name": LIBRARY,
        "pipeline_tag": TASK,
        "tags": ["astronomy", "stellar-spectra", "stellar-labels", LIBRARY, *labels],
        "datasets": list(surveys),
        "metrics": ["r2", "sigma", "bias"],
    }
    if results := [result for one in scores for result in _results(one)]:
        front["model-index"] = [{"name": name, "results": results}]
    return front


def _results(one: Scores) -> Iterable[dict[str, Any]]:
    """Entries of a model index: one for each regime."""
    for regime, row in one.regimes.items():
        metrics = [
            {
                "type": kind,
                "value": int(row[kind]) if kind == "n" else float(f"{row[kind]:.6g}"),
                "name": f"{said} of {one.label}, {regime}",
            }
            for kind, said in _METRICS.items()
            if np.isfinite(row.get(kind, np.nan))
        ]
        if metrics:
            yield {
                "task": {"type": TASK, "name": f"{one.label} from spectra"},
                "dataset": {"type": one.survey or "spectra", "name": one.stars, "config": f"{one.label}, {regime}"},
                "metrics": metrics,
            }


def _seen_lines(seen: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Which stars a model has seen, and that these cannot judge it."""
    lines = [
        "## Stars that it has seen",
        "",
        "Spectra in trained_on.parquet, by survey and role. transtar flags them TRAINED_ON, and leaves them out of all scores.",
        "",
        "| survey | spectra |",
        "|---|---|",
    ]
    for survey, roles in seen.items():
        none = "none: made for the training" if survey == MADE_HERE else "none"
        lines.append(
            f"| {shown(survey, 60)} | {', '.join(f'{shown(role, 40)}: {n:,}' for role, n in roles.items()) or none} |"
        )
    return lines


def _score_lines(scores: Sequence[Scores]) -> list[str]:
    lines = ["## Scores by regime"]
    if not scores:
        return [
            *lines,
            "",
            "None were measured for this card. Do not use the model before you have measured some: `transtar evaluate`.",
        ]
    lines += [
        "",
        "Stars that the model was trained or validated on are left out, and rows with a bad flag. Regimes are told by the "
        "reference labels: poor is [Fe/H] < -1, a giant has log g < 3.5, a cool star Teff < 4500 K. sigma is clipped at 3 "
        "sigma, bias is predicted minus reference, errors of R2 are bootstrapped.",
    ]
    for one in scores:
        unit = COLUMNS[one.label].unit if one.label in COLUMNS else ""
        left = ", ".join(f"{n} {reason}" for reason, n in one.left_out.items()) or "none"
        lines += [
            "",
            f"{one.label} of {shown(one.stars, 200)}; rows left out: {left}.",
            "",
            f"| regime | stars | R2 | sigma{f' ({unit})' if unit else ''} | bias | within 68 % | within 95 % |",
            "|---|---|---|---|---|---|---|",
        ]
        for regime, row in one.regimes.items():
            _, *within = one.coverage.get(regime, (0, np.nan, np.nan))
            lines.append(
                f"| {regime} | {row['n']:.0f} | {with_error(row['r2'], row['r2_err'], minus='-')} | "
                f"{_number(row['sigma'], '.4g')} | {_number(row['bias'], '+.4g')} | "
                + " | ".join(_number(share, ".1%") for share in within)
                + " |"
            )
    return lines


def _number(value: float, form: str) -> str:
    return format(value, form) if np.isfinite(value) else "-"


def _failures(config: Mapping[str, Any], scores: Sequence[Scores]) -> list[str]:
    """What is known to go wrong: of the description, and of the scores where these are bad."""
    lines = ["## Known failures", ""]
    for label in config["labels"]:
        lines.append(
            f"- Outside {label['min']:.6g} to {label['max']:.6g} {label['name']} is extrapolated, and flagged LABEL_EXTRAPOLATED."
        )
    for one in scores:
        for regime, row in one.regimes.items():
            kind = "" if regime == "all" else f" {regime}"
            stars = f"of {row['n']:.0f}{kind} stars ({shown(one.stars, 200)})"
            if np.isfinite(row["r2"]) and row["r2"] < POOR_R2:
                lines.append(f"- {one.label} {stars} has R2 {row['r2']:.2f}.")
            if np.isfinite(row["bias"]) and abs(row["bias"]) > row["sigma"] / 2:
                lines.append(f"- {one.label} {stars} is off by {row['bias']:+.3g}, more than half its sigma.")
        for regime, (n, within, _) in one.coverage.items():
            if within < FEW_WITHIN:
                lines.append(
                    f"- Errors of {one.label} are too small for {regime} stars: {within:.0%} of {n} are within 68 % intervals."
                )
    for name in (label["name"] for label in config["labels"]):
        if name not in config["errors"]:
            lines.append(f"- Errors of {name} are not calibrated star by star: catalogs have none.")
    for part, note in sorted(config["encoders"].items()):
        lines.append(
            f"- It takes the input '{part}' of the encoder {needs({**note, 'place': _public(note)})}, which is not in this "
            "folder. Without that encoder transtar refuses to predict."
        )
    if not scores:
        lines.append("- How it does on stars that it has not seen is not known here.")
    return lines


def _public(note: Mapping[str, str]) -> str:
    """The place of an encoder without the folder of whoever trained it."""
    return note["place"] if note["place"] == note["name"] else ""


def _terms(surveys: Sequence[str], terms: Mapping[str, str], licence: str) -> list[str]:
    said = f"The licence of the weights is `{licence}`." if licence != UNKNOWN else (
        "Nobody has stated a licence of the weights: ask whoever shared them."
    )  # fmt: skip
    lines = ["## Licences", "", said, "", "| learnt from | terms of spectra and labels |", "|---|---|"]
    for survey in surveys:
        text = terms.get(survey) or TERMS.get(survey, "")
        if survey not in terms and survey != MADE_HERE:
            text = f"{text + '; ' if text else ''}whose labels they were, and their licence, was not stated"
        lines.append(f"| {shown(survey, 60)} | {shown(text, 500).replace('|', '/')} |")
    return lines

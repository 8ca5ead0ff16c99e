"""From what is known of a catalog to one HTML file that needs no other and no network."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from ...explain.in_numbers import count_outside, limits
from ...explain.inspected import CHOSEN, FAR, FLAGGED, MISFIT, RANDOM, Inspected
from ...explain.lines import read_lines
from ...explain.shown_spectra import ShownSpectra
from ...files import write_text
from ...flags import BAD, DESCRIPTIONS, Flag, has
from ...version import __version__
from .bokeh_figures import bokeh_script, plane_item, require_bokeh, spectrum_item
from .packed import (
    ERROR_STEP,
    FLUX_STEP,
    GRADIENT_LEVELS,
    Channel,
    fixed,
    pack_stars,
    packed,
    packed_json,
    packed_text,
    relative,
)
from .page_words import axis_text, digits, label_text, of_plane, of_scores, outside

SHARE = 0.002
"""Of the stars that may lie outside of the axes at either end, at first."""

REASONS = (CHOSEN, FAR, MISFIT, FLAGGED, RANDOM)
"""In this order stars are stepped through."""

COLOURS = {"snr": "S/N", "misfit": "misfit"}
"""Columns by which stars are coloured, beside flags and the difference from the reference."""


def write_page(inspected: Inspected, path: str | os.PathLike, title: str, summary: str = "") -> None:
    """Write a page to look into a catalog.

    Parameters
    ----------
    inspected : Inspected
        As from `transtar.explain.inspected.inspect`.
    path : path
    title : str
    summary : str
        A sentence under the title.

    Raises
    ------
    TranstarError
        If Bokeh is missing, or the disk is full; what stood there before is untouched.
    """
    require_bokeh()
    content, items = _content(inspected)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_file("page.html"))
    html = template.render(
        title=title,
        summary=summary,
        notes=inspected.notes,
        n_rows=inspected.n_rows,
        made_with=f"transtar {__version__}",
        style=_file("page.css"),
        bokeh=packed_text(bokeh_script()),
        script=_file("page.js"),
        content=_json(content),
        items=_json(items),
    )
    write_text(path, html)


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _json(content: Any) -> str:
    """JSON that can stand in a script of a page, whatever texts are in it."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _content(inspected: Inspected) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything that `page.js` is given: what it shows, and the figures."""
    columns = inspected.columns
    compared = (
        [] if inspected.evaluation is None else sorted(inspected.evaluation.metrics, key=lambda name: name != "feh")
    )
    arrays = {name: values for name, values in columns.items() if values.dtype == np.float32}
    arrays |= {f"reference_{name}": values.astype(np.float32) for name, values in inspected.reference.items()}
    spectra, order = inspected.spectra, np.zeros(0, int)
    if spectra is not None:
        order = np.argsort([REASONS.index(reason) for reason in inspected.why.tolist()], kind="stable")
        spectra = spectra.select(order)
    content: dict[str, Any] = {
        "n": len(columns["flags"]),
        "labels": [_label(inspected, name) for name in dict.fromkeys((*inspected.labels, *inspected.reference))],
        "compared": {name: _one_to_one(inspected, name) for name in compared},
        "absent": inspected.absent,
        "flags": _flags(columns["flags"]),
        "hasFlags": "flags" not in inspected.absent,
        "bad": int(BAD),
        # A warning that all rows carry tells none from another.
        "common": int(np.bitwise_and.reduce(columns["flags"])) & ~int(BAD),
        "colours": _colours(inspected, compared),
        "columns": {name: packed(values) for name, values in arrays.items()},
        "bits": packed(columns["flags"].astype(np.int32)),
        "texts": packed_json(_texts(columns)),
        "planes": {},
        "spectra": None if spectra is None or not len(spectra.rows) else _spectra(spectra, inspected.why[order]),
    }
    items: dict[str, Any] = {}
    if compared:
        first = content["compared"][compared[0]]
        items["one"] = plane_item("one", first["x"], first["y"], first["limits"], first["limits"])
    for name, x, y, turned in (("kiel", "teff", "logg", True), ("alpha", "feh", "alphafe", False)):
        item, plane = _plane(inspected, name, x, y, turned)
        content["planes"][name] = plane
        if item is not None:
            items[name] = item
    if content["spectra"] is not None:
        assert spectra is not None
        items["spectrum"] = spectrum_item(spectra.wave, _lines(spectra.wave))
    return content, items


def _texts(columns) -> dict[str, list[str]]:
    """Names, identifiers and files; files only where they say something that names do not."""
    texts = {"name": columns["name"].tolist()}
    if (columns["id"] >= 0).any():
        texts["id"] = [str(one) if one >= 0 else "" for one in columns["id"].tolist()]
    if (columns["file"] != columns["name"]).any():
        texts["file"] = columns["file"].tolist()
    return texts


def _label(inspected: Inspected, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "text": label_text(name),
        "digits": digits(name),
        "predicted": name in inspected.labels,
        "error": f"{name}_err" in inspected.columns,
        "reference": name in inspected.reference,
    }


def _one_to_one(inspected: Inspected, name: str) -> dict[str, Any]:
    """One label against the reference: both axes have the same range."""
    predicted, reference = inspected.columns[name], inspected.reference[name]
    drawn = np.isfinite(predicted) & np.isfinite(reference)
    both = np.concatenate([predicted[drawn], reference[drawn]])
    near, whole = limits(both, SHARE), limits(both)
    more = outside(count_outside(reference, predicted, near, near))
    return {
        "text": label_text(name),
        "x": axis_text(name, "reference"),
        "y": axis_text(name, "catalog"),
        "limits": near,
        "whole": whole,
        "summary": f"{of_scores(inspected, name)} {more}".strip(),
    }


def _plane(inspected: Inspected, name: str, x: str, y: str, turned: bool) -> tuple[dict | None, dict[str, Any]]:
    """A plane of two labels: those of the catalog, or of the reference where it has others; none where neither has both."""
    held: dict[str, tuple[str, np.ndarray]] = {}
    for label in (x, y):
        if label in inspected.labels:
            held[label] = (label, inspected.columns[label])
        elif label in inspected.reference:
            held[label] = (f"reference_{label}", inspected.reference[label])
    if missing := [label_text(label) for label in (x, y) if label not in held]:
        return None, {"absent": f"Left out: the catalog has no {' and no '.join(missing)}."}
    values = {label: array for label, (_, array) in held.items()}
    near = {label: limits(array, SHARE) for label, array in values.items()}
    whole = {label: limits(array) for label, array in values.items()}
    if turned:
        near, whole = ({label: (high, low) for label, (low, high) in some.items()} for some in (near, whole))
    whose = {label: "reference" if column != label else "" for label, (column, _) in held.items()}
    item = plane_item(name, axis_text(x, whose[x]), axis_text(y, whose[y]), near[x], near[y])
    summary = of_plane(x, y, values, near[x], near[y])
    if any(whose.values()):
        summary = f"{' and '.join(label_text(one) for one in held if whose[one])} of the reference. {summary}"
    return item, {
        "x": held[x][0], "y": held[y][0], "limits": [near[x], near[y]], "whole": [whole[x], whole[y]], "summary": summary,
        "labels": [x, y],
    }  # fmt: skip


def _flags(flags: np.ndarray) -> list[dict[str, Any]]:
    """Flags that occur, and what they mean."""
    return [
        {
            "bit": int(flag),
            "name": flag.name,
            "text": DESCRIPTIONS[flag],
            "bad": bool(flag & BAD),
            "n": int(has(flags, flag).sum()),
        }
        for flag in Flag
        if has(flags, flag).any()
    ]


def _colours(inspected: Inspected, compared: list[str]) -> dict[str, Any]:
    """What else stars may be coloured by, and between which values; why not, where that is not known."""
    colours: dict[str, Any] = {}
    for name, text in COLOURS.items():
        values = inspected.columns.get(name)
        if values is None:
            colours[name] = {"text": text, "absent": "not in the catalog"}
        elif not np.isfinite(values).any():
            colours[name] = {"text": text, "absent": "not known of any row"}
        else:
            low, high = limits(values, 0.05, 0)
            colours[name] = {"text": text, "limits": [low, high]}
    for name in compared:
        difference = np.abs(inspected.columns[name] - inspected.reference[name])
        colours[f"difference {name}"] = {
            "text": f"{label_text(name)}, catalog − reference",
            "limits": [-limits(difference, 0.05, 0)[1], limits(difference, 0.05, 0)[1]],
        }
    return colours


def _spectra(spectra: ShownSpectra, why: np.ndarray) -> dict[str, Any]:
    """Curves of the stars, which are decoded when they are looked at, and their neighbours."""
    channels: list[Channel] = [fixed("flux", spectra.flux, FLUX_STEP, True)]
    if spectra.twin is not None:
        # Of what both are rounded to the twin is the difference; it would take more room than the residual does.
        rounded = np.round(spectra.flux / channels[0].steps[:, None]) * channels[0].steps[:, None]
        channels.append(fixed("residual", rounded - spectra.twin, FLUX_STEP, False))
    if spectra.error is not None:
        with np.errstate(divide="ignore"):
            logarithm = np.log10(spectra.error)
        channels.append(fixed("error", np.where(np.isfinite(logarithm), logarithm, np.nan), ERROR_STEP, True))
    channels += [relative(f"gradient {name}", values, GRADIENT_LEVELS) for name, values in spectra.gradients.items()]
    near = spectra.neighbours
    return {
        "rows": spectra.rows.tolist(),
        "why": why.tolist(),
        "wave": packed(spectra.wave.astype(np.float32)),
        "pixels": len(spectra.wave),
        "channels": [
            {"name": one.name, "fromLast": one.from_last, "steps": [float(f"{step:.6g}") for step in one.steps]}
            for one in channels
        ],
        "stars": pack_stars(channels),
        "gradients": {name: _unit(name) for name in spectra.gradients},
        "near": None if near is None else _near(near),
    }


def _unit(label: str) -> str:
    return f"d {label_text(label)} / d flux" + (" (K)" if label == "teff" else "")


def _near(near) -> dict[str, Any]:
    labels = [name for name in near.columns if name != "name"]
    columns: dict[str, list] = {"name": near.columns["name"].tolist()}
    columns |= {
        name: [round(value, 4) if np.isfinite(value) else None for value in near.columns[name].tolist()]
        for name in labels
    }
    return {
        "by": near.by,
        "labels": [{"name": name, "text": label_text(name), "digits": digits(name)} for name in labels],
        "columns": packed_json(columns),
        "places": near.places.tolist(),
        "cosines": [[round(one, 3) if np.isfinite(one) else None for one in row] for row in near.cosines.tolist()],
    }


def _lines(wave: np.ndarray) -> list[tuple[float, str]]:
    """Strong lines with names of their own on the grid, as landmarks."""
    places: dict[str, list[float]] = {}
    for line in read_lines():
        if line.name and wave[0] < line.wavelength < wave[-1]:
            # The lines of a triplet are one landmark.
            places.setdefault(line.name.rstrip("0123456789"), []).append(line.wavelength)
    named = {_greek(name): float(np.mean(some)) for name, some in places.items()}
    return [(place, name) for name, place in named.items()]


def _greek(name: str) -> str:
    for word, letter in {" alpha": "α", " beta": "β", " gamma": "γ", " delta": "δ"}.items():
        name = name.replace(word, letter)
    return name

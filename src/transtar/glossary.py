"""One glossary of columns: name, dtype, unit and description of everything transtar writes into a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .errors import InputError, SettingsError
from .names import check_name


@dataclass(frozen=True)
class Column:
    """What one column holds.

    Parameters
    ----------
    name : str
    dtype : str
        NumPy name of the type ('int64', 'float32', 'bool', ...), or 'str'.
    unit : str
        FITS / VO unit string ('K', 'dex', 'km/s', 'deg'); empty where there is none.
    description : str
    display : str
        The name as figures and tables show it, in matplotlib's math notation, without the unit.
    ucd : str
        What it is in the words of the Virtual Observatory (UCD1+, https://www.ivoa.net/documents/UCD1+/).
    """

    name: str
    dtype: str
    unit: str
    description: str
    display: str = ""
    ucd: str = ""


POOR_BELOW = -1.0
"""[Fe/H] in dex below which a star is metal-poor (the paper's)."""

ELEMENTS = (
    "Li", "Be", "C", "N", "O", "F", "Na", "Mg", "Al", "Si", "P", "S", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn",
    "Co", "Ni", "Cu", "Zn", "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Ru", "Ba", "La", "Ce", "Pr", "Nd", "Sm", "Eu",
    "Gd", "Dy", "Er", "Yb", "Pb", "Th",
)  # fmt: skip
"""Elements with a label of their own: `mg_fe` is [Mg/Fe], which is never renamed to `alphafe`."""

_KEYS = (
    Column("file", "str", "", "name of the file that held the spectrum"),
    Column("id", "int64", "", "the survey's own identifier of the spectrum; -1 if it has none", "identifier"),
    Column("survey", "str", "", "name of the survey, as registered in transtar"),
    Column("star", "str", "", "name shared by all spectra of one star; empty if unknown"),
    Column("ra", "float64", "deg", "right ascension, ICRS", r"$\alpha$"),
    Column("dec", "float64", "deg", "declination, ICRS", r"$\delta$"),
    Column("velocity", "float32", "km/s", "radial velocity used to shift to the rest frame", r"$v_\mathrm{r}$"),
    Column(
        "velocity_err",
        "float32",
        "km/s",
        "1 sigma uncertainty of a measured radial velocity",
        r"$\sigma(v_\mathrm{r})$",
    ),
    Column("snr", "float32", "", "median signal-to-noise ratio per pixel on the wavelength grid", "S/N"),
    Column("good_fraction", "float32", "", "fraction of good pixels on the wavelength grid", "good fraction"),
    Column("strange", "float32", "", "how sure the gate is, from 0 to 1, that this is not an ordinary star", "strange"),
    Column(
        "misfit",
        "float32",
        "",
        "mean squared difference between spectrum and model spectrum of its labels, over the variance of noise and model",
        "misfit",
    ),
    Column("flags", "int32", "", "quality flags, one bit for each flag", "flags"),
    Column("split", "str", "", "role of the star: pool (may be trained on) or test"),
)

_DESI = (
    Column("desi_survey", "str", "", "DESI's SURVEY, part of the key of a spectrum: main, sv1, sv3, ..."),
    Column("desi_program", "str", "", "DESI's PROGRAM, part of the key of a spectrum: bright, dark, backup, ..."),
    Column(
        "desi_healpix", "int64", "", "DESI's HEALPIX, part of the key of a spectrum (nested, nside 64); -1 if unknown"
    ),
)

_SEARCH = (
    Column("query_file", "str", "", "name of the file that held the query spectrum"),
    Column("query_id", "int64", "", "the survey's own identifier of the query spectrum; -1 if it has none"),
    Column("query_star", "str", "", "name of the star of the query spectrum; empty if unknown"),
    Column("neighbour_rank", "int32", "", "rank among the neighbours of the query, nearest first, counted from 1"),
    Column("cosine", "float32", "", "cosine similarity of the embeddings of spectrum and query spectrum, at most 1"),
    Column("set_row", "int64", "", "row of the spectrum in the prepared set, counted from 0"),
)

_PLAN = (
    Column("plan_rank", "int32", "", "place in the order in which stars are to be observed, counted from 1"),
    Column("stands_for", "float32", "", "fraction of the candidate stars that this star represents"),
)

_LABELS = (
    Column("teff", "float32", "K", "effective temperature", r"$T_\mathrm{eff}$"),
    Column("logg", "float32", "dex", "surface gravity, log10 of g in cm/s2", r"$\log\,g$"),
    Column("feh", "float32", "dex", "iron abundance relative to the Sun, [Fe/H]", "[Fe/H]"),
    Column("alphafe", "float32", "dex", "alpha-element abundance relative to iron, [alpha/Fe]", r"[$\alpha$/Fe]"),
    Column("m_h", "float32", "dex", "overall metallicity relative to the Sun, [M/H]", "[M/H]"),
    Column("alpha_m", "float32", "dex", "alpha-element abundance relative to metallicity, [alpha/M]", r"[$\alpha$/M]"),
    *(
        Column(f"{e.lower()}_fe", "float32", "dex", f"{e} abundance relative to iron, [{e}/Fe]", f"[{e}/Fe]")
        for e in ELEMENTS
    ),
)

_JOIN = (
    Column("matched", "bool", "", "whether the joined table has a row for this one", ucd="meta.code"),
    Column(
        "separation",
        "float32",
        "arcsec",
        "distance on the sky from the matching row of the joined table",
        ucd="pos.angDistance",
    ),
)

SEARCH_COLUMNS = tuple(column.name for column in _SEARCH)
"""Columns of what a search gives; the others beside them are of the neighbour."""

PLAN_COLUMNS = (*(column.name for column in _PLAN), "set_row")
"""Columns of a plan of which stars to label; the others beside them are of the star."""

LABELS = tuple(column.name for column in _LABELS)
"""Canonical names of the stellar labels."""

DESI_KEYS = {column.name.removeprefix("desi_").upper(): column.name for column in _DESI}
"""Our names of the columns that with TARGETID make the compound key of a DESI spectrum, by DESI's own."""

_UCDS = {
    "file": "meta.id;meta.file", "id": "meta.id;meta.main", "survey": "meta.dataset", "star": "meta.id;src",
    "ra": "pos.eq.ra;meta.main", "dec": "pos.eq.dec;meta.main", "velocity": "spect.dopplerVeloc",
    "velocity_err": "stat.error;spect.dopplerVeloc", "snr": "stat.snr", "good_fraction": "stat.filling;instr.pixel",
    "strange": "stat.probability", "misfit": "stat.fit.chi2", "flags": "meta.code.qual", "split": "meta.code.class",
    "desi_survey": "meta.code", "desi_program": "meta.code", "desi_healpix": "pos.healpix",
    "query_file": "meta.id;meta.file", "query_id": "meta.id", "query_star": "meta.id;src", "neighbour_rank": "stat.rank",
    "cosine": "stat.correlation", "set_row": "meta.record", "plan_rank": "stat.rank", "stands_for": "stat.weight",
    "teff": "phys.temperature.effective", "logg": "phys.gravity", "feh": "phys.abund.Fe", "m_h": "phys.abund.Z",
}  # fmt: skip

COLUMNS = {
    column.name: replace(column, ucd=_UCDS.get(column.name) or ("phys.abund.X" if column in _LABELS else ""))
    for column in (*_KEYS, *_DESI, *_SEARCH, *_PLAN, *_LABELS)
}
"""Every column by name, but for the derived ones: see `describe`."""

_STARS = (
    Column("n_rows", "int32", "", "number of rows that the star has in the catalog of spectra", ucd="meta.number"),
    Column("n_used", "int32", "", "number of rows of the star whose labels enter the mean", ucd="meta.number"),
)

JOIN_COLUMNS = tuple(column.name for column in _JOIN)
"""Columns that a join adds beside those of the table."""

STAR_COLUMNS = tuple(column.name for column in _STARS)
"""Columns of a catalog of one row per star, beside those of a catalog of spectra."""

COLUMNS |= {column.name: column for column in (*_JOIN, *_STARS)}

_DERIVED = {
    "_cal": "{name} calibrated on a reference (--calibration), beside the uncalibrated value: {description}",
    "_err": "1 sigma uncertainty of {name}, half the width of the interval that contains 68 % of true values: {description}",
    "_lo": "lower end of the interval that contains 95 % of true values of {name}: {description}",
    "_hi": "upper end of the interval that contains 95 % of true values of {name}: {description}",
    "_noise": "part of {name}_err that is due to the noise of the spectrum: {description}",
    "_ens_std": "standard deviation (n - 1) of {name} over the models of an ensemble: {description}",
}

_DERIVED_UCDS = {
    "_cal": "{ucd}",
    "_err": "stat.error;{ucd}",
    "_lo": "{ucd};stat.min",
    "_hi": "{ucd};stat.max",
    "_noise": "stat.error;{ucd}",
    "_ens_std": "stat.stdev;{ucd}",
}


_OF_REPEATS = {
    "_std": "standard deviation (n - 1) of {name} over the spectra that enter the mean of a star: {description}",
    "_chi2": "reduced chi2 of {name} over the spectra of a star, given their photon noise; 1 if that is all their scatter",
}
"""Derived columns of a catalog of one row per star."""


def check_label(name, what: str) -> str:
    """Refuse a name that no label can have: one that leads elsewhere, or that of a column which means something else.

    Parameters
    ----------
    name : object
    what : str
        What names it, for the message.

    Returns
    -------
    str

    Raises
    ------
    SettingsError
    """
    check_name(name, what)
    if name in COLUMNS and name not in LABELS:
        raise SettingsError(f"{what}: '{name}' is no label but a column of every catalog: {COLUMNS[name].description}")
    if name.endswith((*_DERIVED, *_OF_REPEATS)):
        raise SettingsError(f"{what}: '{name}' is no label, because of its ending")
    return name


def describe(name: str) -> Column:
    """Look a column up; those of errors, such as ``<label>_err`` and ``<label>_ens_std``, follow from the label.

    Parameters
    ----------
    name : str

    Returns
    -------
    Column

    Raises
    ------
    InputError
        If the glossary does not have the column.
    """
    if name in COLUMNS:
        return COLUMNS[name]
    for suffix, description in _DERIVED.items():
        label = COLUMNS.get(name.removesuffix(suffix))
        if name.endswith(suffix) and label is not None and label.name in LABELS:
            symbol = label.display if suffix in ("_cal", "_lo", "_hi") else rf"$\sigma$({label.display})"
            about = description.format(**vars(label))
            return replace(
                label, name=name, description=about, display=symbol, ucd=_DERIVED_UCDS[suffix].format(ucd=label.ucd)
            )
    for suffix, description in _OF_REPEATS.items():
        label = COLUMNS.get(name.removesuffix(suffix))
        if name.endswith(suffix) and label is not None and label.name in LABELS:
            unit = label.unit if suffix == "_std" else ""
            ucd = f"stat.stdev;{label.ucd}" if suffix == "_std" else "stat.fit.chi2"
            return Column(name, label.dtype, unit, description.format(**vars(label)), ucd=ucd)
    raise InputError(f"no column '{name}' in the glossary; known: {', '.join(COLUMNS)}")


def is_known(name: str) -> bool:
    """Whether `describe` knows the column."""
    try:
        describe(name)
    except InputError:
        return False
    return True


def display(name: str, unit: bool = True) -> str:
    """Name for axes and headings, in matplotlib's math notation; the name itself if the glossary lacks it.

    The one rule for units in figures: in parentheses; abundances and log g go without their 'dex', as papers print them, and what
    is derived from them (sigma, bias) has it.
    """
    if not is_known(name):
        return name
    column = describe(name)
    shown = column.display or column.name
    return f"{shown} ({column.unit})" if unit and column.unit not in ("", "dex") else shown


def plain(name: str) -> str:
    """Name for text without mathematics (HTML, terminals): 'Teff', 'log g', '[alpha/Fe]'."""
    special = {"teff": "Teff", "logg": "log g", "alphafe": "[alpha/Fe]", "alpha_m": "[alpha/M]"}
    shown = COLUMNS[name].display if name in LABELS else name
    return special.get(name) or (name if "$" in shown else shown)


def decimals(name: str) -> int:
    """Decimals with which tables and figures print a label and its errors: none in K, three in dex and all else.

    Parameters
    ----------
    name : str

    Returns
    -------
    int
    """
    return 0 if name in COLUMNS and COLUMNS[name].unit == "K" else 3


def as_markdown(names: Iterable[str] | None = None) -> str:
    """Print the glossary as a Markdown table.

    Parameters
    ----------
    names : iterable of str, optional
        The columns to show; by default all of catalogs, with one example of the elements and of each derived column.

    Returns
    -------
    str
    """
    if names is None:
        # Elements all read alike: one stands for them.
        shown = [name for name in COLUMNS if not name.endswith("_fe") or name == "mg_fe"]
        shown = [name for name in shown if name not in (*SEARCH_COLUMNS, *JOIN_COLUMNS, *STAR_COLUMNS)]
        names = [*shown, *(f"feh{ending}" for ending in _DERIVED)]
    chosen = list(names)
    lines = ["| column | type | unit | description |", "|---|---|---|---|"]
    for column in map(describe, chosen):
        lines.append(f"| `{column.name}` | {column.dtype} | {column.unit} | {column.description} |")
    return "\n".join(lines) + "\n"

"""Applying a selection to catalogs: cut by cut, every row that is lost counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..labels import kinds
from ..labels.calibration import calibrate, load_calibration
from ..labels.catalog_places import Place, changed_place, read_positions
from ..labels.catalogs import Catalog
from ..labels.join import match_ids
from ..labels.positions import Positions, common_epoch, match_positions
from ..tables import meaning
from .cuts import Cut, passes
from .selection_spec import Exclude, Match, Selection, TableCuts


@dataclass(frozen=True)
class Step:
    """One line of the table of cuts: what was asked of which table, by whom, and the rows left."""

    table: str
    name: str
    source: str
    rows: int
    lost: int = 0


@dataclass
class Selected:
    """Outcome of a selection.

    Parameters
    ----------
    selection : Selection
    columns : dict of str to ndarray, shape (n,)
        Keys, labels, velocities and so on of the selected rows.
    steps : list of Step
    lines : list of str
        What the joins found and what was not used, each a line to show.
    """

    selection: Selection
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0


@dataclass
class _Rows:
    """Selected rows while they are being cut: for each table the row that belongs to each, -1 where there is none."""

    of: dict[str, np.ndarray]

    def keep(self, mask: np.ndarray) -> None:
        self.of = {table: rows[mask] for table, rows in self.of.items()}

    def __len__(self) -> int:
        return len(next(iter(self.of.values())))


@dataclass
class _Work:
    """What joins need to know: the catalogs by table, and of each the rows that its cuts left."""

    selection: Selection
    tables: dict[str, Catalog]
    left: dict[str, np.ndarray]
    result: Selected

    def place(self, name: str) -> Place:
        """Where a table keeps its positions."""
        table = self.selection.tables[name]
        return changed_place(kinds.place(table.kind), table.position, f"table {name}: position")

    def take(self, name: str, few: Catalog) -> None:
        """Put the rows around our stars in the place of a catalog that is too large for memory."""
        self.tables[name] = few
        self.left[name] = _cut_table(name, few, self.selection.tables[name], self.result)


def select(
    selection: Selection,
    paths: Iterable[str | Path],
    on_step: Callable[[str], object] = lambda what: None,
    columns: Mapping[str, str] | None = None,
) -> Selected:
    """Apply a selection to catalogs.

    Parameters
    ----------
    selection : Selection
        As from `load_selection`.
    paths : iterable of path
        Files or folders, each file told apart by content (see `transtar.labels.kinds.open_catalogs`).
    on_step : callable
        Called with a few words on what is done next.
    columns : mapping of str to str, optional
        Which column of a catalog is which, where names do not tell: ``{"feh": "FE_H"}``.

    Returns
    -------
    Selected

    Raises
    ------
    InputError
        If a catalog is missing or cannot be used, or a cut leaves no row.
    """
    on_step("opening catalogs")
    positions = {table.kind: table.position for table in selection.tables.values() if table.position}
    catalogs, others, lines = kinds.open_catalogs(paths, selection.kinds, selection.columns, columns, positions)
    result = Selected(selection, lines=lines)
    tables: dict[str, Catalog] = {}
    for name, cuts in selection.tables.items():
        if cuts.kind in catalogs:
            tables[name] = catalogs[cuts.kind]
        elif not cuts.optional:
            given = [f"{catalog} ({kind})" for kind, catalog in catalogs.items()] + others
            raise InputError(
                f"the selection needs a {cuts.kind} catalog ({kinds.KINDS[cuts.kind]}) and none was given; given: "
                f"{', '.join(given) or 'no catalog'}"
            )
    left: dict[str, np.ndarray] = {}
    work = _Work(selection, tables, left, result)
    for name, catalog in tables.items():
        if catalog.around is not None:
            if name == selection.rows:
                raise InputError(f"{catalog}: a HATS catalog can be joined with, not selected from as a whole")
            # Too large to be cut as a whole: it is when it is matched.
            continue
        on_step(f"cuts on {name}")
        left[name] = _cut_table(name, catalog, selection.tables[name], result)
    on_step("joins and labels")
    rows = _Rows({selection.rows: left[selection.rows]})
    matches = [match for match in selection.match if set(match.tables) & set(tables)]
    for match in matches:
        if not match.last:
            _join(rows, match, work)
    for cut in selection.cuts:
        if cut.column.partition(".")[0] in tables:
            _cut_joined(rows, cut, tables, result)
        else:
            kind = kinds.KINDS[selection.tables[cut.column.partition(".")[0]].kind]
            result.lines.append(f"left out, as no such catalog was given: the cut '{cut}' ({cut.source}), on {kind}")
    for match in matches:
        if match.last:
            _join(rows, match, work)
    split = _split(rows, selection, tables, result) if selection.split else None
    for cut in selection.then:
        mask = _cut_joined(rows, cut, tables, result)
        split = None if split is None else split[mask]
    if split is not None and selection.then:
        counts = ", ".join(f"{int((split == part).sum())} {part}" for part in np.unique(split))
        result.lines.append(f"left of each part after the last cuts: {counts}")
    if selection.exclude is not None:
        _exclude(rows, selection.exclude, selection, tables, catalogs.get("selection"), result)
    result.columns = _columns(rows, selection, tables, result)
    if split is not None:
        result.columns["split"] = split
    return result


def _cut_table(name: str, catalog: Catalog, asked: TableCuts, result: Selected) -> np.ndarray:
    """Rows of one catalog that pass its own cuts; columns are read one at a time."""
    result.lines.extend(catalog.notes)
    result.steps.append(Step(name, f"rows of {', '.join(path.name for path in catalog.paths)}", "", catalog.rows))
    keep = np.ones(catalog.rows, dtype=bool)
    for cut in asked.cuts:
        if cut.optional and catalog.find(cut.column) is None:
            result.lines.append(f"{catalog}: no column {cut.column}; the cut '{cut}' keeps all rows")
            continue
        column = catalog.column(cut.column)
        before = int(keep.sum())
        keep &= passes(cut, column, str(catalog))
        _note(result, name, str(cut), cut.source, int(keep.sum()), before, str(catalog))
    rows = np.flatnonzero(keep)
    if not asked.one_per:
        return rows
    ids = (kinds.gaia_ids(catalog) if asked.one_per == "source_id" else catalog.ids(asked.one_per))[rows]
    prefer = catalog.numbers(asked.highest)[rows] if asked.highest else np.zeros(len(rows))
    order = np.lexsort((rows, -np.nan_to_num(prefer, nan=-np.inf), ids))
    first = np.ones(len(rows), dtype=bool)
    # Without identifier nobody knows which rows are one star.
    first[1:] = (ids[order][1:] != ids[order][:-1]) | (ids[order][1:] == -1)
    kept = np.sort(rows[order[first]])
    rule = f"one row for each {asked.one_per}" + (f", the one of highest {asked.highest}" if asked.highest else "")
    _note(result, name, rule, "", len(kept), len(rows), str(catalog))
    return kept


def _note(result: Selected, table: str, name: str, source: str, rows: int, before: int, where: str) -> None:
    result.steps.append(Step(table, name, source, rows, before - rows))
    if not rows:
        raise InputError(f"{where}: no row is left after '{name}'; {before} were there before it")


def _join(rows: _Rows, match: Match, work: _Work) -> None:
    """Find the row of other tables for each selected row; rows without any are dropped."""
    main, tables = match.of or work.selection.rows, work.tables
    if main not in rows.of:
        raise InputError(f"match of {main} with {', '.join(match.tables)}: {main} is matched later, or not at all")
    matched = np.zeros(len(rows), dtype=bool)
    names = [name for name in match.tables if name in tables]
    for name in names:
        wanted = np.where(matched, -1, rows.of[main])
        place = (_by_position if match.by == "position" else _by_key)(wanted, match, main, name, work)
        rows.of[name] = np.where(place >= 0, work.left[name][place], -1)
        matched |= place >= 0
    before = len(rows)
    rows.keep(matched)
    what = f"in {' or '.join(names)} by {match.by}"
    what += f" within {match.radius:g} arcsec" if match.by == "position" else ""
    _note(work.result, main, what, match.source, len(rows), before, f"{tables[main]} and {tables[names[0]]}")
    if len(names) > 1:
        shares = [(name, int((rows.of[name] >= 0).sum())) for name in names]
        text = ", ".join(f"{number} from {name} ({100 * number / len(rows):.1f} %)" for name, number in shares)
        work.result.lines.append(f"labels: {text}")


def _by_key(wanted: np.ndarray, match: Match, main: str, name: str, work: _Work) -> np.ndarray:
    """Place in ``left`` of the row that has the identifier of each wanted row of `main`; -1 where there is none."""
    tables = work.tables
    around = tables[name].around
    if around is not None and match.by != "source_id":
        raise InputError(f"{tables[name]}: a HATS catalog is matched by source_id or by position, not by {match.by}")
    main_keys = kinds.keys(tables[main], match.by)
    main_keys = np.where(wanted >= 0, main_keys[wanted], "" if main_keys.dtype.kind == "U" else -1)
    if around is not None:
        work.take(name, around(main_keys, 0.0, 2016.0, work.place(name)))
    other_keys = kinds.keys(tables[name], match.by)[work.left[name]]
    place = match_ids(main_keys, other_keys)
    known = int((other_keys != ("" if other_keys.dtype.kind == "U" else -1)).sum())
    work.result.lines.append(
        f"{main} and {name} by {match.by}: {int((place >= 0).sum())} rows matched; of {name} "
        f"{known - len(np.unique(place[place >= 0]))} rows are unused and {len(other_keys) - known} have no {match.by}"
    )
    return place


def _by_position(wanted: np.ndarray, match: Match, main: str, name: str, work: _Work) -> np.ndarray:
    """Place in ``left`` of the row at the position of each wanted row of `main`; -1 where there is none."""
    known, where = np.flatnonzero(wanted >= 0), work.place(name)
    main_positions = read_positions(work.tables[main], work.place(main), wanted[known])
    epoch, around = match.epoch, work.tables[name].around
    if around is not None:
        if epoch is None:
            # Which of the two can be moved is told by the columns, before a row is read.
            moves = all(any(map(work.tables[name].find, columns)) for columns in (where.pmra, where.pmdec))
            motion = np.zeros(1) if moves else None
            epoch = common_epoch(main_positions, Positions(np.zeros(1), np.zeros(1), where.epoch, motion, motion))
        work.take(name, around(main_positions, match.radius, epoch, where))
    other_positions = read_positions(work.tables[name], where, work.left[name])
    matches, report = match_positions(
        main_positions, other_positions, match.radius, epoch=epoch, ambiguous=match.ambiguous
    )
    work.result.lines.append(report.describe(main, name))
    place = np.full(len(wanted), -1, dtype=np.int64)
    place[known] = matches
    return place


def _cut_joined(rows: _Rows, cut: Cut, tables: Mapping[str, Catalog], result: Selected) -> np.ndarray:
    """Apply a cut on a column 'table.COLUMN' to the selected rows; the mask that it kept."""
    mask = _joined(rows, cut, tables)
    before = len(rows)
    rows.keep(mask)
    _note(result, "selected", str(cut), cut.source, len(rows), before, "selected rows")
    return mask


def _joined(rows: _Rows, cut: Cut, tables: Mapping[str, Catalog]) -> np.ndarray:
    name, _, column = cut.column.partition(".")
    if name not in tables or name not in rows.of:
        raise InputError(f"cut on {cut.column}: matched rows have the tables {', '.join(rows.of)}, not {name}")
    catalog, place = tables[name], rows.of[name]
    whole = catalog.column(column)
    part = whole.take(place)
    inner = Cut(column, cut.asks)
    return passes(inner, part, str(catalog)) & (place >= 0)


def _split(rows: _Rows, selection: Selection, tables: Mapping[str, Catalog], result: Selected) -> np.ndarray:
    """Assign rows to pool and test; what is in neither is dropped."""
    split = np.full(len(rows), "", dtype="U4")
    ids = _source_ids(rows, selection, tables)
    if (ids < 0).any():
        ids = tables[selection.rows].ids("RVTAB.TARGETID", "obsid")[rows.of[selection.rows]]
    rng = np.random.default_rng(selection.settings.get("seed", 0))
    for part in selection.split:
        mask = split == ""
        for cut in part.where:
            mask &= _joined(rows, cut, tables)
        chosen = np.flatnonzero(mask)
        name = part.name or ", ".join(str(cut) for cut in part.where)
        if part.take is not None:
            if len(chosen) < part.take:
                earlier = int((split == part.part).sum())
                raise InputError(
                    f"'{name}': {part.take} stars asked and {len(chosen)} there (beside {earlier} already in the {part.part}); "
                    f"ask for fewer with --set {_setting(selection, part.take)}=NUMBER"
                )
            # By identifier, so that the draw does not depend on the order of the catalogs.
            chosen = rng.permutation(chosen[np.argsort(ids[chosen], kind="stable")])[: part.take]
            name = f"{name}: {part.take} of {int(mask.sum())} at random"
        split[chosen] = part.part
        result.steps.append(Step(part.part, name, part.source, len(chosen)))
    for name in dict.fromkeys(part.part for part in selection.split):
        number = int((split == name).sum())
        result.steps.append(Step(name, "all", "", number))
        if not number:
            raise InputError(f"no row is left for the split '{name}' of {len(rows)} matched rows")
    inside = split != ""
    before = len(rows)
    rows.keep(inside)
    _note(result, "selected", "in one of the parts", "", len(rows), before, "selected rows")
    return split[inside]


def _setting(selection: Selection, value: int) -> str:
    return next((name for name, number in selection.settings.items() if number == value and name != "seed"), "take")


def _exclude(
    rows: _Rows,
    exclude: Exclude,
    selection: Selection,
    tables: Mapping[str, Catalog],
    others: Catalog | None,
    result: Selected,
) -> None:
    """Drop stars that another selection keeps for its test, by Gaia source_id."""
    part, keep = exclude.split, exclude.keep
    if others is None:
        if not keep:
            raise InputError(
                "no test stars were given that must not be learnt from: add the file that `transtar select` wrote for the "
                "target survey to --catalogs, or say --set keep_overlap=true"
            )
        return
    test = kinds.gaia_ids(others)[others.column("split").text() == part]
    test = test[test >= 0]
    ids = _source_ids(rows, selection, tables)
    overlap = np.isin(ids, test)
    if (ids < 0).any():
        result.lines.append(f"{int((ids < 0).sum())} rows have no source_id: whether they are {part} stars is unknown")
    name = f"not among the {len(test)} {part} stars of {', '.join(path.name for path in others.paths)}"
    if keep:
        result.lines.append(f"{int(overlap.sum())} rows are {part} stars of {others}; kept, as keep_overlap asks")
        return
    before = len(rows)
    rows.keep(~overlap)
    _note(result, "selected", name, "no star is scored by a model that saw it", len(rows), before, "selected rows")


def _columns(
    rows: _Rows, selection: Selection, tables: Mapping[str, Catalog], result: Selected
) -> dict[str, np.ndarray]:
    columns = kinds.observations(tables[selection.rows], rows.of[selection.rows])
    columns["source_id"] = _source_ids(rows, selection, tables, result)
    alphafe = str(selection.settings.get("alphafe", "aspcap"))
    for name, place in rows.of.items():
        if name == selection.rows:
            continue
        matched = np.flatnonzero(place >= 0)
        if tables[name].kind.startswith("desi"):
            later = kinds.observations(tables[name], place[matched])
            table_columns = {f"{key}_{name}": values for key, values in later.items() if "_desi" in key}
        else:
            table_columns = kinds.labels(tables[name], place[matched], alphafe)
            # Elements that only compilations without precedence have.
            table_columns = {key: v for key, v in table_columns.items() if v.dtype.kind != "f" or np.isfinite(v).any()}
        for key, values in table_columns.items():
            if key not in columns:
                columns[key] = _blank(values, len(rows))
            width = max(columns[key].dtype, values.dtype) if values.dtype.kind == "U" else columns[key].dtype
            columns[key] = columns[key].astype(width)
            columns[key][matched] = values
    for name, place in rows.of.items():
        columns |= _asked(tables[name], place, selection.tables[name].columns, name)
    if selection.settings.get("calibration"):
        calibration = load_calibration(str(selection.settings["calibration"]))
        # The branch that the main columns are of; of two releases the one that was joined last.
        ending = next(ending for ending in ("_desi_dr1", "_desi", "_lamost") if f"feh{ending}" in columns)
        feh, teff, logg = (columns[f"{label}{ending}"] for label in ("feh", "teff", "logg"))
        columns[f"feh{ending}_calibrated"] = calibrate(feh, teff, logg, calibration)
        number = int(np.isfinite(columns[f"feh{ending}_calibrated"]).sum())
        result.lines.append(f"[Fe/H] calibrated for {number} of {len(rows)} rows ({calibration.source})")
    if len(selection.match) and "label_source" in columns:
        sources, counts = np.unique(columns["label_source"], return_counts=True)
        shares = ", ".join(f"{n} {name} ({100 * n / len(rows):.1f} %)" for name, n in zip(sources, counts, strict=True))
        result.lines.append(f"labels in the end: {shares}")
    return columns


def _source_ids(
    rows: _Rows, selection: Selection, tables: Mapping[str, Catalog], result: Selected | None = None
) -> np.ndarray:
    """Gaia source_ids of the selected rows: our catalog's own, and where it has none those of the matched rows."""
    ids = kinds.gaia_ids_if_any(tables[selection.rows])[rows.of[selection.rows]]
    for name, place in rows.of.items():
        if name == selection.rows:
            continue
        other_ids = np.where(place >= 0, kinds.gaia_ids_if_any(tables[name])[place], -1)
        taken, differ = (ids < 0) & (other_ids >= 0), (ids >= 0) & (other_ids >= 0) & (ids != other_ids)
        if result is not None and (taken.any() or differ.any()):
            result.lines.append(
                f"source_id: {int(taken.sum())} rows that have none of their own take that of {name}; {int(differ.sum())} rows "
                f"have another one than {name} and keep it"
            )
        ids = np.where(taken, other_ids, ids)
    return ids


def _asked(catalog: Catalog, place: np.ndarray, names: tuple[str, ...], table: str) -> dict[str, np.ndarray]:
    """Columns that a selection asks for by their native names, as 'column_table'; NaN, -1 or empty where there is none."""
    out = {}
    for name in names:
        column = catalog.column(name)
        matched = place >= 0
        missing = column.missing[place] | ~matched
        if column.is_vector:
            raise InputError(
                f"{catalog}: column {name} holds {column.values.shape[1:]} values in a row; only one can be kept"
            )
        values = column.numbers() if meaning(column.name) else column.natural()
        values = values.astype(np.int64) if values.dtype.kind in "biu" else values
        blank = "" if values.dtype.kind == "U" else np.nan if values.dtype.kind == "f" else -1
        out[f"{name.rpartition('.')[2]}_{table}".lower()] = np.where(missing, blank, values[place])
    return out


def _blank(values: np.ndarray, n: int) -> np.ndarray:
    if values.dtype.kind == "U":
        return np.full(n, "", dtype=values.dtype)
    if values.dtype.kind == "f":
        return np.full(n, np.nan)
    return np.full(n, -1, dtype=np.int64)

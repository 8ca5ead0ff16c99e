"""Selection files: cuts with names and sources as YAML, checked key by key. Those that ship lie in ``selections/``."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from ..checks import check_list, check_mapping, check_real, check_switch, check_text
from ..errors import InputError, SettingsError, check_keys, shown
from ..labels.label_tables import SPLITS
from ..labels.positions import AMBIGUOUS
from ..names import check_name
from ..plain_yaml import read_extending
from .catalog_places import PLACES, changed_place
from .cuts import Cut, parse_cut
from .kinds import KINDS


@dataclass(frozen=True)
class TableCuts:
    """What is asked of one catalog.

    Parameters
    ----------
    kind : str
        Key of `KINDS`.
    cuts : tuple of Cut
    one_per : str
        Column whose values must be unique in the end; empty for no such rule.
    highest : str
        Of rows that share a value the one with the highest of this column is kept, then the first.
    optional : bool
        Whether the selection can do without the catalog.
    columns : tuple of str
        Native columns that are written with the selected rows, as ``column_table`` in lower case.
    position : dict
        Columns of position and motion, or an epoch, other than those of `transtar.selections.catalog_places.PLACES`.
    """

    kind: str
    cuts: tuple[Cut, ...] = ()
    one_per: str = ""
    highest: str = ""
    optional: bool = False
    columns: tuple[str, ...] = ()
    position: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """A join of the selected rows with other catalogs; the first of `tables` that has the key is taken.

    It is made before the cuts on matched rows, with `last` after them.

    Parameters
    ----------
    tables : tuple of str
    by : str
        'source_id', 'targetid' or 'spectrum' (see `transtar.selections.kinds.keys`), or 'position'.
    source : str
    last : bool
    of : str
        Table whose key is looked up, of those matched before; the selected rows' own if empty.
    radius, epoch, ambiguous
        Of a match by position, as in `transtar.labels.match_positions`.
    """

    tables: tuple[str, ...]
    by: str = "source_id"
    source: str = ""
    last: bool = False
    of: str = ""
    radius: float = 1.0
    epoch: float | None = None
    ambiguous: str = "drop"


@dataclass(frozen=True)
class Part:
    """Stars of the pool or of the test set: those that pass the cuts and are not yet in an earlier part."""

    part: str
    where: tuple[Cut, ...]
    take: int | None = None
    name: str = ""
    source: str = ""


@dataclass(frozen=True)
class Selection:
    """A selection of stars.

    Parameters
    ----------
    title, source : str
    tables : dict of str to TableCuts
    rows : str
        The table whose rows are selected.
    match : tuple of Match
    cuts : tuple of Cut
        On matched rows; columns are called 'table.COLUMN'.
    split : tuple of Part
        Rows in no part are dropped.
    then : tuple of Cut
        After the split, so that stars do not change sides.
    exclude : dict
        ``split``: stars of this split in selections given as catalogs are dropped unless ``keep``.
    settings : dict
        Numbers and choices that users may change; ``$name`` stands for one elsewhere in the file.
    """

    title: str
    source: str
    tables: dict[str, TableCuts]
    rows: str
    match: tuple[Match, ...] = ()
    cuts: tuple[Cut, ...] = ()
    split: tuple[Part, ...] = ()
    then: tuple[Cut, ...] = ()
    exclude: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def kinds(self) -> set[str]:
        """Kinds of catalogs that it draws on."""
        return {table.kind for table in self.tables.values()} | ({"selection"} if self.exclude else set())

    @property
    def columns(self) -> set[str]:
        """Names of the columns that its cuts ask for, without table or HDU."""
        tables = self.tables.values()
        cuts = [*(cut for table in tables for cut in table.cuts), *self.cuts, *self.then]
        cuts += [cut for part in self.split for cut in part.where]
        names = [
            *(cut.column for cut in cuts),
            *(table.one_per for table in tables),
            *(table.highest for table in tables),
            *(column for table in tables for column in table.columns),
            *(value for table in tables for value in table.position.values() if isinstance(value, str)),
        ]
        return {name.rpartition(".")[2] for name in names if name}


def shipped_selections() -> dict[str, str]:
    """Titles of the selections that ship with transtar, by name."""
    return {name: str(_content(name)["title"]) for name in _shipped()}


def _shipped() -> list[str]:
    folder = package_files(__package__)
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_selection(name: str, changes: Mapping[str, Any] | None = None) -> Selection:
    """Read a selection.

    Parameters
    ----------
    name : str
        Name of one that ships with transtar, or path of a YAML file. A file may hold only what differs from another, which
        it names by ``extends``.
    changes : mapping, optional
        Settings to override.

    Returns
    -------
    Selection

    Raises
    ------
    InputError
        If there is no such selection, or it is not YAML.
    SettingsError
        On an unknown key, setting, kind or column.
    """
    content = _content(name)
    settings = dict(_names(content, "settings", name))
    changes = dict(changes or {})
    check_keys(changes, settings, f"settings of {name}")
    settings.update(changes)
    content = _fill_in({**content, "settings": settings}, settings, name)
    check_keys(content, [one.name for one in fields(Selection)], name)
    for key in ("title", "source", "tables", "rows"):
        if not content.get(key):
            raise SettingsError(f"{name}: a selection needs {key}")
    # A selection that extends another takes a table away by 'table: null'.
    entries = {key: entry for key, entry in _names(content, "tables", name).items() if entry is not None}
    tables = {
        check_name(key, f"{name}: tables"): _table(entry, f"{name}: table {key}") for key, entry in entries.items()
    }
    match = tuple(_match(entry, tables, name) for entry in _list(content, "match", name))
    check_keys([content["rows"]], tables, f"{name}: rows")
    exclude = dict(_names(content, "exclude", name))
    check_keys(exclude, ("split", "keep"), f"{name}: exclude")
    return Selection(
        title=str(content["title"]),
        source=str(content["source"]),
        tables=tables,
        rows=str(content["rows"]),
        match=match,
        cuts=_cuts(content.get("cuts"), f"{name}: cuts"),
        split=tuple(_part(entry, name) for entry in _list(content, "split", name)),
        then=_cuts(content.get("then"), f"{name}: then"),
        exclude=exclude,
        settings=settings,
    )


def _content(name: str) -> dict[str, Any]:
    """Mapping of a selection file, on top of the one that it extends."""
    return read_extending(name, _find, _merge, "selection")


def _find(name: str) -> Path:
    """File of a selection."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        # A name and nothing else: it must not lead out of the folder of those that ship.
        folder = Path(str(package_files(__package__)))
        path = folder / f"{name if name in _shipped() else ''}.yaml"
    if not path.is_file():
        raise InputError(f"no selection '{shown(name)}'; selections: {', '.join(_shipped())}, or a file .yaml")
    return path


def _merge(base: dict, top: dict) -> dict:
    merged = deepcopy(base)
    for key, value in top.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _fill_in(value: Any, settings: Mapping[str, Any], where: str) -> Any:
    """Replace ``$name`` by the setting of that name."""
    if isinstance(value, dict):
        return {key: _fill_in(entry, settings, where) for key, entry in value.items()}
    if isinstance(value, list):
        return [_fill_in(entry, settings, where) for entry in value]
    if isinstance(value, str) and value.startswith("$"):
        check_keys([value[1:]], settings, f"{where}: ${value[1:]}")
        return settings[value[1:]]
    return value


def _names(content: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    """A part of a file that holds things by name; what is not there is empty."""
    return check_mapping(content.get(key) or {}, f"{where}: {key}")


def _list(content: Mapping[str, Any], key: str, where: str) -> list[Any]:
    """A part of a file that is a list; what is not there is empty."""
    return check_list(content.get(key) or [], f"{where}: {key}")


def _table(entry: Mapping[str, Any], where: str) -> TableCuts:
    check_mapping(entry, where)
    check_keys(entry, [one.name for one in fields(TableCuts)], where)
    check_keys([entry.get("kind")], KINDS, f"{where}: kind")
    more = {key: entry[key] for key in ("one_per", "highest", "optional") if key in entry}
    columns = [check_text(column, f"{where}: columns: each") for column in _list(entry, "columns", where)]
    more["columns"], more["position"] = tuple(columns), dict(_names(entry, "position", where))
    for key in ("one_per", "highest"):
        check_text(entry.get(key, ""), f"{where}: {key}")
    check_switch(entry.get("optional", False), f"{where}: optional")
    if more["position"]:
        check_keys([entry["kind"]], PLACES, f"{where}: position")
        changed_place(PLACES[str(entry["kind"])], more["position"], f"{where}: position")
    return TableCuts(str(entry["kind"]), _cuts(entry.get("cuts"), where), **more)


def _match(entry: Mapping[str, Any], tables: Mapping[str, TableCuts], where: str) -> Match:
    check_mapping(entry, f"{where}: match")
    check_keys(entry, [one.name for one in fields(Match)], f"{where}: match")
    if not _list(entry, "tables", f"{where}: match"):
        raise SettingsError(f"{where}: match: needs tables")
    check_keys(entry["tables"], tables, f"{where}: match: tables")
    check_switch(entry.get("last", False), f"{where}: match: last")
    for key in ("source", "of"):
        check_text(entry.get(key, ""), f"{where}: match: {key}")
    check_keys([entry.get("by", "source_id")], ("source_id", "targetid", "spectrum", "position"), f"{where}: match: by")
    check_keys([entry["of"]] if entry.get("of") else (), tables, f"{where}: match: of")
    near = [key for key in ("radius", "epoch", "ambiguous") if entry.get(key) is not None]
    if entry.get("by") == "position":
        check_keys([entry.get("ambiguous", "drop")], AMBIGUOUS, f"{where}: match: ambiguous")
        for key in ("radius", "epoch"):
            value = entry.get(key, 1.0)
            if value is not None or key == "radius":
                check_real(value, f"{where}: match: {key}")
    elif near:
        raise SettingsError(f"{where}: match: {', '.join(near)} is for matches by: position only")
    return Match(**{**entry, "tables": tuple(entry["tables"])})


def _part(entry: Mapping[str, Any], where: str) -> Part:
    check_mapping(entry, f"{where}: split")
    check_keys(entry, [one.name for one in fields(Part)], f"{where}: split")
    for key in ("name", "source"):
        check_text(entry.get(key, ""), f"{where}: split: {key}")
    check_keys([entry.get("part")], SPLITS, f"{where}: split: part")
    take = entry.get("take")
    if take is not None and (isinstance(take, bool) or not isinstance(take, int) or take < 1):
        raise SettingsError(f"{where}: split: take needs a positive whole number, not '{take}'")
    return Part(**{**entry, "where": _cuts(entry.get("where"), f"{where}: split")})


def _cuts(entries: Any, where: str) -> tuple[Cut, ...]:
    return tuple(parse_cut(entry, where) for entry in check_list(entries or [], f"{where}: cuts"))

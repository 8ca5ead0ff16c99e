"""Selection files: cuts with names and sources as YAML, checked key by key. Those that ship lie in ``selections/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from pathlib import Path
from typing import Annotated, Any

from ..checks import check_mapping
from ..editor_schema import editor_schema
from ..errors import InputError, SettingsError, check_keys, shown
from ..labels.catalog_places import PLACE_COLUMNS, PLACES, changed_place
from ..labels.kinds import KINDS
from ..labels.label_tables import SPLITS
from ..labels.positions import AMBIGUOUS
from ..plain_yaml import merge, read_extending
from ..schema import (
    Filled,
    Name,
    Section,
    Settings,
    Switch,
    Text,
    listed,
    must,
    null_is,
    one_of,
    parse,
    real,
    whole,
)
from .cuts import FromFile

BY = ("source_id", "targetid", "spectrum", "position")

# What may stand in a selection file, beside the types of `transtar.schema`.
Cuts = Annotated[tuple[FromFile, ...], listed("a list of cuts"), null_is(tuple)]
Texts = Annotated[tuple[Text, ...], listed("a list of columns"), null_is(tuple)]
Split = Annotated[str, one_of(SPLITS, "split")]
Place = Annotated[
    str | float,
    must(
        "the name of a column (of the epoch also a Julian year from 1800 to 2100)",
        lambda cs: cs.union_schema([cs.str_schema(strict=True), cs.float_schema(strict=True, gt=1800, lt=2100)]),
    ),
]


@dataclass(frozen=True)
class TableCuts(Section):
    """What is asked of one catalog.

    Parameters
    ----------
    kind : str
        Kind of catalog, a key of `transtar.labels.kinds.KINDS`.
    cuts : tuple of Cut
        Which of its rows count.
    one_per : str
        Column whose values must be unique in the end; empty for no such rule.
    highest : str
        Of rows that share a value the one with the highest of this column is kept, then the first.
    optional : bool
        Whether the selection can do without the catalog.
    columns : tuple of str
        Native columns that are written with the selected rows, as ``column_table`` in lower case.
    position : dict
        Columns of position and motion, or an epoch, other than those of `transtar.labels.catalog_places.PLACES`.
    """

    kind: Annotated[str, one_of(KINDS, "kind")]
    cuts: Cuts = ()
    one_per: Text = ""
    highest: Text = ""
    optional: Switch = False
    columns: Texts = ()
    position: Annotated[dict[Annotated[str, one_of(PLACE_COLUMNS, "key")], Place], null_is(dict)] = field(
        default_factory=dict
    )


@dataclass(frozen=True)
class Match(Section):
    """A join of the selected rows with other catalogs; the first of `tables` that has the key is taken.

    It is made before the cuts on matched rows, with `last` after them.

    Parameters
    ----------
    tables : tuple of str
        Names of catalogs, among `tables` of the selection.
    by : str
        'source_id', 'targetid' or 'spectrum' (see `transtar.labels.kinds.keys`), or 'position'.
    source : str
        Where the match comes from.
    last : bool
        Make the match after the cuts on matched rows.
    of : str
        Table whose key is looked up, of those matched before; the selected rows' own if empty.
    radius, epoch, ambiguous
        Of a match by position, as in `transtar.labels.match_positions`.
    """

    tables: Annotated[tuple[Text, ...], listed("a list of tables", fewest=1)]
    by: Annotated[str, one_of(BY, "key")] = "source_id"
    source: Text = ""
    last: Switch = False
    of: Text = ""
    radius: Annotated[float, real()] = 1.0
    epoch: Annotated[float, real()] | None = None
    ambiguous: Annotated[str, one_of(AMBIGUOUS, "key")] = "drop"


@dataclass(frozen=True)
class Part(Section):
    """Stars of the pool or of the test set: those that pass the cuts and are not yet in an earlier part.

    Parameters
    ----------
    part : {'pool', 'test'}
        Where the stars go.
    where : tuple of Cut
        On matched rows.
    take : int, optional
        So many of the stars, drawn at random.
    name : str
        How the part is called in the table of cuts; made from the cuts if empty.
    source : str
        Where it comes from.
    """

    part: Split
    where: Cuts = ()
    take: Annotated[int, whole()] | None = None
    name: Text = ""
    source: Text = ""


@dataclass(frozen=True)
class Exclude(Section):
    """Stars of selections that are given as catalogs, which are dropped or only counted.

    Parameters
    ----------
    split : {'pool', 'test'}
        Part of those selections.
    keep : bool
        Count the stars and keep them.
    """

    split: Split = "test"
    keep: Switch = False


@dataclass(frozen=True)
class Selection(Section):
    """A selection of stars.

    Parameters
    ----------
    title : str
        What is selected.
    source : str
        Where the selection comes from.
    tables : dict of str to TableCuts
        Catalogs by a name of this file, and what is asked of each.
    rows : str
        The table whose rows are selected.
    match : tuple of Match
        Joins with other catalogs, in this order.
    cuts : tuple of Cut
        On matched rows; columns are called 'table.COLUMN'.
    split : tuple of Part
        Rows in no part are dropped.
    then : tuple of Cut
        After the split, so that stars do not change sides.
    exclude : Exclude or None
        Stars that must not be learnt from.
    settings : dict
        Numbers and choices that users may change; ``$name`` stands for one elsewhere in the file.
    """

    title: Filled
    source: Filled
    tables: dict[Name, TableCuts]
    rows: Text
    match: Annotated[tuple[Match, ...], listed("a list of matches"), null_is(tuple)] = ()
    cuts: Cuts = ()
    split: Annotated[tuple[Part, ...], listed("a list of parts"), null_is(tuple)] = ()
    then: Cuts = ()
    exclude: Exclude | None = None
    settings: Annotated[Settings, null_is(dict)] = field(default_factory=dict)

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
    settings = check_mapping(content.get("settings") or {}, f"{name}: settings")
    check_keys(changes or {}, settings, f"settings of {name}")
    settings = {**settings, **(changes or {})}
    content = {**_fill_in(content, settings, name), "settings": settings}
    if isinstance(content.get("tables"), dict):
        # A selection that extends another takes a table away by 'table: null'.
        content["tables"] = {key: entry for key, entry in content["tables"].items() if entry is not None}
    if content.get("exclude") == {}:
        del content["exclude"]
    selection = parse(Selection, content, name)
    _check_together(selection, content, name)
    return selection


def selection_schema() -> dict[str, Any]:
    """JSON schema of selection files, for editors; see `transtar.editor_schema.editor_schema`."""
    made = editor_schema(Selection, "selection", references=True)
    tables = made["properties"]["tables"]
    tables["additionalProperties"] = {"anyOf": [tables["additionalProperties"], {"type": "null"}]}
    return made


def _check_together(selection: Selection, content: Mapping[str, Any], name: str) -> None:
    """What goes together with what: tables that exist, positions of catalogs that have some, matches by position."""
    tables = selection.tables
    if not tables:
        raise SettingsError(f"{name}: needs tables")
    check_keys([selection.rows], tables, f"{name}: rows")
    for key, table in tables.items():
        if table.position and table.kind not in PLACES:
            raise SettingsError(
                f"{name}: tables.{key}.position: catalogs of kind {table.kind} have no positions; kinds that have: "
                f"{', '.join(PLACES)}"
            )
        if table.position:
            changed_place(PLACES[table.kind], table.position, f"{name}: tables.{key}.position")
    for number, (match, entry) in enumerate(zip(selection.match, content.get("match") or (), strict=True)):
        where = f"{name}: match[{number}]"
        check_keys(match.tables, tables, f"{where}.tables")
        check_keys([match.of] if match.of else (), tables, f"{where}.of")
        near = [key for key in ("radius", "epoch", "ambiguous") if entry.get(key) is not None]
        if near and match.by != "position":
            raise SettingsError(f"{where}: {', '.join(near)} is for matches by: position only")


def _content(name: str) -> dict[str, Any]:
    """Mapping of a selection file, on top of the one that it extends."""
    return read_extending(name, _find, merge, "selection")


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

"""Write docs/study-keys.md: every key of a study file, from the classes by which study files are checked.

    python -m tools.study_keys

To be run after a key, its default or its description has changed; a test says when.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from transtar.glossary import LABELS
from transtar.networks.lora import LoRASettings
from transtar.networks.mlp import MLPSettings
from transtar.networks.residual import ResidualSettings
from transtar.plain_yaml import read_yaml
from transtar.preprocess import Preprocessing
from transtar.quality import Quality
from transtar.schema import descriptions
from transtar.simulate.instruments.effects import Effects
from transtar.simulate.mocks.mock_sets import MockSettings
from transtar.simulate.universe.scales import COUNTS, Scale
from transtar.simulate.universe.universe_settings import OTHER, SMALL_FIELD, UniverseSettings
from transtar.studies import shipped_studies, study_schema
from transtar.studies.spec import Study
from transtar.studies.study_encoder import StudyEncoder
from transtar.train import Pretrain, get_strategy, strategy_names
from transtar.train.augment import Augmentation
from transtar.train.settings import TrainSettings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "study-keys.md"
STUDIES = ROOT / "src" / "transtar" / "studies"

HEAD = """# All keys of a study file

Written by `python -m tools.study_keys` from the classes that check study files. [Settings files](settings-files.md) says
how files extend each other, and how an editor can check them. *Used in* names studies that ship and say something of a key.
`transtar study --help` and [studies on disk](study-results.md) say how a study is run and what it writes.
"""

PARTS: Mapping[str, tuple[str, str, str]] = {
    "Sample": ("source, target, sources.NAME, lines", "a sample", "source target sources.* lines"),
    "PlaneSample": ("plane", "the plane's sample", "plane"),
    "UnlabelledSample": ("encoders.NAME.spectra", "unlabelled samples", "encoders.*.spectra.*"),
    "Subset": ("subset", "a subset", "subset"),
    "ElementCheck": ("element", "an element", "element"),
    "StudyEncoder": ("encoders.NAME", "an encoder", "encoders.*"),
    "PretrainSettings": ("pretrain by input", "settings", "pretrain"),
    "StrategySettings": ("strategies.NAME", "settings of a strategy", "strategies.*"),
    "OfInput": ("strategies.NAME.by_input.INPUT", "settings", "strategies.*.by_input.*"),
    "Experiments": ("experiments", "experiments", "experiments"),
    "Explain": ("explain", "what is explained", "explain"),
}
"""Parts of the schema: a heading, what one is called, and the keys that hold it as patterns."""

OPEN: tuple[tuple[str, type, str], ...] = (
    ("preprocessing", Preprocessing, "preprocessing"),
    ("quality", Quality, "quality"),
    ("pretrain", Pretrain, "pretrain"),
    ("augmentation, in pretrain and strategies", Augmentation, "pretrain.augmentation strategies.*.augmentation"),
    ("mlp, in pretrain and scratch", MLPSettings, "pretrain.mlp strategies.*.mlp"),
    ("mock, in source, target, plane and lines", MockSettings, "source.mock sources.*.mock"),
    ("adapter, in strategies.lora", LoRASettings, "strategies.lora.adapter"),
    ("head, in strategies.residual", ResidualSettings, "strategies.residual.head"),
)
"""Settings that a study hands on to what it runs: a heading, the class that checks them, and where they stand."""


def page() -> str:
    """The whole page."""
    schema = study_schema()
    studies = {name: read_yaml(STUDIES / f"{name}.yaml") for name in shipped_studies()}
    lines = [HEAD, "## The study itself", "", *_table(_of_schema(schema, Study, ""), studies, "")]
    classes = {kind.__name__: kind for kind in _sections(Study)} | {"StudyEncoder": StudyEncoder}
    for name, (heading, _, places) in PARTS.items():
        part = schema["$defs"][name]
        lines += [f"## {heading}", "", part["description"], ""]
        lines += _table(_of_schema(part | {"$defs": schema["$defs"]}, classes.get(name), name), studies, places)
    for heading, kind, places in OPEN:
        lines += [f"## {heading}", "", _first_line(kind), "", *_table(list(_of_class(kind)), studies, places)]
    lines += [
        "## simulate",
        "",
        "A mock universe: what is not said is as in its scale, `small`, `medium` or `paper`.",
        "",
    ]
    lines += _table(list(_of_universe()), studies, "simulate")
    of_training = [row[:3] for row in _of_class(Pretrain)]
    for name in strategy_names():
        kind = get_strategy(name)
        rows = [row for row in _of_class(kind) if row[:3] not in of_training]
        trained = "It has the settings of [pretrain](#pretrain), these with other defaults or beside them:"
        lines += [f"## strategies.{name}", "", _first_line(kind), ""]
        lines += [trained, ""] if issubclass(kind, TrainSettings) and rows else []
        lines += _table(rows, studies, f"strategies.{name}") if rows else [_same(kind), ""]
    lines += ["## labels", "", f"Wherever a label is asked for: {', '.join(f'`{name}`' for name in LABELS)}.", ""]
    return "\n".join(lines)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").partition("\n")[0].replace("``", "`")


def _same(kind: type) -> str:
    return f"It has {'the settings of [pretrain](#pretrain)' if issubclass(kind, TrainSettings) else 'no settings'}."


Row = tuple[str, str, str, str]
"""Key, type, default and meaning."""


def _sections(kind: type) -> Iterator[type]:
    """Classes of the parts of a study, by the modules in which the study's own are."""
    from transtar.studies import by_input, sample, spec

    for module in (spec, sample, by_input):
        yield from (
            one for one in vars(module).values() if isinstance(one, type) and is_dataclass(one) and one is not kind
        )


def _of_schema(part: Mapping[str, Any], kind: type | None, name: str) -> list[Row]:
    """Rows of a part of the JSON schema; defaults are those of its class."""
    known = {one.name: one for one in fields(kind)} if kind is not None else {}  # type: ignore[arg-type]
    rows = [("extends", "text", "", part["properties"]["extends"]["description"])] if not name else []
    return rows + [
        (key, _type(about, part["$defs"]), _default(known.get(key)), about.get("description", ""))
        for key, about in part["properties"].items()
        if key != "extends"
    ]  # fmt: skip


def _of_class(kind: Any) -> Iterator[Row]:
    meant = descriptions(kind)
    for one in fields(kind):
        if one.init:
            name = one.type if isinstance(one.type, str) else getattr(one.type, "__name__", str(one.type))
            yield one.name, _python(name), _default(one), re.sub(r"\bNone\b", "`null`", meant.get(one.name, ""))


def _of_universe() -> Iterator[Row]:
    """What a study may say of its universe: the scale, numbers of stars in it, and the rest."""
    yield "scale", "one of `small`, `medium`, `paper`", "`small`", "From which the numbers of stars are."
    of_class = {row[0]: row for row in _of_class(UniverseSettings)}
    yield of_class["seed"]
    meant = descriptions(Scale)
    for name in COUNTS:
        yield name, "whole number", "of the scale", meant.get(name, "")
    for name, kind, default, meaning in (of_class[name] for name in OTHER):
        # At small scale DESI looks at a small field.
        yield name, kind, "of the scale" if name in SMALL_FIELD else default, meaning
    meant = descriptions(Effects)
    for one in fields(Effects):
        yield f"effects.{one.name}", "true or false", _default(one), meant.get(one.name, "")


def _python(name: str) -> str:
    """A Python type in words."""
    words = {"int": "whole number", "float": "number", "bool": "true or false", "str": "text", "None": "null"}
    if name == "Range":
        return "list of numbers"
    if "[" in name:
        kind = next(
            (word for each, word in {"float": "numbers", "int": "whole numbers"}.items() if each in name), "texts"
        )
        return f"list of {kind}" if "dict" not in name else "settings by name"
    parts = [words.get(part.strip(), part.strip()) for part in name.split("|")]
    return " or ".join("settings by name" if part[:1].isupper() else part for part in parts)


def _type(about: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """A JSON schema in words."""
    if "$ref" in about:
        name = about["$ref"].rpartition("/")[2]
        if name == "Changes":
            return "keys of this table"
        return "a label" if "enum" in defs[name] else f"[{PARTS[name][1]}](#{_anchor(PARTS[name][0])})"
    if "anyOf" in about:
        return " or ".join(dict.fromkeys(_type(one, defs) for one in about["anyOf"]))
    if "enum" in about:
        return "one of " + ", ".join(f"`{name}`" for name in about["enum"])
    kind = about.get("type", "")
    if kind == "array":
        return f"list of {_plural(_type(about.get('items', {}), defs))}"
    if kind == "object":
        inner = about.get("additionalProperties")
        return f"by name: {_type(inner, defs)}" if isinstance(inner, dict) else "settings by name"
    words = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "null": "null",
    }
    return words.get(kind, "any value") + _limits(about)


def _plural(words: str) -> str:
    return {"text": "texts", "a label": "labels"}.get(words, words.replace("number", "numbers", 1))


def _limits(about: Mapping[str, Any]) -> str:
    low, above, high = about.get("minimum"), about.get("exclusiveMinimum"), about.get("maximum")
    lower = f"above {above:g}" if above is not None else f"from {low:g}" if low is not None else ""
    upper = f"to {high:,}" if high is not None else ""
    return (" " + " ".join(filter(None, (lower, upper)))).rstrip()


def _default(one: Field | None) -> str:
    if one is None:
        return ""
    if one.default is not MISSING:
        return _value(one.default)
    if one.default_factory is not MISSING:
        return _value(one.default_factory())
    return "*needed*"


def _value(value: Any) -> str:
    if is_dataclass(value):
        return "its defaults"
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list | tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`" if value != "" else "`''`"


def _table(rows: list[Row], studies: Mapping[str, Any], places: str) -> list[str]:
    lines = ["| key | type | default | meaning | used in |", "|---|---|---|---|---|"]
    for key, kind, default, meaning in rows:
        used = _used(studies, [f"{place}.{key}".removeprefix(".") for place in places.split(" ")])
        cells = (f"`{key}`", kind, default, meaning, used)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return [*lines, ""]


MOST_NAMED = 3
"""Studies that are named for a key."""


def _used(studies: Mapping[str, Any], places: list[str]) -> str:
    names = [name for name, content in studies.items() if any(_has(content, place.split(".")) for place in places)]
    if len(names) > MOST_NAMED:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
    return ", ".join(names)


def _has(content: Any, path: list[str]) -> bool:
    """Whether something stands at a place of a study, of one of its variants, or of one of its scales; * is any name."""
    if _at(content, path):
        return True
    inside = [content.get(name) or {} for name in ("variants", "scales")]
    return any(_at(each, ["*", *path]) for each in inside)


def _at(content: Any, path: list[str]) -> bool:
    if not path:
        return True
    first, rest = path[0], path[1:]
    if first == "*" and isinstance(content, dict | list):
        return any(_at(each, rest) for each in (content.values() if isinstance(content, dict) else content))
    return isinstance(content, dict) and first in content and _at(content[first], rest)


def _anchor(heading: str) -> str:
    """What GitHub and MyST make of a heading."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")


def main(write: Callable[[str], object] = lambda text: PAGE.write_text(text, encoding="utf-8")) -> None:
    """Write the page."""
    write(page())


if __name__ == "__main__":
    main()

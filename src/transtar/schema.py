"""Files of settings against typed dataclasses: pydantic finds what is wrong, and this module says it in one line.

A file, or a part of one, is a frozen dataclass that inherits `Section`; the annotation of each field says what may stand there.
pydantic is imported when a file is read, not before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from inspect import getdoc
from math import inf
from typing import Annotated, Any, ClassVar

from .checks import MOST_STARS, real_text, whole_text
from .errors import SettingsError, shown, unknown_text
from .names import name_fault

_LARGEST = 1e300


def parse(kind: Any, content: Any, where: str) -> Any:
    """Check plain data, and make what it describes.

    Parameters
    ----------
    kind : type
        A `Section`, or any annotated type.
    content : object
        As a YAML file gives it. It is not changed.
    where : str
        What it is, for messages: the file, say.

    Returns
    -------
    object
        Of type `kind`; numbers and texts are as they stand in `content`.

    Raises
    ------
    SettingsError
        ``WHERE: KEY.OTHER[0]: what is wrong``: the first fault, and how many more there are.
    """
    from pydantic import ValidationError

    try:
        return type_adapter(kind).validate_python(content)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        more = f" (and {len(faults) - 1} more {'faults' if len(faults) > 2 else 'fault'})" if len(faults) > 1 else ""
        place = ": ".join(filter(None, (where, _path(faults[0]["loc"], content))))
        raise SettingsError(f"{place}: {_text(faults[0])}{more}") from None


@cache
def type_adapter(kind: Any) -> Any:
    """What pydantic makes of a type, once."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _path(location: Sequence, content: Any) -> str:
    """Where in a file a fault lies, as ``models.feh[0]``; a key that is at fault itself is no part of it."""
    path = ""
    for step in location[:-2] if location and location[-1] == "[key]" else location:
        path += f"[{step}]" if isinstance(content, list | tuple) else f".{shown(step)}"
        try:
            content = content[step]
        except (LookupError, TypeError):
            content = None
    return path.removeprefix(".")


def _text(fault: Mapping[str, Any]) -> str:
    """What is wrong, in our words."""
    kinds = {"list_type": "a list", "tuple_type": "a list", "dict_type": "names and settings"}
    words = fault["msg"] if fault["type"] == "must" else kinds.get(fault["type"])
    if words is None:
        return fault["msg"]
    who = "each key must be" if fault["loc"] and fault["loc"][-1] == "[key]" else "must be"
    return f"{who} {words}, not {shown(repr(fault['input']))}"


def fault(text: str) -> Exception:
    """What a check of a value raises: it becomes the end of the line that `parse` says."""
    from pydantic_core import PydanticCustomError

    return PydanticCustomError("fault", "{text}", {"text": text})


def must_be(words: str) -> Exception:
    """Like `fault`, for values of the wrong kind; the line says what stands there instead."""
    from pydantic_core import PydanticCustomError

    return PydanticCustomError("must", "{words}", {"words": words})


class Section:
    """A part of a file: base of frozen dataclasses whose fields are its keys."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        from pydantic_core import core_schema

        inner = handler.resolve_ref_schema(handler(source))
        # Where a class occurs a second time pydantic takes what has its reference, which must be the schema with our check.
        ref = inner.pop("ref", None)
        return core_schema.no_info_before_validator_function(cls._check_keys, inner, ref=ref)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema, handler):
        made = handler.resolve_ref_schema(handler(schema))
        made["description"] = (getdoc(cls) or "").partition("\n")[0]
        for name, text in descriptions(cls).items():
            if name in made.get("properties", {}):
                made["properties"][name]["description"] = text
        return made

    @classmethod
    def _check_keys(cls, content: Any) -> Any:
        known = {one.name: one for one in fields(cls)}  # type: ignore[arg-type]
        closed = cls.__pydantic_config__["extra"] == "forbid"
        if not isinstance(content, Mapping):
            raise must_be(f"settings by name ({', '.join(known)})" if closed else "settings by name")
        unknown = [key for key in content if key not in known]
        if closed and unknown:
            truth = any(isinstance(key, bool) for key in unknown)
            hint = " (true, false, yes, no, on and off are truth values in YAML: as a key, write them in quotes)"
            raise fault(unknown_text(unknown, known) + (hint if truth else ""))
        if not all(isinstance(key, str) for key in unknown):
            raise fault("each key must be text")
        missing = [name for name, one in known.items() if _needed(one) and name not in content]
        if missing:
            raise fault(f"needs {' and '.join(filter(None, (', '.join(missing[:-1]), missing[-1])))}")
        return content


def _needed(one: Any) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def descriptions(kind: type) -> dict[str, str]:
    """What the docstring of a dataclass, and of those that it inherits from, says of each field."""
    out: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        part = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-+\n|\Z)", getdoc(each) or "", re.MULTILINE | re.DOTALL)
        for names, text in re.findall(
            r"^(\w[\w, ]*?)(?: :.*)?\n((?:    .*\n?|\n)*)", part[1] if part else "", re.MULTILINE
        ):
            out |= dict.fromkeys(names.split(", "), " ".join(text.split()).replace("``", "`"))
    return {name: text for name, text in out.items() if text}


@dataclass(frozen=True)
class Rule:
    """What an annotation says of a value beside its Python type: a schema of pydantic, and a change of the JSON schema.

    Parameters
    ----------
    core : callable
        Takes `pydantic_core.core_schema` and a function that gives the schema of a type, or of what is annotated.
    json : callable
        Takes the JSON schema that pydantic made; gives ours.
    """

    core: Callable[[Any, Callable], Any]
    json: Callable[[dict], dict] = lambda made: made

    def __get_pydantic_core_schema__(self, source, handler):
        from pydantic_core import core_schema

        return self.core(
            core_schema, lambda kind=None: handler(source) if kind is None else handler.generate_schema(kind)
        )

    def __get_pydantic_json_schema__(self, schema, handler):
        return self.json(handler(schema))


def must(words: str, build: Callable[[Any], Any], json: Callable[[dict], dict] = lambda made: made) -> Rule:
    """Rule for a value that stays as it stands in the file; `words` say what it must be, `build` gives pydantic's schema."""

    def as_given(given: Any, check: Callable) -> Any:
        check(given)
        return given

    def core(cs: Any, schema: Callable) -> Any:
        return cs.no_info_wrap_validator_function(
            as_given, cs.custom_error_schema(build(cs), "must", custom_error_message=words)
        )

    return Rule(core, json)


def rule(find: Callable[[Any], str], **json: Any) -> Rule:
    """Rule for a value of the right type: `find` says what is wrong with it, or nothing; `json` is for the JSON schema."""

    def check(given: Any) -> Any:
        if text := find(given):
            raise fault(text)
        return given

    return Rule(
        lambda cs, schema: cs.no_info_after_validator_function(check, schema()),
        lambda made: made | json,
    )


def null_is(make: Callable[[], Any]) -> Rule:
    """Rule for what null takes away, as a file may that extends another: `make` gives what is there then."""
    return Rule(
        lambda cs, schema: cs.no_info_before_validator_function(
            lambda given: make() if given is None else given, schema()
        ),
        lambda made: {"anyOf": [made, {"type": "null"}]},
    )


def stands_as(kind: Any, make: Callable[[Any], Any] = lambda given: given) -> Rule:
    """Rule for what stands in a file as another type: that is checked, and `make` gives of the plain data what is meant."""

    def made(given: Any, check: Callable) -> Any:
        check(given)
        return make(given)

    return Rule(lambda cs, schema: cs.no_info_wrap_validator_function(made, schema(kind)))


def listed(words: str = "a list", fewest: int = 0, once: bool = False) -> Rule:
    """Rule for a list, called by `words`, of at least `fewest` items, which are hashable if each may come but `once`."""

    def check(given: Any, inner: Callable) -> Any:
        if not isinstance(given, list | tuple) or len(given) < fewest:
            raise must_be(words)
        made = inner(given)
        if once and len(set(made)) < len(made):
            raise fault(f"{shown(Counter(made).most_common(1)[0][0])} comes twice")
        return made

    more = ({"uniqueItems": True} if once else {}) | ({"minItems": fewest} if fewest else {})
    return Rule(lambda cs, schema: cs.no_info_wrap_validator_function(check, schema()), lambda made: made | more)


def one_of(names: Collection[str], what: str) -> Rule:
    """Rule for a text that is one of some names, which are called `what`."""

    def check(given: Any) -> Any:
        if not isinstance(given, str) or given not in names:
            raise fault(unknown_text([given], names, what))
        return given

    return Rule(
        lambda cs, schema: cs.no_info_before_validator_function(check, schema()),
        lambda made: made | {"enum": sorted(names)},
    )


def whole(low: int = 1, high: int = MOST_STARS) -> Rule:
    """Rule for a whole number within limits, both included; true, 1.0 and '1' are none."""
    return must(whole_text(low, high), lambda cs: cs.int_schema(strict=True, ge=low, le=high))


def real(low: float = -inf, high: float = inf, above: bool = False) -> Rule:
    """Rule for a finite number within limits, both included but for `low` if it must be `above`; true, nan and '1' are none."""
    limits = {"gt" if above else "ge": max(low, -_LARGEST), "le": min(high, _LARGEST)}

    def json(made: dict) -> dict:
        return {name: limit for name, limit in made.items() if limit not in (-_LARGEST, _LARGEST)}

    words = real_text(low, high, above)
    return must(words, lambda cs: cs.float_schema(strict=True, allow_inf_nan=False, **limits), json)


Text = Annotated[str, must("text", lambda cs: cs.str_schema(strict=True))]
Filled = Annotated[str, must("text that is not empty", lambda cs: cs.str_schema(strict=True, min_length=1))]
Switch = Annotated[bool, must("true or false", lambda cs: cs.bool_schema(strict=True))]
Settings = Annotated[dict[str, Any], must("names and settings", lambda cs: cs.dict_schema())]
Name = Annotated[str, must("text", lambda cs: cs.str_schema(strict=True)), rule(name_fault)]

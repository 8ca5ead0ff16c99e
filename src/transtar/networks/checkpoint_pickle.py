"""What a pickle of a checkpoint says, without doing it: a pickle is a program, and this machine has no instruction to call.

The usual ways do not serve. `pickle.load` runs whatever the file names. `torch.load(weights_only=True)` is safe, but stops at the
first class that is not on its list, and checkpoints of training frameworks are full of such among their settings. To put these
on its list, or to give an `Unpickler` a `find_class`, still builds objects and hands them the file's words (``BUILD`` sets
attributes of whatever lies on the stack, functions among them). So the opcodes, which `pickletools.genops` only takes apart, are
followed here by hand:

- ``GLOBAL`` and ``STACK_GLOBAL`` give a `Name`, two words. Nothing is imported, nothing is looked up.
- ``REDUCE``, ``NEWOBJ`` and ``NEWOBJ_EX`` call nothing. For three functions of torch and for ``OrderedDict`` the outcome is
  written down here (`_OUTCOMES`); for every other name it is a `Placeholder`, which is inert.
- ``BUILD`` is passed over: what it would set is dropped.
- ``BINPERSID`` gives a `Storage`: where numbers lie in the archive, not the numbers.
- An opcode that torch does not write (``INST``, ``OBJ``, ``EXT1``, ``PERSID``, those of protocol 0, ...) is refused.

No step recurses, so depth costs nothing, and memory is bounded by the size of the pickle.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import InputError, shown

MOST_PICKLE = 1 << 22
"""Bytes of a pickle, which holds names and shapes; that of a network of 126 million weights, optimiser and all, has a tenth."""

MOST_STEPS = 1_000_000
"""Opcodes that are followed."""


class Name(NamedTuple):
    """A class or function that the pickle names; only its name."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Placeholder:
    """What stands where the pickle would have made an object."""

    name: str


class Storage(NamedTuple):
    """Numbers that lie in the archive."""

    kind: str
    key: str
    size: int


class Declared(NamedTuple):
    """A tensor as the pickle describes it: a part of a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class _Refused(Exception):
    """The pickle is none that torch writes."""


def read_pickle(content: bytes, where: str) -> Any:
    """Follow a pickle to its end.

    Parameters
    ----------
    content : bytes
    where : str
        The file, for messages.

    Returns
    -------
    object
        Plain data (dict, list, tuple, set, text, numbers, None), `Declared` where a tensor would be, `Placeholder` where an
        object of any other class would be, and `Name` where a class or function would be.

    Raises
    ------
    InputError
        If it is too long, damaged, or has an opcode or a tensor that torch does not write.
    """
    if len(content) > MOST_PICKLE:
        raise InputError(
            f"{where}: its pickle has {len(content):,} bytes, more than the {MOST_PICKLE:,} of any list of weights; not read"
        )
    try:
        # Python warns of odd text in opcodes that are refused anyway.
        with warnings.catch_warnings(action="ignore"):
            return _followed(content)
    except _Refused as error:
        raise InputError(f"{where}: not a checkpoint as torch writes it ({shown(error, 200)}); not read") from None
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{where}: damaged, its pickle breaks off or is none ({shown(error, 200)}); fetch it again"
        ) from None


def _followed(content: bytes) -> Any:
    machine = _Machine()
    for steps, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if opcode.name == "STOP":
            return machine.pop()
        if steps >= MOST_STEPS:
            raise _Refused(f"more than {MOST_STEPS:,} steps")
        follow = _OPCODES.get(opcode.name)
        if follow is None:
            raise _Refused(f"opcode {opcode.name}, which no list of weights needs")
        follow(machine, argument)
    raise _Refused("a pickle without end")


@dataclass
class _Machine:
    stack: list = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def pop(self) -> Any:
        """Take the uppermost object, which may not lie below the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise _Refused("an object is taken where there is none")
        return self.stack.pop()

    def pop_marked(self) -> list:
        """Take all that lies above the last mark."""
        if not self.marks:
            raise _Refused("no mark where there should be one")
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def top(self) -> Any:
        """The uppermost object."""
        if not self.stack:
            raise _Refused("an object is needed where there is none")
        return self.stack[-1]

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise _Refused("an object is recalled that was never kept")
        self.stack.append(self.memo[index])

    def append(self, items: list) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, set):
            target.update(map(_key, items))
        elif not isinstance(target, Placeholder):
            raise _Refused(f"items are added to a {type(target).__name__}")

    def set_items(self, items: list) -> None:
        target = self.top()
        if len(items) % 2:
            raise _Refused("a key without value")
        if isinstance(target, dict):
            for key, value in zip(items[::2], items[1::2], strict=True):
                target[_key(key)] = value
        elif not isinstance(target, Placeholder):
            raise _Refused(f"items are set in a {type(target).__name__}")

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        outcome = _OUTCOMES.get(function) if isinstance(function, Name) else None
        # Of anything else that it would call, be it os.system, only the name stays.
        self.stack.append(Placeholder(_what(function)) if outcome is None else outcome(arguments))

    def new_object(self, arguments: int) -> None:
        for _ in range(arguments):
            self.pop()
        made = self.pop()
        self.stack.append({} if made in _DICTS else Placeholder(_what(made)))


def _what(made: Any) -> str:
    """What an object would have been made of. Text of anything but a name may be nested deeply."""
    return str(made) if isinstance(made, Name) else f"a call of a {type(made).__name__}"


def _key(key: Any) -> Any:
    """A key of a mapping or set: plain, or a placeholder. The hash of a tuple that is nested deeply can end the process."""
    plain = key is None or type(key) in (str, bytes, int, float, bool)
    return key if plain else Placeholder(f"key of type {type(key).__name__}")


def _storage(machine: _Machine) -> Storage:
    identity = machine.pop()
    if not isinstance(identity, tuple) or len(identity) != 5 or identity[0] != "storage":
        raise _Refused("a reference to something outside of the file that is no storage of a tensor")
    _, kind, key, _, size = identity
    if not isinstance(kind, Name) or type(key) is not str or type(size) is not int or size < 0:
        raise _Refused("a storage of another form")
    return Storage(kind.name if kind.module in ("torch", "torch.storage") else str(kind), key, size)


def _tensor(arguments: Any) -> Declared:
    if not isinstance(arguments, tuple) or len(arguments) < 4:
        raise _Refused("a tensor of another form")
    storage, offset, shape, stride = arguments[:4]
    sides = (*shape, *stride, offset) if isinstance(shape, tuple) and isinstance(stride, tuple) else (None,)
    if not isinstance(storage, Storage) or any(type(side) is not int or side < 0 for side in sides):
        raise _Refused("a tensor of another form")
    if len(shape) != len(stride):
        raise _Refused("a tensor with more sides than strides, or fewer")
    return Declared(storage, offset, shape, stride)


def _parameter(arguments: Any) -> Declared:
    if not isinstance(arguments, tuple) or not arguments or not isinstance(arguments[0], Declared):
        raise _Refused("a parameter that is no tensor")
    return arguments[0]


def _mapping(arguments: Any) -> dict:
    if arguments != ():
        raise _Refused("an OrderedDict of another form")
    return {}


_OUTCOMES: dict[Name, Callable[[Any], Any]] = {
    Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Name("torch._utils", "_rebuild_parameter"): _parameter,
    Name("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    Name("collections", "OrderedDict"): _mapping,
}
"""All that a REDUCE can bring about."""

_DICTS = (Name("collections", "OrderedDict"), Name("builtins", "dict"))


def _whole(machine: _Machine, number: int) -> None:
    # Longer ones than any count or seed are slow to do anything with.
    machine.stack.append(number if number.bit_length() <= 64 else Placeholder("a long number"))


def _collect(kind: Callable[[list], Any]) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.stack.append(kind(machine.pop_marked()))


def _tuple_of(size: int) -> Callable[[_Machine, Any], None]:
    def follow(machine: _Machine, _: Any) -> None:
        machine.stack.append(tuple(reversed([machine.pop() for _ in range(size)])))

    return follow


def _constant(make: Callable[[], Any]) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.stack.append(make())


def _push(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _keep(machine: _Machine, index: int) -> None:
    machine.memo[index] = machine.top()


def _named(machine: _Machine, argument: str) -> None:
    module, _, name = argument.partition(" ")
    machine.stack.append(Name(module, name))


def _stack_named(machine: _Machine, _: Any) -> None:
    name, module = machine.pop(), machine.pop()
    if type(name) is not str or type(module) is not str:
        raise _Refused("a class whose name is no text")
    machine.stack.append(Name(module, name))


def _pop(machine: _Machine, _: Any) -> None:
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.pop()


def _pair(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value])


def _build(machine: _Machine, _: Any) -> None:
    machine.pop()
    machine.top()


def _nothing(machine: _Machine, _: Any) -> None:
    return None


_OPCODES: dict[str, Callable[[_Machine, Any], Any]] = {
    "PROTO": _nothing, "FRAME": _nothing,
    "NONE": _constant(lambda: None), "NEWTRUE": _constant(lambda: True), "NEWFALSE": _constant(lambda: False),
    "BININT": _push, "BININT1": _push, "BININT2": _push, "LONG1": _whole, "LONG4": _whole, "BINFLOAT": _push,
    "BINUNICODE": _push, "SHORT_BINUNICODE": _push, "BINUNICODE8": _push, "BINSTRING": _push, "SHORT_BINSTRING": _push,
    "BINBYTES": _push, "SHORT_BINBYTES": _push, "BINBYTES8": _push,
    "EMPTY_LIST": _constant(list), "EMPTY_TUPLE": _constant(tuple), "EMPTY_DICT": _constant(dict), "EMPTY_SET": _constant(set),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "TUPLE": _collect(tuple), "TUPLE1": _tuple_of(1), "TUPLE2": _tuple_of(2), "TUPLE3": _tuple_of(3),
    "FROZENSET": _collect(lambda items: frozenset(map(_key, items))),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.pop_marked()),
    "ADDITEMS": lambda machine, _: machine.append(machine.pop_marked()),
    "SETITEM": _pair, "SETITEMS": lambda machine, _: machine.set_items(machine.pop_marked()),
    "BINPUT": _keep, "LONG_BINPUT": _keep, "MEMOIZE": lambda machine, _: _keep(machine, len(machine.memo)),
    "BINGET": lambda machine, index: machine.recall(index), "LONG_BINGET": lambda machine, index: machine.recall(index),
    "POP": _pop, "POP_MARK": lambda machine, _: machine.pop_marked(), "DUP": lambda machine, _: _push(machine, machine.top()),
    "GLOBAL": _named, "STACK_GLOBAL": _stack_named,
    "REDUCE": lambda machine, _: machine.reduce(), "BUILD": _build,
    "NEWOBJ": lambda machine, _: machine.new_object(1), "NEWOBJ_EX": lambda machine, _: machine.new_object(2),
    "BINPERSID": lambda machine, _: machine.stack.append(_storage(machine)),
}  # fmt: skip
"""All that is followed."""

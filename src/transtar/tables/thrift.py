"""Reading what Thrift's compact protocol has written: only the fields asked for, and nothing that is not there.

Source: the specification "Thrift Compact protocol encoding" of Apache Thrift.
"""

from __future__ import annotations

from typing import Any

_BOOLEANS, _BYTE, _WHOLE, _DOUBLE, _BINARY, _LISTS, _MAP, _STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, (9, 10), 11, 12
_DEEPEST = 32


def read_struct(content: bytes, wanted: dict[int, Any], at: int = 0) -> tuple[dict[int, Any], int]:
    """Some fields of a struct.

    Parameters
    ----------
    content : bytes
        It may end anywhere behind the struct.
    wanted : dict
        By the number of a field what it is: `int`, `bytes`, a dict like this one for a struct, or a list of one of them.
    at : int
        Where the struct begins.

    Returns
    -------
    found : dict
        The fields that are there.
    end : int
        Where the struct ends.

    Raises
    ------
    IndexError
        If the content ends before the struct.
    ValueError
        If it is no struct, or a field is of another kind than `wanted` says.
    """
    return _struct(content, at, wanted, _DEEPEST)


def _struct(content: bytes, at: int, wanted: dict[int, Any] | None, depth: int) -> tuple[dict[int, Any], int]:
    if not depth:
        raise ValueError("nested too deep")
    fields: dict[int, Any] = {}
    field = 0
    while True:
        kind, step = content[at] & 15, content[at] >> 4
        at += 1
        if kind == 0:
            return fields, at
        if step:
            field += step
        else:
            field, at = _whole(content, at)
        if kind in _BOOLEANS:
            continue
        of = None if wanted is None else wanted.get(field)
        value, at = _value(content, at, kind, of, depth - 1)
        if of is not None:
            fields[field] = value


def _value(content: bytes, at: int, kind: int, wanted: Any, depth: int) -> tuple[Any, int]:
    """A value, or None if it is not wanted, and where it ends."""
    if kind in _WHOLE:
        value, at = _whole(content, at)
        return _as(value, int, wanted), at
    if kind == _BINARY:
        length, at = _varint(content, at)
        end = _within(content, at + length)
        return _as(content[at:end] if wanted is bytes else b"", bytes, wanted), end
    if kind == _STRUCT:
        inside, at = _struct(content, at, wanted if isinstance(wanted, dict) else None, depth)
        return _as(inside, dict, wanted), at
    if kind in _LISTS:
        return _list(content, at, wanted, depth)
    if wanted is not None:
        raise ValueError(f"a field of type {kind}")
    if kind in _BOOLEANS or kind == _BYTE:
        return None, _within(content, at + 1)
    if kind == _DOUBLE:
        return None, _within(content, at + 8)
    if kind == _MAP:
        return None, _map(content, at, depth)
    raise ValueError(f"type {kind}")


def _as(value: Any, kind: type, wanted: Any) -> Any:
    if wanted is None:
        return None
    if (dict if isinstance(wanted, dict) else wanted) is not kind:
        raise ValueError(f"a field that is {kind.__name__}")
    return value


def _list(content: bytes, at: int, wanted: Any, depth: int) -> tuple[list | None, int]:
    if wanted is not None and not isinstance(wanted, list):
        raise ValueError("a field that is a list")
    if not depth:
        raise ValueError("nested too deep")
    kind, count = content[at] & 15, content[at] >> 4
    at += 1
    if count == 15:
        count, at = _varint(content, at)
    # Nothing takes less than a byte.
    _within(content, at + count)
    values = []
    for _ in range(count):
        value, at = _value(content, at, kind, None if wanted is None else wanted[0], depth - 1)
        values.append(value)
    return (None if wanted is None else values), at


def _map(content: bytes, at: int, depth: int) -> int:
    if not depth:
        raise ValueError("nested too deep")
    count, at = _varint(content, at)
    if not count:
        return at
    kinds = content[at] >> 4, content[at] & 15
    at = _within(content, at + 1 + count) - count
    for _ in range(count):
        for kind in kinds:
            at = _value(content, at, kind, None, depth - 1)[1]
    return at


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a number without end")


def _whole(content: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(content, at)
    return (value >> 1) ^ -(value & 1), at


def _within(content: bytes, at: int) -> int:
    if at > len(content):
        raise IndexError(at)
    return at

"""Tensors in a safetensors file, whose header is compared with the file before memory is taken for anything.

Source: the layout in the README of huggingface/safetensors: 8 bytes with the length of the header, the header in JSON, the
tensors one after the other without gap.
"""

from __future__ import annotations

import json
import os
from math import prod
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from ..errors import InputError, shown
from ..regular import open_regular

MOST_HEADER = 1 << 24
"""Bytes of a header; that of a thousand layers has a hundredth of it."""

_MOST_SIDES = 8

PRECISIONS = {"float32": torch.float32, "float16": torch.float16}
"""How weights may be written, by name."""

_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32,
}  # fmt: skip
"""What weights may be; integers count batches, in batch normalisation."""


class Stored(NamedTuple):
    """Where a tensor lies, counted from the end of the header."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    end: int


def read_header(path: Path) -> dict[str, Stored]:
    """What tensors a file holds, without reading them.

    Raises
    ------
    InputError
        If it is no regular file or no safetensors file, or its header does not describe exactly what follows it.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, MOST_HEADER):
            raise _damaged(path, f"a header of {length} bytes in a file of {size}")
        content = file.read(length)
    try:
        header = json.loads(content.decode("utf-8"), object_pairs_hook=_each_once)
        header.pop("__metadata__", None)
        tensors = {name: _stored(name, about) for name, about in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(path, shown(error, 200)) from None
    at = 0
    for stored in sorted(tensors.values(), key=lambda stored: (stored.start, stored.end)):
        if stored.start != at:
            raise _damaged(path, f"tensors that overlap or leave a gap at byte {min(at, stored.start)}")
        at = stored.end
    if at != size - 8 - length:
        raise _damaged(path, f"{size - 8 - length} bytes of tensors where the header has {at}")
    return tensors


def read_weights(
    path: Path, tensors: dict[str, Stored] | None = None, dtype: torch.dtype | None = torch.float32
) -> dict[str, torch.Tensor]:
    """Read the tensors of a file onto the CPU, of which every number is one.

    Parameters
    ----------
    path : path
    tensors : dict, optional
        Its header, if that was read already.
    dtype : torch.dtype or None
        What floats are turned into; None leaves them as they are.

    Returns
    -------
    dict of str to Tensor
        Each in memory of its own: what becomes of the file afterwards does not matter.

    Raises
    ------
    InputError
        As `read_header`, or if a number is NaN or infinite, be it only as `dtype`.
    """
    tensors = read_header(path) if tensors is None else tensors
    weights = {}
    with open_regular(path) as file:
        base = 8 + int.from_bytes(file.read(8), "little")
        for name, stored in tensors.items():
            file.seek(base + stored.start)
            content = bytearray(file.read(stored.end - stored.start))
            if len(content) < stored.end - stored.start:
                raise _damaged(path, "it has become shorter while it was read")
            values = torch.empty(stored.shape, dtype=stored.dtype, device="cpu")
            if content:
                values.copy_(torch.frombuffer(content, dtype=stored.dtype).reshape(stored.shape))
            if values.is_floating_point():
                values = values if dtype is None else values.to(dtype)
                if not bool(torch.isfinite(values).all()):
                    raise InputError(f"{path}: {shown(name)} has values that are not finite; train the model again")
            weights[name] = values
    return weights


def _stored(name: str, about: dict) -> Stored:
    dtype, shape, (start, end) = about["dtype"], about["shape"], about["data_offsets"]
    if dtype not in _DTYPES:
        raise ValueError(f"{shown(name)} is of type {shown(dtype)}, which weights are not")
    numbers = [*shape, start, end]
    if len(shape) > _MOST_SIDES or any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"{shown(name)} has a shape or place of another kind")
    if end - start != prod(shape) * _DTYPES[dtype].itemsize:
        raise ValueError(f"{shown(name)} has {end - start} bytes for a shape of {shown(shape)}")
    return Stored(_DTYPES[dtype], tuple(shape), start, end)


def _each_once(pairs: list[tuple]) -> dict:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("a tensor that stands twice")
    return mapping


def _damaged(path: Path, what: str) -> InputError:
    return InputError(f"{path}: damaged or not a safetensors file ({what}); fetch or train the model again")


def check_shapes(path: Path, tensors: dict[str, Stored], expected: dict[str, torch.Tensor]) -> None:
    """Refuse a file that does not hold the tensors that its description asks for.

    Parameters
    ----------
    path : path
        The file, for the message.
    tensors : dict
        Its header.
    expected : dict of str to Tensor
        Shapes and kinds; on the device 'meta' they take no memory.

    Raises
    ------
    InputError
    """
    if set(tensors) != set(expected):
        missing, spare = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
        raise InputError(
            f"{path}: does not fit config.json: missing {shown(missing, 300)}, unexpected {shown(spare, 300)}"
        )
    for name, wanted in expected.items():
        stored = tensors[name]
        if stored.shape != tuple(wanted.shape):
            raise InputError(f"{path}: {name} has shape {stored.shape}, config.json says {tuple(wanted.shape)}")
        if stored.dtype != wanted.dtype and not (stored.dtype.is_floating_point and wanted.dtype.is_floating_point):
            raise InputError(f"{path}: {name} is of type {stored.dtype}, where {wanted.dtype} is needed")


def check_numbers(path: Path, weights: dict[str, torch.Tensor], deviations: dict[str, torch.Tensor]) -> None:
    """Refuse what makes outputs infinite or NaN: deviations that are zero or negative.

    Parameters
    ----------
    path : path
        The file, for the message.
    weights : dict of str to Tensor
        Of which running variances may not be negative.
    deviations : dict of str to Tensor
        What is divided by.

    Raises
    ------
    InputError
    """
    for name, deviation in deviations.items():
        # The reciprocal is what is used; that of a tiny number is infinite.
        if not bool(((deviation > 0) & torch.isfinite(1 / deviation)).all()):
            raise InputError(f"{path}: {name} must be positive; train the model again")
    for name, values in weights.items():
        if name.endswith("running_var") and bool((values < 0).any()):
            raise InputError(f"{path}: {name} has a negative variance; train the model again")


def network_tensors(prefix: str, network: nn.Module, dtype: torch.dtype | None = None) -> dict[str, torch.Tensor]:
    """The tensors of a network as they are stored: names with a prefix, floats of one type.

    Parameters
    ----------
    prefix : str
        'network' makes ``network.0.weight``.
    network : nn.Module
    dtype : torch.dtype, optional
        Of the floats; by default they stay what they are.

    Returns
    -------
    dict of str to Tensor
    """
    return {
        f"{prefix}.{name}": tensor.to(dtype).contiguous() if dtype and tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }


def fill_network(prefix: str, network: nn.Module, weights: dict[str, torch.Tensor]) -> nn.Module:
    """Give a network its stored tensors, as `network_tensors` names them.

    Parameters
    ----------
    prefix : str
    network : nn.Module
        On the device 'meta', of the shapes that were checked.
    weights : dict of str to Tensor

    Returns
    -------
    nn.Module
        The same.
    """
    start = f"{prefix}."
    weights = {name.removeprefix(start): tensor for name, tensor in weights.items() if name.startswith(start)}
    network.load_state_dict(weights, assign=True)
    return network

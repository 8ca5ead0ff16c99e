"""Checkpoints of torch (.ckpt, .pt, .pth): their tensors, read without running anything, and nothing larger than is asked for.

Source: the layout that `torch.save` has written since torch 1.6: a ZIP archive without compression whose members lie in one
folder, ``data.pkl`` (names, shapes and all else, see `checkpoint_pickle`), ``data/KEY`` (the numbers of one storage),
``byteorder`` and ``version``.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ..errors import InputError, said, shown
from ..regular import open_regular
from .checkpoint_pickle import MOST_PICKLE, Declared, read_pickle

MOST_MEMBERS = 100_000
"""Members of an archive; a checkpoint has one for each tensor, and a few more."""

MOST_DIRECTORY = 1 << 25
"""Bytes of an archive's list of members, which is read as a whole."""

_MOST_SIDES = 8

_KINDS = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
}  # fmt: skip
"""What weights may be, by what torch calls the kind of their storage; integers count batches, in batch normalisation."""


class CheckpointArchive:
    """An open checkpoint.

    Parameters
    ----------
    path : path
        A regular file, or a link to one.

    Attributes
    ----------
    content : object
        What was saved, with `Declared` for each tensor and a placeholder for every object of another class; see
        `checkpoint_pickle.read_pickle`.

    Raises
    ------
    InputError
        If it is no regular file, no archive as torch writes it, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_regular(path)
        try:
            self._archive, self._folder = _opened(path, self._file)
            order = self._read("byteorder", 16) if f"{self._folder}byteorder" in self._archive.NameToInfo else b"little"
            if order != b"little":
                raise InputError(
                    f"{shown(path, 300)}: its numbers are of byte order {shown(order, 20)}, only little is read; save it "
                    "again on an ordinary machine"
                )
            self.content: Any = read_pickle(self._read("data.pkl", MOST_PICKLE), shown(path, 300))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> CheckpointArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def sha256(self) -> str:
        """SHA-256 of the file that is open, in 64 hexadecimal digits."""
        self._file.seek(0)
        return hashlib.file_digest(self._file, "sha256").hexdigest()  # type: ignore[arg-type]

    def state(self) -> dict[str, Declared]:
        """What the checkpoint has of weights: its ``state_dict``, or all of it where it is nothing but tensors.

        Returns
        -------
        dict of str to Declared

        Raises
        ------
        InputError
            If there is no such mapping, or something else than tensors is in it.
        """
        content = self.content
        if isinstance(content, dict) and "state_dict" in content:
            content = content["state_dict"]
        if not isinstance(content, dict) or not content:
            raise InputError(f"{shown(self.path, 300)}: has no weights under names (state_dict); not imported")
        for name, declared in content.items():
            if type(name) is not str or not isinstance(declared, Declared):
                what = shown(name) if type(name) is str else "something without a name"
                raise InputError(
                    f"{shown(self.path, 300)}: among its weights is {what}, which is no tensor; not imported"
                )
        return content

    def setting(self, name: str) -> Any:
        """One of the settings that a training framework keeps beside the weights.

        Returns
        -------
        int, float, bool, str or None
            None where it is not there, or is no plain value.
        """
        settings = self.content.get("hyper_parameters") if isinstance(self.content, dict) else None
        value = settings.get(name) if isinstance(settings, dict) else None
        return value if type(value) in (int, float, bool, str) else None

    def tensors(
        self, declared: Mapping[str, Declared], shapes: Mapping[str, tuple[int, ...]]
    ) -> dict[str, torch.Tensor]:
        """Read tensors whose shapes are known.

        Parameters
        ----------
        declared : mapping of str to Declared
            As the checkpoint has them.
        shapes : mapping of str to tuple of int
            What is to be read, and of which shape: memory is taken for these numbers only, whatever the file declares.

        Returns
        -------
        dict of str to Tensor
            On the CPU, each in memory of its own; floats are float32, and all numbers are finite.

        Raises
        ------
        InputError
            If one is not there, has another shape or type, does not lie in its storage, is cut short, or has numbers that are not
            finite.
        """
        given = {}
        for name, shape in shapes.items():
            if name not in declared:
                raise self._unfit(name, "is not there")
            given[name] = self._tensor(name, declared[name], shape)
        return given

    def _tensor(self, name: str, declared: Declared, shape: tuple[int, ...]) -> torch.Tensor:
        if declared.shape != tuple(shape):
            raise self._unfit(name, f"has shape {shown(declared.shape)}, {tuple(shape)} is needed")
        dtype = _KINDS.get(declared.storage.kind)
        if dtype is None:
            raise self._unfit(name, f"is of type {shown(declared.storage.kind)}, which weights are not")
        spread = 1 + sum((side - 1) * step for side, step in zip(shape, declared.stride, strict=True))
        if len(shape) > _MOST_SIDES or spread != prod(shape) or declared.offset + spread > declared.storage.size:
            raise self._unfit(
                name, f"does not lie without gaps in its storage of {shown(declared.storage.size)} numbers"
            )
        # Of the storage, which other tensors may share, only the part that is the tensor's.
        content = self._part(name, declared.storage, declared.offset, declared.offset + spread, dtype.itemsize)
        numbers = torch.frombuffer(bytearray(content), dtype=dtype)
        wanted = torch.float32 if dtype.is_floating_point else dtype
        # Torch copies without a word what single precision cannot hold, as infinity.
        tensor = torch.empty(shape, dtype=wanted, device="cpu").copy_(numbers.as_strided(shape, declared.stride))
        if not bool(torch.isfinite(tensor).all()):
            raise self._unfit(name, "has values that are not finite")
        return tensor

    def _part(self, name: str, storage: Any, start: int, end: int, itemsize: int) -> bytes:
        member = self._member(f"data/{storage.key}")
        if member.file_size != storage.size * itemsize:
            raise self._unfit(name, f"declares {shown(storage.size)} numbers where {member.file_size:,} bytes lie")
        with self._clear(), self._archive.open(member) as file:
            file.seek(start * itemsize)
            content = file.read((end - start) * itemsize)
        if len(content) < (end - start) * itemsize:
            raise self._unfit(name, "breaks off")
        return content

    def _read(self, name: str, most: int) -> bytes:
        member = self._member(name)
        if member.file_size > most:
            raise InputError(
                f"{shown(self.path, 300)}: {shown(member.filename)} has {member.file_size:,} bytes, at most {most:,} are read"
            )
        with self._clear():
            return self._archive.read(member)

    def _member(self, name: str) -> zipfile.ZipInfo:
        member = self._archive.NameToInfo.get(f"{self._folder}{name}")
        if member is None:
            raise InputError(f"{shown(self.path, 300)}: damaged, {shown(name)} is not in it; fetch it again")
        # torch never compresses: a member that unfolds into more than its bytes is a bomb.
        if (
            member.compress_type != zipfile.ZIP_STORED
            or member.compress_size != member.file_size
            or member.flag_bits & 1
        ):
            raise InputError(
                f"{shown(self.path, 300)}: {shown(name)} is compressed or encrypted, which torch does not write; not read"
            )
        return member

    def _unfit(self, name: str, what: str) -> InputError:
        return InputError(f"{shown(self.path, 300)}: {shown(name)} {what}; not imported")

    def _clear(self) -> _Clear:
        return _Clear(self.path)


_DAMAGED = (
    zipfile.BadZipFile, EOFError, OSError, ValueError, IndexError, NotImplementedError, RuntimeError, OverflowError, struct.error,
)  # fmt: skip


class _Clear:
    """Turns what a damaged archive raises into one line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, _DAMAGED):
            raise InputError(f"{shown(self.path, 300)}: damaged ({said(error, 150)}); fetch it again") from None


class _Bounded:
    """A file of which no more than a list of members is read at once: `zipfile` takes the length of that list from the file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.opened = False
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > MOST_DIRECTORY and not self.opened:
            raise ValueError(f"a list of members of {size:,} bytes")
        return self._file.read(size)


def _opened(path: Path, file: BinaryIO) -> tuple[zipfile.ZipFile, str]:
    """The archive, and the folder in it."""
    start = file.read(64)
    if not start.startswith(b"PK\x03\x04"):
        raise InputError(f"{shown(path, 300)}: {_other(start)}")
    bounded = _Bounded(file)
    with _Clear(path):
        archive = zipfile.ZipFile(bounded)  # type: ignore[call-overload]
        bounded.opened = True
        names = [member.filename for member in archive.infolist()]
    if len(names) > MOST_MEMBERS or len(set(names)) < len(names):
        raise InputError(
            f"{shown(path, 300)}: {len(names):,} members, more than {MOST_MEMBERS:,} or two of one name; not torch's"
        )
    pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise InputError(f"{shown(path, 300)}: an archive, but not one of torch (no data.pkl); not imported")
    return archive, pickles[0].removesuffix("data.pkl")


def _other(start: bytes) -> str:
    """What a file is that is no archive, from its first bytes."""
    if start.startswith(b"version https://git-lfs"):
        return "only the pointer to a file that Git LFS keeps; fetch the file itself (git lfs pull)"
    if start.lstrip()[:1] in (b"<", b"{"):
        return "a page or text, not a checkpoint; fetch it again"
    if not start.strip(b"\0"):
        return "empty, or nothing but zeros; fetch it again"
    if start[:1] == b"\x80":
        return (
            "a pickle as torch wrote before version 1.6, or none of torch's; where you trust it, load it there and save it again "
            "(torch.save)"
        )
    return "not a checkpoint of torch; fetch it again"

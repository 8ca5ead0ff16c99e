"""Reading an answer that is a Python pickle, without letting it run anything.

A pickle is a program: `pickle.loads` of an answer lets whoever sends it (the service, or whoever stands between) run any
code as the user. SPARCL's own client does that. Here only a fixed list of harmless classes can be made from a pickle; anything
else in it is an error. What remains is the risk of a huge object, and of faults of the interpreter itself, so that even this is
done only where the user has asked for it (``--allow-pickle``).
"""

from __future__ import annotations

import io
import pickle

from .transport import Refused

HARMLESS = frozenset((
    ("builtins", "bytearray"), ("builtins", "complex"), ("builtins", "set"), ("builtins", "frozenset"),
    ("collections", "OrderedDict"), ("datetime", "date"), ("datetime", "datetime"), ("datetime", "timedelta"),
    ("datetime", "timezone"), ("uuid", "UUID"), ("uuid", "SafeUUID"), ("decimal", "Decimal"), ("_codecs", "encode"),
    ("numpy", "dtype"), ("numpy", "ndarray"),
    *((f"numpy.{core}.{module}", name) for core in ("core", "_core")
      for module, name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))),
))  # fmt: skip
"""Modules and names that a pickle may refer to: plain values and numpy arrays."""


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if (module, name) not in HARMLESS:
            raise Refused(
                f"the answer is a pickle that wants {module}.{name}, which no spectrum needs; it was not read (an attack, or a "
                "new version of the service)"
            )
        return super().find_class(module, name)


def read_pickle(content: bytes):
    """Read a pickle made of plain values and numpy arrays.

    Parameters
    ----------
    content : bytes

    Raises
    ------
    Refused
        If it refers to anything else.
    ValueError
        If it is damaged.
    """
    try:
        return _Restricted(io.BytesIO(content)).load()
    except Refused:
        raise
    # A damaged pickle can raise anything: its opcodes are executed as they come.
    except Exception as error:
        raise ValueError(f"damaged pickle: {type(error).__name__}: {error}") from None

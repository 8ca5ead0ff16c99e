"""Values that a user's or a stranger's file may hold in any place, and putting them there."""

import contextlib
import copy
import json
import os
import random
from pathlib import Path

from transtar.errors import InputError, TranstarError
from transtar.files import read_json
from transtar.seal import file_hash, sealed
from transtar.tables.parquet import footer_hash

HOSTILE = (
    None, True, 0, -1, 1.5, 10**12, float("nan"), float("inf"), "", "x", "../../../escaped", "a\0b", "y" * 1000, "<script>",
    [], {}, [None], ["x"], [[1]], [10**12], [1, 1], {"x": 1}, {"../up": ["feh"]}, {None: None}, {"x": {"y": "z"}},
)  # fmt: skip


_WRONG = {
    bool: (None, 0, 1, "yes", "true", [], {}),
    int: (None, True, 1.0, "5", float("nan"), [], {}, 10**12, -1),
    float: (None, True, "0.5", float("nan"), float("inf"), [], {}),
    str: (3, 1.5, True, [], {}, ["x"]),
    list: (3, True, "x", {}, {"x": 1}),
    dict: (3, True, "x", [], ["x"]),
}


def places(content, path=()):
    """Paths to every value in nested plain data."""
    yield path
    if isinstance(content, dict | list):
        for key in content if isinstance(content, dict) else range(len(content)):
            yield from places(content[key], (*path, key))


def with_value(content, path, value):
    """A copy with `value` at `path`."""
    content = inner = copy.deepcopy(content)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return content


def try_hostile_values(use, content):
    """Use plain data with each hostile value in each place.

    Returns
    -------
    int
        How many were refused in words.
    list of str
        What ended in any other error, or in a message of several lines or without end.
    """
    refused, faults = 0, []
    for path in places(content):
        for value in HOSTILE if path else ():
            what = f"{'.'.join(map(str, path))}: {value!r:.40}"
            try:
                use(with_value(content, path, value))
            except TranstarError as error:
                refused += 1
                if "\n" in str(error) or len(str(error)) > 1500:
                    faults.append(f"{what}: {error}")
            except Exception as error:
                faults.append(f"{what}: {error!r}")
    return refused, faults


def try_wrong_kinds(use, content, free):
    """Use plain data with values of another kind in each place.

    Parameters
    ----------
    use : callable
    content : dict
    free : callable
        Takes the path of a place, dotted, and a value; tells what may stand there all the same.

    Returns
    -------
    int
        How many were tried.
    list of str
        What was taken.
    """
    tried, taken = 0, []
    for path in places(content):
        value, name = content, ".".join(map(str, path))
        for key in path:
            value = value[key]
        for wrong in _WRONG[type(value)] if path else ():
            if not free(name, wrong):
                tried += 1
                with contextlib.suppress(TranstarError):
                    use(with_value(content, path, wrong))
                    taken.append(f"{name}: {wrong!r}")
    return tried, taken


def seal_again(folder):
    """Note anew the hashes of a set or model that was changed on purpose: a stranger can, too."""
    path = Path(folder) / ("set.json" if (Path(folder) / "set.json").is_file() else "config.json")
    content = read_json(path)
    if isinstance(content.get("files"), dict):
        content["files"] = {name: file_hash(path.parent / name) for name in content["files"]}
    if "stars_sha256" in content and (path.parent / "stars.parquet").is_file():
        content["stars_sha256"] = file_hash(path.parent / "stars.parquet")
    if "spectra_footer_sha256" in content and (path.parent / "spectra.parquet").is_file():
        # What is no parquet file has no footer.
        with contextlib.suppress(InputError):
            content["spectra_footer_sha256"] = footer_hash(path.parent / "spectra.parquet")
    path.write_text(json.dumps(sealed(content)))


def flip_bits(path, read, same, n, seed=0):
    """Flip one bit of a file at a time, and read.

    Parameters
    ----------
    path : path
    read : callable
    same : callable
        Whether what was read is what was written.
    n : int
        Bits, seeded; all of them if the file has fewer.
    seed : int

    Returns
    -------
    told, harmless : int
    faults : list of str
        What was read as something else, ended in another error, or in a message of several lines.
    """
    whole = path.read_bytes()
    places = range(8 * len(whole))
    told, harmless, faults = 0, 0, []
    for place in places if len(places) <= n else random.Random(seed).sample(places, n):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            found = read()
        except TranstarError as error:
            told += 1
            if "\n" in str(error) or len(str(error)) > 1500 or str(path.parent) not in str(error):
                faults.append(f"bit {place}: {error}")
        except Exception as error:
            faults.append(f"bit {place}: {error!r}")
        else:
            harmless += 1
            if not same(found):
                faults.append(f"bit {place}: read as something else")
    path.write_bytes(whole)
    return told, harmless, faults


def not_files(path):
    """Put a pipe, a folder, a device and a link that leads in a circle under a name, one after the other."""
    path.unlink()
    os.mkfifo(path)
    yield "pipe"
    path.unlink()
    path.mkdir()
    yield "folder"
    path.rmdir()
    path.symlink_to("/dev/zero")
    yield "device"
    path.unlink()
    path.symlink_to(path.name)
    yield "circle"
    path.unlink()

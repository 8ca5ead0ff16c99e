"""Values that a user's or a stranger's file may hold in any place, and putting them there."""

import copy

from transtar.errors import TranstarError

HOSTILE = (
    None, True, 0, -1, 1.5, 10**12, float("nan"), float("inf"), "", "x", "../../../escaped", "a\0b", "y" * 1000, "<script>",
    [], {}, [None], ["x"], [[1]], [10**12], [1, 1], {"x": 1}, {"../up": ["feh"]}, {None: None}, {"x": {"y": "z"}},
)  # fmt: skip


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

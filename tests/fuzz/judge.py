"""Which outcome a case has, and whether that is a fault.

Allowed:

same
    The values are those of the file before it was changed, and the independent reader finds no others.
noise
    The values are others, and just those that the independent reader finds in the changed file: it says so, and a format without
    a sum cannot know better.
noted
    The same or other values, and a line was told about it.
told
    One line of a `TranstarError` that names the file.

Faults:

ended, hung, memory
    Another exception or the end of the process; more than the time; more than the memory.
message
    An error of several lines, one that does not name the file, or one that speaks of a bug.
harmless
    Refused, though the independent reader reads the file without complaint to the values that it had before.
ignored
    Read to the values from before, though the file says others now.
wrong
    Read to values that the independent reader does not find.
lost
    The same, where what was known is now unknown (NaN, -1, no text).
shortened
    Fewer spectra, pixels or rows from a file that is damaged for all to see.
unnoticed
    Other values from a file with a sum that no longer fits, or with something that no sound file has.

The independent reader's own trouble is no excuse: of a file that it cannot read only *same* and *told* are right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .oracle_fits import GOES_ON
from .subjects import Subject
from .values import differences, lost, shortened

OUTCOMES = ("same", "noise", "noted", "told")
FAULTS = (
    "ended", "hung", "memory", "message", "harmless", "ignored", "wrong", "lost", "shortened", "unnoticed",
)  # fmt: skip
LONGEST = 1500

_BUG = re.compile(
    r"\b(Type|Attribute|Key|Index|Name|ZeroDivision|Assertion|UnboundLocal|Recursion|NotImplemented|Runtime|System|Overflow)Error\b"
    r"|unexpected.*bug",
)


@dataclass
class Read:
    """What transtar made of a file: values, or the error; and what it told."""

    values: dict[str, Any] | None = None
    error: str = ""
    told: list[str] = field(default_factory=list)


@dataclass
class Found:
    """What the oracle made of it: values, or why not."""

    values: dict[str, Any] | None = None
    broken: str = ""


def judge_message(message: str, path: Path) -> str:
    """What is wrong with an error's text; '' if nothing."""
    if "\n" in message or "\r" in message:
        return "of several lines"
    if len(message) > LONGEST:
        return f"of {len(message)} characters"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in message):
        return "with control characters"
    # A set or a model is named by its folder.
    if path.name not in message and path.parent.name + "/" not in message and not _named_in(message, path):
        return "that does not name the file"
    if _BUG.search(message):
        return "that speaks of a bug"
    return ""


def _named_in(message: str, path: Path) -> bool:
    """Whether a message begins with the name of another file, which this one asks for."""
    head = message.split(":")[0].encode()
    return path.is_file() and path.stat().st_size < 10**6 and len(head) > 2 and b"extends: " + head in path.read_bytes()


def judge(
    subject: Subject, now: Read, before: Read, found: Found, found_before: Found, path: Path, damaged: bool
) -> tuple[str, str]:
    """Outcome and reason; parameters: read now and from the unchanged file, by us and by the oracle.

    Parameters
    ----------
    damaged : bool
        Whether bytes were changed blindly, rather than the content written anew.
    """
    unchanged = _unchanged(found, found_before)
    if now.values is None:
        return _judge_refusal(now, before, found, unchanged, path, damaged)
    same = before.values is not None and not _differ(now.values, before.values, subject)
    news = [line for line in now.told if _without_names(line) not in {_without_names(old) for old in before.told}]
    if found.values is None:
        if same:
            return "same", ""
        return _otherwise(now, before, subject, f"the oracle cannot read it ({found.broken})", news)
    against = subject.agree(now.values, found.values, subject.wave_rtol)
    if same:
        if unchanged or not against:
            return ("noted", news[0]) if news else ("same", "")
        return ("noted", news[0]) if news else ("ignored", "; ".join(against)[:300])
    if against:
        return _otherwise(now, before, subject, "; ".join(against)[:300], news)
    if unchanged and before.values is not None and not news:
        return "wrong", f"other values from the same content: {_what(now, before, subject)}"
    if news:
        return "noted", news[0]
    if found.values.get("_sum") and not (found_before.values or {}).get("_sum"):
        return "unnoticed", "a sum that does not fit"
    if subject.sealed and damaged:
        return "unnoticed", "other values from a damaged file of a format with sums: " + _what(now, before, subject)
    odd = found.values.get("_odd") or ""
    if odd and "CHECKSUM" not in odd and odd != (found_before.values or {}).get("_odd"):
        short = found_before.values is not None and shortened(found.values, found_before.values)
        return ("shortened" if short else "unnoticed"), f"{odd}; {_what(now, before, subject)}"
    return "noise", ""


def _judge_refusal(
    now: Read, before: Read, found: Found, unchanged: bool, path: Path, damaged: bool
) -> tuple[str, str]:
    bad = judge_message(now.error, path)
    if bad:
        return "message", f"{bad}: {now.error[:300]}"
    # Of a file that was refused before it was changed nothing else can be expected.
    theirs = found.values or {}
    sum_fails = bool(theirs.get("_sum") or theirs.get("_doubt")) or "CHECKSUM" in (theirs.get("_odd") or "")
    # A header that cuts data off, or bytes put in among them: what astropy reads may be right and may be not.
    sum_fails |= theirs.get("_odd") == GOES_ON
    if before.values is not None and unchanged and not sum_fails and not (damaged and path.is_dir()):
        odd = (found.values or {}).get("_odd")
        return "harmless", (f"({odd}) " if odd else "") + now.error[:300]
    return "told", now.error[:300]


def _unchanged(found: Found, before: Found) -> bool:
    """Whether the oracle finds what it found before, in all that can matter; oddities of length aside."""
    if found.values is None or before.values is None:
        return False
    skip = ("_odd", "_sum", "_doubt")
    pairs = zip(found.values.get("pixels", []), before.values.get("pixels", []), strict=False)
    if any(a.wild != b.wild for a, b in pairs):
        return False
    one, other = ({_bare(k): v for k, v in f.values.items() if k not in skip} for f in (found, before))  # type: ignore[union-attr]
    return one.keys() == other.keys() and not differences(one, other)


def _bare(name: str) -> str:
    return name.replace("_", "private ", 1) if name.startswith("_") else name


def _differ(now: dict[str, Any], before: dict[str, Any], subject: Subject) -> list[str]:
    return differences(now, before, subject.wave_rtol) + [f"{name} is new" for name in now if name not in before]


def _otherwise(now: Read, before: Read, subject: Subject, why: str, news: list[str]) -> tuple[str, str]:
    if news:
        return "noted", f"{news[0]} ({why})"
    if before.values is not None:
        gone = lost(now.values or {}, before.values)
        if gone and len(gone) == len(_differ(now.values or {}, before.values, subject)):
            return "lost", f"{', '.join(gone)}; {why}"
    return "wrong", f"{why}; {_what(now, before, subject)}"


def _what(now: Read, before: Read, subject: Subject) -> str:
    if before.values is None:
        return "accepted now, and refused before"
    return "; ".join(_differ(now.values or {}, before.values, subject))[:300]


def _without_names(line: str) -> str:
    """A told line without the path, which differs from case to case."""
    return re.sub(r"\S*/\S*", "", line)

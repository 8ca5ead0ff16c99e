"""docs/troubleshooting.md: each message that it explains is one that transtar still prints."""

import ast
import re
from functools import cache

import pytest

from .test_readme import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"


@cache
def texts() -> frozenset[str]:
    """All strings of the source, with "\\0" where a value is put in."""
    lines = []
    for path in sorted((ROOT / "src" / "transtar").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
                lines.append("".join(map(str, parts)).replace("\n", " "))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                lines.append(node.value.replace("\n", " "))
    return frozenset(lines)


def is_printed(message: str) -> bool:
    """Whether a string of the source reads like this, with something where the message has dots."""
    pieces = [piece for piece in message.split("...") if piece.strip()]
    wanted = re.compile(".*".join(map(re.escape, pieces)))
    return any(max(pieces, key=len) in text and wanted.search(text) for text in texts())


def messages() -> list[str]:
    (shown,) = re.findall("<!-- messages -->(.*)<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return re.findall(r"^`(.*)`\n: ", shown, re.MULTILINE)


def test_the_page_has_the_most_usual_messages_once():
    assert len(messages()) >= 40
    assert len(set(messages())) == len(messages())


@pytest.mark.parametrize("message", messages())
def test_each_message_is_one_of_transtar(message):
    assert is_printed(message)


def test_a_message_that_nobody_prints_is_told():
    assert is_printed("no survey '...'; known surveys: ...")
    assert not is_printed("no survey '...'; known planets: ...")

"""The contributor's page names files that exist, and rooms of this house."""

import re
from pathlib import Path

import pytest

from tools.house import SOURCE, read_imports, rooms

PAGE = (Path(__file__).parents[1] / "docs" / "develop.md").read_text(encoding="utf-8")


def test_every_room_is_described():
    table = PAGE[PAGE.index("| room |") : PAGE.index("`tools/`")].strip().splitlines()[2:]
    named = {name.strip(" `") for line in table for name in line.split("|")[1].split(",")}
    assert named == set(rooms(read_imports()))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", PAGE))))
def test_files_that_it_names_exist(path):
    root = SOURCE.parents[1]
    named = [SOURCE / path, root / path]
    # Within a sentence that names a folder, a file stands without it.
    assert any(each.is_file() for each in named) or ("/" not in path and list(SOURCE.glob(f"*/{path}")))


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (SOURCE.parents[1] / "docs" / target).is_file(), target

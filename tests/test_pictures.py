"""Pictures of the documentation: small, each drawn by a command that the page for developers names, none left over."""

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PICTURES = sorted(path for path in (DOCS / "images").iterdir() if path.name[0] != ".")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_small_shown_and_has_its_command(picture):
    assert picture.stat().st_size <= 300_000
    pages = [path.read_text(encoding="utf-8") for path in (*DOCS.rglob("*.md"), DOCS.parent / "README.md")]
    assert any(f"images/{picture.name})" in page for page in pages)
    assert f"| `{picture.name}` | `" in (DOCS / "develop.md").read_text(encoding="utf-8")

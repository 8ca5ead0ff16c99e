"""docs/similar-spectra.md: what it shows runs, and its table of columns is current."""

import re

import numpy as np
import pytest

from transtar.catalog import read_columns
from transtar.encoders import encoder_names
from transtar.glossary import SEARCH_COLUMNS, as_markdown

from .made_surveys import FIRST_ID, made_lamost, made_miles
from .test_encoders_page import stand_in
from .test_readme import ROOT, before, blocks, run

PAGE = ROOT / "docs" / "similar-spectra.md"


@pytest.mark.slow
def test_everything_the_page_shows_runs(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    if "through" not in encoder_names():
        stand_in(site)
    for make, survey, name in ((made_lamost, "lamost", "source"), (made_miles, "miles", "target")):
        folder = make(tmp_path / survey, n=12)
        given = ["--spectra", str(folder / "spectra"), "--labels", str(folder / "labels.csv")]
        run(["transtar", "prepare", "--survey", survey, *given, "--out", f"sets/{name}"], tmp_path)
    shown = blocks(PAGE, "python", "bash")
    assert [language for language, _ in shown] == ["bash", "bash", "python"]
    for language, content in shown:
        command = ["bash", "-euc", content] if language == "bash" else ["python", "-c", content]
        printed = run(command, tmp_path, PYTHONPATH=before(site))
    assert "neighbour_rank" in printed
    near, one = (read_columns(tmp_path / f"near{name}") for name in (".parquet", "-one.fits"))
    assert near["neighbour_rank"].tolist() == [1, 2, 3, 4, 5] * 12
    np.testing.assert_array_equal(near["id"][15:20], one["id"][:5])
    by_id, by_file = (read_columns(tmp_path / f"near-{name}.csv") for name in ("id", "file"))
    assert set(by_id["query_id"].tolist()) == set(by_file["query_id"].tolist()) == {FIRST_ID + 3}
    assert by_file["id"].tolist()[0] == FIRST_ID + 3
    assert by_file["id"].tolist()[1:] == by_id["id"].tolist()[:9]


def test_the_columns_are_current():
    (shown,) = re.findall(r"as_markdown -->\n(.*?)<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert shown == as_markdown(SEARCH_COLUMNS)

import re
from xml.etree import ElementTree

import pytest

from transtar.errors import InputError
from transtar.report import FigureFile, Section, paper_table, save, to_html, write_report
from transtar.report.style import new_figure

from .results import summary


@pytest.fixture
def report(tmp_path):
    picture = save(new_figure(2, 1), tmp_path, "f")["png"]
    sections = [
        Section("Purpose & plan", ["Is 1 < 2?"]),
        Section(
            "Scores", tables=[to_html(paper_table(summary(), "feh"))], figures=[FigureFile(picture, 'A "caption"')]
        ),
        Section("Caveats", ["Few metal-poor giants."], caveat=True),
    ]
    write_report(tmp_path / "report.html", "LAMOST to MILES", sections, "In short.", "transtar 0.1.0")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_well_formed_with_everything_in_it(report):
    tree = ElementTree.fromstring(report.removeprefix("<!DOCTYPE html>"))
    assert [heading.text for heading in tree.iter("h2")] == ["Purpose & plan", "Scores", "Caveats"]
    assert tree.find(".//img").attrib["alt"] == 'A "caption"'
    assert len(list(tree.iter("table"))) == 1
    assert {link.attrib["href"][1:] for link in tree.iter("a")} == {s.attrib["id"] for s in tree.iter("section")}
    assert "Is 1 < 2?" in "".join(tree.itertext())


def test_needs_no_other_file(report):
    assert not re.search(r"https?:|<link|<script|@import|url\(", report)
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]{0,40})', report))


def test_a_missing_or_wrong_figure_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.png"):
        write_report(tmp_path / "r.html", "t", [Section("s", figures=[FigureFile(tmp_path / "nothing.png", "c")])])
    (tmp_path / "f.pdf").write_bytes(b"%PDF")
    with pytest.raises(InputError, match="not a PNG"):
        write_report(tmp_path / "r.html", "t", [Section("s", figures=[FigureFile(tmp_path / "f.pdf", "c")])])
    assert not (tmp_path / "r.html").exists()

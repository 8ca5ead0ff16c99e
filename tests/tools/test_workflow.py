from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.image import imread
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from tools.workflow import ADAPTERS, STEPS, main, workflow_figure
from transtar.networks import MLPSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def figure():
    figure = workflow_figure()
    figure.draw_without_rendering()
    return figure


def test_texts_stay_inside_the_page_and_off_one_another(figure):
    boxes = [(text.get_text(), text.get_window_extent()) for text in figure.axes[0].texts]
    page = figure.bbox
    assert [text for text, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > page.x1 or box.y1 > page.y1] == []
    assert [(a[0], b[0]) for a, b in combinations(boxes, 2) if a[1].overlaps(b[1])] == []


def test_every_station_is_drawn_and_joined(figure):
    (axes,) = figure.axes
    said = {text.get_text() for text in axes.texts}
    titles = {"LAMOST", "DESI", "one preparation", "pre-training", "fine-tuning", "labels", "catalog"}
    assert titles | {name for name, _ in STEPS} | {name for name, _ in ADAPTERS} <= said
    hidden = "–".join(str(width) for width in MLPSettings().hidden)
    assert any(f"1462–{hidden}–1" == text for text in said)
    boxes = [patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert (len(boxes), len(arrows)) == (8, 8)
    # Each arrow begins on the edge of one box and ends on that of another.
    for arrow in arrows:
        ends = [axes.transData.transform(point) for point in arrow._posA_posB]
        touched = [[n for n, box in enumerate(boxes) if box.expanded(1.01, 1.01).contains(*end)] for end in ends]
        assert [len(boxes) for boxes in touched] == [1, 1]
        assert touched[0] != touched[1]


def test_drawn_into_a_folder_as_png_alone(tmp_path, capsys):
    main([str(tmp_path)])
    assert [path.name for path in tmp_path.glob("[!.]*")] == ["workflow.png"]
    assert capsys.readouterr().out.strip() == str(tmp_path / "workflow.png")


def test_the_picture_of_the_docs_is_that_of_the_code(tmp_path):
    kept = ROOT / "docs" / "images" / "workflow.png"
    assert kept.stat().st_size < 200_000
    main([str(tmp_path)])
    drawn, there = imread(tmp_path / "workflow.png"), imread(kept)
    assert drawn.shape == there.shape
    # Other versions of the font library may move the edges of letters.
    assert abs(drawn - there).mean() < 0.01

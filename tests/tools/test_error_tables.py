import numpy as np
import pytest

from tools.error_tables import CENARRO, HALF, LABELS, MODELS, base_name, judged, rows_of
from transtar.files import read_json
from transtar.labels import read_split
from transtar.models.card import errors_in_lines
from transtar.tables import read_table

from ..models.test_error_table import made_table


@pytest.mark.parametrize("label", LABELS)
def test_cards_have_the_tables_of_their_models(label):
    folder = MODELS / "shipped" / f"mock-{label}"
    table = read_json(folder / "config.json")["errors"][label]
    assert "\n".join(errors_in_lines(label, table)) in (folder / "README.md").read_text(encoding="utf-8")
    assert [name.split(",")[0] for name in table["coverage"]] == ["LAMOST DR10", "MILES"]
    assert table["label_noise"] == [0, 0]
    assert table["survey"] == "lamost"
    assert all(0.3 < cell[-1] / {"feh": 0.13, "teff": 90, "logg": 0.25}[label] < 2 for cell in table["cells"])


def test_the_half_is_of_the_pool(data):
    split = read_split(data / "miles" / "split.csv")
    pool = {base_name(file) for file, part in zip(split["file"], split["split"], strict=True) if part == "pool"}
    half = read_table(HALF)[1]["file"].text().tolist()
    assert len(set(half)) == len(half) == len(pool) // 2
    assert set(half) <= pool


def test_stars_that_judge():
    """Noise of labels in quadrature, and the table's own coverage beside it."""
    n = 200
    rng = np.random.default_rng(0)
    catalog = {"feh": rng.normal(-0.5, 0.5, n), "logg": np.full(n, 4.0), "teff": np.full(n, 5000.0)}
    catalog |= {"feh_noise": np.zeros(n), "snr": np.full(n, np.nan)}
    table = judged(made_table(), "feh", catalog, {"feh": np.full(n, 0.12)}, "others")
    own, rows = table.coverage.values()
    assert own == made_table().coverage["some stars, judged"]
    half = made_table().cells[0].q68 * 0.1
    assert half < 0.12 < np.hypot(half, CENARRO["feh"][0])
    assert [row["within_68"] for row in rows if row["bin"] == "rich"] == [1.0]
    assert len(rows_of(catalog, np.arange(5))["feh"]) == 5

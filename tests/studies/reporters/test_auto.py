"""auto against fixed strategies, of made-up predictions."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import r2_score

from transtar import redraw

from ..finished import made_study
from ..paper.made import made_predictions


def study_with(tmp_path, monkeypatch, noise, copied):
    """A study whose `auto` predicts what the strategy `copied` does, in each of two seeds."""
    made = made_predictions(noise, seeds=(0, 1), n=400)
    of = {(one.strategy, one.seed): one for one in made}
    made += [replace(of[name, seed], strategy="auto") for seed, name in enumerate(copied)]
    monkeypatch.setattr(
        "tests.studies.finished.made_predictions", lambda *_, **changes: [] if "variant" in changes else made
    )
    columns = {"file": np.array([f"{n}.fits" for n in range(400)]), "id": np.arange(400)}
    monkeypatch.setattr("tests.studies.finished.SimpleNamespace", lambda **_: type("Set", (), {"columns": columns}))
    strategies = {"auto": {}, **{name: {} for name in noise if name != "zero-shot"}}
    changes = {"strategies": strategies, "adapter": {}, "variants": {}, "reporters": ["auto"]}
    out = made_study(tmp_path, **changes)
    page = redraw(out).read_text()
    with (out / "tables" / "auto-feh.csv").open(newline="") as file:
        return page, list(csv.DictReader(file)), made


def test_the_best_is_named_and_the_difference_has_an_error(tmp_path, monkeypatch):
    noise = {"zero-shot": 0.3, "full": 0.1, "recalibrate": 0.25}
    page, rows, made = study_with(tmp_path, monkeypatch, noise, ("full", "full"))
    assert re.search(r"n = 100: auto is within its error no worse .*, full \(0.000 ± 0.000 in R2\)", page)
    assert "it chose full, full." in page
    assert [row["strategy"] for row in rows] == ["zero-shot", "recalibrate", "full", "auto"]
    for row in rows:
        scores = [r2_score(one.reference["feh"], one.predicted) for one in made if one.strategy == row["strategy"]]
        assert float(row["R2"]) == pytest.approx(np.mean(scores), abs=1e-6)


def test_a_bad_choice_is_called_one(tmp_path, monkeypatch):
    noise = {"zero-shot": 0.5, "full": 0.1, "recalibrate": 0.45}
    page, rows, _ = study_with(tmp_path, monkeypatch, noise, ("full", "recalibrate"))
    # In one seed of two; the seeds differ so much that this is within the error of their mean.
    assert "it chose full, recalibrate." in page
    other = tmp_path / "other"
    other.mkdir()
    page, rows, _ = study_with(other, monkeypatch, noise, ("recalibrate", "recalibrate"))
    assert re.search("auto is worse by more than its error .*, full", page)
    (gain, error) = next((row["R2 of auto minus this"], row["its error"]) for row in rows if row["strategy"] == "full")
    assert float(gain) < -float(error) < 0

"""The folder of a small study whose results are made up, as the engine leaves it: nothing was trained."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import yaml

from transtar.evaluate import write_results
from transtar.studies.collect import _scores
from transtar.studies.predictions import to_table, write_stars

from .paper.made import made_predictions

STUDY = {
    "title": "A made-up study",
    "source": {"survey": "lamost", "spectra": "no/spectra", "labels": "no/labels.csv"},
    "target": {"survey": "desi", "spectra": "no/spectra", "labels": "no/labels.csv"},
    "models": {"feh": ["feh"]},
    "seeds": [0, 1],
    "sizes": [100],
    "strategies": {"lora": {}, "scratch": {}},
    "adapter": {100: {"feh": "lora"}},
    "variants": {"observed": {"preprocessing": {"frame": "observed"}}},
}

NOISE = {"zero-shot": 0.3, "lora": 0.1, "scratch": 0.2}


def made_study(out: Path, **changes) -> Path:
    """Write results.csv, predictions.parquet and the settings; returns the folder."""
    predictions = made_predictions(NOISE, seeds=(0, 1), n=120)
    predictions += made_predictions(NOISE | {"lora": 0.15}, seeds=(0, 1), n=120, variant="observed")
    columns = {"file": np.array([f"{n}.fits" for n in range(120)]), "id": np.arange(120)}
    write_results([row for one in predictions for row in _scores(one)], out / "results.csv")
    write_stars([to_table(one, SimpleNamespace(columns=columns)) for one in predictions], out / "predictions.parquet")
    (out / "settings").mkdir()
    (out / "settings" / "default.yaml").write_text(yaml.safe_dump(STUDY | changes))
    return out


def runs_told(said: str) -> tuple[int, int]:
    """How many runs a study said that it has, and how many of them were done before."""
    found = re.search(r"(\d+) runs \(.*\), (\d+) of them done before", said)
    assert found, said
    return int(found[1]), int(found[2])

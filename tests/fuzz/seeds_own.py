"""Seeds of transtar's own files: a prepared set, a model, an encoder, a study and settings of preprocessing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .seeds import Seed

STUDY = """\
# Two surveys, one label.
title: "A study"
description: >-
  Folded text
  in two lines.
source: {survey: lamost, spectra: lamost/spectra, labels: lamost/labels.csv, columns: {feh: FE_H}}
target:
  survey: miles
  spectra: "miles/spectra"
  labels: 'miles/labels.csv'
  split: miles/split.csv
  keep: {teff: [4000, 7000]}
models:
  feh: [feh]
  teff: [teff]
seeds: [0, 1, 2]
sizes: [50, 100]
pretrain: {epochs: 40, learning_rate: 1.0e-4, average_last: 5}
strategies:
  residual: {learning_rate: 1.0e-5, by_size: {100: {learning_rate: 3.0e-5}}}
  full: &rate {learning_rate: 1.0e-5}
  lora: *rate
preprocessing: {frame: rest, snr: 5, resolution: null}
"""

SETTINGS = """\
# Of the paper.
frame: observed
continuum: envelope-specclip
median_width: 8.0
degree: 5
passes: 10
good_fraction: 0.8
snr: 1e1
resolution: ~
"""


def write(root: Path, kinds: tuple[str, ...]) -> list[Seed]:
    """All of them."""
    seeds: list[Seed] = []
    if not kinds or "set" in kinds:
        seeds += _sets(root)
    if not kinds or "model" in kinds:
        seeds += _models(root)
    if not kinds or "encoder" in kinds:
        seeds += _encoders(root)
    for kind, name, content, form in (
        ("study", "study.yaml", STUDY, "yaml"),
        ("preprocessing", "settings.yaml", SETTINGS, "yaml"),
        ("preprocessing", "settings.json", _as_json(), "json"),
    ):
        if not kinds or kind in kinds:
            folder = root / f"{kind}-{form}"
            folder.mkdir()
            (folder / name).write_text(content)
            seeds.append(Seed(folder.name, kind, form, folder, name, name))
    return seeds


def _as_json() -> str:
    import json

    from transtar.preprocess import Preprocessing

    return json.dumps(Preprocessing(frame="observed").to_dict() | {"snr": 5.0}, indent=2) + "\n"


def _sets(root: Path) -> list[Seed]:
    from transtar.datasets.prepare import prepare
    from transtar.surveys import get_survey

    from ..made_surveys import made_lamost

    made = made_lamost(root.parent / "lamost-for-sets", 5)
    seeds = []
    for file, form in (("spectra.parquet", "parquet"), ("stars.parquet", "parquet"), ("set.json", "json")):
        folder = root / f"set-{file.split('.')[0]}"
        prepare(get_survey("lamost"), made / "spectra", folder, labels=made / "labels.csv", threads=1)
        seeds.append(Seed(folder.name, "set", form, folder, file, ""))
    return seeds


def _models(root: Path) -> list[Seed]:
    from transtar.preprocess import Preprocessing

    from ..models.examples import small_estimator

    seeds = []
    files = {
        "model.safetensors": "safetensors", "config.json": "json", "trained_on.parquet": "parquet",
        "adapter.safetensors": "safetensors",
    }  # fmt: skip
    for file, form in files.items():
        folder = root / f"model-{file.split('.')[0]}"
        model = small_estimator(preprocessing=Preprocessing(frame="observed"))
        if file.startswith("adapter"):
            model = _adapted(model)
        model.save(folder)
        seeds.append(Seed(folder.name, "model", form, folder, file, ""))
    return seeds


def _encoders(root: Path) -> list[Seed]:
    from transtar.encoders import save_encoder

    from ..encoders.examples import seen_stars, small_encoder

    seeds = []
    for file, form in (
        ("encoder.safetensors", "safetensors"), ("config.json", "json"), ("trained_on.parquet", "parquet"),
    ):  # fmt: skip
        folder = root / f"encoder-{file.split('.')[0]}"
        save_encoder(small_encoder(trained_on=seen_stars(ids=(7, 2**62 + 1))), folder, dtype="float32")
        seeds.append(Seed(folder.name, "encoder", form, folder, file, ""))
    return seeds


def _adapted(model):
    """The model with thin matrices, as fine-tuning by LoRA leaves it."""
    import numpy as np

    rng = np.random.default_rng(0)
    adapter: dict[str, np.ndarray] = {"scale": np.array(2.0, np.float32)}
    for name, tensor in model.network.state_dict().items():
        if name.endswith(".weight") and tensor.ndim == 2:
            place, (rows, columns) = name.removesuffix(".weight"), tensor.shape
            adapter[f"{place}.A"] = rng.normal(size=(2, columns)).astype(np.float32)
            adapter[f"{place}.B"] = rng.normal(size=(rows, 2)).astype(np.float32)
    return replace(model, adapter=adapter)

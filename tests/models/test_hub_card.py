"""Folders to share: front matter that hubs read, and words that a stranger needs."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from transtar.errors import InputError, SettingsError
from transtar.models import Scores, load_estimator, read_config, save_estimator, share_model
from transtar.models.card import model_card
from transtar.models.hub_card import BEGIN, hub_card, own_card

from .examples import flux, small_estimator
from .stored import same_model

ROW = {"r2": 0.9, "r2_err": 0.01, "sigma": 0.1, "bias": 0.01, "n": 50, "n_clipped": 1}
SCORES = Scores(
    "feh",
    "miles",
    "a.parquet against b.csv",
    {
        "all": ROW,
        "poor": ROW | {"r2": 0.2, "r2_err": float("nan"), "n": 12},
        "rich": ROW | {"bias": -0.06},
        "giant": ROW | {"r2": float("nan"), "r2_err": float("nan"), "n": 1},
    },
    {"seen by a model (TRAINED_ON)": 7},
    {"all": (50, 0.68, 0.95), "poor": (12, 0.5, 0.9)},
)


def split(card):
    """Front matter and the rest."""
    _, front, rest = card.split("---\n", 2)
    return yaml.safe_load(front), rest


@pytest.fixture
def model(tmp_path):
    steps = (
        {"step": "pretrain", "survey": "mock+lamost", "n_train": 2},
        {"step": "finetune", "survey": "desi", "n_train": 3},
    )
    save_estimator(small_estimator(provenance=steps), tmp_path / "model")
    return tmp_path / "model"


def test_front_matter_says_licence_library_and_scores_by_regime(model, tmp_path):
    front, rest = split((share_model(model, tmp_path / "out", [SCORES], "cc-by-4.0") / "README.md").read_text())
    assert (front["license"], front["library_name"], front["datasets"]) == (
        "cc-by-4.0",
        "transtar",
        ["mock", "lamost", "desi"],
    )
    assert {"astronomy", "stellar-spectra", "feh", "teff"} <= set(front["tags"])
    (index,) = front["model-index"]
    assert index["name"] == "model"
    values = {
        (result["dataset"]["config"], metric["type"]): metric["value"]
        for result in index["results"]
        for metric in result["metrics"]
    }
    assert (values["feh, all", "r2"], values["feh, all", "r2_err"], values["feh, all", "n"]) == (0.9, 0.01, 50)
    # What is not a number is left out, for YAML's is none of a hub's.
    assert ("feh, poor", "r2_err") not in values
    assert ("feh, giant", "r2") not in values
    assert "| all | 50 | 0.900 ± 0.010 | 0.1 | +0.01 | 68.0% | 95.0% |" in rest
    assert "rows left out: 7 seen by a model (TRAINED_ON)" in rest


def test_what_is_bad_is_told_and_what_is_good_is_not(model, tmp_path):
    card = (share_model(model, tmp_path / "out", [SCORES]) / "README.md").read_text()
    failures = card.split("## Known failures")[1].split("## ")[0].strip().splitlines()
    told = [line for line in failures if "a.parquet" in line or "68 %" in line]
    assert [("poor" in line, "rich" in line) for line in told] == [(True, False), (False, True), (True, False)]
    assert "R2 0.20" in told[0]
    assert "off by -0.06" in told[1]
    assert "50% of 12" in told[2]
    assert "Outside 4000 to 7000 teff is extrapolated" in card


def test_without_scores_and_licence_nothing_is_made_up(model, tmp_path):
    front, rest = split((share_model(model, tmp_path / "out") / "README.md").read_text())
    assert front["license"] == "unknown"
    assert "model-index" not in front
    assert "None were measured for this card" in rest
    assert "Nobody has stated a licence" in rest
    assert "| desi | whose labels they were, and their licence, was not stated |" in rest
    assert "http://www.lamost.org/policies/data_policy.html; whose labels they were" in rest
    assert "| lamost | train: 1, validation: 1 |" in rest


def test_terms_of_the_labels_are_the_users_words(model, tmp_path):
    terms = {"lamost": "LASP, DR10 | free"}
    rest = (share_model(model, tmp_path / "out", terms=terms) / "README.md").read_text()
    assert "| lamost | LASP, DR10 / free |" in rest
    with pytest.raises(SettingsError, match="terms of weave: it learnt from mock, lamost, desi alone"):
        share_model(model, tmp_path / "other", terms={"weave": "x"})
    for licence in ("BSD 3", "x: y", "a\nb", ""):
        with pytest.raises(SettingsError, match="no identifier of a licence"):
            hub_card(read_config(model), "", "m", {}, licence=licence)
    assert not (tmp_path / "other").exists()


def test_shared_again_a_card_is_kept_or_replaced_but_never_doubled(model, tmp_path, caplog):
    first = share_model(model, tmp_path / "first", [SCORES], "cc-by-4.0")
    card = (first / "README.md").read_text()
    assert (share_model(first, tmp_path / "second") / "README.md").read_text() == card
    caplog.clear()
    third = (share_model(first, tmp_path / "third", licence="mit") / "README.md").read_text()
    assert "its scores are not on the new card" in caplog.text
    assert (third.count(BEGIN), third.count("library_name")) == (1, 1)
    assert split(third)[0]["license"] == "mit"
    assert own_card(third).strip() == own_card(card).strip() == model_card(read_config(model)).strip()
    # In the place of an earlier one.
    assert share_model(model, first, licence="mit") == first


def test_the_weights_are_the_same_with_and_without_an_adapter(adapted, model, tmp_path):
    for number, source in enumerate((adapted, model, "mock-teff")):
        out = share_model(source, tmp_path / str(number))
        assert same_model(load_estimator(source), load_estimator(out))
        assert (out / "adapter.safetensors").exists() == (source == adapted)


def test_front_matter_of_the_maker_is_not_lost(model, tmp_path):
    mine = "---\nlicense: mit\nbase_model: x\n---\n# Mine\n---\nas I wrote it\n"
    (model / "README.md").write_text(mine)
    assert (share_model(model, tmp_path / "out") / "README.md").read_text() == mine
    with pytest.raises(InputError, match=r"README\.md: has front matter of its own, which would be lost"):
        share_model(model, tmp_path / "other", [SCORES])
    # Two rules across the page are no front matter, once there is text before them.
    (model / "README.md").write_text("# Mine\n---\na\n---\nb\n")
    assert "# Mine\n---\na\n---\nb\n" in (share_model(model, tmp_path / "third") / "README.md").read_text()


def test_a_card_without_end_is_not_read(model, tmp_path):
    with (model / "README.md").open("wb") as file:
        file.truncate(1 << 21)
    with pytest.raises(InputError, match="larger than any card"):
        share_model(model, tmp_path / "out")
    (model / "README.md").unlink()
    assert "## Known failures" in (share_model(model, tmp_path / "out") / "README.md").read_text()


def test_the_folder_of_an_encoder_stays_at_home(tmp_path):
    note = {"name": "seer", "sha256": "0" * 64, "place": "/home/someone/seer"}
    model = small_estimator(input="seer", encoders={"seer": note})
    save_estimator(model, tmp_path / "model")
    assert "/home/someone" in (tmp_path / "model" / "README.md").read_text()
    out = share_model(tmp_path / "model", tmp_path / "out")
    for file in out.iterdir():
        assert b"/home/someone" not in file.read_bytes(), file.name
    shared = load_estimator(out)
    assert shared.encoders == {"seer": note | {"place": ""}}
    np.testing.assert_array_equal(shared.predict(flux()), model.predict(flux()))
    card = (out / "README.md").read_text()
    assert "which is not in this folder" in card
    assert "0000000000000000" in card


def test_what_a_hub_reads(model, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    out = share_model(
        model, tmp_path / "out", [SCORES, replace(SCORES, stars="other.fits against c.csv")], "bsd-3-clause"
    )
    data = hub.ModelCard.load(out / "README.md").data
    assert (data.license, data.library_name, data.model_name) == ("bsd-3-clause", "transtar", "model")
    scored = {(one.dataset_name, one.dataset_config, one.metric_type): one.metric_value for one in data.eval_results}
    assert scored["other.fits against c.csv", "feh, poor", "r2"] == 0.2
    assert len(scored) == len(data.eval_results)
    # Written again by the hub's own code it says the same.
    again = hub.ModelCardData(**yaml.safe_load(data.to_yaml()))
    assert again.to_dict() == data.to_dict()

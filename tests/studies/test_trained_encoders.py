"""Studies that train masked transformers and align them with Gaia XP, on made-up surveys."""

import csv

import numpy as np
import pytest

from transtar.datasets import read_set
from transtar.encoders import load_encoder
from transtar.errors import SettingsError
from transtar.models import load_estimator
from transtar.simulate.native.gaia import write_sampled
from transtar.studies.load import build_study
from transtar.studies.setting_checks import check_settings
from transtar.surveys.gaia_xp import SAMPLING_NM

from ..made_surveys import FIRST_ID, made_lamost, made_miles, write_csv
from ..simulate import made_samples
from ..train.large.aligned_sets import tiny_sizes
from .finished import runs_told
from .test_embeddings import STUDY, run
from .test_spec import MINIMAL

GAIA_ID = 10**18
FEW_STEPS = {"steps": 4, "batch_size": 8, "check_every": 2}
LRS = {
    "width": 16,
    "layers": 1,
    "heads": 2,
    "token": 200,
    "stride": 100,
    "positions": 20,
    "chunks": 2,
    "chunk_tokens": 2,
}
ENCODERS = {
    "embed": {"kind": "masked", "training": FEW_STEPS, "network": LRS},
    "embed-xp": {
        "kind": "autoencoder", "training": FEW_STEPS, "network": {"hidden": 16, "latent": 12, "blocks": 1},
        "spectra": [{"survey": "gaia-xp", "spectra": "gaia"}],
    },
    "embed-align": {"kind": "aligned", "pairs": "lamost/gaia.csv", "training": FEW_STEPS},
    "embed-split": {"kind": "aligned", "variant": "split", "pairs": "lamost/gaia.csv", "training": FEW_STEPS},
}  # fmt: skip
INPUTS = ["flux", "embed", "embed-align", "embed-split"]
SHORT = {"strategies": {"recalibrate": {}}, "reporters": ["settings"]}
CHANGES = {"inputs": INPUTS, "encoders": ENCODERS, **SHORT}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    tiny_sizes(monkeypatch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Surveys in which 24 of 30 LAMOST stars have XP spectra."""
    folder = tmp_path_factory.mktemp("study")
    made_lamost(folder / "lamost", n=30)
    made_miles(folder / "miles", n=36)
    write_csv(
        folder / "lamost" / "gaia.csv", [{"obsid": FIRST_ID + i, "gaia_source_id": GAIA_ID + i} for i in range(24)]
    )
    (folder / "gaia").mkdir()
    wave = 10 * SAMPLING_NM
    batch = made_samples.batch(wave, GAIA_ID + np.arange(24), "gaia-xp", level=2000.0)
    slope = np.random.default_rng(0).normal(0, 0.2, 24)[:, None]
    batch.flux[:] = 2000 * (1 + slope * (wave - 5500) / 3000)
    batch.mask[:] = False
    write_sampled(batch, folder / "gaia" / "XP_SAMPLED_RAW-000.fits")
    return folder


def made(out):
    """Folders of encoders, by the input that they make, without those of trainings."""
    return {
        path.name.rsplit("-", 1)[0]: path
        for path in (out / "encoders").iterdir()
        if not path.name.endswith(".training")
    }


class _Nothing:
    @staticmethod
    def readouterr():
        return type("Said", (), {"err": ""})


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    """A study that is done, its rows, and the files that it made."""
    out = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        tiny_sizes(patch)
        rows = run(folder, out, _Nothing, **CHANGES)[1]
    return out, rows


def test_each_encoder_is_made_once_and_serves_its_inputs(finished):
    out, rows = finished
    assert {row["input"] for row in rows} == set(INPUTS)
    assert len({row["r2"] for row in rows if row["strategy"] == "zero-shot"}) == len(INPUTS)
    # Those that others are made of are there once.
    assert sorted(
        path.name.rsplit("-", 1)[0] for path in (out / "encoders").iterdir() if path.suffix != ".training"
    ) == (sorted(ENCODERS))
    folders = made(out)
    for path in folders.values():
        assert (path.with_name(path.name + ".training") / "losses.csv").is_file()
        assert (path.with_name(path.name + ".training") / "losses.png").is_file()
    embed = load_encoder(folders["embed"])
    assert embed.width == 16
    # The source is learnt from, no star of the target.
    assert set(embed.trained_on["survey"]) == {"lamost"}
    assert set(embed.trained_on["role"]) == {"train", "validation"}
    aligned = load_encoder(folders["embed-split"] / "lrs")
    assert set(aligned.trained_on["survey"]) == {"lamost", "gaia-xp"}
    models = {model.input: model for model in map(load_estimator, (out / "models").glob("feh*"))}
    assert models["embed-split"].encoders["embed-split"]["sha256"] == aligned.sha256
    assert models["embed-split"].n_inputs == 12
    xp = read_set(next(out.glob("sets/gaia-xp-*")))
    assert (xp.preprocessing.grid, len(xp)) == ("xp", 24)


def test_given_again_nothing_is_made_anew(finished, folder, capsys):
    out, rows = finished
    said, again = run(folder, out, capsys, **CHANGES)
    assert "training the encoder" not in said
    assert "aligning" not in said
    assert runs_told(said) == (8, 8)
    assert again == rows
    # MILES has no identifiers of Gaia.
    assert "encoders.embed-align: whether it has seen XP spectra of stars that are judged on is not known" in said


def test_what_is_said_of_a_training(finished, folder, capsys):
    """Another seed of the alignment, whose parts are there; another seed of an encoder is another encoder."""
    out, _ = finished
    encoders = ENCODERS | {"embed-align": ENCODERS["embed-align"] | {"seed": 1}}
    said, _ = run(folder, out, capsys, inputs=["embed-align"], encoders=encoders, **SHORT)
    assert "aligning 'embed' and 'embed-xp': 'embed-align', variant base" in said
    assert "24 pairs; 6 LRS spectra are without an XP spectrum" in said
    assert "encoder 'embed-align': 4 of 4 steps; validation loss from" in said
    assert "training the encoder" not in said
    assert runs_told(said) == (2, 0)
    assert len([path for path in (out / "encoders").glob("embed-align-*") if path.suffix != ".training"]) == 2


def test_it_goes_on_where_it_was_interrupted(finished, folder, capsys, monkeypatch):
    out, _ = finished
    steps = []

    def stop_after_two(self, step, *_):
        steps.append(step)
        if len(steps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("transtar.studies.trained_encoders._Bar.__call__", stop_after_two)
    embed = ENCODERS["embed"] | {"seed": 7, "training": FEW_STEPS | {"checkpoint_steps": 1}}
    one = {"inputs": ["embed"], "encoders": {"embed": embed}, **SHORT}
    run(folder, out, capsys, code=130, **one)
    assert steps == [0, 1, 2]
    said, _ = run(folder, out, capsys, **one)
    assert steps == [0, 1, 2, 2, 3, 4]
    assert "encoder 'embed': 4 of 4 steps" in said


def test_unlabelled_spectra_of_the_target_but_not_of_its_judges(finished, folder, capsys):
    out, _ = finished
    miles = {"survey": "miles", "spectra": "miles/spectra"}
    one = {"inputs": ["embed"], **SHORT}
    encoders = {"embed": ENCODERS["embed"] | {"spectra": [miles]}}
    said, _ = run(folder, out, capsys, code=1, **one, encoders=encoders)
    assert "encoders.embed: has seen 12 of the 12 stars of miles that the study judges on" in said
    encoders = {"embed": ENCODERS["embed"] | {"spectra": [miles | {"split": "miles/split.csv"}]}}
    said, rows = run(folder, out, capsys, **one, encoders=encoders)
    assert {row["input"] for row in rows} == {"embed"}
    assert "12 not in the pool" in said


def test_xp_spectra_of_judges_are_refused(finished, folder, tmp_path, capsys):
    out, _ = finished
    with (folder / "miles" / "labels.csv").open(newline="") as file:
        rows = [row | {"gaia_source_id": GAIA_ID + number} for number, row in enumerate(csv.DictReader(file))]
    write_csv(tmp_path / "labels.csv", rows)
    target = STUDY["target"] | {"labels": str(tmp_path / "labels.csv")}
    changes = CHANGES | {"inputs": ["embed-align"]}
    said, _ = run(folder, out, capsys, code=1, **changes, target=target)
    # Every third of 36 stars is judged on; the first 24 have XP spectra.
    assert "encoders.embed-align: has seen 8 of the 12 stars of miles that the study judges on" in said


@pytest.mark.parametrize(
    ("part", "given", "message"),
    [
        ("embed", {"components": 3}, "encoders.embed: components does not go with the kind 'masked', which has spectra, size"),
        ("embed", {"training": {"epochz": 3}}, "encoders.embed: encoder training: unknown key epochz"),
        ("embed", {"training": {"seed": 3}}, "encoders.embed: training: the seed has a key of its own"),
        ("embed", {"network": {"wdith": 3}}, "encoders.embed: .*unknown key wdith"),
        ("embed", {"spectra": [{"survey": "desi"}]}, r"encoders.embed.spectra\[0\]: needs spectra \(or mock"),
        ("embed-align", {"training": {"accumulate": 2, "batch_size": 8}}, "encoders.embed-align: alignment: accumulate"),
        ("embed-align", {"xp": "embed"}, "encoders.embed-align: xp: needs the name of an encoder of kind 'autoencoder'"),
        ("embed-align", {"lrs": "no"}, "encoders.embed-align: lrs: needs .* not 'no'; write 'encoders: {no: {kind: masked}}'"),
        ("embed-xp", {"spectra": []}, "encoders.embed-xp: needs 'spectra', Gaia XP spectra to learn from"),
    ],
)  # fmt: skip
def test_what_cannot_be(part, given, message):
    encoders = ENCODERS | {part: ENCODERS[part] | given}
    with pytest.raises(SettingsError, match=message):
        check_settings(build_study(MINIMAL | {"inputs": INPUTS, "encoders": encoders}, "study"), "study s")


def test_an_autoencoder_is_no_input():
    with pytest.raises(SettingsError, match=r"encoders.embed-xp: an autoencoder takes XP spectra, .*kind 'aligned'"):
        check_settings(build_study(MINIMAL | {"inputs": ["embed-xp"], "encoders": ENCODERS}, "study"), "study s")


def test_missing_spectra_are_found_before_anything_is_made(folder, tmp_path, capsys):
    encoders = ENCODERS | {"embed-xp": ENCODERS["embed-xp"] | {"spectra": [{"survey": "gaia-xp", "spectra": "no"}]}}
    said, _ = run(folder, tmp_path, capsys, code=1, inputs=["embed-split"], encoders=encoders)
    assert "no: not found" in said
    assert not (tmp_path / "sets").exists()


def test_sizes_and_variants_are_those_that_there_are():
    """Study files are read without networks."""
    from transtar.networks.alignment_settings import ALIGNMENT_SIZES, VARIANTS
    from transtar.studies import study_encoder
    from transtar.train.large import TRAINING_SIZES

    assert study_encoder.VARIANTS == VARIANTS
    assert (
        set(study_encoder.SIZES) == set(ALIGNMENT_SIZES) == {size for each in TRAINING_SIZES.values() for size in each}
    )

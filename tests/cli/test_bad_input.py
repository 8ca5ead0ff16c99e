"""What is wrong with the input gets one clear line; broken spectra and tables themselves are in tests/surveys, tests/datasets
and tests/labels."""

import json
import re
import shutil
from dataclasses import replace

import pytest

from transtar.cli import VERBS
from transtar.models import Estimator
from transtar.seal import sealed

from ..made_surveys import write_csv


@pytest.mark.parametrize("verb", VERBS)
def test_help(transtar, verb):
    done = transtar(verb, "--help")
    assert done.code == 0
    assert "usage: transtar" in done.out
    assert "--debug" in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["prepare"],
        ["prepare", "--survey", "lamost"],
        ["pretrain", "--data", "a", "--label", "feh,feh", "--out", "b"],
        ["finetune", "--model", "a", "--data", "b", "--n", "0", "--out", "c"],
        ["finetune", "--model", "a", "--data", "b", "--strategy", "magic", "--out", "c"],
        ["predict", "--model", "a", "--out", "c.csv", "--nonsense"],
    ],
)
def test_wrong_use_exits_with_2(transtar, arguments):
    done = transtar(*arguments)
    assert done.code == 2
    assert "Traceback" not in done.err


def test_prepare(world, fails, tmp_path):
    common = ("prepare", "--out", tmp_path / "set", "--spectra")
    spectra = world.lamost / "spectra"
    assert "no such file or folder" in fails(*common, tmp_path / "no", "--survey", "lamost")
    assert "known surveys: desi, desi-brz, gaia-xp, generic, lamost, miles" in fails(
        *common, spectra, "--survey", "sdss", code=2
    )
    assert "is --survey right?" in fails(*common, spectra, "--survey", "miles")
    (tmp_path / "bad.yaml").write_text("farme: rest\n")
    settings = ("--survey", "lamost", "--preprocessing", tmp_path / "bad.yaml")
    line = fails(*common, spectra, *settings, code=2)
    assert f"{tmp_path / 'bad.yaml'}: preprocessing: unknown key farme; known keys: continuum" in line
    (tmp_path / "bad.yaml").write_text(f"frame: {'x' * 10**6}\n")
    line = fails(*common, spectra, *settings, code=2)
    assert f"{tmp_path / 'bad.yaml'}: preprocessing: frame 'xxx" in line
    assert len(line) < 500
    (tmp_path / "bad.yaml").write_text("frame: [\n")
    assert "neither YAML nor JSON" in fails(*common, spectra, *settings)
    (tmp_path / "bad.yaml").write_text("rest\n")
    assert "holds no settings" in fails(*common, spectra, *settings)
    assert "no such file of settings" in fails(*common, spectra, *settings[:-1], tmp_path / "no.yaml")
    write_csv(tmp_path / "labels.csv", [{"file": "other.fits", "feh": 1}])
    labels = ("--survey", "lamost", "--labels", tmp_path / "labels.csv")
    assert "no spectrum matches any row of the table by file" in fails(*common, spectra, *labels)
    assert not (tmp_path / "set").exists()
    (tmp_path / "set").mkdir()
    (tmp_path / "set/thesis.tex").touch()
    assert "exists and is not a prepared set" in fails(*common, spectra, "--survey", "lamost")
    assert (tmp_path / "set/thesis.tex").exists()


def test_out_below_a_file(world, fails, tmp_path):
    (tmp_path / "file").touch()
    spectra = ("--survey", "lamost", "--spectra", world.lamost / "spectra")
    assert "cannot be made a folder" in fails("prepare", *spectra, "--out", tmp_path / "file/set")
    assert "cannot be made a folder" in fails(
        "predict", "--model", world.model, "--data", world.target, "--out", tmp_path / "file/c.csv"
    )


def test_pretrain(world, fails, tmp_path):
    common = ("pretrain", "--out", tmp_path / "m", "--data")
    assert "is not a prepared set" in fails(*common, tmp_path, "--label", "feh")
    assert "no label 'alphafe'; it has: teff, feh" in fails(*common, world.source, "--label", "alphafe")
    assert "--epochs: must be a whole number from 1" in fails(
        *common, world.source, "--label", "feh", "--epochs", 0, "--lr", 1e-4, code=2
    )
    assert "--lr: must be a number above 0, not -1" in fails(
        *common, world.source, "--label", "feh", "--lr", -1, code=2
    )
    (tmp_path / "m").mkdir()
    (tmp_path / "m/thesis.tex").touch()
    assert "exists and is not a model" in fails(*common, world.source, "--label", "feh", "--epochs", 1, "--lr", 1e-4)
    assert (tmp_path / "m/thesis.tex").exists()


def test_a_set_without_stars_to_learn_from(world, fails, transtar, tmp_path):
    write_csv(tmp_path / "split.csv", [{"file": "spec-001.fits", "split": "test"}])
    done = transtar(
        "prepare", "--survey", "lamost", "--spectra", world.lamost / "spectra/spec-001.fits", "--labels",
        world.lamost / "labels.csv", "--split", tmp_path / "split.csv", "--out", tmp_path / "set",
    )  # fmt: skip
    assert done.code == 0
    common = ("pretrain", "--data", tmp_path / "set", "--label", "feh", "--out", tmp_path / "m")
    assert "no star to learn from" in fails(*common)


def test_finetune(world, fails, tmp_path):
    common = ("finetune", "--out", tmp_path / "m", "--data", world.target)
    assert "no such model folder" in fails(*common, "--model", tmp_path / "no")
    assert "not a complete model" in fails(*common, "--model", world.folder)
    assert "500 stars cannot be drawn from 24" in fails(*common, "--model", world.model, "--n", 500)
    told = fails(*common, "--model", world.model, "--lr", 1e-3, code=2)
    assert re.search("--strategy auto .*leave out --lr", told)
    recalibrate = ("--model", world.model, "--strategy", "recalibrate", "--epochs", 3)
    assert re.search("--strategy recalibrate .*leave out --epochs", fails(*common, *recalibrate, code=2))
    plain = (*common, "--model", world.model, "--strategy", "recalibrate", "--label-noise")
    assert "--label-noise feh must be a number from 0" in fails(*plain, "feh=-1", code=2)
    assert "--label-noise does nothing with --no-errors" in fails(*plain, "feh=0.1", "--no-errors", code=2)
    assert re.search("--label-noise: teff is not .*: feh", fails(*plain, "teff=50", code=2))


def test_predict(world, fails, tmp_path):
    common = ("predict", "--model", world.model)
    assert "give either --survey and --spectra, or --data" in fails(*common, "--out", tmp_path / "c.csv", code=2)
    both = ("--survey", "lamost", "--data", world.target, "--out", tmp_path / "c.csv")
    assert "give either" in fails(*common, *both, code=2)
    half = ("--survey", "lamost", "--out", tmp_path / "c.csv")
    assert "--survey and --spectra go together" in fails(*common, *half, code=2)
    out = tmp_path / "c.txt"
    assert "ends in one of .parquet, .fits, .csv" in fails(*common, "--data", world.target, "--out", out, code=2)
    (tmp_path / "bad.fits").touch()
    native = ("--survey", "lamost", "--spectra", tmp_path / "bad.fits", "--out", tmp_path / "c.csv")
    assert "no spectrum could be used" in fails(*common, *native)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.fits"]


def test_a_model_of_other_preprocessing(world, fails, transtar, tmp_path):
    (tmp_path / "s.yaml").write_text("frame: observed\ncontinuum: none\n")
    done = transtar(
        "prepare", "--survey", "lamost", "--spectra", world.lamost / "spectra", "--labels",
        world.lamost / "labels.csv", "--preprocessing", tmp_path / "s.yaml", "--out", tmp_path / "set",
    )  # fmt: skip
    assert done.code == 0
    other = tmp_path / "other"
    done = transtar(
        "pretrain", "--data", tmp_path / "set", "--label", "feh", "--epochs", 1, "--lr", 1e-4, "--out", other
    )
    assert done.code == 0
    lines = [
        fails("predict", "--model", other, "--data", world.target, "--out", tmp_path / "c.csv"),
        fails("finetune", "--model", other, "--data", world.target, "--out", tmp_path / "m"),
        fails("predict", "--model", other, world.model, "--data", world.target, "--out", tmp_path / "c.csv"),
    ]
    for line, second in zip(lines, (world.target, world.target, world.model), strict=True):
        for part in (other, second, "frame is observed against rest", "continuum is none against envelope"):
            assert str(part) in line
    two_sets = ("--data", world.source, tmp_path / "set", "--label", "feh", "--out", tmp_path / "m")
    assert f"{world.source} and {tmp_path / 'set'} were preprocessed differently" in fails("pretrain", *two_sets)


def test_damaged_model(world, fails, tmp_path):
    def damaged(name, content):
        shutil.rmtree(tmp_path / "m", ignore_errors=True)
        shutil.copytree(world.model, tmp_path / "m")
        (tmp_path / "m" / name).write_bytes(content)
        return fails("models", "show", tmp_path / "m")

    assert "damaged or not a safetensors file" in damaged("model.safetensors", b"junk")
    assert "not a JSON file" in damaged("config.json", b"{")
    assert "not the description of a transtar model" in damaged("config.json", b"[]")
    config = json.loads((world.model / "config.json").read_text())
    newer = json.dumps(config | {"format_version": 99}).encode()
    assert "model format 99 is not known" in damaged("config.json", newer)
    assert "trained_on.parquet: damaged, or of another origin" in damaged("trained_on.parquet", b"")


def test_evaluate(world, fails, transtar, tmp_path):
    catalog = tmp_path / "c.csv"
    assert transtar("predict", "--model", world.model, "--data", world.target, "--out", catalog).code == 0
    common = ("evaluate", "--out", tmp_path / "e", "--catalog")
    labels = ("--labels", world.miles / "labels.csv")
    assert "no.csv" in fails(*common, tmp_path / "no.csv", *labels)
    assert "no.csv" in fails(*common, catalog, "--labels", tmp_path / "no.csv")
    assert "no spectrum matches" in fails(*common, catalog, "--labels", world.lamost / "labels.csv")
    assert "no column 'logg'" in fails(*common, catalog, *labels, "--label", "logg")
    lines = (world.miles / "labels.csv").read_text().splitlines()
    (tmp_path / "twice.csv").write_text("\n".join([*lines, lines[1].replace(lines[1].split(",")[2], "0.123")]) + "\n")
    assert "repeat in the table with different" in fails(*common, catalog, "--labels", tmp_path / "twice.csv")
    assert not (tmp_path / "e").exists()


def test_study(fails, tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSTAR_DATA", str(tmp_path / "nowhere"))
    common = ("study", "--out", tmp_path / "o")
    assert "neither a study file nor one of" in fails(*common, "no-such-study")
    line = fails(*common, "lamost-to-miles")
    assert "not found; set TRANSTAR_DATA to the folder that holds" in line
    assert "unknown key sneeds" in fails(*common, "lamost-to-miles", "--set", "sneeds=[1]", code=2)
    assert "unknown key epoch" in fails(*common, "lamost-to-miles", "--set", "pretrain.epoch=1", code=2)
    assert "takes key=value" in fails(*common, "lamost-to-miles", "--set", "seeds", code=2)
    assert "unknown key huge" in fails(*common, "lamost-to-miles", "--scale", "huge", code=2)
    assert not (tmp_path / "o").exists() or not any((tmp_path / "o").rglob("*.json"))


def outs(tmp_path):
    """Places to which --out must not lead, and what each holds."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.tex").write_text("years of work")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "thesis")
    return [
        tmp_path / "thesis",
        tmp_path / "file",
        tmp_path / "link",
        "/",
        tmp_path / ("x" * 300),
        tmp_path / "file/below",
    ]


@pytest.mark.parametrize("verb", ["prepare", "pretrain", "finetune", "predict", "predict survey", "simulate", "study"])
def test_where_out_must_not_lead(world, fails, tmp_path, monkeypatch, verb):
    """Refused in one line, and what is there stays as it is."""
    words = {
        "prepare": ["--survey", "lamost", "--spectra", world.lamost / "spectra/spec-001.fits"],
        "pretrain": ["--data", world.source, "--label", "feh", "--epochs", 1],
        "finetune": ["--model", world.model, "--data", world.target, "--strategy", "recalibrate"],
        "predict": ["--model", world.model, "--data", world.target],
        "predict survey": ["--model", world.model, "--survey", "lamost", "--spectra", world.lamost / "spectra"],
        "simulate": ["--set", "lamost=20", "common=20", "edr=20", "miles=3"],
        "study": ["lamost-to-miles"],
    }[verb]
    monkeypatch.setenv("TRANSTAR_DATA", str(tmp_path / "nowhere"))
    for out in outs(tmp_path):
        fails(verb.split()[0], *words, "--out", out)
        assert (tmp_path / "thesis/chapter.tex").read_text() == "years of work"
        assert (tmp_path / "file").read_text() == "mine"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "thesis"]
        assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]
    fails(verb.split()[0], *words, "--out", "", code=2)


def test_the_folder_in_which_the_command_runs(world, fails, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spectra = ("--survey", "lamost", "--spectra", world.lamost / "spectra/spec-001.fits")
    for out in (".", "./", tmp_path):
        assert "the command runs in it" in fails("prepare", *spectra, "--out", out)


def test_a_catalog_over_what_is_read(world, fails, tmp_path):
    shutil.copy(world.lamost / "labels.csv", tmp_path / "stars.csv")
    shutil.copytree(world.target, tmp_path / "set")
    common = ("predict", "--model", world.model)
    native = ("--survey", "lamost", "--spectra", world.lamost / "spectra", "--stars", tmp_path / "stars.csv")
    assert "is read and cannot be written over" in fails(*common, *native, "--out", tmp_path / "stars.csv")
    for out in ("set/stars.parquet", "set/spectra.parquet"):
        assert "belongs to a prepared set" in fails(*common, "--data", tmp_path / "set", "--out", tmp_path / out)
    assert (tmp_path / "stars.csv").read_bytes() == (world.lamost / "labels.csv").read_bytes()


def verbs_of_files(world, tmp_path):
    """Verbs that write single files, by what each writes."""
    miles, model = world.miles, ("--model", world.model)
    catalog = tmp_path / "made.csv"
    return {
        "c.csv": ("predict", *model, "--data", world.target, "--out", tmp_path / "c.csv"),
        "c.fits": ("predict", *model, "--data", world.target, "--out", tmp_path / "c.fits"),
        "metrics.json": ("evaluate", "--catalog", catalog, "--labels", miles / "labels.csv", "--out", tmp_path),
        "saliency.parquet": ("explain", "saliency", *model, "--data", world.target, "--stars", 4, "--out", tmp_path),
        "landscape.npz": ("explain", "landscape", *model, "--data", world.target, "--regime", "all", "--points", 3,
                          "--seeds", 1, "--out", tmp_path),
        "figures/landscape.png": ("explain", "landscape", *model, "--data", world.target, "--out", tmp_path),
        "cal.yaml": ("calibrate", "--catalog", catalog, "--reference", catalog, "--out", tmp_path / "cal.yaml"),
        "s.csv": ("select", "desi-finetuning", "--catalogs", tmp_path, "--out", tmp_path / "s.csv"),
        "s-cuts.tex": ("select", "desi-finetuning", "--catalogs", tmp_path, "--out", tmp_path / "s.csv"),
        "found.csv": ("fetch", "--service", "sparcl", "--ids", 1, "--server", "http://127.0.0.1:9", "--out", tmp_path),
        "spectra/sparcl-00000.parquet": (
            "fetch", "--service", "sparcl", "--ids", 1, "--server", "http://127.0.0.1:9", "--out", tmp_path
        ),
        "results.csv": ("study", "lamost-to-miles", "--out", tmp_path),
    }  # fmt: skip


def test_files_of_another_origin(world, fails, transtar, tmp_path):
    """Refused before the work, in one line, and left as they are; those of our own are replaced."""
    assert transtar("predict", "--model", world.model, "--data", world.target, "--out", tmp_path / "made.csv").code == 0
    verbs = verbs_of_files(world, tmp_path)
    (tmp_path / "sets").mkdir()
    for name, words in verbs.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("years of work")
        assert f"{name}: exists and was not written by transtar" in fails(*words)
        assert (tmp_path / name).read_text() == "years of work"
        (tmp_path / name).unlink()
    for name in ("c.csv", "c.fits", "metrics.json", "saliency.parquet", "landscape.npz"):
        for _ in range(2):
            done = transtar(*verbs[name])
            assert done.code == 0, done.err
        with (tmp_path / name).open("ab") as file:
            file.write(b"a note")
        assert f"{name}: exists and has been changed" in fails(*verbs[name])
    assert not [path for path in tmp_path.rglob(".transtar-*")]


@pytest.mark.parametrize("verb", ["prepare", "pretrain", "finetune"])
def test_a_marker_of_another_origin(world, fails, tmp_path, verb):
    """An app's config.json, or a set.json of cards, makes no folder ours."""
    (tmp_path / "p").mkdir()
    for name in ("config.json", "set.json"):
        (tmp_path / "p" / name).write_text('{"name": "my-app", "format": "cards"}')
    (tmp_path / "p/thesis.tex").write_text("years of work")
    words = {
        "prepare": ["--survey", "lamost", "--spectra", world.lamost / "spectra/spec-001.fits"],
        "pretrain": ["--data", world.source, "--label", "feh", "--epochs", 1],
        "finetune": ["--model", world.model, "--data", world.target, "--strategy", "recalibrate"],
    }[verb]
    assert "p: exists and is not a" in fails(verb, *words, "--out", tmp_path / "p")
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["config.json", "set.json", "thesis.tex"]


def test_what_is_read_is_not_replaced(world, fails, tmp_path):
    shutil.copytree(world.model, tmp_path / "model")
    shutil.copytree(world.target, tmp_path / "set")
    (tmp_path / "link").symlink_to("set")
    model, data = ("--model", tmp_path / "model"), ("--data", tmp_path / "set")
    recalibrate = ("finetune", *model, *data, "--strategy", "recalibrate", "--out")
    assert "is read and cannot be written over" in fails(*recalibrate, tmp_path / "model")
    assert "belongs to a prepared set or model" in fails(*recalibrate, tmp_path / "link/new")
    assert "belongs to a prepared set or model" in fails("predict", *model, *data, "--out", tmp_path / "set/new.csv")
    settings = ("--preprocessing", tmp_path / "set/set.json", "--spectra", world.miles / "spectra", "--survey", "miles")
    assert "which is read" in fails("prepare", *settings, "--out", tmp_path / "set")


def test_a_name_that_a_stranger_chose(world, transtar, tmp_path):
    """It stands in a figure, where a dollar would begin a formula, and on a terminal, which would obey it."""
    shutil.copytree(world.model, tmp_path / "model")
    config = json.loads((tmp_path / "model/config.json").read_text())
    config["provenance"][0]["strategy"] = "$x_{$\x1b[31m"
    (tmp_path / "model/config.json").write_text(json.dumps(sealed(config)))
    (tmp_path / "model/README.md").write_text("\x1b]0;title\x07card\n")
    explain = ("explain", "saliency", "--data", world.target, "--out", tmp_path / "out", "--model")
    for done in (transtar(*explain, tmp_path / "model"), transtar("models", "show", tmp_path / "model")):
        assert done.code == 0, done.err
        assert "\x1b" not in done.out + done.err
    assert list((tmp_path / "out/figures").glob("*.png"))


def test_models_whose_inputs_are_no_spectra(world, fails, tmp_path):
    """A survey's spectra are not what such a model wants, and nobody guesses how they would have to be prepared."""
    model = Estimator.load(world.model)
    for name in ("a", "b"):
        replace(model, preprocessing=None).save(tmp_path / name)
    out = ("--out", tmp_path / "c.csv")
    native = ("--survey", "lamost", "--spectra", world.lamost / "spectra")
    for models in ((tmp_path / "a",), (tmp_path / "a", tmp_path / "b")):
        line = fails("predict", "--model", *models, *native, *out)
        assert f"{tmp_path / 'a'}: has no preprocessing" in line
        line = fails("predict", "--model", *models, "--data", world.target, *out)
        assert f"{tmp_path / 'a'} has no preprocessing" in line
    line = fails("predict", "--model", world.model, tmp_path / "b", *native, *out)
    assert f"{tmp_path / 'b'} has no preprocessing" in line
    line = fails("finetune", "--model", tmp_path / "a", "--data", world.target, "--out", tmp_path / "m")
    assert f"{tmp_path / 'a'} has no preprocessing" in line
    line = fails("prepare", *native, "--preprocessing", tmp_path / "a", "--out", tmp_path / "s")
    assert f"{tmp_path / 'a'}: has no preprocessing" in line


def test_settings_of_a_damaged_set_or_model(world, fails, tmp_path):
    """They are read from set.json and config.json alone, whose checksums are compared."""
    for folder, name in ((world.source, "set.json"), (world.model, "config.json")):
        shutil.copytree(folder, tmp_path / name / "x")
        path = tmp_path / name / "x" / name
        path.write_text(path.read_text().replace('"degree": 5', '"degree": 7'))
        for given in (path, path.parent):
            line = fails(
                "prepare", "--survey", "lamost", "--spectra", world.lamost / "spectra", "--preprocessing", given,
                "--out", tmp_path / "s",
            )  # fmt: skip
            assert f"{path}: damaged, or changed by hand" in line


def test_a_set_damaged_at_its_end_makes_no_catalog(world, fails, tmp_path):
    shutil.copytree(world.target, tmp_path / "set")
    description = json.loads((tmp_path / "set/set.json").read_text())
    (tmp_path / "set/set.json").write_text(json.dumps(sealed(description | {"ivar_sha256": "0" * 64})))
    line = fails("predict", "--model", world.model, "--data", tmp_path / "set", "--out", tmp_path / "c.parquet")
    assert "spectra.parquet: ivar is damaged, or of another set" in line
    assert not (tmp_path / "c.parquet").exists()

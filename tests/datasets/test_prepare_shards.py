from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from transtar.cli import main
from transtar.datasets import prepare, read_set
from transtar.datasets.prepare_shards import Shards, shard_folder
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.shards import Part
from transtar.shards import tasks as of_tasks

from ..made_surveys import FIRST_ID, made_lamost, write_csv


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Shards of two files."""
    monkeypatch.setattr(of_tasks, "FEWEST_FILES", 2)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = made_lamost(tmp_path_factory.mktemp("lamost"), n=7)
    (folder / "spectra" / "spec-003b.fits").write_text("no")
    write_csv(folder / "velocities.csv", [{"obsid": FIRST_ID + n, "velocity": 5.0 * n} for n in range(6)])
    write_csv(folder / "stars.csv", [{"obsid": FIRST_ID + n} for n in (1, 2, 5, 6)])
    return folder


def given(world):
    return {
        "labels": world / "labels.csv",
        "velocities": f"{world}/velocities.csv:velocity",
        "stars": world / "stars.csv",
    }


def assert_same(one, other):
    np.testing.assert_array_equal(one.flux, other.flux)
    np.testing.assert_array_equal(one.ivar, other.ivar)
    assert list(one.columns) == list(other.columns)
    for name, column in one.columns.items():
        np.testing.assert_array_equal(column, other.columns[name], err_msg=name)


@pytest.mark.parametrize("inputs", [[], ["through"]])
def test_the_set_is_the_one_that_is_made_at_once(world, tmp_path, inputs):
    whole = prepare("lamost", world / "spectra", tmp_path / "whole", **given(world), inputs=inputs, batch_size=2)
    skipped = []
    with ThreadPoolExecutor(2) as executor:
        report = prepare(
            "lamost", world / "spectra", tmp_path / "set", **given(world), inputs=inputs, batch_size=2,
            on_skip=lambda *told: skipped.append(told), shards=Shards(executor=executor, workers=2),
        )  # fmt: skip
    assert_same(read_set(tmp_path / "set"), read_set(tmp_path / "whole"))
    for name in inputs:
        one, other = (read_set(tmp_path / which).gathered(name).input(name) for which in ("set", "whole"))
        # A last digit depends on what else is in the batch.
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert (report.n_spectra, report.flags, report.labels) == (whole.n_spectra, whole.flags, whole.labels)
    assert report.skipped == whole.skipped == skipped
    assert sorted(report.lines) == sorted(whole.lines)
    assert any(line.startswith("stars: 4 of 4") for line in report.lines)
    assert not shard_folder(tmp_path / "set").exists()


def test_parts_make_it_together(world, tmp_path):
    prepare("lamost", world / "spectra", tmp_path / "whole", labels=world / "labels.csv")
    for number in (1, 2, 3):
        how = Shards(Part(number, 3), workers=1)
        report = prepare("lamost", world / "spectra", tmp_path / "set", labels=world / "labels.csv", shards=how)
        assert (tmp_path / "set").exists() == (number == 3)
        assert bool(report.n_spectra) == (number == 3)
    assert_same(read_set(tmp_path / "set"), read_set(tmp_path / "whole"))


def test_it_goes_on_and_refuses_what_is_not_its_own(world, tmp_path):
    how = Shards(Part(1, 2), workers=1)
    (told,) = prepare("lamost", world / "spectra", tmp_path / "set", shards=how).lines
    assert "2 of 4 shards are left to other parts" in told
    shard = next((shard_folder(tmp_path / "set") / "shards").glob("*.npz"))
    before = shard.stat().st_mtime_ns
    with pytest.raises(MismatchError, match=r"begun with other settings: quality.snr"):
        prepare("lamost", world / "spectra", tmp_path / "set", quality={"snr": 1}, shards=Shards(workers=1))
    content = bytearray(shard.read_bytes())
    content[-400] ^= 1
    damaged = bytes(content)
    prepare("lamost", world / "spectra", tmp_path / "set", shards=how)
    assert shard.stat().st_mtime_ns == before
    shard.write_bytes(damaged)
    with pytest.raises(MismatchError, match=r"npz: damaged.*delete it, and give the command again"):
        prepare("lamost", world / "spectra", tmp_path / "set", shards=Shards(workers=1))
    shard.unlink()
    assert prepare("lamost", world / "spectra", tmp_path / "set", shards=Shards(workers=1)).n_spectra == 7


def test_no_workers_are_refused(world, tmp_path):
    with pytest.raises(SettingsError, match="workers"):
        prepare("lamost", world / "spectra", tmp_path / "set", shards=Shards(workers=0))


def test_notes_beside_the_shards_are_kept(world, tmp_path):
    prepare("lamost", world / "spectra", tmp_path / "set", shards=Shards(Part(1, 2), workers=1))
    (shard_folder(tmp_path / "set") / "notes.txt").write_text("mine")
    prepare("lamost", world / "spectra", tmp_path / "set", shards=Shards(workers=1))
    assert (shard_folder(tmp_path / "set") / "notes.txt").read_text() == "mine"


def test_stars_of_no_spectrum_are_refused_in_the_end(world, tmp_path):
    write_csv(tmp_path / "stars.csv", [{"obsid": 5}])
    with pytest.raises(InputError, match="none of its 1 stars has a spectrum here"):
        prepare("lamost", world / "spectra", tmp_path / "set", stars=tmp_path / "stars.csv", shards=Shards(workers=1))
    assert not (tmp_path / "set").exists()


def test_on_the_command_line(world, tmp_path, capsys):
    command = ["prepare", "--survey", "lamost", "--spectra", str(world / "spectra"), "--out", str(tmp_path / "set")]
    assert main([*command, "--part", "1/2", "--workers", "1"]) == 0
    assert "2 of 4 shards are left to other parts; the last of them makes the set" in capsys.readouterr().out
    assert main([*command, "--part", "2/2", "--workers", "1", "--labels", str(world / "labels.csv")]) == 0
    printed = capsys.readouterr()
    assert "set: 7 spectra; labels: 7 teff, 7 feh" in printed.out
    assert "spec-003b.fits" in printed.err

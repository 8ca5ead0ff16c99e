import numpy as np
import pyarrow.parquet as pq
import pytest

from transtar.datasets.set_files import SPECTRA
from transtar.errors import InputError, MismatchError
from transtar.flags import Flag
from transtar.train.large import open_source
from transtar.train.large.spectra_source import preprocessing_of

from .large_sets import LRS, XP, fluxes, write_set


def test_rows_of_several_sets_in_any_order(tmp_path):
    flux = np.concatenate([write_set(tmp_path / name, n, seed=n) for name, n in (("a", 20), ("b", 11))])
    source = open_source([tmp_path / "a", tmp_path / "b"])
    assert pq.ParquetFile(tmp_path / "a" / SPECTRA).num_row_groups == 3
    rows = np.random.default_rng(0).integers(0, 31, 50)
    np.testing.assert_array_equal(source.read(rows), flux[rows])
    source.hold()
    assert source.is_held
    np.testing.assert_array_equal(source.read(rows), flux[rows])
    assert source.read(rows[:0]).shape == (0, 1462)
    assert len(source.hashes) == 2


def test_only_usable_spectra_of_the_pool(tmp_path):
    flux = fluxes(8, 1462)
    flux[2, 5] = np.nan
    flux[3] = 1.0
    flags = np.zeros(8, np.int32)
    flags[1] = int(Flag.NON_STELLAR)
    split = np.array(["pool"] * 6 + ["test", "none"])
    write_set(tmp_path / "set", flux=flux, flags=flags, split=split)
    source = open_source([tmp_path / "set"], lambda flux: flux.std(axis=1) > 0)
    assert source.good.tolist() == [True, False, False, False, True, True, False, False]
    assert source.left_out == {"not in the pool": 2, "flagged bad or without flux": 2, "not fit for this encoder": 1}
    assert source.columns["id"].tolist() == [2**62 + i for i in range(8)]
    seen = source.seen(np.array([4, 0]), "train")
    assert seen["id"].tolist() == [2**62 + 4, 2**62]
    assert seen["role"].tolist() == ["train", "train"]


def test_sets_that_cannot_go_together(tmp_path):
    write_set(tmp_path / "a")
    write_set(tmp_path / "xp", preprocessing=XP)
    assert preprocessing_of([tmp_path / "a"]) == LRS
    with pytest.raises(MismatchError, match="grid"):
        open_source([tmp_path / "a", tmp_path / "xp"])
    with pytest.raises(InputError, match="a set comes twice"):
        open_source([tmp_path / "a", tmp_path / "xp" / ".." / "a"])
    with pytest.raises(InputError, match="is not a prepared set"):
        open_source([tmp_path / "none"])


def test_a_damaged_set_is_refused_before_the_training(tmp_path):
    write_set(tmp_path / "set")
    path = tmp_path / "set" / SPECTRA
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged|cannot be read"):
        open_source([tmp_path / "set"])


def test_a_set_that_changes_meanwhile_is_refused(tmp_path):
    write_set(tmp_path / "set", n=40)
    source = open_source([tmp_path / "set"])
    write_set(tmp_path / "set", n=10)
    with pytest.raises(InputError, match="changed while it was trained on"):
        source.read(np.array([39]))


def test_progress_is_told(tmp_path):
    write_set(tmp_path / "set", n=9)
    told = []
    open_source([tmp_path / "set"], progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (9, 9)

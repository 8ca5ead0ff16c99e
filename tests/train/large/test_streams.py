import numpy as np
import pytest
import torch

from transtar.errors import InputError, SettingsError
from transtar.train.large import PairedStream, Ranks, SetStream, open_source
from transtar.train.large import streams as module

from .large_sets import XP, quick, write_set


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streams")
    write_set(folder / "set", n=100, group=9)
    return folder


def rows_of(stream, epoch=1, start=0):
    """Which rows each batch has, by the seeds of the rows."""
    seeds = {int(seed): row for row, seed in enumerate(module.seeds_of_rows(0, epoch, torch.arange(100)))}
    return [[seeds[int(seed)] for part in parts for seed in part.row_seeds] for parts in stream.batches(epoch, start)]


def made(folder, **more):
    return SetStream(open_source([folder / "set"]), quick(**more))


@pytest.mark.parametrize("shuffle_rows", [1, 30, 1000])
def test_every_epoch_has_every_row_once_in_another_order(folder, shuffle_rows):
    stream = made(folder, shuffle_rows=shuffle_rows)
    assert stream.sources["flux"].is_held == (shuffle_rows == 1000)
    first, again, second = rows_of(stream), rows_of(stream), rows_of(stream, 2)
    assert first == again != second
    for order in (first, second):
        assert len(order) == stream.steps_per_epoch == 90 // 8
        flat = [row for rows in order for row in rows]
        assert len(set(flat)) == len(flat)
        assert set(flat) <= set(stream.train.tolist())
        # Neighbours in the file are seldom neighbours here.
        assert np.mean(np.abs(np.diff(flat)) == 1) < 0.3
    assert rows_of(stream, 1, 4) == first[4:]


def test_the_spectra_are_those_of_the_rows(folder):
    stream = made(folder, shuffle_rows=20, accumulate=2)
    flux = open_source([folder / "set"]).read(np.arange(100))
    for rows, parts in zip(rows_of(stream), stream.batches(1), strict=True):
        assert [len(part) for part in parts] == [4, 4]
        np.testing.assert_array_equal(np.concatenate([part.arrays["flux"] for part in parts]), flux[rows])


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("shuffle_rows", [20, 1000])
def test_processes_share_the_batches_of_one(folder, monkeypatch, accumulate, shuffle_rows):
    settings = {"accumulate": accumulate, "shuffle_rows": shuffle_rows}
    alone = list(made(folder, **settings).batches(1))
    held_out = list(made(folder, **settings).held_out())
    shares, looked_at = [], []
    for rank in range(2):
        monkeypatch.setattr(module.Ranks, "current", lambda rank=rank: Ranks(rank, 2))
        stream = made(folder, **settings)
        shares.append(list(stream.batches(1)))
        looked_at.append(list(stream.held_out()))
    for whole, *parts in zip(alone, *shares, strict=True):
        for one, *several in zip(whole, *parts, strict=True):
            torch.testing.assert_close(
                torch.cat([part.arrays["flux"] for part in several]), one.arrays["flux"], rtol=0, atol=0
            )
            assert torch.equal(torch.cat([part.row_seeds for part in several]), one.row_seeds)
    for one, *several in zip(held_out, *looked_at, strict=True):
        assert torch.equal(torch.cat([part.row_seeds for part in several]), one.row_seeds)


def test_what_is_held_out_never_trains_and_never_changes(folder):
    stream = made(folder, validation_fraction=0.3)
    assert stream.n_held_out == 30
    # Whole batches of them.
    assert len(stream.validation) == 24
    assert not set(stream.validation) & set(stream.train)
    seeds = [torch.cat([part.row_seeds for part in stream.held_out()]) for _ in range(2)]
    assert torch.equal(*seeds)
    few = made(folder, validation_fraction=0.3, validation_batches=1)
    assert len(few.validation) == 8
    assert len(few.train) == 70
    seen = stream.seen()
    assert np.unique(seen["role"], return_counts=True)[1].tolist() == [70, 24]
    none = made(folder, validation_fraction=0.0)
    assert len(none.validation) == 0
    assert list(none.held_out()) == []


def test_repeat_visits_are_held_out_together(tmp_path):
    write_set(tmp_path / "set", n=80, ids=np.arange(80) // 4)
    stream = SetStream(open_source([tmp_path / "set"]), quick(validation_fraction=0.25, batch_size=4))
    star = np.arange(80) // 4
    assert not set(star[stream.validation]) & set(star[stream.train])


def test_memory_does_not_grow_with_the_set(folder, monkeypatch):
    stream = made(folder, shuffle_rows=20)
    read = []
    source = stream.sources["flux"]
    monkeypatch.setattr(source, "read", lambda rows: read.append(len(rows)) or np.zeros((len(rows), 1462), np.float32))
    list(stream.batches(1))
    assert max(read) <= 20
    assert len(read) > 3


def test_too_few_spectra(folder, tmp_path):
    with pytest.raises(InputError, match=r"90 spectra to learn from are fewer than a batch of 96 .*smaller batch size"):
        made(folder, batch_size=96)
    write_set(tmp_path / "set", n=6, split=np.full(6, "test"))
    with pytest.raises(InputError, match=r"no spectrum to learn from .*6 not in the pool"):
        SetStream(open_source([tmp_path / "set"]), quick())


def test_processes_that_cannot_share(folder, monkeypatch):
    monkeypatch.setattr(module.Ranks, "current", lambda: Ranks(0, 3))
    with pytest.raises(SettingsError, match="a multiple of 3"):
        made(folder)
    with pytest.raises(InputError, match=r"2 spectra held out .* cannot be shared by 3 processes"):
        made(folder, validation_fraction=0.02, batch_size=9)


def test_pairs_by_exact_ids(tmp_path):
    big = 2**62
    lrs_ids = np.array([big + 5, big + 1, big + 1, big + 9, -1, *range(40)])
    xp_ids = np.array([big + 1, big + 5, big + 2, -1, *range(39, -1, -1)])
    lrs = write_set(tmp_path / "lrs", len(lrs_ids), ids=lrs_ids)
    xp = write_set(tmp_path / "xp", len(xp_ids), preprocessing=XP, seed=1, ids=xp_ids)
    sources = [open_source([tmp_path / name]) for name in ("lrs", "xp")]
    settings = quick(validation_fraction=0.1, shuffle_rows=10)
    stream = PairedStream(*sources, settings)
    assert (stream.n_pairs, stream.n_without_xp, stream.n_without_lrs) == (43, 2, 2)
    assert stream.told().startswith(
        "43 pairs; 2 LRS spectra are without an XP spectrum, 2 XP spectra without an LRS spectrum; "
    )
    n = 0
    for parts in stream.batches(1):
        for one, other in zip(parts[0].arrays["lrs"].numpy(), parts[0].arrays["xp"].numpy(), strict=True):
            left = lrs_ids[(lrs == one).all(axis=1)]
            right = xp_ids[(xp == other).all(axis=1)]
            assert left.tolist() == right.tolist()
            n += 1
    assert n == stream.steps_per_epoch * 8
    assert set(stream.seen_of("xp")["id"]) <= set(xp_ids.tolist())


def test_pairs_by_the_ids_that_are_given(tmp_path):
    write_set(tmp_path / "lrs", 20, ids=np.arange(20))
    write_set(tmp_path / "xp", 20, preprocessing=XP, ids=np.arange(100, 120))
    sources = [open_source([tmp_path / name]) for name in ("lrs", "xp")]
    with pytest.raises(InputError, match="no star is in both"):
        PairedStream(*sources, quick())
    stream = PairedStream(*sources, quick(batch_size=4), xp_ids=np.where(np.arange(20) < 12, 119 - np.arange(20), -1))
    assert stream.n_pairs == 12
    assert stream.rows["xp"].tolist() == list(range(19, 7, -1))
    with pytest.raises(InputError, match="3 identifiers of XP spectra for 20 LRS spectra"):
        PairedStream(*sources, quick(), xp_ids=np.arange(3))


def test_visits_of_one_star_are_held_out_together_whatever_they_are_called(tmp_path):
    write_set(tmp_path / "lrs", 40, ids=np.arange(40), star=np.array([f"visit {row}" for row in range(40)]))
    write_set(tmp_path / "xp", 10, preprocessing=XP, ids=np.arange(100, 110))
    sources = [open_source([tmp_path / name]) for name in ("lrs", "xp")]
    stream = PairedStream(*sources, quick(batch_size=4, validation_fraction=0.3), xp_ids=100 + np.arange(40) % 10)
    seen, held_out = (set(stream.rows["xp"][rows].tolist()) for rows in (stream.train, stream.validation))
    assert held_out
    assert not seen & held_out
    # And in a batch it can be seen which are of one star.
    for parts in stream.batches(1):
        stars, xp = parts[0].arrays["star"].numpy(), parts[0].arrays["xp"].numpy()
        same = (xp[:, None] == xp).all(axis=2)
        np.testing.assert_array_equal(stars[:, None] == stars, same)
    other = PairedStream(*sources, quick(batch_size=4), xp_ids=100 + np.arange(40) // 4)
    assert other.describe()["pairs"] != stream.describe()["pairs"]

"""What is hidden, against the rules as they are written and by counting; and the loss, against loops."""

import numpy as np
import pytest
import torch

from transtar.errors import SettingsError
from transtar.networks.masking import draw_masks, hide, masked_loss, seeds_of_rows

PAPER = {"n_tokens": 146, "chunks": 6, "chunk_tokens": 10}


def runs(mask):
    """First and last token of each run that is hidden."""
    edges = np.flatnonzero(np.diff(np.r_[0, mask.astype(int), 0]))
    return list(zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True))


def test_six_runs_of_ten_each_in_its_part():
    masks = draw_masks(seeds_of_rows(0, 0, torch.arange(5000)), **PAPER).numpy()
    assert (masks.shape, masks.dtype) == ((5000, 146), bool)
    assert (masks.sum(axis=1) == 60).all()
    for row in masks[:200]:
        assert [last - first for first, last in runs(row)] == [9] * 6
    for part in (0, 24, 48, 73, 97, 121):
        shifts = masks[:, part : part + 23].argmax(axis=1)
        # Each of the 14 places as likely: 357 of 5,000, give or take 18.
        assert np.bincount(shifts, minlength=14).tolist() == pytest.approx([5000 / 14] * 14, abs=5 * 18)
    # The token of mean and scatter is hidden in one of 14, and some tokens never are.
    assert masks[:, 0].mean() == pytest.approx(1 / 14, abs=0.02)
    assert np.flatnonzero(~masks.any(axis=0)).tolist() == [23, 47, 71, 72, 96, 120, 144, 145]


def test_runs_are_drawn_each_by_itself():
    masks = draw_masks(seeds_of_rows(3, 1, torch.arange(4000)), **PAPER)
    first = masks[:, :24].float().argmax(dim=1).double()
    second = masks[:, 24:48].float().argmax(dim=1).double()
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.08


def test_a_row_depends_on_its_seed_alone():
    rows = torch.tensor([7, 3, 999_999_999, 0])
    seeds = seeds_of_rows(11, 2, rows)
    together = draw_masks(seeds, **PAPER)
    for at, row in enumerate(rows):
        assert torch.equal(draw_masks(seeds_of_rows(11, 2, row[None]), **PAPER)[0], together[at])
    assert len({tuple(row) for row in together.tolist()}) == 4
    for seed, epoch in ((12, 2), (11, 3), (2, 11)):
        assert not torch.equal(draw_masks(seeds_of_rows(seed, epoch, rows), **PAPER), together)


def test_the_hash_is_splitmix():
    """In whole numbers of Python, without a sign, wrapped by hand."""

    def mixed(seed, counter):
        bits = (seed + (counter + 1) * 0x9E3779B97F4A7C15) % 2**64
        bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB % 2**64
        return (bits ^ bits >> 31) % 2**63

    rows = [0, 1, 5, 2**40]
    expected = [mixed(mixed(42, 7), row) for row in rows]
    assert seeds_of_rows(42, 7, torch.tensor(rows)).tolist() == expected


def test_the_last_token_that_may_be_hidden():
    masks = draw_masks(torch.arange(500), 12, 2, 5)
    assert masks[:, :5].all()
    assert not masks[:, 5].any()
    assert draw_masks(torch.arange(3), 12, 2, 6).all()
    with pytest.raises(SettingsError, match="2 runs of 7 tokens each do not fit into 12"):
        draw_masks(torch.arange(3), 12, 2, 7)


def test_the_loss_counts_what_hiding_changed():
    random = np.random.default_rng(0)
    slices, given = random.normal(size=(2, 3, 5, 4)).astype(np.float32)
    slices[:, 1:, 0] = 0
    mask = random.random((3, 5)) < 0.5
    total, number = 0.0, 0
    for star in range(3):
        for token in range(5):
            for value in range(4):
                if mask[star, token] and slices[star, token, value] != 0:
                    total += (float(given[star, token, value]) - float(slices[star, token, value])) ** 2
                    number += 1
    tensors = torch.from_numpy(given).requires_grad_(), torch.from_numpy(slices), torch.from_numpy(mask)
    ours = masked_loss(*tensors)
    assert (float(ours[0].detach()), int(ours[1])) == (pytest.approx(total, rel=1e-5), number)
    # Parts of a batch add up to the whole.
    parts = [masked_loss(*(part[rows] for part in tensors)) for rows in (slice(0, 1), slice(1, 3))]
    assert float(sum(part[0] for part in parts).detach()) == pytest.approx(total, rel=1e-5)
    assert sum(int(part[1]) for part in parts) == number
    # What was shown teaches nothing.
    ours[0].backward()
    assert not tensors[0].grad[~torch.from_numpy(mask)].any()
    changed = hide(tensors[1], tensors[2])
    assert int((changed != tensors[1]).sum()) == number
    assert torch.equal(changed[~tensors[2]], tensors[1][~tensors[2]])


def test_nothing_hidden_is_no_loss():
    slices = torch.ones(2, 3, 4)
    total, number = masked_loss(slices + 1, slices, torch.zeros(2, 3, dtype=torch.bool))
    assert (float(total), int(number)) == (0.0, 0)

"""Which tokens are hidden from a transformer in training, and its loss on them.

A mask depends on the seed of its row and on nothing else: rows get the same ones however they are batched or shared by processes.
"""

from __future__ import annotations

import torch

from ..errors import SettingsError

_GOLDEN, _FIRST, _SECOND = -7046029254386353131, -4658895280553007687, -7723592293110705685
"""Constants of SplitMix64 (Steele et al. 2014, OOPSLA), as signed whole numbers of 64 bits."""


def draw_masks(row_seeds: torch.Tensor, n_tokens: int, chunks: int, chunk_tokens: int) -> torch.Tensor:
    """Draw what is hidden in each row: one run of tokens in each of `chunks` equal parts, as SpecCLIP does.

    Parameters
    ----------
    row_seeds : Tensor, shape (n,), int64
        One seed per row; `seeds_of_rows` makes them.
    n_tokens : int
        Tokens of a spectrum.
    chunks, chunk_tokens : int
        Number of runs, and tokens in each. Run i begins at ``floor(i * n_tokens / chunks)`` and a number from 0 to
        ``floor(n_tokens / chunks) - chunk_tokens - 1``, each as likely.

    Returns
    -------
    Tensor, shape (n, n_tokens), bool
        True where a token is hidden, on the device of the seeds.

    Raises
    ------
    SettingsError
        If so many runs do not fit.
    """
    room = n_tokens // chunks - chunk_tokens
    if room < 0:
        raise SettingsError(
            f"masks: {chunks} runs of {chunk_tokens} tokens each do not fit into {n_tokens}; take fewer or shorter ones"
        )
    device = row_seeds.device
    run = torch.arange(chunks, device=device)
    shift = _hashed(row_seeds[:, None], run[None]) % max(room, 1)
    start = run * n_tokens // chunks + shift
    token = torch.arange(n_tokens, device=device)
    return ((token >= start[..., None]) & (token < start[..., None] + chunk_tokens)).any(dim=1)


def seeds_of_rows(seed: int, epoch: int, rows: torch.Tensor) -> torch.Tensor:
    """Seeds of rows, other ones in each epoch.

    Parameters
    ----------
    seed, epoch : int
    rows : Tensor, shape (n,), int64
        Numbers of the rows in their set.

    Returns
    -------
    Tensor, shape (n,), int64
        Not negative.
    """
    start = torch.tensor([seed, epoch], dtype=torch.int64, device=rows.device)
    return _hashed(_hashed(start[:1], start[1:]), rows)


def _hashed(seed: torch.Tensor, counter: torch.Tensor) -> torch.Tensor:
    """Whole numbers of 63 bits that look random, of seeds and counters: SplitMix64, whose products wrap around."""
    bits = seed + (counter + 1) * _GOLDEN
    bits = (bits ^ _shifted(bits, 30)) * _FIRST
    bits = (bits ^ _shifted(bits, 27)) * _SECOND
    return (bits ^ _shifted(bits, 31)) & (2**63 - 1)


def _shifted(bits: torch.Tensor, by: int) -> torch.Tensor:
    """To the right, with zeros from the left, as of numbers without a sign."""
    return (bits >> by) & (2 ** (64 - by) - 1)


def hide(slices: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Input tokens (n, n_tokens, n) with zeros where `mask`, shape (n, n_tokens), is True."""
    return slices.masked_fill(mask[..., None], 0)


def masked_loss(given: torch.Tensor, slices: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The squared errors where a value was hidden, as a sum and a number, which processes can add up.

    Parameters
    ----------
    given : Tensor, shape (n, n_tokens, n_values)
        What the network takes the tokens to be.
    slices : Tensor, shape (n, n_tokens, n_values)
        What they are.
    mask : Tensor, shape (n, n_tokens), bool

    Returns
    -------
    total : Tensor, shape (), float32
        Sum of the squared errors. Divided by the number, it is the loss.
    number : Tensor, shape (), int64
        Values that hiding changed: a zero that becomes a zero does not count.
    """
    changed = mask[..., None] & (slices != 0)
    errors = torch.where(changed, given.float() - slices.float(), 0)
    return errors.square().sum(), changed.sum()

"""Rows with the same key, against looking at every pair."""

import numpy as np
import pytest

from transtar.labels.key_match import match_keys


def slowly(keys, others, parts):
    rows, candidates = [], []
    for i, key in enumerate(keys):
        same = [
            j for j, other in enumerate(others)
            if key == other and key not in (-1, "")
            and all(ours[i] in (-1, "") or ours[i] == other_values[j] for ours, other_values in parts.values())
        ]  # fmt: skip
        rows.append(same[0] if same else -1)
        candidates.append(len(same))
    return rows, candidates


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("n_parts", [0, 1, 2])
def test_like_looking_at_every_pair(text, n_parts):
    rng = np.random.default_rng(n_parts)
    for _ in range(40):
        n, m = rng.integers(0, 30, 2)
        keys, others = (rng.integers(-1, 8, size) for size in (n, m))
        if text:
            keys, others = (np.where(one < 0, "", np.char.add("s", one.astype(str))) for one in (keys, others))
        every = {"A": (rng.integers(-1, 2, n), rng.integers(0, 2, m)),
                 "B": (rng.choice(["", "x", "y"], n), rng.choice(["x", "y"], m))}  # fmt: skip
        parts = dict(list(every.items())[:n_parts])
        rows, candidates, again = match_keys(keys, others, parts)
        assert (rows.tolist(), candidates.tolist()) == slowly(keys.tolist(), others.tolist(), {
            name: (one.tolist(), other.tolist()) for name, (one, other) in parts.items()
        })  # fmt: skip
        assert all(others[first] == others[other] and first < other for first, other in again.tolist())
        assert set(again[:, 0].tolist()) == set(rows[candidates > 1].tolist())
        if not parts:
            repeated = {row: n for row, n in zip(rows.tolist(), candidates.tolist(), strict=True) if n > 1}
            assert len(again) == sum(number - 1 for number in repeated.values())


def test_digits_are_kept():
    big = 2**62 + 1
    rows, _, _ = match_keys(np.array([big, big + 1]), np.array([big + 1, big]))
    assert rows.tolist() == [1, 0]

import numpy as np
import pytest

from transtar.evaluate import Results, select, summarise

from .test_results import row


def test_means_and_spread_over_seeds():
    summary = summarise(
        Results.from_rows([row(seed=s, r2=v) for s, v in enumerate((0.8, 0.9, 1.0))] + [row(n_finetune=100)])
    )
    assert len(summary) == 2
    assert summary[0]["r2"] == pytest.approx(0.9)
    assert summary[0]["r2_std"] == pytest.approx(np.std([0.8, 0.9, 1.0], ddof=1))
    assert summary[0]["n_seeds"] == 3
    assert np.isnan(summary[1]["r2_std"])


def test_a_seed_without_an_answer_is_not_averaged_away():
    assert np.isnan(summarise(Results.from_rows([row(), row(seed=1, r2=float("nan"))]))[0]["r2"])


def test_select():
    rows = [row(), row(strategy="full"), row(strategy="scratch")]
    assert len(select(rows, strategy={"lora", "full"}, label="feh")) == 2


def test_groups_come_in_the_order_of_their_first_row():
    rows = [row(strategy=name, seed=seed) for seed in (0, 1) for name in ("scratch", "full", "lora")]
    assert [one["strategy"] for one in summarise(Results.from_rows(rows))] == ["scratch", "full", "lora"]

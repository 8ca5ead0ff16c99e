import math

from transtar.train.large import LargeHistory

ROWS = [
    {"step": 0, "train_loss": None, "validation_loss": 2.0},
    {"step": 5, "train_loss": 1.5, "validation_loss": 1.0},
    {"step": 10, "train_loss": 0.5, "validation_loss": 1.25},
]


def test_it_says_how_far_the_loss_fell_and_what_was_kept():
    history = LargeHistory(ROWS, 10, 5, 1.0, True, 1000, seconds=2.0, n_samples=640)
    assert str(history) == (
        "10 of 1,000 steps, stopped early; validation loss from 2 to 1, that of step 5 kept; 320 spectra per second"
    )


def test_without_validation_spectra_it_says_the_training_loss():
    rows = [row | {"validation_loss": None} for row in ROWS]
    assert str(LargeHistory(rows, 10, n_steps=10, seconds=1, n_samples=9)) == (
        "10 of 10 steps; training loss from 1.5 to 0.5; 9 spectra per second"
    )


def test_a_column_has_nan_where_there_is_no_value():
    losses = LargeHistory(ROWS).losses()
    assert math.isnan(losses[0])
    assert losses[1:] == [1.5, 0.5]
    assert math.isnan(LargeHistory().samples_per_second)

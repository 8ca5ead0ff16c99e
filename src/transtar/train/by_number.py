"""Settings of a fine-tuning that follow from the number of stars, where they are not given.

Up to 400 stars they are those of the studies lamost-to-miles and lamost-to-miles-search; from 809 on those of the step of
lamost-to-miles from synthetic stars to LAMOST. Nothing between was studied, and `MANY` lies there, where a tenth is fifty stars.
docs/choose-a-strategy.md has the numbers.
"""

from __future__ import annotations

PAPER_LEARNING_RATE = 1e-5

MODERATE = 200
"""From so many stars on, two thirds of them teach as much as all, within the errors of lamost-to-miles."""

MANY = 500
"""From so many stars on, a tenth of them is held out, the learning rate is ten times as high, and there are fewer epochs."""


def held_out_fraction(n_stars: int) -> float:
    """Part of the stars that a fine-tuning holds out to choose a checkpoint: nothing of few stars, a tenth of many.

    On 50 stars, holding nothing out and averaging the last weights gained 0.007 in R2 over the best epoch on a tenth. Of many
    stars a tenth is not missed, and shows where a training goes astray.
    """
    return 0.0 if n_stars < MANY else 0.1


def finetuning_epochs(n_stars: int) -> int:
    """Epochs: 200 for few stars, as in all studies; 40 for many, where 15 did little worse.

    Forty epochs of 800 stars are as many steps as two hundred of 160.
    """
    return 200 if n_stars < MANY else 40


def finetuning_rate(rate: float, n_stars: int) -> float:
    """Learning rate.

    On few stars higher rates do no better on most stars and far worse on unusual ones. On 720 LAMOST stars, judged on 360 others,
    40 epochs at ten times the rate are better than 200 at the rate itself, for all of full, lora and residual.

    Parameters
    ----------
    rate : float
        Of the strategy, on few stars.
    n_stars : int

    Returns
    -------
    float
        `rate`, ten times that for many stars.
    """
    return rate if n_stars < MANY else 10 * rate

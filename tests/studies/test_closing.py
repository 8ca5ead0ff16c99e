"""Paired comparisons and the lines at the end of a study, on made-up predictions."""

import re

import numpy as np
import pytest
from sklearn.metrics import r2_score

from transtar.evaluate import Results
from transtar.studies.closing import BESIDE, closing_lines
from transtar.studies.collect import _scores
from transtar.studies.load import build_study
from transtar.studies.paired import score_strategies
from transtar.studies.planes import HALVES, REFERENCE, TRUE, TRUTH
from transtar.studies.predictions import Predicted

SIDE = {"survey": "lamost", "spectra": "s", "labels": "l"}
STUDY = {
    "title": "t", "source": SIDE, "target": SIDE | {"survey": "desi"}, "models": {"feh": ["feh"]}, "seeds": [0, 1],
    "sizes": [50, 300], "adapter": {300: {"feh": "lora"}},
}  # fmt: skip
NOISE = {"zero-shot": 0.30, "recalibrate": 0.20, "lora": 0.10, "scratch": 0.25, "pipeline": 0.01}


def study(**changes):
    return build_study(STUDY | changes, "study")


def predictions(noise=NOISE, n=400):
    rng = np.random.default_rng(0)
    reference = rng.uniform(-2, 0.4, n)
    reference[0] = np.nan
    common = rng.normal(size=n)
    made = []
    for strategy, width in noise.items():
        for seed in [0] if strategy in BESIDE else [0, 1]:
            # Most of the scatter is common to all strategies: the same stars are hard for each.
            predicted = reference + width * (common + 0.2 * rng.normal(size=n))
            predicted[1] = np.nan if strategy == "pipeline" else predicted[1]
            size = 0 if strategy in ("zero-shot", *BESIDE) else 300
            made.append(
                Predicted(
                    source="lamost", target="desi", label="feh", input="flux", strategy=strategy, n_finetune=size, seed=seed,
                    n_train=size or 5000, split="test", variant="default", model="feh", row=np.arange(n),
                    predicted=predicted, reference={"feh": reference},
                )
            )  # fmt: skip
    return made


def results(predictions):
    return Results.from_rows(row for one in predictions for row in _scores(one))


def lines(study, predictions, mmd):
    return closing_lines(study, results(predictions), predictions, mmd)


def mmd_rows(truth=True):
    rows = [dict(strategy=HALVES, against=REFERENCE, gamma=2.0, seed=0, mmd2=0.0, mmd2_err=0.001, n=700)]
    for against in (REFERENCE, TRUTH)[: 1 + truth]:
        for strategy, value in {
            "zero-shot": 0.03,
            "lora": 0.01,
            "scratch": 0.04,
            **({TRUE: 0.02} if truth else {}),
        }.items():
            for seed, shift in ((0, 0.0), (1, 0.002)):
                rows.append(
                    dict(
                        strategy=strategy,
                        against=against,
                        gamma=2.0,
                        seed=seed,
                        mmd2=value + shift,
                        mmd2_err=0.0005,
                        n=4000,
                    )
                )
    return rows


def test_scores_are_those_of_the_stars_with_both_labels():
    scored = score_strategies(predictions())
    assert list(scored) == ["zero-shot", "recalibrate", "lora", "scratch", "pipeline"]
    first = predictions()[0]
    expected = r2_score(first.reference["feh"][1:], first.predicted[1:])
    assert scored["zero-shot"].r2[0] == pytest.approx(expected)
    assert len(scored["pipeline"].r2) == 1


def test_differences_are_paired():
    scored = score_strategies(predictions())
    difference, error = scored["lora"].minus(scored["recalibrate"])
    assert difference == pytest.approx((scored["lora"].r2 - scored["recalibrate"].r2).mean())
    # The scatter that both share drops out.
    assert 0 < error < 0.8 * np.hypot(scored["lora"].error, scored["recalibrate"].error)
    same, none = scored["lora"].minus(scored["lora"])
    assert (same, none) == (0, 0)
    assert np.isfinite(scored["lora"].minus(scored["pipeline"])).all()


def test_lines():
    done, feh, plane = lines(study(), predictions(), mmd_rows())
    assert re.search(r"\[Fe/H\] .*5000 spectra of LAMOST.* DESI .*300 .*stars.* 399 .*test stars; 2 seeds$", done)
    assert re.search(r"lora is better .*, recalibrate \(\+0\.0", feh)
    assert "pipeline" not in feh
    assert "zero-shot 0.0310 ± 0.0014, lora 0.0110 ± 0.0014, scratch 0.0410" in plane
    assert "0.0210 ± 0.0014 with perfect labels" in plane
    assert "mock LAMOST" in lines(study(simulate={}), predictions(), [])[0]


def test_without_truth_the_reference_is_all_there_is():
    line = lines(study(), predictions(), mmd_rows(truth=False))[-1]
    assert "MMD^2 from the reference zero-shot 0.0310" in line
    assert "perfect" not in line


@pytest.mark.parametrize(
    ("lora", "verdict"), [(0.20, "not told apart from"), (0.28, "worse than"), (0.05, "better than")]
)
def test_verdicts(lora, verdict):
    line = lines(study(), predictions(NOISE | {"lora": lora}), [])[1]
    assert f"lora is {verdict} the best that needs no adapter" in line


def test_a_shipped_model_is_told_and_not_compared():
    """It has one seed and the best R2, and is no rival of the adapter; a study that names none says nothing of it."""
    made = predictions(NOISE | {"shipped": 0.02})
    of_shipped = study(shipped={"feh": "mock-feh"})
    line = lines(of_shipped, made, [])[1]
    value = r2_score(made[-1].reference["feh"][1:], made[-1].predicted[1:])
    assert line == lines(study(), predictions(), [])[1] + f"; mock-feh as it is {value:.3f}"


def test_no_adapter_was_chosen():
    line = lines(study(adapter={}), predictions(), [])[1]
    assert "zero-shot" in line
    assert "lora is" not in line


def test_without_predictions_strategies_are_not_compared_star_by_star():
    made = predictions()
    done, feh = closing_lines(study(), results(made), None, [])
    assert "judged on 399 other test stars" in done
    whole = lines(study(), made, [])[1]
    assert whole.startswith(feh + "; lora is better than")

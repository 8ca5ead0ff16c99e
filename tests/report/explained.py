"""Made-up results of saliency and physical test."""

import numpy as np

from transtar.explain.response import PhysicalTest, Response
from transtar.explain.saliency import Band, Gradients, Saliency
from transtar.grids import BLUE
from transtar.simulate.mocks.moved import STEPS

WAVE = BLUE.wave


def line(place=4862.68, width=6.0):
    return np.exp(-0.5 * ((WAVE - place) / width) ** 2)


def made_saliency(*models, label="feh"):
    def band(middle, spread):
        return Band(middle, middle - spread, middle + spread)

    gradient = -0.3 * line() + 0.01 * np.sin(WAVE)
    one = {
        name: Gradients(band(k * gradient, 0.02), band(np.abs(k * gradient), 0.01), k * gradient)
        for k, name in enumerate(models, 1)
    }
    return Saliency(label, WAVE, band(1 - 0.4 * line(), 0.02 + 0.1 * line()), one, 59, "poor")


def made_test(*models, label="feh"):
    responses = [
        Response(model, regime, label, moved, 0.9 - 0.3 * k, 0.05, n, float(moved == label))
        for model in models
        for regime, n in (("all", 48), ("poor", 20))
        for k, moved in enumerate(STEPS)
    ]
    weights = {"all": -line(), "poor": -0.3 * line() + 0.01 * np.sin(WAVE)}
    return PhysicalTest(label, tuple(responses), weights, np.full(len(WAVE), 4e-4), 48, {"outside": 3})

import numpy as np

from transtar.simulate.pipelines.aspcap import simulate_aspcap
from transtar.simulate.pipelines.desi_pipeline import simulate_pipeline

from .. import made_samples as made


def stars():
    return made.draw(4000, 0)


def test_recipe_of_the_release_paper_takes_the_metallicity_bias_out():
    truth = stars()
    truth["teff"] = np.clip(truth["teff"], 4300, 6300)
    simulated = simulate_pipeline(truth, np.full(len(truth), 60.0), 1)
    # Koposov et al. 2025 as released: SP, giants below log g 3.5.
    x = np.log10(simulated["sp_teff"] / 5000) / 0.1
    giants, dwarfs = 0.113 + 0.215 * x - 0.146 * x**2, 0.116 - 0.216 * x - 0.081 * x**2
    bias = np.where(simulated["sp_logg"] < 3.5, giants, dwarfs)
    raw, corrected = simulated["sp_feh"] - truth["feh"], simulated["sp_feh"] - bias - truth["feh"]
    hot, cool = truth["teff"] > 6000, truth["teff"] < 4600
    assert abs(np.mean(raw[hot]) - np.mean(raw[cool])) > 0.03
    for group in (hot, cool):
        assert abs(np.mean(corrected[group])) < 0.02


def test_alpha_of_the_simulated_pipeline_hides_the_two_sequences():
    rng = np.random.default_rng(0)
    truth = stars()
    truth["feh"] = rng.uniform(-0.6, -0.2, len(truth))
    truth["alphafe"] = np.where(rng.uniform(size=len(truth)) < 0.5, 0.05, 0.22)
    simulated = simulate_pipeline(truth, np.full(len(truth), 25.0), 1)
    aspcap = simulate_aspcap(truth, np.full(len(truth), 100.0), 1)
    apart = 0.22 - 0.05
    low = truth["alphafe"] < 0.1
    assert np.std(simulated["sp_alphafe"][low]) > 0.6 * apart
    assert np.std((aspcap["apogee_alpha_m"] + aspcap["apogee_m_h"] - aspcap["apogee_fe_h"])[low]) < 0.25 * apart

import json

import numpy as np
import pytest

from tools.emulator_grid import GRID_NAMES, read_grid, read_pairs
from tools.emulator_training import HeadSettings, principal_components, train_emulator, train_head
from tools.train_emulator import main
from transtar.errors import InputError, SettingsError
from transtar.simulate import GridRange, load_emulator, vmic_relation

N = 40
TINY = {
    "flux": HeadSettings(8, 2, (16,), 100, 8),
    "continuum": HeadSettings(4, 1, (8,), 2),
    "sed": HeadSettings(4, 1, (8,), 2),
}


def made_up_labels(n: int) -> np.ndarray:
    random = np.random.default_rng(0)
    labels = random.uniform((4000, 3.4, -2, -0.2, 1, -0.4), (7000, 4.5, 0.4, 0.5, 1, 0.5), (n, 6))
    labels[:, 4] = vmic_relation(labels[:, 0], labels[:, 1])
    return labels.astype(np.float32)


def made_up_flux(labels: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """A hundred lines whose depth follows temperature, iron and alpha."""
    centres = np.linspace(3900, 5700, 100)
    depth = 0.5 / (1 + np.exp(-0.8 * labels[:, 2:3] - 0.5 * labels[:, 3:4] * (np.arange(100) % 3 == 0)))
    depth = depth * (5000 / labels[:, :1]) ** 2
    return 1 - depth @ np.exp(-0.5 * ((wave - centres[:, None]) / 1.5) ** 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A grid in the form of the real one: simple lines, few stars."""
    path = tmp_path_factory.mktemp("grid")
    wave = 10 ** (np.log10(3850) + 1.6e-5 * np.arange(10887))
    labels = made_up_labels(N)
    same = {
        "wave": wave,
        "flux_scale": 1 / 60000,
        "param_names": np.array(GRID_NAMES),
        "cont_wave": np.linspace(3850, 5750, 96),
    }
    continuum = 4 * np.log10(labels[:, :1] / 5000) * np.ones(96, dtype=np.float32)
    flux = np.round(made_up_flux(labels, wave) * 60000).astype(np.uint16)
    np.savez(path / "spectra.npz", flux_u16=flux, params=labels, log10_continuum=continuum, **same)
    sed = 4 * np.log10(labels[:20, :1] / 5000) * np.ones(1421, dtype=np.float32)
    np.savez(path / "sed.npz", wave=np.arange(3300, 10401, 5.0), row=np.arange(20, dtype=np.int32), log10_flux=sed)
    changes = {"base": (0, 0), "feh+": (0.1, 0), "feh-": (-0.1, 0), "afe+": (0, 0.1), "afe-": (0, -0.1)}
    stars = np.repeat(made_up_labels(6)[1:4], 5, axis=0)
    stars[:, 2:4] = np.array([[-0.5, 0.1]]) + np.tile(np.array(list(changes.values())), (3, 1))
    flux = np.round(made_up_flux(stars, wave) * 60000).astype(np.uint16)
    np.savez(
        path / "pairs.npz", flux_u16=flux, flux_clean_u16=flux, params=stars, base=np.repeat(np.arange(3), 5),
        kind=np.tile(list(changes), 3), log10_continuum=np.zeros((15, 96)), **same,
    )  # fmt: skip
    return path


def test_principal_components_keep_the_mean_square():
    values = np.random.default_rng(0).normal(size=(12, 50)).astype(np.float32)
    mean, basis = principal_components(values, 30)
    assert basis.shape == (11, 50)
    np.testing.assert_allclose(basis @ basis.T / 50, np.eye(11), atol=1e-5)
    coefficients = (values - mean) @ basis.T / 50
    np.testing.assert_allclose((coefficients**2).sum(axis=1), ((values - mean) ** 2).mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(mean + coefficients @ basis, values, atol=1e-5)


def test_it_learns_and_repeats_itself(folder):
    grid = read_grid(folder)
    emulator = train_emulator(grid, TINY, rows=np.arange(30))
    assert emulator.info["training"]["n"] == {"flux": 30, "continuum": 30, "sed": 20}
    error = np.abs(emulator.flux(grid.labels[30:]) - grid.values["flux"][30:]).mean()
    spread = np.abs(grid.values["flux"][30:] - grid.values["flux"][:30].mean(axis=0)).mean()
    assert error < 0.2 * spread
    again = train_emulator(grid, TINY, rows=np.arange(30))
    np.testing.assert_array_equal(again.flux(grid.labels), emulator.flux(grid.labels))
    other = train_emulator(grid, TINY, rows=np.arange(30), seed=1)
    assert np.abs(other.flux(grid.labels) - emulator.flux(grid.labels)).max() > 0


def test_members_are_averaged(folder):
    import torch

    grid = read_grid(folder)
    head = train_head(grid.labels, grid.values["flux"], TINY["flux"])
    x = torch.randn(5, 8)
    alone = []
    for member in range(2):
        hidden = torch.nn.functional.gelu(x @ head.weight[0][member] + head.bias[0][member])
        alone.append(hidden @ head.weight[1][member] + head.bias[1][member])
    torch.testing.assert_close(head.coefficients(x), (alone[0] + alone[1]) / 2, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(alone[0], alone[1])


def test_the_script_makes_a_model_its_card_figures_and_a_plot(folder, tmp_path):
    arguments = ["--grid", folder, "--out", tmp_path / "e", "--validate", "--folds", 2, "--epochs", 0.003]
    assert main([str(argument) for argument in arguments]) == 0
    emulator = load_emulator(tmp_path / "e")
    assert emulator.grid_range == GridRange()
    report = tmp_path / "e-validation"
    assert {path.name for path in report.glob("[!.]*")} == {
        "validation.json", "emulator-validation.pdf", "emulator-validation.png",
    }  # fmt: skip
    content = json.loads((report / "validation.json").read_text())
    assert content["cross_validation"]["folds"] == 2
    assert content["cross_validation"]["flux_percent_r3000"]["all"]["n"] == N
    assert content["cross_validation"]["log_sed_dex"]["n"] == 20
    assert content["pairs_percent"]["r3000"]["n"] == 15
    card = (tmp_path / "e" / "README.md").read_text()
    assert "2-fold cross-validation" in card
    assert f"{content['derivatives']['feh r3000 correlation']['median']:.4f}" in card
    weights = (tmp_path / "e" / "model.safetensors").read_bytes()
    assert main([str(argument) for argument in [*arguments, "--only-validate"]]) == 0
    assert (tmp_path / "e" / "model.safetensors").read_bytes() == weights


def test_grids_that_are_none(folder, tmp_path, capsys):
    with pytest.raises(InputError, match=r"spectra.npz: no such file"):
        read_grid(tmp_path)
    assert main(["--grid", str(tmp_path), "--out", str(tmp_path / "e")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    with np.load(folder / "pairs.npz") as file:
        content = dict(file)
    np.savez(tmp_path / "pairs.npz", **{**content, "param_names": content["param_names"][::-1]})
    with pytest.raises(InputError, match="parameters"):
        read_pairs(tmp_path)
    del content["flux_clean_u16"]
    np.savez(tmp_path / "pairs.npz", **content)
    with pytest.raises(InputError, match="flux_clean_u16"):
        read_pairs(tmp_path)
    (tmp_path / "pairs.npz").write_text("no")
    with pytest.raises(InputError, match="not a readable npz file"):
        read_pairs(tmp_path)


def test_settings_must_be_positive():
    with pytest.raises(SettingsError, match="must be positive"):
        HeadSettings(8, 0, (16,), 10)

import json
import shutil
from importlib import resources

import numpy as np
import pytest
import torch

from transtar.errors import InputError, SettingsError
from transtar.seal import sealed
from transtar.simulate import LABEL_NAMES, load_emulator, save_emulator, vmic_relation

SUN = (5777.0, 4.44, 0.0, 0.0, 1.07, 0.0)
FOLDER = resources.files("transtar.simulate") / "data" / "emulator"


def star(**changes) -> np.ndarray:
    """The Sun with some labels changed, and the usual microturbulence unless one is given."""
    labels = {**dict(zip(LABEL_NAMES, SUN, strict=True)), **changes}
    if "vmic" not in changes:
        labels["vmic"] = float(vmic_relation(labels["teff"], labels["logg"]))
    return np.array([[labels[name] for name in LABEL_NAMES]])


def width(emulator, low, high, **changes) -> float:
    """Equivalent width in Angstrom between two wavelengths."""
    chosen = (emulator.wave >= low) & (emulator.wave <= high)
    return float(np.trapezoid(1 - emulator.flux(star(**changes))[0, chosen], emulator.wave[chosen]))


def test_it_ships_within_its_size_and_says_what_it_is():
    files = {path.name: path for path in FOLDER.iterdir()}
    assert set(files) == {"model.safetensors", "config.json", "README.md"}
    assert sum(path.stat().st_size for path in files.values()) <= 8e6
    card = files["README.md"].read_text(encoding="utf-8")
    for said in ("Trained on", "10-fold cross-validation", "worst corners", "amplitude", "Limits", "train_emulator"):
        assert said in card


def test_shapes_wavelengths_and_types(emulator):
    labels = np.repeat(star(), 5, axis=0)
    for values, wave, size in (
        (emulator.flux(labels, batch_size=2), emulator.wave, 10887),
        (emulator.log_continuum(labels), emulator.continuum_wave, 96),
        (emulator.log_sed(labels), emulator.sed_wave, 1421),
    ):
        assert values.shape == (5, size) == (5, len(wave))
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert wave.dtype == np.float64
        assert (np.diff(wave) > 0).all()
    np.testing.assert_allclose(np.diff(np.log10(emulator.wave)), 1.6e-5, rtol=1e-6)
    assert emulator.wave[0] == pytest.approx(3850)
    assert emulator.label_names == ("teff", "logg", "feh", "alphafe", "vmic", "cfe")
    assert emulator.flux(np.empty((0, 6))).shape == (0, 10887)


def test_the_size_of_batches_changes_nothing_but_rounding(emulator):
    labels = np.concatenate([star(teff=teff) for teff in (4800, 5500, 6500)])
    np.testing.assert_allclose(emulator.flux(labels, batch_size=1), emulator.flux(labels), atol=2e-5)


def test_gradients_agree_with_finite_differences():
    emulator = load_emulator().double()
    labels = torch.tensor(star(teff=5100.0, logg=3.1, feh=-0.7, alphafe=0.2), dtype=torch.float64, requires_grad=True)
    weights = torch.from_numpy(np.random.default_rng(0).normal(size=len(emulator.wave)))
    (gradient,) = torch.autograd.grad((emulator(labels) * weights).sum(), labels)
    for column, step in enumerate((1.0, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3)):
        moved = torch.zeros(1, 6, dtype=torch.float64)
        moved[0, column] = step
        with torch.no_grad():
            difference = ((emulator(labels + moved) - emulator(labels - moved)) * weights).sum() / (2 * step)
        assert gradient[0, column].item() == pytest.approx(difference.item(), rel=2e-3)


def test_forward_is_what_flux_gives_and_leaves_the_weights_without_gradients(emulator):
    labels = torch.tensor(star(), dtype=torch.float32, requires_grad=True)
    flux = emulator(labels)
    flux.sum().backward()
    np.testing.assert_allclose(flux.detach().numpy(), emulator.flux(star()), atol=1e-5)
    assert torch.isfinite(labels.grad).all()
    assert not any(parameter.requires_grad for parameter in emulator.parameters())


@pytest.mark.parametrize("method", ["flux", "log_continuum", "log_sed", "inside", "clip"])
def test_labels_that_are_no_labels(emulator, method):
    labels = np.repeat(star(), 3, axis=0)
    labels[1, 2] = np.nan
    with pytest.raises(InputError, match=r"1 star\(s\) lack a finite feh, the first in row 1"):
        getattr(emulator, method)(labels)
    with pytest.raises(InputError, match=r"labels have shape \(6,\), not \(n, 6\)"):
        getattr(emulator, method)(star()[0])
    with pytest.raises(InputError, match="not numbers"):
        getattr(emulator, method)([["a"] * 6])


def test_outside_the_grid_it_says_so(emulator):
    labels = np.concatenate([star(), star(teff=7400), star(feh=-4)])
    with pytest.raises(
        InputError, match=r"2 of 3 star\(s\) outside the grid, the first in row 1: teff 7400 \(edge 7000\)"
    ):
        emulator.flux(labels)
    clipped = emulator.flux(labels, outside="clip")
    np.testing.assert_array_equal(clipped, emulator.flux(emulator.clip(labels)))
    assert np.abs(emulator.flux(labels, outside="allow") - clipped)[1:].max() > 1e-3
    with pytest.raises(SettingsError, match="outside must be one of raise, clip, allow"):
        emulator.flux(labels, outside="ignore")
    with pytest.raises(SettingsError, match="batch_size must be positive"):
        emulator.flux(labels, batch_size=0)


def test_a_saved_emulator_comes_back(emulator, tmp_path):
    save_emulator(emulator, tmp_path / "e", "card")
    again = load_emulator(tmp_path / "e")
    # The weights of the shipped one are float16 already.
    np.testing.assert_array_equal(again.flux(star()), emulator.flux(star()))
    assert again.grid_range == emulator.grid_range
    assert again.info == emulator.info
    save_emulator(emulator, tmp_path / "e", "card")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(InputError, match="exists and is not an emulator"):
        save_emulator(emulator, tmp_path / "mine", "card")


def test_an_emulator_of_the_first_format_is_read(emulator, tmp_path, caplog):
    save_emulator(emulator, tmp_path / "e", "card")
    config = json.loads((tmp_path / "e/config.json").read_text())
    first = {name: value for name, value in config.items() if name not in ("files", "sha256")} | {"format_version": 1}
    (tmp_path / "e/config.json").write_text(json.dumps(first))
    np.testing.assert_array_equal(load_emulator(tmp_path / "e").flux(star()), emulator.flux(star()))
    assert "an emulator of an older transtar, without checksums" in caplog.text


def damage_version(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "format_version": 99}))


def damage_shape(folder):
    config = json.loads((folder / "config.json").read_text())
    config["heads"]["flux"]["members"] += 1
    (folder / "config.json").write_text(json.dumps(sealed(config)))


def damage_a_digit(folder):
    path = folder / "config.json"
    path.write_text(path.read_text().replace("12000.0", "12001.0"))


def ask_for_a_million(folder):
    config = json.loads((folder / "config.json").read_text())
    config["heads"]["flux"]["hidden"] = [100_000] * 50
    (folder / "config.json").write_text(json.dumps(sealed(config)))


def flip_a_weight(folder):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1000] ^= 4
    path.write_bytes(content)


def damage_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_version, "not an emulator of format version 2"),
        (damage_shape, r"has shape \(4, 8, 256\), config.json says \(5, 8, 256\)"),
        (damage_weights, "damaged or not a safetensors file"),
        (damage_a_digit, "its checksum does not fit its content"),
        (ask_for_a_million, "does not fit config.json"),
        (flip_a_weight, r"model\.safetensors: damaged, or of another origin"),
        (shutil.rmtree, "no such file"),
    ],
)
def test_damaged_emulators(tmp_path, damage, message):
    with resources.as_file(FOLDER) as shipped:
        shutil.copytree(shipped, tmp_path / "e")
    damage(tmp_path / "e")
    with pytest.raises(InputError, match=message) as caught:
        load_emulator(tmp_path / "e")
    assert "\n" not in str(caught.value)


def test_magnesium_follows_alpha_and_iron_follows_iron(emulator):
    mg, fe = (5163.0, 5192.0), (5265.0, 5275.0)
    mg_sun, fe_sun = width(emulator, *mg), width(emulator, *fe)
    # The recomputed Sun: 6.34 and 2.10 A, and +0.33 and +0.137 A for 0.1 dex.
    assert mg_sun == pytest.approx(6.35, abs=0.03)
    assert fe_sun == pytest.approx(2.10, abs=0.02)
    assert width(emulator, *mg, alphafe=0.1) - mg_sun == pytest.approx(0.33, abs=0.02)
    assert width(emulator, *fe, feh=0.1) - fe_sun == pytest.approx(0.137, abs=0.01)


def test_iron_weakens_with_temperature_and_hydrogen_grows(emulator):
    temperatures = (5000, 5500, 6000, 6500, 6900)
    iron = [width(emulator, 5265, 5275, teff=teff, logg=4.3) for teff in temperatures]
    hydrogen = [width(emulator, 4842, 4882, teff=teff, logg=4.3, feh=-2.0) for teff in temperatures]
    assert (np.diff(iron) < 0).all()
    assert (np.diff(hydrogen) > 0).all()


def test_the_continuum_is_that_of_a_hotter_or_cooler_star_and_agrees_with_the_energy_distribution(emulator):
    labels = np.concatenate([star(teff=teff, logg=4.3) for teff in (4600, 5600, 6600)])
    continuum, sed = emulator.log_continuum(labels), emulator.log_sed(labels)
    assert (np.diff(continuum, axis=0) > 0).all()
    assert (np.diff(continuum[:, 0] - continuum[:, -1]) > 0).all()
    # The surface flux of the Sun at 5500 A is about 9e6 erg/s/cm2/A: 1.87 W/m2/nm at the Earth, lines included.
    assert 6.93 < float(np.interp(5500, emulator.continuum_wave, emulator.log_continuum(star())[0])) < 7.0
    clear = (emulator.continuum_wave > 5000) & (emulator.continuum_wave < 5700)
    for row in range(3):
        there = np.interp(emulator.continuum_wave[clear], emulator.sed_wave, sed[row])
        np.testing.assert_allclose(there, continuum[row, clear], atol=0.005)


def test_a_copied_emulator_with_another_card_is_not_replaced(emulator, tmp_path):
    save_emulator(emulator, tmp_path / "e", "card")
    (tmp_path / "e/.transtar.json").unlink()
    save_emulator(emulator, tmp_path / "e", "another card")
    (tmp_path / "e/.transtar.json").unlink()
    (tmp_path / "e/README.md").write_text("my notes")
    with pytest.raises(InputError, match=r"README\.md: exists and cannot be told"):
        save_emulator(emulator, tmp_path / "e", "card")
    assert (tmp_path / "e/README.md").read_text() == "my notes"

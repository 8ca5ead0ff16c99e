import numpy as np
import pytest

from transtar.errors import InputError, SettingsError
from transtar.preprocess import Preprocessing
from transtar.train.see_through import SeeThrough, train_encoder

N, SIZE = 600, Preprocessing().wavelengths.size
QUICK = {"epochs": 12, "hidden": (64,), "width": 6, "learning_rate": 3e-3, "batch_size": 32}


@pytest.fixture(scope="module")
def stars():
    """Stars of three numbers, whose spectra are sums of three shapes; two views of each, of other noise and continuum."""
    generator = np.random.default_rng(0)
    labels = generator.normal(size=(N, 3))
    x = np.arange(SIZE)
    shapes = np.stack([np.exp(-0.5 * ((x - place) % 150 - 75) ** 2 / 30) for place in (0, 40, 80)])
    target = 1 - 0.1 * np.exp(0.5 * labels) @ shapes
    tilt = 1 + 0.03 * generator.normal(size=(N, 2, 1)) * np.linspace(-1, 1, SIZE)
    views = target[:, None] * tilt + 0.05 * generator.normal(size=(N, 2, SIZE))
    return views.astype(np.float16), target.astype(np.float32), labels


@pytest.fixture(scope="module")
def encoder(stars):
    views, target, labels = stars
    return train_encoder(views[:500], target[:500], Preprocessing(), SeeThrough(**QUICK), labels=labels[:500])


def test_it_gives_spectra_back_without_noise_and_continuum(stars, encoder):
    views, target, _ = (part[500:] for part in stars)
    given = encoder.reconstruct(views[:, 0].astype(np.float32))
    before = np.sqrt(np.mean((views[:, 0] - target) ** 2))
    assert np.sqrt(np.mean((given - target) ** 2)) < 0.3 * before


def test_two_views_of_a_star_are_close_and_tell_its_labels(stars, encoder):
    views, _, labels = (part[500:] for part in stars)
    first, second = (encoder.encode(views[:, i].astype(np.float32)) for i in range(2))
    assert np.mean((first - second) ** 2) < 0.1 * np.mean((first - np.roll(second, 1, axis=0)) ** 2)
    design = np.c_[first, np.ones(len(first))]
    fitted = design @ np.linalg.lstsq(design, labels, rcond=None)[0]
    assert np.all(1 - ((fitted - labels) ** 2).mean(axis=0) / labels.var(axis=0) > 0.8)


def test_one_seed_gives_one_encoder(stars):
    views, target, labels = (part[:100] for part in stars)
    settings = SeeThrough(**{**QUICK, "epochs": 2})
    codes = [train_encoder(views, target, Preprocessing(), settings, labels=labels).encode(target) for _ in range(2)]
    np.testing.assert_array_equal(codes[0], codes[1])


def test_it_says_how_it_was_trained(encoder):
    (step,) = encoder.provenance
    assert step["settings"]["width"] == encoder.width == 6
    assert step["n_train"] == 500
    assert len(step["train_loss"]) == 12
    assert step["train_loss"][-1] < 0.5 * step["train_loss"][0]


def test_it_is_trained_without_labels_where_they_do_not_count(stars):
    views, target, _ = (part[:64] for part in stars)
    encoder = train_encoder(views, target, Preprocessing(), SeeThrough(**{**QUICK, "epochs": 1, "label_weight": 0.0}))
    assert encoder.encode(target).shape == (64, 6)


def test_a_line_that_only_real_spectra_have_is_learnt_from_them(stars):
    views, target, labels = (part[:300] for part in stars)
    generator = np.random.default_rng(1)
    depth = generator.uniform(0, 0.5, 400)
    line = np.exp(-0.5 * ((np.arange(SIZE) - 700) / 4.0) ** 2)
    real = (stars[1][200:600] - depth[:, None] * line + 0.01 * generator.normal(size=(400, SIZE))).astype(np.float32)
    seen = {}
    for name, unlabelled in (("without", None), ("with", real[:300])):
        settings = SeeThrough(**{**QUICK, "unlabelled_share": 0.5})
        encoder = train_encoder(views, target, Preprocessing(), settings, labels=labels, unlabelled=unlabelled)
        assert encoder.provenance[0]["n_unlabelled"] == (0 if unlabelled is None else 300)
        seen[name] = -(encoder.reconstruct(real[300:]) - stars[1][500:600])[:, 700]
    assert np.corrcoef(seen["with"], depth[300:])[0, 1] > 0.9
    assert np.abs(seen["without"]).mean() < 0.3 * depth[300:].mean()


def test_bad_input_is_refused(stars):
    views, target, labels = (part[:50] for part in stars)
    settings = SeeThrough(**{**QUICK, "epochs": 1})
    with pytest.raises(InputError, match="views of shape"):
        train_encoder(views[:, 0], target, Preprocessing(), settings, labels=labels)
    with pytest.raises(InputError, match="views of shape"):
        train_encoder(views, target[:20], Preprocessing(), settings, labels=labels)
    with pytest.raises(InputError, match="labels"):
        train_encoder(views, target, Preprocessing(), settings, labels=labels[:20])
    hurt = target.copy()
    hurt[3, 3] = np.nan
    with pytest.raises(InputError, match="not finite"):
        train_encoder(views, hurt, Preprocessing(), settings, labels=labels)
    with pytest.raises(SettingsError, match="label_weight"):
        train_encoder(views, target, Preprocessing(), settings)
    real = target[:10].copy()
    real[2, 2] = np.inf
    for wrong in (real, target[:0], target[0], target[:, 1:]):
        with pytest.raises(InputError, match="spectra without labels must be finite"):
            train_encoder(views, target, Preprocessing(), settings, labels=labels, unlabelled=wrong)
    for wrong in ((0, 10), "10"):
        with pytest.raises(SettingsError, match="noise"):
            SeeThrough(unlabelled_noise=wrong)


@pytest.mark.parametrize("wrong", [{"width": 0}, {"hidden": ()}, {"activation": "tanh"}, {"label_weight": -1}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingsError):
        SeeThrough(**wrong)


def test_half_precision_does_not_overflow_where_all_stars_are_alike():
    views = np.ones((40, 2, SIZE), np.float16)
    encoder = train_encoder(
        views,
        np.ones((40, SIZE), np.float32),
        Preprocessing(),
        SeeThrough(**{**QUICK, "epochs": 1, "label_weight": 0.0}),
    )
    assert np.isfinite(encoder.encode(np.ones((3, SIZE)))).all()

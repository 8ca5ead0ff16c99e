import csv
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from transtar.datasets import embed_set, read_set
from transtar.encoders import OutsideEncoder, load_alignment, load_encoder, save_encoder
from transtar.encoders.alignment import partner_ranks
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.train.large import PairedStream, open_source
from transtar.train.large.alignment_runs import align_encoders, held_out_partners

from ...encoders.aligned import star_spectra, tiny_encoders
from ...encoders.examples import seen_stars
from .aligned_sets import ID, quick, tiny_sizes, write_pairs
from .large_sets import LRS, XP, write_set
from .several import in_processes


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    tiny_sizes(monkeypatch)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def encoders():
    return tiny_encoders()


def ranks_of(alignment, seed=9, n=100):
    """Ranks of partners among stars that nobody has seen."""
    lrs, xp = star_spectra(n, seed)
    return partner_ranks(alignment.shared(lrs, "lrs"), alignment.shared(xp, "xp"))


@pytest.mark.parametrize("variant", ["base", "pr", pytest.param("split", marks=pytest.mark.slow)])
def test_partners_find_each_other(encoders, tmp_path, variant):
    told = []
    sets, training = write_pairs(tmp_path, n=400), quick(epochs=25, learning_rate=1e-2)
    run = align_encoders(*encoders, sets, tmp_path / "aligned", variant, training=training, say=told.append)
    alignment = load_alignment(tmp_path / "aligned")
    ranks = ranks_of(alignment)
    # By chance one in a hundred is first, and the median is 50.
    assert np.mean(ranks == 0) > 0.06
    assert np.median(ranks) < 10
    assert "400 pairs; 0 LRS spectra are without an XP spectrum" in told[0]
    assert run.partners["n"] == 32
    assert run.partners["first_xp"] > 0.15
    assert alignment.lrs.provenance[-1]["partners"] == run.partners
    losses = run.history.losses("validation_loss" if variant == "base" else "validation_contrast")
    assert losses[-1] < 0.5 * losses[0]
    if variant == "base":
        return
    lrs, xp = star_spectra(100, seed=9)
    for from_, flux, to, true in (("lrs", lrs, "xp", xp / xp[:, 107:108]), ("xp", xp, "lrs", lrs)):
        given = alignment.translate(flux, from_, to)
        known = [
            np.corrcoef(given[:, pixel], true[:, pixel])[0, 1] for pixel in range(0, given.shape[1], 10) if pixel != 107
        ]
        # It follows what differs between stars; of a spectrum that is the same for all it would be zero.
        assert np.median(known) > 0.3


def test_what_is_stored_is_like_other_encoders(sets, encoders, tmp_path):
    without_roles = {name: column for name, column in seen_stars().items() if name != "role"}
    with_past = replace(encoders[0], trained_on=without_roles, provenance=({"step": "before"},))
    align_encoders(with_past, encoders[1], sets[::-1], tmp_path / "aligned", "split", training=quick(epochs=1))
    side = load_encoder(tmp_path / "aligned" / "lrs")
    assert [step["step"] for step in side.provenance] == ["before", "align"]
    step = side.provenance[-1]
    assert (step["n_pairs"], step["n_train"], step["variant"]) == (200, 180, "split")
    assert step["sets"] == {"lrs": [str(sets[0])], "xp": [str(sets[1])]}
    # All stars that decided anything on either side.
    seen = load_encoder(tmp_path / "aligned" / "xp").trained_on
    assert {name: int((seen["survey"] == name).sum()) for name in np.unique(seen["survey"])} == {
        "lamost": 201, "gaia-xp": 200,
    }  # fmt: skip
    assert set(seen["role"]) == {"train", "validation"}
    # The folder serves for either set: the side is the one of its grid.
    for name, data in zip(("embed-split", "embed-split-xp"), sets, strict=True):
        embed_set(data, tmp_path / "aligned", tmp_path / name)
        assert read_set(tmp_path / name).inputs[name].shape == (200, 12)
    write_set(tmp_path / "observed", n=5, preprocessing=replace(LRS, frame="observed"))
    with pytest.raises(MismatchError, match="frame is rest against observed"):
        embed_set(tmp_path / "observed", tmp_path / "aligned")


def test_an_interrupted_training_goes_on(sets, encoders, tmp_path):
    settings = quick(epochs=3, checkpoint_steps=2)

    def stop(step, *_):
        if step >= 5:
            raise KeyboardInterrupt

    whole = align_encoders(*encoders, sets, tmp_path / "whole", "pr", training=settings)
    with pytest.raises(KeyboardInterrupt):
        align_encoders(*encoders, sets, tmp_path / "again", "pr", training=settings, progress=stop)
    assert not (tmp_path / "again").exists()
    with pytest.raises(MismatchError, match=r"alignment\.variant was pr, is split"):
        align_encoders(*encoders, sets, tmp_path / "again", "split", training=settings)
    again = align_encoders(*encoders, sets, tmp_path / "again", "pr", training=settings)
    assert again.history.losses() == pytest.approx(whole.history.losses(), abs=0, nan_ok=True)
    assert again.alignment.lrs.sha256 == whole.alignment.lrs.sha256
    rows = list(csv.DictReader((tmp_path / "again.training/losses.csv").open()))
    assert {"train_contrast", "validation_to_xp"} <= set(rows[0])
    # And what is done is not done again.
    assert align_encoders(*encoders, sets, tmp_path / "again", "pr", training=settings).history is None


def test_two_processes_give_what_one_gives(sets, encoders, tmp_path):
    settings = quick(epochs=1)
    alone = align_encoders(*encoders, sets, tmp_path / "alone", "pr", training=settings)

    def work(rank):
        run = align_encoders(*encoders, sets, tmp_path / "both", "pr", training=settings)
        return run and run.history.rows

    first, second = in_processes(2, work, tmp_path)
    assert second is None
    for row, expected in zip(first, alone.history.rows, strict=True):
        for name in expected:
            if name.startswith(("train_", "validation_")) and expected[name] is not None:
                # Rounding of a processor shows in parts of the loss that are far smaller than the whole.
                assert row[name] == pytest.approx(
                    expected[name], rel=1e-5, abs=0 if name.endswith("_loss") else 5e-6
                ), name
    flux = star_spectra(5)[0]
    both = load_alignment(tmp_path / "both")
    np.testing.assert_allclose(
        both.translate(flux, "lrs", "xp"), alone.alignment.translate(flux, "lrs", "xp"), rtol=1e-3, atol=1e-4
    )


def test_a_table_says_who_is_who(encoders, tmp_path):
    lrs, xp = star_spectra(60)
    write_set(tmp_path / "lrs", ids=101 + np.arange(60), flux=lrs)
    write_set(
        tmp_path / "xp", preprocessing=XP, ids=ID + np.arange(60)[::-1], flux=xp[::-1], survey=np.full(60, "gaia-xp")
    )
    sets, training = (tmp_path / "lrs", tmp_path / "xp"), quick(epochs=1, batch_size=16)
    with pytest.raises(InputError, match=r"no star is in both .* \(--pairs\)"):
        align_encoders(*encoders, sets, tmp_path / "aligned", training=training)
    rows = [f"{101 + star},{ID + star if star % 3 else ''}" for star in range(60)]
    (tmp_path / "catalog.csv").write_text("\n".join(["obsid,gaia_source_id", *rows]))
    told = []
    run = align_encoders(
        *encoders, sets, tmp_path / "aligned", training=training, pairs=tmp_path / "catalog.csv", say=told.append
    )
    assert run.alignment.lrs.provenance[-1]["n_pairs"] == 40
    assert "40 pairs; 20 LRS spectra are without an XP spectrum, 20 XP spectra without" in told[0]
    assert set(run.alignment.lrs.trained_on["id"][:40].tolist()) <= set(range(101, 161))
    (tmp_path / "other.csv").write_text("obsid,ra\n101,3\n")
    with pytest.raises(InputError, match="no column of Gaia's identifiers"):
        align_encoders(*encoders, sets, tmp_path / "two", training=training, pairs=tmp_path / "other.csv")


def test_spectra_without_bp_are_left_out_and_told(encoders, tmp_path):
    sets = write_pairs(tmp_path, n=80)
    # A spectrum without BP has no flux there, and so no embedding.
    xp = star_spectra(80)[1]
    xp[:7, :150] = np.nan
    xp[7] = 1
    xp[8, 107] = -0.1
    write_set(tmp_path / "holes", preprocessing=XP, ids=ID + np.arange(80), flux=xp)
    told = []
    training = quick(epochs=1, batch_size=16)
    run = align_encoders(*encoders, (sets[0], tmp_path / "holes"), tmp_path / "a", training=training, say=told.append)
    assert run.alignment.lrs.provenance[-1]["n_pairs"] == 71
    assert "9 LRS spectra are without an XP spectrum" in told[0]
    assert "7 flagged bad or without flux, 2 not fit for this encoder" in told[0]


def test_wrong_sets_and_encoders_are_told(sets, encoders, tmp_path):
    lrs, xp = encoders
    training = quick(epochs=1)

    def align(*given, data=sets, out="out", **more):
        return align_encoders(*(given or encoders), data, tmp_path / out, training=training, **more)

    with pytest.raises(InputError, match="is of XP spectra, on the grid 'xp'; give one of each"):
        align(data=(sets[0], sets[0]))
    with pytest.raises(InputError, match="is of LRS spectra; give one of each"):
        align(data=(sets[1],))
    with pytest.raises(InputError, match="in this order"):
        align(xp, lrs)
    write_set(tmp_path / "observed", preprocessing=replace(LRS, frame="observed"), ids=ID + np.arange(60))
    with pytest.raises(MismatchError, match="frame is rest against observed"):
        align(data=(tmp_path / "observed", sets[1]))
    write_set(tmp_path / "others", ids=5 + np.arange(60))
    with pytest.raises(InputError, match="no star is in both"):
        align(data=(tmp_path / "others", sets[1]))
    write_set(tmp_path / "few", ids=ID + np.arange(20), n=20)
    with pytest.raises(InputError, match="fewer than a batch of 32"):
        align(data=(tmp_path / "few", sets[1]))
    with pytest.raises(InputError, match="function of another package"):
        align(OutsideEncoder("outer", lambda flux: flux, "ab" * 32), xp)
    with pytest.raises(SettingsError, match="accumulate must be 1"):
        align_encoders(lrs, xp, sets, tmp_path / "out", training=quick(accumulate=2))
    with pytest.raises(SettingsError, match="no variant 'clip'"):
        align(variant="clip")
    save_encoder(lrs, tmp_path / "lrs")
    with pytest.raises(InputError, match="not an alignment"):
        align(out="lrs")
    write_set(tmp_path / "held.training/lrs", n=40, ids=ID + np.arange(40))
    align(out="aligned")
    with pytest.raises(InputError, match="of an alignment already"):
        align(tmp_path / "aligned/lrs", xp)
    with pytest.raises(InputError, match="is an alignment of two encoders"):
        align(tmp_path / "aligned", xp)
    with pytest.raises(InputError, match=r"is for the training, and holds what is read"):
        align(data=(tmp_path / "held.training/lrs", sets[1]), out="held")
    assert not (tmp_path / "out").exists()


def test_another_visit_of_a_star_takes_no_place_from_its_partner(tmp_path):
    marks = np.eye(20, dtype=np.float32)
    lrs, xp = np.ones((40, 1462), np.float32), np.ones((20, 343), np.float32)
    lrs[:, :20], xp[:, :20] = np.tile(marks, (2, 1)), marks
    write_set(tmp_path / "lrs", ids=np.arange(40), flux=lrs)
    write_set(tmp_path / "xp", preprocessing=XP, ids=np.arange(20), flux=xp)
    sources = [open_source([tmp_path / name]) for name in ("lrs", "xp")]
    stream = PairedStream(*sources, quick(batch_size=4, validation_fraction=0.5), np.arange(40) % 20)
    perfect = SimpleNamespace(shared=lambda flux, side: flux[:, :20])
    assert len(stream.validation) == 20
    assert held_out_partners(perfect, stream) == {"n": 10, "first_xp": 1.0, "first_lrs": 1.0}

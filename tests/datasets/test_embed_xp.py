"""Gaia XP spectra without BP: what stands in its place is put there, and no encoder is asked about it."""

import csv

import numpy as np
import pytest

from transtar.datasets import embed_set, prepare, read_set
from transtar.encoders import Encoder, OutsideEncoder
from transtar.errors import InputError
from transtar.surveys.gaia_xp import SAMPLING_NM
from transtar.train.large import open_source

from ..encoders.aligned import tiny_encoders
from .test_embed import outside


def xp_set(folder, n=8, without_bp=(2, 5)):
    """A set of XP spectra as the archive gives them; some are without BP."""
    flux = 1 + 0.1 * np.random.default_rng(0).normal(size=(n, len(SAMPLING_NM))).astype(np.float32)
    with (folder / "XP_SAMPLED_RAW.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["source_id", "flux", "flux_error"])
        for number, row in enumerate(flux):
            blue = (SAMPLING_NM < 636) & (number in without_bp)
            values, errors = np.where(blue, np.nan, row), np.where(blue, np.nan, 0.01)
            writer.writerow([2**61 + number, *("[" + ",".join(map(str, part)) + "]" for part in (values, errors))])
    prepare("gaia-xp", folder / "XP_SAMPLED_RAW.csv", folder / "xp")
    return folder / "xp"


@pytest.mark.parametrize("kind", [Encoder, OutsideEncoder])
def test_xp_spectra_without_bp_have_no_embedding(tmp_path, caplog, kind):
    folder = xp_set(tmp_path)
    encoder = tiny_encoders()[1]
    if kind is OutsideEncoder:
        encoder = outside(encoder.encode, "embed-xp", preprocessing=encoder.preprocessing)
    embed_set(folder, encoder)
    prepared = read_set(folder)
    # Their flux is filled, so that it is finite.
    assert np.isfinite(prepared.flux).all()
    made = np.isfinite(prepared.inputs["embed-xp"])
    assert made.all(axis=1).tolist() == made.any(axis=1).tolist() == [row not in (2, 5) for row in range(8)]
    assert made.all(axis=1).tolist() == open_source([folder]).good.tolist()
    expected = (
        "2 of 8 spectra are without the input 'embed-xp' (NaN): they have no flux, have too few good points (as all"
    )
    assert expected in caplog.text
    report = prepare("gaia-xp", tmp_path / "XP_SAMPLED_RAW.csv", tmp_path / "other", inputs=[encoder], batch_size=1)
    np.testing.assert_array_equal(np.isfinite(read_set(tmp_path / "other").inputs["embed-xp"]), made)
    assert any(expected in line for line in report.lines)


def test_a_set_without_any_bp_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none of its 3 spectra has a flux.* Gaia XP .*good points.* without BP"):
        embed_set(xp_set(tmp_path, 3, (0, 1, 2)), tiny_encoders()[1])

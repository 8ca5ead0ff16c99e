"""docs/specclip.md: what it shows runs, and its numbers are those of the code."""

import re

from transtar.encoders import load_encoder
from transtar.encoders.alignment import INPUTS
from transtar.networks import LRS_SIZES, XP_SIZES, LRSTransformer, XPAutoencoder, count_weights
from transtar.networks.alignment_settings import ALIGNMENT_SIZES
from transtar.train.large import TRAINING_SIZES

from .test_readme import ROOT, blocks, run

PAGE = ROOT / "docs" / "specclip.md"


def test_what_the_page_shows_runs(tmp_path):
    shown = blocks(PAGE, "python")
    printed = run(["python", "-c", "\n".join(content for _, content in shown)], tmp_path)
    assert "(5, 128)" in printed
    assert "keeps_mean=False, doubly_scaled=True, covers_end=False" in printed
    assert "42,677,013 146" in printed
    assert printed.strip().endswith("(5, 192) (5, 128)\n(5, 343) (5, 1462)")
    assert load_encoder(tmp_path / "encoders/fresh").name == "embed"


def test_sizes_of_alignments_are_right():
    text = PAGE.read_text(encoding="utf-8")
    for variant, settings in ALIGNMENT_SIZES["paper"].items():
        (line,) = re.findall(rf"^\| `{variant}` \| .*$", text, re.MULTILINE)
        for width in filter(None, (settings.width, settings.private_width)):
            assert f"{width} " in line
        assert INPUTS[variant] in line
    for size, length in (("small", "20 epochs in batches of 256"), ("paper", "10,000 steps in batches of 8192")):
        assert length in text
        training = TRAINING_SIZES["align"][size]
        assert f"{training.epochs or training.steps:,}" in length
        assert str(training.batch_size) in length


def test_weights_are_counted_right():
    text = PAGE.read_text(encoding="utf-8")
    for size in ("paper", "small"):
        (line,) = re.findall(rf"^\| weights, size `{size}` .*$", text, re.MULTILINE)
        networks = (
            LRSTransformer(1462, LRS_SIZES[size], device="meta"), XPAutoencoder(343, XP_SIZES[size], device="meta"),
        )  # fmt: skip
        for network in networks:
            assert f"{count_weights(network):,}" in line
            assert f"{network.n_outputs} values" in line

import numpy as np

from transtar.flags import BAD, DESCRIPTIONS, NO_LABEL, Flag, count, has

BITS = {
    0: "LOW_GOOD_FRACTION", 1: "LOW_SNR", 2: "NO_IVAR", 3: "NO_VELOCITY", 4: "NON_STELLAR", 5: "HOT_STAR",
    6: "OUT_OF_DOMAIN", 7: "LABEL_EXTRAPOLATED", 8: "TRAINED_ON", 9: "CONTINUUM_FAILED", 10: "BAD_FIBER",
    11: "NO_GATE", 12: "DUPLICATE", 13: "MISFIT", 14: "FEW_CALIBRATORS", 15: "NO_INPUT", 16: "DOUBTFUL",
}  # fmt: skip


def test_bits_are_never_renumbered():
    assert {flag.name: int(flag) for flag in Flag} == {name: 1 << bit for bit, name in BITS.items()}
    assert set(DESCRIPTIONS) == set(Flag)


def test_weight():
    warnings = {
        "LOW_SNR",
        "NO_IVAR",
        "LABEL_EXTRAPOLATED",
        "TRAINED_ON",
        "DUPLICATE",
        "NO_GATE",
        "FEW_CALIBRATORS",
        "DOUBTFUL",
    }
    assert {flag.name for flag in Flag if not flag & BAD} == warnings
    no_label = {"NO_VELOCITY", "LOW_GOOD_FRACTION", "CONTINUUM_FAILED", "NON_STELLAR"}
    assert {flag.name for flag in Flag if flag & NO_LABEL} == no_label


def test_has_and_count():
    flags = np.array([0, Flag.LOW_SNR, Flag.LOW_SNR | Flag.DUPLICATE, Flag.HOT_STAR], np.int32)
    assert has(flags, Flag.LOW_SNR).tolist() == [False, True, True, False]
    assert has(flags, Flag.HOT_STAR | Flag.DUPLICATE).tolist() == [False, False, True, True]
    assert count(flags) == {"LOW_SNR": 2, "HOT_STAR": 1, "DUPLICATE": 1}
    assert count(np.zeros(3, np.int32)) == {}

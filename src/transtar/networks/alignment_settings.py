"""Variants and sizes of an alignment of two encoders."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from ..checks import MOST_WIDTH, check_real, check_whole
from ..errors import SettingsError, shown

VARIANTS = ("base", "pr", "split")
"""'base' compares embeddings and does no more; 'pr' also gives spectra back and predicts those of the other kind; 'split' does so
with one part of the embedding for what both kinds share and another for what one has alone."""


@dataclass(frozen=True)
class AlignmentSettings:
    """Shape of the heads and decoders of an alignment.

    The defaults are those of the paper's size. Hidden layers of decoders are multiples of `width`.

    Parameters
    ----------
    variant : {'base', 'pr', 'split'}
    width : int
        Values that both kinds of spectra share.
    private_width : int
        Values that one kind has alone; 0 but in the variant 'split'.
    heads, private_heads : int
        Of the attention on tokens.
    block : int
        Width of the block in heads without tokens.
    dropout : float
        In heads and decoders, while training, in [0, 1).

    Raises
    ------
    SettingsError
        If a number is out of range, or does not go with the variant.
    """

    variant: str = "base"
    width: int = 768
    private_width: int = 0
    heads: int = 4
    private_heads: int = 2
    block: int = 1160
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise SettingsError(f"alignment: no variant '{shown(self.variant)}'; there are {', '.join(VARIANTS)}")
        check_whole(self.width, "alignment: width", 1, MOST_WIDTH)
        check_whole(self.private_width, "alignment: private_width", 0, MOST_WIDTH)
        check_whole(self.heads, "alignment: heads", 1, self.width)
        check_whole(self.private_heads, "alignment: private_heads", 1, max(self.private_width, MOST_WIDTH))
        check_whole(self.block, "alignment: block", 1, MOST_WIDTH)
        if check_real(self.dropout, "alignment: dropout", 0, 1) == 1:
            raise SettingsError("alignment: dropout must be below 1")
        if (self.private_width > 0) != (self.variant == "split"):
            raise SettingsError(
                f"alignment: the variant '{self.variant}' with private_width {self.private_width}; 'split' needs one above 0, "
                "the others have none"
            )

    def to_dict(self) -> dict:
        """Plain data."""
        return asdict(self)

    @property
    def has_decoders(self) -> bool:
        """Whether spectra can be given back and translated."""
        return self.variant != "base"


_SPLIT = AlignmentSettings("split", width=512, private_width=256)

ALIGNMENT_SIZES: dict[str, dict[str, AlignmentSettings]] = {
    "paper": {"base": AlignmentSettings("base"), "pr": AlignmentSettings("pr"), "split": _SPLIT},
    "small": {
        "base": AlignmentSettings("base", width=192, block=290),
        "pr": AlignmentSettings("pr", width=192, block=290),
        "split": replace(_SPLIT, width=128, private_width=64, block=290),
    },
}
"""By size and variant. The small ones are for minutes on two cores."""


def alignment_settings(variant: str, size: str) -> AlignmentSettings:
    """Settings of a variant at a size.

    Raises
    ------
    SettingsError
        If there is none.
    """
    if size not in ALIGNMENT_SIZES:
        raise SettingsError(f"alignment: no size '{shown(size)}'; there are {', '.join(ALIGNMENT_SIZES)}")
    if variant not in ALIGNMENT_SIZES[size]:
        raise SettingsError(f"alignment: no variant '{shown(variant)}'; there are {', '.join(VARIANTS)}")
    return ALIGNMENT_SIZES[size][variant]

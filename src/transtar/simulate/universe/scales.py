"""How many stars a mock universe has: the counts of the paper's samples, and smaller ones in the same proportions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from ...checks import check_whole
from ...errors import SettingsError, check_keys, shown

MOST_COUNT = 10_000_000
"""Stars of a survey, which is thirty times the largest sample of the paper."""


@dataclass(frozen=True)
class Scale:
    """Counts that a mock universe meets exactly. 'After the initial cuts' means those of the paper's Table C3.

    Parameters
    ----------
    name : str
    lamost : int
        LAMOST spectra with labels.
    lamost_apogee : int
        Of them, those with APOGEE labels; the rest, below [Fe/H] = -2, have labels from the compilations.
    common : int
        Stars of APOGEE and DESI DR1 after the initial cuts.
    common_cool : int
        Of them, those with Teff <= 4000 K, which are in neither sample.
    train_poor : int
        Of them, those with Teff > 4500 K and [Fe/H] < -0.7: all are in the fine-tuning sample.
    train_rich : int
        Fine-tuning stars above that [Fe/H].
    test_poor : int
        Test stars with [Fe/H] < -1: they have 4000 K < Teff <= 4500 K.
    clean_removed : int
        Common stars with Teff > 4000 K that the stricter cuts of Appendix D remove.
    edr : int
        EDR stars after the initial cuts.
    edr_final : int
        Of them, those with Teff > 4000 K, valid labels and a good normalisation.
    edr_clean : int
        Of those, the ones that Appendix D keeps.
    miles : int
        Library stars.
    overlap : int
        Common stars that LAMOST has observed, too.
    oversampled : bool
        Whether there are more poor stars than in the paper's proportions.
    faults : int
        Rows with each fault; 0 stands for one in a hundred common stars.
    clusters, cluster_members : int
        Clusters that DESI has observed beside its samples, and members of each; none if either is 0.
    wide_pairs : int
        Wide pairs that it has observed, too.
    """

    name: str
    lamost: int
    lamost_apogee: int
    common: int
    common_cool: int
    train_poor: int
    train_rich: int
    test_poor: int
    clean_removed: int
    edr: int
    edr_final: int
    edr_clean: int
    miles: int
    overlap: int
    oversampled: bool = False
    faults: int = 0
    clusters: int = 0
    cluster_members: int = 0
    wide_pairs: int = 0

    def __post_init__(self) -> None:
        for name in COUNTS:
            value = getattr(self, name)
            check_whole(value, f"scale: {name}", 0, MOST_COUNT)
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise SettingsError(
                    f"scale: {name} must be at least {least}, not {getattr(self, name)}: each fault of the catalogs has its rows"
                )
        if not self.faults:
            object.__setattr__(self, "faults", max(6, self.common // 100))
        for smaller, larger in _ORDER:
            total = sum(getattr(self, name) for name in smaller)
            if total > getattr(self, larger):
                raise SettingsError(
                    f"scale: {' + '.join(smaller)} = {total} is more than {larger} = {getattr(self, larger)}"
                )

    @property
    def test(self) -> int:
        """Stars of the test sample."""
        return self.common - self.common_cool - self.train_poor - self.train_rich

    def counts(self) -> dict[str, int]:
        """What counting the cuts in the paper's order must give."""
        return {
            "common stars after the initial cuts": self.common,
            "fine-tuning sample": self.train_poor + self.train_rich,
            "test sample": self.test,
            "[alpha/Fe]-[Fe/H] reference": self.common - self.common_cool,
            "EDR after the initial cuts": self.edr,
            "final EDR sample": self.edr_final,
            "clean EDR sample": self.edr_clean,
            "LAMOST spectra with labels": self.lamost,
            "LAMOST spectra with APOGEE labels": self.lamost_apogee,
        }

    def describe(self) -> str:
        """Counts as text of a few lines, and what is not in the paper's proportions."""
        lines = [f"scale {self.name}: " + "; ".join(f"{number} {what}" for what, number in self.counts().items())]
        related = {
            f"{self.clusters} clusters of {self.cluster_members} members each": self.clusters * self.cluster_members,
            f"{self.wide_pairs} wide pairs": self.wide_pairs,
        }
        if told := [what for what, number in related.items() if number]:
            lines.append(f"in addition to these samples: {' and '.join(told)}, observed by DESI")
        if self.oversampled:
            share = f"{self.test_poor} of {self.test} test stars lie below [Fe/H] = -1"
            lines.append(f"poor stars are oversampled: {share}; in the paper 79 of 5539")
        return "\n".join(lines)


COUNTS = tuple(field.name for field in fields(Scale) if field.name not in ("name", "oversampled"))
"""Names of the numbers of a scale."""

_PARTS = MappingProxyType({
    "lamost": ("lamost_apogee",),
    "common": ("common_cool", "train_poor", "train_rich", "test_poor", "clean_removed", "overlap", "cluster_members",
               "wide_pairs"),
    "edr": ("edr_final", "edr_clean"),
})  # fmt: skip
"""Samples and what goes with their size."""

LEAST = MappingProxyType({"lamost": 20, "common": 20, "edr": 20})
"""Below these there are too few stars to draw rows that fail each cut."""

_ORDER = (
    (("lamost_apogee",), "lamost"),
    (("overlap",), "lamost_apogee"),
    (("common_cool", "train_poor", "train_rich", "test_poor"), "common"),
    (("common_cool", "clean_removed"), "common"),
    (("edr_final",), "edr"),
    (("edr_clean",), "edr_final"),
)
"""Numbers that add up to no more than another."""

SCALES = MappingProxyType({
    scale.name: scale
    for scale in (
        Scale("small", lamost=6000, lamost_apogee=5687, common=1500, common_cool=92, train_poor=87, train_rich=296,
              test_poor=60, clean_removed=533, edr=5000, edr_final=4706, edr_clean=3221, miles=100, overlap=30,
              oversampled=True, clusters=10, cluster_members=12, wide_pairs=50),
        Scale("medium", lamost=30000, lamost_apogee=28433, common=8104, common_cool=496, train_poor=469, train_rich=1600,
              test_poor=79, clean_removed=2880, edr=30000, edr_final=28237, edr_clean=19326, miles=985, overlap=120,
              clusters=10, cluster_members=30, wide_pairs=500),
        Scale("paper", lamost=90106, lamost_apogee=85400, common=8104, common_cool=496, train_poor=469, train_rich=1600,
              test_poor=79, clean_removed=2880, edr=134137, edr_final=126253, edr_clean=86412, miles=985, overlap=240,
              clusters=10, cluster_members=30, wide_pairs=500),
    )
})  # fmt: skip
"""By name. The paper says neither how many of its stars LAMOST has seen (`overlap`) nor the exact number that
Appendix D removes. Clusters and wide pairs are ours: at small scale a tenth of the pairs, and 12 of 30 members."""


def get_scale(name: str) -> Scale:
    """Look a scale up.

    Raises
    ------
    SettingsError
        If there is none of that name.
    """
    if not isinstance(name, str) or name not in SCALES:
        raise SettingsError(f"no scale '{shown(name)}'; scales: {', '.join(SCALES)}")
    return SCALES[name]


def resized(scale: Scale, changes: Mapping[str, Any]) -> Scale:
    """A scale with other numbers.

    Parameters
    ----------
    scale : Scale
    changes : mapping of str to int
        By the names of `COUNTS`. What is part of a sample whose size changes (the stars with APOGEE labels of ``lamost``,
        the fine-tuning stars of ``common``, ...) changes in proportion, unless it is given, too.

    Returns
    -------
    Scale

    Raises
    ------
    SettingsError
        If a name is unknown or numbers do not go together.
    """
    check_keys(changes, COUNTS, "scale")
    for name, value in changes.items():
        check_whole(value, f"scale: {name}", 0, MOST_COUNT)
    values = dict(changes)
    for sample, parts in _PARTS.items():
        old, new = getattr(scale, sample), changes.get(sample)
        if isinstance(new, int) and old:
            for part in parts:
                values.setdefault(part, round(getattr(scale, part) * new / old))
    if "common" in changes:
        values.setdefault("faults", 0)  # which stands for one in a hundred
    return replace(scale, **values)

"""The fuzzer itself: bad readers are caught, each in its own way; good ones are not; and a first handful of cases."""

import random
import time
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest

from transtar.errors import InputError

from . import oracle_surveys
from .cases import World, ask, look_at_seeds, make
from .judge import FAULTS, OUTCOMES, Found, Read, judge, judge_message
from .mutators import Unfit, all_mutators, apply
from .seeds import build_corpus, copies
from .subjects import SUBJECTS, spectra
from .values import differences, pixels
from .workers import run_all

KINDS = ("lamost", "miles", "generic", "sparcl", "table", "model", "preprocessing")

HARMLESS = (
    "codec:another_level", "codec:several_members", "codec:with_a_name_in_it", "fits:a_comment_changed", "fits:with_sums",
    "fits:another_hdu_added", "fits:wider_types", "fits:images_of_double_precision", "fits:columns_in_another_order",
    "npz:packed_otherwise", "npz:entries_in_another_order", "npz:another_order_in_memory", "parquet:written_otherwise",
    "parquet:columns_moved", "safetensors:metadata_added", "safetensors:tensors_in_another_order", "text:a_byte_order_mark",
    "text:no_last_line_end", "text:all_cells_in_quotes", "yaml:laid_out_otherwise",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    seeds = build_corpus(folder / "corpus", None, KINDS)
    return World(seeds, look_at_seeds(seeds, SUBJECTS), 0, folder / "cases")


def quick(world, n):
    """Numbers of `n` cases that take no time to make and to read."""
    slow = ("bomb", "many", "huge", "giant", "long", "deep", "fifo", "device", "without_end", "laughs")
    names = ((number, make(world, number)[1]) for number in count())
    return list(islice((number for number, name in names if not any(word in name for word in slow)), n))


def test_both_readers_agree_on_every_seed(world):
    for seed in world.seeds:
        ours, theirs = world.before[seed.name]
        assert theirs.values is not None, f"{seed.name}: {theirs.broken}"
        if ours.values is not None and "HD 101" not in str(theirs.values.get("star")):
            subject = SUBJECTS[seed.kind]
            assert subject.agree(ours.values, theirs.values, subject.wave_rtol) == [], seed.name


def test_a_case_is_decided_by_its_number(world):
    def content(number):
        seed, mutators, entry, _, _ = make(world, number)
        files = sorted(
            path for path in (world.folder / f"{number:05d}").rglob("*") if path.is_file() and not path.is_symlink()
        )
        return seed.name, mutators, entry, [path.read_bytes() for path in files]

    numbers = quick(world, 25)
    assert [content(n) for n in numbers] == [content(n) for n in numbers]
    assert len({make(world, n)[1] for n in numbers}) > 15


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_harmless_changes_nothing_for_the_oracle(world, tmp_path, name):
    one, tried = all_mutators()[name], 0
    for seed in world.seeds:
        fits = (one.group == "codec" and seed.codec == "gz") or one.group in (
            seed.format,
            {"json": "yaml"}.get(seed.format),
        )
        # Whoever changes a header leaves a sum of it that no longer fits, and may be refused.
        if not fits or (one.group == "fits" and any(word in seed.name for word in ("sums", "scaled", "fpack"))):
            continue
        path = copies(tmp_path, seed)
        try:
            apply(one, seed, path, random.Random(1), world.seeds)
        except (Unfit, IndexError, StopIteration, ValueError):
            continue
        tried += 1
        now = ask(SUBJECTS[seed.kind], path if seed.entry else path.parent)
        before = world.before[seed.name][1]
        assert now.values is not None, f"{seed.name}: {now.broken}"
        if seed.kind in ("model", "encoder"):
            # Its description notes the sums of its files: whoever writes one anew has to note its sum.
            assert not differences(before.values, now.values), seed.name
            continue
        again = judge(SUBJECTS[seed.kind], Read(None, f"{path}: no"), Read({}), now, before, path, False)
        assert again[0] == "harmless", seed.name
    assert tried


def bad_reader(fault):
    """A reader of LAMOST files with one fault."""

    def read(path: Path):
        if fault == "ended":
            return {"n": [][1]}
        if fault == "hung":
            time.sleep(60)
        if fault == "memory":
            kept = []
            while True:
                kept.append(np.ones(10_000_000))
        if fault == "message":
            raise InputError("something is wrong\nwith some file")
        if fault == "harmless":
            raise InputError(f"{path}: I do not like it")
        found = spectra("lamost", path)
        one = found["pixels"][0]
        if fault == "wrong":
            found["pixels"] = [replace(one, flux=one.flux * np.linspace(1, 1.001, len(one.flux)))]
        return found

    return read


@pytest.mark.parametrize("fault", ["ended", "hung", "memory", "message", "harmless", "wrong"])
def test_bad_readers_are_caught(world, fault):
    """As they are with the cases of a run: in a process of their own, which must not take the others along."""
    seeds = [seed for seed in world.seeds if seed.kind == "lamost" and not seed.codec]
    bad = SUBJECTS | {"lamost": replace(SUBJECTS["lamost"], read=bad_reader(fault))}
    theirs = replace(world, seeds=seeds, subjects=bad)
    found = run_all(
        theirs, quick(theirs, 1 if fault in ("hung", "memory") else 15), 1, 0.5 if fault == "hung" else 20, 200_000_000
    )
    assert fault in {verdict.outcome for verdict in found}
    if fault in ("ended", "hung", "memory"):
        assert {verdict.outcome for verdict in found} == {fault}


def a_spectrum(n=100, **changes):
    wave = np.linspace(4000, 5000, n)
    found = {"n": 1, "id": np.array([7]), "velocity": np.array([3.0]), "pixels": [pixels(wave, np.sin(wave) + 2)]}
    return found | changes


@pytest.mark.parametrize(
    ("ours", "theirs", "extra", "outcome"),
    [
        ({}, {}, {}, "same"),
        ({"id": np.array([8])}, {"id": np.array([8])}, {}, "noise"),
        ({"id": np.array([8])}, {}, {}, "wrong"),
        ({}, {"id": np.array([8])}, {}, "ignored"),
        ({"velocity": np.array([np.nan])}, {}, {}, "lost"),
        ({"velocity": np.array([np.nan])}, {}, {"told": ["no velocity"]}, "noted"),
        ({"id": np.array([8])}, {"id": np.array([8])}, {"_sum": True}, "unnoticed"),
        ({"id": np.array([8])}, {"id": np.array([8])}, {"_odd": "bytes behind"}, "unnoticed"),
        (a_spectrum(60), a_spectrum(60), {"_odd": "bytes behind"}, "shortened"),
        (a_spectrum(60), a_spectrum(60), {}, "noise"),
        ({}, {}, {"_odd": "bytes behind"}, "same"),
    ],
)
def test_the_judge(tmp_path, ours, theirs, extra, outcome):
    told = extra.pop("told", []) if "told" in extra else []
    before, found_before = Read(a_spectrum()), Found(a_spectrum())
    now, found = Read(a_spectrum(**ours), "", told), Found(a_spectrum(**theirs) | extra)
    assert judge(SUBJECTS["lamost"], now, before, found, found_before, tmp_path / "a.fits", False)[0] == outcome


def test_the_judge_of_what_the_oracle_cannot_read(tmp_path):
    arguments = (Read(a_spectrum()), Found(None, "broken"), Found(a_spectrum()), tmp_path / "a.fits", True)
    assert judge(SUBJECTS["lamost"], Read(a_spectrum()), *arguments)[0] == "same"
    assert judge(SUBJECTS["lamost"], Read(a_spectrum(id=np.array([9]))), *arguments)[0] == "wrong"
    assert judge(SUBJECTS["lamost"], Read(None, f"{tmp_path}/a.fits: no"), *arguments)[0] == "told"


def test_messages(tmp_path):
    path = tmp_path / "a.fits"
    assert judge_message(f"{path}: truncated", path) == ""
    for bad in ("truncated", f"{path}: a\nb", f"{path}: \x1b[31m", f"{path}: KeyError: 'Z'", f"{path}: " + "x" * 2000):
        assert judge_message(bad, path)


def test_one_flux_differs():
    one, other = a_spectrum(), a_spectrum()
    other["pixels"][0].flux[5] *= 1.001
    assert differences(one, other)
    assert differences(one, a_spectrum()) == []


def test_the_oracle_takes_no_memory_for_a_claim(tmp_path):
    from ..surveys.fits_files import write_lamost_image
    from .mutate_fits import hdus, with_card

    path = write_lamost_image(tmp_path / "a.fits")
    content = path.read_bytes()
    path.write_bytes(with_card(content, hdus(content)[0], "NAXIS2", "1000000000"))
    with pytest.raises(Exception, match="truncated"):
        oracle_surveys.lamost(path)


def test_a_handful_of_cases(world):
    """The first of them; `make fuzz` does thousands, with limits of time and memory that this shares."""
    found = run_all(world, quick(world, 60), 1)
    assert [v for v in found if v.outcome in FAULTS and v.outcome not in ("message", "harmless")] == []
    assert {v.outcome for v in found} >= set(OUTCOMES) - {"noted"}

"""What stands where a file should be, and files under other names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .mutators import Unfit, mutator


@mutator("file")
def a_fifo(path: Path, rng, seeds):
    path.unlink()
    os.mkfifo(path)


@mutator("file")
def a_folder(path: Path, rng, seeds):
    path.unlink()
    path.mkdir()


@mutator("file")
def a_folder_with_the_file(path: Path, rng, seeds):
    """A folder of the file's name that holds it: found there by those who look into folders."""
    if path.name.startswith("coadd") and any(path.parent.glob("redrock*")):
        # Its redshifts would be left behind, and are then not beside it.
        raise Unfit
    inside = path.with_name("inside")
    path.rename(inside)
    path.mkdir()
    inside.rename(path / path.name)


@mutator("file")
def a_link_to_itself(path: Path, rng, seeds):
    path.unlink()
    path.symlink_to(path.name)


@mutator("file")
def a_link_to_nothing(path: Path, rng, seeds):
    path.unlink()
    path.symlink_to("nowhere")


@mutator("file")
def a_link_to_the_file(path: Path, rng, seeds):
    """Harmless."""
    other = path.parent.parent / f"elsewhere{path.suffix}"
    shutil.move(path, other)
    path.symlink_to(other)


@mutator("file")
def a_device(path: Path, rng, seeds):
    path.unlink()
    path.symlink_to(rng.choice(["/dev/zero", "/dev/null"]))


@mutator("file")
def another_ending(path: Path, rng, seeds):
    """Told by content, so harmless; names that are identifiers stay."""
    stem = path.name.removesuffix("".join(path.suffixes[-2:])) if path.suffixes else path.name
    if (
        path.name.count(".") > 2
        or path.name.startswith(("coadd", "redrock"))
        or path.suffix in (".json", ".safetensors")
    ):
        raise Unfit
    return path.rename(
        path.with_name(stem + rng.choice([".fits", ".FITS", ".fit", ".csv", ".dat", ".gz", ".txt", ".npz"]))
    )


@mutator("file")
def the_content_of_another(path: Path, rng, seeds):
    other = rng.choice(seeds)
    path.write_bytes((other.folder / other.target).read_bytes())


@mutator("file")
def a_web_page(path: Path, rng, seeds):
    path.write_bytes(b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n")


@mutator("file")
def a_pickle(path: Path, rng, seeds):
    import pickle

    path.write_bytes(pickle.dumps({"wave": [1, 2], "flux": [1, 2]}))


@mutator("file")
def a_pointer(path: Path, rng, seeds):
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n")


@mutator("file")
def one_huge_line(path: Path, rng, seeds):
    path.write_bytes(rng.choice([b"5", b"a", b"1,", b'"', b"# "]) * 20_000_000)


@mutator("file")
def many_short_lines(path: Path, rng, seeds):
    path.write_bytes(rng.choice([b"\n", b"1\n", b"#\n", b",,,\n", b"<a>\n", b"[\n"]) * 3_000_000)

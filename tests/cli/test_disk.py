"""No space: a real limit on the size of files, and a real full disk. What stood there stays, and nothing else is left."""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys

import pytest

from transtar.files import write_text

CASES = ("prepare", "pretrain", "parquet", "fits", "csv")

DISK_SIZES = {"prepare": "64k", "pretrain": "1m", "parquet": "8k", "fits": "8k", "csv": "8k"}

# All cases in one process, for starting one takes longer than all of them.
DRIVER = """
import contextlib, io, json, resource, sys
from transtar.cli import main
for case, (arguments, limit) in json.loads(sys.argv[1]).items():
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()):
        code = main(arguments)
    print(json.dumps([case, code, err.getvalue()]))
"""

ON_SMALL_DISKS = """
for size in $SIZES; do
    folder="$WHERE/${size%%=*}"
    mount -t tmpfs -o size="${size##*=}" tmpfs "$folder/disk" || exit 99
    cp -r "$folder"/old/. "$folder/disk/"
done
"$@" || exit 1
for folder in "$WHERE"/*; do cp -a "$folder/disk" "$folder/after"; done
"""


def command(case, world, folder):
    """Arguments of the verb, its output, and the bytes that a file of it may not exceed."""
    if case == "prepare":
        out = folder / "set"
        arguments = ["prepare", "--survey", "lamost", "--spectra", world.lamost / "spectra", "--out", out]
    elif case == "pretrain":
        out = folder / "model"
        arguments = ["pretrain", "--label", "feh", "--epochs", 1, "--lr", 1e-4, "--data", world.source, "--out", out]
    else:
        out = folder / f"catalog.{case}"
        arguments = ["predict", "--model", world.model, "--data", world.source, "--out", out]
    limit = {"prepare": 60_000, "pretrain": 200_000}.get(case, 3000)
    return [str(argument) for argument in arguments], out, limit


def old_output(case, world, out):
    """Put something that may be replaced in the place of the output."""
    if case in ("prepare", "pretrain"):
        out.mkdir()
        source = world.source / "set.json" if case == "prepare" else world.model / "config.json"
        shutil.copy(source, out / source.name)
    else:
        write_text(out, "old")


def contents(folder):
    return {
        str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def results(text):
    return {case: (code, err) for case, code, err in map(json.loads, text.splitlines())}


def check_failure(code, err, out, why):
    assert code == 1, err
    assert "Traceback" not in err
    assert err.strip().endswith(f"{out}: not written, {why}; what stood there before is untouched")


def test_limit_on_the_size_of_files(world, tmp_path):
    tasks, outs = {}, {}
    for case in CASES:
        (tmp_path / case).mkdir()
        arguments, outs[case], limit = command(case, world, tmp_path / case)
        tasks[case] = (arguments, limit)
        old_output(case, world, outs[case])
    before = contents(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(tasks)], capture_output=True, text=True, timeout=120
    )
    found = results(done.stdout)
    assert list(found) == list(CASES), done.stderr
    for case, result in found.items():
        check_failure(*result, outs[case], "file too large")
    assert contents(tmp_path) == before
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_full_disk(world, tmp_path):
    """On small file systems in memory, mounted in a mount namespace that ends with the process."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare: cannot mount a small disk")
    tasks, outs = {}, {}
    for case in CASES:
        for name in ("old", "disk"):
            (tmp_path / case / name).mkdir(parents=True)
        arguments, outs[case], _ = command(case, world, tmp_path / case / "disk")
        tasks[case] = (arguments, None)
        old_output(case, world, tmp_path / case / "old" / outs[case].name)
    sizes = " ".join(f"{case}={size}" for case, size in DISK_SIZES.items())
    done = subprocess.run(
        [unshare, "--map-root-user", "--mount", "sh", "-c", ON_SMALL_DISKS, "sh", sys.executable, "-c", DRIVER,
         json.dumps(tasks)],
        capture_output=True, text=True, timeout=120, env={**os.environ, "WHERE": str(tmp_path), "SIZES": sizes},
    )  # fmt: skip
    if done.returncode == 99 or done.stderr.startswith("unshare:"):
        pytest.skip(f"cannot mount a small disk here: {done.stderr.strip()}")
    found = results(done.stdout)
    assert list(found) == list(CASES), done.stderr
    for case, result in found.items():
        check_failure(*result, outs[case], "no space left on device")
        assert contents(tmp_path / case / "after") == contents(tmp_path / case / "old")

"""Runs that are killed and disturbed at random moments: nothing is lost or doubled, and the same command goes on."""

import contextlib
import csv
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from transtar.files import TEMPORARY

from .runs import shards

ROOT = Path(__file__).parents[2]
N = 30


def made_input(folder):
    folder.mkdir()
    for number in range(N):
        (folder / f"spec-{number:02d}").write_text(str(number**2))
    return folder


def start(files, out, workers=2, **options):
    command = [sys.executable, "-m", "tests.shards.endure", str(files), str(out), str(workers)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **options)


def to_the_end(files, out):
    process = start(files, out)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    return told


def children(process):
    """Processes of the pool, but for the one that tracks resources."""
    known = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(one) for one in known if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def killed(process, files, out, moment):
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)


def ended(process, files, out, moment):
    time.sleep(moment)
    process.send_signal(signal.SIGTERM)


def worker_killed(process, files, out, moment):
    time.sleep(moment)
    for one in children(process)[:1]:
        os.kill(one, signal.SIGKILL)


def file_changed(process, files, out, moment):
    time.sleep(moment)
    (files / "spec-20").write_text("400 and more")


def file_gone(process, files, out, moment):
    time.sleep(moment)
    (files / "spec-21").unlink()


def second_run(process, files, out, moment):
    time.sleep(moment)
    other = start(files, out)
    _, told = other.communicate(timeout=120)
    assert other.returncode == 0 or "another command works in this folder" in told


def permission_lost(process, files, out, moment):
    time.sleep(moment)
    if (out / "shards").is_dir():
        # What is put there cannot be written, root or not.
        (out / "shards").rename(out / "aside")
        (out / "shards").write_text("")
        time.sleep(0.3)
        (out / "shards").unlink()
        (out / "aside").rename(out / "shards")


def clock_set(process, files, out, moment):
    """Times of files lie in the future, as after a clock that was wrong."""
    time.sleep(moment)
    for path in out.rglob("*"):
        try:
            os.utime(path, (2e9, 2e9))
        except FileNotFoundError:
            continue


def disk_full(process, files, out, moment):
    """From a moment on nothing can be written, by the run or its workers; then there is room again."""
    time.sleep(moment)
    processes = [process.pid, *children(process)]
    for size in (1, resource.RLIM_INFINITY):
        for one in processes:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(one, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        time.sleep(0.3)


FAULTS = [killed, ended, worker_killed, file_changed, file_gone, second_run, permission_lost, clock_set, disk_full]


def endure(tmp_path, fault, seed):
    files, out = made_input(tmp_path / "in"), tmp_path / "out"
    process = start(files, out)
    fault(process, files, out, random.Random(seed).uniform(0.3, 3.5))
    _, told = process.communicate(timeout=120)
    assert "Traceback" not in told
    if fault is ended:
        assert process.returncode in (0, 128 + signal.SIGTERM, -signal.SIGTERM)
    lost = {"spec-21"} if fault is file_gone else set()
    to_the_end(files, out)
    # Every file once, in its order, as it is in the end: nothing is lost, and nothing doubled.
    lines = [line for text in shards(out).values() for line in text.splitlines()]
    now = [f"{path.name} {path.read_text()}" for path in sorted(files.iterdir())]
    assert [line for line in lines if line.split()[0] not in lost] == now
    with (out / "status.csv").open() as file:
        states = {Path(row["file"]).name: row["state"] for row in csv.DictReader(file)}
    assert len(states) >= N - len(lost)
    assert {name for name, state in states.items() if state != "done"} <= lost
    assert not [path for path in out.rglob(f"{TEMPORARY}*") if any(path.iterdir())]


@pytest.mark.parametrize("fault", [killed, worker_killed, second_run])
def test_a_fault(tmp_path, fault):
    endure(tmp_path, fault, FAULTS.index(fault))


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", range(20))
def test_faults_at_random_moments(tmp_path, fault, seed):
    endure(tmp_path, fault, 100 + seed)


def test_a_full_disk_is_told_in_a_line_and_what_is_done_is_kept(tmp_path):
    files, out = made_input(tmp_path / "in"), tmp_path / "out"
    (files / "spec-17").write_text("x" * 20_000)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    process = start(files, out, workers=1, preexec_fn=limit)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "not written, file too large; what stood there before is untouched" in told.splitlines()[-1]
    assert list(shards(out)) == [f"{number:06d}.txt" for number in range(8)]
    to_the_end(files, out)
    assert len(shards(out)) == N // 2

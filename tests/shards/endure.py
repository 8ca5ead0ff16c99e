"""A small run as a process of its own, which tests kill and disturb: ``python -m tests.shards.endure IN OUT WORKERS``."""

import sys
from pathlib import Path

from transtar.errors import TranstarError
from transtar.processes import Ended, ending_cleanly
from transtar.shards import Job, ShardFolder, execute, list_sources
from transtar.shards import tasks as of_tasks
from transtar.shards.status import RunLog, write_status
from transtar.telling import shown_on_stderr

from . import works

PAUSE = 0.02


def main(files: str, out: str, workers: str) -> int:
    of_tasks.FEWEST_FILES = 2
    with (
        ending_cleanly(),
        shown_on_stderr(),
        ShardFolder(out, {"models": ["a"]}, None, ".txt") as folder,
        RunLog(folder.path, "1/1") as log,
    ):
        tasks = folder.begin(lambda: list_sources(sorted(Path(files).iterdir())))

        def on_done(record):
            folder.records[record.number] = record
            log.note(f"shard {record.number}: {record.state}")

        try:
            job = Job(works.lines, PAUSE, folder.path / "shards", ".txt")
            execute(job, tasks, on_done, workers=int(workers))
        finally:
            write_status(folder.path, folder.tasks, folder.all_records())
            folder.finish()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Ended as ended:
        sys.exit(128 + ended.number)
    except TranstarError as error:
        print(error, file=sys.stderr)
        sys.exit(1)

"""Small runs for tests: files of a line, tasks of two, and what a run leaves."""

from transtar.shards import Job, ShardFolder, execute, list_sources
from transtar.shards import tasks as of_tasks

from . import works


def made_files(folder, n=9, bad=()):
    folder.mkdir(exist_ok=True)
    for number in range(n):
        (folder / f"{'bad' if number in bad else 'spec'}-{number}").write_text(str(number**2))
    return sorted(folder.iterdir())


def small_tasks(monkeypatch, n=2):
    """Tasks of two files; the tests of processes cannot be told and take those that are handed over."""
    monkeypatch.setattr(of_tasks, "FEWEST_FILES", n)


def run(out, files, work=works.lines, plan=0, part=None, what=None, **options):
    """Do a run; records in the order in which they came, and the folder."""
    records = []
    with ShardFolder(out, what or {"models": ["a"]}, part, ".txt") as folder:
        tasks = folder.begin(lambda: list_sources(files))

        def on_done(record):
            folder.records[record.number] = record
            records.append(record)

        try:
            execute(Job(work, plan, folder.path / "shards", ".txt"), tasks, on_done, **options)
        finally:
            folder.finish()
    return records, folder


def shards(out):
    return {path.name: path.read_text() for path in sorted((out / "shards").glob("*.txt"))}

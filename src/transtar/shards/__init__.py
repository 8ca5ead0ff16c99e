"""Long runs in shards: tasks of some files each, worked on by processes that may die, in a folder from which a run goes on.

`tasks` says what belongs together, `shard_folder` keeps what is to be done and what has been, `work` is what a worker does with
one task, `execution` hands tasks to an executor. What a task is about they do not know: `transtar.catalog.survey_run` does.
"""

from .execution import execute
from .shard_folder import ShardFolder, read_manifest
from .shard_record import FileState, ShardRecord
from .sharing import Shards, remove_shards, require_done
from .tasks import ROWS, Part, Source, Task, group_files, list_sources, plan_tasks, table_file, whole_path
from .work import Job, Outcome, plan_key, rows_by_path, share_out

__all__ = [
    "ROWS",
    "FileState",
    "Job",
    "Outcome",
    "Part",
    "ShardFolder",
    "ShardRecord",
    "Shards",
    "Source",
    "Task",
    "execute",
    "group_files",
    "list_sources",
    "plan_key",
    "plan_tasks",
    "read_manifest",
    "remove_shards",
    "require_done",
    "rows_by_path",
    "share_out",
    "table_file",
    "whole_path",
]  # fmt: skip

"""Where tasks run. An executor only moves work; what a task does is in ``trainroute.train.job``."""

from trainroute.train.executors.base import Event, Executor, Finished, Started, WorkItem
from trainroute.train.executors.local import LocalExecutor

__all__ = ["Event", "Executor", "Finished", "LocalExecutor", "Started", "WorkItem"]

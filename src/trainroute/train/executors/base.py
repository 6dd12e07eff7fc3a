"""What every executor does: take work items, run them somewhere, say when each starts and how it ends."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from trainroute.train.job import JobTask
from trainroute.train.messages import Reply
from trainroute.train.settings import Resources


@dataclass(frozen=True, kw_only=True)
class WorkItem:
    """A task, its place in the order (smaller first), what it may use, and which attempt this is.

    ``library``: the GPU library that it computes with; a process that has served one never serves another.
    """

    order: tuple[float, ...]
    task: JobTask
    resources: Resources
    library: str | None = None
    attempt: int = 1


@dataclass(frozen=True)
class Started:
    """An item has been given to a worker."""

    item: WorkItem


@dataclass(frozen=True)
class Finished:
    """An item has run, or was stopped."""

    item: WorkItem
    reply: Reply


Event = Started | Finished


class Executor(ABC):
    """Runs work items in their order, as far as their resources allow."""

    @abstractmethod
    def submit(self, item: WorkItem) -> None:
        """Add an item; also allowed while `events` is read."""

    @abstractmethod
    def events(self, stopping: Callable[[], bool]) -> Iterator[Sequence[Event]]:
        """Yield what has happened since the last time, in its order, until nothing is left to run.

        Asked often, ``stopping`` says that no further item may start.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop whatever still runs, at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""Worker processes on this machine.

1. Items wait in their order. The first one starts as soon as a worker, its threads and the memory of its limit are
   free; none overtakes it. One that could never fit runs alone.
2. A worker is started when it is first needed, and replaced when it has died or was stopped, keeps much memory, or has
   served another GPU library.
3. Several times a second each running item is held against its time and memory limit; one beyond it is stopped.
"""

import heapq
import itertools
import logging
import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from trainroute.train.executors.base import Event, Executor, Finished, Started, WorkItem
from trainroute.train.executors.process import Answer, WorkerProcess
from trainroute.train.messages import WorkerSetup

_LOOK_EVERY_SECONDS = 0.05
_BYTES_PER_MB = 1 << 20
_LOG = logging.getLogger("trainroute")


class LocalExecutor(Executor):
    """A pool of worker processes.

    Parameters
    ----------
    setup : WorkerSetup
    environments : sequence of mapping
        One per worker: variables on top of this process's own, such as the GPU that it may see.
    threads : int
        Threads of all running items together. An item that wants more gets all of them.
    memory_bytes : int, optional
        What the memory limits of all running items may add up to.
    logs : Path
        Folder for the workers' standard error while they run.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        *,
        environments: Sequence[Mapping[str, str]],
        threads: int,
        memory_bytes: int | None,
        logs: Path,
    ) -> None:
        self._setup = setup
        self._memory_bytes = memory_bytes
        self._memory_is_short = False
        self._threads = threads
        self._logs = logs
        self._places: dict[int, WorkerProcess | None] = dict.fromkeys(range(len(environments)))
        self._environments = environments
        self._waiting: list[tuple[tuple[float, ...], int, WorkItem]] = []
        self._counter = itertools.count()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._looked = time.monotonic()

    def submit(self, item: WorkItem) -> None:
        """Add an item."""
        heapq.heappush(self._waiting, (item.order, next(self._counter), item))

    def events(self, stopping: Callable[[], bool]) -> Iterator[Sequence[Event]]:
        """Yield what has happened since the last time, in its order, until nothing is left to run."""
        while self._waiting or self._busy():
            if started := self._start_what_fits(stopping):
                yield started
            if answered := self._take_answers(stopping):
                yield answered
            if time.monotonic() - self._looked >= _LOOK_EVERY_SECONDS:
                self._looked = time.monotonic()
                if stopped := self._stop_what_exceeds():
                    yield stopped

    def close(self) -> None:
        """Kill all workers."""
        for place, worker in self._places.items():
            if worker is not None:
                worker.kill()
            self._places[place] = None

    def _busy(self) -> list[WorkerProcess]:
        return [worker for worker in self._places.values() if worker is not None and worker.item is not None]

    def _start_what_fits(self, stopping: Callable[[], bool]) -> list[Event]:
        if stopping():
            self._waiting.clear()
        started: list[Event] = []
        while self._waiting and len(busy := self._busy()) < len(self._places):
            if busy and not self._fits(self._waiting[0][-1], [worker.item for worker in busy if worker.item]):
                break
            item = heapq.heappop(self._waiting)[-1]
            self._worker_for(item).start(item)
            started.append(Started(item))
        return started

    def _fits(self, item: WorkItem, running: Sequence[WorkItem]) -> bool:
        if sum(self._threads_of(each) for each in (item, *running)) > self._threads:
            return False
        limits = sum(each.resources.memory_bytes for each in (item, *running))
        if self._memory_bytes is None or limits <= self._memory_bytes:
            return True
        if not self._memory_is_short:
            self._memory_is_short = True
            _LOG.info(
                "Fits wait for memory: their limits may add up to %d MB; with a lower memory_limit_mb more run at once",
                self._memory_bytes // _BYTES_PER_MB,
            )
        return False

    def _threads_of(self, item: WorkItem) -> int:
        return min(item.resources.threads, self._threads)

    def _worker_for(self, item: WorkItem) -> WorkerProcess:
        """Return an idle worker that suits an item, or a new one in place of those that do not."""
        for worker in list(self._places.values()):
            if worker is not None and worker.item is None:
                # What it still holds would be the item's memory.
                if worker.library == item.library and 2 * worker.own_bytes() <= item.resources.memory_bytes:
                    return worker
                self._vacate(worker)
                worker.kill()
        place = next(place for place, worker in self._places.items() if worker is None)
        log = self._logs / f"worker_{place}.log"
        worker = WorkerProcess(self._setup, self._environments[place], log, self._answers)
        self._places[place] = worker
        return worker

    def _take_answers(self, stopping: Callable[[], bool]) -> list[Event]:
        """Take all answers that are there, after a short wait for the first one.

        After a success the worker has its next item before anybody is told, and never waits. After a failure nothing
        starts until those who are told have said whether the run goes on.
        """
        happened: list[Event] = []
        all_done = True
        for answer in self._answered():
            if answer.worker not in self._places.values():
                continue
            ended = self._removed(answer.worker) if answer.line is None else [answer.worker.finish(answer.line)]
            happened += ended
            all_done = all_done and all(each.reply.done is not None for each in ended)
            if all_done:
                happened += self._start_what_fits(stopping)
        return happened

    def _answered(self) -> list[Answer]:
        try:
            answers = [self._answers.get(timeout=_LOOK_EVERY_SECONDS)]
        except queue.Empty:
            return []
        while not self._answers.empty():
            answers.append(self._answers.get())
        return answers

    def _stop_what_exceeds(self) -> list[Event]:
        stopped: list[Event] = []
        for worker in self._busy():
            failure = worker.overdue()
            if failure is not None and worker.item is not None:
                self._vacate(worker)
                stopped.append(Finished(worker.item, worker.stop(failure)))
        return stopped

    def _removed(self, worker: WorkerProcess) -> list[Finished]:
        """Take a worker away that has died; return the end of what it ran."""
        self._vacate(worker)
        item, reply = worker.item, worker.stop()
        return [] if item is None else [Finished(item, reply)]

    def _vacate(self, worker: WorkerProcess) -> None:
        for place, known in self._places.items():
            if known is worker:
                self._places[place] = None

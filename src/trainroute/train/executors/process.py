"""One worker process, seen from the training process."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainroute.records.results import FailureKind
from trainroute.train.executors.base import Finished, WorkItem
from trainroute.train.memory import own_bytes
from trainroute.train.messages import Failure, Reply, WorkerSetup, decode_reply, encode_line

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
_TAIL_BYTES = 2000


@dataclass(frozen=True)
class Answer:
    """A line from a worker, or None when its output has ended."""

    worker: "WorkerProcess"
    line: bytes | None


class WorkerProcess:
    """A worker and the item that it runs.

    Parameters
    ----------
    setup : WorkerSetup
    environment : mapping
        Variables on top of this process's own.
    log : Path
        Where the worker's standard error goes.
    answers : queue
        Where its answers are put.
    """

    def __init__(
        self, setup: WorkerSetup, environment: Mapping[str, str], log: Path, answers: "queue.SimpleQueue[Answer]"
    ) -> None:
        self.item: WorkItem | None = None
        self.library: str | None = None
        self._since = 0.0
        self._peak = 0
        self._log = log
        threads = dict.fromkeys(_THREAD_VARIABLES, str(setup.threads))
        # The worker must find trainroute, and families of entry points, wherever this process finds them.
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "trainroute.train.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **threads, "PYTHONPATH": path, **environment},
                start_new_session=True,
            )
        self._write(encode_line(setup))
        threading.Thread(target=self._listen, args=(answers,), daemon=True).start()

    def start(self, item: WorkItem) -> None:
        """Give the worker an item."""
        self.item = item
        self.library = item.library
        self._since = time.monotonic()
        self._peak = 0
        with contextlib.suppress(OSError):
            os.truncate(self._log, 0)
        self._write(encode_line(item.task))

    def finish(self, line: bytes) -> Finished:
        """Return the end of the item that a line answers; the worker is idle from then on."""
        item, self.item = self.item, None
        if item is None:
            raise ValueError("a worker answered without a task")
        return Finished(item, decode_reply(line))

    def own_bytes(self) -> int:
        """Return the memory that the worker holds now; 0 where the system does not tell."""
        return own_bytes(self._process.pid) or 0

    def overdue(self) -> Failure | None:
        """Return why the worker must be stopped, if its item exceeds a limit."""
        if self.item is None:
            return None
        limits = self.item.resources
        memory = self.own_bytes()
        self._peak = max(self._peak, memory)
        if memory > limits.memory_bytes:
            used, allowed = (round(value / (1 << 20)) for value in (memory, limits.memory_bytes))
            return Failure(
                kind=FailureKind.MEMORY_LIMIT,
                reason=f"stopped: used {used} MB of memory, the limit is {allowed} MB (memory_limit_mb)",
            )
        if time.monotonic() - self._since > limits.seconds:
            return Failure(
                kind=FailureKind.TIME_LIMIT,
                reason=f"stopped: still running after {limits.seconds:g} s, the limit (time_limit_minutes)",
            )
        return None

    def stop(self, failure: Failure | None = None) -> Reply:
        """Kill the worker with all its children; return the reply that it did not give."""
        seconds = time.monotonic() - self._since
        failure = failure or self._cause_of_death()
        self.kill()
        return Reply(failure=failure, seconds=seconds, peak_memory_bytes=self._peak or None)

    def kill(self) -> None:
        """End the process and whatever it has started, and wait for its end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _cause_of_death(self) -> Failure:
        code = self._process.wait()
        how = (
            f"ended with exit code {code}" if code >= 0 else f"was killed by signal {-code} ({signal.strsignal(-code)})"
        )
        if -code == signal.SIGKILL:
            how += ", by the system if it ran out of memory"
        said = self._last_words()
        return Failure(
            kind=FailureKind.DIED, reason=f"its worker process {how}" + (f"; it said: {said}" if said else "")
        )

    def _last_words(self) -> str:
        try:
            lines = self._log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace").split("\n")
        except OSError:
            return ""
        return next((" ".join(line.split())[:200] for line in reversed(lines) if line.strip()), "")

    def _write(self, line: bytes) -> None:
        # A worker that has died says so by the end of its output.
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.write(line)
                self._process.stdin.flush()

    def _listen(self, answers: "queue.SimpleQueue[Answer]") -> None:
        if self._process.stdout is not None:
            with self._process.stdout as lines:
                for line in lines:
                    if line.endswith(b"\n"):
                        answers.put(Answer(self, line))
        answers.put(Answer(self, None))

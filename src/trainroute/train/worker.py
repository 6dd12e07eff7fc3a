"""A worker process: reads tasks from standard input, runs them one by one, answers on standard output.

It is started as ``python -m trainroute.train.worker``, never forked, so a training run works from a script without a
main guard, from a notebook and from standard input. Whatever a library prints goes to standard error.
"""

import contextlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
from typing import BinaryIO

import msgspec

from trainroute.errors import DiskFullError, MissingLibraryError, TrainrouteError, one_line
from trainroute.records.results import FailureKind
from trainroute.train.artifact import DISK_FULL
from trainroute.train.devices import VISIBLE
from trainroute.train.job import JobTask, run_job
from trainroute.train.memory import peak_bytes, reset_peak
from trainroute.train.messages import Failure, Reply, WorkerSetup, decode_task, encode_line
from trainroute.train.store import PanelStore

_LONGEST_REASON = 400


def main() -> None:
    """Serve tasks until standard input ends."""
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        requests = sys.stdin.buffer
        setup = msgspec.json.decode(requests.readline(), type=WorkerSetup)
        store = PanelStore(setup.store_folder)
        tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(requests, tasks), daemon=True).start()
        while True:
            answers.write(encode_line(_run(decode_task(tasks.get()), store, setup)))
            answers.flush()


def _listen(requests: BinaryIO, tasks: "queue.SimpleQueue[bytes]") -> None:
    """Pass tasks on; end the process at once when standard input ends, also in the middle of a fit.

    So neither a worker nor what a library has started in it outlives a training process that was killed.
    """
    for line in requests:
        tasks.put(line)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def _run(task: JobTask, store: PanelStore, setup: WorkerSetup) -> Reply:
    reset_peak()
    started = time.perf_counter()
    done, failure = None, None
    try:
        with _threads(task.threads, setup.threads):
            done = run_job(task, store, setup.models_folder)
    except Exception as error:  # noqa: BLE001 - the job runner's boundary: one family must not end the run
        failure = _failure(error)
    return Reply(
        done=done,
        failure=failure,
        seconds=time.perf_counter() - started,
        peak_memory_bytes=peak_bytes(),
        gpu_unused=_gpu_unused(),
    )


def _failure(error: Exception) -> Failure:
    if isinstance(error, DiskFullError) or (isinstance(error, OSError) and error.errno in DISK_FULL):
        return Failure(kind=FailureKind.DISK_FULL, reason=str(error))
    if isinstance(error, MissingLibraryError):
        return Failure(kind=FailureKind.MISSING_LIBRARY, reason=str(error))
    if isinstance(error, TrainrouteError):
        return Failure(kind=FailureKind.REFUSED, reason=str(error))
    kind = FailureKind.MISSING_LIBRARY if isinstance(error, ImportError) else FailureKind.ERROR
    return Failure(kind=kind, reason=_named(error), traceback=traceback.format_exc())


def _gpu_unused() -> bool:
    """Whether this process was given a GPU that the PyTorch in it cannot use."""
    torch = sys.modules.get("torch")
    return bool(os.environ.get(VISIBLE)) and torch is not None and not torch.cuda.is_available()


def _threads(wanted: int, started_with: int) -> contextlib.AbstractContextManager[object]:
    """Give numeric libraries the task's threads, where they differ from what the environment has given them."""
    if wanted == started_with:
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - looks through all loaded libraries

    limits: contextlib.AbstractContextManager[object] = threadpool_limits(limits=wanted)
    return limits


def _named(error: Exception) -> str:
    text = one_line(error, limit=_LONGEST_REASON)
    return f"{type(error).__name__}: {text}"[:_LONGEST_REASON] if text else type(error).__name__


if __name__ == "__main__":
    main()

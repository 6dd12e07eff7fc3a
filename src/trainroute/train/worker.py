"""A worker process: reads tasks from standard input, runs them one by one, answers on standard output.

It is started as ``python -m trainroute.train.worker``, never forked, so a training run works from a script without a
main guard, from a notebook and from standard input. Whatever a library prints goes to standard error.
"""

import contextlib
import os
import select
import signal
import sys
import threading
import time
import traceback
from typing import BinaryIO

import msgspec

from trainroute.errors import (
    DiskFullError,
    MissingLibraryError,
    ModelError,
    TrainingError,
    TrainrouteError,
    UnwritableError,
    one_line,
)
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
    _end_by_interrupts()
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        requests = sys.stdin.buffer
        setup = msgspec.json.decode(requests.readline(), type=WorkerSetup)
        store = PanelStore(setup.store_folder)
        threading.Thread(target=_end_with, args=(requests,), daemon=True).start()
        for line in requests:
            answers.write(encode_line(_run(decode_task(line), store, setup)))
            answers.flush()


def _end_by_interrupts() -> None:
    """Let a real Ctrl-C end the process, so that a KeyboardInterrupt can only be one that a family has raised."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end_with(requests: BinaryIO) -> None:
    """End the process at once when the other end of a pipe is closed, also in the middle of a fit.

    So neither a worker nor what a library has started in it outlives a training process that was killed. Where the
    system cannot wait for that alone, the process ends after the fit.
    """
    if not hasattr(select, "poll"):
        return
    hung_up = select.poll()
    hung_up.register(requests, 0)
    hung_up.poll()
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
    except BaseException as error:  # noqa: BLE001 - the job runner's boundary: one family must not end the run
        failure = _failure(error)
    return Reply(
        done=done,
        failure=failure,
        seconds=time.perf_counter() - started,
        peak_memory_bytes=peak_bytes(),
        gpu_unused=_gpu_unused(),
    )


def _failure(error: BaseException) -> Failure:
    kind = _kind(error)
    on_purpose = isinstance(error, TrainrouteError) or kind is FailureKind.DISK_FULL
    return Failure(
        kind=kind,
        reason=_text(error) if on_purpose else _named(error),
        traceback=None if on_purpose and kind is not FailureKind.ERROR else _encodable(traceback.format_exc()),
    )


def _kind(error: BaseException) -> FailureKind:
    if isinstance(error, DiskFullError) or (isinstance(error, OSError) and error.errno in DISK_FULL):
        return FailureKind.DISK_FULL
    if isinstance(error, MissingLibraryError | ImportError):
        return FailureKind.MISSING_LIBRARY
    if isinstance(error, UnwritableError):
        return FailureKind.UNWRITABLE
    refused = isinstance(error, TrainingError) and not isinstance(error, ModelError)
    return FailureKind.REFUSED if refused else FailureKind.ERROR


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


def _named(error: BaseException) -> str:
    text = one_line(_text(error), limit=_LONGEST_REASON)
    return f"{type(error).__name__}: {text}"[:_LONGEST_REASON] if text else type(error).__name__


def _text(error: BaseException) -> str:
    try:
        return _encodable(str(error))
    except Exception as another:  # noqa: BLE001 - an error of a family's own, which may say anything when asked
        return f"its message cannot be had ({type(another).__name__})"


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


if __name__ == "__main__":
    main()

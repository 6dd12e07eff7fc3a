"""The same work on every core, with the same result on any number of them.

NumPy and BLAS let go of the interpreter while they compute, so threads are enough. Every piece of work is the same on
any number of threads and computes with one BLAS thread (the caller sees to that), and results come back in the order of
the pieces: whoever adds them up does so in one order.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> list[Result]:
    """Do the work on each piece, one thread per core, and return the results in the order of the pieces.

    The first piece, in that order, whose work raises, raises here; what has not begun by then is not done.
    """
    with ThreadPoolExecutor(available_cores(), thread_name_prefix="trainroute") as pool:
        return list(pool.map(work, pieces))


def streamed(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
    """Yield what `in_threads` returns, each result as soon as it is asked for; only a few pieces are done ahead."""
    cores = available_cores()
    with ThreadPoolExecutor(cores, thread_name_prefix="trainroute") as pool:
        begun: deque[Future[Result]] = deque()
        for piece in pieces:
            begun.append(pool.submit(work, piece))
            if len(begun) > 2 * cores:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


@contextmanager
def ahead(work: Callable[[], Result]) -> Iterator[Callable[[], Result]]:
    """Do the work in a thread of its own while the block runs; what is yielded returns its result or raises its error.

    The block ends when the work is done, also where the block raises.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="trainroute") as pool:
        yield pool.submit(work).result


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[None]:
    """Do the work in a thread of its own while the block runs; at its end the work is done, or its error raises.

    The work is done too where the block raises; then that error goes on.
    """
    with ahead(work) as done:
        yield
        done()

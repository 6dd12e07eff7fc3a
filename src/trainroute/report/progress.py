"""Long work on the terminal: bars with the remaining time on a tty, an occasional log line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from trainroute.logs import LOGGER
from trainroute.progress import Progress as ProgressProtocol
from trainroute.progress import Step

LOG_EVERY_SECONDS = 30.0

_MINUTE = 60
_HOUR = 3600


def terminal_progress() -> ProgressProtocol:
    """Return what shows progress on this process's stderr."""
    return BarProgress(Console(stderr=True)) if sys.stderr.isatty() else LogProgress()


class BarProgress:
    """A bar for each open step; finished bars stay, with the time that they took."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, label: str, total: int) -> Iterator[Step]:
        """Show a bar of ``total`` parts until the block ends."""
        columns = (
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console) as bars:
            yield _Bar(bars, bars.add_task(label, total=total))


@dataclass(frozen=True)
class _Bar:
    bars: Progress
    task: TaskID

    def advance(self, n: int = 1) -> None:
        self.bars.advance(self.task, n)


class LogProgress:
    """A log line now and then with the share done and the time left; nothing for what is quick."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock

    @contextmanager
    def step(self, label: str, total: int) -> Iterator[Step]:
        """Log a step of ``total`` parts until the block ends."""
        yield _Lines(label, total, self.clock)


class _Lines:
    def __init__(self, label: str, total: int, clock: Callable[[], float]) -> None:
        self.label = label
        self.total = total
        self.clock = clock
        self.done = 0
        self.started = self.told = clock()

    def advance(self, n: int = 1) -> None:
        self.done += n
        now = self.clock()
        if now - self.told < LOG_EVERY_SECONDS or self.done >= self.total:
            return
        self.told = now
        left = (now - self.started) / self.done * (self.total - self.done)
        LOGGER.info("%s: %d of %d, about %s left", self.label, self.done, self.total, duration(left))


def duration(seconds: float) -> str:
    """Write a time as a person says it.

    Examples
    --------
    >>> duration(0.42), duration(7), duration(125), duration(7300)
    ('0.4 s', '7 s', '2 min 5 s', '2 h 1 min')
    """
    if seconds < 1:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"

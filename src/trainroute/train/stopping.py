"""Ending a run before its time: what runs is finished, nothing new begins."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_LOG = logging.getLogger("trainroute")


class Stop:
    """Whether a run is to end, and why.

    Attributes
    ----------
    reason : str or None
        None while it goes on.
    interrupted : bool
        Whether a person ended it with Ctrl-C.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.interrupted = False
        self._said = False

    def request(self, reason: str) -> None:
        """Let the run end; the first reason counts."""
        self.reason = self.reason or reason

    def requested(self) -> bool:
        """Whether nothing new may begin; says so once."""
        if self.reason is not None and not self._said:
            self._said = True
            again = "; Ctrl-C again stops at once" if self.interrupted else ""
            _LOG.warning("Stopping: %s; what runs is finished first%s", self.reason, again)
        return self.reason is not None


@contextmanager
def stop_on_interrupt() -> Iterator[Stop]:
    """Yield what the first Ctrl-C sets; the second one raises KeyboardInterrupt.

    Elsewhere than in the main thread, and where a program handles Ctrl-C in its own way, that is left as it is.
    """
    stop = Stop()
    usual = signal.default_int_handler
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not usual:
        yield stop
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        if stop.interrupted:
            usual(number, frame)
        stop.interrupted = True
        stop.request("interrupted")

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, usual)

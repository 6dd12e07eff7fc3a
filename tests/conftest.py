"""The program, run in this process, for every test that talks to it as a user does."""

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from hypothesis import settings

from trainroute.cli.app import build_app
from trainroute.cli.entry import run_app

# How long an example takes says nothing where two workers and their models share the cores.
settings.register_profile("trainroute", deadline=None)
settings.load_profile("trainroute")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of the error."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.err
        return lines[0].removeprefix("error: ")


@pytest.fixture(scope="session", autouse=True)
def _interrupts_as_usual() -> Iterator[None]:
    """Handle Ctrl-C as Python does, here and in every process started from here; a background shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def _restored() -> Iterator[None]:
    logger, hook = logging.getLogger("trainroute"), sys.excepthook
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    yield
    logger.handlers[:], sys.excepthook, logger.propagate = handlers, hook, propagate
    logger.setLevel(level)


@pytest.fixture
def quiet_logger() -> Iterator[None]:
    """Put the logger and the hook for unexpected errors back as they were."""
    with _restored():
        yield


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ended]]:
    """Run ``trainroute <arguments>`` in this process."""

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        code = run_app(build_app(), [str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    with _restored():
        yield run

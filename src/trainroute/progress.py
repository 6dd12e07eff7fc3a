"""How long work reports where it is, without knowing who listens."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Step(Protocol):
    """One piece of long work."""

    def advance(self, n: int = 1) -> None:
        """Say that ``n`` more of its parts are done."""


class Progress(Protocol):
    """Where steps are shown; the terminal's implementation is in ``trainroute.report``."""

    def step(self, label: str, total: int) -> AbstractContextManager[Step]:
        """Open a step of ``total`` parts; use it as a context manager."""


class _Unheard:
    def advance(self, n: int = 1) -> None:
        """Say nothing."""


class SilentProgress:
    """Shows nothing; the default of every library call."""

    @contextmanager
    def step(self, label: str, total: int) -> Iterator[Step]:  # noqa: ARG002 - the protocol's signature
        """Open a step that nobody sees."""
        yield _Unheard()

"""Who trains into an output directory now.

1. A run holds the whole directory: no other run, and no single job, may train into it meanwhile.
2. ``train --job`` holds its pairs of job × family alone, so that many of them work side by side.
3. Whoever holds something says so in table ``holders`` of the ledger, looked at and written in one transaction.
4. A holder of this machine whose process has ended, or has another start time (its number was given anew), holds
   nothing. One of another machine holds nothing when it has not been heard of for two minutes.
"""

import os
import socket
import sqlite3
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from trainroute.errors import OutputInUseError, TrainrouteError
from trainroute.train.ledger import open_database, transaction

Pair = tuple[str, str]

BEAT_SECONDS = 10.0
SILENT_SECONDS = 120.0
_WHOLE: Pair = ("*", "*")
_START_TIME_FIELD = 19  # of those behind the name in parentheses, proc(5)


@dataclass(frozen=True)
class _Holder:
    pair: Pair
    host: str
    process: int
    process_started: str
    seen: float

    def holds(self, now: float) -> bool:
        if self.host != socket.gethostname():
            return now - self.seen < SILENT_SECONDS
        return _started(self.process) == self.process_started

    def refusal(self, output_dir: Path) -> OutputInUseError:
        job_id, family = self.pair
        what = "trains into it" if self.pair == _WHOLE else f"trains {job_id} × {family} in it"
        return OutputInUseError(
            f"{output_dir}: process {self.process} on {self.host} {what}; wait for its end, stop it, "
            "or give another --output-dir"
        )


class OutputLock:
    """Holds an output directory, or some pairs of it; use it as a context manager.

    Parameters
    ----------
    ledger : Path
        The ledger of the directory; created if absent.
    output_dir : Path
        As errors name it.
    pairs : sequence of (str, str), optional
        Job ids and families to hold; the whole directory without it.

    Raises
    ------
    OutputInUseError
        If somebody else holds any of it; names the process and its machine.
    """

    def __init__(self, ledger: Path, output_dir: Path, pairs: Sequence[Pair] | None = None) -> None:
        self._ledger = ledger
        self._output_dir = output_dir
        self._pairs = [_WHOLE] if pairs is None else list(pairs)
        self._own = socket.gethostname(), os.getpid(), _started(os.getpid()) or ""
        self._seen = time.monotonic()
        self._connection = open_database(ledger)

    def __enter__(self) -> Self:
        try:
            with transaction(self._connection, self._ledger):
                holders = _living(self._connection)
                self._check(holders)
                kept = [(*holder.pair, *_fields(holder)) for holder in holders]
                own = [(*pair, *self._own, time.time()) for pair in self._pairs]
                self._connection.execute("DELETE FROM holders")
                self._connection.executemany("INSERT INTO holders VALUES (?, ?, ?, ?, ?, ?)", [*kept, *own])
        except BaseException:
            self._connection.close()
            raise
        return self

    def _check(self, holders: Iterable[_Holder]) -> None:
        own = set(self._pairs)
        for holder in holders:
            if holder.pair == _WHOLE or _WHOLE in own or holder.pair in own:
                raise holder.refusal(self._output_dir)

    def beat(self) -> None:
        """Say now and then that this process lives, for those of other machines."""
        if time.monotonic() - self._seen > BEAT_SECONDS:
            self._seen = time.monotonic()
            with transaction(self._connection, self._ledger):
                self._connection.execute(
                    "UPDATE holders SET seen = ? WHERE host = ? AND process = ? AND process_started = ?",
                    (time.time(), *self._own),
                )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go; where the ledger cannot be written the end of this process does it."""
        with suppress(sqlite3.Error, TrainrouteError), transaction(self._connection, self._ledger):
            self._connection.executemany(
                "DELETE FROM holders WHERE host = ? AND process = ? AND process_started = ? "
                "AND job_id = ? AND family = ?",
                [(*self._own, *pair) for pair in self._pairs],
            )
        self._connection.close()


def require_unused(ledger: Path, output_dir: Path) -> None:
    """Check, before long work, that nobody trains into an output directory.

    Raises
    ------
    OutputInUseError
        If somebody does.
    """
    if not ledger.is_file():
        return
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as found:
        for holder in _living(found):
            raise holder.refusal(output_dir)


def _living(connection: sqlite3.Connection) -> list[_Holder]:
    now = time.time()
    holders = [_Holder((row[0], row[1]), *row[2:]) for row in connection.execute("SELECT * FROM holders")]
    return [holder for holder in holders if holder.holds(now)]


def _fields(holder: _Holder) -> tuple[str, int, str, float]:
    return holder.host, holder.process, holder.process_started, holder.seen


def _started(process: int) -> str | None:
    """Return when a process of this machine started, as the system says it; None if there is none (any more).

    Empty where the system does not tell: then the number alone says who it is.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _alive(process)
    fields = stat.rsplit(b")", 1)[1].split()
    return None if fields[0] == b"Z" else fields[_START_TIME_FIELD].decode("ascii")


def _alive(process: int) -> str | None:
    if sys.platform == "win32":  # there, signal 0 ends the process
        return ""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return ""
    return ""

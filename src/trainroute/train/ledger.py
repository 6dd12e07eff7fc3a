"""The ledger: what became of each job × family, in SQLite.

Each change is one transaction in write-ahead mode, so that a killed run leaves a ledger that says what was done, what
ran and what was still to come, and many processes of one machine write it at once. Rows are kept per plan: those of
another plan stay as history. Table ``holders`` says who trains now, see `trainroute.train.lock`.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from trainroute.errors import BrokenResultError, DiskFullError, OutputInUseError, TrainrouteError, UsageError
from trainroute.records.results import FamilyResult, FamilyState

LEDGER_SCHEMA_VERSION = 2

_CREATE = """
CREATE TABLE IF NOT EXISTS results (
    plan_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    family TEXT NOT NULL,
    stage TEXT NOT NULL,
    state TEXT NOT NULL,
    target TEXT NOT NULL,
    symbol TEXT,
    route TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    seconds REAL,
    peak_memory_bytes INTEGER,
    score REAL,
    scored_rows INTEGER,
    expected_score REAL,
    artifact TEXT,
    reason TEXT,
    failure TEXT,
    resumed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (plan_id, job_id, family)
) WITHOUT ROWID
"""
_ADDED_IN_2 = (
    "ALTER TABLE results ADD COLUMN scored_rows INTEGER",
    "ALTER TABLE results ADD COLUMN failure TEXT",
    "ALTER TABLE results ADD COLUMN resumed INTEGER NOT NULL DEFAULT 0",
)
_CREATE_HOLDERS = """
CREATE TABLE IF NOT EXISTS holders (
    job_id TEXT NOT NULL,
    family TEXT NOT NULL,
    host TEXT NOT NULL,
    process INTEGER NOT NULL,
    process_started TEXT NOT NULL,
    seen REAL NOT NULL,
    PRIMARY KEY (job_id, family)
) WITHOUT ROWID
"""
_COLUMNS = FamilyResult.__struct_fields__
_INSERT = (
    f"INSERT OR REPLACE INTO results (plan_id, {', '.join(_COLUMNS)}) "  # noqa: S608 - the names of our own fields
    f"VALUES (?{', ?' * len(_COLUMNS)})"
)
_SELECT = (
    f"SELECT {', '.join(_COLUMNS)} FROM results WHERE plan_id = ? "  # noqa: S608 - the names of our own fields
    "ORDER BY job_id, family"
)
_MEAN_SECONDS = (
    "SELECT job_id, family, avg(seconds) FROM results WHERE state = ? AND seconds IS NOT NULL GROUP BY job_id, family"
)
_WAIT_SECONDS = 30.0
_RETRY_SECONDS = 0.02
_PRIMARY = 0xFF
"""SQLite's extended error codes hold the primary one in the last byte."""


def seconds_taken(path: Path) -> dict[tuple[str, str], float]:
    """Return the mean seconds that each job × family took in all plans of a ledger, by job id and family.

    Raises
    ------
    UsageError
        If there is no ledger, or one that cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no ledger of earlier training; leave out --cost-from-ledger")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_WAIT_SECONDS)) as found:
            rows = found.execute(_MEAN_SECONDS, (FamilyState.DONE,)).fetchall()
    except sqlite3.Error as error:
        raise UsageError(f"{path}: cannot be read as a ledger ({error}); leave out --cost-from-ledger") from None
    return {(job_id, family): float(seconds) for job_id, family, seconds in rows}


def open_database(path: Path) -> sqlite3.Connection:
    """Open a ledger for writing, in write-ahead mode; create it, or bring it to this version.

    A ledger of version 1 gets the columns that it lacks; what was in it stays, as history.

    Raises
    ------
    UsageError
        If the file cannot be opened for writing.
    DiskFullError
        If there is no space for it, or the disk fails.
    OutputInUseError
        If another process does not let go of the file.
    BrokenResultError
        If the file is no ledger, or one of a later version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _explained(path):
        connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    _set_write_ahead(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    if connection.execute("PRAGMA user_version").fetchone()[0] == LEDGER_SCHEMA_VERSION:
        return
    with transaction(connection, path):
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found > LEDGER_SCHEMA_VERSION:
            raise BrokenResultError(
                f"{path}: a training ledger of version {found}; this version reads {LEDGER_SCHEMA_VERSION}, "
                "move the file away"
            )
        for statement in (*(_ADDED_IN_2 if found == 1 else ()), _CREATE, _CREATE_HOLDERS):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {LEDGER_SCHEMA_VERSION}")


def _set_write_ahead(connection: sqlite3.Connection) -> None:
    """Turn on write-ahead mode; several processes that create the file at once may be told that it is locked."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Do all that the block does, or nothing of it; no other process writes meanwhile.

    Raises
    ------
    UsageError, DiskFullError, OutputInUseError, BrokenResultError
        As `open_database`.
    """
    with _explained(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # SQLite itself has rolled back where the disk is full
                connection.execute("ROLLBACK")
            raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say of what SQLite cannot do whether the disk, the rights, another process or the ledger is the cause."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.DatabaseError as error:
        raise _cause(path, error) from None


def _cause(path: Path, error: sqlite3.DatabaseError) -> TrainrouteError:
    match getattr(error, "sqlite_errorcode", 0) & _PRIMARY:  # the module itself gives none
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return DiskFullError(
                f"{path}: cannot be written, as the disk is full or fails ({error}); free some space, "
                "then go on with --resume"
            )
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return UsageError(f"{path}: cannot be opened for writing ({error}); choose another --output-dir")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return OutputInUseError(f"{path}: another process holds it ({error}); wait for its end, or stop it")
        case _:
            return _broken(path, error)


def _broken(path: Path, error: Exception) -> BrokenResultError:
    return BrokenResultError(f"{path}: cannot be used as the training ledger ({error}); move it away")


class Ledger:
    """The rows of one plan in ``training_ledger.sqlite``; use it as a context manager.

    Parameters
    ----------
    path : Path
        The file; created if absent, see `open_database`.
    plan_id : str
        Whose rows are read and written.
    """

    def __init__(self, path: Path, plan_id: str) -> None:
        self._path = path
        self._plan_id = plan_id
        self._connection = open_database(path)

    def record(self, results: Iterable[FamilyResult]) -> None:
        """Write rows, all or none, in place of those of the same job × family."""
        rows = [(self._plan_id, *msgspec.structs.astuple(result)) for result in results]
        with transaction(self._connection, self._path):
            self._connection.executemany(_INSERT, rows)

    def release(self, reason: str, pairs: Iterable[tuple[str, str]] | None = None) -> int:
        """Set rows that are running back to pending, all or those of some pairs; return how many there were."""
        update = "UPDATE results SET state = ?, reason = ? WHERE plan_id = ? AND state = ?"
        values = (FamilyState.PENDING, reason, self._plan_id, FamilyState.RUNNING)
        with transaction(self._connection, self._path):
            if pairs is None:
                return self._connection.execute(update, values).rowcount
            of_pair = f"{update} AND job_id = ? AND family = ?"
            return self._connection.executemany(of_pair, [(*values, *pair) for pair in pairs]).rowcount

    def results(self) -> tuple[FamilyResult, ...]:
        """Return the rows of the plan, sorted by job and family.

        Raises
        ------
        BrokenResultError
            If a row is none that training wrote.
        """
        with _explained(self._path):
            rows = [
                dict(zip(_COLUMNS, row, strict=True)) for row in self._connection.execute(_SELECT, (self._plan_id,))
            ]
        try:
            return msgspec.convert(rows, tuple[FamilyResult, ...], strict=False)
        except msgspec.ValidationError as error:
            raise _broken(self._path, error) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other process write the ledger while the block runs."""
        with transaction(self._connection, self._path):
            yield

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

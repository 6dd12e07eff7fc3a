"""The ledger: what became of each job × family, in SQLite.

Each change is one transaction in write-ahead mode, so that a killed run leaves a ledger that says what was done, what
ran and what was still to come. Rows are kept per plan: those of another plan stay as history.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from trainroute.errors import TrainingError, UsageError
from trainroute.records.results import FamilyResult, FamilyState

LEDGER_SCHEMA_VERSION = 1

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
    expected_score REAL,
    artifact TEXT,
    reason TEXT,
    PRIMARY KEY (plan_id, job_id, family)
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


class Ledger:
    """The rows of one plan in ``training_ledger.sqlite``; use it as a context manager.

    Parameters
    ----------
    path : Path
        The file; created if absent.
    plan_id : str
        Whose rows are read and written.

    Raises
    ------
    UsageError
        If the file cannot be opened for writing.
    TrainingError
        If the file is no ledger, or one of another version.
    """

    def __init__(self, path: Path, plan_id: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._plan_id = plan_id
        try:
            self._connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise UsageError(f"{path}: cannot be opened for writing ({error}); choose another --output-dir") from None
        try:
            self._prepare(path)
        except sqlite3.Error as error:
            self._connection.close()
            raise TrainingError(f"{path}: cannot be used as the training ledger ({error}); move it away") from None
        except TrainingError:
            self._connection.close()
            raise

    def _prepare(self, path: Path) -> None:
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, LEDGER_SCHEMA_VERSION):
            raise TrainingError(
                f"{path}: a training ledger of version {found}; this version reads {LEDGER_SCHEMA_VERSION}, "
                "move the file away"
            )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(_CREATE)
        self._connection.execute(f"PRAGMA user_version = {LEDGER_SCHEMA_VERSION}")

    def record(self, results: Iterable[FamilyResult]) -> None:
        """Write rows, all or none, in place of those of the same job × family."""
        rows = [(self._plan_id, *msgspec.structs.astuple(result)) for result in results]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(_INSERT, rows)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def release_running(self) -> None:
        """Set rows that are running back to pending, when a run ends before its time."""
        self._connection.execute(
            "UPDATE results SET state = ?, reason = 'interrupted' WHERE plan_id = ? AND state = ?",
            (FamilyState.PENDING, self._plan_id, FamilyState.RUNNING),
        )

    def results(self) -> tuple[FamilyResult, ...]:
        """Return the rows of the plan, sorted by job and family."""
        rows = self._connection.execute(_SELECT, (self._plan_id,)).fetchall()
        return tuple(msgspec.convert(dict(zip(_COLUMNS, row, strict=True)), FamilyResult) for row in rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from trainroute.errors import BrokenResultError, DiskFullError, OutputInUseError, TrainingError, UsageError
from trainroute.records.results import FailureKind, FamilyResult, FamilyState
from trainroute.records.vocabulary import RouteState, Stage
from trainroute.train.ledger import Ledger, seconds_taken


def _result(job_id: str = "cs_y", family: str = "LightGBM", **changes: object) -> FamilyResult:
    plain = FamilyResult(
        job_id=job_id,
        family=family,
        stage=Stage.CPU,
        state=FamilyState.PENDING,
        target="y",
        route=RouteState.ROUTE_CROSS_SECTIONAL,
    )
    return replace(plain, **changes)


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    full = _result(
        family="XGBoost",
        symbol="S1",
        state=FamilyState.DONE,
        attempts=2,
        seconds=1.25,
        peak_memory_bytes=1 << 40,
        score=0.61,
        expected_score=0.6,
        scored_rows=120,
        artifact="models/cs_y/XGBoost",
        reason="note",
        failure=FailureKind.DIED,
        resumed=True,
    )
    with Ledger(tmp_path / "ledger.sqlite", "plan") as ledger:
        ledger.record([full, _result()])
    with Ledger(tmp_path / "ledger.sqlite", "plan") as ledger:
        assert ledger.results() == (_result(), full)


def test_a_row_is_replaced_and_other_plans_stay(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, "old") as ledger:
        ledger.record([_result(score=0.5)])
    with Ledger(path, "new") as ledger:
        ledger.record([_result()])
        ledger.record([_result(state=FamilyState.RUNNING, attempts=1)])
        assert ledger.results() == (_result(state=FamilyState.RUNNING, attempts=1),)
    with Ledger(path, "old") as ledger:
        assert ledger.results() == (_result(score=0.5),)


def test_rows_are_written_all_or_none(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite", "plan") as ledger:
        with pytest.raises(sqlite3.IntegrityError):
            ledger.record([_result(), _result("cs_z", stage=None)])
        assert ledger.results() == ()
        ledger.record([_result()])
        assert ledger.results() == (_result(),)


def test_what_ran_when_a_run_ended_is_pending_again(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite", "plan") as ledger:
        ledger.record([_result(state=FamilyState.RUNNING, attempts=1), _result("cs_z", state=FamilyState.DONE)])
        assert ledger.release("interrupted") == 1
        assert [(row.state, row.reason) for row in ledger.results()] == [
            (FamilyState.PENDING, "interrupted"),
            (FamilyState.DONE, None),
        ]


def test_another_process_reads_while_a_run_writes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, "plan") as ledger:
        ledger.record([_result()])
        reader = sqlite3.connect(path)
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert reader.execute("SELECT job_id, state FROM results").fetchall() == [("cs_y", "pending")]
        reader.close()


def test_a_file_that_is_no_ledger_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_text("this is no database, but long enough to be looked at as one" * 20)
    with pytest.raises(TrainingError, match="cannot be used as the training ledger"):
        Ledger(path, "plan")
    assert path.read_text().startswith("this is no database")


def test_a_ledger_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(TrainingError, match="ledger of version 9; this version reads 2"):
        Ledger(path, "plan")


_VERSION_1 = """
CREATE TABLE results (plan_id TEXT NOT NULL, job_id TEXT NOT NULL, family TEXT NOT NULL, stage TEXT NOT NULL,
    state TEXT NOT NULL, target TEXT NOT NULL, symbol TEXT, route TEXT NOT NULL, attempts INTEGER NOT NULL,
    seconds REAL, peak_memory_bytes INTEGER, score REAL, expected_score REAL, artifact TEXT, reason TEXT,
    PRIMARY KEY (plan_id, job_id, family)) WITHOUT ROWID
"""


def test_a_ledger_of_version_1_is_brought_up_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(_VERSION_1)
    connection.execute(
        "INSERT INTO results (plan_id, job_id, family, stage, state, target, route, attempts, seconds) "
        "VALUES ('plan', 'cs_y', 'LightGBM', 'cpu', 'done', 'y', 'ROUTE_CROSS_SECTIONAL', 1, 2.5)"
    )
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    assert seconds_taken(path) == {("cs_y", "LightGBM"): 2.5}
    with Ledger(path, "plan") as ledger:
        assert ledger.results() == (_result(state=FamilyState.DONE, attempts=1, seconds=2.5),)
        ledger.record([_result("cs_z", failure=FailureKind.ERROR)])
        assert len(ledger.results()) == 2
    with Ledger(path, "plan") as ledger:
        assert len(ledger.results()) == 2


def test_only_the_pairs_of_a_process_are_released(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite", "plan") as ledger:
        ledger.record([_result(name, state=FamilyState.RUNNING) for name in ("cs_a", "cs_b")])
        assert ledger.release("gone", [("cs_a", "LightGBM"), ("cs_c", "LightGBM")]) == 1
        assert [(row.job_id, row.state) for row in ledger.results()] == [
            ("cs_a", FamilyState.PENDING),
            ("cs_b", FamilyState.RUNNING),
        ]


def test_a_ledger_without_space_keeps_what_it_had_and_says_what_to_do(tmp_path: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
import msgspec
from trainroute.errors import DiskFullError
from trainroute.records.results import FamilyResult
from trainroute.train.ledger import Ledger
path = Path(sys.argv[1])
row = msgspec.json.decode(sys.argv[2], type=FamilyResult)
with Ledger(path, "plan") as ledger:
    ledger.record([row])
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
    try:
        ledger.record([msgspec.structs.replace(row, job_id=f"cs_{n}", reason="x" * 300) for n in range(500)])
    except DiskFullError as error:
        print(error)
    print(len(ledger.results()))
"""
    path = tmp_path / "ledger.sqlite"
    command = [sys.executable, "-c", script, str(path), msgspec.json.encode(_result()).decode()]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    said, rows = ran.stdout.splitlines()
    assert said.startswith(f"{path}: cannot be written, as the disk is full or fails (")
    assert said.endswith("); free some space, then go on with --resume")
    assert rows == "1"
    with Ledger(path, "plan") as ledger:
        assert ledger.results() == (_result(),)


_OPEN_WITHIN = """
import resource, sys
from pathlib import Path
from trainroute.errors import DiskFullError
from trainroute.train.ledger import Ledger
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    Ledger(Path(sys.argv[1]), "plan").results()
except DiskFullError as error:
    print(error)
"""


def test_a_ledger_that_cannot_be_opened_for_want_of_space_is_no_broken_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, "plan") as ledger:
        ledger.record([_result()])
    command = [sys.executable, "-c", _OPEN_WITHIN, str(path), "8192"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"{path}: cannot be written, as the disk is full or fails (disk I/O error); free some space")
    assert "move" not in said
    with Ledger(path, "plan") as ledger:
        assert ledger.results() == (_result(),)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_FULL, DiskFullError),
        (sqlite3.SQLITE_IOERR, DiskFullError),
        (sqlite3.SQLITE_IOERR_SHMSIZE, DiskFullError),
        (sqlite3.SQLITE_IOERR_FSYNC, DiskFullError),
        (sqlite3.SQLITE_CANTOPEN, UsageError),
        (sqlite3.SQLITE_READONLY_DIRECTORY, UsageError),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, OutputInUseError),
        (sqlite3.SQLITE_CORRUPT, BrokenResultError),
        (None, BrokenResultError),
    ],
)
def test_only_a_broken_ledger_is_to_be_moved_away(code: int | None, expected: type[Exception], tmp_path: Path) -> None:
    error = sqlite3.DatabaseError("said by SQLite")
    if code is not None:
        error.sqlite_errorcode = code
    with Ledger(tmp_path / "ledger.sqlite", "plan") as ledger:
        with pytest.raises(expected, match="said by SQLite") as raised, ledger.alone():
            raise error
        assert ("move it away" in str(raised.value)) == (expected is BrokenResultError)
        assert ledger.results() == (), "the ledger is free again"


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("DROP TABLE results", "no such table"),
        ("ALTER TABLE results DROP COLUMN route", "no such column|no column named"),
        ("UPDATE results SET state = 'weird'", "weird"),
        ("UPDATE results SET seconds = 'long'", "float"),
        ("UPDATE results SET reason = CAST(x'ff' AS TEXT)", "decode"),
    ],
)
def test_a_damaged_ledger_that_opens_is_refused_in_one_line(damage: str, named: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, "plan") as ledger:
        ledger.record([_result()])
    connection = sqlite3.connect(path)
    connection.execute(damage)
    connection.commit()
    connection.close()
    with Ledger(path, "plan") as ledger:
        with pytest.raises(BrokenResultError, match=rf"cannot be used as the training ledger \(.*({named}).*move it"):
            ledger.results()
        if "TABLE" in damage:
            with pytest.raises(BrokenResultError, match=rf"cannot be used as the training ledger \(.*({named})"):
                ledger.record([_result()])
